//! What `Authorize` takes while 50 changes a second are made to the tenant that it is about, against when none are, on Postgres where
//! there is one, else on SQLite.

#![expect(clippy::unwrap_used, reason = "a bench may panic")]

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
/// How long a turn is: three times all changes, so that what was given is taken again when it is over.
const TURN: Duration = Duration::from_millis(2390);
/// Questions a second, sent when they are due and not when the last is answered.
const RATE: f64 = 1000.0;
/// Changes a second.
const CHANGES: f64 = 50.0;
/// Users who are changed: one after the other is given a role, and has it taken away.
const CHANGED: usize = 20;

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stored = match runtime.block_on(Box::pin(Stored::postgres("bench_changing"))) {
        Some(stored) => stored,
        None => runtime.block_on(Box::pin(Stored::sqlite())),
    };
    let program = Program::serve(BENCH, &stored);
    let (asking, changing) = runtime.block_on(Box::pin(loads(&program, &stored)));
    println!("# `Authorize` at {RATE} a second, {} interleaved rounds\n", rounds());
    println!("Quiet, and beside {CHANGES} changes a second to the same tenant.\n");
    let (mut quiet, mut busy) = (Vec::new(), Vec::new());
    for round in 0..=rounds() {
        let without = asking.open(RATE, TURN);
        let with = thread::scope(|scope| {
            let changes = scope.spawn(|| changing.open(CHANGES, TURN));
            let with = asking.open(RATE, TURN);
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
    let what = "P10: p99 of `Authorize` beside 50 changes a second to the same tenant";
    Target::AtMost(1.5).judge(what, "×", Spread::of_ratios(&busy, &quiet));
}

async fn loads(program: &Program, stored: &Stored) -> (Load, Load) {
    let caller = Caller::of(program, stored).await;
    let account = caller.tenant("changed").await;
    let asked = caller.user(&account, "asked", vec!["SUPER_USER".to_owned()]).await;
    let question = ask(&asked, "read", "gate_group", &thing(&account)).encode_to_vec();
    let path = "/chancery.v1.AuthorizationService/Authorize";
    let asking = Call::new(path, &stored.token, &question, permits);
    let mut changes = Vec::new();
    for nth in 0..CHANGED {
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
