//! What a search looks at: whoever could be permitted something, and whatever is known to be there.
//!
//! Both are found in an order that a cursor can go on from, at the cost of what is taken of them. Whether one that is
//! found is permitted is for [`super::decide`] to say.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::ops::Bound::{Excluded, Unbounded};

use super::snapshot::Snapshot;
use crate::model::catalogue::Permission;
use crate::model::{
    AccountId, DocId, Named, Relation, ResourcePath, RoleId, RoleRef, UserId, UserKind,
};

type Source<'a, T> = Box<dyn Iterator<Item = T> + 'a>;

/// Where more than so many are below holders of cascading documents, all users are walked in order instead: to put them
/// in order would cost every page all of them.
const BELOW: usize = 10_000;

/// Several ascending lists as one, each thing once.
struct Merged<'a, T> {
    sources: Vec<Source<'a, T>>,
    heads: BinaryHeap<Reverse<(T, usize)>>,
    last: Option<T>,
}

impl<'a, T: Ord + Copy> Merged<'a, T> {
    fn new(mut sources: Vec<Source<'a, T>>) -> Self {
        let heads = sources.iter_mut().enumerate();
        let heads = heads.filter_map(|(at, source)| Some(Reverse((source.next()?, at)))).collect();
        Self { sources, heads, last: None }
    }
}

impl<T: Ord + Copy> Iterator for Merged<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        loop {
            let Reverse((found, at)) = self.heads.pop()?;
            if let Some(next) = self.sources.get_mut(at).and_then(Iterator::next) {
                self.heads.push(Reverse((next, at)));
            }
            if self.last != Some(found) {
                self.last = Some(found);
                return Some(found);
            }
        }
    }
}

/// Walks the users after one, in the order of their ids, among whom are all who could be permitted this there.
pub fn possible_users<'a>(
    world: &'a Snapshot,
    permission: Permission,
    path: &ResourcePath,
    after: Option<UserId>,
) -> impl Iterator<Item = UserId> + 'a {
    let few = if anybody_may(world, permission) {
        None
    } else {
        holders(world, permission, path, after.unwrap_or(UserId(uuid::Uuid::nil())))
    };
    let sources = few.unwrap_or_else(|| everybody(world, after));
    Merged::new(sources).filter(|user| world.user(*user).is_some())
}

/// Finds those after one who were given something by which they could be permitted this; `None` = too many.
fn holders<'a>(
    world: &'a Snapshot,
    permission: Permission,
    path: &ResourcePath,
    after: UserId,
) -> Option<Vec<Source<'a, UserId>>> {
    let mut sources = document_holders(world, permission, path, after)?;
    sources.extend(role_holders(world, permission, after));
    // What everybody holds, everybody holds on itself.
    let named = path.pairs.iter().filter_map(|pair| match &pair.named {
        Named::Id(id) => id.parse::<UserId>().ok(),
        Named::Any => None,
    });
    let named: BTreeSet<UserId> = named.filter(|user| *user > after).collect();
    sources.push(Box::new(named.into_iter()));
    Some(sources)
}

/// Returns whether a permission is held by some kind of users without being given, and not on themselves alone.
fn anybody_may(world: &Snapshot, permission: Permission) -> bool {
    let catalogue = world.catalogue();
    [UserKind::Admin, UserKind::Service, UserKind::Application].into_iter().any(|kind| {
        let parts = catalogue.baseline(kind).iter().flat_map(|ix| &catalogue.get(*ix).parts);
        parts
            .into_iter()
            .any(|part| part.on != Some(Relation::Own) && part.permissions.contains(permission))
    })
}

fn everybody(world: &Snapshot, after: Option<UserId>) -> Vec<Source<'_, UserId>> {
    let of = |account: AccountId| Box::new(world.members(account, after)) as Source<'_, UserId>;
    world.accounts().map(|account| of(account.id)).collect()
}

