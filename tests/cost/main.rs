//! What a decision costs, and a round trip of `Authorize`: the allocations are counted at each run of the tests, the instructions
//! by valgrind, which `.ci/cost` has run this very program. Both are held against `benches/accepted.toml`.
//!
//! Counts are the same on a busy machine as on a quiet one. What is built for tests is not optimised, so they do not tell how fast
//! the program is; but where they grow, it has more to do.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, clippy::expect_used, reason = "shared with the tests of the service")]
#[path = "../it/support.rs"]
mod support;
#[expect(dead_code, unreachable_pub, reason = "shared with the benches")]
#[path = "../../benches/src/world.rs"]
mod world;

use std::alloc::System;
use std::hint::black_box;
use std::path::Path;

use chancery::decision::{Facts, Snapshot};
use chancery::model::catalogue::Permission;
use chancery::model::{Named, ResourcePath};
use chancery::proto::v1 as pb;
use pb::authorization_service_client::AuthorizationServiceClient;
use serde::Deserialize;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

use support::{As, Engine, Service, ask};

#[global_allocator]
static MEMORY: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Users of the tenant that is decided in.
const USERS: usize = 1000;
/// What is counted is done so many times; `.ci/cost` divides by what is said of it.
const TIMES: usize = 200;
/// And this often before: what is made once is not counted.
const WARM: usize = 20;

/// What is done by the clock is done seldom, and no request is told of as slow: valgrind makes them all take long.
const SETTINGS: [(&str, &str); 4] = [
    ("poll_ms", "500"),
    ("staleness_ms", "30000"),
    ("ledger.look_ms", "3600000"),
    ("telemetry.slow_ms", "3600000"),
];

/// The part of the accepted figures that is held here.
#[derive(Debug, Deserialize)]
struct Accepted {
    allocations: Allocations,
}

#[derive(Debug, Deserialize)]
struct Allocations {
    decision: usize,
    authorize: usize,
}

/// Where valgrind ends one count and begins the next: it finds this function by its name.
#[inline(never)]
fn mark() {
    black_box(());
}

/// The allocations of a call, as most of many have them: now and then something else allocates meanwhile.
fn middle(mut counted: Vec<usize>) -> usize {
    counted.sort_unstable();
    *counted.get(counted.len() / 2).unwrap()
}

/// Puts a question that is permitted and one that is denied.
fn decide(tenant: &Snapshot, permissions: [Permission; 2], path: &ResourcePath, user: usize) {
    for (permission, permit) in permissions.into_iter().zip([true, false]) {
        let answer = world::permits(tenant, world::user_id(user), permission, black_box(path));
        assert_eq!(answer, permit);
    }
}

/// Counts the allocations of two decisions in process.
fn decisions() -> usize {
    let catalogue = world::catalogue(None);
    let roles = ["ringcx/USER", "voximplant/Supervisor"];
    let grants = |n| roles.map(|role| world::grant(n, world::MAIN, role));
    let facts = Facts {
        users: (0..USERS).map(|n| world::user(n, world::MAIN)).collect(),
        grants: (0..USERS).flat_map(grants).collect(),
        ..Facts::default()
    };
    let tenant = world::tenant(&catalogue, facts);
    let permissions =
        ["recording.listen", "recording.delete"].map(|name| catalogue.parse(name).unwrap());
    let path = ResourcePath::account(world::MAIN).with("recording", Named::Id("17".to_owned()));
    let counted = |user: usize| {
        let region = Region::new(MEMORY);
        decide(&tenant, permissions, &path, user * 7 % USERS);
        region.change().allocations
    };
    (0..WARM).for_each(|user| {
        counted(user);
    });
    let mut all = Vec::with_capacity(TIMES);
    mark();
    all.extend((0..TIMES).map(counted));
    mark();
    middle(all)
}

/// Asks over gRPC, and counts the allocations of both sides.
async fn round_trip(client: &mut AuthorizationServiceClient<As>, user: &str) -> usize {
    let question = ask(user, "read", "gate_group", "17");
    let region = Region::new(MEMORY);
    let answer = client.authorize(question).await.unwrap();
    let counted = region.change().allocations;
    assert!(answer.into_inner().decision);
    counted
}

/// Counts the allocations of one `Authorize` over gRPC, with every layer on.
async fn round_trips() -> usize {
    let service = Service::start_with(&Engine::Sqlite, &SETTINGS).await;
    let mut client = service.authorization(&service.root);
    let user = &service.root.user_id;
    for _ in 0..WARM {
        round_trip(&mut client, user).await;
    }
    let mut all = Vec::with_capacity(TIMES);
    mark();
    for _ in 0..TIMES {
        all.push(round_trip(&mut client, user).await);
    }
    mark();
    service.stop().await;
    middle(all)
}

#[tokio::test]
async fn neither_a_decision_nor_a_round_trip_allocates_more_than_is_accepted() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/accepted.toml");
    let text = std::fs::read_to_string(file).unwrap();
    let Accepted { allocations: accepted } = toml::from_str(&text).unwrap();
    println!("counted {TIMES} times");
    for (what, counted, accepted) in [
        ("two decisions in process", decisions(), accepted.decision),
        ("a round trip of Authorize, client and server", round_trips().await, accepted.authorize),
    ] {
        println!("{what}: {counted} allocations, {accepted} accepted");
        assert!(
            counted <= accepted,
            "{what}: {counted} allocations, and {accepted} are accepted. If it is worth them, say so in benches/accepted.toml"
        );
        if counted < accepted {
            println!("{what}: fewer than before; benches/accepted.toml may say so");
        }
    }
}
