//! Settings: built-in values, then a TOML file, then `CHANCERY_…` variables, then flags; what comes later wins.
//!
//! A key that is not known is refused wherever it stands, and all problems are told at once, each with its key and the
//! way out. Reading is in `read`, what the values must be in `check`.

mod activity;
mod check;
mod decision_log;
mod doors;
mod ledger;
mod limits;
mod mail;
mod mesh;
mod read;
mod sso;
#[cfg(test)]
mod tests;
mod tls;
mod url;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use secrecy::SecretString;
use serde::{Deserialize, Serialize, Serializer};

use crate::crypto::jwt::Parties;
use crate::crypto::password::Cost;
use crate::layers::Deadlines;
use crate::model::SigningAlgorithm;
use crate::post::SenderConfig;
use crate::store::{Engine, StoreConfig};
use crate::telemetry::{LogConfig, TracesConfig};
use crate::{feed, rpc, server};

pub use activity::Activity;
pub use decision_log::{DecisionLog, DecisionSink};
pub use doors::{Authzen, Browsers};
pub use ledger::Ledger;
pub use limits::Limits;
pub use mail::{Mail, MailSender};
pub use mesh::{Mesh, MeshRoute};
pub use read::{Problem, Problems, Sources};
pub use sso::{Sso, SsoIssuer};
pub use tls::{Tls, TlsPeer};

/// Every setting. The names of the fields are those of the file; `CHANCERY_LIMITS__IN_FLIGHT` is `limits.in_flight`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where gRPC is served.
    pub listen: SocketAddr,
    /// Where metrics and health are served, over HTTP.
    pub admin_listen: SocketAddr,
    /// Whether plain text may be served beyond loopback: behind something that encrypts.
    pub allow_plaintext: bool,
    /// TLS for gRPC.
    pub tls: Tls,
    /// `sqlite://<file>` or `postgres://…`. May hold a password.
    #[serde(serialize_with = "url::masked")]
    pub database_url: SecretString,
    /// The master key, 32 bytes in base64.
    #[serde(serialize_with = "hidden")]
    pub master_key: Option<SecretString>,
    /// A file that holds the master key and that only its owner may open.
    pub master_key_file: Option<PathBuf>,
    /// What the links in answers and messages begin with: `https://…`, as people reach it.
    pub base_url: String,
    /// Where a user signs in who names no account: an id or a login alias.
    pub default_account: Option<String>,
    /// The links in messages.
    pub links: Links,
    /// Messages to users.
    pub mail: Mail,
    /// Passwords.
    pub passwords: Passwords,
    /// Proxies that are believed when they say for whom they ask: addresses or networks.
    pub trusted_proxies: Vec<String>,
    /// The access tokens of sessions.
    pub tokens: Tokens,
    /// Identity providers by which users sign in.
    pub sso: Sso,
    /// AuthZEN.
    pub authzen: Authzen,
    /// Programs in browsers.
    pub browsers: Browsers,
    /// What proxies of a mesh are answered by.
    pub mesh: Mesh,
    /// How long answers may rest on what the store has not confirmed, in milliseconds (`edges.md` §4).
    pub staleness_ms: u64,
    /// How often the store is asked for what is new, in milliseconds.
    pub poll_ms: u64,
    /// The log, on standard error.
    pub log: LogConfig,
    /// Traces, and what is told of slow requests.
    pub telemetry: TracesConfig,
    /// Where decisions are recorded.
    pub decision_log: DecisionLog,
    /// How ledgers are looked after.
    pub ledger: Ledger,
    /// Sign-ins, failures, denials and uses of tokens.
    pub activity: Activity,
    /// What a caller may use up.
    pub limits: Limits,
    /// Connections to the database.
    pub store: Pools,
    /// How the server stops.
    pub shutdown: Shutdown,
}

/// The links in messages.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Links {
    /// Where they may lead back to: addresses that a `return_uri` must be equal to, to the letter.
    pub return_uris: Vec<String>,
}

