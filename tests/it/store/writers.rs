//! Many writers, and writers that come to grief.

use chancery::decision::Snapshot;
use chancery::model::catalogue::CatalogueFile;
use chancery::model::{ChangeKind, Image, Revision};
use chancery::store::{Error, Opening, Store, StoreConfig, follow};
use futures::FutureExt as _;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::support::{
    World, account, begin, begin_as, grant, load, made, made_grant, made_user, opening, postgres,
    shown, user,
};
use crate::meddle::Meddler;
use crate::support::engines;

#[tokio::test]
async fn a_write_that_is_dropped_leaves_nothing_and_holds_up_nobody() {
    for engine in engines() {
        let w = World::new(&engine).await;
        let mut tx = w.begin().await;
        tx.put(made_user(&user(&w.clock, w.tenant, "Bob"))).unwrap();
        drop(tx);
        let waiting = w.begin().await;
        // Stands in the queue, and gives up.
        assert!(w.store.begin(opening(&w.there)).now_or_never().is_none());
        cancelled_at_the_lock(&w).await;
        drop(waiting);
        let done = w.begin().await.commit(json!({})).await.unwrap();
        assert_eq!((done.revision, done.changed), (Revision(2), false));
        assert_eq!(w.store.world(w.tenant).await.unwrap().users.len(), 1);
        w.is_sound().await;
    }
}

/// Somebody in another process gives up while the database makes it wait: its connection is none the worse.
async fn cancelled_at_the_lock(w: &World) {
    let one = StoreConfig {
        url: w.database.url.clone(),
        write_connections: 1,
        acquire_timeout_ms: 500,
        ..StoreConfig::default()
    };
    let look = Meddler::new(&w.database.url).await;
    let second = Store::open(&one, w.clock.clone()).await.unwrap();
    for _ in 0..3 {
        let (store, there) = (second.clone(), opening(&w.there));
        let waits = tokio::spawn(async move { store.begin(there).await.map(|_| ()) });
        somebody_waits(&look).await;
        waits.abort();
        assert!(waits.await.unwrap_err().is_cancelled());
    }
    let (store, there) = (second.clone(), opening(&w.there));
    let next = tokio::spawn(async move { store.begin(there).await });
    let error = next.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Busy | Error::Unavailable(_)), "{error:?}");
    second.close().await.unwrap();
}

