//! Durable changes of rights, each with its lock, its entry in the ledger and its hash in one transaction, against the simple
//! update of `pgbench` on the same Postgres with as many at once. The disk is waited for in both.

#![expect(clippy::unwrap_used, reason = "a bench may panic")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use benches::caller::Caller;
use benches::figures::{self, Spread, Target, rounds};
use benches::load::{Call, Load};
use benches::program::Program;
use benches::stored::Stored;
use chancery::proto::v1 as pb;
use prost::Message as _;

const BENCH: &str = env!("CARGO_BIN_EXE_bench");
/// How long each is loaded at a time.
const TURN: Duration = Duration::from_secs(3);
/// At once, on as many connections as threads of `pgbench`.
const AT_ONCE: usize = 32;
const CONNECTIONS: usize = 4;
/// Of `pgbench`: a million rows.
const SCALE: &str = "10";

const WHAT: [&str; 2] = [
    "P7: durable changes over many tenants, against `pgbench -N`",
    "P7: durable changes within one tenant",
];

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let Some(stored) = runtime.block_on(Box::pin(Stored::postgres("bench_changes"))) else {
        figures::skip(WHAT[0], "run it by `.ci/postgres`");
        return;
    };
    let Some(pgbench) = pgbench() else {
        figures::skip(WHAT[0], "there is no `pgbench`, which comes with the server of Postgres");
        return;
    };
    let program = Program::serve(BENCH, &stored);
    let (many, one) = runtime.block_on(Box::pin(plans(&program, &stored)));
    let many = Load { at: program.at, connections: CONNECTIONS, plans: many };
    let one = Load { plans: one, ..many.clone() };
    let beside = runtime.block_on(Box::pin(Stored::postgres("bench_pgbench"))).unwrap().url;
    let prepared =
        Command::new(&pgbench).args(["-i", "-q", "-s", SCALE, &beside]).output().unwrap();
    assert!(prepared.status.success(), "{}", String::from_utf8_lossy(&prepared.stderr));

    println!("# Durable changes a second, {AT_ONCE} at once, {} interleaved rounds\n", rounds());
    let mut rates = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..=rounds() {
        let figures = [changed(&many), changed(&one), updated(&pgbench, &beside)];
        if round > 0 {
            rates.iter_mut().zip(figures).for_each(|(all, figure)| all.push(figure));
        }
    }
    println!("| | a second |\n|---|---|");
    let names = ["roles given and taken, over many tenants", "within one", "`pgbench -N`"];
    for (name, all) in names.iter().zip(&rates) {
        println!("| {name} | {} |", Spread::of(all.iter().copied()));
    }
    figures::heading();
    let [many, one, pgbench] = &rates;
    Target::AtLeast(0.5).judge(WHAT[0], "×", Spread::of_ratios(many, pgbench));
    Target::AtLeast(800.0).judge(WHAT[1], "a second", Spread::of(one.iter().copied()));
}

/// What each caller does over and over: gives a user of its own a role, and takes it away. Over many tenants each user is of
/// another tenant.
async fn plans(program: &Program, stored: &Stored) -> (Vec<Arc<[Call]>>, Vec<Arc<[Call]>>) {
    let caller = Caller::of(program, stored).await;
    let shared = caller.tenant("shared").await;
    let (mut many, mut one) = (Vec::new(), Vec::new());
    for nth in 0..AT_ONCE {
        let account = caller.tenant(&format!("tenant {nth}")).await;
        for (account, plans) in [(&account, &mut many), (&shared, &mut one)] {
            let user_id = caller.user(account, &format!("user{nth}"), Vec::new()).await;
            let role_type = "voximplant/Supervisor".to_owned();
            let (user, role) = (user_id.clone(), role_type.clone());
            let give = pb::AddUserRoleRequest { user_id, role_type, ..Default::default() };
            let take =
                pb::RemoveUserRoleRequest { user_id: user, role_type: role, ..Default::default() };
            let call = |method: &str, message: Vec<u8>| {
                let path = format!("/chancery.v1.RoleService/{method}");
                Call::new(&path, &stored.token, &message, |answer| !answer.is_empty())
            };
            let plan = [
                call("AddUserRole", give.encode_to_vec()),
                call("RemoveUserRole", take.encode_to_vec()),
            ];
            plans.push(plan.into());
        }
    }
    (many, one)
}

fn changed(load: &Load) -> f64 {
    let outcome = load.closed(AT_ONCE / CONNECTIONS, TURN);
    // Who was stopped between the two begins with a role that is held.
    assert!(outcome.refused <= u64::try_from(AT_ONCE).unwrap());
    outcome.rate()
}

fn updated(pgbench: &Path, url: &str) -> f64 {
    let (clients, threads) = (AT_ONCE.to_string(), CONNECTIONS.to_string());
    let seconds = TURN.as_secs().to_string();
    let done = Command::new(pgbench)
        .args(["-N", "-n", "-M", "prepared", "-c", &clients, "-j", &threads, "-T", &seconds, url])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let rate = said.lines().find_map(|line| line.strip_prefix("tps = "));
    assert!(rate.is_some(), "it says no rate: {said}");
    rate.unwrap().split_whitespace().next().unwrap().parse().unwrap()
}

/// Where `pgbench` is: where Debian keeps it, or on PATH, where Debian has a script by that name.
fn pgbench() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let debian = debian.map(|version| version.unwrap().path().join("bin"));
    let folders = debian.chain(std::env::split_paths(&path));
    folders.map(|folder| folder.join("pgbench")).find(|program| program.exists())
}
