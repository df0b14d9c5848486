//! The roles that somebody holds, in an order in which those that hold on a path are found without looking at the others.

use std::ops::Deref;

use chrono::{DateTime, Utc};

use super::snapshot::Held;
use crate::model::catalogue::{Catalogue, RoleIx};
use crate::model::{Named, Pair, ResourcePath, RoleRef};

/// Up to so many are given room one by one.
const FEW: usize = 8;

/// The roles on one user: those without a scope first, the others in the order of their scopes.
///
/// So the scopes that begin alike stand together, and those that cover a path are found pair by pair, at the cost of the
/// path's length and of what is found. How near the others come is one for all grants of a role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    list: Vec<Held>,
    /// Each role that is held in some scope, once, and its place in the catalogue.
    scoped: Vec<(RoleRef, Option<RoleIx>)>,
}

impl Deref for Grants {
    type Target = [Held];

    fn deref(&self) -> &[Held] {
        &self.list
    }
}

/// Grants that stand together, and the place of the first.
#[derive(Clone, Copy)]
struct Run<'a> {
    start: usize,
    held: &'a [Held],
}

impl<'a> Run<'a> {
    /// Parts it before the first that does not pass.
    fn split(self, passes: impl FnMut(&Held) -> bool) -> (Self, Self) {
        let at = self.held.partition_point(passes);
        let (before, behind) = self.held.split_at(at);
        let start = self.start + at;
        (Self { held: before, ..self }, Self { start, held: behind })
    }

