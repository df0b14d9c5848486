//! Accounts: creating, reading, changing, their states, roles and moves, and who may do each.

mod create;
mod list;
mod moves;
mod quarantined;
mod restcomm;
mod roles;
mod same;
mod states;
mod stops;
mod update;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery::decision::Snapshot;
use chancery::model::catalogue::{Catalogue, CatalogueFile};
use chancery::model::{
    AccountId, Change, ChangeKind, Image, RegionalSettings, Revision, SessionMarks, User, UserId,
    UserKind,
};
use chancery::proto::v1 as pb;
use chancery::store::{Begun, Opening, World};
use tonic::{Code, Status};
use uuid::Uuid;

use crate::support::{Person, Service, ask};

/// A machine that does much else may be slow.
const PATIENCE: Duration = Duration::from_mins(1);

/// A platform with one tenant: `top`, below it `left` and `right`, and `low` below `left`.
struct Tree {
    service: Service,
    /// Of the root account, with all rights over accounts and few others.
    operator: Person,
    top: String,
    left: String,
    low: String,
    right: String,
    /// Super user of `top`.
    ann: Person,
    /// Reads everything in `top` and below, changes nothing.
    reader: Person,
}

impl Tree {
    async fn grow(engine: &crate::support::Engine) -> Self {
        Self::of(Service::start(engine).await).await
    }

    async fn of(service: Service) -> Self {
        let operator = service.person(&service.root.account_id, "op", &["OPERATOR"]).await;
        let top = service.tenant("Top").await;
        let left = service.account(&top, "Left").await;
        let low = service.account(&left, "Low").await;
        let right = service.account(&top, "Right").await;
        let ann = service.person(&top, "ann", &["SUPER_USER"]).await;
        let reader = service.person(&top, "reader", &["AUDITOR"]).await;
        Self { service, operator, top, left, low, right, ann, reader }
    }

    async fn done(self) {
        for tenant in [&self.top, &self.service.root.account_id] {
            self.service.verify(tenant).await;
        }
        self.service.stop().await;
    }
}

/// What is asked for when an account is made.
fn new(parent: &str, name: &str) -> pb::CreateAccountRequest {
    let account = pb::Account { display_name: Some(name.to_owned()), ..Default::default() };
    with(parent, account)
}

fn with(parent: &str, account: pb::Account) -> pb::CreateAccountRequest {
    let parent_account_id = parent.to_owned();
    pb::CreateAccountRequest { parent_account_id, account: Some(account), ..Default::default() }
}

fn named(name: &str) -> pb::Account {
    pb::Account { display_name: Some(name.to_owned()), ..Default::default() }
}

async fn create(
    service: &Service,
    by: &Person,
    request: pb::CreateAccountRequest,
) -> Result<pb::Account, Status> {
    let made = service.accounts(by).create_account(request).await?.into_inner();
    assert!(!made.consistency_token.is_empty() && made.preview.is_none());
    Ok(made.account.expect("what was just made is shown"))
}

async fn get(service: &Service, by: &Person, id: &str) -> Result<pb::Account, Status> {
    let request = pb::GetAccountRequest { account_id: id.to_owned() };
    let reply = service.accounts(by).get_account(request).await?.into_inner();
    Ok(reply.account.expect("what was asked for"))
}

async fn set_role(
    service: &Service,
    by: &Person,
    id: &str,
    role: &str,
) -> Result<pb::Account, Status> {
    let request = pb::SetAccountRoleRequest {
        account_id: id.to_owned(),
        role: role.to_owned(),
        ..Default::default()
    };
    let reply = service.accounts(by).set_account_role(request).await?.into_inner();
    Ok(reply.account.expect("what was changed"))
}

async fn move_to(
    service: &Service,
    by: &Person,
    id: &str,
    parent: &str,
) -> Result<pb::Account, Status> {
    let request = pb::MoveAccountRequest {
        account_id: id.to_owned(),
        new_parent_account_id: parent.to_owned(),
        ..Default::default()
    };
    let reply = service.accounts(by).move_account(request).await?.into_inner();
    Ok(reply.account.expect("what was moved"))
}

/// The five changes of an account's state, whose requests are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Suspend,
    Resume,
    Close,
    Quarantine,
    Release,
}

impl State {
    const ALL: [Self; 5] =
        [Self::Suspend, Self::Resume, Self::Close, Self::Quarantine, Self::Release];

    /// Asks for it, on the account as it was when it had `etag`.
    async fn at(
        self,
        service: &Service,
        by: &Person,
        id: &str,
        etag: &str,
    ) -> Result<pb::Account, Status> {
        let mut client = service.accounts(by);
        macro_rules! ask {
            ($rpc:ident, $request:ident) => {{
                let request = pb::$request {
                    account_id: id.to_owned(),
                    etag: etag.to_owned(),
                    ..Default::default()
                };
                client.$rpc(request).await?.into_inner().account
            }};
        }
        let account = match self {
            Self::Suspend => ask!(suspend_account, SuspendAccountRequest),
            Self::Resume => ask!(resume_account, ResumeAccountRequest),
            Self::Close => ask!(close_account, CloseAccountRequest),
            Self::Quarantine => ask!(quarantine_account, QuarantineAccountRequest),
            Self::Release => ask!(release_account, ReleaseAccountRequest),
        };
        Ok(account.expect("what was changed"))
    }

