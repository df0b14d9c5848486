//! A store with the first user in it and nothing else: made once a process, and copied for each test. Making it
//! anew took longer than most tests do.

use std::fs;
use std::sync::Arc;

use chancery::crypto::KeyRing;
use chancery::crypto::secret;
use chancery::crypto::token::{Secret, TokenKind};
use chancery::model::{HeldClock, UserKind};
use chancery::store::{Bootstrap, Store};
use sea_orm::ConnectionTrait as _;
use tempfile::TempDir;
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::{Engine, KEY, Person, beginning, config};

static SQLITE: OnceCell<Template> = OnceCell::const_new();
static POSTGRES: OnceCell<Template> = OnceCell::const_new();

struct Template {
    /// The file's bytes, or the name of the database.
    what: What,
    root: Person,
}

enum What {
    File(Vec<u8>),
    Database(String),
}

impl Engine {
    /// Makes a database of a test's own that holds the first user, and returns its address and that user.
    pub(super) async fn bootstrapped(&self, folder: &TempDir) -> (String, Person) {
        let cell = match self {
            Self::Sqlite => &SQLITE,
            Self::Postgres(_) => &POSTGRES,
        };
        let template = cell.get_or_init(|| self.template()).await;
        let url = match &template.what {
            What::File(bytes) => {
                let file = folder.path().join("chancery.db");
                fs::write(&file, bytes).unwrap();
                format!("sqlite://{}", file.display())
            }
            What::Database(name) => self.database(&format!(" template {name}")).await,
        };
        (url, template.root.clone())
    }

    async fn template(&self) -> Template {
        let folder = TempDir::new().unwrap();
        let url = self.fresh(&folder).await;
        let clock = Arc::new(HeldClock::at(beginning()));
        let store = Store::open(&config(&url, &[]).store(), clock).await.unwrap();
        store.migrate().await.unwrap();
        let root = first(&store).await;
        store.close().await.unwrap();
        let what = match self {
            Self::Sqlite => What::File(fs::read(folder.path().join("chancery.db")).unwrap()),
            Self::Postgres(server) => {
                What::Database(url.trim_start_matches(&format!("{server}/")).to_owned())
            }
        };
        Template { what, root }
    }

    /// Makes a database of Postgres that nobody else uses, and returns its address.
    pub(super) async fn database(&self, like: &str) -> String {
        let Self::Postgres(server) = self else { unreachable!("SQLite has files") };
        let name = format!("chancery_{}", Uuid::new_v4().simple());
        let admin = sea_orm::Database::connect(format!("{server}/postgres")).await.unwrap();
        admin.execute_unprepared(&format!("create database {name}{like}")).await.unwrap();
        admin.close().await.unwrap();
        format!("{server}/{name}")
    }
}

/// Makes the first user.
async fn first(store: &Store) -> Person {
    let secret = Secret::mint(TokenKind::Pat, secret::system).unwrap();
    let keys = KeyRing::from_base64(KEY).unwrap();
    let first = Bootstrap {
        account_name: "Platform".to_owned(),
        user_name: "admin".to_owned(),
        kind: UserKind::Admin,
        digest: secret.digest(&keys),
    };
    let made = store.bootstrap(first, &keys).await.unwrap().unwrap();
    Person {
        user_id: made.user.to_string(),
        account_id: made.account.to_string(),
        token: secret.expose().to_owned(),
        token_id: made.token.to_string(),
    }
}
