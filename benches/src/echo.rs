//! A server that answers a fixed message to whatever is asked: what any RPC costs at least.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::pin::Pin;
use std::str::FromStr;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use crate::grpc::Raw;

/// The method that it has.
pub const METHOD: &str = "/bench.Echo/Call";

/// How a server's work is spread over the machine's cores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One runtime of a thread a core, which take work from each other.
    Stealing,
    /// A runtime of one thread for each core, to which connections are handed out in turn.
    Apart,
}

impl Shape {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Stealing => "stealing",
            Self::Apart => "apart",
        }
    }
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Stealing, Self::Apart]
            .into_iter()
            .find(|shape| shape.word() == text)
            .ok_or_else(|| format!("`{text}` is neither stealing nor apart"))
    }
}

/// Serves on a port of its own until the process ends; `told` gets the address.
pub fn serve(shape: Shape, length: usize, told: impl FnOnce(SocketAddr)) {
    let service = Echo(vec![0; length].into());
    let threads = std::thread::available_parallelism().unwrap().get();
    let runtimes: Vec<Runtime> = match shape {
        Shape::Stealing => vec![Builder::new_multi_thread().enable_all().build().unwrap()],
        Shape::Apart => (0..threads)
            .map(|_| Builder::new_current_thread().enable_all().build().unwrap())
            .collect(),
    };
    let mut handing = Vec::new();
    for runtime in runtimes {
        let (hand, handed) = mpsc::unbounded_channel();
        // A stream belongs to the runtime that it is made in.
        let incoming = UnboundedReceiverStream::new(handed).map(TcpStream::from_std);
        let server = Server::builder().add_service(service.clone());
        std::thread::spawn(move || {
            runtime.block_on(async { runtime.spawn(server.serve_with_incoming(incoming)).await })
        });
        handing.push(hand);
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    told(listener.local_addr().unwrap());
    for (nth, stream) in listener.incoming().enumerate() {
        let stream = stream.unwrap();
        stream.set_nonblocking(true).unwrap();
        stream.set_nodelay(true).unwrap();
        handing[nth % handing.len()].send(stream).unwrap();
    }
}

#[derive(Debug, Clone)]
struct Echo(Bytes);

impl NamedService for Echo {
    const NAME: &'static str = "bench.Echo";
}

impl tonic::server::UnaryService<Bytes> for Echo {
    type Response = Bytes;
    type Future = Ready<Result<Response<Bytes>, Status>>;

    fn call(&mut self, _: Request<Bytes>) -> Self::Future {
        ready(Ok(Response::new(self.0.clone())))
    }
}

impl tower::Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(tonic::server::Grpc::new(Raw).unary(service, request).await) })
    }
}
