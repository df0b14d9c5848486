//! What becomes of a span that has ended: it is shaped, waits in a queue that has an end, and is sent with others. What is
//! lost on the way is counted.

use std::time::Duration;

use opentelemetry::trace::{Span as _, SpanKind, Status};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    Span, SpanData, SpanEvents, SpanExporter as _, SpanLinks, SpanProcessor,
};
use tokio::sync::{mpsc, oneshot};

use super::held::{Held, KEPT};
use super::traces::REQUEST;

/// So many spans wait to be sent.
pub(super) const QUEUE: usize = 8_192;
/// So many are sent at once.
const BATCH: usize = 512;
/// And so long is waited for others to go with them.
const GATHER: Duration = Duration::from_millis(500);

/// All that a span may say. What is not here does not go out.
const KEYS: [&str; 16] = [
    "chancery.decision",
    KEPT,
    "chancery.missing",
    "chancery.reason",
    "chancery.revision",
    "chancery.permission",
    "chancery.repeat",
    "db.operation",
    "db.statement",
    "db.system",
    "http.response.status_code",
    "rpc.grpc.status_code",
    "rpc.method",
    "rpc.service",
    "rpc.system",
    "server.address",
];

/// Puts spans that have ended into the queue; those of requests that nobody chose once it is known that they are kept.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) to: mpsc::Sender<SpanData>,
    pub(super) held: Held,
}

impl Queue {
    fn put(&self, mut span: SpanData) {
        shape(&mut span);
        if self.to.try_send(span).is_err() {
            metrics::counter!("chancery_spans_lost_total", "why" => "queue").increment(1);
        }
    }
}

impl SpanProcessor for Queue {
    fn on_start(&self, span: &mut Span, context: &Context) {
        if !span.span_context().is_sampled() {
            self.held.begun(span.span_context().trace_id(), context);
        }
    }

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() {
            self.put(span);
            return;
        }
        for span in self.held.ended(span) {
            self.put(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _within: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Gives a span its name and kind, and takes from it what is not to go out.
fn shape(span: &mut SpanData) {
    let text = |span: &SpanData, key: &str| {
        let found = span.attributes.iter().find(|one| one.key.as_str() == key);
        found.map(|one| one.value.as_str().into_owned())
    };
    if span.name == REQUEST {
        let method = text(span, "method").unwrap_or_default();
        let method = method.trim_start_matches('/');
        let (service, name) = method.split_once('/').unwrap_or((method, ""));
        let said = [("rpc.system", "grpc"), ("rpc.service", service), ("rpc.method", name)];
        span.attributes.extend(said.map(|(key, value)| KeyValue::new(key, value.to_owned())));
        span.name = method.to_owned().into();
        span.span_kind = SpanKind::Server;
    } else if let Some(step) = span.name.strip_prefix("sea_orm.") {
        // A word of a short list: `SELECT`, or where the statement is none of the usual, the step itself.
        let operation = text(span, "db.operation").filter(|word| word != "EXECUTE");
        span.name = format!("store {}", operation.as_deref().unwrap_or(step)).into();
    }
    span.attributes.retain(|one| KEYS.contains(&one.key.as_str()));
    span.attributes.retain(|one| one.value != Value::from(""));
    span.events = SpanEvents::default();
    span.links = SpanLinks::default();
    if let Status::Error { description } = &mut span.status {
        // The words of an error may hold a value.
        *description = "".into();
    }
}

/// Sends what comes in, until `stop`, and then what is left.
pub(super) async fn run(
    mut spans: mpsc::Receiver<SpanData>,
    exporter: SpanExporter,
    mut stop: oneshot::Receiver<()>,
) {
    let (mut ending, mut failing) = (false, false);
    loop {
        let mut batch = Vec::with_capacity(BATCH);
        if ending {
            spans.close();
            if spans.recv_many(&mut batch, BATCH).await == 0 {
                return;
            }
        } else {
            tokio::select! {
                () = gather(&mut spans, &mut batch) => {}
                // Sent or dropped: both mean stop. What was gathered stays in the batch.
                _ = &mut stop => ending = true,
            }
        }
        if !batch.is_empty() {
            failing = !send(&exporter, batch, failing).await;
        }
    }
}

/// Waits for the first span, and a while for others.
async fn gather(spans: &mut mpsc::Receiver<SpanData>, batch: &mut Vec<SpanData>) {
    if spans.recv_many(batch, BATCH).await == 0 {
        // Whoever makes spans is gone for good; that it ends, this is told by another way.
        return std::future::pending().await;
    }
    let until = tokio::time::Instant::now() + GATHER;
    while batch.len() < BATCH {
        let left = BATCH - batch.len();
        match tokio::time::timeout_at(until, spans.recv_many(batch, left)).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

/// Sends a batch; returns whether it was taken.
async fn send(exporter: &SpanExporter, batch: Vec<SpanData>, failing: bool) -> bool {
    let count = u64::try_from(batch.len()).unwrap_or_default();
    match exporter.export(batch).await {
        Ok(()) => {
            metrics::counter!("chancery_spans_sent_total").increment(count);
            true
        }
        Err(error) => {
            metrics::counter!("chancery_spans_lost_total", "why" => "export").increment(count);
            // Once, not at each batch.
            if !failing {
                tracing::warn!(%error, "spans cannot be sent: they are lost");
            }
            false
        }
    }
}
