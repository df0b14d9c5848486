//! What the many documents of one holder come to, so that a denial tells how near they come without looking at each.
//!
//! Counted for whoever holds more than a few, when one is assigned, edited or taken away: never when it is decided.

use std::sync::Arc;

use super::assigned::FEW;
use super::documents::CompiledDocument;
use super::snapshot::{Map, Principal, Snapshot};
use crate::model::catalogue::{Catalogue, Permission};
use crate::model::{AccountId, UserId};

/// Where documents give a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Where {
    /// Anywhere at all.
    Anywhere,
    /// On something in an account.
    In(AccountId),
    /// On something in the whole tree, as master documents do.
    InTree,
    /// On everything in the holder's own account, from which it is shared down.
    SharedDown,
}

/// How many documents of one holder give what where; those that hold for whoever is below counted apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sums {
    counts: Map<(Where, bool, Permission), u32>,
}

impl Sums {
    /// Returns whether a document of the holder gives a permission there. `own`: to the holder itself, not to one below.
    pub(super) fn has(&self, at: Where, own: bool, permission: Permission) -> bool {
        let counted = |cascade| self.counts.contains_key(&(at, cascade, permission));
        counted(true) || (own && counted(false))
    }

    fn add(&mut self, document: &CompiledDocument, holder: AccountId, catalogue: &Catalogue) {
        each(document, holder, catalogue, &mut |key| {
            *self.counts.entry(key).or_insert(0) += 1;
        });
    }

    fn remove(&mut self, document: &CompiledDocument, holder: AccountId, catalogue: &Catalogue) {
        each(document, holder, catalogue, &mut |key| {
            let left = self.counts.get_mut(&key).map(|count| {
                *count -= 1;
                *count
            });
            if left == Some(0) {
                self.counts.remove(&key);
            }
        });
    }
}

/// Visits what a document counts for where somebody of `holder` has it.
fn each(
    document: &CompiledDocument,
    holder: AccountId,
    catalogue: &Catalogue,
    f: &mut dyn FnMut((Where, bool, Permission)),
) {
    let (of, cascade) = (document.account(holder), document.cascade);
    let at = if document.master { Where::InTree } else { Where::In(of) };
    for permission in document.anywhere.iter() {
        f((Where::Anywhere, cascade, permission));
        f((at, cascade, permission));
    }
    if !document.master && of == holder {
        let shared = document.everywhere.iter().filter(|one| catalogue.is_shared_down(*one));
        shared.for_each(|permission| f((Where::SharedDown, cascade, permission)));
    }
}

impl Snapshot {
    /// Counts anew after `user` has got `after` in the place of `before`.
    pub(super) fn recount(
        &mut self,
        user: UserId,
        before: Option<&CompiledDocument>,
        after: Option<&CompiledDocument>,
    ) {
        let Some(user) = self.users.get_mut(&user) else { return };
        if user.documents.len() <= FEW && user.sums.is_none() {
            return;
        }
        let user: &mut Principal = Arc::make_mut(user);
        if user.documents.len() <= FEW {
            user.sums = None;
        } else if let Some(sums) = &mut user.sums {
            if let Some(before) = before {
                sums.remove(before, user.account, &self.catalogue);
            }
            if let Some(after) = after {
                sums.add(after, user.account, &self.catalogue);
            }
        } else {
            let mut sums = Box::<Sums>::default();
            let held = user.documents.iter().filter_map(|id| self.documents.get(id));
            held.for_each(|one| sums.add(one, user.account, &self.catalogue));
            user.sums = Some(sums);
        }
    }
}
