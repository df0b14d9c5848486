//! The thread that writes.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;

use serde_json::Value;

use super::file::Rotating;
use super::lost;
use super::record::Record;
use crate::telemetry::{Event, Events, NotTaken};

/// So many records are written at once,
const TOGETHER: usize = 256;
/// or fewer, where they take so many bytes: less than a collector takes at once.
const BYTES: usize = 1 << 20;

/// What goes to the thread.
#[derive(Debug)]
pub(super) enum Line {
    Record(Arc<Record>),
    /// There will be no more.
    End,
}

/// Where it writes to.
#[derive(Debug)]
pub(super) enum Sink {
    Stdout,
    File(Rotating),
    Otlp(Events),
}

/// Why records were not written.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Write(#[from] io::Error),
    #[error(transparent)]
    Send(#[from] NotTaken),
    #[error(transparent)]
    Form(#[from] serde_json::Error),
}

impl Sink {
    /// Makes sure that it can be written to, where that can be told.
    fn open(&mut self) -> Result<(), Failed> {
        match self {
            Self::Stdout | Self::Otlp(_) => {}
            Self::File(file) => file.open().map(|_| ())?,
        }
        Ok(())
    }

    fn write(&mut self, records: &[Arc<Record>]) -> Result<(), Failed> {
        match self {
            Self::Stdout => {
                let lines = lines(records)?;
                let mut out = io::stdout().lock();
                out.write_all(&lines)?;
                out.flush()?;
            }
            Self::File(file) => file.write(&lines(records)?)?,
            Self::Otlp(events) => {
                let all = records.iter().map(|record| event(record));
                events.send(all.collect::<Result<_, _>>()?)?;
            }
        }
        Ok(())
    }
}

/// Writes what comes, until the end of it.
pub(super) fn run(lines: &Receiver<Line>, waiting: &AtomicUsize, mut sink: Sink) {
    // Told at the start, and not with the first decision.
    let mut failing = failed(&sink.open());
    loop {
        // All who could send may be gone without a word.
        let Ok(mut next) = lines.recv() else { return };
        let (mut records, mut bytes) = (Vec::new(), 0);
        let ended = loop {
            match next {
                Line::End => break true,
                Line::Record(record) => {
                    waiting.fetch_sub(record.bytes, Ordering::Relaxed);
                    bytes += record.bytes;
                    records.push(record);
                }
            }
            if records.len() >= TOGETHER || bytes >= BYTES {
                break false;
            }
            match lines.try_recv() {
                Ok(line) => next = line,
                Err(_) => break false,
            }
        };
        let count = u64::try_from(records.len()).unwrap_or_default();
        let written = if records.is_empty() { Ok(()) } else { sink.write(&records) };
        match &written {
            Ok(()) => metrics::counter!("chancery_decision_log_records_total").increment(count),
            Err(_) => lost("write", count),
        }
        // Once, not at each record.
        failing = if failing { written.is_err() } else { failed(&written) };
        if ended {
            return;
        }
    }
}

/// Tells of what could not be opened or written; returns whether it could not.
fn failed(done: &Result<(), Failed>) -> bool {
    if let Err(error) = done {
        tracing::error!(%error, "the decision log cannot be written: records are lost");
    }
    done.is_err()
}

/// Writes each record as a line.
fn lines(records: &[Arc<Record>]) -> Result<Vec<u8>, serde_json::Error> {
    let mut text = Vec::new();
    for record in records {
        serde_json::to_writer(&mut text, record)?;
        text.push(b'\n');
    }
    Ok(text)
}

/// Writes a record as what a collector takes: by words it is found, and all of it is its body.
fn event(record: &Record) -> Result<Event, serde_json::Error> {
    let body = match serde_json::to_value(record)? {
        Value::Object(body) => body,
        other => [("record".to_owned(), other)].into_iter().collect(),
    };
    let mut labels = vec![
        ("chancery.decision", if record.decision { "permit" } else { "deny" }),
        ("chancery.door", record.door),
    ];
    labels.extend(record.reason.map(|reason| ("chancery.reason", reason)));
    let (time, traced) = (record.time.into(), record.traced);
    Ok(Event { name: "chancery.decision", time, traced, labels, body })
}
