//! A connection of one's own to a store: for what happens to databases behind a server's back.

use chancery::model::{AccountId, UserId};
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, Statement};

/// Every table, those first that others refer to.
pub(crate) const TABLES: [&str; 23] = [
    "activity",
    "tenants",
    "accounts",
    "users",
    "custom_roles",
    "role_grants",
    "api_tokens",
    "rights_documents",
    "assignments",
    "sessions",
    "refresh_tokens",
    "signing_keys",
    "catalogue_files",
    "ledger",
    "ledger_checkpoints",
    "idempotency",
    "service_state",
    "passwords",
    "sign_in_failures",
    "sign_in_sources",
    "outbox",
    "assertions",
    "right_uses",
];

/// One connection, as nobody's but the test's.
#[derive(Debug)]
pub(crate) struct Meddler {
    db: DatabaseConnection,
    sqlite: bool,
}

impl Meddler {
    pub(crate) async fn new(url: &str) -> Self {
        let mut options = ConnectOptions::new(url);
        options.max_connections(1).min_connections(1).sqlx_logging(false);
        options.idle_timeout(None).max_lifetime(None);
        let db = Database::connect(options).await.unwrap();
        Self { db, sqlite: url.starts_with("sqlite") }
    }

    pub(crate) async fn run(&self, sql: &str) {
        self.attempt(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    pub(crate) async fn attempt(&self, sql: &str) -> Result<(), String> {
        self.db.execute_unprepared(sql).await.map(drop).map_err(|error| error.to_string())
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let statement = Statement::from_string(self.db.get_database_backend(), sql);
        self.db.query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap()
    }

    pub(crate) async fn rows(&self, sql: &str) -> Result<Vec<sea_orm::QueryResult>, String> {
        let statement = Statement::from_string(self.db.get_database_backend(), sql);
        self.db.query_all_raw(statement).await.map_err(|error| error.to_string())
    }

    pub(crate) const fn is_sqlite(&self) -> bool {
        self.sqlite
    }

    /// An account's id as a statement holds it.
    pub(crate) fn id(&self, account: &str) -> String {
        self.uuid(account.parse::<AccountId>().unwrap().0)
    }

    /// A user's id as a statement holds it.
    pub(crate) fn user(&self, user: &str) -> String {
        self.uuid(user.parse::<UserId>().unwrap().0)
    }

    fn uuid(&self, id: uuid::Uuid) -> String {
        let id = id.simple();
        if self.sqlite { format!("x'{id}'") } else { format!("'{id}'") }
    }

    /// Begins to write, as a writer does that holds up all the others of every tenant.
    pub(crate) async fn take_the_lock(&self) {
        if self.sqlite {
            self.run("begin immediate").await;
        } else {
            self.run("begin").await;
            self.run("update tenants set revision = revision + 1").await;
        }
    }

    /// Puts a copy of everything aside.
    pub(crate) async fn copy(&self) {
        for table in TABLES {
            self.run(&format!("create table old_{table} as select * from {table}")).await;
        }
    }

    /// Puts the copy in the place of what is there now, at one stroke.
    pub(crate) async fn restore(&self) {
        if self.sqlite {
            self.run("begin immediate").await;
        } else {
            self.run("begin").await;
            // Waits for those who are writing, so that nobody waits for us in a circle.
            self.run("lock table tenants in exclusive mode").await;
        }
        for table in TABLES.iter().rev() {
            self.run(&format!("delete from {table}")).await;
        }
        for table in TABLES {
            self.run(&format!("insert into {table} select * from old_{table}")).await;
        }
        self.run("commit").await;
    }
}
