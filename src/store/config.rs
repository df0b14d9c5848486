//! How to reach the database, and with how many connections.

use std::fmt;
use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

use log::LevelFilter;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{ConnectOptions, Database, DatabaseConnection};
use serde::{Deserialize, Serialize};

use super::Error;

/// Where the data is kept. Sizes are connections a process.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StoreConfig {
    /// `sqlite://<file>` or `postgres://…`. May hold a password, so it is not printed.
    pub url: String,
    /// For writes. SQLite has one writer, whatever this says.
    pub write_connections: u32,
    /// For loading tenants and following their ledgers.
    pub load_connections: u32,
    /// For credentials not seen before and single rows.
    pub credential_connections: u32,
    /// How long to wait for a free connection, in milliseconds.
    pub acquire_timeout_ms: u64,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            url: "sqlite://chancery.db".to_owned(),
            write_connections: 8,
            load_connections: 4,
            credential_connections: 4,
            acquire_timeout_ms: 5_000,
        }
    }
}

impl fmt::Debug for StoreConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreConfig")
            .field("url", &"(not printed)")
            .field("write_connections", &self.write_connections)
            .field("load_connections", &self.load_connections)
            .field("credential_connections", &self.credential_connections)
            .field("acquire_timeout_ms", &self.acquire_timeout_ms)
            .finish()
    }
}

/// The two kinds of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// A file.
    Sqlite,
    /// A server.
    Postgres,
}

/// What a pool is for; decides its timeouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Transactions that change.
    Writes,
    /// Long reads.
    Loads,
    /// Short reads.
    Credentials,
    /// Is it there?
    Probe,
    /// Changes of the schema, which wait for one another as long as it takes.
    Migration,
}

impl Use {
    /// Lock, statement and idle-in-transaction timeouts in milliseconds (`edges.md` §7); 0 = none.
    const fn timeouts(self) -> [u32; 3] {
        match self {
            Self::Writes | Self::Credentials => [2_000, 5_000, 5_000],
            Self::Loads => [2_000, 30_000, 30_000],
            Self::Probe => [1_000, 2_000, 2_000],
            Self::Migration => [0, 0, 0],
        }
    }
}

/// The server ends a connection whose client is silent for 10 s, with all its locks.
const KEEPALIVE: [(&str, &str); 4] = [
    ("tcp_keepalives_idle", "4"),
    ("tcp_keepalives_interval", "2"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "10000"),
];

impl StoreConfig {
    /// Tells the engine by the address.
    pub fn engine(&self) -> Result<Engine, Error> {
        if self.url.starts_with("postgres://") || self.url.starts_with("postgresql://") {
            return Ok(Engine::Postgres);
        }
        if !self.url.starts_with("sqlite:") {
            return Err(Error::Address("begins with neither `sqlite:` nor `postgres://`"));
        }
        if self.url.contains(":memory:") || self.url.contains("mode=memory") {
            return Err(Error::Address("names a database in memory, which is kept by nothing"));
        }
        Ok(Engine::Sqlite)
    }

    /// Tells whether there is a database to open. A server's is taken to be there: nobody makes one by opening it.
    pub fn exists(&self) -> Result<bool, Error> {
        if self.engine()? == Engine::Postgres {
            return Ok(true);
        }
        let options: SqliteConnectOptions =
            self.url.parse().map_err(|_| Error::Address("is no address of a SQLite file"))?;
        Ok(options.get_filename().exists())
    }

    /// Opens a pool.
    pub(super) async fn connect(&self, what: Use) -> Result<DatabaseConnection, Error> {
        let engine = self.engine()?;
        let mut options = ConnectOptions::new(&self.url);
        // Told at the lowest level, which has to be asked for by name (`sqlx::query=trace`): every value is bound,
        // so that a statement's text holds none.
        options.sqlx_logging(true).sqlx_logging_level(LevelFilter::Trace);
        options.record_stmt_in_spans(false);
        let wait = if what == Use::Probe { 2_000 } else { self.acquire_timeout_ms };
        options.acquire_timeout(Duration::from_millis(wait));
        options.max_connections(match (what, engine) {
            (Use::Writes, Engine::Sqlite) | (Use::Probe | Use::Migration, _) => 1,
            (Use::Writes, Engine::Postgres) => self.write_connections.max(1),
            (Use::Loads, _) => self.load_connections.max(1),
            (Use::Credentials, _) => self.credential_connections.max(1),
        });
        match engine {
            Engine::Sqlite => sqlite(&mut options, what),
            Engine::Postgres => postgres(&mut options, what),
        }
        Ok(Database::connect(options).await?)
    }
}

fn sqlite(options: &mut ConnectOptions, what: Use) {
    options.idle_timeout(None).max_lifetime(None).test_before_acquire(false);
    let writes = matches!(what, Use::Writes | Use::Migration);
    options.map_sqlx_sqlite_opts(move |options| {
        let options = options.busy_timeout(Duration::from_secs(5)).foreign_keys(true);
        if writes {
            private(options.get_filename());
            options
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
        } else {
            options.create_if_missing(false).read_only(true)
        }
    });
}

/// Makes the file for its owner alone: it holds names and addresses. SQLite gives its other files the same mode.
fn private(file: &Path) {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // Where it is there already it stays as it is, and what else is wrong the connection will say.
    drop(options.open(file));
}

fn postgres(options: &mut ConnectOptions, what: Use) {
    options.test_before_acquire_if_idle_for(Duration::from_secs(5));
    options.map_sqlx_postgres_opts(move |options| {
        let [lock, statement, idle] = what.timeouts();
        options.application_name("chancery").options(KEEPALIVE).options([
            ("lock_timeout", lock),
            ("statement_timeout", statement),
            ("idle_in_transaction_session_timeout", idle),
        ])
    });
}
