//! A store on an engine of its own, with a platform, a tenant and two users.

use chancery::crypto::chain;
use chancery::decision::{Access, Ask, Caller, Facts, Fields, Rule, Snapshot};
use chancery::model::catalogue::Catalogue;
use chancery::model::{
    Account, AccountId, AccountStatus, ApiToken, Change, ChangeKind, Clock, CustomRole, HeldClock,
    Holder, Image, Reach, RegionalSettings, Relation, Revision, RoleGrant, RoleId, RoleRef,
    SessionMarks, TokenId, User, UserId, UserKind,
};
use chancery::store::{Begun, Opening, Outcome, Store, StoreConfig, Tx};
use chrono::{DateTime, TimeDelta};
use sea_orm::ConnectionTrait as _;
use serde_json::json;
use std::sync::Arc;
use uuid::Uuid;

use crate::support::{Engine, engines};

/// Only the Postgres of the tests, if there is one.
pub(super) fn postgres() -> Vec<Engine> {
    engines().into_iter().filter(|engine| matches!(engine, Engine::Postgres(_))).collect()
}

/// A database that nobody else uses.
pub(super) struct Database {
    pub(super) url: String,
    _dir: tempfile::TempDir,
}

impl Database {
    pub(super) async fn fresh(engine: &Engine) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = engine.fresh(&dir).await;
        Self { url, _dir: dir }
    }

    pub(super) async fn open(&self, clock: Arc<HeldClock>) -> Store {
        let config = StoreConfig { url: self.url.clone(), ..StoreConfig::default() };
        Store::open(&config, clock).await.unwrap()
    }

    /// Does what the store never would.
    pub(super) async fn meddle(&self, sql: &str) {
        let db = sea_orm::Database::connect(&self.url).await.unwrap();
        db.execute_unprepared(sql).await.unwrap();
    }
}

pub(super) fn random() -> Uuid {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).unwrap();
    Uuid::from_bytes(bytes)
}

pub(super) fn clock() -> Arc<HeldClock> {
    Arc::new(HeldClock::at(DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap()))
}

/// A store with a root account, its administrator, and one tenant with two users.
pub(super) struct World {
    pub(super) database: Database,
    pub(super) clock: Arc<HeldClock>,
    pub(super) store: Store,
    pub(super) root: AccountId,
    pub(super) admin: User,
    pub(super) platform: Arc<Snapshot>,
    pub(super) tenant: AccountId,
    pub(super) there: Arc<Snapshot>,
    pub(super) ann: User,
}

pub(super) fn empty(tenant: AccountId) -> Arc<Snapshot> {
    let facts =
        Facts { tenant: Some(tenant), head: chain::first(&tenant.to_string()), ..Facts::default() };
    Arc::new(Snapshot::build(catalogue(), facts).unwrap())
}

pub(super) fn catalogue() -> Arc<Catalogue> {
    Arc::new(Catalogue::build(&chancery::model::catalogue::built_in().unwrap()).unwrap())
}

pub(super) async fn load(store: &Store, tenant: AccountId) -> Arc<Snapshot> {
    let world = store.world(tenant).await.unwrap();
    Arc::new(Snapshot::build(catalogue(), world.facts()).unwrap())
}

pub(super) fn opening(there: &Arc<Snapshot>) -> Opening {
    Opening {
        tenant: there.tenant(),
        there: Arc::clone(there),
        home: Arc::clone(there),
        actor: None,
        acting_as: None,
        source: "test".to_owned(),
        rpc: "Test.Write",
        request_id: None,
        body_mac: [0; 32],
        dry_run: false,
    }
}

pub(super) async fn begin(store: &Store, opening: Opening) -> Box<Tx> {
    match store.begin(opening).await.unwrap() {
        Begun::Fresh(tx) => tx,
        Begun::Repeat(outcome) => panic!("a repeat: {outcome:?}"),
    }
}

/// Opens a write and has its caller judged by a rule that lets everybody pass who is signed in.
pub(super) async fn begin_as(
    user: &User,
    tenant: AccountId,
    store: &Store,
    opening: Opening,
) -> Box<Tx> {
    let opening = Opening { actor: Some(user.id), ..opening };
    let mut tx = begin(store, opening).await;
    judge(&mut tx, user, tenant);
    tx
}

pub(super) fn judge(tx: &mut Tx, user: &User, tenant: AccountId) {
    let method = Arc::from("/test/Write");
    let rule = Rule { method, mutates: true, defaults: Vec::new(), access: Access::Own };
    let ask = Ask::new(Arc::new(rule), Fields::new(), None);
    tx.judge(&caller(user, tenant), &ask).unwrap();
}

pub(super) fn caller(user: &User, tenant: AccountId) -> Caller {
    Caller {
        user: user.id,
        account: user.account,
        tenant,
        kind: user.kind,
        token: None,
        session: None,
        actor: None,
        limits: None,
    }
}

pub(super) fn repeat(begun: Begun) -> Outcome {
    match begun {
        Begun::Fresh(_) => panic!("not a repeat"),
        Begun::Repeat(outcome) => outcome,
    }
}

pub(super) fn account(clock: &HeldClock, parent: Option<&Account>, name: &str) -> Account {
    let id = AccountId::new(clock);
    let tenant = match parent {
        Some(parent) if parent.parent.is_some() => parent.tenant,
        _ => id,
    };
    Account {
        id,
        parent: parent.map(|parent| parent.id),
        tenant,
        display_name: name.to_owned(),
        email: None,
        login_alias: None,
        role: None,
        status: AccountStatus::Active,
        suspended_from: None,
        quarantined_from: None,
        created_by: None,
        create_time: clock.now(),
        update_time: clock.now(),
    }
}

