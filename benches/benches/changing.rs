//! What `Authorize` takes while 50 changes a second are made to the tenant that it is about, against when none are, on Postgres where
//! there is one, else on SQLite.
//!
//! The argument is the number of questions a second, of which there are 20 to a change; without one it is 1000.

#![expect(
    clippy::cast_precision_loss,
    clippy::unwrap_used,
    reason = "a bench may panic, and prints floats"
)]

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use benches::caller::{Caller, thing};
use benches::figures::{self, Spread, Target, rounds};
use benches::grpc::{CONNECTIONS, ask};
use benches::load::{Call, Load, permits};
use benches::program::Program;
use benches::stored::Stored;
use chancery::proto::v1 as pb;
use prost::Message as _;

const BENCH: &str = env!("CARGO_BIN_EXE_bench");
/// Questions a second, sent when they are due and not when the last is answered.
const RATE: usize = 1000;
/// For so many questions there is a change,
const TO_A_CHANGE: usize = 20;
/// and for so many a user who is changed: one after the other is given a role, and has it taken away.
const TO_A_USER: usize = 50;

/// How fast it goes.
struct Pace {
    rate: f64,
    /// Changes a second.
    changes: f64,
    /// Users who are changed.
    users: usize,
    /// How long a turn is: three times all changes, so that what was given is taken again when it is over.
    turn: Duration,
}

impl Pace {
    fn of(rate: usize) -> Self {
        let (changes, users) = (rate as f64 / TO_A_CHANGE as f64, rate.div_ceil(TO_A_USER));
        let turn = Duration::from_secs_f64((6.0 * users as f64 - 0.5) / changes);
        Self { rate: rate as f64, changes, users, turn }
    }
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stored = match runtime.block_on(Box::pin(Stored::postgres("bench_changing"))) {
        Some(stored) => stored,
        None => runtime.block_on(Box::pin(Stored::sqlite())),
    };
    let program = Program::serve(BENCH, &stored);
    let Pace { rate, changes, users, turn } = Pace::of(figures::argument().unwrap_or(RATE));
    let (asking, changing) = runtime.block_on(Box::pin(loads(&program, &stored, users)));
    println!("# `Authorize` at {rate} a second, {} interleaved rounds\n", rounds());
    println!("Quiet, and beside {changes} changes a second to the same tenant.\n");
    let (mut quiet, mut busy) = (Vec::new(), Vec::new());
    for round in 0..=rounds() {
        let without = asking.open(rate, turn);
        let with = thread::scope(|scope| {
            let changes = scope.spawn(|| changing.open(changes, turn));
            let with = asking.open(rate, turn);
            assert_eq!(changes.join().unwrap().refused, 0);
            with
        });
        assert_eq!(without.refused + with.refused, 0);
        if round > 0 {
            quiet.push(without.quantile(0.99));
            busy.push(with.quantile(0.99));
        }
    }
    println!("| | |\n|---|---|");
    for (name, figures) in [("p99, quiet, ms", &quiet), ("p99, beside changes, ms", &busy)] {
        println!("| {name} | {:.2} |", Spread::of(figures.iter().copied()));
    }
    figures::heading();
    let what =
        format!("P10: p99 of `Authorize` beside {changes} changes a second to the same tenant");
    Target::AtMost(1.5).judge(&what, "×", Spread::of_ratios(&busy, &quiet));
}

async fn loads(program: &Program, stored: &Stored, users: usize) -> (Load, Load) {
    let caller = Caller::of(program, stored).await;
    let account = caller.tenant("changed").await;
    let asked = caller.user(&account, "asked", vec!["SUPER_USER".to_owned()]).await;
    let question = ask(&asked, "read", "gate_group", &thing(&account)).encode_to_vec();
    let path = "/chancery.v1.AuthorizationService/Authorize";
    let asking = Call::new(path, &stored.token, &question, permits);
    let mut changes = Vec::new();
    for nth in 0..users {
        let user_id = caller.user(&account, &format!("changed{nth}"), Vec::new()).await;
        let role_type = "voximplant/Supervisor".to_owned();
        let give = pb::AddUserRoleRequest {
            user_id: user_id.clone(),
            role_type: role_type.clone(),
            ..Default::default()
        };
        let take = pb::RemoveUserRoleRequest { user_id, role_type, ..Default::default() };
        let call = |method: &str, message: &[u8]| {
            let path = format!("/chancery.v1.RoleService/{method}");
            Call::new(&path, &stored.token, message, |answer| !answer.is_empty())
        };
        changes.push([
            call("AddUserRole", &give.encode_to_vec()),
            call("RemoveUserRole", &take.encode_to_vec()),
        ]);
    }
    // All are given it, then it is taken from all: no change overtakes the one before it about the same user.
    let given = changes.iter().map(|[give, _]| give.clone());
    let taken = changes.iter().map(|[_, take]| take.clone());
    let plan: Arc<[Call]> = given.chain(taken).collect();
    let changing = Load { at: program.at, connections: 1, plans: vec![plan] };
    (Load::new(program.at, CONNECTIONS, vec![asking]), changing)
}
