//! Roles, grants and catalogues on the wire.

use std::fmt;
use std::str::FromStr;

use crate::decision::Snapshot;
use crate::model::catalogue::{Catalogue, FileInfo, PermissionSet, RoleIx};
use crate::model::{AccountId, CustomRole, Holder, RoleGrant, RoleRef};
use crate::proto::v1 as pb;
use crate::rpc::answer::role_name;
use crate::rpc::wire::{reach, relation, timestamp};
use crate::store::{catalogue_etag, role_etag};

/// Lists the roles that can be used in an account, by what names them. `(none)` is used by nobody's doing.
pub(super) fn usable(
    world: &Snapshot,
    account: AccountId,
    catalogue: &str,
    holder: Option<Holder>,
) -> Vec<(String, RoleRef)> {
    let for_whom = |to: &[Holder]| holder.is_none_or(|holder| to.contains(&holder));
    let built_in = world.catalogue().roles().map(|(_, role)| role).filter(|role| {
        (catalogue.is_empty() || role.catalogue == catalogue)
            && !role.is_baseline()
            && for_whom(&role.assignable_to)
    });
    let built_in =
        built_in.map(|role| (role.full_name.to_string(), RoleRef::BuiltIn(role.full_name.clone())));
    let custom = world.roles().map(|found| &found.role).filter(|role| {
        catalogue.is_empty() && world.is_in(account, role.account) && for_whom(&role.assignable_to)
    });
    let custom = custom.map(|role| (role.id.to_string(), RoleRef::Custom(role.id)));
    let mut all: Vec<_> = built_in.chain(custom).collect();
    all.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    all
}

/// Shows a role; `None` if there is none such.
pub(super) fn role(world: &Snapshot, role: &RoleRef, whole: bool) -> Option<pb::Role> {
    match role {
        RoleRef::BuiltIn(full) => {
            world.catalogue().role(full).map(|ix| built_in(world.catalogue(), ix, whole))
        }
        RoleRef::Custom(id) => world.role(*id).map(|found| custom(world, &found.role, whole)),
    }
}

fn built_in(catalogue: &Catalogue, ix: RoleIx, whole: bool) -> pb::Role {
    let role = catalogue.get(ix);
    let includes = role.includes.iter().map(|ix| plain_name(catalogue, *ix));
    let expanded = if whole { catalogue.sorted_names(&role.expanded) } else { Vec::new() };
    pb::Role {
        role: role.full_name.to_string(),
        name: Some(role.name.clone()),
        catalogue: role.catalogue.clone(),
        description: Some(role.description.clone()),
        permits: role.permits.clone(),
        except: role.except.clone(),
        includes: includes.collect(),
        reach: Some(reach(role.reach)),
        on: role.on.map(relation),
        when: role.when.as_ref().map(|when| when.text().to_owned()),
        assignable_to: role.assignable_to.iter().copied().map(holder).collect(),
        active: Some(role.active),
        expanded,
        ..Default::default()
    }
}

/// Shows a custom role. What it comes to is looked up in `world`, by what it is called there.
pub(super) fn custom(world: &Snapshot, role: &CustomRole, whole: bool) -> pb::Role {
    let catalogue = world.catalogue();
    let mut all = PermissionSet::new();
    if whole {
        let this = RoleRef::Custom(role.id);
        world.each_part(&this, &mut |part| all.union_with(&part.permissions));
    }
    let includes = role.includes.iter().map(|included| match included {
        RoleRef::BuiltIn(full) => {
            catalogue.role(full).map_or_else(|| full.to_string(), |ix| plain_name(catalogue, ix))
        }
        RoleRef::Custom(id) => id.to_string(),
    });
    pb::Role {
        role: role.id.to_string(),
        name: Some(role.name.clone()),
        account_id: role.account.to_string(),
        description: Some(role.description.clone()),
        permits: role.permits.clone(),
        except: role.except.clone(),
        includes: includes.collect(),
        reach: Some(reach(role.reach)),
        on: role.on.map(relation),
        when: role.when.clone(),
        assignable_to: role.assignable_to.iter().copied().map(holder).collect(),
        active: Some(role.active),
        expanded: catalogue.sorted_names(&all),
        create_time: Some(timestamp(role.create_time)),
        update_time: Some(timestamp(role.update_time)),
        etag: role_etag(role),
        ..Default::default()
    }
}

/// Names a built-in role where no holder narrows it down: bare if only one has the name, so that it is taken back.
fn plain_name(catalogue: &Catalogue, ix: RoleIx) -> String {
    let role = catalogue.get(ix);
    let namesakes = catalogue.roles().filter(|(_, other)| other.name == role.name).count();
    if namesakes == 1 && !role.is_baseline() {
        role.name.clone()
    } else {
        role.full_name.to_string()
    }
}

const fn holder(holder: Holder) -> i32 {
    match holder {
        Holder::Account => pb::Holder::Account as i32,
        Holder::Admin => pb::Holder::Admin as i32,
        Holder::Service => pb::Holder::Service as i32,
        Holder::Application => pb::Holder::Application as i32,
    }
}

/// Shows a role on a user, and who gave it, if that may be known.
pub(super) fn grant(world: &Snapshot, grant: &RoleGrant, created_by: String) -> pb::RoleGrant {
    let catalogue = world.catalogue();
    let known = match &grant.role {
        RoleRef::BuiltIn(full) => catalogue.role(full).is_some_and(|ix| catalogue.get(ix).active),
        RoleRef::Custom(id) => world.role(*id).is_some_and(|found| found.role.active),
    };
    pb::RoleGrant {
        role_type: role_name(world, &grant.role),
        user_id: grant.user.to_string(),
        scope: grant.scope.clone().unwrap_or_default(),
        expire_time: grant.expire_time.map(timestamp),
        created_on: Some(timestamp(grant.create_time)),
        created_by,
        known,
    }
}

/// What a user's grants are in the order of; a page's cursor.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GrantKey {
    role: String,
    scope: String,
}

impl GrantKey {
    /// Returns the place of a grant.
    pub(super) fn of(grant: &RoleGrant) -> Self {
        Self { role: grant.role.to_string(), scope: grant.scope.clone().unwrap_or_default() }
    }
}

impl fmt::Display for GrantKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No role's name holds a line break; a scope may.
        write!(f, "{}\n{}", self.role, self.scope)
    }
}

impl FromStr for GrantKey {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (role, scope) = text.split_once('\n').ok_or(())?;
        Ok(Self { role: role.to_owned(), scope: scope.to_owned() })
    }
}

/// Shows a catalogue: of each type, what this file declares.
pub(super) fn catalogue(catalogue: &Catalogue, file: &FileInfo) -> pb::Catalogue {
    let own = |kind: &str, set: &PermissionSet| -> Vec<String> {
        let here = set.iter().filter(|one| catalogue.kind_of(*one) == kind);
        here.map(|one| catalogue.action_of(one).to_owned()).collect()
    };
    let types = file.types.iter().filter_map(|name| catalogue.kind(name)).map(|kind| {
        let mut shared = kind.shared_down.clone();
        shared.intersect_with(&file.permissions);
        pb::ResourceType {
            resource_type: kind.name.clone(),
            parents: kind.parents.clone(),
            actions: own(&kind.name, &file.permissions),
            shared_down: own(&kind.name, &shared),
        }
    });
    pb::Catalogue {
        catalogue: file.name.clone(),
        version: file.version,
        uses: file.uses.clone(),
        resource_types: types.collect(),
        roles: file.roles.iter().map(|ix| catalogue.get(*ix).name.clone()).collect(),
        etag: catalogue_etag(&file.name, file.version),
    }
}
