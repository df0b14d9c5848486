//! `WatchChanges`: which objects change, as it happens, to whoever may know, and nothing left out or told twice.

mod audit;
mod client;
mod ends;
mod history;
mod resumes;

use std::time::Duration;

use chancery::proto::v1 as pb;
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt as _;

use crate::support::{Person, Service, engines, refused};

/// What is sure to come is waited for no longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A watch of an account, and what of it was read last.
#[derive(Debug)]
struct Watch {
    stream: Streaming<pb::WatchChangesResponse>,
    last: String,
}

fn of(account: &str) -> pb::WatchChangesRequest {
    pb::WatchChangesRequest { account_id: account.to_owned(), ..Default::default() }
}

impl Watch {
    /// Opens a stream and reads its first message, which tells where it begins.
    async fn open(
        service: &Service,
        by: &Person,
        request: pb::WatchChangesRequest,
    ) -> Result<Self, Status> {
        let stream = service.authorization(by).watch_changes(request).await?.into_inner();
        let mut watch = Self { stream, last: String::new() };
        let first = watch.read().await?;
        assert!(first.heartbeat && first.changes.is_empty(), "{first:?}");
        Ok(watch)
    }

    async fn read(&mut self) -> Result<pb::WatchChangesResponse, Status> {
        let next = tokio::time::timeout(PATIENCE, self.stream.message()).await;
        let message = next.expect("the stream says nothing")?.expect("it never just ends");
        self.last.clone_from(&message.consistency_token);
        Ok(message)
    }

    /// Reads the next message of a write.
    async fn write(&mut self) -> Result<pb::WatchChangesResponse, Status> {
        loop {
            let message = self.read().await?;
            if !message.heartbeat {
                return Ok(message);
            }
        }
    }

    /// Reads until the stream ends; returns why.
    async fn end(&mut self) -> Status {
        loop {
            if let Err(status) = self.read().await {
                return status;
            }
        }
    }
}

fn kinds(message: &pb::WatchChangesResponse) -> Vec<&str> {
    message.changes.iter().map(|change| change.kind.as_str()).collect()
}

async fn rename(service: &Service, account: &str, name: &str) -> String {
    let request = pb::UpdateAccountRequest {
        account: Some(pb::Account {
            account_id: account.to_owned(),
            display_name: Some(name.to_owned()),
            ..Default::default()
        }),
        ..Default::default()
    };
    let done = service.accounts(&service.root).update_account(request).await.unwrap();
    done.into_inner().consistency_token
}

/// A tenant with somebody who watches it.
async fn watched(service: &Service) -> (String, Person) {
    let acme = service.tenant("Acme").await;
    let eve = service.machine(&acme, "eve", &["DECISION_EXPLORER"]).await;
    (acme, eve)
}

#[tokio::test]
async fn each_write_is_told_by_the_token_that_it_was_answered_with() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (acme, eve) = watched(&service).await;
        let mut watch = Watch::open(&service, &eve, of("")).await.unwrap();
        let token = rename(&service, &acme, "Secret plans").await;
        let told = watch.write().await.unwrap();
        assert_eq!(told.consistency_token, token);
        assert_eq!(told.time.unwrap().seconds, crate::support::beginning().timestamp());
        let changed = pb::ChangedEntity {
            kind: "account.update".to_owned(),
            entity: format!("account/{acme}"),
            account_id: acme.clone(),
        };
        assert_eq!(told.changes, [changed]);
        assert!(!format!("{told:?}").contains("Secret"), "what it was is not told");

        let bob = service.person(&acme, "bob", &["USER"]).await;
        let told = watch.write().await.unwrap();
        assert_eq!(kinds(&told), ["user.create", "role.assign"]);
        assert_eq!(told.changes[0].entity, format!("user/{}", bob.user_id));
        let told_next = watch.write().await.unwrap();
        assert_eq!(told_next.revision, told.revision + 1, "the token's own write");
        // What another server writes is told here too.
        let replica = service.replica().await;
        let token = rename(&replica, &acme, "Elsewhere").await;
        assert_eq!(watch.write().await.unwrap().consistency_token, token);
        replica.stop().await;
    }
}

#[tokio::test]
async fn a_quiet_stream_says_every_second_how_far_it_is_and_how_far_the_platform() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (acme, eve) = watched(&service).await;
        let mut watch = Watch::open(&service, &eve, of(&acme)).await.unwrap();
        let begun = watch.last.clone();
        let beat = watch.read().await.unwrap();
        assert!(beat.heartbeat && beat.consistency_token == begun, "{beat:?}");
        // What the platform changes is in no write of the tenant.
        let root = service.root.account_id.clone();
        service.person(&root, "op", &["OPERATOR"]).await;
        while watch.read().await.unwrap().consistency_token == begun {}
        assert_eq!(watch.read().await.unwrap().revision, beat.revision);
    }
}

