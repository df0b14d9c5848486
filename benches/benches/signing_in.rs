//! What `Authorize` takes while as many sign in as the pool of hashes will have, against when nobody does; and how many get in.

#![expect(clippy::unwrap_used, reason = "a bench may panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use benches::figures::{self, Spread, Target, rounds};
use benches::grpc::{Method, Service};
use bytes::Bytes;
use chancery::proto::v1 as pb;
use pb::session_service_client::SessionServiceClient;
use prost::Message as _;
use tonic::transport::Channel;
use tonic_types::StatusExt as _;

const PASSWORD: &str = "kaufhaus tiger lampe";
/// Who sign in again and again, all at once: more than hash at a time.
const GUESTS: usize = 32;
/// Questions a second, sent when they are due and not when the last is answered.
const RATE: u32 = 400;
/// When to come again where nothing is said of it.
const LATER: Duration = Duration::from_millis(100);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(Box::pin(compare()));
}

async fn compare() {
    let service = Box::pin(Service::start()).await;
    service.give_password(PASSWORD).await;
    let authorize = Method {
        at: service.at.clone(),
        path: "/chancery.v1.AuthorizationService/Authorize",
        token: service.token.clone(),
        message: Bytes::from(service.question(5).encode_to_vec()),
    };
    println!("# `Authorize` at {RATE} a second, {} interleaved rounds\n", rounds());
    println!(
        "Quiet, and while {GUESTS} sign in without pause; client and server share this process.\n"
    );
    let (mut quiet, mut busy, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds() {
        let without = authorize.p99(RATE).await;
        let storm = Storm::begin(&service);
        let with = authorize.p99(RATE).await;
        let rate = storm.end().await;
        if round > 0 {
            quiet.push(without);
            busy.push(with);
            rates.push(rate);
        }
    }
    println!("| | |\n|---|---|");
    for (name, figures) in [("p99, quiet, ms", &quiet), ("p99, while they sign in, ms", &busy)] {
        println!("| {name} | {:.2} |", Spread::of(figures.iter().copied()));
    }
    println!("| sign-ins a second | {:.1} |", Spread::of(rates));
    figures::heading();
    let ratio = Spread::of_ratios(&busy, &quiet);
    Target::AtMost(1.5).judge("P10: p99 of `Authorize` while sign-ins fill the pool", "×", ratio);
}

/// People who sign in.
struct Storm {
    began: Instant,
    over: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Storm {
    fn begin(service: &Service) -> Self {
        let (over, done) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let request = pb::CreateSessionRequest {
            account: service.account.clone(),
            user_name: "admin".to_owned(),
            password: PASSWORD.to_owned(),
            stay_logged_in: false,
        };
        let guest = |_| {
            let (over, done) = (Arc::clone(&over), Arc::clone(&done));
            let (at, request) = (service.at.clone(), request.clone());
            tokio::spawn(async move {
                let channel = Channel::from_shared(at).unwrap().connect().await.unwrap();
                let mut sessions = SessionServiceClient::new(channel);
                while !over.load(Ordering::Relaxed) {
                    match sessions.create_session(request.clone()).await {
                        Ok(_) => {
                            done.fetch_add(1, Ordering::Relaxed);
                        }
                        // A full queue is an answer, too, and says when to come again.
                        Err(full) => {
                            let again =
                                full.get_error_details().retry_info().and_then(|i| i.retry_delay);
                            tokio::time::sleep(again.unwrap_or(LATER)).await;
                        }
                    }
                }
            })
        };
        let tasks = (0..GUESTS).map(guest).collect();
        Self { began: Instant::now(), over, done, tasks }
    }

    /// Ends it; returns how many got in a second.
    async fn end(self) -> f64 {
        self.over.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
        let done = u32::try_from(self.done.load(Ordering::Relaxed)).unwrap();
        f64::from(done) / self.began.elapsed().as_secs_f64()
    }
}
