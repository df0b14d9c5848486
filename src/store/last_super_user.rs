//! The platform is never left without somebody who may do everything (`model.md` §3).

use chrono::{DateTime, Utc};

use super::{Refusal, Tx};
use crate::decision::{Principal, Snapshot};
use crate::model::{AccountId, RoleRef};

/// Refuses a write after which nobody at the root holds the lone `*`: `LAST_SUPER_USER`. Elsewhere nothing is refused.
///
/// Called once the changes are put, by whatever takes away, disables, deletes or suppresses.
pub(super) fn still_governed(tx: &Tx) -> Result<(), Refusal> {
    let world = tx.world();
    let top = world.tenant();
    let is_root = world.account(top).is_some_and(|account| account.is_root());
    if !is_root || is_governed(world, top, tx.now()) {
        return Ok(());
    }
    let why = "nobody would be left at the root account who may do everything: \
               give somebody else such a role first, without scope and without end";
    Err(Refusal::precondition("LAST_SUPER_USER", why))
}

/// Returns whether an account that had a holder of the lone `*` has none after this write: of use for previews.
pub(super) fn is_left_alone(before: &Snapshot, tx: &Tx, account: AccountId) -> bool {
    is_governed(before, account, tx.now()) && !is_governed(tx.world(), account, tx.now())
}

/// Returns whether an enabled user of an account holds the lone `*`, without scope, end or suppression.
fn is_governed(world: &Snapshot, account: AccountId, now: DateTime<Utc>) -> bool {
    let stars = world.catalogue().roles().filter(|(_, role)| role.lone_star && role.active);
    stars.map(|(_, role)| RoleRef::BuiltIn(role.full_name.clone())).any(|star| {
        world.holders(&star).any(|id| {
            world
                .user(id)
                .is_some_and(|user| user.account == account && governs(world, user, &star, now))
        })
    })
}

fn governs(world: &Snapshot, user: &Principal, star: &RoleRef, now: DateTime<Utc>) -> bool {
    let whole = |held: &&crate::decision::Held| {
        held.role == *star && held.scope.is_none() && held.expire_time.is_none()
    };
    let suppressed =
        user.held.iter().any(|held| held.is_live(now) && world.is_suppressing(&held.role));
    user.enabled && !suppressed && user.held.iter().any(|held| whole(&held))
}
