//! No escalation, by any path (`model.md` §7, `edges.md` §2): what a change gives must be held by who makes it.
//!
//! Every path calls [`escalation`] with the snapshot before and after the change: what anyone gains is what the
//! second holds and the first does not, so a role given, a suppression lifted and an edited role are one case.

use chrono::{DateTime, Utc};

use super::ask::Caller;
use super::bounds::ceiling;
use super::documents::CompiledDocument;
use super::holding::{Holding, call_holdings, given, holdings};
use super::snapshot::Snapshot;
use super::stock::{Stock, relates};
use crate::model::catalogue::{Catalogue, PermissionSet};
use crate::model::{AccountId, Relation, UserId};

/// A change would give somebody what its maker does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this would give somebody what you do not hold yourself: {}", missing.join(", "))]
pub struct Escalation {
    /// Who would gain.
    pub user: UserId,
    /// Permissions that the maker lacks, at most ten.
    pub missing: Vec<String>,
}

/// Returns whether a suppression without an end lies on a user: lifting it is a grant of all that comes back. One with
/// an end takes nothing away for good.
fn is_sealed(world: &Snapshot, user: UserId) -> bool {
    world.user(user).is_some_and(|user| {
        let mut lasting = user.held.iter().filter(|held| held.expire_time.is_none());
        lasting.any(|held| world.is_suppressing(&held.role))
    })
}

/// What somebody would hold by a change and did not before it.
#[derive(Debug, Clone)]
pub(super) struct Gain {
    of: Holding,
    /// What of it is asked on paths with a `user` pair.
    on_users: PermissionSet,
    /// What of it is asked on other paths. One permission may be asked on both.
    elsewhere: PermissionSet,
}

impl Gain {
    /// Takes all of a holding as gained.
    ///
    /// What `on: self` gives on its holder's own pair is no escalation, and without `on` nothing is given there.
    fn all_of(catalogue: &Catalogue, of: Holding) -> Self {
        let mut on_users = PermissionSet::new();
        if !matches!(of.on, None | Some(Relation::Own)) {
            on_users = of.permissions.clone();
            on_users.intersect_with(catalogue.under_users());
        }
        let mut elsewhere = of.permissions.clone();
        elsewhere.intersect_with(catalogue.outside_users());
        Self { of, on_users, elsewhere }
    }

    /// Takes off what is held already; the rest, if there is any.
    fn beyond(mut self, world: &Snapshot, held: &Stock<'_>) -> Option<Self> {
        let Self { of, on_users, elsewhere } = &mut self;
        held.containing(world, of, &mut |held| {
            elsewhere.difference_with(&held.permissions);
            if relates(world, held, of) {
                on_users.difference_with(&held.permissions);
            }
        });
        let all = on_users.is_empty() && elsewhere.is_empty();
        (!all).then_some(self)
    }
}

/// Lists what a user would hold after a change that it did not hold before.
///
/// `before` absent = all that it holds afterwards is given: taking control of a user, minting for it, bringing it back.
pub(super) fn gained(
    before: Option<&Snapshot>,
    after: &Snapshot,
    user: UserId,
    now: DateTime<Utc>,
) -> Vec<Gain> {
    // Where a lasting suppression is lifted, all that comes back is given.
    let counted = before.filter(|before| is_sealed(after, user) || !is_sealed(before, user));
    let had = counted.map(|before| holdings(before, user, now)).unwrap_or_default();
    beyond(after, holdings(after, user, now), &Stock::of(&had))
}

fn beyond(world: &Snapshot, holdings: Vec<Holding>, had: &Stock<'_>) -> Vec<Gain> {
    let new = holdings.into_iter().filter(|holding| !had.has(holding));
    new.filter_map(|one| Gain::all_of(world.catalogue(), one).beyond(world, had)).collect()
}

/// Refuses to give what the giver does not hold.
pub(super) fn gives_no_more(
    world: &Snapshot,
    gained: Vec<Gain>,
    giver: &Stock<'_>,
) -> Result<(), Escalation> {
    match gained.into_iter().find_map(|gain| gain.beyond(world, giver)) {
        None => Ok(()),
        Some(Gain { of, mut on_users, elsewhere }) => {
            on_users.union_with(&elsewhere);
            let catalogue = world.catalogue();
            let missing = on_users.iter().take(10).map(|one| catalogue.name(one).to_owned());
            Err(Escalation { user: of.holder, missing: missing.collect() })
        }
    }
}

/// Refuses a document whose content its writer, or whoever assigns it to `to`, does not hold (`model.md` §5).
///
/// What it gives does not depend on who has it, but for the ceiling of their account: one of each account will do.
pub fn within_document(
    home: &Snapshot,
    caller: &Caller,
    world: &Snapshot,
    document: &CompiledDocument,
    to: Option<(UserId, AccountId)>,
    now: DateTime<Utc>,
) -> Result<(), Escalation> {
    if let Some((actor, home)) = caller.actor_in(home) {
        within_document(home, actor, world, document, to, now)?;
    }
    let ceiling = to.and_then(|(_, account)| ceiling(world, account));
    let to = to.unwrap_or((caller.user, caller.account));
    let given = given(world, document, to, ceiling.as_ref(), None);
    within(world, given, &Stock::default(), &Stock::of(&call_holdings(home, caller, now)))
}

/// Refuses a change by which somebody of `affected` would hold what the caller does not.
///
/// `before` absent = all that they hold afterwards is given. `home` is the caller's own snapshot, `after` the one with the
/// change in it.
pub fn escalation(
    home: &Snapshot,
    caller: &Caller,
    before: Option<&Snapshot>,
    after: &Snapshot,
    affected: &[UserId],
    now: DateTime<Utc>,
) -> Result<(), Escalation> {
    // In an assumed session it must be held by both.
    if let Some((actor, home)) = caller.actor_in(home) {
        escalation(home, actor, before, after, affected, now)?;
    }
    let granter = call_holdings(home, caller, now);
    let granter = Stock::of(&granter);
    let mut each = affected.iter().map(|user| gained(before, after, *user, now));
    each.try_for_each(|gained| gives_no_more(after, gained, &granter))
}

/// Returns whether a user holds anything after a change that it did not hold before.
pub fn gains(before: &Snapshot, after: &Snapshot, user: UserId, now: DateTime<Utc>) -> bool {
    let had = holdings(before, user, now);
    !beyond(after, holdings(after, user, now), &Stock::of(&had)).is_empty()
}

/// Refuses what is covered neither by what its holder had nor by what the granter holds.
pub fn within(
    world: &Snapshot,
    gained: impl IntoIterator<Item = Holding>,
    had: &Stock<'_>,
    granter: &Stock<'_>,
) -> Result<(), Escalation> {
    gives_no_more(world, beyond(world, gained.into_iter().collect(), had), granter)
}
