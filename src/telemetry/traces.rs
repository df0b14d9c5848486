//! Traces: spans that go out by OTLP, and the ids that tie calls of several programs together (W3C Trace Context).
//!
//! Nothing is made of it unless an endpoint is configured: a span that nobody wants costs one look at a flag. What goes out is
//! shaped by `export`: of the attributes only those of a closed list, and no event, so that no id of a person, no name
//! and no secret is in it whatever a span was given.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::HeaderMap;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator as _};
use opentelemetry::trace::{
    Link, SpanContext, SpanKind, TraceContextExt as _, TraceId, TraceState, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_otlp::WithTonicConfig as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{
    Sampler, SamplingDecision, SamplingResult, SdkTracer, SdkTracerProvider, ShouldSample,
    SpanExporter as _,
};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tonic::transport::Channel;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::export::{self, QUEUE, Queue};

/// The target of spans that are made for traces alone: the log never shows them.
pub const SPANS: &str = "chancery_span";
/// The spans that a trace may begin with: what is done by itself, such as the poll, begins none.
const ROOTS: [&str; 2] = ["rpc", "post"];

/// Whether spans go out: set once, before anything is served.
static ON: AtomicBool = AtomicBool::new(false);

/// Traces, and what is told of slow requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TracesConfig {
    /// Where spans are sent, by OTLP over gRPC: `http://127.0.0.1:4317`, or `https://…`. Absent: none are made.
    pub otlp_endpoint: Option<String>,
    /// The share of traces begun here that is kept, from 0 to 1. For one that a caller began, the caller has decided.
    pub sample: f64,
    /// A request that takes so long is told in the log, with where its time went, in milliseconds; 0 = none is.
    pub slow_ms: u64,
}

impl Default for TracesConfig {
    fn default() -> Self {
        Self { otlp_endpoint: None, sample: 1.0, slow_ms: 1_000 }
    }
}

/// Spans cannot be sent there.
#[derive(Debug, thiserror::Error)]
#[error("telemetry.otlp_endpoint: {0}")]
pub struct BadEndpoint(String);

/// Sends spans, until it is told to end.
#[derive(Debug)]
pub(super) struct Sending {
    provider: SdkTracerProvider,
    stop: oneshot::Sender<()>,
    done: JoinHandle<()>,
}

impl Sending {
    /// Begins to send. Must be called on a runtime.
    pub(super) fn start(collector: Channel, sample: f64) -> Result<Self, BadEndpoint> {
        let resource = Resource::builder_empty()
            .with_attributes([
                KeyValue::new("service.name", "chancery"),
                KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            ])
            .build();
        let mut exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_tonic()
            // Made by us: with the exporter's own TLS, no other channel of this program could have ours.
            .with_channel(collector)
            .build()
            .map_err(|error| BadEndpoint(error.to_string()))?;
        exporter.set_resource(&resource);
        let (to, spans) = mpsc::channel(QUEUE);
        let provider = SdkTracerProvider::builder()
            .with_sampler(Begun(Sampler::TraceIdRatioBased(sample)))
            .with_resource(resource)
            .with_span_processor(Queue(to))
            .build();
        let (stop, stopped) = oneshot::channel();
        let done = tokio::spawn(export::run(spans, exporter, stopped));
        Ok(Self { provider, stop, done })
    }

    pub(super) fn tracer(&self) -> SdkTracer {
        self.provider.tracer("chancery")
    }

    /// Sends what is left, and waits for it no longer than `within`.
    pub(super) async fn end(self, within: Duration) {
        ON.store(false, Ordering::Relaxed);
        // Nobody there any more to be told has ended by itself.
        let _ = self.stop.send(());
        let abort = self.done.abort_handle();
        if tokio::time::timeout(within, self.done).await.is_err() {
            tracing::warn!("the last spans could not be sent in time");
            abort.abort();
        }
    }
}

/// Says that spans go out from now on.
pub(super) fn turn_on() {
    ON.store(true, Ordering::Relaxed);
}

/// Tells whether spans go out.
pub fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// Keeps what the caller wants kept, and of what begins here a share.
#[derive(Debug, Clone)]
struct Begun(Sampler);

impl ShouldSample for Begun {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let parent = parent.filter(|parent| parent.has_active_span());
        let above = parent.map(|parent| parent.span().span_context().clone());
        let drop = |trace_state: TraceState| SamplingResult {
            decision: SamplingDecision::Drop,
            attributes: Vec::new(),
            trace_state,
        };
        match above {
            Some(above) if above.is_sampled() => SamplingResult {
                decision: SamplingDecision::RecordAndSample,
                attributes: Vec::new(),
                trace_state: above.trace_state().clone(),
            },
            Some(above) => drop(above.trace_state().clone()),
            None if ROOTS.contains(&name) => {
                self.0.should_sample(None, trace_id, name, kind, attributes, links)
            }
            None => drop(TraceState::default()),
        }
    }
}

/// Puts the span of a request into the trace that its headers name, and its ids into the log's lines.
///
/// Where no spans go out, the caller's trace is still named in the log.
pub fn join(span: &Span, headers: &HeaderMap) {
    let on = is_on();
    if !on && !headers.contains_key("traceparent") {
        return;
    }
    let caller =
        TraceContextPropagator::new().extract_with_context(&Context::new(), &Named(headers));
    if !on {
        let above = caller.span().span_context().clone();
        if above.is_valid() {
            span.record("trace_id", tracing::field::display(above.trace_id()));
        }
        return;
    }
    // Fails only where the log's filter lets nothing through: then there is no span.
    let _ = span.set_parent(caller);
    let own = span.context().span().span_context().clone();
    if own.is_valid() {
        span.record("trace_id", tracing::field::display(own.trace_id()));
        span.record("span_id", tracing::field::display(own.span_id()));
    }
}

/// Adds an attribute to a span that goes out; the log does not show it.
pub fn note(span: &Span, key: &'static str, value: impl Into<Value>) {
    if is_on() {
        span.set_attribute(key, value);
    }
}

/// Names the trace that is going on, for whoever is asked next.
pub fn pass_on(headers: &mut HeaderMap) {
    if is_on() {
        let context = Span::current().context();
        TraceContextPropagator::new().inject_context(&context, &mut Written(headers));
    }
}

/// Returns the id of the trace that a request belongs to: where spans go out that of its span, else the one that its caller
/// named, if it did.
pub fn trace_id(span: &Span, headers: &HeaderMap) -> Option<String> {
    let context = if is_on() {
        span.context()
    } else {
        headers.get("traceparent")?;
        TraceContextPropagator::new().extract_with_context(&Context::new(), &Named(headers))
    };
    let found: SpanContext = context.span().span_context().clone();
    found.is_valid().then(|| found.trace_id().to_string())
}

struct Named<'a>(&'a HeaderMap);

impl Extractor for Named<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

struct Written<'a>(&'a mut HeaderMap);

impl Injector for Written<'_> {
    fn set(&mut self, key: &str, value: String) {
        let name = http::HeaderName::try_from(key);
        if let (Ok(name), Ok(value)) = (name, value.parse()) {
            self.0.insert(name, value);
        }
    }
}
