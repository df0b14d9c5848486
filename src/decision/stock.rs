//! All that somebody holds, kept so that what could cover something is found without looking at the rest (`model.md` §7).

use std::collections::HashMap;

use super::holding::{Holding, Place};
use super::snapshot::Snapshot;
use crate::model::catalogue::PermissionSet;
use crate::model::{AccountId, Named, Pair, Reach, Relation};

/// What begins with a path, by the account of the path and its last pair.
type Scope<'a> = (AccountId, Option<(&'a str, &'a Named)>);

/// Holdings, by the places that they are about.
#[derive(Debug, Default)]
pub struct Stock<'a> {
    all: Vec<&'a Holding>,
    scoped: HashMap<Scope<'a>, Vec<&'a Holding>>,
    resources: HashMap<(&'a str, &'a str), Vec<&'a Holding>>,
}

impl<'a> Stock<'a> {
    /// Takes holdings in.
    pub fn of(holdings: &'a [Holding]) -> Self {
        let mut stock = Self::default();
        for held in holdings {
            match &held.place {
                Place::All => stock.all.push(held),
                Place::Within(scope) => {
                    let last = scope.pairs.last().map(|pair| (pair.kind.as_str(), &pair.named));
                    stock.scoped.entry((scope.account, last)).or_default().push(held);
                }
                Place::Resource { kind, id, .. } => {
                    stock.resources.entry((kind, id)).or_default().push(held);
                }
            }
        }
        stock
    }

    /// Visits whatever could contain `gained`: its place does not speak against it.
    fn near(&self, gained: &Holding, f: &mut dyn FnMut(&'a Holding)) {
        fn each<'a>(found: Option<&Vec<&'a Holding>>, f: &mut dyn FnMut(&'a Holding)) {
            found.into_iter().flatten().for_each(|held| f(held));
        }
        each(Some(&self.all), f);
        match &gained.place {
            Place::All => {}
            Place::Resource { kind, id, .. } => {
                let at = gained.place.account().unwrap_or(gained.account);
                let named = Named::Id(id.to_string());
                each(self.scoped.get(&(at, None)), f);
                each(self.scoped.get(&(at, Some((&**kind, &named)))), f);
                each(self.resources.get(&(&**kind, &**id)), f);
            }
            Place::Within(scope) => {
                let at = scope.account;
                each(self.scoped.get(&(at, None)), f);
                each(self.resources.get(&("account", at.to_string().as_str())), f);
                for Pair { kind, named } in &scope.pairs {
                    each(self.scoped.get(&(at, Some((kind, &Named::Any)))), f);
                    if let Named::Id(id) = named {
                        each(self.scoped.get(&(at, Some((kind, named)))), f);
                        each(self.resources.get(&(kind, id)), f);
                    }
                }
            }
        }
    }

    /// Returns whether the very same is in it.
    pub(super) fn has(&self, gained: &Holding) -> bool {
        let mut has = false;
        self.near(gained, &mut |held| has = has || held == gained);
        has
    }

    /// Visits whatever reaches all that `gained` reaches, for as long and under no other condition.
    pub(super) fn containing(
        &self,
        world: &Snapshot,
        gained: &Holding,
        f: &mut dyn FnMut(&'a Holding),
    ) {
        self.near(gained, &mut |held| {
            if contains(world, held, gained) {
                f(held);
            }
        });
    }

    /// Returns what of a holding nothing here has in it.
    pub(super) fn lacks(&self, world: &Snapshot, one: &Holding) -> PermissionSet {
        if self.has(one) {
            return PermissionSet::new();
        }
        let mut rest = one.permissions.clone();
        self.containing(world, one, &mut |held| {
            if one.on.is_none() || relates(world, held, one) {
                rest.difference_with(&held.permissions);
            }
        });
        rest
    }
}

/// Returns whether `held` reaches all that `gained` reaches, for as long and under no other condition.
fn contains(world: &Snapshot, held: &Holding, gained: &Holding) -> bool {
    let (at, wide) = match gained.place.account() {
        Some(account) => (account, false),
        None => (gained.account, gained.reach == Reach::Subtree),
    };
    let reach = match held.reach {
        Reach::Account => held.account == at && !wide,
        // The root stands above every account, those of other tenants too.
        Reach::Subtree => {
            world.is_in(at, held.account)
                || world.account(held.account).is_some_and(|account| account.is_root())
        }
    };
    // A scope names its account, and holds in no other.
    let confined = held.place.account().is_none_or(|account| !wide && account == at);
    let place = confined && held.place.covers(&gained.place, world.catalogue());
    let time = match (held.expire_time, gained.expire_time) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(held), Some(gained)) => gained <= held,
    };
    reach && place && time && (held.when.is_none() || held.when == gained.when)
}

