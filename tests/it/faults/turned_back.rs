//! A store that is replaced by an older copy of itself under running servers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chancery::proto::v1 as pb;
use chancery::telemetry;
use tonic::{Code, Request};
use uuid::Uuid;

use super::{change, creation, give};
use crate::meddle::Meddler;
use crate::support::{Person, Service, ask, engines, refused};

/// How far behind the copy is, in revisions.
const BEHIND: usize = 100;
const PATIENCE: Duration = Duration::from_secs(20);

fn forks() -> u64 {
    let figures = telemetry::figures().render();
    let line = figures.lines().find(|line| line.starts_with("chancery_history_forks_total"));
    line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

/// What an asker has been told so far.
#[derive(Debug, Default)]
struct Told {
    permits: AtomicUsize,
    /// Since the last permit.
    denials: AtomicUsize,
    writes: AtomicUsize,
}

/// Waits until so many things have happened.
async fn reaches(count: &AtomicUsize, wanted: usize) {
    let began = Instant::now();
    while count.load(Ordering::Relaxed) < wanted {
        assert!(began.elapsed() < PATIENCE, "{} of {wanted}", count.load(Ordering::Relaxed));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Asks on and on; returns when the last permit came, and how long the slowest answer took.
async fn asks(
    service: Arc<Service>,
    about: Person,
    told: Arc<Told>,
    over: Arc<AtomicBool>,
) -> (Option<Instant>, Duration) {
    let (mut permitted, mut slowest) = (None, Duration::ZERO);
    while !over.load(Ordering::Relaxed) {
        let began = Instant::now();
        let own = format!("account/{}/recording/7", about.account_id);
        let request = ask(&about.user_id, "delete", "recording", &own);
        let answer = service.authorization(&service.root).authorize(request).await;
        slowest = slowest.max(began.elapsed());
        match answer {
            Ok(answer) if answer.get_ref().decision => {
                permitted = Some(Instant::now());
                told.permits.fetch_add(1, Ordering::Relaxed);
                told.denials.store(0, Ordering::Relaxed);
            }
            Ok(_) => {
                told.denials.fetch_add(1, Ordering::Relaxed);
            }
            Err(status) => assert_eq!(status.code(), Code::Unavailable, "{status:?}"),
        }
    }
    (permitted, slowest)
}

/// Writes on and on, whatever becomes of it.
async fn writes(
    service: Arc<Service>,
    account: String,
    told: Arc<Told>,
    over: Arc<AtomicBool>,
) -> Duration {
    let mut slowest = Duration::ZERO;
    while !over.load(Ordering::Relaxed) {
        let began = Instant::now();
        match change(&service, &account, Uuid::new_v4()).await {
            Ok(_) => drop(told.writes.fetch_add(1, Ordering::Relaxed)),
            Err(status) => assert_eq!(status.code(), Code::Unavailable, "{status:?}"),
        }
        slowest = slowest.max(began.elapsed());
    }
    slowest
}

/// What is on the line of history that is going to be lost.
struct Lost {
    minted: Person,
    token: String,
    user: String,
    tenant: String,
}

async fn go_on(service: &Service, acme: &str, ann: &Person) -> Lost {
    service.roles(&service.root).add_user_role(give(ann, "SUPER_USER")).await.unwrap();
    let (token_id, token) = service.mint(&ann.user_id, &["*"]).await;
    let minted = Person { token, token_id, ..ann.clone() };
    let mut user = String::new();
    for _ in 0..BEHIND {
        user = change(service, acme, Uuid::new_v4()).await.unwrap();
    }
    let done = service.users(&service.root).create_user(creation(acme, Uuid::new_v4())).await;
    let token = done.unwrap().into_inner().consistency_token;
    Lost { minted, token, user, tenant: service.tenant("Lost").await }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_permitted_from_a_lost_line_after_a_second_and_an_alarm_is_raised() {
    for engine in engines() {
        let one = Arc::new(Service::start(&engine).await);
        let two = Arc::new(one.replica().await);
        let meddler = Meddler::new(&one.url).await;
        let acme = one.tenant("Acme").await;
        let ann = one.person(&acme, "ann", &[]).await;
        meddler.copy().await;
        let lost = go_on(&one, &acme, &ann).await;
        assert!(one.accounts(&lost.minted).get_account(get(&acme)).await.is_ok());
        assert!(two.accounts(&lost.minted).get_account(get(&lost.tenant)).await.is_err());
        assert!(two.accounts(&two.root).get_account(get(&lost.tenant)).await.is_ok());

        let over = Arc::new(AtomicBool::new(false));
        let told = [Arc::<Told>::default(), Arc::default()];
        let asking = [(&one, &told[0]), (&two, &told[1])].map(|(service, told)| {
            let (service, told) = (Arc::clone(service), Arc::clone(told));
            tokio::spawn(asks(service, ann.clone(), told, Arc::clone(&over)))
        });
        let (service, written) = (Arc::clone(&one), Arc::<Told>::default());
        let writing =
            tokio::spawn(writes(service, acme.clone(), Arc::clone(&written), Arc::clone(&over)));
        for told in &told {
            reaches(&told.permits, 20).await;
        }
        reaches(&written.writes, 3).await;
        let alarms = forks();
        meddler.restore().await;
        let turned = Instant::now();
        for told in &told {
            reaches(&told.denials, 200).await;
        }
        let before = written.writes.load(Ordering::Relaxed);
        reaches(&written.writes, before + 3).await;
        over.store(true, Ordering::Relaxed);
        for one in asking {
            let (permitted, slowest) = one.await.unwrap();
            let permitted = permitted.expect("there was a permit while there was a right");
            let late = permitted.saturating_duration_since(turned);
            assert!(late < Duration::from_secs(1), "a permit {late:?} after the line was lost");
            assert!(slowest < Duration::from_secs(3), "{slowest:?}");
        }
        assert!(writing.await.unwrap() < Duration::from_secs(6));
        assert!(forks() > alarms, "no alarm");
        for service in [&one, &two] {
            what_was_lost_is_not_there(service, &acme, &lost).await;
        }
        one.verify(&acme).await;
        one.verify(&one.root.account_id).await;
    }
}

fn get(account: &str) -> pb::GetAccountRequest {
    pb::GetAccountRequest { account_id: account.to_owned() }
}

async fn what_was_lost_is_not_there(service: &Service, acme: &str, lost: &Lost) {
    let user = pb::GetUserRequest { user_id: lost.user.clone() };
    let found = service.users(&service.root).get_user(user).await;
    refused(found, Code::NotFound, "USER_NOT_FOUND");
    let found = service.accounts(&service.root).get_account(get(&lost.tenant)).await;
    refused(found, Code::NotFound, "ACCOUNT_NOT_FOUND");
    let called = service.accounts(&lost.minted).get_account(get(acme)).await.unwrap_err();
    assert_eq!(called.code(), Code::Unauthenticated);

    let mut read = Request::new(get(acme));
    read.metadata_mut().insert("chancery-at-least", lost.token.parse().unwrap());
    let read = service.accounts(&service.root).get_account(read).await;
    refused(read, Code::FailedPrecondition, "TOKEN_OF_OTHER_HISTORY");
    assert!(change(service, acme, Uuid::new_v4()).await.is_ok());
}
