//! How effective rights look on the wire, cut to what the reader may know.

use chrono::{DateTime, Utc};

use crate::decision::{
    Depth, EffectiveRight, Limit, Place, Snapshot, Source, Way, sees_account, sees_user,
};
use crate::model::catalogue::PermissionSet;
use crate::model::{AccountId, Reach, Relation, UserId};
use crate::proto::v1 as pb;
use crate::rpc::answer::role_name;
use crate::rpc::shared::Reader;
use crate::rpc::wire::timestamp;

/// Who reads the rights of whom, and when.
pub(super) struct Reading<'a> {
    pub(super) by: &'a Reader,
    pub(super) of: UserId,
    pub(super) now: DateTime<Utc>,
}

impl Reading<'_> {
    /// Shows one right.
    pub(super) fn right(&self, right: &EffectiveRight) -> pb::EffectiveRight {
        let (scope, kind, id, depth) = place(&right.place);
        let mut shown = pb::EffectiveRight {
            permissions: self.names(&right.permissions),
            account_id: self.account(right.account),
            reach: match right.reach {
                Reach::Account => pb::Reach::Account,
                Reach::Subtree => pb::Reach::Subtree,
            }
            .into(),
            on: right.on.map_or(pb::Relation::Unspecified, relation).into(),
            scope: scope.clone(),
            resource_type: kind,
            resource_id: id,
            depth: depth.into(),
            limits: right.limits.iter().map(|limit| self.limit(limit)).collect(),
            ..Default::default()
        };
        self.way(&right.way, &mut shown);
        shown.grant = Some(self.grant(right, &shown, scope));
        if let Source::Document { owner, .. } = &right.source {
            shown.owner_id = owner.map(|owner| self.user(owner)).unwrap_or_default();
        }
        shown
    }

    fn world(&self) -> &Snapshot {
        &self.by.there
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
            Way::Inherited(from) => shown.via_user_id = self.user(*from),
            Way::Master { account, from } => {
                shown.master_account_id = self.account(*account);
                shown.via_user_id = from.map(|from| self.user(from)).unwrap_or_default();
            }
        }
    }

    fn grant(
        &self,
        right: &EffectiveRight,
        shown: &pb::EffectiveRight,
        scope: String,
    ) -> pb::Grant {
        let holder = match &right.way {
            Way::Inherited(from) | Way::Master { from: Some(from), .. } => self.user(*from),
            _ => self.of.to_string(),
        };
        let ends = right.limits.iter().find_map(|limit| match limit {
            Limit::Expires(at) => Some(timestamp(*at)),
            _ => None,
        });
        let mut grant = pb::Grant {
            holder_user_id: holder,
            account_id: shown.account_id.clone(),
            scope,
            expire_time: ends,
            ..Default::default()
        };
        match &right.source {
            Source::Baseline(ix) => {
                grant.kind = pb::GrantKind::Baseline.into();
                grant.role_type.clone_from(&self.world().catalogue().get(*ix).full_name);
            }
            Source::Role(role) => {
                grant.kind = pb::GrantKind::Role.into();
                grant.role_type = role_name(self.world(), role);
            }
            Source::Document { document, .. } => {
                grant.kind = pb::GrantKind::Document.into();
                grant.rights_doc_id = document.to_string();
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
                shown.account_id = self.account(*account);
                Kind::AccountNotActive
            }
            Limit::Suppressed(role) => {
                shown.role_type = role_name(self.world(), role);
                Kind::Suppressed
            }
            Limit::Ceiling(account, taken) => {
                shown.account_id = self.account(*account);
                shown.permissions = self.names(taken);
                Kind::Ceiling
            }
            Limit::Confined(account) => {
                shown.account_id = self.account(*account);
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

    fn user(&self, id: UserId) -> String {
        let Reader { caller, home, there } = self.by;
        let seen = id == self.of || sees_user(caller, home, there, id, self.now);
        if seen { id.to_string() } else { String::new() }
    }

    fn account(&self, id: AccountId) -> String {
        let Reader { caller, home, there } = self.by;
        if sees_account(caller, home, there, id, self.now) { id.to_string() } else { String::new() }
    }
}

const fn relation(on: Relation) -> pb::Relation {
    match on {
        Relation::Own => pb::Relation::Self_,
        Relation::Subtree => pb::Relation::Subtree,
        Relation::Siblings => pb::Relation::Siblings,
        Relation::Account => pb::Relation::Account,
    }
}

fn place(place: &Place) -> (String, String, String, pb::RightDepth) {
    match place {
        Place::All => Default::default(),
        Place::Within(scope) => {
            (scope.to_string(), String::new(), String::new(), pb::RightDepth::Unspecified)
        }
        Place::Resource { kind, id, depth } => {
            let depth = match depth {
                Depth::Itself => pb::RightDepth::Itself,
                Depth::Direct => pb::RightDepth::Direct,
                Depth::Contained => pb::RightDepth::Contained,
            };
            (String::new(), kind.to_ascii_uppercase(), id.to_string(), depth)
        }
    }
}
