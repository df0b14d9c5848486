//! What is said of a change before it is made is what then happens.

use chancery::decision::{Because, Snapshot, decide, effects};
use chancery::model::{Change, ChangeKind, Image};
use proptest::prelude::*;
use proptest::sample::Index;

use super::explaining::with;
use super::questions::{Asked, asked};
use super::worlds::{DOCUMENTS, Granted, Paper, World, assigned, at, grant, paper, world};
use super::{built, config};

/// A change of what somebody holds.
#[derive(Debug, Clone)]
struct Edit {
    what: u8,
    which: Index,
    whom: Index,
    role: Granted,
    paper: Paper,
}

fn edit() -> impl Strategy<Value = Edit> {
    (0..7_u8, any::<Index>(), any::<Index>(), grant(), paper())
        .prop_map(|(what, which, whom, role, paper)| Edit { what, which, whom, role, paper })
}

fn some<T>(list: &[T], at: Index) -> Option<&T> {
    (!list.is_empty()).then(|| &list[at.index(list.len())])
}

impl Edit {
    /// What it does to a world, if there is anything that it could be done to.
    fn of(&self, world: &World) -> Option<(Option<Image>, Option<Image>)> {
        let facts = &world.tenant;
        let user = some(&facts.users, self.whom)?;
        match self.what {
            0 | 1 => {
                let new = self.role.to(user.id, user.account);
                let held = facts.grants.iter().any(|old| {
                    old.user == new.user && old.role == new.role && old.scope == new.scope
                });
                (!held).then_some((None, Some(Image::RoleGrant(new))))
            }
            2 => some(&facts.grants, self.which)
                .map(|old| (Some(Image::RoleGrant(old.clone())), None)),
            3 => {
                let document = some(&facts.documents, self.which)?;
                let one = assigned(document.id, user.id, user.account);
                let held = facts
                    .assignments
                    .iter()
                    .any(|old| old.document == one.document && old.user == one.user);
                (!held).then_some((None, Some(Image::Assignment(one))))
            }
            4 => {
                let old = some(&facts.assignments, self.which)?;
                Some((Some(Image::Assignment(old.clone())), None))
            }
            5 => {
                let old = some(&facts.documents, self.which)?.clone();
                let mut new = self.paper.in_tenant(DOCUMENTS, facts);
                (new.id, new.account, new.owner) = (old.id, old.account, old.owner);
                Some((Some(Image::Document(old)), Some(Image::Document(new))))
            }
            _ => {
                let mut turned = user.clone();
                turned.enabled = !user.enabled;
                Some((Some(Image::User(user.clone())), Some(Image::User(turned))))
            }
        }
    }
}

/// Whether it is permitted by what is held, and not by what everybody holds anyway.
fn by_grant(world: &Snapshot, asked: &Asked) -> Option<bool> {
    let answer = with(world, asked, decide)?;
    let unasked = matches!(answer.because, Some(Because::Baseline(_)));
    (!unasked).then(|| answer.is_permit())
}

proptest! {
    #![proptest_config(config(500))]

    #[test]
    fn whoever_s_answer_a_change_turns_is_said_to_gain_or_to_lose_it(
        world in world(),
        edit in edit(),
        questions in prop::collection::vec(asked(), 30),
    ) {
        let Some((old, new)) = edit.of(&world) else { return Ok(()) };
        let before = built(&world.tenant);
        let mut after = before.clone();
        let kind = ChangeKind::Bootstrap;
        let change = Change { account: before.tenant(), kind, before: old, after: new };
        after.apply(&change).unwrap();
        let changes = [change];
        let said = effects(&before, &after, &changes, at(), usize::MAX);
        prop_assert!(said.complete);
        let back = effects(&after, &before, &changes, at(), usize::MAX);
        let turned = back.users.iter().map(|one| (one.user, &one.lost, &one.gained));
        let straight = said.users.iter().map(|one| (one.user, &one.gained, &one.lost));
        prop_assert!(straight.eq(turned), "what one way gives the other takes");
        for asked in &questions {
            let mut asked = asked.in_world(&world);
            // A document lies below whoever holds it: to assign it makes a path, and with it the right to what is there.
            if asked.resource.kind() == "rights_document" {
                continue;
            }
            for user in &world.tenant.users {
                asked.subject = Some(user.id);
                let permission = before.catalogue().parse(&asked.permission).unwrap();
                let Some((had, has)) = by_grant(&before, &asked).zip(by_grant(&after, &asked)) else {
                    continue;
                };
                let effect = said.users.iter().find(|one| one.user == user.id);
                let gains = effect.is_some_and(|one| one.gained.contains(permission));
                let loses = effect.is_some_and(|one| one.lost.contains(permission));
                prop_assert!(had || !has || gains, "{:?} by {:?}", &asked, &changes);
                prop_assert!(!had || has || loses, "{:?} by {:?}", &asked, &changes);
            }
        }
    }
}
