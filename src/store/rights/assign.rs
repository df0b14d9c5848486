//! Documents given to users, and taken from them.

use std::collections::BTreeMap;
use std::sync::Arc;

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde::{Deserialize, Serialize};

use super::{DOCUMENT, assignment, reached};
use crate::decision::{Caller, CompiledDocument, Principal, Snapshot, within_document};
use crate::model::{AccountId, Assignment, Change, ChangeKind, DocId, Image, UserId, UserKind};
use crate::store::etags::{document_etag, unchanged};
use crate::store::roles::{Notice, not_closed};
use crate::store::rows::assignment as rows;
use crate::store::{Error, Refusal, Tx};

/// So many users are named in a refusal.
const NAMED: usize = 10;

/// Who is to get what.
#[derive(Debug, Clone)]
pub struct Assigning {
    /// What.
    pub document: DocId,
    /// Who, each once.
    pub users: Vec<UserId>,
    /// Goes on though others made credentials of a user.
    pub force: bool,
    /// The document's etag as the caller read it; empty asks for nothing.
    pub etag: String,
    /// How many documents a user has at most.
    pub most: usize,
}

/// A document was assigned.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Assigned {
    /// What.
    pub document: DocId,
    /// To whom, in the order of the request.
    pub users: Vec<UserId>,
    /// What was forced; nothing on a repeat.
    #[serde(skip)]
    pub notices: Vec<Notice>,
}

/// A document was taken from a user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Unassigned {
    /// What is gone.
    pub assignment: Assignment,
}

impl Tx {
    /// Assigns a document to all of these users, or to none. That it and they are seen was judged by the rule.
    pub fn assign_document(
        &mut self,
        caller: &Caller,
        giving: Assigning,
    ) -> Result<Assigned, Refusal> {
        let (world, home, now) = (self.world().clone(), self.home().clone(), self.now());
        let id = giving.document;
        let document = world.document(id).cloned();
        let document = document.ok_or_else(|| Refusal::unseen(DOCUMENT, id))?;
        let of = |id: &UserId| world.user(*id).ok_or_else(|| Refusal::unseen("user", id));
        let users = giving.users.iter().map(of).collect::<Result<Vec<_>, _>>()?;
        if !self.may_use(caller, &document) {
            return Err(Refusal::forbidden("rights_document.read"));
        }
        if document.master {
            self.may_write_master(caller)?;
        }
        for (at, user) in users.iter().enumerate() {
            fits(&world, &document, user, &format!("user_ids[{at}]"))?;
        }
        // Of each account one: what it comes to depends on nothing else.
        let accounts: BTreeMap<AccountId, UserId> =
            users.iter().map(|user| (user.account, user.id)).collect();
        for (account, user) in &accounts {
            within_document(&home, caller, &world, &document, Some((*user, *account)), now)?;
        }
        if let Some(own) = document.own() {
            unchanged(&giving.etag, &document_etag(own))?;
        }
        for account in accounts.keys() {
            not_closed(&world, *account)?;
        }
        let reached = reached(self, &giving.users, document.cascade)?;
        let notices = self.tokens_gaining(caller, &reached, giving.force)?;
        have_room(&users, id, giving.most)?;
        have_it_not(&users, id)?;
        for user in users {
            let (user, account, created_by) = (user.id, user.account, Some(caller.user));
            let one = Assignment { document: id, user, account, create_time: now, created_by };
            let (kind, after) = (ChangeKind::DocumentAssign, Some(Image::Assignment(one)));
            self.put(Change { account, kind, before: None, after })?;
        }
        Ok(Assigned { document: id, users: giving.users, notices })
    }

    /// Takes a document from one user.
    pub async fn unassign_document(
        &mut self,
        caller: &Caller,
        id: DocId,
        user: UserId,
        etag: &str,
    ) -> Result<Unassigned, Refusal> {
        let unseen = || Refusal::unseen(DOCUMENT, id);
        let document = self.world().document(id).cloned().ok_or_else(unseen)?;
        let found = self.world().user(user);
        let account = found.ok_or_else(|| Refusal::unseen("user", user))?.account;
        if !self.world().is_assigned(id, user) {
            return Err(assignment(id, user));
        }
        if document.master {
            self.may_write_master(caller)?;
        }
        if let Some(own) = document.own() {
            unchanged(etag, &document_etag(own))?;
        }
        not_closed(self.world(), account)?;
        let row = rows::Entity::find_by_id((user.0, id.0)).one(&self.db).await;
        let row = row.map_err(Error::from)?.ok_or_else(|| assignment(id, user))?;
        let one = Assignment::from(row);
        self.unassign(one.clone())?;
        Ok(Unassigned { assignment: one })
    }

    pub(super) fn unassign(&mut self, one: Assignment) -> Result<(), Refusal> {
        let (account, before) = (one.account, Some(Image::Assignment(one)));
        let kind = ChangeKind::DocumentUnassign;
        Ok(self.put(Change { account, kind, before, after: None })?)
    }

    /// Finds the assignments of a document in this write's tenant.
    pub(super) async fn assignments_of(&self, id: DocId) -> Result<Vec<Assignment>, Error> {
        let of = rows::Column::DocumentId.eq(id.0);
        let tenant = rows::Column::TenantId.eq(self.world().tenant().0);
        let found = rows::Entity::find().filter(of).filter(tenant).all(&self.db).await?;
        Ok(found.into_iter().map(Assignment::from).collect())
    }

    /// Takes every document from a user.
    pub(in crate::store) async fn strip_documents(&mut self, user: UserId) -> Result<(), Refusal> {
        if self.world().any_user(user).is_none_or(|user| user.documents.is_empty()) {
            return Ok(());
        }
        let of = rows::Column::UserId.eq(user.0);
        let found = rows::Entity::find().filter(of).all(&self.db).await.map_err(Error::from)?;
        for one in found.into_iter().map(Assignment::from) {
            self.unassign(one)?;
        }
        Ok(())
    }
}

/// Refuses users who have no documents, and those of accounts where this one does not hold.
fn fits(
    world: &Snapshot,
    document: &CompiledDocument,
    user: &Principal,
    field: &str,
) -> Result<(), Refusal> {
    if user.kind == UserKind::Application {
        let why = "is a user of kind APPLICATION, which has no documents";
        return Err(Refusal::invalid("WRONG_USER_KIND", field, why));
    }
    if !document.master && !world.is_in(document.account(user.account), user.account) {
        let why = "lives in an account that is neither the document's nor above it";
        return Err(Refusal::invalid("INVALID_FIELD", field, why));
    }
    Ok(())
}

fn have_room(users: &[&Arc<Principal>], id: DocId, most: usize) -> Result<(), Refusal> {
    let is_full =
        |user: &&&Arc<Principal>| user.documents.len() >= most && !user.documents.contains(&id);
    match users.iter().find(is_full) {
        None => Ok(()),
        Some(full) => {
            let why = format!("`{}` has {most} documents already, which is the limit", full.id);
            Err(Refusal::precondition("TOO_LARGE", why))
        }
    }
}

fn have_it_not(users: &[&Arc<Principal>], id: DocId) -> Result<(), Refusal> {
    let have = users.iter().filter(|user| user.documents.contains(&id));
    let named: Vec<String> = have.take(NAMED).map(|user| user.id.to_string()).collect();
    if named.is_empty() {
        return Ok(());
    }
    let why = format!("it is assigned already to {}", named.join(", "));
    Err(Refusal::exists("ALREADY_ASSIGNED", why))
}