/// Waits until somebody waits for a lock. SQLite does not tell; there it is enough that he has begun.
async fn somebody_waits(look: &Meddler) {
    tokio::task::yield_now().await;
    let waiting = "select count(*) from pg_stat_activity \
                   where datname = current_database() and wait_event_type = 'Lock'";
    let began = Instant::now();
    while !look.is_sqlite() && look.number(waiting).await == 0 {
        assert!(began.elapsed() < Duration::from_secs(10), "nobody waits");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_of_two_processes_end_in_one_order_without_gaps() {
    for engine in engines() {
        let w = World::new(&engine).await;
        let second = w.database.open(w.clock.clone()).await;
        let mut running = Vec::new();
        for n in 0..40 {
            let store = if n % 2 == 0 { w.store.clone() } else { second.clone() };
            let there = opening(&w.there);
            let one = user(&w.clock, w.tenant, &format!("user {n}"));
            running.push(tokio::spawn(async move {
                let mut tx = begin(&store, there).await;
                tx.put(made_user(&one)).unwrap();
                tx.put(made_grant(&grant(&one, "core/MANAGE_USERS", None))).unwrap();
                tx.commit(json!({})).await.unwrap().revision
            }));
        }
        let mut revisions = BTreeSet::new();
        for one in running {
            revisions.insert(one.await.unwrap());
        }
        assert_eq!(revisions, (3..43).map(Revision).collect());
        let mut following = (*w.there).clone();
        while following.revision() < Revision(42) {
            let some = w.store.entries(w.tenant, following.revision(), 7).await.unwrap();
            assert!(!follow(&mut following, &some).unwrap());
        }
        let world = w.store.world(w.tenant).await.unwrap();
        assert_eq!(shown(&following), (world.revision, world.head));
        w.is_sound().await;
    }
}

#[tokio::test]
async fn an_operator_writes_on_both_revisions() {
    for engine in engines() {
        let w = World::new(&engine).await;
        // The platform moves on unseen: its snapshot is brought up to date in the write.
        let mut tx = begin(&w.store, opening(&w.platform)).await;
        tx.put(made_user(&user(&w.clock, w.root, "second"))).unwrap();
        let moved = tx.commit(json!({})).await.unwrap();
        assert_eq!(moved.token.platform, Revision(3));

        let operated =
            Opening { home: Arc::clone(&w.platform), actor: Some(w.admin.id), ..opening(&w.there) };
        let mut tx = begin_as(&w.admin, w.root, &w.store, operated.clone()).await;
        assert_eq!(tx.home().revision(), Revision(3));
        assert_eq!(tx.world().revision(), Revision(2));
        tx.put(made_user(&user(&w.clock, w.tenant, "Bob"))).unwrap();
        let done = tx.commit(json!({})).await.unwrap();
        assert_eq!((done.token.revision, done.token.platform), (Revision(3), Revision(3)));
        let entry = w.store.entries(w.tenant, Revision(2), 1).await.unwrap().remove(0);
        assert_eq!((entry.platform_revision, entry.actor), (Revision(3), Some(w.admin.id)));

        // A catalogue changed: nothing is judged on the old one.
        let file = CatalogueFile { name: "own".to_owned(), version: 1, yaml: "x".to_owned() };
        let mut tx = begin(&w.store, opening(&w.platform)).await;
        tx.put(made(w.root, ChangeKind::CatalogueApply, Image::Catalogue(file))).unwrap();
        let _ = tx.commit(json!({})).await.unwrap();
        let error = w.store.begin(operated).await.unwrap_err();
        assert!(matches!(error, Error::Stale { tenant } if tenant == w.root));
        assert_eq!(w.store.world(w.root).await.unwrap().catalogues.len(), 5);
        w.is_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn operators_on_two_tenants_do_not_wait_for_each_other() {
    // SQLite has one writer, whatever it writes to.
    for engine in postgres() {
        let w = World::new(&engine).await;
        operate_on_two_tenants(&w).await;
    }
}

async fn operate_on_two_tenants(w: &World) {
    let top = w.store.account(w.root).await.unwrap().unwrap();
    let main = account(&w.clock, Some(&top), "other");
    let mut tx = begin(&w.store, opening(&w.platform)).await;
    tx.open_tenant(main.clone()).unwrap();
    let platform = tx.commit(json!({})).await.unwrap().snapshot;
    let there = load(&w.store, main.id).await;
    let on = |there: &Arc<Snapshot>| Opening { home: Arc::clone(&platform), ..opening(there) };
    let mut one = begin(&w.store, on(&w.there)).await;
    let mut two = begin(&w.store, on(&there)).await;
    one.put(made_user(&user(&w.clock, w.tenant, "x"))).unwrap();
    two.put(made_user(&user(&w.clock, main.id, "x"))).unwrap();
    let _ = two.commit(json!({})).await.unwrap();
    // A write to the platform waits for those that rest on it, and gives up in time.
    let error = w.store.begin(opening(&platform)).await.unwrap_err();
    assert!(matches!(error, Error::Busy), "{error:?}");
    let _ = one.commit(json!({})).await.unwrap();
    w.is_sound().await;
}

#[tokio::test]
async fn a_tenant_locked_elsewhere_is_busy_after_its_time() {
    for engine in engines() {
        let w = World::new(&engine).await;
        let second = w.database.open(w.clock.clone()).await;
        let tx = w.begin().await;
        let error = second.begin(opening(&w.there)).await.unwrap_err();
        assert!(matches!(error, Error::Busy), "{error:?}");
        drop(tx);
        assert!(second.begin(opening(&w.there)).await.is_ok());
    }
}

#[tokio::test]
async fn a_writer_that_freezes_loses_its_lock() {
    // In SQLite a frozen process keeps the file's lock; only its end gives it back.
    for engine in postgres() {
        let w = World::new(&engine).await;
        freeze_and_go_on(&w).await;
    }
}

async fn freeze_and_go_on(w: &World) {
    let second = w.database.open(w.clock.clone()).await;
    let soon =
        StoreConfig { url: w.database.url.clone(), idle_timeout_ms: 300, ..StoreConfig::default() };
    let first = Store::open(&soon, w.clock.clone()).await.unwrap();
    let mut frozen = begin(&first, opening(&w.there)).await;
    frozen.put(made_user(&user(&w.clock, w.tenant, "Bob"))).unwrap();
    // Waits for the lock, which comes before its own time is over.
    let mut tx = begin(&second, opening(&w.there)).await;
    tx.put(made_user(&user(&w.clock, w.tenant, "Cid"))).unwrap();
    let done = tx.commit(json!({})).await.unwrap();
    let error = frozen.commit(json!({})).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
    assert_eq!(w.begin().await.commit(json!({})).await.unwrap().revision, done.revision);
    w.is_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_behind_one_that_does_not_end_are_told_together() {
    for engine in engines() {
        let w = World::new(&engine).await;
        let impatient = StoreConfig {
            url: w.database.url.clone(),
            acquire_timeout_ms: 600,
            ..StoreConfig::default()
        };
        let second = Store::open(&impatient, w.clock.clone()).await.unwrap();
        let endless = w.begin().await;
        let began = Instant::now();
        let crowd = (0..8).map(|_| second.begin(opening(&w.there)));
        for told in futures::future::join_all(crowd).await {
            let error = told.unwrap_err();
            assert!(matches!(error, Error::Busy | Error::Unavailable(_)), "{error:?}");
        }
        assert!(began.elapsed() < Duration::from_millis(1_200), "one after the other");
        drop(endless);
        assert!(second.begin(opening(&w.there)).await.is_ok());
    }
}
