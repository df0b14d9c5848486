//! The thread that writes.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;

use super::file::Rotating;
use super::lost;
use super::record::Record;

/// So many bytes are written at once.
const TOGETHER: usize = 64 << 10;

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
}

impl Sink {
    /// Makes sure that it can be written to.
    fn open(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout => Ok(()),
            Self::File(file) => file.open().map(|_| ()),
        }
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(lines)?;
                out.flush()
            }
            Self::File(file) => file.write(lines),
        }
    }
}

/// Writes what comes, until the end of it.
pub(super) fn run(lines: &Receiver<Line>, waiting: &AtomicUsize, mut sink: Sink) {
    // Told at the start, and not with the first decision.
    let mut failing = failed(&sink.open());
    loop {
        // All who could send may be gone without a word.
        let Ok(mut next) = lines.recv() else { return };
        let (mut text, mut count) = (Vec::new(), 0);
        let ended = loop {
            match next {
                Line::End => break true,
                Line::Record(record) => {
                    waiting.fetch_sub(record.bytes, Ordering::Relaxed);
                    count += add(&mut text, &record);
                }
            }
            if text.len() >= TOGETHER {
                break false;
            }
            match lines.try_recv() {
                Ok(line) => next = line,
                Err(_) => break false,
            }
        };
        let written = sink.write(&text);
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
fn failed(done: &io::Result<()>) -> bool {
    if let Err(error) = done {
        tracing::error!(%error, "the decision log cannot be written: records are lost");
    }
    done.is_err()
}

/// Adds a record as a line; returns how many were added.
fn add(text: &mut Vec<u8>, record: &Record) -> u64 {
    let before = text.len();
    match serde_json::to_writer(&mut *text, record) {
        Ok(()) => {
            text.push(b'\n');
            1
        }
        Err(error) => {
            tracing::error!(%error, "a decision could not be written down");
            text.truncate(before);
            lost("write", 1);
            0
        }
    }
}
