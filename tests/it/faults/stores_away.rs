//! Stores that cannot be reached: what is known is good for a while, and then nothing is.

use std::time::{Duration, Instant};

use chancery::proto::v1 as pb;
use tonic::{Code, Status};
use uuid::Uuid;

use super::{change, postgres, timed};
use crate::proxy::{Proxy, Way};
use crate::support::{Engine, Person, Service, ask};

const STALENESS: Duration = Duration::from_millis(800);

async fn away(engine: &Engine) -> Service {
    let settings =
        [("staleness_ms", "800"), ("poll_ms", "100"), ("limits.changes_per_minute", "0")];
    Service::start_with(engine, &settings).await
}

async fn asked(service: &Service, about: &Person) -> Result<pb::AuthorizeResponse, Status> {
    let own = format!("account/{}", about.account_id);
    let request = ask(&about.user_id, "read", "account", &own);
    Ok(service.authorization(&service.root).authorize(request).await?.into_inner())
}

/// From `gone` on: answers while they may be given, then `UNAVAILABLE`, each in bounded time.
async fn decides_for_a_while_and_then_not(service: &Service, about: &Person, gone: Instant) {
    let mut good = 0;
    let mut refused = 0;
    while refused < 3 {
        let (answer, took) = timed(asked(service, about)).await;
        assert!(took < Duration::from_secs(12), "{took:?}");
        match answer {
            Ok(answer) => {
                assert!(answer.decision);
                assert_eq!(refused, 0, "answered again, from what is too old");
                let last = gone.elapsed();
                assert!(last < STALENESS + Duration::from_millis(700), "answered after {last:?}");
                good += 1;
            }
            Err(status) => {
                assert_eq!(status.code(), Code::Unavailable, "{status:?}");
                refused += 1;
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(good > 0, "nothing was answered from what was known");
}

async fn healthy_again(service: &Service, account: &str, about: &Person) {
    let back = Instant::now();
    while let Err(status) = asked(service, about).await {
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        assert!(back.elapsed() < Duration::from_secs(5), "{status:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    while let Err(status) = change(service, account, Uuid::new_v4()).await {
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        assert!(back.elapsed() < Duration::from_secs(8), "{status:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    service.verify(account).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn decisions_outlive_a_closed_store_by_the_staleness_bound_and_no_longer() {
    let mut engines = vec![Engine::Sqlite];
    engines.extend(postgres().into_iter().map(Engine::Postgres));
    for engine in engines {
        let service = away(&engine).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        assert!(asked(&service, &boss).await.unwrap().decision);
        let gone = Instant::now();
        service.store.close().await.unwrap();
        decides_for_a_while_and_then_not(&service, &boss, gone).await;
        let error = change(&service, &acme, Uuid::new_v4()).await.unwrap_err();
        assert_eq!(error.code(), Code::Unavailable);
    }
}

/// An access token costs no read, however new it is; an API token only the first time.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn credentials_are_checked_without_the_store() {
    let mut engines = vec![Engine::Sqlite];
    engines.extend(postgres().into_iter().map(Engine::Postgres));
    for engine in engines {
        let settings = [("limits.changes_per_minute", "0"), ("staleness_ms", "30000")];
        let service = Service::start_with(&engine, &settings).await;
        let acme = service.tenant("Acme").await;
        let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
        let session = boss.with(&service.session(&boss).await);
        let (_, fresh) = service.mint(&boss.user_id, &["*"]).await;
        let fresh = Person { token: fresh, ..boss.clone() };
        let asks = async |by: &Person| {
            let own = format!("account/{acme}");
            let request = ask(&boss.user_id, "read", "account", &own);
            service.authorization(by).authorize(request).await
        };
        assert!(asks(&boss).await.unwrap().into_inner().decision);
        service.store.close().await.unwrap();
        for known in [&boss, &session] {
            assert!(asks(known).await.unwrap().into_inner().decision);
        }
        assert_eq!(asks(&fresh).await.unwrap_err().code(), Code::Unavailable);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_that_is_down_or_frozen_is_waited_for_and_found_again() {
    for server in postgres() {
        for way in [Way::Cut, Way::Silent] {
            let (proxy, through) = Proxy::before(&server).await;
            let service = away(&Engine::Postgres(through)).await;
            let acme = service.tenant("Acme").await;
            let boss = service.person(&acme, "boss", &["SUPER_USER"]).await;
            assert!(asked(&service, &boss).await.unwrap().decision);
            let gone = Instant::now();
            proxy.set(way);
            decides_for_a_while_and_then_not(&service, &boss, gone).await;
            let (error, took) = timed(change(&service, &acme, Uuid::new_v4())).await;
            let code = error.unwrap_err().code();
            assert!([Code::Unavailable, Code::DeadlineExceeded].contains(&code), "{code:?}");
            assert!(took < Duration::from_secs(12), "{took:?}");
            proxy.set(Way::Open);
            healthy_again(&service, &acme, &boss).await;
        }
    }
}
