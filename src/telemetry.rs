//! What the process says of itself: the log on standard error, figures for Prometheus, and traces.
//!
//! No figure has a label that an id, a name or a caller's text could get into: labels are methods, codes and words of
//! closed lists.

mod events;
mod export;
mod figures;
mod held;
mod traces;

use std::io::IsTerminal as _;
use std::sync::OnceLock;
use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use serde::{Deserialize, Serialize};
use tonic::transport::Channel;
use tracing_subscriber::filter::{FilterFn, ParseError};
use tracing_subscriber::fmt::Layer as Lines;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry};

pub use events::{Event, Events, NotTaken};
use figures::SendingFigures;
use traces::Sending;
pub use traces::{BadEndpoint, SPANS, Traced, TracesConfig, is_on, join, keep, note, pass_on};

/// How the log is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// For machines or for people.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug`, `trace`, or directives such as `info,chancery::feed=debug`.
    pub level: String,
}

/// Whom the log is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// One line a line.
    Pretty,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Pretty, level: "info".to_owned() }
    }
}

/// What `level` says is no level.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{level}` is no level: say error, warn, info, debug or trace, or directives such as `info,chancery=debug`"
)]
pub struct BadLevel {
    level: String,
    #[source]
    source: ParseError,
}

impl LogConfig {
    /// Tells whether `level` can be read.
    pub fn check(&self) -> Result<(), BadLevel> {
        self.filter().map(drop)
    }

    fn filter(&self) -> Result<EnvFilter, BadLevel> {
        let bad = |source| BadLevel { level: self.level.clone(), source };
        // A word alone is a level; left to itself, a slip of the pen would name a target and turn the log off.
        if !self.level.contains(['=', ',', '[']) {
            EnvFilter::builder().parse(format!("chancery={}", self.level)).map_err(bad)?;
        }
        let mut level = self.level.clone();
        // The database's libraries tell each step of a migration; whoever wants that says so by directives.
        if ["info", "debug", "trace"].contains(&level.to_ascii_lowercase().as_str()) {
            level.push_str(",sqlx=warn,sea_orm=warn");
        }
        // What is made for traces alone is no part of a line.
        level.push_str(",chancery_span=off");
        EnvFilter::builder().parse(level).map_err(bad)
    }
}

/// What speaks for the process cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum Silent {
    /// The log.
    #[error(transparent)]
    Level(#[from] BadLevel),
    /// Traces.
    #[error(transparent)]
    Endpoint(#[from] BadEndpoint),
}

/// What goes on speaking until it is ended.
#[derive(Debug, Default)]
#[must_use = "the last spans are sent when it is ended"]
pub struct Telemetry(Option<(Sending, Events, Option<SendingFigures>)>);

impl Telemetry {
    /// Returns what sends events; `None` = there is no collector.
    pub fn events(&self) -> Option<Events> {
        self.0.as_ref().map(|(_, events, _)| events.clone())
    }

    /// Sends the last spans, and waits for that no longer than `within`.
    pub async fn end(self, within: Duration) {
        let Some((sending, _, figures)) = self.0 else { return };
        let figures = async {
            if let Some(figures) = figures {
                figures.end(within).await;
            }
        };
        futures::future::join(sending.end(within), figures).await;
    }
}

/// Turns the log on. A process that has one already keeps it.
pub fn init(log: &LogConfig) -> Result<(), BadLevel> {
    // Fails only where somebody was first: an earlier call, or a test with a log of its own.
    drop(Registry::default().with(log.filter()?).with(lines(log)).try_init());
    Ok(())
}

/// Turns the log on, and traces where there is a collector. Must be called on a runtime.
pub fn start(
    log: &LogConfig,
    collector: Option<Channel>,
    traces: &TracesConfig,
) -> Result<Telemetry, Silent> {
    let Some(collector) = collector else {
        init(log)?;
        return Ok(Telemetry::default());
    };
    let events = Events::start(collector.clone())?;
    let every = Duration::from_secs(traces.otlp_figures_seconds);
    let figures = (!every.is_zero()).then(|| SendingFigures::start(collector.clone(), every));
    let sending = Sending::start(collector, traces)?;
    // Each has a filter of its own: what is traced does not hang on what is logged, nor the other way.
    let spans = tracing_opentelemetry::layer()
        .with_tracer(sending.tracer())
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        .with_filter(FilterFn::new(|what| {
            what.is_span()
                && *what.level() <= tracing::Level::INFO
                && [SPANS, "sea_orm", "chancery"].iter().any(|room| what.target().starts_with(room))
        }));
    let lines = lines(log).with_filter(log.filter()?);
    if Registry::default().with(lines).with(spans).try_init().is_ok() {
        traces::turn_on();
    }
    Ok(Telemetry(Some((sending, events, figures))))
}

/// Writes the log's lines.
fn lines<S>(log: &LogConfig) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'s> tracing_subscriber::registry::LookupSpan<'s>,
{
    let lines = Lines::default().with_writer(std::io::stderr);
    match log.format {
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
        LogFormat::Pretty => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
    }
}

/// The figures of this process.
#[derive(Debug)]
pub struct Figures(Option<PrometheusHandle>);

impl Figures {
    /// Returns the figures, as Prometheus reads them.
    pub fn render(&self) -> String {
        self.0.as_ref().map(PrometheusHandle::render).unwrap_or_default()
    }

    /// Takes what was measured into the buckets, which asking for the page does as well: where nobody asks, it would pile up.
    pub fn gather(&self) {
        if let Some(handle) = &self.0 {
            handle.run_upkeep();
        }
    }
}

/// Starts measuring, once a process, and returns the figures: the same ones at every call.
pub fn figures() -> &'static Figures {
    static FIGURES: OnceLock<Figures> = OnceLock::new();
    FIGURES.get_or_init(|| match measure() {
        Ok(handle) => Figures(Some(handle)),
        Err(error) => {
            tracing::warn!(%error, "there will be no figures: somebody else measures in this process");
            Figures(None)
        }
    })
}

