//! Making the schema and the first tenant.

use chancery::model::{AccountId, ChangeKind, Image};
use chancery::store::{Error, Store, StoreConfig};
use sea_orm_migration::MigratorTrait as _;
use serde_json::json;
use std::sync::Arc;

use super::support::{Database, World, account, clock, empty, made, opening};
use crate::support::engines;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_that_start_together_migrate_once() {
    for engine in engines() {
        let database = Arc::new(Database::fresh(&engine).await);
        let mut starting = Vec::new();
        for _ in 0..6 {
            let database = Arc::clone(&database);
            starting.push(tokio::spawn(async move {
                let store = database.open(clock()).await;
                store.migrate().await.map(|()| store)
            }));
        }
        for one in starting {
            let store = one.await.unwrap().unwrap();
            assert_eq!(store.pending_migrations().await.unwrap(), Vec::<String>::new());
            store.probe().await.unwrap();
            store.close().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_schema_goes_up_and_down_and_up_again() {
    for engine in engines() {
        let database = Database::fresh(&engine).await;
        let store = database.open(clock()).await;
        let steps = migrations::Migrator::migrations().len();
        let missing =
            |probed| matches!(probed, Err(Error::NotMigrated { pending }) if pending == steps);
        assert!(missing(store.probe().await));
        store.migrate().await.unwrap();
        store.migrate().await.unwrap();
        let db = sea_orm::Database::connect(&database.url).await.unwrap();
        migrations::Migrator::down(&db, None).await.unwrap();
        assert!(missing(store.probe().await));
        store.migrate().await.unwrap();
        store.probe().await.unwrap();

        // A newer program has been here: as long as it says nothing against it, this one goes on.
        database.meddle("insert into seaql_migrations values ('m9999_later', 1)").await;
        store.migrate().await.unwrap();
        store.probe().await.unwrap();
        database.meddle("update service_state set value = '2' where key = 'min_reader'").await;
        assert!(matches!(store.probe().await, Err(Error::Newer(_))));
    }
}

#[tokio::test]
async fn the_first_write_happens_once() {
    for engine in engines() {
        let world = World::new(&engine).await;
        let other = AccountId::new(&*world.clock);
        assert!(world.store.begin_first(opening(&empty(other))).await.unwrap().is_none());
        assert_eq!(world.store.root().await.unwrap(), Some(world.root));
        world.is_sound().await;
    }
}

#[tokio::test]
async fn of_two_bootstraps_at_once_one_gets_in() {
    for engine in engines() {
        let database = Database::fresh(&engine).await;
        let clock = clock();
        let (one, two) = (database.open(clock.clone()).await, database.open(clock.clone()).await);
        one.migrate().await.unwrap();
        let bootstrap = async |store: &Store| {
            let top = account(&clock, None, "platform");
            let Some(mut tx) = store.begin_first(opening(&empty(top.id))).await.unwrap() else {
                return false;
            };
            tx.put(made(top.id, ChangeKind::Bootstrap, Image::Account(top.clone()))).unwrap();
            let _ = tx.commit(json!({})).await.unwrap();
            true
        };
        let (first, second) = tokio::join!(bootstrap(&one), bootstrap(&two));
        assert!(first != second);
        assert_eq!(one.root().await.unwrap(), two.root().await.unwrap());
    }
}

#[tokio::test]
async fn a_store_that_is_away_is_unavailable() {
    let config = StoreConfig {
        url: "postgres://nobody:secret@127.0.0.1:1/none".to_owned(),
        acquire_timeout_ms: 300,
        ..StoreConfig::default()
    };
    let error = Store::open(&config, clock()).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
    assert!(!format!("{config:?} {error:?} {error}").contains("secret"));
    for url in ["mysql://x", "sqlite::memory:", "nonsense"] {
        let config = StoreConfig { url: url.to_owned(), ..StoreConfig::default() };
        assert!(matches!(Store::open(&config, clock()).await, Err(Error::Address(_))));
    }
}