#[tokio::test]
async fn what_lies_outside_a_watchers_reach_is_left_out_and_the_token_goes_on() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (acme, eve) = watched(&service).await;
        let below = service.account(&acme, "Below").await;
        let far = service.account(&below, "Far").await;
        // Whose right is to the own account alone.
        let role = pb::Role {
            name: Some("near_watcher".to_owned()),
            permits: vec!["change.watch".to_owned()],
            assignable_to: vec![pb::Holder::Service.into()],
            on: Some(pb::Relation::Account.into()),
            ..Default::default()
        };
        let request = pb::CreateRoleRequest {
            account_id: acme.clone(),
            role: Some(role),
            ..Default::default()
        };
        service.roles(&service.root).create_role(request).await.unwrap();
        let near = service.machine(&acme, "near", &["near_watcher"]).await;
        let low = service.machine(&below, "low", &["DECISION_EXPLORER"]).await;
        let all = pb::WatchChangesRequest { subtree: true, ..of(&acme) };
        let mut watches = Vec::new();
        for (by, request) in [
            (&eve, all.clone()),
            (&eve, of(&acme)),
            (&near, all.clone()),
            (&low, pb::WatchChangesRequest { subtree: true, ..of(&below) }),
            (&eve, of(&far)),
        ] {
            watches.push(Watch::open(&service, by, request).await.unwrap());
        }
        for (account, seen) in [
            (&acme, [true, true, true, false, false]),
            (&below, [true, false, false, true, false]),
            (&far, [true, false, false, true, true]),
        ] {
            let token = rename(&service, account, "Renamed").await;
            for (watch, seen) in watches.iter_mut().zip(seen) {
                let told = watch.write().await.unwrap();
                assert_eq!(told.consistency_token, token);
                assert_eq!(!told.changes.is_empty(), seen, "{account}: {told:?}");
            }
        }
        // The platform's own changes are the platform's own to watch.
        let root = service.root.account_id.clone();
        refused(Watch::open(&service, &eve, of(&root)).await, Code::NotFound, "ACCOUNT_NOT_FOUND");
        let mut watch = Watch::open(&service, &service.root, of(&root)).await.unwrap();
        service.tenant("Umbrella").await;
        assert_eq!(kinds(&watch.write().await.unwrap()), ["tenant.open"]);
        let mut far = Watch::open(&service, &service.root, of(&far)).await.unwrap();
        rename(&service, &acme, "Again").await;
        assert!(far.write().await.unwrap().changes.is_empty());
    }
}

#[tokio::test]
async fn who_may_not_watch_is_refused() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (acme, _) = watched(&service).await;
        let umbrella = service.tenant("Umbrella").await;
        let bob = service.person(&acme, "bob", &["USER"]).await;
        let denied = Watch::open(&service, &bob, of(&acme)).await;
        refused(denied, Code::PermissionDenied, "ACCESS_DENIED");
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let foreign = Watch::open(&service, &boss, of(&umbrella)).await;
        refused(foreign, Code::NotFound, "ACCOUNT_NOT_FOUND");
        for token in ["x", "AQ"] {
            let request = pb::WatchChangesRequest { resume_after: token.to_owned(), ..of(&acme) };
            refused(
                Watch::open(&service, &boss, request).await,
                Code::InvalidArgument,
                "INVALID_FIELD",
            );
        }
        let request = pb::WatchChangesRequest {
            resume_after: rename(&service, &umbrella, "Other").await,
            ..of(&acme)
        };
        refused(
            Watch::open(&service, &boss, request).await,
            Code::InvalidArgument,
            "INVALID_FIELD",
        );
    }
}

#[tokio::test]
async fn what_one_write_changes_comes_in_parts_that_stand_for_one() {
    for engine in engines() {
        let acme = crate::user::Acme::start(&engine).await;
        let service = &acme.service;
        let mut watch = Watch::open(service, &acme.boss, of(&acme.account)).await.unwrap();
        let before = watch.last.clone();
        acme.crowd(&acme.boss.user_id, 900).await;
        let first = watch.write().await.unwrap();
        assert!(first.more && first.consistency_token == before, "{first:?}");
        // Broken off here, it is told anew as a whole.
        let again = pb::WatchChangesRequest { resume_after: before, ..of(&acme.account) };
        let mut again = Watch::open(service, &acme.boss, again).await.unwrap();
        let rest = watch.write().await.unwrap();
        assert!(!rest.more && rest.revision == first.revision);
        assert_eq!(first.changes.len() + rest.changes.len(), 900);
        let whole = [again.write().await.unwrap(), again.write().await.unwrap()];
        let whole: Vec<_> = whole.iter().flat_map(|part| part.changes.clone()).collect();
        assert_eq!(whole, [first.changes, rest.changes].concat());
        assert_eq!(watch.last, again.last);
    }
}

#[tokio::test]
async fn one_caller_has_eight_streams_and_gets_them_back() {
    for engine in engines() {
        let service = Service::start(&engine).await;
        let (acme, eve) = watched(&service).await;
        let mut open = Vec::new();
        for _ in 0..8 {
            open.push(Watch::open(&service, &eve, of(&acme)).await.unwrap());
        }
        let status = refused(
            Watch::open(&service, &eve, of(&acme)).await,
            Code::ResourceExhausted,
            "OVERLOADED",
        );
        assert!(status.get_error_details().retry_info().is_some());
        assert!(Watch::open(&service, &service.root, of(&acme)).await.is_ok());
        open.truncate(7);
        let began = std::time::Instant::now();
        // That its reader has gone, a server hears a moment later.
        while Watch::open(&service, &eve, of(&acme)).await.is_err() {
            assert!(began.elapsed() < PATIENCE);
        }
    }
}