/// From a tenth of a millisecond, where a decision lies, to the longest that a request may take.
const SECONDS: [f64; 16] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    10.0, 60.0,
];

/// What is kept by label, and so begins with its first event.
const LABELLED: [&str; 4] = [
    "chancery_rpc_requests_total",
    "chancery_rpc_duration_seconds",
    "chancery_decisions_total",
    "chancery_mesh_checks_total",
];
/// What is kept by one label of few words.
const WORDS: [(&str, &str, &[&str]); 5] = [
    ("chancery_activity_lost_total", "why", &["full", "write"]),
    ("chancery_connections_refused_total", "why", &["source", "handshake", "silent"]),
    ("chancery_decision_log_lost_total", "why", &["queue", "write"]),
    ("chancery_spans_lost_total", "why", &["queue", "export", "held"]),
    ("chancery_sign_ins_total", "result", &["right", "wrong", "too_early", "queue_full"]),
];

fn measure() -> Result<PrometheusHandle, BuildError> {
    let seconds = Matcher::Suffix("_seconds".to_owned());
    let handle =
        PrometheusBuilder::new().set_buckets_for_metric(seconds, &SECONDS)?.install_recorder()?;
    // All are there from the start: the first of what should never happen is seen as a step, too.
    let alone = |name| !LABELLED.contains(&name) && WORDS.iter().all(|(other, ..)| *other != name);
    for (name, text) in COUNTERS {
        describe_counter!(name, text);
        if alone(name) {
            counter!(name).increment(0);
        }
    }
    for (name, label, words) in WORDS {
        for word in words {
            counter!(name, label => *word).increment(0);
        }
    }
    for (name, text) in GAUGES {
        describe_gauge!(name, text);
    }
    for (name, text) in HISTOGRAMS {
        describe_histogram!(name, metrics::Unit::Seconds, text);
        if alone(name) {
            // Named is registered: it is shown with nothing in it.
            drop(histogram!(name));
        }
    }
    gauge!("chancery_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(handle)
}

const COUNTERS: [(&str, &str); 25] = [
    ("chancery_rpc_requests_total", "Requests answered, by method and code."),
    (
        "chancery_panics_total",
        "Requests that ended in a panic, each of which is a fault of the program.",
    ),
    (
        "chancery_history_forks_total",
        "Tenants whose store showed another history than the one served: an alarm.",
    ),
    (
        "chancery_newer_entries_total",
        "Tenants dropped since a newer version of the program wrote what this one cannot read: an alarm.",
    ),
    ("chancery_decisions_total", "Questions answered, by decision and reason."),
    (
        "chancery_past_decisions_total",
        "Questions answered as of another time, which are among no other decisions.",
    ),
    (
        "chancery_watch_stalls_total",
        "Streams of changes given up since nothing was read from them.",
    ),
    ("chancery_mesh_checks_total", "Requests that a proxy asked about, by outcome."),
    ("chancery_decision_log_records_total", "Records written to the decision log."),
    (
        "chancery_decision_log_lost_total",
        "Records of decisions that were lost: the queue was full, or they could not be written.",
    ),
    ("chancery_slow_requests_total", "Requests that took longer than telemetry.slow_ms."),
    ("chancery_spans_sent_total", "Spans that an OTLP collector took."),
    (
        "chancery_spans_lost_total",
        "Spans that were lost: the queue was full, the collector did not take them, or they could not be held back.",
    ),
    ("chancery_sign_ins_total", "Passwords tried, by result: right, wrong, too_early, queue_full."),
    ("chancery_feed_hints_total", "Hints of other processes that a tenant has moved."),
    ("chancery_signing_key_faults_total", "Signing keys in the store that did not open."),
    ("chancery_ledger_entries_total", "Ledger entries written by this process."),
    (
        "chancery_activity_lost_total",
        "Sign-ins, denials and the like that are not in the list: too many differed, or they could not be written.",
    ),
    ("chancery_ledger_verifications_total", "Ledgers that this process has verified by itself."),
    ("chancery_ledger_pruned_entries_total", "Entries of ledgers that gave way to a checkpoint."),
    ("chancery_tenant_loads_total", "Tenants read whole into memory."),
    ("chancery_feed_poll_failures_total", "Polls of the tenants' heads that failed."),
    (
        "chancery_connections_refused_total",
        "Connections refused: too many from one source, silent, or without a handshake.",
    ),
    (
        "chancery_tls_reload_failures_total",
        "New certificates that could not be used, so that the old one stays.",
    ),
    ("chancery_probe_failures_total", "Probes of the store that failed."),
];

const GAUGES: [(&str, &str); 19] = [
    ("chancery_build_info", "1, with the version of the program."),
    ("chancery_ready", "1 while the server can serve, else 0."),
    ("chancery_connections", "Connections open now, by listener."),
    (
        "chancery_tls_certificate_expiry_timestamp_seconds",
        "Until when the server's certificate is good, in seconds since 1970.",
    ),
    ("chancery_tenants", "Tenants in memory."),
    ("chancery_users", "Users of the tenants in memory."),
    (
        "chancery_head_age_seconds",
        "How long ago the store last confirmed the state that answers stand on, of the tenant where that is longest ago.",
    ),
    ("chancery_watch_streams", "Streams of changes open now."),
    ("chancery_clock_skew_seconds", "How far this machine's clock is from the store's."),
    (
        "chancery_ledger_faults",
        "What was found wrong with the ledgers, and with the rows that they speak of, when they were last verified, by the server or because somebody asked: an alarm.",
    ),
    (
        "chancery_credentials_expiring",
        "API tokens and service keys that end by their time within so long, by kind; of ten thousand, those that end first.",
    ),
    (
        "chancery_credentials_expired",
        "API tokens and service keys that have ended by their time in the last day, by kind; ten thousand at most.",
    ),
    (
        "chancery_grants_expiring",
        "Roles on users that end by their time within so long; of ten thousand, those that end first.",
    ),
    (
        "chancery_grants_expired",
        "Roles on users that have ended by their time in the last day; ten thousand at most.",
    ),
    ("chancery_password_queue", "Passwords that wait to be hashed."),
    ("chancery_outbox_messages", "Messages to users that are to be sent and have not been."),
    ("chancery_outbox_oldest_seconds", "How long the oldest of them waits."),
    ("chancery_signing_key_age_seconds", "How long the key that signs access tokens has done so."),
    ("chancery_signing_key_life_seconds", "How long a key signs until another takes its place."),
];

const HISTOGRAMS: [(&str, &str); 5] = [
    ("chancery_rpc_duration_seconds", "How long requests took, by method."),
    ("chancery_change_seconds", "How long changes took, from the tenant's lock to the commit."),
    (
        "chancery_change_lag_seconds",
        "How long changes made elsewhere took until they were obeyed here: the revocation lag.",
    ),
    ("chancery_tenant_load_seconds", "How long it took to read a tenant whole."),
    ("chancery_probe_seconds", "How long a probe of the store took."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_a_word_or_directives() {
        let level = |level: &str| LogConfig { level: level.to_owned(), ..LogConfig::default() };
        for good in ["info", "WARN", "info,chancery=debug", "off"] {
            assert!(level(good).check().is_ok(), "{good}");
        }
        for bad in ["info=warn=debug", "chancery=loud", "a=b,c=d"] {
            assert!(level(bad).check().is_err(), "{bad}");
        }
    }

    /// What stands between quotes, begins like a figure and is none.
    const NO_FIGURES: [&str; 2] = ["chancery_", "chancery_span"];

    #[test]
    fn every_figure_is_described() {
        let described = [&COUNTERS[..], &GAUGES, &HISTOGRAMS].into_iter().flatten();
        let described: Vec<&str> = described.map(|(name, _)| *name).collect();
        let mut open = vec![std::path::PathBuf::from("src")];
        let mut found = 0;
        while let Some(path) = open.pop() {
            if path.is_dir() {
                open.extend(path.read_dir().unwrap().map(|entry| entry.unwrap().path()));
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for name in text.split('"').filter(|word| word.starts_with("chancery_")) {
                let is_name = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
                if is_name && !NO_FIGURES.contains(&name) {
                    assert!(
                        described.contains(&name),
                        "{name} in {} is not described",
                        path.display()
                    );
                    found += 1;
                }
            }
        }
        assert!(found > described.len());
    }

    #[test]
    fn figures_are_the_same_at_every_call_and_are_described() {
        metrics::counter!("chancery_panics_total").increment(0);
        assert!(std::ptr::eq(figures(), figures()));
        metrics::counter!("chancery_panics_total").increment(0);
        let text = figures().render();
        assert!(text.contains("# TYPE chancery_panics_total counter"), "{text}");
        assert!(text.contains("chancery_build_info{version="), "{text}");
        init(&LogConfig::default()).unwrap();
        init(&LogConfig::default()).unwrap();
    }
}
