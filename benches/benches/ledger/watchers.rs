//! What a stream of `WatchChanges` takes in the memory of the server.

use std::time::Duration;

use benches::caller::Caller;
use benches::figures::{self, Spread, rounds};
use benches::program::{Program, UNVERIFIED};
use chancery::proto::v1 as pb;
use tonic::Streaming;

use super::{BENCH, Filled};

/// Who watches, with as many streams as one may have.
const PEOPLE: usize = 100;
const STREAMS: usize = 8;
/// People on one connection, which carries a hundred streams.
const TOGETHER: usize = 10;
/// Until what opening them took for a while is given back.
const SETTLING: Duration = Duration::from_secs(3);

pub(crate) async fn measure(filled: &Filled) {
    let tokens = people(filled).await;
    let mut figures = Vec::new();
    for _ in 0..rounds() {
        // Memory that was used once is not given back to the machine: each time another server.
        let program = Program::serve_with(BENCH, &filled.stored, UNVERIFIED);
        let mut callers = Vec::new();
        for people in tokens.chunks(TOGETHER) {
            let connection = program.connect().await;
            for token in people {
                let caller = Caller::on(connection.clone(), token);
                // Who they are is known before, and the tenant is in memory.
                drop(watch(&caller, &filled.few.account).await);
                callers.push(caller);
            }
        }
        tokio::time::sleep(SETTLING).await;
        let before = program.resident();
        let mut open = Vec::new();
        for caller in &callers {
            for _ in 0..STREAMS {
                open.push(watch(caller, &filled.few.account).await);
            }
        }
        // A change and heartbeats on each.
        Caller::of(&program, &filled.stored)
            .await
            .user(&filled.few.account, &unused(), Vec::new())
            .await;
        for stream in &mut open {
            while stream.message().await.unwrap().unwrap().heartbeat {}
        }
        tokio::time::sleep(SETTLING).await;
        figures.push((program.resident() - before) * 1024.0 / open.len() as f64);
    }
    println!("\n# Memory of {} watchers of one tenant, {} servers\n", PEOPLE * STREAMS, rounds());
    figures::heading();
    figures::tell("somebody who watches a tenant, resident", "KiB", Spread::of(figures));
}

/// A name that nobody has.
fn unused() -> String {
    uuid::Uuid::new_v4().to_string()
}

async fn people(filled: &Filled) -> Vec<String> {
    let program = Program::serve_with(BENCH, &filled.stored, UNVERIFIED);
    let caller = Caller::of(&program, &filled.stored).await;
    let mut tokens = Vec::new();
    for nth in 0..PEOPLE {
        let roles = vec!["core/DECISION_EXPLORER".to_owned()];
        let user = caller.user(&filled.few.account, &format!("watcher{nth}"), roles).await;
        tokens.push(caller.token(&user).await);
    }
    tokens
}

/// Opens a stream; the first message says where it begins.
async fn watch(caller: &Caller, account: &str) -> Streaming<pb::WatchChangesResponse> {
    let request = pb::WatchChangesRequest { account_id: account.to_owned(), ..Default::default() };
    let mut stream = caller.authorization().watch_changes(request).await.unwrap().into_inner();
    stream.message().await.unwrap().unwrap();
    stream
}
