//! Effective rights say what is permitted, and nothing else: each right that no condition limits permits all that it says.

use std::sync::atomic::{AtomicUsize, Ordering};

use chancery::decision::{
    Depth, EffectiveRight, Limit, Place, Snapshot, Source, decide, effective, explain,
};
use chancery::model::{AccountId, Named, Relation, ResourcePath, UserId};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::explaining::with;
use super::naive::NEVER_ON_ONESELF;
use super::questions::{Asked, asked};
use super::worlds::{World, world};
use super::{built, config};

/// Whether a path lies where a right holds.
fn lies(place: &Place, path: &ResourcePath) -> bool {
    let Place::Resource { kind, id, depth } = place else {
        return match place {
            Place::Within(scope) => scope.covers(path),
            _ => true,
        };
    };
    let here = &**kind == "account" && *id == path.account.to_string().into();
    let named = path
        .pairs
        .iter()
        .map(|pair| pair.kind == **kind && matches!(&pair.named, Named::Id(of) if **of == **id));
    std::iter::once(here).chain(named).enumerate().any(|(at, same)| {
        let below = path.pairs.len() - at;
        same && match depth {
            Depth::Itself => below == 0,
            Depth::Direct => below == 1,
            Depth::Contained => below > 0,
        }
    })
}

/// Whether the user that a path is about is one of those on whom a right is.
fn relates(
    tenant: &Snapshot,
    user: UserId,
    home: AccountId,
    right: &EffectiveRight,
    path: &ResourcePath,
) -> bool {
    let suppressed = right.limits.iter().any(|limit| matches!(limit, Limit::Suppressed(_)));
    let Some(pair) = path.pairs.iter().find(|pair| pair.kind == "user") else {
        let baseline = matches!(right.source, Source::Baseline(_));
        return !suppressed && (!baseline || right.on != Some(Relation::Own));
    };
    let Some(on) = right.on else { return false };
    let target = match &pair.named {
        Named::Any => None,
        Named::Id(id) => id.parse().ok(),
    };
    match target {
        _ if home != path.account => on == Relation::Account && !suppressed,
        None => on != Relation::Own && !suppressed,
        Some(target) => tenant.relates(user, on, target) && (!suppressed || target == user),
    }
}

/// Whether a right says that what is asked is permitted, whatever is asked along with it.
fn says(tenant: &Snapshot, asked: &Asked, right: &EffectiveRight) -> bool {
    let permission = tenant.catalogue().parse(&asked.permission).unwrap();
    let user = asked.subject.unwrap();
    let home = tenant.user(user).unwrap().account;
    let conditional = right.limits.iter().any(|limit| matches!(limit, Limit::Condition(_)));
    right.permissions.contains(permission)
        && !conditional
        && lies(&right.place, &asked.resource)
        && relates(tenant, user, home, right, &asked.resource)
}

/// Whether the answer rests on what rights do not speak of: what is asked about is not there or does not work, or it is what
/// nobody does to itself.
fn elsewhere(tenant: &Snapshot, asked: &Asked) -> bool {
    let me = asked.subject.unwrap().to_string();
    let itself =
        asked.resource.pairs.iter().any(|p| p.kind == "user" && p.named == Named::Id(me.clone()));
    let works = tenant
        .effective_status(asked.resource.account)
        .is_some_and(|status| status == chancery::model::EffectiveStatus::Active);
    let barred = with(tenant, asked, explain).unwrap().bar.is_some();
    barred || !works || (itself && NEVER_ON_ONESELF.contains(&asked.permission.as_str()))
}

#[test]
fn every_right_in_effect_that_no_condition_limits_permits_what_it_says() {
    let (said, by_document, limited) =
        (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let worlds = (world(), prop::collection::vec(asked(), 30));
    let law = |(world, questions): (World, Vec<Asked>)| {
        let tenant = built(&world.tenant);
        for asked in &questions {
            let asked = asked.in_world(&world);
            let at = asked.resource.account;
            if tenant.user(asked.subject.unwrap()).is_none() || elsewhere(&tenant, &asked) {
                continue;
            }
            let permit = with(&tenant, &asked, |w, q| decide(w, q).is_permit()).unwrap();
            let rights = effective(&tenant, asked.subject.unwrap(), Some(at), asked.now);
            for right in rights.iter().filter(|right| says(&tenant, &asked, right)) {
                prop_assert!(permit, "{:?} says {:?}", right, &asked);
                said.fetch_add(1, Ordering::Relaxed);
                if matches!(right.source, Source::Document { .. }) {
                    by_document.fetch_add(1, Ordering::Relaxed);
                }
                let ceiling = |limit: &Limit| matches!(limit, Limit::Ceiling(..));
                limited.fetch_add(usize::from(right.limits.iter().any(ceiling)), Ordering::Relaxed);
            }
        }
        Ok(())
    };
    TestRunner::new(config(1_000)).run(&worlds, law).unwrap();
    let [said, by_document, limited] = [said, by_document, limited].map(AtomicUsize::into_inner);
    println!("{said} rights, {by_document} by documents, {limited} below a ceiling");
    // Rights that say nothing of what is asked would prove little.
    assert!(said > 1_000 && by_document > 100 && limited > 100, "{said} {by_document} {limited}");
}
