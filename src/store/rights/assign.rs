//! Documents given to users, and taken from them.

use std::collections::BTreeMap;

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde::{Deserialize, Serialize};

use super::{DOCUMENT, assignment, reached, small_enough};
use crate::decision::{Caller, CompiledDocument, Principal, Snapshot, sees_user, within_document};
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
    /// Assigns a document to all of these users, or to none.
    pub fn assign_document(
        &mut self,
        caller: &Caller,
        giving: Assigning,
    ) -> Result<Assigned, Refusal> {
        let (world, home, now) = (self.world().clone(), self.home().clone(), self.now());
        let id = giving.document;
        let unseen = || Refusal::unseen(DOCUMENT, id);
        let document = world.document(id).cloned().ok_or_else(unseen)?;
        let found = self.named_users(caller, &world, &giving.users)?;
        if !self.may_use(caller, &document) {
            let seen = self.sees_document(caller, id);
            return Err(if seen { Refusal::forbidden("rights_document.read") } else { unseen() });
        }
        if document.master {
            self.may_write_master(caller)?;
        }
        can_have(&world, &document, &found)?;
        // Of each account one: what it comes to depends on nothing else.
        let accounts: BTreeMap<AccountId, UserId> =
            found.iter().map(|user| (user.account, user.id)).collect();
        for (account, user) in &accounts {
            within_document(&home, caller, &world, &document, Some((*user, *account)), now)?;
        }
        if let Some(own) = document.own() {
            unchanged(&giving.etag, &document_etag(own))?;
        }
        for account in accounts.keys() {
            not_closed(&world, *account)?;
        }
        let gaining = reached(self, &giving.users, document.cascade);
        small_enough(gaining.len())?;
        let gaining: Vec<UserId> =
            gaining.into_iter().filter(|user| self.has_tokens(*user)).collect();
        let mut notices = Vec::new();
        if let Some(notice) = self.tokens_by_others(caller, &gaining) {
            notices.push(notice.unless(giving.force, self)?);
        }
        nobody_has(id, &found)?;
        for user in found {
            let one = Assignment {
                document: id,
                user: user.id,
                account: user.account,
                create_time: now,
                created_by: Some(caller.user),
            };
            let (account, after) = (user.account, Some(Image::Assignment(one)));
            let kind = ChangeKind::DocumentAssign;
            self.put(Change { account, kind, before: None, after })?;
        }
        Ok(Assigned { document: id, users: giving.users, notices })
    }

    /// Finds users that a request names: each is there and seen.
    fn named_users<'w>(
        &self,
        caller: &Caller,
        world: &'w Snapshot,
        ids: &[UserId],
    ) -> Result<Vec<&'w Principal>, Refusal> {
        let found = ids.iter().map(|id| {
            let seen = sees_user(caller, self.home(), world, *id, self.now());
            let user = world.user(*id).filter(|_| seen);
            user.map(|user| &**user).ok_or_else(|| Refusal::unseen("user", id))
        });
        found.collect()
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
        let account = match self.world().user(user) {
            Some(found) if sees_user(caller, self.home(), self.world(), user, self.now()) => {
                found.account
            }
            _ => return Err(Refusal::unseen("user", user)),
        };
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

    /// Finds the assignments of a document that stand in this write's world too.
    pub(super) async fn assignments_of(&self, id: DocId) -> Result<Vec<Assignment>, Error> {
        let of = rows::Column::DocumentId.eq(id.0);
        let tenant = rows::Column::TenantId.eq(self.world().tenant().0);
        let found = rows::Entity::find().filter(of).filter(tenant).all(&self.db).await?;
        let found = found.into_iter().map(Assignment::from);
        Ok(found.filter(|one| self.world().is_assigned(id, one.user)).collect())
    }

    /// Takes every document from a user.
    pub(in crate::store) async fn strip_documents(&mut self, user: UserId) -> Result<(), Refusal> {
        let of = rows::Column::UserId.eq(user.0);
        let found = rows::Entity::find().filter(of).all(&self.db).await.map_err(Error::from)?;
        for one in found.into_iter().map(Assignment::from) {
            if self.world().is_assigned(one.document, user) {
                self.unassign(one)?;
            }
        }
        Ok(())
    }
}

/// Refuses users who can have no documents, or not this one for where it holds (`model.md` §5).
fn can_have(
    world: &Snapshot,
    document: &CompiledDocument,
    users: &[&Principal],
) -> Result<(), Refusal> {
    for (at, user) in users.iter().enumerate() {
        let field = format!("user_ids[{at}]");
        if user.kind == UserKind::Application {
            let why = "is a user of kind APPLICATION, which has no documents";
            return Err(Refusal::invalid("WRONG_USER_KIND", &field, why));
        }
        let of = document.account(user.account);
        if !document.master && !world.is_in(of, user.account) {
            let why = "lives in an account that is neither the document's nor above it";
            return Err(Refusal::invalid("INVALID_FIELD", &field, why));
        }
    }
    Ok(())
}

/// Refuses who has it already, and names them.
fn nobody_has(id: DocId, users: &[&Principal]) -> Result<(), Refusal> {
    let have = users.iter().filter(|user| user.documents.contains(&id));
    let have: Vec<String> = have.map(|user| user.id.to_string()).collect();
    if have.is_empty() {
        return Ok(());
    }
    let named = have.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    Err(Refusal::exists("ALREADY_ASSIGNED", format!("it is assigned already to {named}")))
}
