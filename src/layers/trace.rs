//! The outermost layer: a request id, a span, the figures, and an end to panics.

use std::any::Any;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::OnceLock;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use http::{HeaderMap, HeaderValue, Request, Response};
use metrics::{Counter, Histogram};
use tonic::Status;
use tonic::body::Body;
use tonic_types::StatusExt as _;
use tracing::field::Empty;
use tracing::{Instrument as _, Level, Span, enabled};
use uuid::fmt::Hyphenated;

use super::behind::Arrived;
use super::status;
use crate::model::{Clock as _, SpiffeId, Swift, SystemClock, unasked_v7};
use crate::telemetry;

const REQUEST_ID: &str = "x-request-id";
/// The label of all methods that do not exist.
const UNKNOWN: &str = "unknown";
/// The label of what went well.
const OK: &str = "OK";
/// What is the server's failure, and not an answer.
const FAILED: [&str; 4] = ["UNKNOWN", "DEADLINE_EXCEEDED", "INTERNAL", "UNAVAILABLE"];

/// When a request came how far, counted from its beginning: told of slow ones.
#[derive(Debug, Default)]
pub(super) struct Steps {
    read: OnceLock<Instant>,
    let_in: OnceLock<Instant>,
    peer: OnceLock<String>,
    arrived: Arrived,
}

impl Steps {
    /// All of the request has arrived.
    pub(super) fn is_read(&self) {
        let _ = self.read.set(Instant::now());
        self.arrived.tell();
    }

    /// Returns what tells whether all of it has arrived.
    pub(super) fn arrived(&self) -> Arrived {
        self.arrived.clone()
    }

    /// It comes from a workload.
    pub(super) fn comes_from(&self, workload: &SpiffeId) {
        Span::current().record("peer", workload.as_str());
        let _ = self.peer.set(workload.as_str().to_owned());
    }

    /// It is known who calls, and that it may.
    pub(super) fn is_let_in(&self) {
        let _ = self.let_in.set(Instant::now());
    }
}

