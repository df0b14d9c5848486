//! A store with its first administrator, ready to be served.

use std::sync::Arc;

use chancery::config::{Config, Sources};
use chancery::crypto::token::{Secret, TokenKind};
use chancery::crypto::{KeyRing, secret};
use chancery::model::{SystemClock, UserId, UserKind};
use chancery::store::{Bootstrap, Store};
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection};
use tempfile::TempDir;
use uuid::Uuid;

/// The key of every store here.
pub const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// A store, and who may ask the service on it.
#[derive(Debug)]
pub struct Stored {
    /// Its address.
    pub url: String,
    /// The first administrator's token.
    pub token: String,
    /// The first administrator.
    pub user: String,
    /// And its account.
    pub account: String,
    /// Where it lies, if it is a file; what runs on it runs here.
    pub folder: TempDir,
}

/// The settings of a service on a store.
pub fn config(url: &str) -> Config {
    let flags = [
        ("database_url", url),
        ("master_key", KEY),
        ("log.level", "warn"),
        ("limits.changes_per_minute", "0"),
        // All come from one source here.
        ("limits.sign_ins_per_minute", "0"),
        // Under valgrind making a store takes long.
        ("store.acquire_timeout_ms", "60000"),
    ];
    let flags = flags.map(|(key, value)| (key, value.to_owned())).to_vec();
    Config::load(Sources { file: None, environment: Vec::new(), flags }).unwrap()
}

impl Stored {
    /// Makes one in a file.
    pub async fn sqlite() -> Self {
        let folder = TempDir::new().unwrap();
        let url = format!("sqlite://{}", folder.path().join("bench.db").display());
        Box::pin(Self::make(url, folder)).await
    }

    /// Makes one on the server that `TEST_POSTGRES` names, which is asked to wait for the disk; `None` where it names none.
    pub async fn postgres(name: &str) -> Option<Self> {
        let server = std::env::var("TEST_POSTGRES").ok()?;
        let db = Database::connect(format!("{server}/postgres")).await.unwrap();
        // `.ci/postgres` starts one for tests, where nothing has to outlive the power.
        for setting in ["fsync = on", "autovacuum = on"] {
            db.execute_unprepared(&format!("alter system set {setting}")).await.unwrap();
        }
        db.execute_unprepared("select pg_reload_conf()").await.unwrap();
        db.execute_unprepared(&format!("drop database if exists {name} with (force)"))
            .await
            .unwrap();
        db.execute_unprepared(&format!("create database {name}")).await.unwrap();
        db.close().await.unwrap();
        Some(Box::pin(Self::make(format!("{server}/{name}"), TempDir::new().unwrap())).await)
    }

    async fn make(url: String, folder: TempDir) -> Self {
        let store = Box::pin(Store::open(&config(&url).store(), Arc::new(SystemClock))).await;
        let store = store.unwrap();
        Box::pin(store.migrate()).await.unwrap();
        let keys = Arc::new(KeyRing::from_base64(KEY).unwrap());
        let token = Secret::mint(TokenKind::Pat, secret::system).unwrap();
        let first = Bootstrap {
            account_name: "Bench".to_owned(),
            user_name: "admin".to_owned(),
            kind: UserKind::Admin,
            digest: token.digest(&keys),
        };
        let made = store.bootstrap(first, &keys).await.unwrap().unwrap();
        store.close().await.unwrap();
        let token = token.expose().to_owned();
        let (user, account) = (made.user.to_string(), made.account.to_string());
        Self { url, token, user, account, folder }
    }

    /// Connects to it, past the program.
    pub async fn database(&self) -> DatabaseConnection {
        Database::connect(&self.url).await.unwrap()
    }

    /// Puts so many users beside the administrator, past the program: each with two roles. SQLite alone.
    pub async fn grow(&self, users: usize) {
        const NUMBERS: &str =
            "with recursive c(n) as (select 0 union all select n + 1 from c where n + 1 <";
        const ID: &str = "cast(printf('%016d', n) as blob)";
        let db = self.database().await;
        db.execute_unprepared(&format!(
            "insert into users (id, account_id, tenant_id, parent_id, kind, user_name, user_name_key, first_name, last_name, \
             full_name, email, phone_number, regional_settings, enabled, sso, application, create_time, update_time) \
             {NUMBERS} {users}) select {ID}, account_id, tenant_id, parent_id, kind, 'u' || n, 'u' || n, '', '', '', null, '', \
             regional_settings, 1, 0, null, create_time, update_time from c, (select * from users limit 1)"
        ))
        .await
        .unwrap();
        for role in ["ringcx/USER", "voximplant/Supervisor"] {
            db.execute_unprepared(&format!(
                "insert into role_grants (user_id, role, scope_key, account_id, tenant_id, create_time) \
                 {NUMBERS} {users}) select {ID}, '{role}', '', account_id, tenant_id, create_time \
                 from c, (select * from users where user_name = 'admin')"
            ))
            .await
            .unwrap();
        }
        db.close().await.unwrap();
    }
}

/// Numbers the users of a grown store.
pub fn grown_user(n: usize) -> UserId {
    let text = format!("{n:016}");
    UserId(Uuid::from_slice(text.as_bytes()).unwrap())
}
