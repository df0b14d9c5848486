//! What several commands begin with: the store and the keys that the configuration names.

use std::path::PathBuf;
use std::sync::Arc;

use secrecy::ExposeSecret as _;

use crate::config::{Config, KeySource};
use crate::crypto::{BadKey, KeyRing, secret};
use crate::model::{SystemClock, fold};
use crate::store::{BootstrapError, Error, Store};

/// Why a command cannot begin.
#[derive(Debug, thiserror::Error)]
pub(super) enum CannotBegin {
    /// The key that the configuration holds.
    #[error("master_key: {0}")]
    Key(#[source] BadKey),
    /// The key file.
    #[error("master_key_file: {0}")]
    KeyFile(#[source] BadKey),
    /// Nobody said.
    #[error("master_key: is needed on Postgres")]
    NoKey,
    /// The embedded store is there, its key is not.
    #[error(
        "`{}` is missing: it holds the master key that this store was bootstrapped under; put it back, or begin with \
         another store",
        .0.display()
    )]
    KeyGone(PathBuf),
    /// The key is another than that of the bootstrap.
    #[error(
        "the master key is not the one that this store was bootstrapped under, so every token in it would be refused: \
         give the right one (on SQLite it is `chancery.key` beside the database file), or another store"
    )]
    OtherKey,
    /// A name that is no user name.
    #[error("--user-name: {0}")]
    UserName(String),
}

/// Opens the store; the schema is left as it is.
pub(super) async fn store(config: &Config) -> Result<Store, Error> {
    Store::open(&config.store(), Arc::new(SystemClock)).await
}

/// Brings the schema and the built-in catalogues up to date, and says what was done.
pub(super) async fn update(store: &Store) -> Result<Vec<String>, BootstrapError> {
    let mut done: Vec<String> = store.pending_migrations().await?;
    store.migrate().await?;
    for step in &mut done {
        *step = format!("migration {step}");
    }
    let catalogues = store.update_catalogues().await?;
    done.extend(catalogues.into_iter().map(|name| format!("catalogue {name}")));
    Ok(done)
}

/// Reads the keys; in the embedded default they are made if there are none.
pub(super) async fn keys(config: &Config, store: &Store) -> Result<KeyRing, CannotBegin> {
    match config.key_source().ok_or(CannotBegin::NoKey)? {
        KeySource::Given(key) => {
            KeyRing::from_base64(key.expose_secret()).map_err(CannotBegin::Key)
        }
        KeySource::File(path) => KeyRing::load(&path).map_err(CannotBegin::KeyFile),
        KeySource::Beside(path) => {
            // A new key would fit nothing that is in there already.
            if !path.exists() && is_bootstrapped(store).await {
                return Err(CannotBegin::KeyGone(path));
            }
            KeyRing::load_or_create(&path, secret::system).map_err(CannotBegin::KeyFile)
        }
    }
}

async fn is_bootstrapped(store: &Store) -> bool {
    // A store without its schema has not been; what else is wrong with it will be said where it is used.
    matches!(store.root().await, Ok(Some(_)))
}

/// Tells whether a name can be that of a user (`edges.md` §1).
pub(super) fn user_name(name: &str) -> Result<(), CannotBegin> {
    if name.chars().count() > 256 {
        return Err(CannotBegin::UserName("is longer than 256 characters".to_owned()));
    }
    fold(name).map(drop).map_err(|why| CannotBegin::UserName(format!("`{name}` {why}")))
}