pub(super) fn user(clock: &HeldClock, account: AccountId, name: &str) -> User {
    User {
        id: UserId::new(clock),
        account,
        parent: None,
        kind: UserKind::Admin,
        user_name: name.to_owned(),
        first_name: "Ann".to_owned(),
        last_name: "Ö\"'".to_owned(),
        full_name: String::new(),
        email: Some("Ann@example.com".to_owned()),
        phone_number: "+1".to_owned(),
        regional_settings: RegionalSettings { language: "de".to_owned(), ..Default::default() },
        enabled: true,
        sso: false,
        application: None,
        create_time: clock.now(),
        update_time: clock.now(),
        delete_time: None,
        session_marks: SessionMarks::default(),
        identity: None,
    }
}

pub(super) fn grant(user: &User, role: &str, scope: Option<String>) -> RoleGrant {
    RoleGrant {
        user: user.id,
        account: user.account,
        role: role.parse().unwrap(),
        scope,
        expire_time: Some(user.create_time + TimeDelta::microseconds(7)),
        create_time: user.create_time,
        created_by: None,
    }
}

pub(super) fn token(clock: &HeldClock, user: &User) -> ApiToken {
    ApiToken {
        id: TokenId::new(clock),
        user: user.id,
        account: user.account,
        display_name: "laptop".to_owned(),
        scopes: vec!["*".to_owned()],
        expanded: vec!["*".to_owned()],
        created_by: Some(user.id),
        origin: None,
        create_time: clock.now(),
        expire_time: None,
        key: None,
    }
}

pub(super) fn role(clock: &HeldClock, account: AccountId) -> CustomRole {
    CustomRole {
        id: RoleId::new(clock),
        account,
        name: "helpers".to_owned(),
        description: "they help".to_owned(),
        permits: vec!["user.read".to_owned()],
        except: vec!["user.delete".to_owned()],
        includes: vec![RoleRef::BuiltIn("core/MANAGE_USERS".into())],
        reach: Reach::Subtree,
        on: Some(Relation::Own),
        when: Some("true".to_owned()),
        assignable_to: vec![Holder::Admin],
        active: true,
        create_time: clock.now(),
        update_time: clock.now(),
    }
}

pub(super) fn made(account: AccountId, kind: ChangeKind, image: Image) -> Change {
    Change { account, kind, before: None, after: Some(image) }
}

pub(super) fn made_user(user: &User) -> Change {
    made(user.account, ChangeKind::UserCreate, Image::User(user.clone()))
}

pub(super) fn made_grant(grant: &RoleGrant) -> Change {
    made(grant.account, ChangeKind::RoleAssign, Image::RoleGrant(grant.clone()))
}

pub(super) fn became(before: &User, after: &User) -> Change {
    Change {
        account: after.account,
        kind: ChangeKind::UserUpdate,
        before: Some(Image::User(before.clone())),
        after: Some(Image::User(after.clone())),
    }
}

pub(super) fn gone(account: AccountId, kind: ChangeKind, image: Image) -> Change {
    Change { account, kind, before: Some(image), after: None }
}

impl World {
    pub(super) async fn new(engine: &Engine) -> Self {
        let database = Database::fresh(engine).await;
        let clock = clock();
        let store = database.open(clock.clone()).await;
        store.migrate().await.unwrap();
        assert_eq!(store.root().await.unwrap(), None);

        let top = account(&clock, None, "platform");
        let admin = user(&clock, top.id, "admin");
        let mut tx = store.begin_first(opening(&empty(top.id))).await.unwrap().unwrap();
        tx.put(made(top.id, ChangeKind::Bootstrap, Image::Account(top.clone()))).unwrap();
        for file in chancery::model::catalogue::built_in().unwrap() {
            tx.put(made(top.id, ChangeKind::CatalogueApply, Image::Catalogue(file))).unwrap();
        }
        tx.put(made_user(&admin)).unwrap();
        let first = tx.commit(json!({})).await.unwrap();
        assert_eq!((first.revision, first.token.platform), (Revision(1), Revision(1)));

        let main = account(&clock, Some(&top), "main");
        let mut tx = begin(&store, opening(&first.snapshot)).await;
        tx.open_tenant(main.clone()).unwrap();
        let second = tx.commit(json!({})).await.unwrap();
        assert_eq!(second.opened.unwrap().tenant, main.id);

        let ann = user(&clock, main.id, "Ann");
        let mut tx = begin(&store, opening(&load(&store, main.id).await)).await;
        tx.put(made_user(&ann)).unwrap();
        let third = tx.commit(json!({})).await.unwrap();
        assert_eq!((third.revision, third.token.platform), (Revision(2), Revision(2)));
        Self {
            database,
            clock,
            store,
            root: top.id,
            admin,
            platform: second.snapshot,
            tenant: main.id,
            there: third.snapshot,
            ann,
        }
    }

    pub(super) async fn begin(&self) -> Box<Tx> {
        begin(&self.store, opening(&self.there)).await
    }

    /// Both ledgers are whole, and say what the rows say.
    pub(super) async fn is_sound(&self) {
        for tenant in [self.root, self.tenant] {
            let verified = self.store.verify(tenant).await.unwrap();
            assert_eq!(verified.faults, [], "{tenant}");
            let head = self.store.heads(&[tenant]).await.unwrap().remove(0);
            assert_eq!((head.revision, head.hash), (verified.revision, verified.head));
        }
    }
}

pub(super) fn shown(snapshot: &Snapshot) -> (Revision, [u8; 32]) {
    (snapshot.revision(), *snapshot.head())
}
