//! `ListUnusedRights`: what users hold, less what they were seen to use.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use chrono::{DateTime, TimeDelta, Utc};
use tonic::{Response, Status};

use super::AuditApi;
use crate::decision::{EffectiveRight, Source, effective, sees_user};
use crate::layers::{Call, status};
use crate::model::UserId;
use crate::model::catalogue::{Catalogue, PermissionSet};
use crate::proto::v1 as pb;
use crate::rpc::rights::Reading;
use crate::rpc::shared::{Reader, account_of, reader, with_revision};

/// So many days may be asked about: for a little longer uses are known.
const DAYS: RangeInclusive<i32> = 1..=366;

impl AuditApi {
    pub(super) async fn unused(
        &self,
        call: &Call,
        request: &pb::ListUnusedRightsRequest,
    ) -> Result<Response<pb::ListUnusedRightsResponse>, Status> {
        let by = reader(call)?;
        let account = account_of(&call.ask, "account_id")?;
        if !DAYS.contains(&request.days) {
            return Err(status::bad_field("INVALID_FIELD", "days", "must be 1 to 366"));
        }
        let page = self.shared.page::<UserId>(call, request.page_size, &request.page_token)?;
        let now = self.shared.clock.now();
        let members = by.there.members(account, page.after);
        let seen = members.filter(|id| sees_user(&by.caller, &by.home, &by.there, *id, now));
        let mut users: Vec<UserId> = seen.take(page.size.saturating_add(1)).collect();
        let next_page_token = self.shared.cut(call, &mut users, page.size, |id| *id);
        let since = now - TimeDelta::days(request.days.into());
        let mut used = self.shared.store.used_since(&users, since).await?;
        let (reading, tenant) = (by.clone(), by.caller.tenant);
        let work = move || {
            let of = |id| unused_of(&reading, id, &used.remove(&id).unwrap_or_default(), now);
            users.into_iter().map(of).filter(|one| !one.rights.is_empty()).collect()
        };
        let unused_rights = self.shared.heavy.run(tenant, work).await?;
        let reply = pb::ListUnusedRightsResponse { unused_rights, next_page_token };
        Ok(with_revision(Response::new(reply), &by.there))
    }
}

/// Lists what a user does not use, grant by grant.
fn unused_of(
    by: &Reader,
    id: UserId,
    used: &HashSet<String>,
    now: DateTime<Utc>,
) -> pb::UnusedRights {
    let catalogue = by.there.catalogue();
    let reading = Reading::new(by, id, now);
    let mut rights: Vec<pb::UnusedRight> = Vec::new();
    let given = |right: &EffectiveRight| !matches!(right.source, Source::Baseline(_));
    for right in effective(&by.there, id, None, now).iter().filter(|right| given(right)) {
        let (unused, whole) = split(catalogue, &right.permissions, used);
        let grant = reading.right(right).grant;
        // A role of several parts, and a document of several lists, is one grant.
        match rights.iter_mut().find(|one| one.grant == grant) {
            Some(one) => {
                one.permissions.extend(unused);
                one.whole &= whole;
            }
            None => rights.push(pb::UnusedRight { grant, permissions: unused, whole }),
        }
    }
    rights.retain(|one| !one.permissions.is_empty());
    for one in &mut rights {
        one.permissions.sort_unstable();
        one.permissions.dedup();
    }
    pb::UnusedRights { user_id: id.to_string(), rights }
}

/// Names what of a set was not used, and says whether that is all of it.
fn split(
    catalogue: &Catalogue,
    set: &PermissionSet,
    used: &HashSet<String>,
) -> (Vec<String>, bool) {
    let names = set.iter().map(|permission| catalogue.name(permission));
    let (used, unused): (Vec<&str>, Vec<&str>) = names.partition(|name| used.contains(*name));
    (unused.into_iter().map(str::to_owned).collect(), used.is_empty())
}
