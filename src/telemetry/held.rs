//! Spans of requests that nobody chose: held back until the request has ended, and then kept or dropped.
//!
//! A trace is chosen at its beginning, when nobody knows that it will be slow. So the spans of the others wait in memory
//! for the end of their request, which says by [`KEPT`] whether they are worth keeping; both bounds below hold whatever
//! comes. What is above a request, its caller's spans, is the caller's: of that nothing is known here.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceId};
use opentelemetry_sdk::trace::SpanData;

/// The attribute by which a request says that its spans are kept, and why.
pub(super) const KEPT: &str = "chancery.kept";

/// So many spans are held back altogether.
const MOST: usize = 8_192;
/// And so many of one trace.
const MOST_OF_ONE: usize = 256;

/// What is held back, by trace.
#[derive(Debug, Default)]
pub(super) struct Held(Mutex<Traces>);

#[derive(Debug, Default)]
struct Traces {
    by_id: HashMap<TraceId, Trace>,
    /// How many spans that are.
    spans: usize,
}

/// One trace, for as long as a request of it goes on.
#[derive(Debug, Default)]
struct Trace {
    /// How many requests of it go on: a caller may send several at once.
    open: usize,
    /// In the order in which they ended: what is below comes before what is above.
    spans: Vec<SpanData>,
    /// What there was no room for.
    lost: u64,
}

impl Held {
    /// Notes that a span has begun, below what `context` says.
    pub(super) fn begun(&self, trace: TraceId, context: &Context) {
        let above = context.span().span_context().clone();
        if !above.is_valid() || above.is_remote() {
            let mut traces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            traces.by_id.entry(trace).or_default().open += 1;
        }
    }

    /// Takes a span that has ended, and returns those that are kept: where it is that of a request, and says so, the request's.
    pub(super) fn ended(&self, span: SpanData) -> Vec<SpanData> {
        let mut traces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let traces = &mut *traces;
        let id = span.span_context.trace_id();
        // What goes on after its request has ended belongs to nothing that could be kept.
        let Some(trace) = traces.by_id.get_mut(&id) else { return Vec::new() };
        if !is_request(&span) {
            if traces.spans < MOST && trace.spans.len() < MOST_OF_ONE {
                traces.spans += 1;
                trace.spans.push(span);
            } else {
                trace.lost += 1;
            }
            return Vec::new();
        }
        let before = trace.spans.len();
        let mut found = trace.below(&span);
        trace.open = trace.open.saturating_sub(1);
        traces.spans -= before - trace.spans.len();
        let lost = trace.lost;
        if trace.open == 0 {
            traces.spans -= trace.spans.len();
            traces.by_id.remove(&id);
        }
        if !span.attributes.iter().any(|one| one.key.as_str() == KEPT) {
            return Vec::new();
        }
        if lost > 0 {
            metrics::counter!("chancery_spans_lost_total", "why" => "held").increment(lost);
        }
        found.push(span);
        found.iter_mut().for_each(choose);
        found
    }
}

impl Trace {
    /// Takes out what is below a span; another request's stays.
    fn below(&mut self, top: &SpanData) -> Vec<SpanData> {
        let mut above = HashSet::from([top.span_context.span_id()]);
        // From the last to the first, so that each is met after what it is below.
        let of_it: Vec<bool> = (self.spans.iter().rev())
            .map(|span| {
                let below = above.contains(&span.parent_span_id);
                if below {
                    above.insert(span.span_context.span_id());
                }
                below
            })
            .collect();
        let mut of_it = of_it.into_iter().rev();
        self.spans.extract_if(.., |_| of_it.next().unwrap_or_default()).collect()
    }
}

/// The span that a request begins with here: above it is nothing, or its caller.
fn is_request(span: &SpanData) -> bool {
    span.parent_span_is_remote || span.parent_span_id == SpanId::INVALID
}

/// Marks a span as one that is kept, for whoever looks at the mark behind us.
fn choose(span: &mut SpanData) {
    let old = &span.span_context;
    let flags = old.trace_flags().with_sampled(true);
    let (trace, id, state) = (old.trace_id(), old.span_id(), old.trace_state().clone());
    span.span_context = SpanContext::new(trace, id, flags, old.is_remote(), state);
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use opentelemetry::trace::{SpanKind, Status, TraceFlags, TraceState};
    use opentelemetry::{InstrumentationScope, KeyValue};
    use opentelemetry_sdk::trace::{SpanEvents, SpanLinks};

    use super::*;

    const TRACE: TraceId = TraceId::from_bytes([7; 16]);

    /// A span of an id, below another; 0 = none, but for its caller's.
    fn span(id: u64, above: u64, kept: bool) -> SpanData {
        let context = SpanContext::new(
            TRACE,
            SpanId::from(id),
            TraceFlags::default(),
            false,
            TraceState::default(),
        );
        SpanData {
            span_context: context,
            parent_span_id: SpanId::from(above),
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: "span".into(),
            start_time: SystemTime::UNIX_EPOCH,
            end_time: SystemTime::UNIX_EPOCH,
            attributes: if kept { vec![KeyValue::new(KEPT, "slow")] } else { Vec::new() },
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::default(),
        }
    }

    fn ids(spans: &[SpanData]) -> Vec<SpanId> {
        spans.iter().map(|span| span.span_context.span_id()).collect()
    }

    fn holds(held: &Held) -> (usize, usize) {
        let traces = held.0.lock().unwrap();
        (traces.by_id.len(), traces.spans)
    }

    #[test]
    fn a_request_takes_what_is_below_it_and_leaves_another_s_alone() {
        let held = Held::default();
        // Two requests of one trace: 1 with 2 and 3 below, 10 with 11.
        held.begun(TRACE, &Context::new());
        held.begun(TRACE, &Context::new());
        for (id, above) in [(3, 2), (11, 10), (2, 1)] {
            assert!(held.ended(span(id, above, false)).is_empty());
        }
        let kept = held.ended(span(1, 0, true));
        assert_eq!(ids(&kept), [3, 2, 1].map(SpanId::from));
        assert!(kept.iter().all(|span| span.span_context.is_sampled()));
        assert_eq!(holds(&held), (1, 1));
        assert!(held.ended(span(10, 0, false)).is_empty());
        assert_eq!(holds(&held), (0, 0));
        // What comes after the end of its request is not held.
        assert!(held.ended(span(12, 10, false)).is_empty());
        assert_eq!(holds(&held), (0, 0));
    }

    #[test]
    fn there_is_an_end_to_what_is_held_and_nothing_of_it_stays() {
        let held = Held::default();
        held.begun(TRACE, &Context::new());
        // Below a span that there was no room for.
        for id in 0..1_000 {
            held.ended(span(id + 2, 5_000, false));
        }
        assert_eq!(holds(&held), (1, MOST_OF_ONE));
        held.ended(span(5_000, 1, false));
        assert_eq!(ids(&held.ended(span(1, 0, true))), [SpanId::from(1)]);
        assert_eq!(holds(&held), (0, 0));
    }
}
