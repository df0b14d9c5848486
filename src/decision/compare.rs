//! What the rights of one user have that those of another have not (`CompareRights`).

use std::sync::Arc;

use super::effective::{EffectiveRight, Limit};
use super::holding::Holding;
use super::snapshot::Snapshot;
use super::stock::Stock;
use crate::model::{Condition, UserId};

/// Lists what of `one` is in effect and covered by nothing of `other`. Rights on users are taken as seen from each.
pub fn only_of(
    world: &Snapshot,
    one: &[EffectiveRight],
    other: &[EffectiveRight],
) -> Vec<EffectiveRight> {
    let others: Vec<Holding> = other.iter().map(holding).collect();
    let others = Stock::of(&others);
    let mut found = Vec::new();
    for right in one {
        let permissions = others.lacks(world, &holding(right));
        if !permissions.is_empty() {
            found.push(EffectiveRight { permissions, ..right.clone() });
        }
    }
    found
}

/// Writes a right as if both users were one, so that only what is held is compared.
fn holding(right: &EffectiveRight) -> Holding {
    let expire_time = right.limits.iter().find_map(|limit| match limit {
        Limit::Expires(at) => Some(*at),
        _ => None,
    });
    let when = right.limits.iter().find_map(|limit| match limit {
        Limit::Condition(text) => Condition::compile(text).ok().map(Arc::new),
        _ => None,
    });
    Holding {
        holder: UserId(uuid::Uuid::nil()),
        account: right.account,
        permissions: right.permissions.clone(),
        reach: right.reach,
        on: right.on,
        place: right.place.clone(),
        expire_time,
        when,
    }
}
