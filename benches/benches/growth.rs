//! What one decision costs in process as a tenant grows: by users, by accounts, by their depth, by rights documents.
//!
//! With four arguments (an axis, a size, `permit` or `deny`, a number of questions) it answers so many questions once and
//! prints nothing, for a profiler that counts what happens in `growth::ask`.

#![expect(
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a bench may panic, and prints floats"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use benches::figures::{self, Chance, Spread, Target, rounds};
use benches::plot::{Axis, Line, plot};
use benches::world::{self, MAIN};
use chancery::decision::{Facts, Snapshot};
use chancery::model::catalogue::{Catalogue, Permission};
use chancery::model::{AccountId, Body, Named, ResourcePath, ResourcePermissions, UserId};

/// Users where it is not they who grow.
const USERS: usize = 1000;
/// Questions of a round.
const ASKED: usize = 100_000;

/// What grows, and how far.
const AXES: [(&str, &[usize]); 5] = [
    ("users", &[1_000, 10_000, 100_000, 1_000_000]),
    ("accounts", &[10, 100, 1_000, 10_000, 100_000]),
    ("depth", &[1, 2, 4, 8]),
    ("documents", &[100, 1_000, 10_000, 100_000]),
    ("documents-held", &[1, 10, 1_000, 100_000]),
];

/// Which of them are shown in a plot.
const PLOTTED: [&str; 3] = ["users", "accounts", "documents"];

/// A tenant, and what it is asked.
struct Growing {
    world: Snapshot,
    permit: Permission,
    deny: Permission,
    paths: Vec<ResourcePath>,
    /// Who, in which account, and which of the paths.
    asked: Vec<(UserId, AccountId, usize)>,
}

fn main() {
    let catalogue = world::catalogue(None);
    // Cargo passes `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if let [axis, size, kind, count] = &arguments[..] {
        let growing = grow(&catalogue, axis, size.parse().unwrap());
        let permit = kind == "permit";
        let permission = if permit { growing.permit } else { growing.deny };
        ask(&growing, permission, count.parse().unwrap(), permit);
        return;
    }
    println!(
        "# Nanoseconds a decision in process, {} interleaved rounds of {ASKED} questions\n",
        rounds()
    );
    let (mut verdicts, mut lines) = (Vec::new(), Vec::new());
    for (axis, sizes) in AXES {
        let worlds: Vec<Growing> = sizes.iter().map(|size| grow(&catalogue, axis, *size)).collect();
        let figures = figures::interleaved(worlds.len() * 2, |at| {
            let growing = &worlds[at / 2];
            let permit = at % 2 == 0;
            let permission = if permit { growing.permit } else { growing.deny };
            let began = Instant::now();
            ask(growing, permission, ASKED, permit);
            began.elapsed().as_nanos() as f64 / ASKED as f64
        });
        show(axis, sizes, &figures);
        for (kind, name) in ["permit", "deny"].iter().enumerate() {
            let of = figures.chunks(2).map(|of| Spread::of(of[kind].iter().copied()).median);
            let points = sizes.iter().map(|size| *size as f64).zip(of).collect();
            if PLOTTED.contains(&axis) {
                lines.push(Line { name: format!("{axis}, {name}"), points });
            }
            let last = &figures[figures.len() - 2 + kind];
            let what = format!("P4: {axis}, {} to {}, {name}", sizes[0], sizes[sizes.len() - 1]);
            verdicts.push((what, Spread::of_ratios(last, &figures[kind])));
        }
    }
    let x = Axis { name: "so many in the tenant", tenfold: true };
    let y = Axis { name: "ns a decision", tenfold: true };
    plot("growth.svg", "One decision in process as a tenant grows", x, y, &lines);
    figures::heading();
    for (what, ratio) in verdicts {
        Target::AtMost(5.0).judge(&what, "×", ratio);
    }
}

fn show(axis: &str, sizes: &[usize], figures: &[Vec<f64>]) {
    println!(
        "| {axis} | permit | times the least | deny | times the least |\n|---|---|---|---|---|"
    );
    for (size, of) in sizes.iter().zip(figures.chunks(2)) {
        let [permit, deny] = [0, 1].map(|kind| {
            let ratio = Spread::of_ratios(&of[kind], &figures[kind]);
            format!("{} | {ratio:.2}", Spread::of(of[kind].iter().copied()))
        });
        println!("| {size} | {permit} | {deny} |");
    }
    println!();
}

