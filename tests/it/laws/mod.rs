//! Laws that every decision keeps, whatever the world and the question.

mod conditions;
mod explaining;
mod naive;
mod questions;
mod worlds;

use std::sync::{Arc, OnceLock};

use chancery::decision::{Facts, Question, Reason, Snapshot, Subject, Worlds, decide};
use chancery::model::catalogue::{Catalogue, built_in};
use chancery::model::{Change, ChangeKind, Image};
use proptest::prelude::*;
use questions::{Asked, asked};
use worlds::{World, world};

/// The built-in catalogues, compiled once for all cases.
fn catalogue() -> Arc<Catalogue> {
    static BUILT: OnceLock<Arc<Catalogue>> = OnceLock::new();
    let build = || Arc::new(Catalogue::build(&built_in().unwrap()).unwrap());
    Arc::clone(BUILT.get_or_init(build))
}

fn built(facts: &Facts) -> Snapshot {
    Snapshot::build(catalogue(), facts.clone()).unwrap()
}

/// The same snapshot, reached by one change after another.
fn applied(facts: &Facts) -> Snapshot {
    let start = Facts { tenant: facts.tenant, ..Facts::default() };
    let mut snapshot = Snapshot::build(catalogue(), start).unwrap();
    let accounts = facts.accounts.iter().cloned().map(Image::Account);
    let roles = facts.roles.iter().cloned().map(Image::Role);
    let users = facts.users.iter().cloned().map(Image::User);
    let grants = facts.grants.iter().cloned().map(Image::RoleGrant);
    for image in accounts.chain(roles).chain(users).chain(grants) {
        let account = facts.tenant.unwrap();
        let kind = ChangeKind::Bootstrap;
        snapshot.apply(&Change { account, kind, before: None, after: Some(image) }).unwrap();
    }
    snapshot
}

fn ask(home: &Snapshot, there: Option<&Snapshot>, asked: &Asked) -> Option<(Reason, bool)> {
    let permission = home.catalogue().parse(&asked.permission)?;
    let subject = asked.subject.map_or(Subject::Unknown, Subject::User);
    let question = Question {
        subject,
        limits: None,
        permission,
        resource: &asked.resource,
        now: asked.now,
        asked: &asked.said,
    };
    let answer = decide(Worlds { home, there }, &question);
    Some((answer.reason, answer.is_permit()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(2_000), ..ProptestConfig::default() })]

    #[test]
    fn the_engine_answers_as_the_model_says(world in world(), questions in prop::collection::vec(asked(), 20)) {
        let (tenant, platform) = (built(&world.tenant), built(&world.platform));
        for asked in &questions {
            let asked = asked.in_world(&world);
            let of_root = asked.subject.is_some_and(|id| platform.any_user(id).is_some());
            let home = if of_root { &platform } else { &tenant };
            let there = if platform.account(asked.resource.account).is_some() {
                of_root.then_some(&platform)
            } else {
                tenant.account(asked.resource.account).map(|_| &tenant)
            };
            let fast = ask(home, there, &asked).map(|(reason, _)| reason);
            let slow = naive::decide(&catalogue(), &world, &asked);
            prop_assert_eq!(fast, slow, "{:?}", asked);
        }
    }

    #[test]
    fn a_snapshot_built_at_once_and_one_built_by_changes_answer_alike(
        world in world(),
        seed in any::<u64>(),
        questions in prop::collection::vec(asked(), 10),
    ) {
        let shuffled = world.shuffled(seed);
        let (whole, stepwise) = (built(&shuffled.tenant), applied(&world.tenant));
        for asked in &questions {
            let asked = asked.in_world(&world);
            prop_assert_eq!(
                ask(&whole, Some(&whole), &asked),
                ask(&stepwise, Some(&stepwise), &asked)
            );
        }
    }

    #[test]
    fn one_more_grant_never_takes_a_permit_away(
        world in world(),
        extra in worlds::grant(),
        questions in prop::collection::vec(asked(), 10),
    ) {
        let before = built(&world.tenant);
        let extra = extra.of_world(&world);
        prop_assume!(extra.role.to_string() != "ringcx/NO_ACCESS");
        let mut more = world.tenant.clone();
        prop_assume!(!more.grants.iter().any(|g| g.user == extra.user && g.role == extra.role && g.scope == extra.scope));
        more.grants.push(extra);
        let after = built(&more);
        for asked in &questions {
            let asked = asked.in_world(&world);
            let was = ask(&before, Some(&before), &asked).is_some_and(|(_, permit)| permit);
            let is = ask(&after, Some(&after), &asked).is_some_and(|(_, permit)| permit);
            prop_assert!(is || !was, "{asked:?}");
        }
    }
}

/// How many worlds: more where `CHANCERY_LAWS` says so.
fn cases(usual: u32) -> u32 {
    std::env::var("CHANCERY_LAWS").ok().and_then(|many| many.parse().ok()).unwrap_or(usual)
}

#[test]
fn a_world_that_is_no_tree_is_refused() {
    let mut world = World::small();
    let last = world.tenant.accounts.len() - 1;
    let (top, bottom) = (world.tenant.accounts[0].id, world.tenant.accounts[last].id);
    world.tenant.accounts[0].parent = Some(bottom);
    world.tenant.accounts[last].parent = Some(top);
    assert!(Snapshot::build(catalogue(), world.tenant).is_err());
}