/// Runs `next` within a span of its own, counts and times it, and puts the request id on its response.
///
/// One that takes as long as `slow` is told with its steps.
pub(super) async fn traced<F, R>(
    mut request: Request<Body>,
    steps: &Steps,
    slow: Option<Duration>,
    next: F,
) -> Response<Body>
where
    F: FnOnce(Request<Body>) -> R,
    R: Future<Output = Response<Body>>,
{
    let began = Instant::now();
    let id = request_id(&request);
    request.headers_mut().insert(REQUEST_ID, id.clone());
    let method = method_label(request.uri().path());
    let above = above(request.headers());
    let naming = || {
        let span = tracing::info_span!(
            "rpc",
            method,
            request_id = id.to_str().unwrap_or_default(),
            trace_id = Empty,
            span_id = Empty,
            // The workload that it comes from, once it is known.
            peer = steps.peer.get().map(String::as_str),
        );
        telemetry::join(&span, &above);
        span
    };
    // A span costs more than a decision. What is answered at once says nothing in the log that it would be needed for.
    let quiet = !telemetry::is_on() && !enabled!(Level::DEBUG) && super::rules::answers(method);
    let mut span = (!quiet).then(naming);
    let mut work = pin!(AssertUnwindSafe(next(request)).catch_unwind());
    let first = poll_fn(|context| {
        let _in = span.as_ref().map(Span::enter);
        match work.as_mut().poll(context) {
            // That a sender is slow is told by its deadline alone.
            Poll::Pending if !steps.arrived.has() => Poll::Pending,
            step => Poll::Ready(step),
        }
    });
    let done = match first.await {
        Poll::Ready(done) => done,
        Poll::Pending => work.instrument(span.get_or_insert_with(naming).clone()).await,
    };
    let mut response =
        done.unwrap_or_else(|panic| span.get_or_insert_with(naming).in_scope(|| panicked(&*panic)));
    let code = code_label(&response);
    let took = began.elapsed();
    counted(method, code, took.as_secs_f64());
    let is_slow = slow.is_some_and(|slow| took >= slow);
    if span.is_some() || is_slow || code != OK {
        let span = span.get_or_insert_with(naming);
        span.in_scope(|| {
            told(code, &response, took);
            if is_slow {
                slowly(code, steps, began, took);
                telemetry::keep(span, "slow");
            } else if FAILED.contains(&code) {
                telemetry::keep(span, "failed");
            }
        });
        noted(span, &response);
    }
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// Keeps what the headers say of the caller's trace: all of them are not copied for a span that is mostly not made.
fn above(headers: &HeaderMap) -> HeaderMap {
    let mut above = HeaderMap::new();
    for name in ["traceparent", "tracestate"] {
        for value in headers.get_all(name) {
            above.append(name, value.clone());
        }
    }
    above
}

/// What is measured of one method's requests, looked up once and not at each.
struct Measured {
    /// Of those that went well.
    fine: Counter,
    /// Of all.
    duration: Histogram,
}

/// Counts and times a request.
fn counted(method: &'static str, code: &'static str, seconds: f64) {
    static METHODS: OnceLock<Swift<&'static str, OnceLock<Measured>>> = OnceLock::new();
    let counter = |code: &'static str| metrics::counter!("chancery_rpc_requests_total", "method" => method, "code" => code);
    let histogram = || metrics::histogram!("chancery_rpc_duration_seconds", "method" => method);
    let methods = METHODS.get_or_init(|| {
        // Before that there is nobody to count for, and it would stay so.
        telemetry::figures();
        super::rules::known_methods().chain([UNKNOWN]).map(|one| (one, OnceLock::new())).collect()
    });
    let Some(kept) = methods.get(method) else { return };
    let measured = kept.get_or_init(|| Measured { fine: counter(OK), duration: histogram() });
    measured.duration.record(seconds);
    if code == OK {
        measured.fine.increment(1);
    } else {
        counter(code).increment(1);
    }
}

/// Writes one line of a slow request: how long it took to arrive, at the door, and behind it.
fn slowly(code: &'static str, steps: &Steps, began: Instant, took: Duration) {
    let until = |step: &OnceLock<Instant>| step.get().map_or(took, |at| *at - began);
    let (read, let_in) = (until(&steps.read), until(&steps.let_in));
    let ms = |from: Duration, to: Duration| to.saturating_sub(from).as_secs_f64() * 1_000.0;
    let (arriving_ms, door_ms) = (ms(Duration::ZERO, read), ms(read, let_in));
    let (service_ms, ms) = (ms(let_in, took), ms(Duration::ZERO, took));
    metrics::counter!("chancery_slow_requests_total").increment(1);
    tracing::warn!(code, ms, arriving_ms, door_ms, service_ms, "slow");
}

/// Says in the trace how the request was answered.
fn noted(span: &Span, response: &Response<Body>) {
    if !telemetry::is_on() {
        return;
    }
    let headers = response.headers();
    let number = |name: &str| headers.get(name)?.to_str().ok()?.parse::<i64>().ok();
    let status = number("grpc-status").unwrap_or_default();
    telemetry::note(span, "rpc.grpc.status_code", status);
    if let Some(revision) = number("chancery-revision") {
        telemetry::note(span, "chancery.revision", revision);
    }
    if status != 0
        && let Some(reason) = reason(response)
    {
        telemetry::note(span, "chancery.reason", reason);
    }
}

/// Returns why a request was refused: a word of our own lists, no id, no name, no caller's text.
fn reason(response: &Response<Body>) -> Option<String> {
    let details = Status::from_header_map(response.headers())?.get_error_details();
    details.error_info().map(|info| info.reason.clone())
}

/// Writes one line of a request, within its span: at `info` what was refused or failed, at `debug` the rest.
fn told(code: &'static str, response: &Response<Body>, took: Duration) {
    let ms = took.as_secs_f64() * 1_000.0;
    if code == OK {
        tracing::debug!(code, ms, "answered");
        return;
    }
    let reason = reason(response).unwrap_or_default();
    tracing::info!(code, reason, ms, "refused");
}

fn panicked(panic: &(dyn Any + Send)) -> Response<Body> {
    let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref().map(String::as_str));
    metrics::counter!("chancery_panics_total").increment(1);
    tracing::error!(panic = text.unwrap_or("no text"), "a request panicked");
    status::internal().into_http()
}

