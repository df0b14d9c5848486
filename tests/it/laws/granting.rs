//! Nobody gives what he does not hold (`model.md` §7): wherever a change is let through, whatever is permitted by it is
//! permitted to who made it, asked of the reference evaluator.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chancery::decision::{Caller, Limits, Reason, Snapshot, escalation, within_document};
use chancery::model::{User, UserId, UserKind};
use chrono::TimeDelta;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;

use super::naive::{self, NEVER_ON_ONESELF};
use super::questions::{Asked, asked, scopes};
use super::words::catalogue;
use super::worlds::{
    DOCUMENTS, Granted, Paper, World, account_id, assigned, at, grant, paper, root_id, world,
};
use super::{built, config};

/// Who gives what to whom.
#[derive(Debug, Clone)]
struct Giving {
    by: Index,
    to: Index,
    scopes: Vec<String>,
    role: Granted,
    paper: Paper,
    ceiling: Option<&'static str>,
    what: u8,
}

fn giving() -> impl Strategy<Value = Giving> {
    let ceilings = vec![None, None, Some("restcomm/Developer"), Some("restcomm/Administrator")];
    let ceiling = prop::sample::select(ceilings);
    (any::<Index>(), any::<Index>(), scopes(), grant(), paper(), ceiling, 0..3_u8).prop_map(
        |(by, to, scopes, role, paper, ceiling, what)| Giving {
            by,
            to,
            scopes,
            role,
            paper,
            ceiling,
            what,
        },
    )
}

/// All there and at work, as the granter is who calls; what stands still is given under permissions of its own.
fn awake(mut world: World, ceiling: Option<&'static str>) -> World {
    for account in &mut world.tenant.accounts {
        account.status = chancery::model::AccountStatus::Active;
        account.quarantined_from = None;
    }
    world.tenant.accounts[1].role = ceiling.map(str::to_owned);
    for user in &mut world.tenant.users {
        (user.enabled, user.delete_time) = (true, None);
    }
    world
}

/// The world with the gift in it, and whether the engine lets it through.
fn give(world: &World, giving: &Giving, by: &User, home: &Snapshot) -> Option<World> {
    let facts = &world.tenant;
    let before = built(facts);
    let limits = Limits::compile(&giving.scopes, home.catalogue()).map(Arc::new);
    let caller = Caller {
        user: by.id,
        account: by.account,
        tenant: account_id(0),
        kind: by.kind,
        token: None,
        session: None,
        actor: None,
        limits,
    };
    let to = &facts.users[giving.to.index(facts.users.len())];
    let mut after = world.clone();
    let ok = if giving.what == 0 {
        let grant = giving.role.to(to.id, to.account);
        let twice = |g: &chancery::model::RoleGrant| {
            g.user == grant.user && g.role == grant.role && g.scope == grant.scope
        };
        if facts.grants.iter().any(twice) {
            return None;
        }
        after.tenant.grants.push(grant);
        let given = built(&after.tenant);
        escalation(home, &caller, Some(&before), &given, &[to.id], at()).is_ok()
    } else {
        let id = DOCUMENTS + 9;
        let document = giving.paper.in_tenant(id, facts);
        after.tenant.documents.push(document.clone());
        let written = built(&after.tenant);
        let compiled = written.document(document.id).unwrap();
        after.tenant.assignments.push(assigned(document.id, to.id, to.account));
        // Writing and assigning are two acts, and one of them is enough to be refused.
        let whom = (giving.what == 2).then_some((to.id, to.account));
        within_document(home, &caller, &written, compiled, whom, at()).is_ok()
    };
    ok.then_some(after)
}

fn permitted(world: &World, asked: &Asked) -> bool {
    naive::decide(&catalogue(), world, asked).is_some_and(|(reason, _)| reason == Reason::Permitted)
}

/// Whether a question is one that the law is about.
fn counts(asked: &Asked, by: &User, to: UserId) -> bool {
    let target = asked.resource.pairs.iter().find(|pair| pair.kind == "user");
    let named = target.map(|pair| pair.named.clone());
    let is = |id: UserId| named == Some(chancery::model::Named::Id(id.to_string()));
    // On oneself the never-permitted is never asked; and what anybody gets on itself is no escalation.
    !(is(to) || is(by.id) && NEVER_ON_ONESELF.contains(&asked.permission.as_str()))
}

#[test]
fn nobody_gives_what_it_does_not_hold() {
    let (given, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let gained = AtomicUsize::new(0);
    let questions = prop::collection::vec((asked(), any::<bool>()), 60);
    let law = |(world, giving, questions): (World, Giving, Vec<(Asked, bool)>)| {
        let world = awake(world, giving.ceiling);
        let everybody = world.tenant.users.iter().chain(&world.platform.users);
        let everybody: Vec<&User> = everybody.collect();
        let by = everybody[giving.by.index(everybody.len())];
        let facts = if by.account == root_id() { &world.platform } else { &world.tenant };
        let Some(after) = give(&world, &giving, by, &built(facts)) else {
            refused.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        };
        given.fetch_add(1, Ordering::Relaxed);
        let to = &world.tenant.users[giving.to.index(world.tenant.users.len())];
        let kinds: HashMap<UserId, UserKind> =
            world.tenant.users.iter().map(|user| (user.id, user.kind)).collect();
        for (asked, later) in &questions {
            let mut asked = asked.about_gift(&after, to.id, giving.what > 0);
            asked.scopes = Vec::new();
            asked.now = at() + TimeDelta::seconds(if *later { 70 } else { 0 });
            let subject = asked.subject.unwrap();
            if subject == by.id || !counts(&asked, by, subject) {
                continue;
            }
            if permitted(&after, &asked) && !permitted(&world, &asked) {
                gained.fetch_add(1, Ordering::Relaxed);
                let mut mine = asked.clone();
                (mine.subject, mine.scopes) = (Some(by.id), giving.scopes.clone());
                // What is held under a condition is given under the same (`edges.md` §2), also where it never holds for the
                // giver and does for who gets it.
                mine.seen_as = kinds.get(&subject).copied();
                let roles: Vec<_> = facts.grants.iter().filter(|g| g.user == by.id).collect();
                let gift = (after.tenant.documents.last(), after.tenant.grants.last());
                prop_assert!(
                    permitted(&world, &mine),
                    "{mine:?} of {by:?}, who holds {roles:?}, for {asked:?} by {giving:?} of {gift:?}"
                );
            }
        }
        Ok(())
    };
    TestRunner::new(config(500)).run(&(world(), giving(), questions), law).unwrap();
    let [given, refused, gained] = [given, refused, gained].map(AtomicUsize::into_inner);
    println!("{given} gifts let through, {refused} refused, {gained} permits gained by them");
    assert!(given * 10 >= refused && gained * 4 >= given, "{given}, {refused}, {gained}");
}
