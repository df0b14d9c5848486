//! The User service, RPC by RPC, with the foundation cases of the source systems among them (`r01_…`).

use std::sync::Arc;

use chancery::decision::Snapshot;
use chancery::model::catalogue::{Catalogue, built_in};
use chancery::model::{
    AccountId, Change, ChangeKind, Image, RegionalSettings, SessionMarks, User, UserId, UserKind,
};
use chancery::proto::v1 as pb;
use chancery::store::{Begun, Opening};
use chrono::{DateTime, Utc};
use tonic::{Code, Status};

use super::support::{Engine, Person, Service, engines, refused};

mod create;
mod delete;
mod invited;
mod list;
mod moving;
mod seeds;
mod standing;
mod undelete;
mod update;

/// A tenant with somebody who may do everything in it, and below him somebody who manages users.
pub(crate) struct Acme {
    pub(crate) service: Service,
    pub(crate) account: String,
    pub(crate) boss: Person,
    manager: Person,
}

impl Acme {
    pub(crate) async fn start(engine: &Engine) -> Self {
        Self::of(Service::start(engine).await).await
    }

    async fn of(service: Service) -> Self {
        let account = service.tenant("Acme").await;
        let boss = service.person(&account, "boss", &["SUPER_USER"]).await;
        let manager =
            service.person_under(&account, Some(&boss), "manager", &["USER", "MANAGE_USERS"]).await;
        Self { service, account, boss, manager }
    }

    /// Makes somebody below another, with a token.
    async fn below(&self, parent: &Person, name: &str, roles: &[&str]) -> Person {
        self.service.person_under(&self.account, Some(parent), name, roles).await
    }

    /// Reads a user.
    async fn get(&self, by: &Person, id: &str) -> Result<pb::User, Status> {
        let request = pb::GetUserRequest { user_id: id.to_owned() };
        let reply = self.service.users(by).get_user(request).await?;
        Ok(reply.into_inner().user.unwrap())
    }

    async fn delete(&self, by: &Person, id: &str) -> Result<pb::DeleteUserResponse, Status> {
        let request = pb::DeleteUserRequest { user_id: id.to_owned(), ..Default::default() };
        Ok(self.service.users(by).delete_user(request).await?.into_inner())
    }

    async fn disable(&self, by: &Person, id: &str) -> Result<pb::SetUserActiveResponse, Status> {
        let request = pb::SetUserActiveRequest { user_id: id.to_owned(), ..Default::default() };
        Ok(self.service.users(by).set_user_active(request).await?.into_inner())
    }

    async fn move_to(&self, by: &Person, id: &str, to: &str) -> Result<pb::User, Status> {
        let request = pb::MoveUserRequest {
            user_id: id.to_owned(),
            parent_user_id: to.to_owned(),
            ..Default::default()
        };
        let reply = self.service.users(by).move_user(request).await?;
        Ok(reply.into_inner().user.unwrap())
    }

    /// Returns the tenant's revision, as the answer to a read tells it.
    async fn revision(&self) -> u64 {
        let request = pb::GetUserRequest { user_id: self.boss.user_id.clone() };
        let reply = self.service.users(&self.boss).get_user(request).await.unwrap();
        reply.metadata().get("chancery-revision").unwrap().to_str().unwrap().parse().unwrap()
    }

    /// Closes the tenant, which is final.
    async fn close(&self) {
        let request =
            pb::CloseAccountRequest { account_id: self.account.clone(), ..Default::default() };
        self.service.accounts(&self.service.root).close_account(request).await.unwrap();
    }

    /// Puts many users right below one, in few writes; returns their ids in order.
    pub(crate) async fn crowd(&self, parent: &str, count: usize) -> Vec<UserId> {
        let tenant = self.account.parse().unwrap();
        let world = self.service.store.world(tenant).await.unwrap();
        let catalogue = Arc::new(Catalogue::build(&built_in().unwrap()).unwrap());
        let mut there = Arc::new(Snapshot::build(catalogue, world.facts()).unwrap());
        let mut ids = Vec::with_capacity(count);
        while ids.len() < count {
            let opening = opening(&there);
            let begun = self.service.store.begin(opening).await.unwrap();
            let Begun::Fresh(mut tx) = begun else { panic!("a repeat") };
            for _ in 0..(count - ids.len()).min(1_000) {
                let id = UserId::new(&*self.service.clock);
                let user = one_of_many(id, tenant, parent.parse().unwrap(), tx.now());
                let (kind, after) = (ChangeKind::UserCreate, Some(Image::User(user)));
                tx.put(Change { account: tenant, kind, before: None, after }).unwrap();
                ids.push(id);
            }
            let committed = tx.commit(serde_json::Value::Null).await.unwrap();
            there = committed.snapshot;
            self.hears_of(&committed.token.to_string()).await;
        }
        ids
    }

    /// Has the server look at what nobody told it.
    async fn hears_of(&self, token: &str) {
        let request = pb::GetUserRequest { user_id: self.boss.user_id.clone() };
        let mut request = tonic::Request::new(request);
        request.metadata_mut().insert("chancery-at-least", token.parse().unwrap());
        self.service.users(&self.boss).get_user(request).await.unwrap();
    }
}

/// A write by nobody, that is: by the program itself.
fn opening(there: &Arc<Snapshot>) -> Opening {
    Opening {
        tenant: there.tenant(),
        there: there.clone(),
        home: there.clone(),
        actor: None,
        acting_as: None,
        source: "a test".to_owned(),
        rpc: "a test",
        request_id: None,
        body_mac: [0; 32],
        dry_run: false,
    }
}

fn one_of_many(id: UserId, account: AccountId, parent: UserId, now: DateTime<Utc>) -> User {
    User {
        id,
        account,
        parent: Some(parent),
        kind: UserKind::Admin,
        user_name: id.to_string(),
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

/// A user of a name, and nothing else said.
fn named(name: &str) -> pb::User {
    pb::User { user_name: Some(name.to_owned()), ..Default::default() }
}

/// A request for a user in the caller's own account.
fn new(user: pb::User) -> pb::CreateUserRequest {
    pb::CreateUserRequest { user: Some(user), ..Default::default() }
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

/// An id of the right form that nobody has.
fn nobody() -> String {
    "usr_01h455vb4pex5vsknk084sn02q".to_owned()
}

/// A new request id.
fn once() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Checks that `act` refuses whoever has no credential, whoever is of another tenant, and a sibling who does not see.
async fn is_closed_to_strangers<T, F>(acme: &Acme, act: impl Fn(Person) -> F)
where
    T: std::fmt::Debug,
    F: Future<Output = Result<T, Status>>,
{
    let nobody = Person { token: String::new(), ..acme.boss.clone() };
    refused(act(nobody).await, Code::Unauthenticated, "TOKEN_MISSING");
    let other = acme.service.tenant("Other").await;
    let rival = acme.service.person(&other, "rival", &["SUPER_USER"]).await;
    refused(act(rival).await, Code::NotFound, "USER_NOT_FOUND");
    let sibling = acme.below(&acme.boss, "sibling", &["USER", "MANAGE_USERS"]).await;
    refused(act(sibling).await, Code::NotFound, "USER_NOT_FOUND");
}
