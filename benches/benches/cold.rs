//! The first decision about a tenant that is not in memory, on Postgres, against one `SELECT` by an index on a pool like the
//! service's.

#![expect(clippy::unwrap_used, reason = "a bench may panic")]

use std::str::FromStr as _;
use std::time::{Duration, Instant};

use benches::caller::{Caller, thing};
use benches::figures::{self, Spread, Target, rounds};
use benches::grpc::ask;
use benches::program::Program;
use benches::stored::Stored;
use chancery::model::UserId;
use sea_orm::{ConnectionTrait as _, DatabaseBackend, DatabaseConnection, Statement};

const BENCH: &str = env!("CARGO_BIN_EXE_bench");
/// Tenants that are asked about in a round, each once.
const TENANTS: usize = 40;
/// Users of each.
const USERS: usize = 5;

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(Box::pin(compare()));
}

async fn compare() {
    let what = "P5: first decision about a tenant, against a `SELECT`";
    let Some(stored) = Box::pin(Stored::postgres("bench_cold")).await else {
        figures::skip(what, "run it by `.ci/postgres`");
        return;
    };
    let mut people = Vec::new();
    let filling = Program::serve(BENCH, &stored);
    let caller = Caller::of(&filling, &stored).await;
    for nth in 0..TENANTS * (rounds() + 1) {
        let account = caller.tenant(&format!("tenant {nth}")).await;
        let mut user = String::new();
        for nth in 0..USERS {
            user =
                caller.user(&account, &format!("user{nth}"), vec!["SUPER_USER".to_owned()]).await;
        }
        people.push((account, user));
    }
    drop(filling);
    let program = Program::serve(BENCH, &stored);
    let caller = Caller::of(&program, &stored).await;
    let db = stored.database().await;
    println!(
        "# First decisions, {} interleaved rounds of {TENANTS} tenants of {USERS} users\n",
        rounds()
    );
    let mut figures = [Vec::new(), Vec::new(), Vec::new()];
    for (round, people) in people.chunks(TENANTS).enumerate() {
        let mut took = [Vec::new(), Vec::new(), Vec::new()];
        for (account, user) in people {
            let [cold, warm, select] = &mut took;
            cold.push(decided(&caller, account, user).await);
            warm.push(decided(&caller, account, user).await);
            select.push(selected(&db, user).await);
        }
        if round > 0 {
            figures.iter_mut().zip(took).for_each(|(all, took)| all.push(middle(took)));
        }
    }
    println!("| p50 | ms |\n|---|---|");
    for (name, all) in ["the first decision", "the next", "a `SELECT`"].iter().zip(&figures) {
        println!("| {name} | {:.2} |", Spread::of(all.iter().copied()));
    }
    figures::heading();
    let [cold, _, select] = &figures;
    Target::AtMost(5.0).judge(what, "×", Spread::of_ratios(cold, select));
}

fn middle(mut took: Vec<Duration>) -> f64 {
    took.sort_unstable();
    took.get(took.len() / 2).unwrap().as_secs_f64() * 1e3
}

async fn decided(caller: &Caller, account: &str, user: &str) -> Duration {
    let question = ask(user, "read", "gate_group", &thing(account));
    let began = Instant::now();
    let answer = caller.authorization().authorize(question).await.unwrap();
    let took = began.elapsed();
    assert!(answer.get_ref().decision, "{answer:?}");
    took
}

async fn selected(db: &DatabaseConnection, user: &str) -> Duration {
    let id = UserId::from_str(user).unwrap().0;
    let sql = "select * from users where id = $1";
    let began = Instant::now();
    let query = Statement::from_sql_and_values(DatabaseBackend::Postgres, sql, [id.into()]);
    let row = db.query_one_raw(query).await.unwrap();
    let took = began.elapsed();
    assert!(row.is_some());
    took
}
