//! How long the program takes from its start to where it says that it is serving, on a database that is there.

#![expect(clippy::unwrap_used, reason = "a bench may panic")]

use std::time::Instant;

use benches::figures::{self, Spread, Target};
use benches::program::Program;
use benches::stored::Stored;
use tokio::runtime::Runtime;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

const BENCH: &str = env!("CARGO_BIN_EXE_bench");
/// Starts on each store, after one for nothing.
const STARTS: usize = 15;

fn main() {
    let runtime = Runtime::new().unwrap();
    let sqlite = runtime.block_on(Box::pin(Stored::sqlite()));
    let postgres = runtime.block_on(Box::pin(Stored::postgres("bench_starting")));
    println!("# From the start to SERVING, {STARTS} starts, milliseconds");
    figures::heading();
    for (engine, stored) in [("SQLite", Some(sqlite)), ("Postgres", postgres)] {
        let what = format!("P11: a cold start to SERVING, {engine}");
        let Some(stored) = stored else {
            figures::skip(&what, "run it by `.ci/postgres`");
            continue;
        };
        let took: Vec<f64> = (0..=STARTS).map(|_| start(&runtime, &stored)).collect();
        let [_, took @ ..] = &took[..] else { continue };
        Target::AtMost(150.0).judge(&what, "ms", Spread::of(took.iter().copied()));
    }
}

/// Starts it once, until its health says that it serves.
fn start(runtime: &Runtime, stored: &Stored) -> f64 {
    let began = Instant::now();
    let program = Program::serve(BENCH, stored);
    runtime.block_on(async {
        let mut health = HealthClient::new(program.connect().await);
        loop {
            let answer = health.check(HealthCheckRequest::default()).await.unwrap().into_inner();
            if answer.status() == ServingStatus::Serving {
                return began.elapsed().as_secs_f64() * 1e3;
            }
        }
    })
}
