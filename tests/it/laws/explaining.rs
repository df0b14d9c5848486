//! Laws of explanations and searches, over the same random worlds.

use std::collections::BTreeSet;

use chancery::decision::{
    Because, Explanation, Nothing, Proposed, Question, Snapshot, Subject, Viewer, Worlds, decide,
    effective, explain, possible_users, suggest,
};
use chancery::model::{Assignment, Change, ChangeKind, Image, RoleGrant, UserId};
use proptest::prelude::*;

use super::changes::put;
use super::questions::{Asked, asked};
use super::worlds::{World, world};
use super::{built, config};

pub(super) fn with<T>(
    world: &Snapshot,
    asked: &Asked,
    f: impl FnOnce(Worlds<'_>, &Question<'_>) -> T,
) -> Option<T> {
    let permission = world.catalogue().parse(&asked.permission)?;
    let subject = asked.subject.map_or(Subject::Unknown, Subject::User);
    let resource = &asked.resource;
    let question =
        Question { subject, limits: None, permission, resource, now: asked.now, asked: &Nothing };
    Some(f(Worlds { home: world, there: Some(world) }, &question))
}

fn explained(world: &Snapshot, asked: &Asked) -> Option<Explanation> {
    with(world, asked, explain)
}

/// The snapshot without one grant.
fn without(world: &World, tenant: &Snapshot, user: UserId, place: usize) -> Snapshot {
    let held = &tenant.any_user(user).unwrap().held[place];
    let scope = held.scope.as_ref().map(ToString::to_string);
    let of =
        |grant: &&RoleGrant| grant.user == user && grant.role == held.role && grant.scope == scope;
    let grant = world.tenant.grants.iter().find(of).unwrap();
    let mut less = tenant.clone();
    put(&mut less, Some(Image::RoleGrant(grant.clone())), None);
    less
}