    fn visit(self, f: &mut dyn FnMut(usize, &'a Held) -> bool) -> bool {
        self.held.iter().enumerate().any(|(n, held)| f(self.start + n, held))
    }

    /// Visits those that cover a path, of such whose first pairs, so many, do.
    fn visit_covering(
        self,
        depth: usize,
        path: &ResourcePath,
        f: &mut dyn FnMut(usize, &'a Held) -> bool,
    ) -> bool {
        let (whole, longer) = self.split(|held| pairs(held).len() <= depth);
        if whole.visit(f) {
            return true;
        }
        let Some(pair) = path.pairs.get(depth).filter(|_| !longer.held.is_empty()) else {
            return false;
        };
        let mut rest = longer;
        let id = Some(&pair.named).filter(|named| **named != Named::Any);
        std::iter::once(&Named::Any).chain(id).any(|named| {
            let wanted = (pair.kind.as_str(), named);
            let at =
                |held: &Held| pairs(held).get(depth).map(|p| (p.kind.as_str(), &p.named) < wanted);
            let (_, from) = rest.split(|held| at(held) == Some(true));
            let same = |held: &Held| {
                pairs(held).get(depth).is_some_and(|p| p.kind == wanted.0 && p.named == *named)
            };
            let (these, behind) = from.split(same);
            rest = behind;
            !these.held.is_empty() && these.visit_covering(depth + 1, path, f)
        })
    }
}

fn pairs(held: &Held) -> &[Pair] {
    held.scope.as_deref().map(|scope| scope.pairs.as_slice()).unwrap_or_default()
}

impl Grants {
    const fn all(&self) -> Run<'_> {
        Run { start: 0, held: self.list.as_slice() }
    }

    /// Parts those that hold in all their reach from those with a scope.
    fn parted(&self) -> (Run<'_>, Run<'_>) {
        self.all().split(|held| held.scope.is_none())
    }

    /// Visits the grants whose scope, if they have one, covers a path, each with its place, until one is enough; returns
    /// whether one was.
    pub(super) fn visit<'a>(
        &'a self,
        path: &ResourcePath,
        f: &mut dyn FnMut(usize, &'a Held) -> bool,
    ) -> bool {
        let (everywhere, scoped) = self.parted();
        if everywhere.visit(f) {
            return true;
        }
        let account = |held: &Held| held.scope.as_ref().map(|scope| scope.account);
        let (_, from) = scoped.split(|held| account(held) < Some(path.account));
        let (there, _) = from.split(|held| account(held) == Some(path.account));
        there.visit_covering(0, path, f)
    }

    /// Walks the roles that are held in scopes, each once.
    pub(super) fn scoped_roles(&self) -> impl Iterator<Item = &RoleRef> {
        self.scoped.iter().map(|(role, _)| role)
    }

    /// Walks the roles held, those held in several scopes once.
    pub(super) fn roles(&self) -> impl Iterator<Item = &RoleRef> {
        let everywhere = self.parted().0.held.iter().map(|held| &held.role);
        everywhere.chain(self.scoped_roles())
    }

    /// Returns whether one of them takes everything else away at `now` (`suppress`).
    pub(super) fn suppress(&self, catalogue: &Catalogue, now: DateTime<Utc>) -> bool {
        let suppresses = |ix: Option<RoleIx>| {
            ix.is_some_and(|ix| {
                let role = catalogue.get(ix);
                role.suppress && role.active
            })
        };
        let live = |held: &Held| suppresses(held.built_in) && held.is_live(now);
        let (everywhere, scoped) = self.parted();
        // Such a role takes no scope; one that has one all the same counts.
        everywhere.held.iter().any(live)
            || (self.scoped.iter().any(|(_, ix)| suppresses(*ix)) && scoped.held.iter().any(live))
    }

    /// Adds one.
    pub(super) fn add(&mut self, held: Held) {
        let at = self.list.partition_point(|one| one.scope <= held.scope);
        if held.scope.is_some() && self.scoped_roles().all(|role| *role != held.role) {
            self.scoped.push((held.role.clone(), held.built_in));
        }
        // Most have one or two, of which a list that grows by itself would make room for four.
        if self.list.len() < FEW {
            self.list.reserve_exact(1);
        }
        self.list.insert(at, held);
    }

    /// Takes one away; returns whether it was there.
    pub(super) fn remove(&mut self, role: &RoleRef, scope: Option<&ResourcePath>) -> bool {
        let of = |held: &Held| held.scope.as_deref().cmp(&scope);
        let (_, from) = self.all().split(|held| of(held).is_lt());
        let (these, _) = from.split(|held| of(held).is_eq());
        let Some(at) = these.held.iter().position(|held| held.role == *role) else { return false };
        self.list.remove(these.start + at);
        let left = |held: &Held| held.role == *role && held.scope.is_some();
        if scope.is_some() && !self.list.iter().any(left) {
            self.scoped.retain(|(one, _)| one != role);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::model::AccountId;

    fn account(n: u128) -> AccountId {
        AccountId(Uuid::from_u128(n + 1))
    }

    fn held(role: &str, scope: Option<ResourcePath>) -> Held {
        let role = RoleRef::BuiltIn(role.into());
        Held { role, built_in: None, scope: scope.map(Into::into), expire_time: None }
    }

    fn found(grants: &Grants, path: &ResourcePath) -> Vec<usize> {
        let mut found = Vec::new();
        grants.visit(path, &mut |place, held| {
            assert_eq!(&grants[place], held);
            found.push(place);
            false
        });
        found
    }

    /// The cost of a decision is what it looks at.
    #[test]
    fn of_a_hundred_thousand_scopes_those_that_cover_are_looked_at() {
        let group = |named| ResourcePath::account(account(0)).with("gate_group", named);
        let named = |n: u32| group(Named::Id(n.to_string()));
        let mut grants = Grants::default();
        grants.add(held("everywhere", None));
        grants.add(held("any", Some(group(Named::Any))));
        grants.add(held("account", Some(ResourcePath::account(account(0)))));
        grants.add(held("elsewhere", Some(ResourcePath::account(account(1)))));
        for n in 0..100_000 {
            grants.add(held("one", Some(named(n))));
        }
        grants.add(held("deeper", Some(named(7).with("gate", Named::Id("5".to_owned())))));
        for (path, roles) in [
            (named(7), ["everywhere", "account", "any", "one"].as_slice()),
            (
                named(7).with("gate", Named::Id("5".to_owned())),
                &["everywhere", "account", "any", "one", "deeper"],
            ),
            (named(100_001), &["everywhere", "account", "any"]),
            (group(Named::Any), &["everywhere", "account", "any"]),
            (ResourcePath::account(account(1)), &["everywhere", "elsewhere"]),
            (ResourcePath::account(account(2)), &["everywhere"]),
        ] {
            let looked_at = found(&grants, &path);
            let held = looked_at.iter().map(|place| grants[*place].role.to_string());
            assert_eq!(held.collect::<Vec<_>>(), roles, "{path}");
        }
        assert_eq!(grants.roles().count(), 6, "how near the others come is one for all of a role");
    }

    fn path() -> impl Strategy<Value = ResourcePath> {
        let named = prop_oneof![Just(Named::Any), "[ab]".prop_map(Named::Id)];
        let pair = ("[xy]", named).prop_map(|(kind, named)| Pair { kind, named });
        (0..2_u128, prop::collection::vec(pair, 0..4))
            .prop_map(|(n, pairs)| ResourcePath { account: account(n), pairs })
    }

    proptest! {
        #[test]
        fn those_found_are_those_whose_scope_covers(
            added in prop::collection::vec(("[PQ]", prop::option::of(path())), 0..40),
            removed in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
            path in path(),
        ) {
            let mut grants = Grants::default();
            let mut plain: Vec<Held> = Vec::new();
            for (role, scope) in added {
                let one = held(&role, scope);
                if !plain.contains(&one) {
                    plain.push(one.clone());
                    grants.add(one);
                }
            }
            for index in removed {
                if plain.is_empty() {
                    break;
                }
                let one = plain.swap_remove(index.index(plain.len()));
                prop_assert!(grants.remove(&one.role, one.scope.as_deref()));
                prop_assert!(!grants.remove(&one.role, one.scope.as_deref()));
            }
            let covers = |held: &Held| held.scope.as_ref().is_none_or(|scope| scope.covers(&path));
            let all: Vec<usize> = (0..grants.len()).filter(|at| covers(&grants[*at])).collect();
            prop_assert_eq!(found(&grants, &path), all);
            prop_assert_eq!(grants.len(), plain.len());
            for role in ["P", "Q"] {
                let of = |held: &&Held| held.role.to_string() == role;
                let scoped = plain.iter().filter(of).any(|held| held.scope.is_some());
                prop_assert_eq!(grants.scoped_roles().any(|one| one.to_string() == role), scoped);
            }
        }
    }
}
