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
    Link, SpanContext, SpanId, SpanKind, TraceContextExt as _, TraceId, TraceState,
    TracerProvider as _,
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
use super::held::{Held, KEPT};

/// The target of spans that are made for traces alone: the log never shows them.
pub const SPANS: &str = "chancery_span";
/// The spans that a trace may begin with: what is done by itself, such as the poll, begins none.
const ROOTS: [&str; 2] = [REQUEST, "post"];
/// The span of a request.
pub(super) const REQUEST: &str = "rpc";

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
    /// A request that takes so long is told in the log, with where its time went, in milliseconds, and its spans are kept whoever
    /// decided otherwise; so are those of one that the server failed. 0 = none is.
    pub slow_ms: u64,
    /// How often the figures are sent there as well, in seconds. 0 = never: they are on the page for Prometheus.
    pub otlp_figures_seconds: u64,
}

impl Default for TracesConfig {
    fn default() -> Self {
        Self { otlp_endpoint: None, sample: 1.0, slow_ms: 1_000, otlp_figures_seconds: 0 }
    }
}

/// Spans cannot be sent there.
#[derive(Debug, thiserror::Error)]
#[error("telemetry.otlp_endpoint: {0}")]
pub struct BadEndpoint(pub(super) String);

/// Sends spans, until it is told to end.
#[derive(Debug)]
pub(super) struct Sending {
    provider: SdkTracerProvider,
    stop: oneshot::Sender<()>,
    done: JoinHandle<()>,
}

impl Sending {
    /// Begins to send. Must be called on a runtime.
    pub(super) fn start(collector: Channel, traces: &TracesConfig) -> Result<Self, BadEndpoint> {
        let resource = resource();
        let mut exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_tonic()
            // Made by us: with the exporter's own TLS, no other channel of this program could have ours.
            .with_channel(collector)
            .build()
            .map_err(|error| BadEndpoint(error.to_string()))?;
        exporter.set_resource(&resource);
        let (to, spans) = mpsc::channel(QUEUE);
        let late = traces.slow_ms > 0;
        let provider = SdkTracerProvider::builder()
            .with_sampler(Begun { ratio: Sampler::TraceIdRatioBased(traces.sample), late })
            .with_resource(resource)
            .with_span_processor(Queue { to, held: Held::default() })
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

/// Who speaks, of all that goes out.
pub(super) const SPEAKER: [(&str, &str); 2] =
    [("service.name", "chancery"), ("service.version", env!("CARGO_PKG_VERSION"))];

/// Returns who speaks.
pub(super) fn resource() -> Resource {
    let attributes = SPEAKER.map(|(key, value)| KeyValue::new(key, value));
    Resource::builder_empty().with_attributes(attributes).build()
}

/// Keeps what the caller wants kept, and of what begins here a share.
#[derive(Debug, Clone)]
struct Begun {
    ratio: Sampler,
    /// Whether the rest of the requests is held back until it is known how they end.
    late: bool,
}

impl Begun {
    /// Returns what becomes of a request that nobody has chosen.
    const fn unchosen(&self) -> SamplingDecision {
        if self.late { SamplingDecision::RecordOnly } else { SamplingDecision::Drop }
    }
}

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
        let Some(parent) = parent else {
            let chosen = if ROOTS.contains(&name) {
                self.ratio.should_sample(None, trace_id, name, kind, attributes, links).decision
            } else {
                return sampled(SamplingDecision::Drop, TraceState::default());
            };
            let chosen = match chosen {
                SamplingDecision::Drop if name == REQUEST => self.unchosen(),
                chosen => chosen,
            };
            return sampled(chosen, TraceState::default());
        };
        let above = parent.span();
        let state = above.span_context().trace_state().clone();
        let chosen = match above.span_context() {
            context if context.is_sampled() => SamplingDecision::RecordAndSample,
            context if context.is_remote() => self.unchosen(),
            // Held back with what is above it, or dropped with it.
            _ if above.is_recording() => SamplingDecision::RecordOnly,
            _ => SamplingDecision::Drop,
        };
        sampled(chosen, state)
    }
}

const fn sampled(decision: SamplingDecision, trace_state: TraceState) -> SamplingResult {
    SamplingResult { decision, attributes: Vec::new(), trace_state }
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

/// Has the spans of a request kept, and says why: whether they would be was decided at its beginning, without knowing its end.
pub fn keep(span: &Span, why: &'static str) {
    note(span, KEPT, why);
}

/// Where in which trace a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traced {
    trace: TraceId,
    span: Option<SpanId>,
}

impl Traced {
    /// Returns the place of a request: where spans go out that of its span, else the trace that its caller named, if it did.
    pub fn of(span: &Span, headers: &HeaderMap) -> Option<Self> {
        let own = is_on();
        let context = if own {
            span.context()
        } else {
            headers.get("traceparent")?;
            TraceContextPropagator::new().extract_with_context(&Context::new(), &Named(headers))
        };
        let found: SpanContext = context.span().span_context().clone();
        found
            .is_valid()
            .then(|| Self { trace: found.trace_id(), span: own.then(|| found.span_id()) })
    }

    /// Returns the trace.
    pub const fn trace_id(self) -> TraceId {
        self.trace
    }

    /// Returns the span; `None` = none is made here.
    pub const fn span_id(self) -> Option<SpanId> {
        self.span
    }
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