fn all_seen<T>(f: impl FnOnce(&Viewer<'_>) -> T) -> T {
    f(&Viewer { user: &|_| true, account: &|_| true, document: &|_| true })
}

proptest! {
    #![proptest_config(config(1_000))]

    #[test]
    fn an_explanation_answers_as_the_decision(
        world in world(),
        questions in prop::collection::vec(asked(), 20),
    ) {
        let tenant = built(&world.tenant);
        for asked in &questions {
            let asked = asked.in_world(&world);
            let fast = with(&tenant, &asked, decide).unwrap();
            let whole = explained(&tenant, &asked).unwrap();
            prop_assert_eq!(whole.answer.reason, fast.reason, "{:?}", &asked);
            prop_assert_eq!(whole.answer.missing, fast.missing, "{:?}", &asked);
            prop_assert_eq!(whole.answer.is_permit(), whole.denials.is_empty());
            if let Some(because) = &fast.because {
                prop_assert!(whole.sufficient().contains(&because), "{:?}", &asked);
            }
        }
    }

    #[test]
    fn without_its_sole_grant_a_permit_becomes_a_denial(
        world in world(),
        questions in prop::collection::vec(asked(), 20),
    ) {
        let tenant = built(&world.tenant);
        for asked in &questions {
            let asked = asked.in_world(&world);
            let whole = explained(&tenant, &asked).unwrap();
            if !whole.answer.is_permit() {
                continue;
            }
            let less = match whole.sufficient().as_slice() {
                [Because::Held { user, place, .. }] => without(&world, &tenant, *user, *place),
                [Because::Document { document, holder }] => {
                    let of = |one: &&Assignment| one.document == *document && one.user == *holder;
                    let one = world.tenant.assignments.iter().find(of).unwrap();
                    let mut less = tenant.clone();
                    put(&mut less, Some(Image::Assignment(one.clone())), None);
                    less
                }
                _ => continue,
            };
            let now = explained(&less, &asked).unwrap();
            prop_assert!(!now.answer.is_permit(), "{:?}", &asked);
        }
    }

    #[test]
    fn every_suggestion_permits_what_was_denied_and_says_who_may_make_it(
        world in world(),
        questions in prop::collection::vec(asked(), 6),
    ) {
        let tenant = built(&world.tenant);
        for asked in &questions {
            let asked = asked.in_world(&world);
            let whole = explained(&tenant, &asked).unwrap();
            let found = with(&tenant, &asked, |worlds, question| {
                all_seen(|viewer| suggest(worlds, question, &whole, viewer, None))
            }).unwrap();
            prop_assert!(found.len() <= 10);
            if whole.answer.is_permit() {
                prop_assert!(found.is_empty());
            }
            for suggestion in &found {
                prop_assert!((1..=2).contains(&suggestion.changes.len()));
                // Roles that are added are made again here, by the way that changes are kept.
                let only: Option<Vec<_>> = suggestion.changes.iter().map(|(change, _)| match change {
                    Proposed::AddRole { role, scope } => Some((role.clone(), scope.clone())),
                    _ => None,
                }).collect();
                let Some(roles) = only else { continue };
                let mut after = tenant.clone();
                let user = tenant.any_user(asked.subject.unwrap()).unwrap();
                for (role, scope) in roles {
                    let grant = chancery::model::RoleGrant {
                        user: user.id,
                        account: user.account,
                        role,
                        scope: scope.map(|scope| scope.to_string()),
                        expire_time: None,
                        create_time: asked.now,
                        created_by: None,
                    };
                    let change = Change {
                        account: user.account,
                        kind: ChangeKind::RoleAssign,
                        before: None,
                        after: Some(Image::RoleGrant(grant)),
                    };
                    after.apply(&change).unwrap();
                }
                prop_assert!(explained(&after, &asked).unwrap().answer.is_permit());
            }
        }
    }

    #[test]
    fn whoever_is_permitted_is_among_those_who_are_looked_at(
        world in world(),
        questions in prop::collection::vec(asked(), 10),
    ) {
        let tenant = built(&world.tenant);
        for asked in &questions {
            let asked = asked.in_world(&world);
            let permission = tenant.catalogue().parse(&asked.permission).unwrap();
            let possible: Vec<UserId> =
                possible_users(&tenant, permission, &asked.resource, None).collect();
            let set: BTreeSet<UserId> = possible.iter().copied().collect();
            prop_assert_eq!(possible, set.iter().copied().collect::<Vec<_>>());
            for user in &world.tenant.users {
                let mut asked = asked.clone();
                asked.subject = Some(user.id);
                let permit = with(&tenant, &asked, |w, q| decide(w, q).is_permit()).unwrap();
                prop_assert!(!permit || set.contains(&user.id), "{:?}", &asked);
            }
            let middle = set.iter().nth(set.len() / 2).copied();
            let rest: Vec<UserId> =
                possible_users(&tenant, permission, &asked.resource, middle).collect();
            let behind: Vec<UserId> =
                set.iter().copied().filter(|user| middle.is_none_or(|m| *user > m)).collect();
            prop_assert_eq!(rest, behind);
        }
    }
    #[test]
    fn what_is_permitted_is_among_the_effective_rights(
        world in world(),
        questions in prop::collection::vec(asked(), 10),
    ) {
        let tenant = built(&world.tenant);
        for asked in &questions {
            let asked = asked.in_world(&world);
            let permission = tenant.catalogue().parse(&asked.permission).unwrap();
            let user = asked.subject.unwrap();
            let permit = with(&tenant, &asked, |w, q| decide(w, q).is_permit()).unwrap();
            let at = asked.resource.account;
            let rights = effective(&tenant, user, Some(at), asked.now);
            let held = rights.iter().any(|right| right.permissions.contains(permission));
            prop_assert!(held || !permit, "{:?}", &asked);
            let anywhere = effective(&tenant, user, None, asked.now);
            prop_assert!(rights.len() <= anywhere.len());
            for right in &anywhere {
                prop_assert!(right.permissions.is_subset(&right.granted));
                prop_assert!(right.permissions == right.granted || !right.limits.is_empty());
            }
        }
    }
}
