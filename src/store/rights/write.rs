//! Documents as their owners write them.

use serde::{Deserialize, Serialize};

use super::{DocumentDone, living_assignees, reached, small_enough};
use crate::decision::{Caller, gains, sees_account, sees_user, within_document};
use crate::model::{
    AccountId, Body, Change, ChangeKind, DocId, Image, RightsDocument, UserId, UserKind,
};
use crate::store::etags::{document_etag, unchanged};
use crate::store::roles::not_closed;
use crate::store::{Refusal, Tx};

/// What a request says a document is to be; absent = as it is, or as it is where nobody says.
#[derive(Debug, Clone, Default)]
pub struct DocumentFields {
    /// Its name.
    pub name: Option<String>,
    /// Whether it holds for everybody below its holders.
    pub cascade: Option<bool>,
    /// Whether it holds in every account of the tree.
    pub master: Option<bool>,
    /// Actions on the account.
    pub account_permissions: Option<Vec<String>>,
    /// Actions on products.
    pub product_permissions: Option<Vec<crate::model::ProductPermissions>>,
    /// Actions on resources.
    pub resource_permissions: Option<Vec<crate::model::ResourcePermissions>>,
}

impl DocumentFields {
    fn fill(&self, document: &mut RightsDocument) {
        if let Some(name) = &self.name {
            document.name.clone_from(name);
        }
        document.cascade = self.cascade.unwrap_or(document.cascade);
        document.master = self.master.unwrap_or(document.master);
        let body = &mut document.body;
        if let Some(list) = &self.account_permissions {
            body.account_permissions.clone_from(list);
        }
        if let Some(list) = &self.product_permissions {
            body.product_permissions.clone_from(list);
        }
        if let Some(list) = &self.resource_permissions {
            body.resource_permissions.clone_from(list);
        }
    }

    /// Returns whether it speaks of what a document gives.
    const fn gives(&self) -> bool {
        self.account_permissions.is_some()
            || self.product_permissions.is_some()
            || self.resource_permissions.is_some()
    }
}

/// A document was deleted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DocumentDeleted {
    /// Which.
    pub document: DocId,
    /// What it was; not kept for a repeat.
    #[serde(skip)]
    pub was: Option<RightsDocument>,
    /// Whether users lose it whom the caller does not see; told of rehearsals only.
    #[serde(skip)]
    pub others_affected: bool,
}

impl Tx {
    /// Writes a document; nobody has it yet. What its proto comment lists is refused.
    pub fn create_document(
        &mut self,
        caller: &Caller,
        owner: UserId,
        account: Option<AccountId>,
        fields: &DocumentFields,
    ) -> Result<DocumentDone, Refusal> {
        let (world, home, now) = (self.world().clone(), self.home().clone(), self.now());
        let Some(of) = world.user(owner) else { return Err(Refusal::unseen("user", owner)) };
        let account = account.unwrap_or(of.account);
        let seen = account == of.account || sees_account(caller, &home, &world, account, now);
        if world.account(account).is_none() || !seen {
            return Err(Refusal::unseen("account", account));
        }
        let mut document = RightsDocument {
            id: DocId::new(&**self.store.clock()),
            account,
            owner,
            name: String::new(),
            cascade: false,
            master: false,
            body: Body::default(),
            create_time: now,
            update_time: now,
        };
        fields.fill(&mut document);
        if document.master {
            self.may_write_master(caller)?;
        }
        if of.kind == UserKind::Application {
            let why = "is a user of kind APPLICATION, which has no documents";
            return Err(Refusal::invalid("WRONG_USER_KIND", "user_id", why));
        }
        if !world.is_in(account, of.account) {
            let why = "is neither the owner's account nor one below it";
            return Err(Refusal::invalid("INVALID_FIELD", "rights_document.account_id", why));
        }
        let (body, master) = (std::mem::take(&mut document.body), document.master);
        document.body = self.check_body(caller, body, account, master)?;
        self.in_main_account(&document)?;
        let id = document.id;
        let after = Some(Image::Document(document));
        self.put(Change { account, kind: ChangeKind::DocumentCreate, before: None, after })?;
        if let Some(compiled) = self.world().document(id) {
            within_document(&home, caller, self.world(), compiled, None, now)?;
        }
        not_closed(&world, account)?;
        Ok(DocumentDone { document: id, notices: Vec::new() })
    }

