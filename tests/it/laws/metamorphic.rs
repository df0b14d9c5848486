//! What a small change to a world must do to its answers, whatever they are.

use chancery::model::{AccountStatus, Image};
use proptest::prelude::*;
use proptest::sample::Index;

use super::changes::put;
use super::questions::asked;
use super::worlds::{ACCOUNTS, DOCUMENTS, account_id, assigned, grant, paper, world};
use super::{ask, built, config, permits};

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn one_more_grant_never_takes_a_permit_away(
        world in world(),
        extra in grant(),
        questions in prop::collection::vec(asked(), 20),
    ) {
        let extra = extra.of_world(&world);
        prop_assume!(extra.role.to_string() != "ringcx/NO_ACCESS");
        let same = |g: &&chancery::model::RoleGrant| {
            g.user == extra.user && g.role == extra.role && g.scope == extra.scope
        };
        prop_assume!(world.tenant.grants.iter().find(same).is_none());
        let mut more = world.tenant.clone();
        more.grants.push(extra);
        let (before, after) = (built(&world.tenant), built(&more));
        for asked in &questions {
            let asked = asked.in_world(&world);
            prop_assert!(permits(&after, &asked) || !permits(&before, &asked), "{asked:?}");
        }
    }

    #[test]
    fn one_more_document_never_takes_a_permit_away(
        world in world(),
        extra in paper(),
        whom in any::<Index>(),
        questions in prop::collection::vec(asked(), 20),
    ) {
        let mut more = world.clone();
        let document = extra.in_tenant(DOCUMENTS + 9, &world.tenant);
        let user = &world.tenant.users[whom.index(world.tenant.users.len())];
        more.tenant.assignments.push(assigned(document.id, user.id, user.account));
        more.tenant.documents.push(document);
        let (before, after) = (built(&world.tenant), built(&more.tenant));
        for asked in &questions {
            let asked = asked.in_world(&more);
            prop_assert!(permits(&after, &asked) || !permits(&before, &asked), "{asked:?}");
        }
    }

    #[test]
    fn what_is_suspended_and_resumed_answers_as_before(
        world in world(),
        which in 0..ACCOUNTS,
        questions in prop::collection::vec(asked(), 20),
    ) {
        let before = built(&world.tenant);
        let find = |facts: &chancery::decision::Facts| {
            facts.accounts.iter().find(|account| account.id == account_id(which)).cloned().unwrap()
        };
        let was = find(&world.tenant);
        prop_assume!(was.status == AccountStatus::Active);
        let mut suspended = was.clone();
        suspended.status = AccountStatus::Suspended;
        let mut after = before.clone();
        let (old, new) = (Image::Account(was.clone()), Image::Account(suspended));
        put(&mut after, Some(old.clone()), Some(new.clone()));
        for asked in &questions {
            let asked = asked.in_world(&world);
            let about = world.tenant.users.iter().find(|user| Some(user.id) == asked.subject);
            if about.is_some_and(|user| user.account == was.id) {
                prop_assert!(!permits(&after, &asked), "{asked:?}");
            }
        }
        put(&mut after, Some(new), Some(old));
        for asked in &questions {
            let asked = asked.in_world(&world);
            prop_assert_eq!(
                ask(&before, Some(&before), &asked),
                ask(&after, Some(&after), &asked)
            );
        }
    }
}