    async fn ask(self, service: &Service, by: &Person, id: &str) -> Result<pb::Account, Status> {
        self.at(service, by, id, "").await
    }
}

/// Reads a tenant's revision from the store.
async fn revision(service: &Service, tenant: &str) -> u64 {
    let tenant: AccountId = tenant.parse().unwrap();
    service.store.heads(&[tenant]).await.unwrap()[0].revision.0
}

/// Counts the entries of a tenant's ledger by what they say was done.
async fn entries(service: &Service, tenant: &str) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for entry in
        service.store.entries(tenant.parse().unwrap(), Revision::default(), 10_000).await.unwrap()
    {
        *counts.entry(entry.change.kind.name()).or_default() += 1;
    }
    counts
}

/// One of many users.
pub(crate) fn user(account: &str, n: u128) -> User {
    User {
        id: UserId(Uuid::from_u128(n + 1)),
        account: account.parse().unwrap(),
        parent: None,
        kind: UserKind::Admin,
        user_name: format!("user-{n}"),
        first_name: String::new(),
        last_name: String::new(),
        full_name: String::new(),
        email: None,
        phone_number: String::new(),
        regional_settings: RegionalSettings::default(),
        enabled: true,
        sso: false,
        application: None,
        create_time: crate::support::beginning(),
        update_time: crate::support::beginning(),
        delete_time: None,
        session_marks: SessionMarks::default(),
        identity: None,
    }
}

/// A user comes to be.
pub(crate) fn created(user: User) -> Change {
    let (account, kind) = (user.account, ChangeKind::UserCreate);
    Change { account, kind, before: None, after: Some(Image::User(user)) }
}

/// Makes changes past the API, as the program itself: what no RPC does yet, or what would take too many calls.
pub(crate) async fn put(service: &Service, tenant: &str, changes: Vec<Change>) {
    let root = service.store.world(service.root.account_id.parse().unwrap()).await.unwrap();
    let catalogue = Arc::new(Catalogue::build(&root.catalogues).unwrap());
    let world = service.store.world(tenant.parse().unwrap()).await.unwrap();
    let there = Arc::new(snapshot(catalogue, world));
    let opening = Opening {
        tenant: there.tenant(),
        home: there.clone(),
        there,
        actor: None,
        acting_as: None,
        source: String::new(),
        rpc: "test",
        request_id: None,
        body_mac: [0; 32],
        dry_run: false,
    };
    let Begun::Fresh(mut tx) = service.store.begin(opening).await.unwrap() else { panic!() };
    for change in changes {
        tx.put(change).unwrap();
    }
    tx.commit(serde_json::Value::Null).await.unwrap();
    // Who asks for what is true right now is answered when the service has read it, new catalogues included.
    let mut question = ask(&service.root.user_id, "read", "account", tenant);
    question.consistency =
        Some(pb::Consistency { requirement: Some(pb::consistency::Requirement::Full(true)) });
    let began = Instant::now();
    while let Err(status) = service.authorization(&service.root).authorize(question.clone()).await {
        // Thousands of changes may take it longer than callers are made to wait.
        let late = [Code::Unavailable, Code::DeadlineExceeded].contains(&status.code());
        assert!(late && began.elapsed() < PATIENCE, "{status:?}");
    }
}

fn snapshot(catalogue: Arc<Catalogue>, world: World) -> Snapshot {
    Snapshot::build(catalogue, world.facts()).unwrap()
}

/// Applies a catalogue, as a later RPC will.
pub(crate) async fn apply(service: &Service, yaml: &str) {
    let file = CatalogueFile::read(yaml.to_owned()).unwrap();
    let root = service.root.account_id.clone();
    let change = Change {
        account: root.parse().unwrap(),
        kind: ChangeKind::CatalogueApply,
        before: None,
        after: Some(Image::Catalogue(file)),
    };
    put(service, &root, vec![change]).await;
}

/// Roles between nothing and everything, which the built-in catalogues do not have for accounts.
const HOUSE: &str = r#"
catalogue: house
version: 1
uses: [core]
resource_types:
  shelf: { in: [account], actions: [read, fill], shared_down: [read] }
roles:
  Reseller:
    description: Manages accounts below, and their users
    assignable_to: [account]
    reach: subtree
    "on": account
    permits: ["account.*", "user.*", "role.*", "api_token.*"]
  Mover:
    description: Moves accounts
    assignable_to: [admin]
    reach: subtree
    permits: [account.read, account.move]
  Clerk:
    description: Reads shelves
    assignable_to: [admin]
    permits: [shelf.read]
  Keeper:
    description: Moves accounts and reads shelves
    assignable_to: [admin]
    reach: subtree
    permits: [account.read, account.move, shelf.read]
"#;
