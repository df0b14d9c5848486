//! What a tenant takes in memory: bytes that are asked of the allocator and not given back, for each thing of a kind.

#![expect(
    clippy::cast_precision_loss,
    clippy::unwrap_used,
    reason = "a bench may panic, and prints floats"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use benches::figures::{self, Spread, Target};
use benches::program::Program;
use benches::stored::Stored;
use benches::world::{self, MAIN};
use chancery::decision::Facts;
use chancery::model::catalogue::Catalogue;
use chancery::model::{ApiToken, Body, ResourcePermissions, RightsDocument};
use peak_alloc::PeakAlloc;

/// Until a service has done what it does at its start.
const SETTLING: Duration = Duration::from_secs(2);

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Users of the large tenant.
const MANY: usize = 1_000_000;
/// Users of the tenants to which something else is added, and how much is.
const SOME: usize = 100_000;

fn main() {
    let idle = idle();
    let catalogue = world::catalogue(None);
    let none = bytes(&catalogue, Facts::default);
    let user = (bytes(&catalogue, || users(MANY)) - none) / MANY as f64;
    let bare = bytes(&catalogue, || users(SOME));
    let beside = |more: &dyn Fn(Facts) -> Facts| {
        (bytes(&catalogue, || more(users(SOME))) - bare) / SOME as f64
    };
    let free = beside(&|facts| Facts { tokens: tokens(None), ..facts });
    let scoped = beside(&|facts| Facts { tokens: tokens(Some("gate_group.read")), ..facts });
    let document = beside(&|facts| Facts { documents: documents(), ..facts });
    let given = beside(&|facts| {
        let assignments = (0..SOME).map(|n| world::assignment(n, n)).collect();
        Facts { documents: documents(), assignments, ..facts }
    });

    println!("# Bytes in memory, as asked of the allocator");
    figures::heading();
    let judge = |what: &str, target, figure: f64| {
        Target::AtMost(target).judge(&format!("P6: {what}"), "B", Spread::of([figure]));
    };
    judge("a principal of two roles and no documents, of 10⁶", 400.0, user);
    judge("a live token without scopes, of 10⁵", 200.0, free);
    judge("a live token of one scope, of 10⁵", 200.0, scoped);
    judge("a document of one entry, of 10⁵", 200.0, document);
    judge("the giving of a document to a user, of 10⁵", 200.0, given - document);
    Target::AtMost(40.0).judge("P6: an idle service, resident", "MiB", Spread::of([idle]));
}

/// Returns what a service that nobody calls keeps resident, in MiB.
fn idle() -> f64 {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stored = runtime.block_on(Box::pin(Stored::sqlite()));
    let program = Program::serve(env!("CARGO_BIN_EXE_bench"), &stored);
    std::thread::sleep(SETTLING);
    program.resident()
}

/// Returns what a tenant takes that is made of these facts, the facts themselves forgotten.
fn bytes(catalogue: &Arc<Catalogue>, facts: impl FnOnce() -> Facts) -> f64 {
    let before = MEMORY.current_usage();
    let world = black_box(world::tenant(catalogue, facts()));
    let took = MEMORY.current_usage() - before;
    drop(world);
    took as f64
}

fn users(count: usize) -> Facts {
    let roles = ["ringcx/USER", "voximplant/Supervisor"];
    let grants = |n| roles.map(|role| world::grant(n, MAIN, role));
    Facts {
        users: (0..count).map(|n| world::user(n, MAIN)).collect(),
        grants: (0..count).flat_map(grants).collect(),
        ..Facts::default()
    }
}

fn documents() -> Vec<RightsDocument> {
    let entry = |n: usize| ResourcePermissions {
        resource_type: "gate_group".to_owned(),
        resource_id: n.to_string(),
        permissions: vec!["read".to_owned(), "update".to_owned()],
        cascade: true,
    };
    let body = |n| Body { resource_permissions: vec![entry(n)], ..Body::default() };
    (0..SOME).map(|n| world::document(n, body(n))).collect()
}

fn tokens(scope: Option<&str>) -> Vec<ApiToken> {
    let scopes: Vec<String> = scope.map(str::to_owned).into_iter().collect();
    let of =
        |n| ApiToken { scopes: scopes.clone(), expanded: scopes.clone(), ..world::token(n, n) };
    (0..SOME).map(of).collect()
}