/// Returns whether the users that `gained` is about are among those that `held` is about.
pub(super) fn relates(world: &Snapshot, held: &Holding, gained: &Holding) -> bool {
    let (Some(mine), Some(theirs)) = (held.on, gained.on) else { return false };
    if mine == Relation::Account {
        return true;
    }
    if held.account != gained.account {
        return false;
    }
    if held.holder == gained.holder {
        return mine == theirs || theirs == Relation::Own;
    }
    mine == Relation::Subtree
        && theirs != Relation::Account
        && world.is_below(gained.holder, held.holder)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, LazyLock};

    use proptest::prelude::*;
    use uuid::Uuid;

    use super::super::holding::Depth;
    use super::*;
    use crate::model::catalogue::{Catalogue, built_in};
    use crate::model::{ResourcePath, UserId};

    static CATALOGUE: LazyLock<Catalogue> =
        LazyLock::new(|| Catalogue::build(&built_in().unwrap()).unwrap());

    fn account(n: u128) -> AccountId {
        AccountId(Uuid::from_u128(n + 1))
    }

    fn held(account_of: u128, place: Place) -> Holding {
        Holding {
            holder: UserId(Uuid::nil()),
            account: account(account_of),
            permissions: PermissionSet::new(),
            reach: Reach::Account,
            on: None,
            place,
            expire_time: None,
            when: None,
        }
    }

    fn near<'a>(stock: &Stock<'a>, gained: &Holding) -> Vec<&'a Holding> {
        let mut found = Vec::new();
        stock.near(gained, &mut |held| found.push(held));
        found
    }

    /// What a change gives is compared with what can cover it, not with all that is held: else whoever holds documents with
    /// thousands of entries makes each change as slow as their square.
    #[test]
    fn of_ten_thousand_entries_those_on_the_same_thing_are_looked_at() {
        let entry = |n: u32| {
            let (kind, id) = (Arc::from("gate_group"), Arc::from(n.to_string()));
            held(0, Place::Resource { kind, id, depth: Depth::Contained })
        };
        let mut all: Vec<Holding> = (0..10_000).map(entry).collect();
        all.push(held(0, Place::All));
        let stock = Stock::of(&all);
        assert_eq!(near(&stock, &entry(7)).len(), 2);
        assert_eq!(near(&stock, &entry(10_001)).len(), 1);
        assert_eq!(near(&stock, &held(0, Place::All)).len(), 1);
    }

    fn place() -> impl Strategy<Value = Place> {
        let kind = prop_oneof![Just("gate_group"), Just("gate"), Just("account")];
        let id = prop_oneof!["[12]", (0..2_u128).prop_map(|n| account(n).to_string()),];
        let named = prop_oneof![Just(Named::Any), "[12]".prop_map(Named::Id)];
        let pair = (prop_oneof![Just("gate_group"), Just("gate")], named)
            .prop_map(|(kind, named)| Pair { kind: kind.to_owned(), named });
        let path = (0..2_u128, prop::collection::vec(pair, 0..3))
            .prop_map(|(n, pairs)| ResourcePath { account: account(n), pairs });
        let depth = prop_oneof![Just(Depth::Itself), Just(Depth::Direct), Just(Depth::Contained)];
        prop_oneof![
            1 => Just(Place::All),
            3 => path.prop_map(|path| Place::Within(Arc::new(path))),
            3 => (kind, id, depth).prop_map(|(kind, id, depth)| Place::Resource {
                kind: Arc::from(kind),
                id: Arc::from(id),
                depth,
            }),
        ]
    }

    /// Whether an account and a place agree, as [`contains`] asks.
    fn confined(held: &Holding, gained: &Holding) -> bool {
        let at = gained.place.account().unwrap_or(gained.account);
        held.place.account().is_none_or(|account| account == at)
    }

    proptest! {
        #[test]
        fn whatever_covers_a_place_is_near_it(
            all in prop::collection::vec((0..2_u128, place()), 0..20),
            gained in (0..2_u128, place()),
        ) {
            let all: Vec<Holding> = all.into_iter().map(|(of, place)| held(of, place)).collect();
            let gained = held(gained.0, gained.1);
            let stock = Stock::of(&all);
            let near = near(&stock, &gained);
            for one in &all {
                if confined(one, &gained) && one.place.covers(&gained.place, &CATALOGUE) {
                    prop_assert!(near.contains(&one), "{one:?} covers {gained:?}");
                }
            }
            for one in &all {
                prop_assert!(stock.has(one));
            }
        }
    }
}
