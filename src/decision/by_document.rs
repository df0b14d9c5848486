//! The part of a decision that rights documents have (`model.md` §5).

use super::documents::CompiledDocument;
use super::question::{Because, Missing, Question};
use super::snapshot::{Principal, Snapshot};
use super::sums::Where;

/// One question about one user, as to its documents.
pub(super) struct ByDocument<'a> {
    pub(super) home: &'a Snapshot,
    pub(super) question: &'a Question<'a>,
    pub(super) user: &'a Principal,
}

impl ByDocument<'_> {
    /// Finds a document that covers the question, which is not about a user: on users documents give nothing.
    pub(super) fn find(&self, there: &Snapshot) -> Option<Because> {
        let Question { permission, resource, .. } = *self.question;
        if !self.home.catalogue().is_for_documents(permission) {
            return None;
        }
        let worth =
            |holder: &Principal| self.near(holder, there, false) == Some(Missing::OutOfScope);
        let asked = (permission, resource);
        let found = self.home.find_document(self.user, asked, &worth, &|document| {
            self.covers(there, document, false).is_ok()
        });
        found.map(|(holder, found)| Because::Document { document: found.id, holder: holder.id })
    }

    /// Returns whether a document of this user's holds in the account that is asked about.
    fn holds_there(&self, there: &Snapshot, document: &CompiledDocument) -> bool {
        let at = self.question.resource.account;
        if document.master {
            // In the whole tree, and in no other: the platform's own hold in the root account alone.
            return self.home.account(at).is_some();
        }
        let mine = self.user.account;
        let of = document.account(mine);
        // Like a scope, an entry holds on what it names and is not shared: that lies where the document does.
        let shared_down = || {
            of == mine
                && document.everywhere.contains(self.question.permission)
                && there.catalogue().is_shared_down(self.question.permission)
                && there.account(at).is_some()
                && there.is_above(at, of)
        };
        // An account that was moved away from below its holder's takes its documents along.
        self.home.is_in(of, mine) && (at == of || shared_down())
    }

    /// Tests one document; the order is that of [`Missing`].
    pub(super) fn covers(
        &self,
        there: &Snapshot,
        document: &CompiledDocument,
        about_user: bool,
    ) -> Result<(), Missing> {
        let Question { permission, resource, .. } = *self.question;
        if !document.gives_anywhere(permission) {
            return Err(Missing::NotGranted);
        }
        if !self.holds_there(there, document) {
            return Err(Missing::OutOfReach);
        }
        if about_user {
            return Err(Missing::WrongRelation);
        }
        if document.gives(permission, resource) { Ok(()) } else { Err(Missing::OutOfScope) }
    }

    /// Says how near the documents come, of which none covers.
    pub(super) fn nearest(&self, there: &Snapshot, about_user: bool) -> Missing {
        let nearest = self.home.holders_for(self.user).map(|holder| {
            self.near(holder, there, about_user).unwrap_or_else(|| {
                let short = |document| self.covers(there, document, about_user).err();
                self.few(holder).filter_map(short).max().unwrap_or(Missing::NotGranted)
            })
        });
        nearest.max().unwrap_or(Missing::NotGranted)
    }

    /// Returns whether a document gives the permission at all.
    pub(super) fn is_anywhere(&self) -> bool {
        let permission = self.question.permission;
        self.home.holders_for(self.user).any(|holder| match &holder.sums {
            Some(sums) => sums.has(Where::Anywhere, self.is_own(holder), permission),
            None => self.few(holder).any(|document| document.gives_anywhere(permission)),
        })
    }

    fn is_own(&self, holder: &Principal) -> bool {
        holder.id == self.user.id
    }

    /// Walks the documents of a holder that count for the user.
    fn few<'a>(&'a self, holder: &'a Principal) -> impl Iterator<Item = &'a CompiledDocument> {
        let held = holder.documents.iter().filter_map(|id| self.home.document(*id));
        held.map(|document| &**document).filter(|document| document.cascade || self.is_own(holder))
    }

    /// Says how near the many documents of a holder come, at the least, without looking at any; `None` = they are few.
    fn near(&self, holder: &Principal, there: &Snapshot, about_user: bool) -> Option<Missing> {
        let (permission, at) = (self.question.permission, self.question.resource.account);
        let (sums, mine) = (holder.sums.as_deref()?, self.user.account);
        let has = |place| sums.has(place, self.is_own(holder), permission);
        let shared_down = || {
            has(Where::SharedDown)
                && there.catalogue().is_shared_down(permission)
                && there.account(at).is_some()
                && there.is_above(at, mine)
        };
        let holds = (has(Where::InTree) && self.home.account(at).is_some())
            || (has(Where::In(at)) && self.home.is_in(at, mine))
            || shared_down();
        Some(match (holds, about_user) {
            (true, true) => Missing::WrongRelation,
            (true, false) => Missing::OutOfScope,
            (false, _) if has(Where::Anywhere) => Missing::OutOfReach,
            (false, _) => Missing::NotGranted,
        })
    }
}
