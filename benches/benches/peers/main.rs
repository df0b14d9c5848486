//! One decision in process, beside `cedar-policy` and `casbin` on the same data and the same questions.
//!
//! Every question is put to every engine before anything is timed, and all must answer as a plain look at the data does.
//!
//! Arguments name workloads: `RBAC`, `Drive`, `GitHub`, `Todo`; without one it is all.

#![expect(
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a bench may panic, and prints floats"
)]

mod cedar;
mod drive;
mod github;
mod rbac;
mod todo;
mod workload;

use std::hint::black_box;

use benches::figures::{self, Spread, Target, rounds};
use workload::{Answers, Workload};

/// How often each engine answers all questions of a round: about as long for each.
const REPEATS: [(&str, usize); ENGINES] =
    [("chancery", 60), ("cedar-policy", 3), ("cedar-policy, indexed", 3), ("casbin", 1)];
const ENGINES: usize = 4;

fn main() {
    println!("# One decision in process, {} interleaved rounds\n", rounds());
    println!("Timing nothing takes {} ns, which is in every figure.", figures::clock());
    let named: Vec<String> = std::env::args().collect();
    let all = [rbac::workload(), drive::workload(), github::workload(), todo::workload()];
    let wanted = |workload: &Workload| named.iter().any(|name| name == workload.name);
    let some = all.iter().any(wanted);
    all.into_iter().filter(|workload| !some || wanted(workload)).for_each(compare);
}

/// The middle and the tail of each round, in nanoseconds.
#[derive(Default)]
struct Rounds {
    p50: Vec<f64>,
    p99: Vec<f64>,
}

fn compare(workload: Workload) {
    let Workload { name, size, asked, ours, cedar, indexed, casbin } = workload;
    let engines: [Answers; ENGINES] = [
        ours.answers(&asked),
        cedar.answers(&asked),
        indexed.indexed_answers(&asked),
        casbin.answers(&asked),
    ];
    for (at, asked) in asked.iter().enumerate() {
        for (engine, (called, _)) in engines.iter().zip(REPEATS) {
            assert_eq!(engine(at), asked.permit, "{called} answers otherwise: {asked:?}");
        }
    }
    let of = |permit: bool| -> Vec<usize> {
        (0..asked.len()).filter(|at| asked[*at].permit == permit).collect()
    };
    let kinds = [("permit", of(true)), ("deny", of(false))];
    println!("\n## {name}: {size}\n");
    println!(
        "{} permits and {} denies, answered alike by all.\n",
        kinds[0].1.len(),
        kinds[1].1.len()
    );

    let mut figures: Vec<Rounds> = (0..2 * ENGINES).map(|_| Rounds::default()).collect();
    for round in 0..=rounds() {
        for (kind, (_, questions)) in kinds.iter().enumerate() {
            for (at, engine) in engines.iter().enumerate() {
                let mut histogram = figures::histogram();
                for _ in 0..REPEATS[at].1 {
                    let calls = questions.iter().map(|at| {
                        || {
                            black_box(engine(black_box(*at)));
                        }
                    });
                    figures::time_each(&mut histogram, calls);
                }
                if round > 0 {
                    let to = &mut figures[kind * ENGINES + at];
                    to.p50.push(histogram.value_at_quantile(0.5) as f64);
                    to.p99.push(histogram.value_at_quantile(0.99) as f64);
                }
            }
        }
    }
    print(name, &kinds.map(|(kind, _)| kind), &figures);
}

fn print(name: &str, kinds: &[&str; 2], rounds: &[Rounds]) {
    println!("| | engine | p50, ns | p99, ns | p50, times ours |\n|---|---|---|---|---|");
    for (row, figures) in rounds.iter().enumerate() {
        let (kind, engine) = (kinds[row / ENGINES], REPEATS[row % ENGINES].0);
        let [p50, p99] = [&figures.p50, &figures.p99].map(|all| Spread::of(all.iter().copied()));
        let ratio = Spread::of_ratios(&figures.p50, &rounds[row / ENGINES * ENGINES].p50);
        println!("| {kind} | {engine} | {p50} | {p99} | {ratio:.1} |");
    }
    figures::heading();
    for (at, kind) in kinds.iter().enumerate() {
        let [ours, peers @ ..] = &rounds[at * ENGINES..][..ENGINES] else { unreachable!() };
        let figure = Spread::of(ours.p50.iter().copied());
        Target::AtMost(200.0).judge(&format!("P3: {name}, {kind}: p50"), "ns", figure);
        for ((peer, _), figures) in REPEATS[1..].iter().zip(peers) {
            let target = if *peer == "casbin" { 1500.0 } else { 150.0 };
            let what = format!("P3: {name}, {kind}: faster than {peer}");
            let ratio = Spread::of_ratios(&figures.p50, &ours.p50);
            Target::AtLeast(target).judge(&what, "×", ratio);
        }
    }
}
