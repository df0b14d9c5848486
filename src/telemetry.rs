//! What the process says of itself: the log on standard error, and figures for Prometheus.
//!
//! No figure has a label that an id, a name or a caller's text could get into: labels are methods, codes and words of
//! closed lists.

use std::io::IsTerminal as _;
use std::sync::OnceLock;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

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
            level.push_str(",sqlx=warn,sea_orm_migration=warn");
        }
        EnvFilter::builder().parse(level).map_err(bad)
    }
}

/// Turns the log on. A process that has one already keeps it.
pub fn init(log: &LogConfig) -> Result<(), BadLevel> {
    let lines =
        tracing_subscriber::fmt().with_env_filter(log.filter()?).with_writer(std::io::stderr);
    let set = match log.format {
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).try_init(),
        LogFormat::Pretty => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
    // Fails only where somebody was first: an earlier call, or a test with a log of its own.
    drop(set);
    Ok(())
}

/// The figures of this process.
#[derive(Debug)]
pub struct Figures(Option<PrometheusHandle>);

impl Figures {
    /// Returns the figures, as Prometheus reads them.
    pub fn render(&self) -> String {
        let Some(handle) = &self.0 else { return String::new() };
        // Takes what was measured since into the buckets; nobody else does it for us.
        handle.run_upkeep();
        handle.render()
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

/// Counters that are kept by label, and so begin with their first event.
const LABELLED: [&str; 3] = [
    "chancery_rpc_requests_total",
    "chancery_decisions_total",
    "chancery_connections_refused_total",
];

fn measure() -> Result<PrometheusHandle, BuildError> {
    let seconds = Matcher::Suffix("_seconds".to_owned());
    let handle =
        PrometheusBuilder::new().set_buckets_for_metric(seconds, &SECONDS)?.install_recorder()?;
    for (name, text) in COUNTERS {
        describe_counter!(name, text);
        if !LABELLED.contains(&name) {
            // There from the start: the first of what should never happen is seen as a step, too.
            counter!(name).increment(0);
        }
    }
    for decision in ["permit", "deny"] {
        counter!("chancery_decisions_total", "decision" => decision).increment(0);
    }
    for (name, text) in GAUGES {
        describe_gauge!(name, text);
    }
    for (name, text) in HISTOGRAMS {
        describe_histogram!(name, metrics::Unit::Seconds, text);
    }
    gauge!("chancery_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(handle)
}

const COUNTERS: [(&str, &str); 10] = [
    ("chancery_rpc_requests_total", "Requests answered, by method and code."),
    (
        "chancery_panics_total",
        "Requests that ended in a panic, each of which is a fault of the program.",
    ),
    (
        "chancery_history_forks_total",
        "Tenants whose store showed another history than the one served: an alarm.",
    ),
    ("chancery_decisions_total", "Questions answered, by decision."),
    ("chancery_ledger_entries_total", "Ledger entries written by this process."),
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

const GAUGES: [(&str, &str); 6] = [
    ("chancery_build_info", "1, with the version of the program."),
    ("chancery_ready", "1 while the server can serve, else 0."),
    ("chancery_connections", "Connections open now, by listener."),
    (
        "chancery_tls_certificate_expiry_timestamp_seconds",
        "Until when the server's certificate is good, in seconds since 1970.",
    ),
    ("chancery_tenants", "Tenants in memory."),
    ("chancery_users", "Users of the tenants in memory."),
];

const HISTOGRAMS: [(&str, &str); 4] = [
    ("chancery_rpc_duration_seconds", "How long requests took, by method."),
    ("chancery_change_seconds", "How long changes took, from the tenant's lock to the commit."),
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