/// Puts questions, and looks at the answers. A function of its own for profilers.
#[inline(never)]
fn ask(growing: &Growing, permission: Permission, count: usize, permit: bool) {
    // A path is written to right before it is asked about, as one is that was just read.
    let mut paths = growing.paths.clone();
    for (user, account, path) in growing.asked.iter().cycle().take(count) {
        let path = &mut paths[*path];
        path.account = *account;
        let answer = world::permits(&growing.world, *user, permission, black_box(path));
        assert_eq!(answer, permit);
    }
}

fn grow(catalogue: &Arc<Catalogue>, axis: &str, size: usize) -> Growing {
    let mut chance = Chance::new(11);
    let users = if axis == "users" { size } else { USERS };
    let mut facts =
        Facts { users: (0..users).map(|n| world::user(n, MAIN)).collect(), ..Facts::default() };
    let path =
        |kind: &str, id: usize| ResourcePath::account(MAIN).with(kind, Named::Id(id.to_string()));
    let mut permissions = ["gate_group.read", "recording.delete"];
    let mut paths = vec![path("gate_group", 17)];
    let mut at: Vec<AccountId> = vec![MAIN];
    // Who is asked about, and with which path.
    let mut pairs: Vec<(usize, usize)> = (0..users).map(|user| (user, 0)).collect();
    match axis {
        "users" => {
            permissions[0] = "recording.listen";
            paths = vec![path("recording", 17)];
            give(&mut facts, &["ringcx/USER", "voximplant/Supervisor"]);
        }
        "accounts" => {
            permissions[0] = "activity.read";
            paths = vec![ResourcePath::account(MAIN)];
            give(&mut facts, &["ringcx/USER", "core/AUDITOR"]);
            at = (0..size).map(world::account_id).collect();
            facts.accounts = at.iter().map(|id| world::account(*id, Some(MAIN))).collect();
        }
        "depth" => {
            permissions[0] = "activity.read";
            paths = vec![ResourcePath::account(MAIN)];
            give(&mut facts, &["ringcx/USER", "core/AUDITOR"]);
            let chain: Vec<AccountId> =
                std::iter::once(MAIN).chain((1..size).map(world::account_id)).collect();
            facts.accounts =
                chain.windows(2).map(|pair| world::account(pair[1], Some(pair[0]))).collect();
            at = vec![chain[size - 1]];
        }
        // Every user holds one of them, on one of a thousand groups.
        "documents" => {
            give(&mut facts, &["ringcx/USER"]);
            facts.documents = (0..size).map(|n| world::document(n, body(n % 1000))).collect();
            let held: Vec<usize> =
                (0..users).map(|user| (user + 1000 * chance.below(100)) % size).collect();
            facts.assignments =
                held.iter().enumerate().map(|(user, n)| world::assignment(*n, user)).collect();
            paths = (0..1000).map(|n| path("gate_group", n)).collect();
            pairs = held.iter().enumerate().map(|(user, n)| (user, n % 1000)).collect();
        }
        // One user holds all of them.
        "documents-held" => {
            give(&mut facts, &["ringcx/USER"]);
            facts.documents = (0..size).map(|n| world::document(n, body(n))).collect();
            facts.assignments = (0..size).map(|n| world::assignment(n, 0)).collect();
            paths = (0..1000).map(|_| path("gate_group", chance.below(size))).collect();
            pairs = (0..1000).map(|path| (0, path)).collect();
        }
        _ => panic!("no such axis: {axis}"),
    }
    let asked = (0..ASKED).map(|_| {
        let (user, path) = pairs[chance.below(pairs.len())];
        (world::user_id(user), at[chance.below(at.len())], path)
    });
    let asked: Vec<_> = asked.collect();
    let [permit, deny] = permissions.map(|name| catalogue.parse(name).unwrap());
    Growing { world: world::tenant(catalogue, facts), permit, deny, paths, asked }
}

fn give(facts: &mut Facts, roles: &[&str]) {
    let each = |n| roles.iter().map(move |role| world::grant(n, MAIN, role));
    facts.grants = (0..facts.users.len()).flat_map(each).collect();
}

/// What a document says: two permissions on one group and all in it.
fn body(id: usize) -> Body {
    let entry = ResourcePermissions {
        resource_type: "gate_group".to_owned(),
        resource_id: id.to_string(),
        permissions: vec!["read".to_owned(), "update".to_owned()],
        cascade: true,
    };
    Body { resource_permissions: vec![entry], ..Body::default() }
}
