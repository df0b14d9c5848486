//! What stands in a store before anybody asks: the root account, its first user with a token, and the built-in catalogues.
//!
//! It is done once in a store's life. The mark that it was done is no user and no account, so that deleting those
//! does not bring it back.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, EntityTrait as _};

use super::catalogues::obstacle;
use super::rows::service_state;
use super::{Begun, Committed, Error, Opening, Store, Tx};
use crate::crypto::{KeyRing, chain, token};
use crate::decision::{Facts, Snapshot};
use crate::model::catalogue::{Catalogue, CatalogueError, CatalogueFile, built_in};
use crate::model::{
    Account, AccountId, AccountStatus, ApiToken, Change, ChangeKind, Image, RegionalSettings,
    Revision, RoleGrant, RoleRef, SessionMarks, TokenId, User, UserId, UserKind,
};

/// The key in `service_state` under which stands what only the master key of the bootstrap makes.
const KEY_CHECK: &str = "key_check";
/// What is hashed for it. No token begins like this.
const KEY_LABEL: &str = "chancery/1/key-check";
/// The role that may do everything, everywhere.
const EVERYTHING: &str = "ringcx/SUPER_USER";
/// Names the write in the ledger, where a request would stand.
const SOURCE: &str = "bootstrap";
/// How often a catalogue is applied anew when somebody else wrote in between.
const TRIES: usize = 4;

/// What the first user is to be.
#[derive(Debug, Clone)]
pub struct Bootstrap {
    /// What the root account is called.
    pub account_name: String,
    /// What the user is called; unique when folded.
    pub user_name: String,
    /// A person or a machine.
    pub kind: UserKind,
    /// The digest of its API token.
    pub digest: [u8; 32],
}

/// What the bootstrap made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bootstrapped {
    /// The root account.
    pub account: AccountId,
    /// Its first user.
    pub user: UserId,
    /// The accessor id of that user's token.
    pub token: TokenId,
}