/// Takes the caller's id if it is a short printable word, else makes one.
fn request_id(request: &Request<Body>) -> HeaderValue {
    let sent = request.headers().get(REQUEST_ID).filter(|value| {
        let bytes = value.as_bytes();
        (1..=128).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
    });
    sent.cloned().unwrap_or_else(|| {
        let mut text = [0; Hyphenated::LENGTH];
        let text = unasked_v7(SystemClock.now()).hyphenated().encode_lower(&mut text);
        HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("none"))
    })
}

/// Labels only methods that exist: a stranger's path does not become a label.
fn method_label(path: &str) -> &'static str {
    super::rules::known_method(path).unwrap_or(UNKNOWN)
}

fn code_label(response: &Response<Body>) -> &'static str {
    let sent = response.headers().get("grpc-status").and_then(|code| code.to_str().ok());
    match sent {
        None | Some("0") => OK,
        Some("1") => "CANCELLED",
        Some("2") => "UNKNOWN",
        Some("3") => "INVALID_ARGUMENT",
        Some("4") => "DEADLINE_EXCEEDED",
        Some("5") => "NOT_FOUND",
        Some("6") => "ALREADY_EXISTS",
        Some("7") => "PERMISSION_DENIED",
        Some("8") => "RESOURCE_EXHAUSTED",
        Some("9") => "FAILED_PRECONDITION",
        Some("10") => "ABORTED",
        Some("11") => "OUT_OF_RANGE",
        Some("12") => "UNIMPLEMENTED",
        Some("13") => "INTERNAL",
        Some("14") => "UNAVAILABLE",
        Some("16") => "UNAUTHENTICATED",
        Some(_) => "OTHER",
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing::Level;

    use super::*;

    #[derive(Debug, Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(text);
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn what_was_refused_is_one_line_with_its_request_id_and_a_permit_is_none() {
        let lines = Lines::default();
        let to = lines.clone();
        let log = tracing_subscriber::fmt().with_max_level(Level::INFO).with_ansi(false);
        let log = log.with_writer(move || to.clone()).finish();
        let _held = tracing::subscriber::set_default(log);
        // The second is one of those that have no span from the beginning.
        for path in ["UserService/GetUser", "AuthorizationService/Authorize"] {
            lines.0.lock().unwrap().clear();
            tells(path, &lines).await;
        }
    }

    async fn tells(path: &'static str, lines: &Lines) {
        let sent = |id: &'static str| {
            let uri = format!("/chancery.v1.{path}");
            Request::builder().uri(uri).header(REQUEST_ID, id).body(Body::empty()).unwrap()
        };
        traced(sent("good"), &Steps::default(), None, async |_| Response::new(Body::empty())).await;
        traced(sent("away"), &Steps::default(), None, async |_| status::unavailable().into_http())
            .await;
        traced(sent("none"), &Steps::default(), None, async |_| {
            status::unimplemented().into_http()
        })
        .await;
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let found: Vec<&str> = text.lines().collect();
        assert_eq!(found.len(), 2, "{text}");
        for (line, words) in found.iter().zip([
            ["away", "UNAVAILABLE", "STORE_UNAVAILABLE"],
            ["none", "UNIMPLEMENTED", "UNKNOWN_METHOD"],
        ]) {
            let mut all = words.into_iter().chain([path, "INFO", "ms="]);
            assert!(all.all(|word| line.contains(word)), "{line}");
        }
    }
}
