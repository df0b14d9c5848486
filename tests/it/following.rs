//! What a process knows of another's changes, and of the store's time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use chancery::crypto::KeyRing;
use chancery::feed::{self, Feed};
use chancery::model::{AccountId, Clock, SystemClock};
use chancery::proto::v1 as pb;
use chancery::server::{self, Running, check};
use chancery::store::Store;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::meddle::Meddler;
use crate::support::{Engine, KEY, Service, engines};

const PATIENCE: Duration = Duration::from_secs(15);
const HOUR: Duration = Duration::from_hours(1);

/// Only the Postgres of the tests, if there is one.
fn postgres() -> Vec<Engine> {
    engines().into_iter().filter(|engine| matches!(engine, Engine::Postgres(_))).collect()
}

/// Another process on a service's store, that polls this often.
async fn follower(service: &Service, poll: Duration) -> Feed {
    let store = Store::open(&service.config.store(), service.clock.clone()).await.unwrap();
    let config = feed::Config { poll, staleness: HOUR, ..feed::Config::default() };
    Feed::start(store, config).await.unwrap()
}

/// Changes a tenant through the service.
async fn change(service: &Service, account: &str, name: &str) {
    let request = pb::CreateUserRequest {
        account_id: account.to_owned(),
        user: Some(pb::User {
            user_name: Some(name.to_owned()),
            roles: vec!["USER".to_owned()],
            root_user: true,
            ..Default::default()
        }),
        ..Default::default()
    };
    service.users(&service.root).create_user(request).await.unwrap();
}

/// Waits until what a process has in memory is the tenant as it is.
async fn knows(feed: &Feed, service: &Service, tenant: AccountId) {
    let newest = service.store.heads(&[tenant]).await.unwrap()[0].revision;
    let began = Instant::now();
    while feed.tenant(tenant).await.unwrap().revision() < newest {
        assert!(began.elapsed() < PATIENCE, "nobody told it");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

const LISTENING: &str =
    "from pg_stat_activity where datname = current_database() and query like 'LISTEN%'";

/// Waits until so many processes listen.
async fn listen(look: &Meddler, count: i64) {
    let began = Instant::now();
    while look.number(&format!("select count(*) {LISTENING}")).await < count {
        assert!(began.elapsed() < PATIENCE, "they do not listen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_change_is_known_elsewhere_long_before_the_next_poll() {
    for engine in postgres() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let tenant: AccountId = acme.parse().unwrap();
        let other = follower(&service, HOUR).await;
        other.tenant(tenant).await.unwrap();
        listen(&Meddler::new(&service.url).await, 2).await;
        for round in 0..20 {
            change(&service, &acme, &format!("one {round}")).await;
            knows(&other, &service, tenant).await;
        }
        // One after the other without waiting, so that several are told at once.
        for round in 0..20 {
            change(&service, &acme, &format!("two {round}")).await;
        }
        knows(&other, &service, tenant).await;
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_process_that_hears_nothing_knows_by_its_polls_and_listens_anew() {
    for engine in postgres() {
        let service = Service::start(&engine).await;
        let acme = service.tenant("Acme").await;
        let tenant: AccountId = acme.parse().unwrap();
        let polls = follower(&service, Duration::from_millis(50)).await;
        let hears = follower(&service, HOUR).await;
        for feed in [&polls, &hears] {
            feed.tenant(tenant).await.unwrap();
        }
        let look = Meddler::new(&service.url).await;
        listen(&look, 3).await;
        let cut =
            look.number(&format!("select count(pg_terminate_backend(pid)) {LISTENING}")).await;
        assert_eq!(cut, 3);
        change(&service, &acme, "unheard").await;
        knows(&polls, &service, tenant).await;

        listen(&look, 3).await;
        change(&service, &acme, "heard").await;
        knows(&hears, &service, tenant).await;
        service.stop().await;
    }
}

/// The machine's clock, but wrong.
#[derive(Debug, Default)]
struct Wrong {
    ahead: AtomicI64,
}

impl Clock for Wrong {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now() + TimeDelta::milliseconds(self.ahead.load(Ordering::Relaxed))
    }
}

/// Starts another process with a clock of its own.
async fn replica(service: &Service, clock: Arc<Wrong>) -> (Running, Store) {
    let store = Store::open(&service.config.store(), clock).await.unwrap();
    let keys = Arc::new(KeyRing::from_base64(KEY).unwrap());
    let grpc = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let admin = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = service.config.server();
    (server::start(config, store.clone(), keys, grpc, admin).await.unwrap(), store)
}

/// Waits until the server says so of a check; returns whether it is ready, by both its doors.
pub(crate) async fn says(running: &Running, check_name: &str, wanted: &str) -> (bool, bool) {
    let began = Instant::now();
    loop {
        let mut stream = TcpStream::connect(running.admin()).await.unwrap();
        stream.write_all(b"GET /readyz HTTP/1.0\r\n\r\n").await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let (_, body) = text.split_once("\r\n\r\n").unwrap();
        let report: serde_json::Value = serde_json::from_str(body).unwrap();
        if report["checks"][check_name] == wanted {
            let serving = check(running.grpc(), None, "", PATIENCE).await.unwrap();
            return (report["ready"].as_bool().unwrap(), serving);
        }
        assert!(began.elapsed() < PATIENCE, "{report}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_whose_clock_is_far_from_the_stores_does_not_serve_and_says_why() {
    for engine in postgres() {
        let service = Service::start(&engine).await;
        let clock = Arc::new(Wrong::default());
        let (running, store) = replica(&service, clock.clone()).await;
        for (ahead, said) in [
            (0, "ok"),
            (3_000, "this machine's clock is more than 2 s ahead of the store's"),
            (-3_000, "this machine's clock is more than 2 s behind the store's"),
            (0, "ok"),
        ] {
            clock.ahead.store(ahead, Ordering::Relaxed);
            let good = said == "ok";
            assert_eq!(says(&running, "clock", said).await, (good, good), "{ahead}");
        }
        running.stop().await.unwrap();
        store.close().await.unwrap();
        service.stop().await;
    }
}

#[tokio::test]
async fn an_embedded_store_has_no_clock_of_its_own() {
    let service = Service::start(&Engine::Sqlite).await;
    let clock = Arc::new(Wrong { ahead: AtomicI64::new(60_000) });
    let (running, store) = replica(&service, clock).await;
    assert_eq!(says(&running, "clock", "ok").await, (true, true));
    running.stop().await.unwrap();
    store.close().await.unwrap();
    service.stop().await;
}
