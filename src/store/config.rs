//! How to reach the database, and with how many connections.

use std::fmt;
use std::fs::OpenOptions;
use std::path::Path;
use std::str::FromStr as _;
use std::time::{Duration, Instant};

use log::LevelFilter;
use sea_orm::sqlx::ConnectOptions as _;
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{ConnectOptions, Database, DatabaseConnection};
use serde::{Deserialize, Serialize};

use super::{Cause, Error};

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
    /// How long to wait for a free connection, and how long a write waits for all that it needs to begin, in
    /// milliseconds.
    pub acquire_timeout_ms: u64,
    /// How long a write may do nothing before Postgres ends it and gives its locks back, in milliseconds.
    pub idle_timeout_ms: u32,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            url: "sqlite://chancery.db".to_owned(),
            write_connections: 8,
            load_connections: 4,
            credential_connections: 4,
            acquire_timeout_ms: 5_000,
            idle_timeout_ms: 5_000,
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
            .field("idle_timeout_ms", &self.idle_timeout_ms)
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
    /// Telling other processes what has moved, and hearing it.
    Hints,
    /// Changes of the schema, which wait for one another as long as it takes.
    Migration,
}

impl Use {
    /// Lock, statement and idle-in-transaction timeouts in milliseconds (`edges.md` §7); 0 = none.
    const fn timeouts(self, idle: u32) -> [u32; 3] {
        match self {
            Self::Writes | Self::Credentials => [2_000, 5_000, idle],
            Self::Loads => [2_000, 30_000, 30_000],
            Self::Probe | Self::Hints => [1_000, 2_000, 2_000],
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

/// How long one more connection is tried, to learn what is wrong.
const AGAIN: Duration = Duration::from_secs(1);

/// How long another process has to finish what it does to a file.
const SOON: Duration = Duration::from_millis(20);

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
    pub(super) fn exists(&self) -> Result<bool, Error> {
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
        // In traces too, for the same reason.
        options.record_stmt_in_spans(true);
        let probe = Duration::from_secs(2);
        options.acquire_timeout(if what == Use::Probe { probe } else { self.wait() });
        options.max_connections(match (what, engine) {
            (Use::Writes, Engine::Sqlite) | (Use::Probe | Use::Migration, _) => 1,
            (Use::Writes, Engine::Postgres) => self.write_connections.max(1),
            (Use::Loads, _) => self.load_connections.max(1),
            (Use::Credentials, _) => self.credential_connections.max(1),
            // One tells, one hears, and one may be lost without either knowing.
            (Use::Hints, _) => 3,
        });
        // Whoever changes nothing and follows nothing needs none.
        options.connect_lazy(what == Use::Hints);
        match engine {
            Engine::Sqlite => sqlite(&mut options, what, self.wait()),
            Engine::Postgres => postgres(&mut options, what.timeouts(self.idle_timeout_ms)),
        }
        let began = Instant::now();
        loop {
            match Database::connect(options.clone()).await.map_err(Error::from) {
                Err(Error::Unavailable(_)) if engine == Engine::Postgres => {
                    return Err(Error::Unavailable(self.unreachable().await));
                }
                // Of several that turn on a new file's journal at once, SQLite lets one and refuses the others without a wait.
                Err(Error::Busy) if began.elapsed() < self.wait() => tokio::time::sleep(SOON).await,
                done => return done,
            }
        }
    }

    /// How long is waited for a connection, or for another writer.
    pub(super) const fn wait(&self) -> Duration {
        Duration::from_millis(self.acquire_timeout_ms)
    }

    /// Tells where no server answers, and why: a pool that tries on and on knows only that its time was over.
    async fn unreachable(&self) -> Cause {
        let Ok(options) = PgConnectOptions::from_str(&self.url) else {
            return Cause::of("the address is not well formed");
        };
        let at = match options.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => format!("{}:{}", options.get_host(), options.get_port()),
        };
        let why = match tokio::time::timeout(AGAIN, options.connect()).await {
            Ok(Err(error)) => Cause::from_driver(&error).to_string(),
            Ok(Ok(_)) | Err(_) => "no answer in time".to_owned(),
        };
        Cause::of(&format!("`{at}`: {why}"))
    }
}

fn sqlite(options: &mut ConnectOptions, what: Use, wait: Duration) {
    options.idle_timeout(None).max_lifetime(None).test_before_acquire(false);
    let writes = matches!(what, Use::Writes | Use::Migration);
    options.map_sqlx_sqlite_opts(move |options| {
        let options = options.busy_timeout(wait).foreign_keys(true);
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

fn postgres(options: &mut ConnectOptions, timeouts: [u32; 3]) {
    options.test_before_acquire_if_idle_for(Duration::from_secs(5));
    options.map_sqlx_postgres_opts(move |options| {
        let [lock, statement, idle] = timeouts;
        options.application_name("chancery").options(KEEPALIVE).options([
            ("lock_timeout", lock),
            ("statement_timeout", statement),
            ("idle_in_transaction_session_timeout", idle),
        ])
    });
}

#[cfg(test)]
mod tests {
    use sea_orm::{ConnectionTrait as _, Statement};

    use super::*;

    async fn says(pool: &DatabaseConnection, pragma: &str) -> String {
        let asked = Statement::from_string(pool.get_database_backend(), format!("pragma {pragma}"));
        let row = pool.query_one_raw(asked).await.unwrap().unwrap();
        let text = row.try_get_by_index::<String>(0);
        text.or_else(|_| row.try_get_by_index::<i64>(0).map(|n| n.to_string())).unwrap()
    }

    #[tokio::test]
    async fn sqlite_writes_through_to_the_disk_and_keeps_its_references() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("kept.db").display());
        let config = StoreConfig { url, acquire_timeout_ms: 1_234, ..StoreConfig::default() };
        let mut open = Vec::new();
        for what in [Use::Writes, Use::Migration, Use::Loads, Use::Credentials, Use::Probe] {
            let pool = config.connect(what).await.unwrap();
            let writes = matches!(what, Use::Writes | Use::Migration);
            assert_eq!(says(&pool, "journal_mode").await, "wal");
            assert_eq!(says(&pool, "foreign_keys").await, "1");
            assert_eq!(says(&pool, "busy_timeout").await, "1234");
            // 2 is FULL: what is acknowledged has been flushed.
            assert!(!writes || says(&pool, "synchronous").await == "2");
            let wrote =
                pool.execute_unprepared(&format!("create table {what:?} (n integer)")).await;
            assert_eq!(wrote.is_ok(), writes, "readers are separate");
            open.push(pool);
        }
    }
}