/// Why there was no bootstrap, or no catalogue brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// The store.
    #[error(transparent)]
    Store(#[from] Error),
    /// A catalogue, the program's own or one that the store holds.
    #[error("a catalogue cannot be read: {0}")]
    Catalogue(#[from] CatalogueError),
    /// A new built-in catalogue lacks a role that must not go.
    #[error("a catalogue cannot be brought up to date: {0}")]
    InUse(String),
}

impl Store {
    /// Makes the root account, the built-in catalogues, and a user who may do everything with a token that may so too.
    ///
    /// One transaction, one revision of the platform's ledger. `None` if it has been done before, whoever is left of
    /// it; of several processes that try together one does it.
    pub async fn bootstrap(
        &self,
        first: Bootstrap,
        keys: &KeyRing,
    ) -> Result<Option<Bootstrapped>, BootstrapError> {
        let clock = self.clock();
        let account = AccountId::new(&**clock);
        let made =
            Bootstrapped { account, user: UserId::new(&**clock), token: TokenId::new(&**clock) };
        let files = built_in()?;
        let opening = opening(account, Arc::new(nothing(account, &files)?));
        let Some(mut tx) = self.begin_first(opening).await? else { return Ok(None) };
        let now = tx.now();
        let digest = first.digest;
        tx.put(created(
            account,
            ChangeKind::AccountCreate,
            Image::Account(root(made, &first, now)),
        ))?;
        for file in files {
            tx.put(created(account, ChangeKind::CatalogueApply, Image::Catalogue(file)))?;
        }
        tx.put(created(account, ChangeKind::UserCreate, Image::User(user(made, first, now))))?;
        tx.put(created(account, ChangeKind::RoleAssign, Image::RoleGrant(grant(made, now))))?;
        tx.put(created(account, ChangeKind::TokenCreate, Image::ApiToken(api_token(made, now))))?;
        tx.set_digest(made.token, digest);
        mark(&tx, keys).await?;
        tx.commit(serde_json::Value::Null).await?;
        Ok(Some(made))
    }

    /// Tells whether `keys` are those of the bootstrap, under which all tokens here stand. Asked on the probe's connection.
    pub async fn fits(&self, keys: &KeyRing) -> Result<bool, Error> {
        let kept =
            service_state::Entity::find_by_id(KEY_CHECK).one(self.probe_connection()).await?;
        Ok(kept.is_none_or(|kept| kept.value == key_check(keys)))
    }

    /// Applies the built-in catalogue files that the store has in an older version, or lacks; returns their names.
    ///
    /// Each is an entry of the platform's ledger. A store that has not been bootstrapped gets them then.
    pub async fn update_catalogues(&self) -> Result<Vec<String>, BootstrapError> {
        let Some(root) = self.root().await? else { return Ok(Vec::new()) };
        let mut tries = 0;
        loop {
            let world = self.world(root).await?;
            let newer = newer(built_in()?, &world.catalogues);
            if newer.is_empty() {
                return Ok(Vec::new());
            }
            // Compiled from what will be: rights are not asked here, and that all files fit together is.
            let catalogue = Arc::new(Catalogue::build(&merged(&world.catalogues, &newer))?);
            // What cannot be read any more gives nobody anything that could go.
            if let Ok(old) = Catalogue::build(&world.catalogues)
                && let Some(why) = obstacle(self.loads(), &old, &catalogue).await?
            {
                return Err(BootstrapError::InUse(why));
            }
            let snapshot = Snapshot::build(catalogue, world.facts()).map_err(Error::from)?;
            match self.apply(root, Arc::new(snapshot), &newer).await {
                Err(Error::Stale { .. }) if tries < TRIES => tries += 1,
                Err(error) => return Err(error.into()),
                Ok(_) => return Ok(newer.into_iter().map(|(_, new)| new.name).collect()),
            }
        }
    }

    async fn apply(
        &self,
        root: AccountId,
        snapshot: Arc<Snapshot>,
        files: &[(Option<CatalogueFile>, CatalogueFile)],
    ) -> Result<Option<Committed>, Error> {
        // Without a request's name there is nothing that it could repeat.
        let Begun::Fresh(mut tx) = self.begin(opening(root, snapshot)).await? else {
            return Ok(None);
        };
        for (old, new) in files {
            tx.put(Change {
                account: root,
                kind: ChangeKind::CatalogueApply,
                before: old.clone().map(Image::Catalogue),
                after: Some(Image::Catalogue(new.clone())),
            })?;
        }
        tx.commit(serde_json::Value::Null).await.map(Some)
    }
}

/// Pairs each file that is to be applied with what it replaces. An equal version with another text is one that was
/// made while the version was being written.
fn newer(
    ours: Vec<CatalogueFile>,
    kept: &[CatalogueFile],
) -> Vec<(Option<CatalogueFile>, CatalogueFile)> {
    let paired = ours.into_iter().map(|new| {
        let old = kept.iter().find(|old| old.name == new.name);
        (old.cloned(), new)
    });
    paired
        .filter(|(old, new)| {
            old.as_ref().is_none_or(|old| old.version <= new.version && old.yaml != new.yaml)
        })
        .collect()
}

fn merged(
    kept: &[CatalogueFile],
    newer: &[(Option<CatalogueFile>, CatalogueFile)],
) -> Vec<CatalogueFile> {
    let replaced = |old: &CatalogueFile| newer.iter().any(|(_, new)| new.name == old.name);
    let stay = kept.iter().filter(|old| !replaced(old)).cloned();
    stay.chain(newer.iter().map(|(_, new)| new.clone())).collect()
}

async fn mark(tx: &Tx, keys: &KeyRing) -> Result<(), Error> {
    let row =
        service_state::ActiveModel { key: Set(KEY_CHECK.to_owned()), value: Set(key_check(keys)) };
    service_state::Entity::insert(row).exec_without_returning(&tx.db).await?;
    Ok(())
}

fn key_check(keys: &KeyRing) -> String {
    chain::hex(&token::digest(keys, KEY_LABEL))
}

fn opening(tenant: AccountId, snapshot: Arc<Snapshot>) -> Opening {
    Opening {
        tenant,
        there: Arc::clone(&snapshot),
        home: snapshot,
        actor: None,
        acting_as: None,
        source: SOURCE.to_owned(),
        rpc: SOURCE,
        request_id: None,
        body_mac: [0; 32],
        dry_run: false,
    }
}

fn nothing(tenant: AccountId, files: &[CatalogueFile]) -> Result<Snapshot, BootstrapError> {
    let catalogue = Arc::new(Catalogue::build(files)?);
    let facts = Facts {
        tenant: Some(tenant),
        revision: Revision::default(),
        head: chain::first(&tenant.to_string()),
        ..Facts::default()
    };
    Ok(Snapshot::build(catalogue, facts).map_err(Error::from)?)
}

fn created(account: AccountId, kind: ChangeKind, image: Image) -> Change {
    Change { account, kind, before: None, after: Some(image) }
}

fn root(made: Bootstrapped, first: &Bootstrap, now: DateTime<Utc>) -> Account {
    Account {
        id: made.account,
        parent: None,
        tenant: made.account,
        display_name: first.account_name.clone(),
        email: None,
        login_alias: None,
        role: None,
        status: AccountStatus::Active,
        suspended_from: None,
        quarantined_from: None,
        created_by: None,
        create_time: now,
        update_time: now,
    }
}

fn user(made: Bootstrapped, first: Bootstrap, now: DateTime<Utc>) -> User {
    User {
        id: made.user,
        account: made.account,
        parent: None,
        kind: first.kind,
        user_name: first.user_name,
        first_name: String::new(),
        last_name: String::new(),
        full_name: String::new(),
        email: None,
        phone_number: String::new(),
        regional_settings: RegionalSettings::default(),
        enabled: true,
        sso: false,
        application: None,
        create_time: now,
        update_time: now,
        delete_time: None,
        session_marks: SessionMarks::default(),
        identity: None,
    }
}

fn grant(made: Bootstrapped, now: DateTime<Utc>) -> RoleGrant {
    RoleGrant {
        user: made.user,
        account: made.account,
        role: RoleRef::BuiltIn(EVERYTHING.into()),
        scope: None,
        expire_time: None,
        create_time: now,
        created_by: None,
    }
}

/// The token may do whatever its user may: a lone `*`, without which it could mint no other.
fn api_token(made: Bootstrapped, now: DateTime<Utc>) -> ApiToken {
    ApiToken {
        id: made.token,
        user: made.user,
        account: made.account,
        display_name: "bootstrap".to_owned(),
        scopes: vec!["*".to_owned()],
        expanded: vec!["*".to_owned()],
        created_by: None,
        origin: None,
        create_time: now,
        expire_time: None,
        key: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::secret;
    use crate::model::SystemClock;
    use crate::store::StoreConfig;

    #[tokio::test]
    async fn an_older_catalogue_is_replaced_by_an_entry_of_the_ledger_and_a_newer_one_stays() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("c.db").display());
        let config = StoreConfig { url, ..StoreConfig::default() };
        let store = Store::open(&config, Arc::new(SystemClock)).await.unwrap();
        store.migrate().await.unwrap();
        assert!(store.update_catalogues().await.unwrap().is_empty(), "before there is a root");
        let keys = KeyRing::load_or_create(&folder.path().join("key"), secret::system).unwrap();
        let first = Bootstrap {
            account_name: "Platform".to_owned(),
            user_name: "admin".to_owned(),
            kind: UserKind::Service,
            digest: [7; 32],
        };
        let made = store.bootstrap(first.clone(), &keys).await.unwrap().unwrap();
        assert!(store.bootstrap(first, &keys).await.unwrap().is_none());
        assert!(store.fits(&keys).await.unwrap());

        let root = made.account;
        let kept = store.world(root).await.unwrap().catalogues;
        assert_eq!(kept.len(), 4);
        let other = |name: &str, version| {
            let yaml = format!("catalogue: {name}\nversion: {version}\n");
            let old = kept.iter().find(|file| file.name == name).cloned();
            (old, CatalogueFile { name: name.to_owned(), version, yaml })
        };
        let changed = [other("ringcx", 0), other("voximplant", 1_000)];
        let snapshot = Arc::new(snapshot(&store, root).await);
        store.apply(root, snapshot, &changed).await.unwrap();

        assert_eq!(store.update_catalogues().await.unwrap(), ["ringcx"]);
        assert!(store.update_catalogues().await.unwrap().is_empty());
        let entries = store.entries(root, Revision(2), 10).await.unwrap();
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].change.kind, ChangeKind::CatalogueApply);
        store.close().await.unwrap();
    }

    #[tokio::test]
    async fn a_catalogue_that_drops_a_suppressing_role_is_not_installed() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("c.db").display());
        let config = StoreConfig { url, ..StoreConfig::default() };
        let store = Store::open(&config, Arc::new(SystemClock)).await.unwrap();
        store.migrate().await.unwrap();
        let keys = KeyRing::load_or_create(&folder.path().join("key"), secret::system).unwrap();
        let first = Bootstrap {
            account_name: "Platform".to_owned(),
            user_name: "admin".to_owned(),
            kind: UserKind::Service,
            digest: [7; 32],
        };
        let root = store.bootstrap(first, &keys).await.unwrap().unwrap().account;
        let kept = store.world(root).await.unwrap().catalogues;
        let old = kept.into_iter().find(|file| file.name == "ringcx").unwrap();
        let banished = "\nroles:\n  BANISHED: { suppress: true, assignable_to: [admin] }\n";
        let yaml = old.yaml.replacen("\nroles:\n", banished, 1);
        let yaml = yaml.replacen(&format!("version: {}", old.version), "version: 0", 1);
        let before = CatalogueFile { version: 0, yaml, ..old.clone() };
        let held = Arc::new(snapshot(&store, root).await);
        store.apply(root, held, &[(Some(old), before)]).await.unwrap();
        let refused = store.update_catalogues().await.unwrap_err();
        assert!(matches!(&refused, BootstrapError::InUse(why) if why.contains("BANISHED")));
        store.close().await.unwrap();
    }

    async fn snapshot(store: &Store, root: AccountId) -> Snapshot {
        let world = store.world(root).await.unwrap();
        let catalogue = Arc::new(Catalogue::build(&world.catalogues).unwrap());
        Snapshot::build(catalogue, world.facts()).unwrap()
    }
}
