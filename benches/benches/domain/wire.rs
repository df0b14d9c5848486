//! The same over gRPC, asked of a server that is a process of its own: how much it answers, and in what time at 70 % of that.

use std::collections::BTreeSet;
use std::time::Duration;

use benches::caller::Caller;
use benches::figures::{self, Spread, rounds};
use benches::grpc::{CONNECTIONS, IN_FLIGHT, ask};
use benches::load::{Call, Load, permits};
use benches::program::{Program, UNVERIFIED};
use benches::stored::Stored;
use chancery::proto::v1 as pb;
use prost::Message as _;
use tokio::task::JoinSet;

use super::fill::{account_id, fill, user_id};
use super::{Drawn, EACH, KINDS, Kind, draw};

const BENCH: &str = env!("CARGO_BIN_EXE_bench");
/// How long it is called at a time.
const TURN: Duration = Duration::from_secs(2);
/// Questions of each kind.
const ASKED: usize = 20_000;
/// Of what it can do, where latency is looked at.
const PART: f64 = 0.7;
/// Tenants that are loaded at once.
const LOADING: usize = 16;

/// Questions of a kind, and what came of them.
struct Side {
    label: String,
    load: Load,
    rates: Vec<f64>,
    cpu: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
}

pub(crate) fn measure(tenants: usize) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stored = runtime.block_on(Box::pin(Stored::sqlite()));
    runtime.block_on(fill(&stored, tenants));
    let program = Program::serve_with(BENCH, &stored, UNVERIFIED);
    let drawn: Vec<Vec<Drawn>> = (0..KINDS.len()).map(|kind| draw(kind, tenants, ASKED)).collect();
    let asked: BTreeSet<usize> = drawn.iter().flatten().map(|drawn| drawn.tenant).collect();
    let empty = program.resident();
    runtime.block_on(Box::pin(load(&program, &stored, asked.iter().copied().collect())));
    let took = program.resident() - empty;
    let mut sides = sides(&program, &stored, &drawn);
    for round in 0..=rounds() {
        for side in &mut sides {
            let before = program.cpu();
            let outcome = side.load.closed(IN_FLIGHT, TURN);
            assert_eq!(outcome.refused, 0);
            let used = program.cpu().saturating_sub(before);
            if round > 0 {
                side.rates.push(outcome.rate());
                side.cpu.push(used.as_secs_f64() * 1e6 / outcome.done as f64);
            }
        }
    }
    for round in 0..=rounds() {
        for side in &mut sides {
            let rate = PART * Spread::of(side.rates.iter().copied()).median;
            let outcome = side.load.open(rate, TURN);
            assert_eq!(outcome.refused, 0);
            if round > 0 {
                side.p50.push(outcome.quantile(0.5));
                side.p99.push(outcome.quantile(0.99));
            }
        }
    }
    report(&sides, tenants);
    let what =
        format!("domain, memory that {} tenants of {EACH} users take, resident", asked.len());
    figures::tell(&what, "MiB", Spread::of([took]));
}

fn report(sides: &[Side], tenants: usize) {
    let rounds = rounds();
    println!(
        "\n# `Authorize` among {tenants} tenants of {EACH} users, {rounds} interleaved rounds\n"
    );
    println!(
        "{CONNECTIONS} connections × {IN_FLIGHT} in flight; latencies in an open loop at {PART} of that.\n"
    );
    println!(
        "| | requests a second | processor, µs a request | p50, ms | p99, ms |\n|---|---|---|---|---|"
    );
    for side in sides {
        let [rate, cpu, p50, p99] = [&side.rates, &side.cpu, &side.p50, &side.p99]
            .map(|all| Spread::of(all.iter().copied()));
        println!("| {} | {rate} | {cpu:.1} | {p50:.2} | {p99:.2} |", side.label);
    }
    figures::heading();
    for side in sides {
        let what = |what| format!("domain over gRPC, {}: {what}", side.label);
        let rate = Spread::of(side.rates.iter().copied());
        figures::tell(&what("requests"), "a second", rate);
        figures::tell(&what("p99 at 70 % of that"), "ms", Spread::of(side.p99.iter().copied()));
    }
}

fn question(kind: &Kind, drawn: &Drawn) -> pb::AuthorizeRequest {
    let account = account_id(drawn.tenant, drawn.user);
    let user = user_id(drawn.tenant, drawn.user).to_string();
    let path = format!("account/{account}/{}/{}", kind.on, drawn.id);
    ask(&user, kind.action, kind.on, &path)
}

/// Has every tenant in memory, and every kind of answer looked at.
async fn load(program: &Program, stored: &Stored, tenants: Vec<usize>) {
    let caller = Caller::of(program, stored).await;
    let share = tenants.len().div_ceil(LOADING);
    let mut loading = JoinSet::new();
    for tenants in tenants.chunks(share) {
        let (caller, tenants) = (caller.clone(), tenants.to_vec());
        loading.spawn(async move {
            for tenant in tenants {
                for (at, kind) in KINDS.iter().enumerate() {
                    let question = question(kind, &Drawn { tenant, user: 3, id: 3 + at / 3 });
                    let answer = caller.authorization().authorize(question).await.unwrap();
                    assert_eq!(answer.get_ref().decision, kind.permit, "{answer:?}");
                }
            }
        });
    }
    while let Some(done) = loading.join_next().await {
        done.unwrap();
    }
}

/// Each kind by itself, and all of them in turn.
fn sides(program: &Program, stored: &Stored, drawn: &[Vec<Drawn>]) -> Vec<Side> {
    let calls = |(kind, drawn): (&'static Kind, &Vec<Drawn>)| -> Vec<Call> {
        let call = |drawn: &Drawn| {
            let message = question(kind, drawn).encode_to_vec();
            let path = "/chancery.v1.AuthorizationService/Authorize";
            let right = |answer: &[u8]| permits(answer) == kind.permit;
            Call::new(path, &stored.token, &message, right)
        };
        drawn.iter().map(call).collect()
    };
    let of_kinds: Vec<Vec<Call>> = KINDS.iter().zip(drawn).map(calls).collect();
    let mixed = (0..ASKED).map(|at| of_kinds[at % of_kinds.len()][at].clone()).collect();
    let labels = KINDS.iter().map(Kind::label).chain(["all four in turn".to_owned()]);
    let all = of_kinds.into_iter().chain([mixed]);
    let side = |(label, calls)| Side {
        label,
        load: Load::new(program.at, CONNECTIONS, calls),
        rates: Vec::new(),
        cpu: Vec::new(),
        p50: Vec::new(),
        p99: Vec::new(),
    };
    labels.zip(all).map(side).collect()
}
