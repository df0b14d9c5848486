//! A writer that freezes inside its transaction, with the tenant's lock in its hand.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tonic::Code;
use uuid::Uuid;

use super::{change, timed};
use crate::meddle::Meddler;
use crate::support::{Engine, Service, engines};

/// No answer takes longer: what a write waits for its turn, and a little.
const BOUND: Duration = Duration::from_secs(5);

/// Services that do not wait for long.
async fn impatient(engine: &Engine) -> Service {
    let settings = [("store.acquire_timeout_ms", "700"), ("limits.changes_per_minute", "0")];
    Service::start_with(engine, &settings).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn decisions_go_on_beside_a_frozen_writer_and_writes_go_on_after_it() {
    for engine in engines() {
        let service = impatient(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let own = format!("account/{acme}");
        assert!(service.decides(&boss.user_id, "read", "account", &own).await.decision);

        let frozen = Meddler::new(&service.url).await;
        if !frozen.is_sqlite() {
            // As the sessions of the store that write, but sooner.
            frozen.run("set idle_in_transaction_session_timeout = '2s'").await;
        }
        frozen.take_the_lock().await;
        let began = Instant::now();
        let over = AtomicBool::new(false);
        let writers = async {
            let mut refused = 0;
            loop {
                let (done, took) = timed(change(&service, &acme, Uuid::new_v4())).await;
                assert!(took < BOUND, "{took:?}");
                match done {
                    Ok(_) => break,
                    Err(status) => assert_eq!(status.code(), Code::Unavailable, "{status:?}"),
                }
                refused += 1;
                if frozen.is_sqlite() && refused == 2 {
                    // The file's lock is given back only by its holder.
                    frozen.run("rollback").await;
                }
            }
            over.store(true, Ordering::Relaxed);
            assert!(refused > 0, "the lock was not held");
            began.elapsed()
        };
        let readers = async {
            while !over.load(Ordering::Relaxed) {
                let asked = service.decides(&boss.user_id, "read", "account", &own);
                let (answer, took) = timed(asked).await;
                assert!(answer.decision);
                assert!(took < Duration::from_secs(1), "{took:?}");
            }
        };
        let (went_on, ()) = tokio::join!(writers, readers);
        assert!(went_on < Duration::from_secs(5), "{went_on:?}");
        assert!(change(&service, &acme, Uuid::new_v4()).await.is_ok());
        service.verify(&acme).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_behind_a_frozen_writer_is_told_to_come_later_and_no_write_is_left_over() {
    for engine in engines() {
        let service = impatient(&engine).await;
        let acme = service.tenant("Acme").await;
        let frozen = Meddler::new(&service.url).await;
        frozen.take_the_lock().await;
        let ids: Vec<Uuid> = (0..90).map(|_| Uuid::new_v4()).collect();
        let crowd = ids.iter().map(|id| timed(change(&service, &acme, *id)));
        let told = futures::future::join_all(crowd).await;
        let count = |code: Code| {
            let is = |status: &tonic::Status| status.code() == code;
            told.iter().filter(|(done, _)| done.as_ref().is_err_and(is)).count()
        };
        for (done, took) in &told {
            let code = done.as_ref().expect_err("the lock is held").code();
            let expected = [Code::Unavailable, Code::ResourceExhausted, Code::DeadlineExceeded];
            assert!(expected.contains(&code), "{code:?}");
            assert!(*took < BOUND, "{took:?}");
            if code == Code::ResourceExhausted {
                assert!(*took < Duration::from_secs(3), "at once, not after {took:?}");
            }
        }
        assert!(count(Code::ResourceExhausted) >= 20);
        frozen.run("rollback").await;

        // Nobody of the crowd is still in the way, and nobody is served twice.
        for id in &ids {
            change(&service, &acme, *id).await.unwrap();
        }
        assert_eq!(
            frozen.number("select count(*) from users where user_name like 'user %'").await,
            90
        );
        service.verify(&acme).await;
    }
}