    /// A master document lives in the main account, or in the root account and holds there alone (`edges.md` §2).
    fn in_main_account(&self, document: &RightsDocument) -> Result<(), Refusal> {
        if !document.master || document.account == self.world().tenant() {
            return Ok(());
        }
        let why = "a master document lives in the main account";
        Err(Refusal::invalid("INVALID_FIELD", "rights_document.is_master", why))
    }

    /// Changes a document. A change of what it gives, or of how far, is judged as if it were written anew.
    pub async fn update_document(
        &mut self,
        caller: &Caller,
        id: DocId,
        fields: &DocumentFields,
        force: bool,
        etag: &str,
    ) -> Result<DocumentDone, Refusal> {
        if id.is_system() {
            return Err(Refusal::forbidden("catalogue.apply"));
        }
        let old = self.document_row(id).await?;
        let (world, home) = (self.world().clone(), self.home().clone());
        let mut document = old.clone();
        fields.fill(&mut document);
        if document.master || old.master {
            self.may_write_master(caller)?;
        }
        if fields.gives() || document.master != old.master {
            let (body, master) = (std::mem::take(&mut document.body), document.master);
            document.body = self.check_body(caller, body, document.account, master)?;
        }
        self.in_main_account(&document)?;
        let (wider, narrower) = (gives_else(&old, &document), old.master && !document.master);
        if document != old {
            document.update_time = self.now();
        }
        let (account, cascade) = (document.account, document.cascade);
        let (before, after) = (Some(Image::Document(old.clone())), Some(Image::Document(document)));
        self.put(Change { account, kind: ChangeKind::DocumentUpdate, before, after })?;
        if let Some(compiled) = self.world().document(id).filter(|_| wider) {
            within_document(&home, caller, self.world(), compiled, None, self.now())?;
        }
        unchanged(etag, &document_etag(&old))?;
        not_closed(&world, account)?;
        if narrower {
            self.nobody_elsewhere(id, account)?;
        }
        let mut notices = Vec::new();
        if wider {
            let holders = reached(self, &living_assignees(self, id), cascade)?;
            let gaining = holders.into_iter().filter(|user| self.has_tokens(*user));
            let gaining = gaining.filter(|user| gains(&world, self.world(), *user, self.now()));
            notices = self.tokens_gaining(caller, &gaining.collect::<Vec<_>>(), force)?;
        }
        Ok(DocumentDone { document: id, notices })
    }

    /// Refuses to end a master document that somebody has who could not be assigned it afterwards.
    fn nobody_elsewhere(&self, id: DocId, account: AccountId) -> Result<(), Refusal> {
        let world = self.world();
        let far = |user: &UserId| {
            world.user(*user).is_some_and(|user| !world.is_in(account, user.account))
        };
        if living_assignees(self, id).iter().any(far) {
            let why = "somebody has it whose account is neither the document's nor above it";
            return Err(Refusal::precondition("ASSIGNED_ELSEWHERE", why));
        }
        Ok(())
    }

    fn has_tokens(&self, user: UserId) -> bool {
        self.world().user(user).is_some_and(|user| !user.tokens.is_empty())
    }

    /// Deletes a document, and takes it from all who have it.
    pub async fn delete_document(
        &mut self,
        caller: &Caller,
        id: DocId,
        etag: &str,
    ) -> Result<DocumentDeleted, Refusal> {
        if id.is_system() {
            return Err(Refusal::forbidden("catalogue.apply"));
        }
        let old = self.document_row(id).await?;
        if old.master {
            self.may_write_master(caller)?;
        }
        unchanged(etag, &document_etag(&old))?;
        not_closed(self.world(), old.account)?;
        let assignees: Vec<UserId> = self.world().assignees(id).collect();
        small_enough(assignees.len())?;
        let others_affected = self.is_dry_run()
            && assignees
                .iter()
                .any(|user| !sees_user(caller, self.home(), self.world(), *user, self.now()));
        for one in self.assignments_of(id).await? {
            self.unassign(one)?;
        }
        let (account, before) = (old.account, Some(Image::Document(old.clone())));
        let kind = ChangeKind::DocumentDelete;
        self.put(Change { account, kind, before, after: None })?;
        Ok(DocumentDeleted { document: id, was: Some(old), others_affected })
    }
}

/// Returns whether a change is about what a document gives, or to whom and where.
fn gives_else(old: &RightsDocument, new: &RightsDocument) -> bool {
    (&old.body, old.cascade, old.master) != (&new.body, new.cascade, new.master)
}
