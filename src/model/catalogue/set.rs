//! Sets of permissions: the numbers that patterns are expanded to, so that deciding compares bits and no text.

use std::fmt;

use fixedbitset::FixedBitSet;

/// One permission of one [`super::Catalogue`]: its number there, without meaning in any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Permission(pub(super) u16);

impl Permission {
    /// Returns the number, from 0 and gapless.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A set of permissions of one [`super::Catalogue`].
#[derive(Clone, Default)]
pub struct PermissionSet(FixedBitSet);

impl PermissionSet {
    /// Makes an empty set.
    pub const fn new() -> Self {
        Self(FixedBitSet::new())
    }

    /// Returns whether `permission` is in it.
    pub fn contains(&self, permission: Permission) -> bool {
        self.0.contains(permission.index())
    }

    /// Puts `permission` in.
    pub fn insert(&mut self, permission: Permission) {
        self.0.grow_and_insert(permission.index());
    }

    /// Takes `permission` out.
    pub fn remove(&mut self, permission: Permission) {
        if self.contains(permission) {
            self.0.remove(permission.index());
        }
    }

    /// Puts in all that `other` has.
    pub fn union_with(&mut self, other: &Self) {
        self.0.union_with(&other.0);
    }

    /// Leaves only what `other` has too.
    pub fn intersect_with(&mut self, other: &Self) {
        self.0.intersect_with(&other.0);
    }

    /// Takes out all that `other` has.
    pub fn difference_with(&mut self, other: &Self) {
        self.0.difference_with(&other.0);
    }

    /// Returns whether `other` has all that is in it.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.0.is_subset(&other.0)
    }

    /// Returns whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_clear()
    }

    /// Returns how many permissions are in it.
    pub fn len(&self) -> usize {
        self.0.count_ones(..)
    }

    /// Walks it in the order of the numbers.
    pub fn iter(&self) -> impl Iterator<Item = Permission> + '_ {
        self.0.ones().filter_map(|index| u16::try_from(index).ok().map(Permission))
    }
}

// Not derived: the bit set also compares how much room each has, which no reader means.
impl PartialEq for PermissionSet {
    fn eq(&self, other: &Self) -> bool {
        self.is_subset(other) && other.is_subset(self)
    }
}

impl Eq for PermissionSet {}

impl fmt::Debug for PermissionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.ones()).finish()
    }
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        let mut set = Self::new();
        permissions.into_iter().for_each(|permission| set.insert(permission));
        set
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn set(numbers: &BTreeSet<u16>) -> PermissionSet {
        numbers.iter().copied().map(Permission).collect()
    }

    #[test]
    fn room_taken_and_left_again_makes_no_difference() {
        let mut set = PermissionSet::new();
        set.insert(Permission(900));
        set.remove(Permission(900));
        set.remove(Permission(u16::MAX));
        assert_eq!(set, PermissionSet::new());
        assert!(set.is_empty());
        assert_eq!(set.len(), 0);
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_set_of_numbers(
            a in proptest::collection::btree_set(0_u16..300, 0..20),
            b in proptest::collection::btree_set(0_u16..900, 0..20),
        ) {
            prop_assert_eq!(set(&a).is_subset(&set(&b)), a.is_subset(&b));
            prop_assert_eq!(set(&a) == set(&b), a == b);
            prop_assert_eq!(set(&a).len(), a.len());
            prop_assert!(set(&b).iter().map(|p| p.0).eq(b.iter().copied()));
            let (mut or, mut and, mut less) = (set(&a), set(&a), set(&a));
            or.union_with(&set(&b));
            and.intersect_with(&set(&b));
            less.difference_with(&set(&b));
            prop_assert_eq!(or, set(&a.union(&b).copied().collect()));
            prop_assert_eq!(and, set(&a.intersection(&b).copied().collect()));
            prop_assert_eq!(less, set(&a.difference(&b).copied().collect()));
        }
    }
}
