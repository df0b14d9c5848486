//! DECISION LOG: what was decided, about whom and why, a JSON object each; off unless a place for it is configured.
//!
//! A decision never waits for its record: it goes into a queue that has an end, from which a thread of its own writes.
//! Where that is full, or writing fails, the record is lost, and counted. No record holds a credential.

mod file;
mod record;
mod writing;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use futures::channel::oneshot;

use crate::telemetry::Events;

/// What waits to be written may take so many bytes.
const MOST: usize = 32 << 20;

pub use record::{CallerOf, Fault, GrantKind, GrantOf, Keys, Record, SubjectOf, VERSION};
use writing::{Line, Sink};

/// Where records go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// To those alone who ask for one that is remembered.
    Memory,
    /// To standard output.
    Stdout,
    /// To a collector, by OTLP.
    Otlp,
    /// Into a file, which is put aside when it is full.
    File {
        /// Which.
        path: PathBuf,
        /// How large it may be, in bytes.
        most: u64,
        /// How many full ones are kept beside it.
        keep: u32,
    },
}

/// How decisions are recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where to.
    pub place: Place,
    /// The share of permits that is recorded, from 0 to 1; denials all are.
    pub permits: f64,
    /// Whether what askers send for conditions is written with its values; else its keys are.
    pub values: bool,
    /// How many records wait to be written.
    pub queue: usize,
}

/// The log cannot be begun.
#[derive(Debug, thiserror::Error)]
pub enum NotWritten {
    /// There is no thread for it.
    #[error("the decision log cannot be written: {0}")]
    Thread(#[from] std::io::Error),
    /// There is nobody to send it to.
    #[error("the decision log cannot be sent: there is no collector")]
    NoCollector,
}

/// Takes records. Cheap to copy; all copies are one.
#[derive(Debug, Clone)]
pub struct DecisionLog(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    to: Option<SyncSender<Line>>,
    /// How many bytes wait.
    waiting: Arc<AtomicUsize>,
    ended: Mutex<Option<oneshot::Receiver<()>>>,
    permits: f64,
    values: bool,
    /// How many permits there were: tells which of them are recorded.
    seen: AtomicU64,
}

impl DecisionLog {
    /// Begins to write; `events` reach the collector, if there is one. Where a file cannot be opened, or nobody takes what is sent,
    /// records are lost, and the log says so.
    pub fn start(config: &Config, events: Option<Events>) -> Result<Self, NotWritten> {
        let sink = match &config.place {
            Place::Memory => None,
            Place::Stdout => Some(Sink::Stdout),
            Place::Otlp => Some(Sink::Otlp(events.ok_or(NotWritten::NoCollector)?)),
            Place::File { path, most, keep } => {
                Some(Sink::File(file::Rotating::new(path.clone(), *most, *keep)))
            }
        };
        let (mut to, mut ended) = (None, None);
        let waiting = Arc::<AtomicUsize>::default();
        if let Some(sink) = sink {
            let (sender, lines) = sync_channel(config.queue);
            let (done, end) = oneshot::channel();
            let waiting = Arc::clone(&waiting);
            let write = move || {
                writing::run(&lines, &waiting, sink);
                // Whoever waited may be gone.
                let _ = done.send(());
            };
            std::thread::Builder::new().name("decision-log".to_owned()).spawn(write)?;
            (to, ended) = (Some(sender), Some(end));
        }
        let Config { permits, values, .. } = *config;
        let (ended, seen) = (Mutex::new(ended), AtomicU64::new(0));
        Ok(Self(Arc::new(Inner { to, waiting, ended, permits, values, seen })))
    }

    /// Returns whether a decision is to be recorded: every denial, and of permits a share, evenly spread.
    pub fn wants(&self, permit: bool) -> bool {
        let share = self.0.permits;
        if !permit || share >= 1.0 {
            return true;
        }
        let seen = self.0.seen.fetch_add(1, Ordering::Relaxed);
        // Steps round a circle by the golden ratio: of any few in a row about that share falls below the mark.
        let place = seen.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        u32::try_from(place).is_ok_and(|place| f64::from(place) / f64::from(u32::MAX) < share)
    }

    /// Returns whether values of what askers send are written.
    pub fn with_values(&self) -> bool {
        self.0.values
    }

    /// Hands a record over; one that there is no room for is lost, and counted.
    pub fn put(&self, record: Arc<Record>) {
        let Some(to) = &self.0.to else { return };
        let (bytes, waiting) = (record.bytes, &self.0.waiting);
        let fits = waiting.fetch_add(bytes, Ordering::Relaxed) + bytes <= MOST;
        if !fits || to.try_send(Line::Record(record)).is_err() {
            waiting.fetch_sub(bytes, Ordering::Relaxed);
            lost("queue", 1);
        }
    }

    /// Lets what is waiting be written, and takes nothing more. Whoever waits for it sets the time.
    pub async fn end(&self) {
        let ended = self.0.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (Some(to), Some(ended)) = (self.0.to.clone(), ended) else { return };
        // In a thread, since it waits for room in the queue. Where the writer stands still both are left behind.
        let end = std::thread::Builder::new().spawn(move || to.send(Line::End));
        if end.is_ok() {
            // Gone without a word is ended as well.
            let _ = ended.await;
        }
    }
}

fn lost(why: &'static str, count: u64) {
    metrics::counter!("chancery_decision_log_lost_total", "why" => why).increment(count);
}
