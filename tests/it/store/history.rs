//! The ledger as it is read back.

use chancery::model::{AccountId, Clock, HeldClock, Revision};
use chancery::store::{Error, ObjectId};
use chrono::TimeDelta;
use serde_json::json;
use std::sync::Arc;

use super::support::{World, begin, empty, grant, made_grant, made_user, opening, user};
use crate::support::engines;

#[tokio::test]
async fn entries_come_in_whole_revisions() {
    for engine in engines() {
        let w = World::new(&engine).await;
        let mut tx = w.begin().await;
        for n in 0..5 {
            tx.put(made_user(&user(&w.clock, w.tenant, &format!("u{n}")))).unwrap();
        }
        let _ = tx.commit(json!({})).await.unwrap();
        let mut tx = w.begin().await;
        tx.put(made_user(&user(&w.clock, w.tenant, "v"))).unwrap();
        let _ = tx.commit(json!({})).await.unwrap();
        let lengths = async |after, limit| {
            w.store.entries(w.tenant, Revision(after), limit).await.unwrap().len()
        };
        assert_eq!(lengths(2, 1).await, 5);
        assert_eq!(lengths(2, 5).await, 5);
        assert_eq!(lengths(2, 6).await, 6);
        assert_eq!(lengths(1, 3).await, 1);
        assert_eq!(lengths(0, 100).await, 8);
        assert_eq!(lengths(4, 100).await, 0);
    }
}

#[tokio::test]
async fn another_history_is_told_from_this_one() {
    for engine in engines() {
        let w = World::new(&engine).await;
        let forked = |error| matches!(error, Error::Forked { tenant } if tenant == w.tenant);
        // The store was set back: the snapshot is ahead of it.
        let mut ahead = (*w.there).clone();
        ahead.advance(Revision(3), [9; 32]);
        assert!(forked(w.store.begin(opening(&Arc::new(ahead.clone()))).await.unwrap_err()));
        // And has gone on from there: the snapshot's line is another.
        let mut tx = w.begin().await;
        tx.put(made_user(&user(&w.clock, w.tenant, "Bob"))).unwrap();
        let _ = tx.commit(json!({})).await.unwrap();
        assert!(forked(w.store.begin(opening(&Arc::new(ahead.clone()))).await.unwrap_err()));
        let mut tx = w.begin().await;
        tx.put(made_user(&user(&w.clock, w.tenant, "Cid"))).unwrap();
        let _ = tx.commit(json!({})).await.unwrap();
        assert!(forked(w.store.begin(opening(&Arc::new(ahead))).await.unwrap_err()));
        let done = w.begin().await.commit(json!({})).await.unwrap();
        assert_eq!(done.revision, Revision(4));
    }
}

#[tokio::test]
async fn a_tenant_that_is_not_there_is_said_so() {
    for engine in engines() {
        let w = World::new(&engine).await;
        let nobody = AccountId::new(&*w.clock);
        assert!(matches!(w.store.world(nobody).await, Err(Error::NoTenant(_))));
        let error = w.store.begin(opening(&empty(nobody))).await.unwrap_err();
        assert!(matches!(error, Error::NoTenant(_)));
        assert_eq!(w.store.heads(&[nobody, w.tenant]).await.unwrap().len(), 1);
        assert_eq!(w.store.tenant_of(ObjectId::Account(nobody)).await.unwrap(), None);
    }
}

#[tokio::test]
async fn verification_names_what_was_changed_behind_our_back() {
    for engine in engines() {
        let w = World::new(&engine).await;
        let mut tx = w.begin().await;
        tx.put(made_user(&user(&w.clock, w.tenant, "Bob"))).unwrap();
        tx.put(made_grant(&grant(&w.ann, "core/MANAGE_USERS", None))).unwrap();
        let _ = tx.commit(json!({})).await.unwrap();
        w.is_sound().await;

        w.database.meddle("update users set first_name = 'Eve' where user_name = 'Ann'").await;
        let found = w.store.verify(w.tenant).await.unwrap();
        assert_eq!(found.fault_count, 1);
        assert_eq!(found.faults[0].entity, format!("user/{}", w.ann.id));
        w.database.meddle("update users set first_name = 'Ann' where user_name = 'Ann'").await;
        w.is_sound().await;

        w.database.meddle("delete from role_grants").await;
        let found = w.store.verify(w.tenant).await.unwrap();
        assert_eq!(found.fault_count, 1);
        assert!(found.faults[0].to_string().contains("in the ledger, and not there"));

        w.database
            .meddle("update ledger set kind = 'user.update' where kind = 'user.create'")
            .await;
        assert_eq!(w.store.verify(w.tenant).await.unwrap().faults[0].revision, Some(Revision(2)));
        w.database.meddle("delete from ledger where revision = 2").await;
        let found = w.store.verify(w.tenant).await.unwrap();
        assert!(found.faults.iter().any(|fault| fault.why.contains("missing")), "{found:?}");
        assert!(w.store.entries(w.tenant, Revision(2), 9).await.is_err());
    }
}

#[tokio::test]
async fn time_never_goes_back_in_a_ledger() {
    for engine in engines() {
        let w = World::new(&engine).await;
        let behind = Arc::new(HeldClock::at(w.clock.now() - TimeDelta::seconds(9)));
        let late = w.database.open(behind).await;
        let mut tx = begin(&late, opening(&w.there)).await;
        assert_eq!(tx.now(), w.clock.now());
        tx.put(made_user(&user(&w.clock, w.tenant, "Bob"))).unwrap();
        let _ = tx.commit(json!({})).await.unwrap();
        let ledger = w.store.entries(w.tenant, Revision(0), 9).await.unwrap();
        assert!(ledger.is_sorted_by_key(|entry| entry.at));
        assert!(
            String::from_utf8_lossy(&ledger[0].body)
                .contains(r#""at":"2023-11-14T22:13:20.123456Z""#)
        );
        w.is_sound().await;
    }
}
