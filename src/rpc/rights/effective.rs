//! How effective rights look on the wire, cut to what the reader may know.

use std::fmt::{self, Display, Formatter};
use std::num::ParseIntError;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tonic::Status;

use super::RightsDocumentApi;
use crate::decision::{
    Anchor, Depth, EffectiveRight, Limit, Place, Refused, Snapshot, Source, Way, sees_account,
};
use crate::layers::status;
use crate::model::catalogue::PermissionSet;
use crate::model::{AccountId, Revision, UserId};
use crate::proto::v1 as pb;
use crate::rpc::answer::role_name;
use crate::rpc::shared::Reader;
use crate::rpc::sight::Sight;
use crate::rpc::wire::{reach, relation, timestamp};

/// Where a page of rights ends: they have no names of their own, so it is good for one state of the tenant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    pub(super) revision: Revision,
    pub(super) place: usize,
}

impl Mark {
    /// Returns where a page begins, unless something has changed since the one before.
    pub(super) fn start(after: Option<Self>, revision: Revision) -> Result<Self, Status> {
        match after {
            None => Ok(Self { revision, place: 0 }),
            Some(mark) if mark.revision == revision => Ok(mark),
            Some(_) => {
                let why = "something has changed since the page before; begin anew";
                Err(status::bad_field("INVALID_PAGE_TOKEN", "page_token", why))
            }
        }
    }
}

impl Display for Mark {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.revision, self.place)
    }
}

impl FromStr for Mark {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        let (revision, place) = text.split_once('.').unwrap_or((text, ""));
        Ok(Self { revision: Revision(revision.parse()?), place: place.parse()? })
    }
}

impl RightsDocumentApi {
    /// Refuses an account that the caller does not see; returns it where it lies in another tenant than the user, which users of the
    /// platform reach.
    pub(super) async fn far(
        &self,
        by: &Reader,
        account: Option<AccountId>,
        now: DateTime<Utc>,
    ) -> Result<Option<AccountId>, Status> {
        let Some(account) = account else { return Ok(None) };
        let unseen = || Refused::Unseen { kind: "account", id: account.to_string() };
        let near = by.there.account(account).is_some();
        let world = if near || by.there.tenant() != self.0.feed.root() {
            Arc::clone(&by.there)
        } else {
            let tenant = self.0.feed.tenant_of(Anchor::Account(account)).await?;
            self.0.feed.tenant(tenant.ok_or_else(unseen)?).await?
        };
        let there = world.account(account).is_some();
        if !there || !sees_account(&by.caller, &by.home, &world, account, now) {
            return Err(unseen().into());
        }
        Ok(Some(account).filter(|_| !near))
    }
}

/// The rights of one user, as a reader sees them.
pub(in crate::rpc) struct Reading {
    pub(super) of: UserId,
    pub(super) sight: Sight,
}

impl Reading {
    /// Returns how `by` sees the rights of a user of the tenant that it reads.
    pub(in crate::rpc) fn new(by: &Reader, of: UserId, now: DateTime<Utc>) -> Self {
        let there = Arc::clone(&by.there);
        let account = there.user(of).map(|user| user.account);
        let (caller, mine, home) = (by.caller.clone(), Arc::clone(&by.home), Arc::clone(&there));
        Self { of, sight: Sight { caller, mine, home, account, there, now } }
    }

    /// Shows one right.
    pub(in crate::rpc) fn right(&self, right: &EffectiveRight) -> pb::EffectiveRight {
        let sight = &self.sight;
        let mut shown = pb::EffectiveRight {
            permissions: self.names(&right.permissions),
            account_id: sight.account_name(right.account),
            reach: reach(right.reach),
            on: right.on.map(relation).unwrap_or_default(),
            limits: right.limits.iter().map(|limit| self.limit(limit)).collect(),
            ..Default::default()
        };
        match &right.place {
            Place::All => {}
            Place::Within(scope) => {
                let seen = sight.sees_account(scope.account);
                shown.scope = if seen { scope.to_string() } else { String::new() };
            }
            Place::Resource { kind, id, depth: at } => {
                shown.resource_type = kind.to_ascii_uppercase();
                shown.resource_id = id.to_string();
                shown.depth = depth(*at).into();
            }
        }
        self.way(&right.way, &mut shown);
        shown.grant = Some(self.grant(right, &shown));
        if let Source::Document { owner, .. } = &right.source {
            shown.owner_id = owner.map(|owner| sight.user_name(owner)).unwrap_or_default();
        }
        shown
    }

