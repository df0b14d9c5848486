//! What `Authorize` costs over gRPC, with every layer on, as a tenant grows: each question is about another user.
//!
//! The argument is the greatest number of users, of 1000, 10 000, 100 000 and 1 000 000; without one it is 100 000.

#![expect(
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a bench may panic"
)]

use std::time::Duration;

use benches::caller::Caller;
use benches::figures::{self, Chance, Spread, Target, rounds};
use benches::grpc::{CONNECTIONS, IN_FLIGHT, ask};
use benches::load::{Call, Load, permits};
use benches::plot::{Axis, Line, plot};
use benches::program::{Program, UNVERIFIED};
use benches::stored::{Stored, grown_user};
use prost::Message as _;

const BENCH: &str = env!("CARGO_BIN_EXE_bench");
/// How long a server is called at a time.
const TURN: Duration = Duration::from_millis(1500);
/// So many users.
const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// So many different questions.
const ASKED: usize = 10_000;
/// The kinds of questions: how they are answered, and about which action they are.
const KINDS: [(&str, &str); 2] = [("permit", "listen"), ("deny", "delete")];

/// A server whose account has so many users, and what is asked of it.
struct Side {
    _program: Program,
    _stored: Stored,
    loads: [Load; 2],
}

fn main() {
    let most = figures::argument().unwrap_or(100_000);
    let sizes: Vec<usize> = SIZES.into_iter().filter(|size| *size <= most).collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let servers: Vec<Side> =
        sizes.iter().map(|size| runtime.block_on(Box::pin(side(*size)))).collect();
    println!("# `Authorize` over gRPC, requests a second, {} interleaved rounds\n", rounds());
    println!("{CONNECTIONS} connections × {IN_FLIGHT} in flight; each server is a process.\n");
    let figures = figures::interleaved(servers.len() * 2, |at| {
        let outcome = servers[at / 2].loads[at % 2].closed(IN_FLIGHT, TURN);
        assert_eq!(outcome.refused, 0);
        outcome.rate()
    });
    println!("| users | permit | deny |\n|---|---|---|");
    for (size, of) in sizes.iter().zip(figures.chunks(2)) {
        let [permit, deny] = [0, 1].map(|kind| Spread::of(of[kind].iter().copied()));
        println!("| {size} | {permit} | {deny} |");
    }
    let lines = KINDS.iter().enumerate().map(|(kind, (name, _))| {
        let of = figures.chunks(2).map(|of| Spread::of(of[kind].iter().copied()).median);
        let points = sizes.iter().map(|size| *size as f64).zip(of).collect();
        Line { name: (*name).to_owned(), points }
    });
    let x = Axis { name: "users of the tenant", tenfold: true };
    let y = Axis { name: "requests a second, closed loop", tenfold: false };
    plot(
        "growth_grpc.svg",
        "Authorize over gRPC as a tenant grows",
        x,
        y,
        &lines.collect::<Vec<_>>(),
    );
    figures::heading();
    for (kind, (name, _)) in KINDS.iter().enumerate() {
        // Fewer requests a second are more time for each.
        let last = &figures[figures.len() - 2 + kind];
        let what =
            format!("P4: over gRPC, {} to {} users, {name}", sizes[0], sizes[sizes.len() - 1]);
        Target::AtMost(1.5).judge(&what, "×", Spread::of_ratios(&figures[kind], last));
    }
}

/// Starts a server with so many users, and makes questions that are permitted and questions that are denied.
async fn side(size: usize) -> Side {
    let stored = Box::pin(Stored::sqlite()).await;
    stored.grow(size).await;
    let program = Program::serve_with(BENCH, &stored, UNVERIFIED);
    Caller::of(&program, &stored).await;
    let mut chance = Chance::new(7);
    let users: Vec<String> =
        (0..ASKED).map(|_| grown_user(chance.below(size)).to_string()).collect();
    let loads = KINDS.map(|(kind, action)| {
        let permitted = kind == "permit";
        let call = |user: &String| {
            let question = ask(user, action, "recording", "17").encode_to_vec();
            let path = "/chancery.v1.AuthorizationService/Authorize";
            Call::new(path, &stored.token, &question, move |answer| permits(answer) == permitted)
        };
        Load::new(program.at, CONNECTIONS, users.iter().map(call).collect())
    });
    Side { _program: program, _stored: stored, loads }
}
