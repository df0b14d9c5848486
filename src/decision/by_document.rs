//! The part of a decision that rights documents have (`model.md` §5).

use super::documents::CompiledDocument;
use super::question::{Because, Missing, Question};
use super::snapshot::{Principal, Snapshot};

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
        let found = self.home.find_document(self.user, resource, &|document| {
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

    /// Returns whether a document gives the permission at all.
    pub(super) fn is_anywhere(&self) -> bool {
        let mut held = self.home.documents_for(self.user);
        held.any(|(_, document)| document.gives_anywhere(self.question.permission))
    }
}