    fn world(&self) -> &Snapshot {
        &self.sight.home
    }

    fn way(&self, way: &Way, shown: &mut pb::EffectiveRight) {
        shown.way = match way {
            Way::Everybody => pb::RightWay::Everybody,
            Way::Own => pb::RightWay::Own,
            Way::Included(_) => pb::RightWay::Included,
            Way::Inherited(_) => pb::RightWay::Inherited,
            Way::Master { .. } => pb::RightWay::Master,
        }
        .into();
        match way {
            Way::Everybody | Way::Own => {}
            Way::Included(role) => shown.via_role = role_name(self.world(), role),
            Way::Inherited(from) => shown.via_user_id = self.sight.user_name(*from),
            Way::Master { account, from } => {
                shown.master_account_id = self.sight.account_name(*account);
                shown.via_user_id = from.map(|from| self.sight.user_name(from)).unwrap_or_default();
            }
        }
    }

    fn grant(&self, right: &EffectiveRight, shown: &pb::EffectiveRight) -> pb::Grant {
        let holder = match &right.way {
            Way::Inherited(from) | Way::Master { from: Some(from), .. } => {
                self.sight.user_name(*from)
            }
            _ => self.of.to_string(),
        };
        let ends = right.limits.iter().find_map(|limit| match limit {
            Limit::Expires(at) => Some(timestamp(*at)),
            _ => None,
        });
        let mut grant = pb::Grant {
            holder_user_id: holder,
            account_id: shown.account_id.clone(),
            scope: shown.scope.clone(),
            expire_time: ends,
            ..Default::default()
        };
        match &right.source {
            Source::Baseline(ix) => {
                grant.kind = pb::GrantKind::Baseline.into();
                grant.role_type = self.world().catalogue().get(*ix).full_name.to_string();
            }
            Source::Role(role) => {
                grant.kind = pb::GrantKind::Role.into();
                grant.role_type = role_name(self.world(), role);
            }
            Source::Document { document, .. } => {
                grant.kind = pb::GrantKind::Document.into();
                let seen = self.sight.sees_document(*document);
                grant.rights_doc_id = if seen { document.to_string() } else { String::new() };
            }
        }
        grant
    }

    fn limit(&self, limit: &Limit) -> pb::RightLimit {
        use pb::RightLimitKind as Kind;
        let mut shown = pb::RightLimit::default();
        let kind = match limit {
            Limit::Disabled => Kind::Disabled,
            Limit::NotActive(account, _) => {
                shown.account_id = self.sight.account_name(*account);
                Kind::AccountNotActive
            }
            Limit::Suppressed(role) => {
                shown.role_type = role_name(self.world(), role);
                Kind::Suppressed
            }
            Limit::Ceiling(account, taken) => {
                shown.account_id = self.sight.account_name(*account);
                shown.permissions = self.names(taken);
                Kind::Ceiling
            }
            Limit::Confined(account) => {
                shown.account_id = self.sight.account_name(*account);
                Kind::Confined
            }
            Limit::Expires(at) => {
                shown.expire_time = Some(timestamp(*at));
                Kind::Expires
            }
            Limit::Condition(condition) => {
                shown.when = condition.to_string();
                Kind::Condition
            }
        };
        shown.kind = kind.into();
        shown
    }

    fn names(&self, set: &PermissionSet) -> Vec<String> {
        let catalogue = self.world().catalogue();
        set.iter().map(|permission| catalogue.name(permission).to_owned()).collect()
    }
}

const fn depth(depth: Depth) -> pb::RightDepth {
    match depth {
        Depth::Itself => pb::RightDepth::Itself,
        Depth::Direct => pb::RightDepth::Direct,
        Depth::Contained => pb::RightDepth::Contained,
    }
}
