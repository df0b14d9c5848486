//! Requests: judged, rehearsed, repeated.

use chancery::model::{ChangeKind, Clock, Revision, User};
use chancery::store::{Begun, Error, Opening};
use chrono::TimeDelta;
use serde_json::json;
use std::collections::BTreeSet;

use super::support::{
    World, account, became, begin, begin_as, caller, grant, judge, made_grant, made_user, opening,
    random, repeat, user,
};
use crate::support::engines;

#[tokio::test]
async fn a_dry_run_shows_all_and_keeps_nothing() {
    for engine in engines() {
        let w = World::new(&engine).await;
        let lock = w.begin().await;
        let request = Some(random());
        let dry = Opening { dry_run: true, request_id: request, ..opening(&w.there) };
        let mut tx = begin(&w.store, dry).await;
        let bob = user(&w.clock, w.tenant, "Bob");
        tx.put(made_user(&bob)).unwrap();
        assert!(tx.is_dry_run() && tx.user(w.ann.id).await.unwrap().is_some());
        let done = tx.commit(json!({})).await.unwrap();
        assert_eq!((done.revision, done.changed), (Revision(2), false));
        assert_eq!(done.token.platform, Revision(2));
        drop(lock);
        assert_eq!(w.store.user(bob.id).await.unwrap(), None);
        let again = Opening { request_id: request, ..opening(&w.there) };
        assert!(matches!(w.store.begin(again).await.unwrap(), Begun::Fresh(_)));
        w.is_sound().await;
    }
}

#[tokio::test]
async fn a_rehearsal_stands_on_the_rows_however_old_the_snapshot_was() {
    for engine in engines() {
        let w = World::new(&engine).await;
        let bob = user(&w.clock, w.tenant, "Bob");
        let mut tx = w.begin().await;
        tx.put(made_user(&bob)).unwrap();
        let known = tx.commit(json!({})).await.unwrap().snapshot;
        let mut tx = begin(&w.store, opening(&known)).await;
        let renamed = User { user_name: "Robert".to_owned(), ..bob.clone() };
        tx.put(became(&bob, &renamed)).unwrap();
        tx.put(made_grant(&grant(&bob, "core/USER", None))).unwrap();
        let newest = tx.commit(json!({})).await.unwrap();

        let dry = Opening { dry_run: true, ..opening(&known) };
        let mut tx = begin_as(&w.ann, w.tenant, &w.store, dry).await;
        tx.offboard_user(&caller(&w.ann, w.tenant), bob.id, &[], "").await.unwrap();
        let taken = tx.changes().iter().filter(|change| change.kind == ChangeKind::RoleRevoke);
        assert_eq!(taken.count(), 1);
        let done = tx.commit(json!({})).await.unwrap();
        assert_eq!((done.revision, done.changed), (newest.revision, false));
        w.is_sound().await;
    }
}

#[tokio::test]
async fn a_request_is_done_once() {
    for engine in engines() {
        let w = World::new(&engine).await;
        let named = |id, body| Opening {
            request_id: Some(id),
            body_mac: [body; 32],
            actor: Some(w.ann.id),
            ..opening(&w.there)
        };
        let (id, nothing) = (random(), random());
        let mut tx = begin_as(&w.ann, w.tenant, &w.store, named(id, 1)).await;
        tx.put(made_user(&user(&w.clock, w.tenant, "Bob"))).unwrap();
        let done = tx.commit(json!({"user": "bob", "n": 1})).await.unwrap();
        let unchanged = begin(&w.store, named(nothing, 1)).await.commit(json!([])).await.unwrap();
        assert_eq!(unchanged.revision, done.revision);

        let again = repeat(w.store.begin(named(id, 1)).await.unwrap());
        assert_eq!(again.value, json!({"user": "bob", "n": 1}));
        assert_eq!(
            (again.tenant, again.revision, again.token),
            (w.tenant, done.revision, done.token)
        );
        let again = repeat(w.store.begin(named(nothing, 1)).await.unwrap());
        assert_eq!((again.value, again.token), (json!([]), unchanged.token));
        for reused in [id, nothing] {
            let error = w.store.begin(named(reused, 2)).await.unwrap_err();
            assert!(matches!(error, Error::RequestIdReused));
        }
        // Another caller, RPC or assumed user may use the same id.
        for other in [
            Opening { actor: None, ..named(id, 1) },
            Opening { rpc: "Test.Other", ..named(id, 1) },
            Opening { acting_as: Some(w.admin.id), ..named(id, 1) },
        ] {
            assert!(matches!(w.store.begin(other).await.unwrap(), Begun::Fresh(_)));
        }
        // A failure is not remembered.
        let failed = random();
        drop(begin(&w.store, named(failed, 1)).await);
        assert!(matches!(w.store.begin(named(failed, 2)).await.unwrap(), Begun::Fresh(_)));

        assert_eq!(w.store.forget_requests(w.clock.now()).await.unwrap(), 0);
        w.clock.advance(TimeDelta::hours(24));
        assert_eq!(w.store.forget_requests(w.clock.now()).await.unwrap(), 2);
        w.is_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_request_ten_times_at_once_is_done_once() {
    for engine in engines() {
        let w = World::new(&engine).await;
        let second = w.database.open(w.clock.clone()).await;
        let bob = user(&w.clock, w.tenant, "Bob");
        let id = random();
        let mut running = Vec::new();
        for n in 0..10 {
            let store = if n % 2 == 0 { w.store.clone() } else { second.clone() };
            let open = Opening { request_id: Some(id), actor: Some(w.ann.id), ..opening(&w.there) };
            let (bob, ann, tenant) = (bob.clone(), w.ann.clone(), w.tenant);
            running.push(tokio::spawn(async move {
                match store.begin(open).await.unwrap() {
                    Begun::Repeat(outcome) => (false, outcome.token),
                    Begun::Fresh(mut tx) => {
                        judge(&mut tx, &ann, tenant);
                        tx.put(made_user(&bob)).unwrap();
                        (true, tx.commit(json!({})).await.unwrap().token)
                    }
                }
            }));
        }
        let mut tokens = BTreeSet::new();
        let mut fresh = 0;
        for one in running {
            let (first, token) = one.await.unwrap();
            fresh += u32::from(first);
            tokens.insert(token.to_string());
        }
        assert_eq!((fresh, tokens.len()), (1, 1));
        w.is_sound().await;
    }
}

#[tokio::test]
async fn nobody_changes_anything_before_being_judged() {
    for engine in engines() {
        let w = World::new(&engine).await;
        let by = |there| Opening { actor: Some(w.admin.id), ..opening(there) };
        let mut tx = begin(&w.store, by(&w.there)).await;
        let error = tx.put(made_user(&user(&w.clock, w.tenant, "Bob"))).unwrap_err();
        assert!(matches!(error, Error::Unjudged));
        drop(tx);
        let top = w.store.account(w.root).await.unwrap().unwrap();
        let mut tx = begin(&w.store, by(&w.platform)).await;
        let error = tx.open_tenant(account(&w.clock, Some(&top), "x")).unwrap_err();
        assert!(matches!(error, Error::Unjudged));
    }
}
