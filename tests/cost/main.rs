//! What a decision costs, and a round trip of `Authorize`: the allocations are counted at each run of the tests, the instructions
//! by valgrind, which `.ci/cost` has run this very program. Both are held against `benches/accepted.toml`.
//!
//! Counts are the same on a busy machine as on a quiet one. What is built for tests is not optimised, so they do not tell how fast
//! the program is; but where they grow, it has more to do.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, unreachable_pub, reason = "shared with the benches")]
#[path = "../../benches/src/stored.rs"]
mod stored;
#[expect(dead_code, unreachable_pub, reason = "shared with the benches")]
#[path = "../../benches/src/world.rs"]
mod world;

use std::alloc::System;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chancery::crypto::KeyRing;
use chancery::decision::{Facts, Snapshot};
use chancery::model::catalogue::Permission;
use chancery::model::{Named, ResourcePath, SystemClock};
use chancery::proto::v1 as pb;
use chancery::server::{self, Running};
use chancery::store::Store;
use pb::authorization_service_client::AuthorizationServiceClient;
use serde::Deserialize;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::net::TcpListener;
use tonic::Request;
use tonic::transport::Channel;

use stored::{KEY, Stored, config};

#[global_allocator]
static MEMORY: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Users of the tenant that is decided in.
const USERS: usize = 1000;
/// What is counted is done so many times.
const TIMES: usize = 40;
/// And this often before: what is made once is not counted.
const WARM: usize = 20;
/// What the service does by the clock, it does seldom here, since valgrind makes every call take long.
const SELDOM: Duration = Duration::from_hours(1);

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

/// Where valgrind ends one count and begins the next, before each time and after the last: it finds this function by its name.
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
        mark();
        let region = Region::new(MEMORY);
        decide(&tenant, permissions, &path, user * 7 % USERS);
        region.change().allocations
    };
    let all = (0..WARM + TIMES).map(counted).skip(WARM).collect();
    mark();
    middle(all)
}

/// Starts a whole service.
async fn start(stored: &Stored) -> Running {
    let settings = config(&stored.url);
    let store = settings.store();
    let store = Box::pin(Store::open(&store, Arc::new(SystemClock))).await.unwrap();
    let keys = Arc::new(KeyRing::from_base64(KEY).unwrap());
    let grpc = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let admin = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut server = settings.server();
    (server.feed.poll, server.feed.staleness) = (SELDOM, 2 * SELDOM);
    server.slow = Some(SELDOM);
    // Boxed, since a whole configuration in it makes every future that starts a service a large one.
    Box::pin(server::start(server, store, keys, grpc, admin)).await.unwrap()
}

/// Asks over gRPC, and counts the allocations of both sides.
async fn round_trip(client: &mut AuthorizationServiceClient<Channel>, stored: &Stored) -> usize {
    let (kind, id) = ("gate_group".to_owned(), "17".to_owned());
    let mut question = Request::new(pb::AuthorizeRequest {
        subject: Some(pb::Subject {
            r#type: "user".to_owned(),
            id: stored.user.clone(),
            ..Default::default()
        }),
        action: Some(pb::Action { name: "read".to_owned(), properties: None }),
        resource: Some(pb::Resource { r#type: kind, id, properties: None }),
        ..Default::default()
    });
    let bearer = format!("Bearer {}", stored.token).parse().unwrap();
    question.metadata_mut().insert("authorization", bearer);
    mark();
    let region = Region::new(MEMORY);
    let answer = client.authorize(question).await.unwrap();
    let counted = region.change().allocations;
    assert!(answer.into_inner().decision);
    counted
}

/// Counts the allocations of one `Authorize` over gRPC, with every layer on.
async fn round_trips() -> usize {
    let stored = Box::pin(Stored::sqlite()).await;
    let running = start(&stored).await;
    let endpoint = Channel::from_shared(format!("http://{}", running.grpc())).unwrap();
    let mut client = AuthorizationServiceClient::new(endpoint.connect().await.unwrap());
    let mut all = Vec::new();
    for _ in 0..WARM + TIMES {
        all.push(round_trip(&mut client, &stored).await);
    }
    mark();
    running.stop().await.unwrap();
    middle(all.split_off(WARM))
}

#[tokio::test]
async fn neither_a_decision_nor_a_round_trip_allocates_more_than_is_accepted() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/accepted.toml");
    let text = std::fs::read_to_string(file).unwrap();
    let Accepted { allocations: accepted } = toml::from_str(&text).unwrap();
    println!("counted {TIMES} times after {WARM}");
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