/// What a password costs whoever guesses, and us. `chancery hash-tune` proposes the first two.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Passwords {
    /// Memory of one Argon2id hash, in KiB.
    pub hash_memory_kib: u32,
    /// Passes over that memory.
    pub hash_passes: u32,
    /// Hashes worked on at once, each on a thread of its own; 0 = one for every two processors.
    pub hash_threads: usize,
    /// Sign-ins that wait for a thread; the rest are told to come again.
    pub queue: usize,
    /// How long one waits, in seconds.
    pub queue_seconds: u64,
    /// A list of passwords that nobody may choose, beside the common ones that are built in: one a line.
    pub blocklist_file: Option<PathBuf>,
}

/// The access tokens of sessions.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tokens {
    /// Who is to accept them: what they name as their audience.
    pub audience: String,
    /// How new keys sign: `ES256` or `EdDSA`.
    pub algorithm: SigningAlgorithm,
    /// How long a key signs before another takes its place, in days.
    pub key_days: u32,
}

/// Connections to the database, by what they are for (`edges.md` §7). Numbers are a process.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pools {
    /// For writes. SQLite has one writer, whatever this says.
    pub write_connections: u32,
    /// For loading tenants and following their ledgers.
    pub load_connections: u32,
    /// For credentials not seen before and single rows.
    pub credential_connections: u32,
    /// How long to wait for a free connection, in milliseconds.
    pub acquire_timeout_ms: u64,
}

/// How the server stops: it says so, waits, finishes what has begun, and then ends in any case.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Shutdown {
    /// How long it goes on taking connections after it has said that it stops, in milliseconds.
    pub drain_ms: u64,
    /// When connections are dropped that have not ended, in seconds after the signal.
    pub hard_seconds: u64,
}

/// Where the master key is.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// In the configuration.
    Given(SecretString),
    /// In a file that must be there.
    File(PathBuf),
    /// In a file beside the SQLite file, made on first start.
    Beside(PathBuf),
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 50051)),
            admin_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9090)),
            allow_plaintext: false,
            tls: Tls::default(),
            database_url: SecretString::from("sqlite://chancery.db"),
            master_key: None,
            master_key_file: None,
            base_url: "http://localhost".to_owned(),
            default_account: None,
            links: Links::default(),
            mail: Mail::default(),
            passwords: Passwords::default(),
            trusted_proxies: Vec::new(),
            tokens: Tokens::default(),
            sso: Sso::default(),
            authzen: Authzen::default(),
            browsers: Browsers::default(),
            mesh: Mesh::default(),
            staleness_ms: 5_000,
            poll_ms: 300,
            log: LogConfig::default(),
            telemetry: TracesConfig::default(),
            decision_log: DecisionLog::default(),
            ledger: Ledger::default(),
            activity: Activity::default(),
            limits: Limits::default(),
            store: Pools::default(),
            shutdown: Shutdown::default(),
        }
    }
}

impl Default for Passwords {
    fn default() -> Self {
        let Cost { memory_kib, passes } = Cost::default();
        Self {
            hash_memory_kib: memory_kib,
            hash_passes: passes,
            hash_threads: 0,
            queue: 256,
            queue_seconds: 5,
            blocklist_file: None,
        }
    }
}

impl Passwords {
    /// Returns what a hash costs.
    pub const fn cost(&self) -> Cost {
        Cost { memory_kib: self.hash_memory_kib, passes: self.hash_passes }
    }

    fn settings(&self) -> rpc::PasswordSettings {
        rpc::PasswordSettings {
            cost: self.cost(),
            threads: self.hash_threads,
            queue: self.queue,
            patience: Duration::from_secs(self.queue_seconds),
            blocklist: self.blocklist_file.clone(),
        }
    }
}

impl Default for Tokens {
    fn default() -> Self {
        Self { audience: "chancery".to_owned(), algorithm: SigningAlgorithm::Es256, key_days: 90 }
    }
}

impl Default for Pools {
    fn default() -> Self {
        let StoreConfig {
            url: _,
            write_connections,
            load_connections,
            credential_connections,
            acquire_timeout_ms,
            idle_timeout_ms: _,
        } = StoreConfig::default();
        Self { write_connections, load_connections, credential_connections, acquire_timeout_ms }
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { drain_ms: 2_000, hard_seconds: 20 }
    }
}

impl Config {
    /// Reads all sources, or tells everything that is wrong with them.
    pub fn load(sources: Sources) -> Result<Self, Problems> {
        read::load(sources)
    }

