//! A collector: takes spans by OTLP over gRPC, as the protocol has it, and keeps them.

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use crate::server::PATIENCE;

/// Takes spans.
pub(crate) struct Collector {
    pub(crate) url: String,
    taken: watch::Receiver<Vec<ExportTraceServiceRequest>>,
}

struct Taking(Arc<watch::Sender<Vec<ExportTraceServiceRequest>>>);

#[tonic::async_trait]
impl TraceService for Taking {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.send_modify(|taken| taken.push(request.into_inner()));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (tell, taken) = watch::channel(Vec::new());
        let service = TraceServiceServer::new(Taking(Arc::new(tell)));
        tokio::spawn(async move {
            let incoming = TcpListenerStream::new(listener);
            Server::builder().add_service(service).serve_with_incoming(incoming).await.unwrap();
        });
        Self { url, taken }
    }

    /// Waits until spans have come that are as wanted, and returns all there are.
    pub(crate) async fn wait(&self, wanted: impl Fn(&[Span]) -> bool) -> Vec<Span> {
        let mut taken = self.taken.clone();
        let waiting = taken.wait_for(|taken| wanted(&spans(taken)));
        let found = timeout(PATIENCE, waiting).await;
        let Ok(Ok(found)) = found else {
            let names: Vec<String> = self.spans().iter().map(|span| span.name.clone()).collect();
            panic!("the spans did not come; there are {names:?}");
        };
        spans(&found)
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        spans(&self.taken.borrow())
    }

    /// Returns everything that came, as text and as bytes that can be searched like text.
    pub(crate) fn text(&self) -> String {
        let taken = self.taken.borrow();
        let bytes = taken.iter().flat_map(prost::Message::encode_to_vec).collect::<Vec<u8>>();
        format!("{taken:?}{}", String::from_utf8_lossy(&bytes))
    }
}

fn spans(taken: &[ExportTraceServiceRequest]) -> Vec<Span> {
    let resources = taken.iter().flat_map(|one| &one.resource_spans);
    let scopes = resources.flat_map(|one| &one.scope_spans);
    scopes.flat_map(|one| one.spans.clone()).collect()
}

/// Returns what a span says under a key.
pub(crate) fn said(span: &Span, key: &str) -> Option<String> {
    let found = span.attributes.iter().find(|one| one.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        other => Some(format!("{other:?}")),
    }
}
