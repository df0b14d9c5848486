//! Rights as they were: who may read them is judged now, and what is read is of then.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use prost_types::Timestamp;
use tonic::Status;

use super::RightsDocumentApi;
use crate::decision::{EffectiveRight, Limit, Refused, Snapshot, effective, may, only_of};
use crate::model::catalogue::{Catalogue, PermissionSet};
use crate::model::{Named, ResourcePath, UserId};
use crate::rpc::asking::past_time;
use crate::rpc::shared::Reader;

/// The permission that another time takes, beside that to read rights at all.
const EXPLAIN: (&str, &str) = ("decision", "explain");

/// What one has and the other has not, each way, and the state that each way is to be read in.
pub(super) struct Difference {
    pub(super) only_one: (Reader, Vec<EffectiveRight>),
    pub(super) only_other: (Reader, Vec<EffectiveRight>),
}

impl RightsDocumentApi {
    /// Brings a reader of somebody's rights to another time, if one is named; returns it with the instant to read at.
    pub(super) async fn at(
        &self,
        by: &Reader,
        of: UserId,
        as_of: Option<Timestamp>,
    ) -> Result<(Reader, DateTime<Utc>), Status> {
        let now = self.0.clock.now();
        let Some(as_of) = as_of else { return Ok((by.clone(), now)) };
        let at = past_time("as_of", as_of, now)?;
        let account = by.there.any_user(of).map_or(by.caller.account, |user| user.account);
        let path = ResourcePath::account(account).with(EXPLAIN.0, Named::Any);
        let permission = format!("{}.{}", EXPLAIN.0, EXPLAIN.1);
        if !may(&by.caller, &by.home, &by.there, &permission, &path, now) {
            return Err(Refused::Forbidden { permission }.into());
        }
        let then = self.0.as_of(by.caller.tenant, by.there.tenant(), at).await?;
        Ok((Reader { there: then.world, ..by.clone() }, at))
    }

    /// Compares what two users may do.
    pub(super) fn between(
        by: &Reader,
        one: UserId,
        other: UserId,
        now: DateTime<Utc>,
    ) -> Difference {
        let rights = |of| effective(&by.there, of, None, now);
        let (held, compared) = (rights(one), rights(other));
        let only_one = only_of(&by.there, &held, &compared);
        let only_other = only_of(&by.there, &compared, &held);
        Difference { only_one: (by.clone(), only_one), only_other: (by.clone(), only_other) }
    }

    /// Compares what a user may do with what it might at another time.
    pub(super) async fn since(
        &self,
        by: &Reader,
        of: UserId,
        as_of: Timestamp,
    ) -> Result<Difference, Status> {
        let (then, at) = self.at(by, of, Some(as_of)).await?;
        let held = effective(&by.there, of, None, self.0.clock.now());
        let had = effective(&then.there, of, None, at);
        let only_one = only_of(&by.there, &held, &in_words_of(&by.there, &had, &then.there));
        let only_other = only_of(&then.there, &had, &in_words_of(&then.there, &held, &by.there));
        Ok(Difference { only_one: (by.clone(), only_one), only_other: (then, only_other) })
    }
}

/// Puts rights of one state into the numbers of another's catalogue; what that does not declare, nobody holds by it.
fn in_words_of(
    world: &Snapshot,
    rights: &[EffectiveRight],
    from: &Snapshot,
) -> Vec<EffectiveRight> {
    let (new, old) = (world.catalogue(), from.catalogue());
    if Arc::ptr_eq(new, old) {
        return rights.to_vec();
    }
    let told = |set: &PermissionSet| renamed(set, old, new);
    let told_of = |limit: &Limit| match limit {
        Limit::Ceiling(account, taken) => Limit::Ceiling(*account, told(taken)),
        other => other.clone(),
    };
    let renamed = rights.iter().map(|right| EffectiveRight {
        granted: told(&right.granted),
        permissions: told(&right.permissions),
        limits: right.limits.iter().map(told_of).collect(),
        ..right.clone()
    });
    renamed.collect()
}

fn renamed(set: &PermissionSet, old: &Catalogue, new: &Catalogue) -> PermissionSet {
    set.iter().filter_map(|permission| new.parse(old.name(permission))).collect()
}