    /// Writes the configuration as TOML. Secrets are not in it, nor the password of the database's address.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }

    /// Returns the store's part of it.
    pub fn store(&self) -> StoreConfig {
        StoreConfig {
            url: secrecy::ExposeSecret::expose_secret(&self.database_url).to_owned(),
            write_connections: self.store.write_connections,
            load_connections: self.store.load_connections,
            credential_connections: self.store.credential_connections,
            acquire_timeout_ms: self.store.acquire_timeout_ms,
            ..StoreConfig::default()
        }
    }

    /// Tells where the master key is; `None` on Postgres where nobody said, which `load` refuses.
    pub fn key_source(&self) -> Option<KeySource> {
        if let Some(key) = &self.master_key {
            return Some(KeySource::Given(key.clone()));
        }
        if let Some(path) = &self.master_key_file {
            return Some(KeySource::File(path.clone()));
        }
        let store = self.store();
        (store.engine().ok()? == Engine::Sqlite)
            .then(|| KeySource::Beside(url::sqlite_file(&store.url).with_file_name("chancery.key")))
    }

    /// Returns the server's part of it.
    pub fn server(&self) -> server::Config {
        let limits = &self.limits;
        let unlimited = limits.changes_per_minute == 0;
        server::Config {
            streams_per_connection: limits.streams_per_connection,
            connections_per_source: limits.connections_per_source,
            answering_threads: limits.answering_threads,
            in_flight: limits.in_flight,
            changes_per_minute: limits.changes_per_minute,
            sign_ins_per_minute: if unlimited { 0 } else { limits.sign_ins_per_minute },
            message_bytes: limits.message_bytes,
            body_deadline: Duration::from_secs(limits.body_seconds),
            stall: Duration::from_secs(limits.stall_seconds),
            deadlines: Deadlines {
                default: Duration::from_secs(limits.request_seconds),
                most: Duration::from_secs(limits.request_max_seconds),
            },
            feed: feed::Config {
                poll: Duration::from_millis(self.poll_ms),
                staleness: Duration::from_millis(self.staleness_ms),
                ..feed::Config::default()
            },
            signing: feed::SigningConfig {
                algorithm: self.tokens.algorithm,
                life: TimeDelta::days(self.tokens.key_days.into()),
            },
            parties: Parties {
                issuer: self.base_url.trim_end_matches('/').to_owned(),
                audience: self.tokens.audience.clone(),
            },
            rpc: rpc::Settings {
                account_depth: limits.account_depth,
                user_depth: limits.user_depth,
                documents_per_user: limits.documents_per_user,
                base_url: self.base_url.trim_end_matches('/').to_owned(),
                default_account: self.default_account.clone(),
                return_uris: self.links.return_uris.clone(),
            },
            authzen: self.authzen(),
            browsers: self.browsers(),
            tls: self.tls.config(),
            peers: self.tls.peers(),
            forwarding_proxies: self.tls.forwarding_proxies.clone(),
            trusted_proxies: self.trusted_proxies.clone(),
            issuers: self.sso.issuers.iter().map(SsoIssuer::config).collect(),
            mesh: self.mesh.config(),
            // What is wrong with it was told when it was loaded.
            sender: self.mail.sender(self.store().engine().ok()).unwrap_or(SenderConfig::None),
            passwords: self.passwords.settings(),
            slow: (self.telemetry.slow_ms > 0)
                .then(|| Duration::from_millis(self.telemetry.slow_ms)),
            // What is wrong with it was told when it was loaded.
            decision_log: self.decision_log.config(&self.telemetry).unwrap_or_default(),
            events: None,
            remember: self.decision_log.remember,
            inspect: self.ledger.config(),
            keep_activity: TimeDelta::days(self.activity.keep_days.into()),
            drain: Duration::from_millis(self.shutdown.drain_ms),
            hard: Duration::from_secs(self.shutdown.hard_seconds),
        }
    }
}

/// Writes that there is a secret, and nothing of it.
#[expect(clippy::ref_option, reason = "serde hands in a reference to the field")]
fn hidden<S: Serializer>(secret: &Option<SecretString>, to: S) -> Result<S::Ok, S::Error> {
    match secret {
        None => to.serialize_none(),
        Some(_) => to.serialize_some("[redacted]"),
    }
}
