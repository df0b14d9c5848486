//! Where decisions are recorded.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Problem, check::problem};
use crate::decision_log as log;
use crate::telemetry::TracesConfig;

/// So many records wait to be written.
const QUEUE: usize = 8_192;

/// Where decisions are recorded, and how many of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DecisionLog {
    /// To what; `off`: to nothing.
    pub sink: DecisionSink,
    /// The file, for the sink `file`.
    pub file: Option<PathBuf>,
    /// How large it may be before another is begun, in bytes.
    pub file_bytes: u64,
    /// How many full ones are kept beside it: `<file>.1` is the newest.
    pub file_keep: u32,
    /// The share of permits that is recorded, from 0 to 1. Denials all are.
    pub permits: f64,
    /// Whether the values that askers send for conditions are written, which may be personal; else their keys are.
    pub values: bool,
    /// How many recorded decisions are remembered, so that `ExplainAuthorization` finds them by their id.
    pub remember: usize,
}

/// To what decisions are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DecisionSink {
    /// To nothing.
    Off,
    /// To the memory alone.
    Memory,
    /// To standard output.
    Stdout,
    /// To the collector that spans are sent to, by OTLP.
    Otlp,
    /// To a file.
    File,
}

impl Default for DecisionLog {
    fn default() -> Self {
        Self {
            sink: DecisionSink::Off,
            file: None,
            file_bytes: 100 << 20,
            file_keep: 5,
            permits: 1.0,
            values: false,
            remember: 10_000,
        }
    }
}

impl DecisionLog {
    /// Returns the log's own settings, if there is to be one, or what is missing.
    pub(super) fn config(&self, telemetry: &TracesConfig) -> Result<Option<log::Config>, Problem> {
        let place = match (self.sink, &self.file) {
            (DecisionSink::Off, _) => return Ok(None),
            (DecisionSink::Memory, _) => log::Place::Memory,
            (DecisionSink::Stdout, _) => log::Place::Stdout,
            (DecisionSink::Otlp, _) if telemetry.otlp_endpoint.is_none() => {
                let why = "is needed where decision_log.sink is `otlp`".to_owned();
                return Err(problem("telemetry.otlp_endpoint", why));
            }
            (DecisionSink::Otlp, _) => log::Place::Otlp,
            (DecisionSink::File, Some(path)) => {
                log::Place::File { path: path.clone(), most: self.file_bytes, keep: self.file_keep }
            }
            (DecisionSink::File, None) => {
                let why = "is needed where decision_log.sink is `file`".to_owned();
                return Err(problem("decision_log.file", why));
            }
        };
        let Self { permits, values, .. } = *self;
        Ok(Some(log::Config { place, permits, values, queue: QUEUE }))
    }
}
