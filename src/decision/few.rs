//! Sets of which most have few members and some have very many.

use super::snapshot::Set;

/// Up to so many stand in a list.
const FEW: usize = 8;

/// A set: a list while it is small, since a tree of one member is twenty times as large; a persistent tree beyond that, since a
/// copy of a long list is dear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Few<T: Ord + Clone> {
    /// In order, each once.
    List(Vec<T>),
    /// Of many.
    Tree(Set<T>),
}

impl<T: Ord + Clone> Default for Few<T> {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl<T: Ord + Clone> Few<T> {
    /// Returns how many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::List(list) => list.len(),
            Self::Tree(tree) => tree.len(),
        }
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns whether it has a member.
    pub fn contains(&self, one: &T) -> bool {
        match self {
            Self::List(list) => list.binary_search(one).is_ok(),
            Self::Tree(tree) => tree.contains(one),
        }
    }

    /// Walks all in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        let (list, tree) = match self {
            Self::List(list) => (Some(list), None),
            Self::Tree(tree) => (None, Some(tree)),
        };
        list.into_iter().flatten().chain(tree.into_iter().flatten())
    }

    /// Adds a member, if it is not there.
    pub(super) fn insert(&mut self, one: T) {
        match self {
            Self::List(list) => {
                let Err(at) = list.binary_search(&one) else { return };
                if list.len() < FEW {
                    list.reserve_exact(1);
                    list.insert(at, one);
                } else {
                    *self = Self::Tree(list.drain(..).chain([one]).collect());
                }
            }
            Self::Tree(tree) => {
                tree.insert(one);
            }
        }
    }

    /// Takes a member away, if it is there.
    pub(super) fn remove(&mut self, one: &T) {
        match self {
            Self::List(list) => {
                if let Ok(at) = list.binary_search(one) {
                    list.remove(at);
                }
            }
            Self::Tree(tree) => {
                tree.remove(one);
                if tree.len() <= FEW / 2 {
                    *self = Self::List(tree.iter().cloned().collect());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set(steps in prop::collection::vec((any::<bool>(), 0..30_u8), 0..200)) {
            let (mut few, mut plain) = (Few::default(), BTreeSet::new());
            for (add, one) in steps {
                if add {
                    few.insert(one);
                    plain.insert(one);
                } else {
                    few.remove(&one);
                    plain.remove(&one);
                }
                prop_assert_eq!(few.len(), plain.len());
                prop_assert_eq!(few.is_empty(), plain.is_empty());
                prop_assert!(few.iter().eq(plain.iter()));
                prop_assert_eq!(few.contains(&one), plain.contains(&one));
            }
        }
    }
}
