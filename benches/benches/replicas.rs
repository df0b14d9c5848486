//! How long after a change on one replica is answered another obeys it, on Postgres.

#![expect(clippy::unwrap_used, reason = "a bench may panic")]

use std::time::{Duration, Instant};

use benches::caller::{Caller, thing};
use benches::figures::{self, Spread, Target};
use benches::grpc::ask;
use benches::program::Program;
use benches::stored::Stored;
use chancery::proto::v1 as pb;

const BENCH: &str = env!("CARGO_BIN_EXE_bench");
/// Changes, of which the first is for nothing.
const CHANGES: usize = 301;
/// Between two changes, so that they do not go by the same message: three numbers without a common divisor.
const PAUSES: [u64; 3] = [7, 31, 53];
/// Nothing takes so long.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(Box::pin(measure()));
}

async fn measure() {
    let Some(stored) = Box::pin(Stored::postgres("bench_replicas")).await else {
        figures::skip(
            "P9: a change on one replica is obeyed on another",
            "run it by `.ci/postgres`",
        );
        return;
    };
    let programs = [Program::serve(BENCH, &stored), Program::serve(BENCH, &stored)];
    let [here, there] = &programs;
    let (here, there) = (Caller::of(here, &stored).await, Caller::of(there, &stored).await);
    let account = here.tenant("followed").await;
    let user = here.user(&account, "followed", Vec::new()).await;
    let mut took = Vec::new();
    for nth in 0..CHANGES {
        let pause = PAUSES.iter().cycle().nth(nth).unwrap();
        tokio::time::sleep(Duration::from_millis(*pause)).await;
        let permit = nth % 2 == 0;
        change(&here, &user, permit).await;
        let changed = Instant::now();
        while decides(&there, &account, &user).await != permit {
            assert!(changed.elapsed() < PATIENCE, "the other replica does not hear of it");
        }
        if nth > 0 {
            took.push(changed.elapsed());
        }
    }
    took.sort_unstable();
    let [p50, p99, most] = [50, 99, 100].map(|percent| {
        let at = (took.len() * percent / 100).min(took.len() - 1);
        took.get(at).unwrap().as_secs_f64() * 1e3
    });
    println!(
        "# A role is given or taken on one replica and obeyed on another, {} times\n",
        took.len()
    );
    println!("p50 {p50:.1} ms, from when the change was answered.");
    figures::heading();
    let figure = |figure: f64| Spread::of([figure]);
    Target::AtMost(200.0).judge(
        "P9: a change is obeyed on another replica, p99",
        "ms",
        figure(p99),
    );
    Target::AtMost(1000.0).judge("P9: the same, the longest", "ms", figure(most));
}

async fn change(caller: &Caller, user: &str, give: bool) {
    let (user_id, role_type) = (user.to_owned(), "SUPER_USER".to_owned());
    if give {
        let request = pb::AddUserRoleRequest { user_id, role_type, ..Default::default() };
        caller.roles().add_user_role(request).await.unwrap();
    } else {
        let request = pb::RemoveUserRoleRequest { user_id, role_type, ..Default::default() };
        caller.roles().remove_user_role(request).await.unwrap();
    }
}

async fn decides(caller: &Caller, account: &str, user: &str) -> bool {
    let question = ask(user, "read", "gate_group", &thing(account));
    caller.authorization().authorize(question).await.unwrap().into_inner().decision
}
