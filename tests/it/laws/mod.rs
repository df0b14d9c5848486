//! Laws that every decision keeps, whatever the world and the question.

mod batch;
mod changes;
mod conditions;
mod explaining;
mod granting;
mod metamorphic;
mod naive;
mod previews;
mod questions;
mod rights;
mod searching;
mod words;
mod worlds;

use std::sync::atomic::{AtomicUsize, Ordering};

use chancery::decision::{
    Answer, Because, Facts, Limits, Question, Reason, Snapshot, Subject, Worlds, decide,
};
use naive::Verdict;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use questions::{Asked, asked};
use words::catalogue;
use worlds::{World, world};

/// How many questions each world is asked.
const QUESTIONS: usize = 200;

fn built(facts: &Facts) -> Snapshot {
    Snapshot::build(catalogue(), facts.clone()).unwrap()
}

/// What the engine answers.
fn answer(home: &Snapshot, there: Option<&Snapshot>, asked: &Asked) -> Option<Answer> {
    let permission = home.catalogue().parse(&asked.permission)?;
    let subject = asked.subject.map_or(Subject::Unknown, Subject::User);
    let limits = Limits::compile(&asked.scopes, home.catalogue());
    let question = Question {
        subject,
        limits: limits.as_ref(),
        permission,
        resource: &asked.resource,
        now: asked.now,
        asked: &asked.said,
    };
    Some(decide(Worlds { home, there }, &question))
}

fn ask(home: &Snapshot, there: Option<&Snapshot>, asked: &Asked) -> Option<Verdict> {
    answer(home, there, asked).map(|answer| (answer.reason, answer.missing))
}

/// Whether the tenant's own snapshot permits it.
fn permits(tenant: &Snapshot, asked: &Asked) -> bool {
    ask(tenant, Some(tenant), asked).is_some_and(|(reason, _)| reason == Reason::Permitted)
}

/// Asks the engine in the snapshots in which the service would.
fn engine(tenant: &Snapshot, platform: &Snapshot, asked: &Asked) -> Option<Answer> {
    let of_root = asked.subject.is_some_and(|id| platform.any_user(id).is_some());
    let home = if of_root { platform } else { tenant };
    let there = if platform.account(asked.resource.account).is_some() {
        of_root.then_some(platform)
    } else {
        tenant.account(asked.resource.account).map(|_| tenant)
    };
    answer(home, there, asked)
}

/// How many worlds: as many times more as `CHANCERY_LAWS` says.
fn config(usual: u32) -> ProptestConfig {
    let more = std::env::var("CHANCERY_LAWS").ok().and_then(|times| times.parse().ok());
    ProptestConfig { cases: usual.saturating_mul(more.unwrap_or(1)), ..ProptestConfig::default() }
}

#[test]
fn the_engine_answers_as_the_model_says() {
    let (permitted, all) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let by_document = AtomicUsize::new(0);
    let worlds = (world(), any::<u64>(), prop::collection::vec(asked(), QUESTIONS));
    let law = |(world, seed, questions): (World, u64, Vec<Asked>)| {
        let shuffled = world.shuffled(seed);
        let (tenant, platform) = (built(&shuffled.tenant), built(&world.platform));
        for asked in &questions {
            let asked = asked.in_world(&world);
            let fast = engine(&tenant, &platform, &asked);
            let slow = naive::decide(&catalogue(), &world, &asked);
            let said = fast.as_ref().map(|answer| (answer.reason, answer.missing));
            prop_assert_eq!(said, slow, "{:?}", asked);
            all.fetch_add(1, Ordering::Relaxed);
            if let Some(because) = fast.and_then(|answer| answer.because) {
                permitted.fetch_add(1, Ordering::Relaxed);
                if matches!(because, Because::Document { .. }) {
                    by_document.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        Ok(())
    };
    TestRunner::new(config(500)).run(&worlds, law).unwrap();
    let [permitted, by_document, all] = [permitted, by_document, all].map(AtomicUsize::into_inner);
    println!("{all} questions, {permitted} permitted, {by_document} by documents");
    // Questions that all are denied, or all permitted, would prove little.
    assert!((30..=60).contains(&(permitted * 100 / all)), "{permitted} of {all} are permitted");
    assert!(by_document * 100 / all >= 5, "{by_document} of {all} are by documents");
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
