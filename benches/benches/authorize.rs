//! What `Authorize` costs over gRPC with every layer on, against an RPC that does nothing.

#![expect(clippy::unwrap_used, reason = "a bench may panic")]

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use benches::figures::{self, ROUNDS, Spread, Target};
use benches::grpc::{CONNECTIONS, IN_FLIGHT, Method, Raw, Service};
use bytes::Bytes;
use chancery::proto::v1 as pb;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(Box::pin(compare()));
}

async fn compare() {
    let service = Box::pin(Service::start()).await;
    let authorize = Method {
        at: service.at.clone(),
        path: "/chancery.v1.AuthorizationService/Authorize",
        token: service.token.clone(),
        message: Bytes::from(service.question(5).encode_to_vec()),
    };
    let answer = authorize.call().await;
    let decoded = pb::AuthorizeResponse::decode(answer.clone()).unwrap();
    assert!(decoded.decision, "{decoded:?}");
    let (sent, got) = (authorize.message.len(), answer.len());
    let at = start_empty(answer).await;
    let empty = Method { at, path: "/bench.Empty/Call", ..authorize.clone() };

    println!("# Requests a second, {ROUNDS} interleaved rounds\n");
    println!(
        "{CONNECTIONS} connections × {IN_FLIGHT} in flight; {sent} bytes in, {got} bytes out."
    );
    println!("Client and both servers share this process and its runtime.\n");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let rates = (authorize.rate(IN_FLIGHT).await, empty.rate(IN_FLIGHT).await);
        if round > 0 {
            ours.push(rates.0);
            theirs.push(rates.1);
        }
    }
    println!("| | requests a second |\n|---|---|");
    for (name, figures) in [("Authorize", &ours), ("empty RPC", &theirs)] {
        println!("| {name} | {} |", Spread::of(figures.iter().copied()));
    }
    figures::heading();
    let ratio = Spread::of_ratios(&ours, &theirs);
    Target::AtLeast(0.95).judge("Authorize against an empty RPC", "×", ratio);
}

/// A unary RPC that answers a fixed message: what any RPC costs at least.
#[derive(Debug, Clone)]
struct Empty(Bytes);

impl NamedService for Empty {
    const NAME: &'static str = "bench.Empty";
}

impl tonic::server::UnaryService<Bytes> for Empty {
    type Response = Bytes;
    type Future = Ready<Result<Response<Bytes>, Status>>;

    fn call(&mut self, _: Request<Bytes>) -> Self::Future {
        ready(Ok(Response::new(self.0.clone())))
    }
}

impl tower::Service<http::Request<Body>> for Empty {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(Raw);
            Ok(grpc.unary(service, request).await)
        })
    }
}

async fn start_empty(answer: Bytes) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = format!("http://{}", listener.local_addr().unwrap());
    let incoming = TcpListenerStream::new(listener);
    tokio::spawn(Server::builder().add_service(Empty(answer)).serve_with_incoming(incoming));
    at
}
