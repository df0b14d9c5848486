//! Events: records of what happened that go out by OTLP, as logs, with the trace that they belong to.
//!
//! There is no queue here: whoever sends waits until the collector has taken them or has not, and so must do that in a thread of
//! its own, with a queue that has an end.

use std::collections::HashMap;
use std::time::SystemTime;

use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _, Severity};
use opentelemetry::{InstrumentationScope, Key, SpanId};
use opentelemetry_otlp::{LogExporter, WithTonicConfig as _};
use opentelemetry_sdk::logs::{
    LogBatch, LogExporter as _, SdkLogRecord, SdkLogger, SdkLoggerProvider,
};
use serde_json::{Map, Value};
use tokio::sync::{mpsc, oneshot};
use tonic::transport::Channel;

use super::traces::{BadEndpoint, Traced, resource};

/// What happened.
#[derive(Debug)]
pub struct Event {
    /// What kind of thing.
    pub name: &'static str,
    /// When.
    pub time: SystemTime,
    /// The request that it belongs to.
    pub traced: Option<Traced>,
    /// By what it is found: words of closed lists.
    pub labels: Vec<(&'static str, &'static str)>,
    /// All of it.
    pub body: Map<String, Value>,
}

/// The collector did not take them.
#[derive(Debug, thiserror::Error)]
#[error("the collector did not take them: {0}")]
pub struct NotTaken(String);

/// What is on its way, and where it is told how that went.
type Sent = (Vec<Event>, oneshot::Sender<Result<(), NotTaken>>);

/// Sends events. Cheap to copy; all copies are one.
#[derive(Debug, Clone)]
pub struct Events(mpsc::Sender<Sent>);

impl Events {
    /// Begins to send. Must be called on a runtime.
    pub(super) fn start(collector: Channel) -> Result<Self, BadEndpoint> {
        let mut exporter = LogExporter::builder()
            .with_tonic()
            .with_channel(collector)
            .build()
            .map_err(|error| BadEndpoint(error.to_string()))?;
        exporter.set_resource(&resource());
        let (to, sent) = mpsc::channel(1);
        tokio::spawn(run(exporter, sent));
        Ok(Self(to))
    }

    /// Sends, and waits for it to be taken. Must not be called on a runtime: it blocks.
    pub fn send(&self, events: Vec<Event>) -> Result<(), NotTaken> {
        let (tell, told) = oneshot::channel();
        let gone = || NotTaken("sending has ended".to_owned());
        self.0.blocking_send((events, tell)).map_err(|_| gone())?;
        told.blocking_recv().unwrap_or_else(|_| Err(gone()))
    }
}

/// Sends what comes in, until nobody is there any more who could send.
async fn run(exporter: LogExporter, mut sent: mpsc::Receiver<Sent>) {
    // Makes records, which this library alone can; it passes them on to nobody.
    let maker = SdkLoggerProvider::builder().build().logger("chancery");
    let scope = InstrumentationScope::builder("chancery").build();
    while let Some((events, tell)) = sent.recv().await {
        let records: Vec<SdkLogRecord> =
            events.into_iter().map(|event| record(&maker, event)).collect();
        let batch: Vec<_> = records.iter().map(|record| (record, &scope)).collect();
        let taken = exporter.export(LogBatch::new(&batch)).await;
        // Whoever sent may be gone.
        let _ = tell.send(taken.map_err(|error| NotTaken(error.to_string())));
    }
}

fn record(maker: &SdkLogger, event: Event) -> SdkLogRecord {
    let mut record = maker.create_log_record();
    record.set_event_name(event.name);
    record.set_timestamp(event.time);
    record.set_observed_timestamp(event.time);
    record.set_severity_number(Severity::Info);
    record.set_severity_text("INFO");
    if let Some(traced) = event.traced {
        let span = traced.span_id().unwrap_or(SpanId::INVALID);
        record.set_trace_context(traced.trace_id(), span, None);
    }
    record.add_attributes(event.labels);
    record.set_body(object(event.body));
    record
}

fn object(from: Map<String, Value>) -> AnyValue {
    let members = from.into_iter().filter_map(|(key, value)| Some((Key::from(key), wire(value)?)));
    AnyValue::Map(Box::new(members.collect::<HashMap<_, _>>()))
}

/// Returns a value as OTLP has it; nothing is not there.
fn wire(value: Value) -> Option<AnyValue> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(yes) => yes.into(),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => whole.into(),
            None => number.as_f64()?.into(),
        },
        Value::String(text) => text.into(),
        Value::Array(list) => {
            AnyValue::ListAny(Box::new(list.into_iter().filter_map(wire).collect()))
        }
        Value::Object(members) => object(members),
    })
}
