//! A collector: takes spans and logs by OTLP over gRPC, as the protocol has it, and keeps them.

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{
    LogsService, LogsServiceServer,
};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::Value as Json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use crate::server::PATIENCE;

/// Takes spans and logs.
pub(crate) struct Collector {
    pub(crate) url: String,
    spans: watch::Receiver<Vec<ExportTraceServiceRequest>>,
    logs: watch::Receiver<Vec<ExportLogsServiceRequest>>,
    figures: watch::Receiver<Vec<Metric>>,
}

/// A collector that stands still: whoever connects waits.
pub(crate) struct Still {
    listener: TcpListener,
    pub(crate) url: String,
}

#[derive(Clone)]
struct Taking {
    spans: Arc<watch::Sender<Vec<ExportTraceServiceRequest>>>,
    logs: Arc<watch::Sender<Vec<ExportLogsServiceRequest>>>,
    figures: Arc<watch::Sender<Vec<Metric>>>,
}

#[tonic::async_trait]
impl TraceService for Taking {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.spans.send_modify(|taken| taken.push(request.into_inner()));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Taking {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        self.logs.send_modify(|taken| taken.push(request.into_inner()));
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Taking {
    /// Keeps the newest: each sending is of all.
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let of = request.into_inner().resource_metrics.into_iter();
        let all = of.flat_map(|of| of.scope_metrics).flat_map(|of| of.metrics).collect();
        self.figures.send_replace(all);
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

impl Still {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        Self { listener, url }
    }

    /// Begins to take.
    pub(crate) fn start(self) -> Collector {
        let Self { listener, url } = self;
        let (tell_spans, spans) = watch::channel(Vec::new());
        let (tell_logs, logs) = watch::channel(Vec::new());
        let (tell_figures, figures) = watch::channel(Vec::new());
        let taking = Taking {
            spans: Arc::new(tell_spans),
            logs: Arc::new(tell_logs),
            figures: Arc::new(tell_figures),
        };
        tokio::spawn(async move {
            Server::builder()
                .add_service(TraceServiceServer::new(taking.clone()))
                .add_service(MetricsServiceServer::new(taking.clone()))
                .add_service(LogsServiceServer::new(taking))
                .serve_with_incoming(TcpListenerStream::new(listener))
                .await
                .unwrap();
        });
        Collector { url, spans, logs, figures }
    }
}

impl Collector {
    pub(crate) async fn start() -> Self {
        Still::new().await.start()
    }

    /// Waits until spans have come that are as wanted, and returns all there are.
    pub(crate) async fn wait(&self, wanted: impl Fn(&[Span]) -> bool) -> Vec<Span> {
        let mut taken = self.spans.clone();
        let waiting = taken.wait_for(|taken| wanted(&spans(taken)));
        let found = timeout(PATIENCE, waiting).await;
        let Ok(Ok(found)) = found else {
            let names: Vec<String> = self.spans().iter().map(|span| span.name.clone()).collect();
            panic!("the spans did not come; there are {names:?}");
        };
        spans(&found)
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        spans(&self.spans.borrow())
    }

    /// Waits until figures have come that are as wanted.
    pub(crate) async fn wait_for_figures(&self, wanted: impl Fn(&[Metric]) -> bool) {
        let mut taken = self.figures.clone();
        let found = timeout(PATIENCE, taken.wait_for(|taken| wanted(taken))).await;
        found.expect("the figures did not come").unwrap();
    }

    /// Waits until logs have come that are as wanted, and returns all there are.
    pub(crate) async fn wait_for_logs(
        &self,
        wanted: impl Fn(&[LogRecord]) -> bool,
    ) -> Vec<LogRecord> {
        let mut taken = self.logs.clone();
        let waiting = taken.wait_for(|taken| wanted(&logs(taken)));
        let Ok(Ok(found)) = timeout(PATIENCE, waiting).await else {
            panic!("the logs did not come; there are {:?}", logs(&self.logs.borrow()));
        };
        logs(&found)
    }

    /// Returns everything that came, as text and as bytes that can be searched like text.
    pub(crate) fn text(&self) -> String {
        let (spans, logs) = (self.spans.borrow(), self.logs.borrow());
        let mut bytes = spans.iter().flat_map(prost::Message::encode_to_vec).collect::<Vec<u8>>();
        bytes.extend(logs.iter().flat_map(prost::Message::encode_to_vec));
        format!("{spans:?}{logs:?}{}", String::from_utf8_lossy(&bytes))
    }
}

fn spans(taken: &[ExportTraceServiceRequest]) -> Vec<Span> {
    let resources = taken.iter().flat_map(|one| &one.resource_spans);
    let scopes = resources.flat_map(|one| &one.scope_spans);
    scopes.flat_map(|one| one.spans.clone()).collect()
}

fn logs(taken: &[ExportLogsServiceRequest]) -> Vec<LogRecord> {
    let resources = taken.iter().flat_map(|one| &one.resource_logs);
    let scopes = resources.flat_map(|one| &one.scope_logs);
    scopes.flat_map(|one| one.log_records.clone()).collect()
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

/// Returns a value as JSON has it.
pub(crate) fn json(value: Option<&AnyValue>) -> Json {
    let Some(value) = value.and_then(|value| value.value.as_ref()) else { return Json::Null };
    match value {
        Value::StringValue(text) => text.as_str().into(),
        Value::BoolValue(yes) => (*yes).into(),
        Value::IntValue(number) => (*number).into(),
        Value::DoubleValue(number) => (*number).into(),
        Value::ArrayValue(list) => list.values.iter().map(|one| json(Some(one))).collect(),
        Value::KvlistValue(all) => members(&all.values),
        other => panic!("{other:?} is not expected"),
    }
}

/// Returns attributes as JSON has them.
pub(crate) fn members(all: &[KeyValue]) -> Json {
    all.iter().map(|one| (one.key.clone(), json(one.value.as_ref()))).collect()
}