fn role_holders(
    world: &Snapshot,
    permission: Permission,
    after: UserId,
) -> Vec<Source<'_, UserId>> {
    let built_in = world.catalogue().roles();
    let built_in = built_in
        .filter(|(_, role)| role.expanded.contains(permission))
        .map(|(_, role)| RoleRef::BuiltIn(role.full_name.clone()));
    let custom = world.roles().map(|role| RoleRef::Custom(role.role.id)).filter(|role| {
        let mut gives = false;
        world.each_part(role, &mut |part| gives |= part.permissions.contains(permission));
        gives
    });
    let holders = |role: RoleRef| {
        let from = (Excluded((role.clone(), after)), Unbounded);
        let held = world.holders.range(from).take_while(move |(of, _)| *of == role);
        Box::new(held.map(|(_, user)| *user)) as Source<'_, UserId>
    };
    built_in.chain(custom).map(holders).collect()
}

fn document_holders<'a>(
    world: &'a Snapshot,
    permission: Permission,
    path: &ResourcePath,
    after: UserId,
) -> Option<Vec<Source<'a, UserId>>> {
    let mut sources: Vec<Source<'a, UserId>> = Vec::new();
    let mut cascading = Vec::new();
    for document in world.documents_giving(permission, path) {
        let id = document.id;
        if document.cascade {
            cascading.extend(world.assignees(id).take(BELOW + 1));
        } else {
            let from = (Excluded((id, after)), Unbounded);
            let held = world.assignees.range(from).take_while(move |(of, _)| *of == id);
            sources.push(Box::new(held.map(|(_, user)| *user)));
        }
    }
    let mut below = BTreeSet::new();
    while let Some(user) = cascading.pop() {
        if below.insert(user) {
            cascading.extend(world.children(user));
        }
        if below.len() > BELOW {
            return None;
        }
    }
    sources.push(Box::new(below.into_iter().filter(move |user| *user > after)));
    Some(sources)
}

/// One thing that is known to be there: where a search goes on behind it, and its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Orders the things of one type.
    pub key: String,
    /// Where it is.
    pub path: ResourcePath,
}

/// Walks what is known of a type after a key: the objects of this service, deleted users among them, and else what scopes
/// of roles and entries of rights documents name.
pub fn known<'a>(
    world: &'a Snapshot,
    kind: &str,
    after: Option<&str>,
) -> Box<dyn Iterator<Item = Known> + 'a> {
    match kind {
        "account" => {
            let found = world.accounts.range((start::<AccountId>(after), Unbounded));
            Box::new(found.map(|(id, _)| key(id, ResourcePath::account(*id))))
        }
        "user" => {
            // Account by account, which is the order in which members are kept.
            let member = after.and_then(|after| after.split_once('/'));
            let member = member.and_then(|(of, id)| Some((of.parse().ok()?, id.parse().ok()?)));
            let found = world.members.range((member.map_or(Unbounded, Excluded), Unbounded));
            Box::new(found.map(|(account, id)| {
                let path = ResourcePath::account(*account).with("user", Named::Id(id.to_string()));
                Known { key: format!("{account}/{id}"), path }
            }))
        }
        "role" => {
            let found = world.roles.range((start::<RoleId>(after), Unbounded));
            let path = |id: &RoleId, account| {
                ResourcePath::account(account).with("role", Named::Id(id.to_string()))
            };
            Box::new(found.map(move |(id, role)| key(id, path(id, role.role.account))))
        }
        "rights_document" => {
            let found = world.documents.range((start::<DocId>(after), Unbounded));
            Box::new(found.filter_map(|(id, document)| {
                let owner = world.user(document.own()?.owner)?;
                let path = ResourcePath::account(owner.account)
                    .with("user", Named::Id(owner.id.to_string()))
                    .with("rights_document", Named::Id(id.to_string()));
                Some(key(id, path))
            }))
        }
        _ => Box::new(
            world
                .things
                .of(kind, after)
                .filter_map(|path| Some(Known { key: path.to_owned(), path: path.parse().ok()? })),
        ),
    }
}

fn start<T: std::str::FromStr>(after: Option<&str>) -> std::ops::Bound<T> {
    after.and_then(|after| after.parse().ok()).map_or(Unbounded, Excluded)
}

fn key(id: &impl ToString, path: ResourcePath) -> Known {
    Known { key: id.to_string(), path }
}
