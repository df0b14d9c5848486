//! The ledger: how fast one is verified, what a page of the audit costs as it grows, what an entry costs in the change that it is
//! of, and what somebody who watches takes in memory. On SQLite, and on Postgres where there is one.
//!
//! The argument is the number of entries of the large ledger; without one it is a million.

#![expect(
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a bench may panic, and prints floats"
)]

mod cost;
mod pages;
mod verifying;
mod watchers;

use std::time::Instant;

use benches::caller::Caller;
use benches::figures;
use benches::ledger::{Pattern, grow};
use benches::program::Program;
use benches::stored::Stored;
use chancery::model::AccountId;
use chancery::proto::v1 as pb;

const BENCH: &str = env!("CARGO_BIN_EXE_bench");
/// Entries of the small ledger, beside those of its making.
const FEW: usize = 1_000;
/// Users who are given a role, and have it taken away, over and over.
const USERS: usize = 20;
/// That role.
const ROLE: &str = "voximplant/Supervisor";

/// A store with a small ledger and a large one, and one that is only written to.
struct Filled {
    name: &'static str,
    stored: Stored,
    few: Ledger,
    many: Ledger,
    changed: Ledger,
}

/// A tenant, and one of the users whom its ledger is about.
struct Ledger {
    account: String,
    user: String,
}

impl Ledger {
    fn tenant(&self) -> AccountId {
        self.account.parse().unwrap()
    }
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let entries = figures::argument().unwrap_or(1_000_000);
    let stores = [
        ("SQLite", Some(runtime.block_on(Box::pin(Stored::sqlite())))),
        ("Postgres", runtime.block_on(Box::pin(Stored::postgres("bench_ledger")))),
    ];
    let mut all = Vec::new();
    for (name, stored) in stores {
        match stored {
            Some(one) => all.push(runtime.block_on(Box::pin(fill(name, one, entries)))),
            None => figures::skip(&format!("ledger, on {name}"), "run it by `.ci/postgres`"),
        }
    }
    runtime.block_on(Box::pin(verifying::measure(&all, entries)));
    runtime.block_on(Box::pin(pages::measure(&all, entries)));
    runtime.block_on(Box::pin(cost::measure(&all)));
    runtime.block_on(Box::pin(watchers::measure(&all[0])));
}

/// Makes tenants by the program, and makes the last entries of two many times more.
async fn fill(name: &'static str, stored: Stored, entries: usize) -> Filled {
    let began = Instant::now();
    let program = Program::serve(BENCH, &stored);
    let caller = Caller::of(&program, &stored).await;
    let few = begin(&caller, "few").await;
    let many = begin(&caller, "many").await;
    let changed = begin(&caller, "changed").await;
    drop(program);
    let db = stored.database().await;
    for (ledger, entries) in [(&few, FEW), (&many, entries)] {
        // All that is given is taken again at the end of each time through.
        let each = 2 * USERS;
        let patterns = Pattern::newest(&db, ledger.tenant(), each).await;
        grow(&db, ledger.tenant(), &patterns, entries.div_ceil(each) * each).await;
    }
    db.close().await.unwrap();
    println!("Filled {name} in {:.0} s.", began.elapsed().as_secs_f64());
    Filled { name, stored, few, many, changed }
}

/// Makes a tenant whose last entries are of a role given to each of its users, and taken from each.
async fn begin(caller: &Caller, name: &str) -> Ledger {
    let account = caller.tenant(name).await;
    let mut users = Vec::new();
    for nth in 0..USERS {
        users.push(caller.user(&account, &format!("user{nth}"), Vec::new()).await);
    }
    for user in &users {
        let (user_id, role_type) = (user.clone(), ROLE.to_owned());
        let give = pb::AddUserRoleRequest { user_id, role_type, ..Default::default() };
        caller.roles().add_user_role(give).await.unwrap();
    }
    for user in &users {
        let (user_id, role_type) = (user.clone(), ROLE.to_owned());
        let take = pb::RemoveUserRoleRequest { user_id, role_type, ..Default::default() };
        caller.roles().remove_user_role(take).await.unwrap();
    }
    Ledger { account, user: users.swap_remove(USERS / 2) }
}
