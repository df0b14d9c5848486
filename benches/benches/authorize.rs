//! What `Authorize` costs over gRPC with every layer on, against an RPC that does nothing on a bare server of tonic's. Each server
//! is a process of its own, so that what it uses is told apart from what the client uses.

#![expect(
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a bench may panic"
)]

use std::time::Duration;

use benches::echo::{METHOD, Shape};
use benches::figures::{self, Spread, Target, rounds};
use benches::grpc::{CONNECTIONS, IN_FLIGHT, Method, question};
use benches::load::{Call, Load, permits};
use benches::plot::{Axis, Line, plot};
use benches::program::Program;
use benches::stored::Stored;
use chancery::proto::v1 as pb;
use prost::Message as _;

const BENCH: &str = env!("CARGO_BIN_EXE_bench");
/// How long a server is called at a time.
const TURN: Duration = Duration::from_secs(2);
/// How the program that we ship spreads its work.
const OURS: Shape = Shape::Apart;
/// Of what it can do, where latency is looked at.
const PART: f64 = 0.7;

/// One server, and what came of its rounds.
struct Side {
    name: &'static str,
    program: Program,
    load: Load,
    rates: Vec<f64>,
    /// Processor time of the server for each request, in microseconds.
    cpu: Vec<f64>,
    p99: Vec<f64>,
}

impl Side {
    fn new(name: &'static str, program: Program, call: Call) -> Self {
        let load = Load::new(program.at, CONNECTIONS, vec![call]);
        Self { name, program, load, rates: Vec::new(), cpu: Vec::new(), p99: Vec::new() }
    }

    fn closed(&mut self, counts: bool) {
        let before = self.program.cpu();
        let outcome = self.load.closed(IN_FLIGHT, TURN);
        assert_eq!(outcome.refused, 0);
        let used = self.program.cpu().saturating_sub(before);
        if counts {
            self.rates.push(outcome.rate());
            self.cpu.push(used.as_secs_f64() * 1e6 / outcome.done as f64);
        }
    }

    fn open(&mut self, rate: f64, counts: bool) {
        let outcome = self.load.open(rate, TURN);
        assert_eq!(outcome.refused, 0);
        if counts {
            self.p99.push(outcome.quantile(0.99));
        }
    }
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stored = runtime.block_on(Box::pin(Stored::sqlite()));
    let program = Program::serve(BENCH, &stored);
    let path = "/chancery.v1.AuthorizationService/Authorize";
    let message = question(&stored.user, 5).encode_to_vec();
    let method = Method {
        at: format!("http://{}", program.at),
        path,
        token: stored.token.clone(),
        message: message.clone().into(),
    };
    let answer = runtime.block_on(method.call());
    let decoded = pb::AuthorizeResponse::decode(answer.clone()).unwrap();
    assert!(decoded.decision, "{decoded:?}");
    let length = answer.len();
    let ours = Call::new(path, &stored.token, &message, permits);
    let echo = |shape| {
        let call = Call::new(METHOD, &stored.token, &message, move |answer| answer.len() == length);
        (Program::echo(BENCH, shape, length), call)
    };
    let mut sides = vec![Side::new("Authorize", program, ours)];
    for (name, shape) in [
        ("an empty RPC, work stealing", Shape::Stealing),
        ("an empty RPC, a runtime a core", Shape::Apart),
    ] {
        let (program, call) = echo(shape);
        sides.push(Side::new(name, program, call));
    }
    println!("# `Authorize` and an RPC that does nothing, {} interleaved rounds\n", rounds());
    println!(
        "{CONNECTIONS} connections × {IN_FLIGHT} in flight; {} bytes in, {length} bytes out.\n",
        message.len()
    );
    measure(&mut sides);
    report(&sides);
    latencies(&sides);
}

fn measure(sides: &mut [Side]) {
    for round in 0..=rounds() {
        for side in sides.iter_mut() {
            side.closed(round > 0);
        }
    }
    // As many for all as ours can have: who can do more has it easier.
    let rate = PART * Spread::of(sides[0].rates.iter().copied()).median;
    for round in 0..=rounds() {
        for side in sides.iter_mut() {
            side.open(rate, round > 0);
        }
    }
}

fn report(sides: &[Side]) {
    println!(
        "| | requests a second | processor, µs a request | p99 at {PART} of the first's, ms |"
    );
    println!("|---|---|---|---|");
    for side in sides {
        let [rate, cpu, p99] =
            [&side.rates, &side.cpu, &side.p99].map(|all| Spread::of(all.iter().copied()));
        println!("| {} | {rate} | {cpu:.1} | {p99:.2} |", side.name);
    }
    let ours = &sides[0];
    let alike = if OURS == Shape::Stealing { &sides[1] } else { &sides[2] };
    figures::heading();
    let rate = Spread::of_ratios(&ours.rates, &alike.rates);
    Target::AtLeast(0.95).judge(
        "P1: `Authorize` against an empty RPC, requests a second",
        "×",
        rate,
    );
    let cpu = Spread::of_ratios(&ours.cpu, &alike.cpu);
    Target::AtMost(1.25).judge(
        "P1: `Authorize` against an empty RPC, processor a request",
        "×",
        cpu,
    );
    let p99 = Spread::of_ratios(&ours.p99, &alike.p99);
    Target::AtMost(1.10).judge("P1: `Authorize` against an empty RPC, p99 at 70 % load", "×", p99);
    let cpu = Spread::of_ratios(&ours.cpu, &sides[1].cpu);
    let what = "P1b: `Authorize` against an empty RPC with work stealing, processor a request";
    Target::AtMost(0.7).judge(what, "×", cpu);
}

/// What each answers in as more is asked of it.
fn latencies(sides: &[Side]) {
    let most = Spread::of(sides[0].rates.iter().copied()).median;
    let mut lines = Vec::new();
    println!(
        "\n| requests a second | {} |",
        sides.iter().map(|side| side.name).collect::<Vec<_>>().join(" | ")
    );
    println!("|---|{}", "---|".repeat(sides.len()));
    let mut rows: Vec<(f64, Vec<f64>)> = Vec::new();
    for tenth in 1..=9 {
        let rate = most * f64::from(tenth) / 10.0;
        let p99 = sides.iter().map(|side| side.load.open(rate, TURN).quantile(0.99)).collect();
        rows.push((rate, p99));
    }
    for (rate, p99) in &rows {
        let p99: Vec<String> = p99.iter().map(|p99| format!("{p99:.2} ms")).collect();
        println!("| {rate:.0} | {} |", p99.join(" | "));
    }
    for (nth, side) in sides.iter().enumerate() {
        let points = rows.iter().map(|(rate, p99)| (*rate, p99[nth])).collect();
        lines.push(Line { name: side.name.replace("an empty RPC, ", "empty, "), points });
    }
    let x = Axis { name: "requests a second, open loop", tenfold: false };
    let y = Axis { name: "p99, ms", tenfold: true };
    plot("latency.svg", "What 99 of 100 requests take at most, by load", x, y, &lines);
}
