//! Rights documents: written, changed, assigned, handed on (`model.md` §5). One file a kind of act.

mod assign;
mod hand_on;
mod reads;
mod write;

use std::collections::BTreeSet;

use sea_orm::EntityTrait as _;
use serde::{Deserialize, Serialize};

use super::roles::Notice;
use super::rows::rights_document;
use super::{Error, Refusal, Tx};
use crate::decision::{
    Caller, CompiledDocument, Holding, Place, Snapshot, call_holdings, may, owns_document,
    sees_account,
};
use crate::model::catalogue::BodyFault;
use crate::model::{AccountId, Body, DocId, Named, Reach, ResourcePath, RightsDocument, UserId};

pub use assign::{Assigned, Assigning, Unassigned};
pub use write::{DocumentDeleted, DocumentFields};

/// The most users that one change of a document concerns; beyond, it is `TOO_LARGE`.
const MOST_TOUCHED: usize = 10_000;
/// Who alone writes what holds in the whole tree.
const WRITE_MASTER: &str = "rights_document.write_master";

/// A document was written or changed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DocumentDone {
    /// Which.
    pub document: DocId,
    /// What was forced; nothing on a repeat.
    #[serde(skip)]
    pub notices: Vec<Notice>,
}

impl Tx {
    /// Finds the row of a document as it was before this write.
    async fn document_row(&self, id: DocId) -> Result<RightsDocument, Refusal> {
        let row = rights_document::Entity::find_by_id(id.0).one(&self.db).await;
        let row = row.map_err(Error::from)?.ok_or_else(|| Refusal::unseen(DOCUMENT, id))?;
        Ok(row.try_into()?)
    }

    /// Refuses a document that is not of the owner that a caller takes it for. Whose a document is cannot be
    /// found out by trying.
    pub fn expect_owner(
        &self,
        caller: &Caller,
        id: DocId,
        expected: Option<UserId>,
    ) -> Result<(), Refusal> {
        let owns = |user| owns_document(caller, self.home(), self.world(), user, id, self.now());
        if expected.is_none_or(owns) { Ok(()) } else { Err(Refusal::unseen(DOCUMENT, id)) }
    }

    /// Refuses who may not write what holds in the whole tree: it takes a right that reaches all of it.
    fn may_write_master(&self, caller: &Caller) -> Result<(), Refusal> {
        self.holds_master(caller, self.home())?;
        // In an assumed session it takes both.
        caller.actor_in(self.home()).map_or(Ok(()), |(actor, home)| self.holds_master(actor, home))
    }

    fn holds_master(&self, caller: &Caller, home: &Snapshot) -> Result<(), Refusal> {
        let top = self.world().tenant();
        let wanted = home.catalogue().parse(WRITE_MASTER);
        let root = |account: AccountId| home.account(account).is_some_and(|a| a.is_root());
        let whole = |held: &Holding| {
            let reaches = match held.reach {
                Reach::Subtree => held.account == top || root(held.account),
                // The platform's own hold in the root account alone.
                Reach::Account => held.account == top && root(top),
            };
            let given = wanted.is_some_and(|wanted| held.permissions.contains(wanted));
            given && reaches && held.place == Place::All && held.when.is_none()
        };
        if call_holdings(home, caller, self.now()).iter().any(whole) {
            return Ok(());
        }
        Err(Refusal::forbidden(WRITE_MASTER))
    }

    /// Checks what a document is to say, and that every account it names is there and seen.
    fn check_body(
        &self,
        caller: &Caller,
        body: Body,
        account: AccountId,
        master: bool,
    ) -> Result<Body, Refusal> {
        let mut elsewhere = None;
        for (at, entry) in body.resource_permissions.iter().enumerate() {
            if !entry.resource_type.eq_ignore_ascii_case("account") {
                continue;
            }
            let field = format!("rights_document.resource_permissions[{at}].resource_id");
            let id: AccountId = entry
                .resource_id
                .parse()
                .map_err(|error| Refusal::invalid("INVALID_FIELD", &field, format!("{error}")))?;
            let (world, home) = (self.world(), self.home());
            if world.account(id).is_none() || !sees_account(caller, home, world, id, self.now()) {
                return Err(Refusal::unseen("account", id));
            }
            if !master && id != account {
                elsewhere.get_or_insert(field);
            }
        }
        if let Some(field) = elsewhere {
            let why =
                "is another account than the document's, and only master documents hold in others";
            return Err(Refusal::invalid("INVALID_FIELD", &field, why));
        }
        self.world().catalogue().check_body(body).map_err(|faults| invalid(&faults))
    }

    /// Tells of tokens that others made of users who gain, or refuses for them unless it is by force.
    fn tokens_gaining(
        &self,
        caller: &Caller,
        users: &[UserId],
        force: bool,
    ) -> Result<Vec<Notice>, Refusal> {
        let notice = self.tokens_by_others(caller, users);
        notice.map(|notice| notice.unless(force, self)).into_iter().collect()
    }

    /// Returns whether the caller may read a document, owns it or holds it.
    fn may_use(&self, caller: &Caller, document: &CompiledDocument) -> bool {
        let (world, home) = (self.world(), self.home());
        let me = world.user(caller.user);
        if me.is_some_and(|me| world.has_document(me, document.id)) {
            return true;
        }
        let owner = document.own().map(|own| own.owner);
        if owner == Some(caller.user) {
            return true;
        }
        let lives = owner.and_then(|owner| world.user(owner)).map(|user| user.account);
        let at = lives.unwrap_or_else(|| document.account(caller.account));
        let named = owner.filter(|_| lives.is_some());
        let path = ResourcePath::account(at)
            .with("user", named.map_or(Named::Any, |owner| Named::Id(owner.to_string())))
            .with(DOCUMENT, Named::Id(document.id.to_string()));
        // One that a catalogue declares is read where the caller is at home.
        let there = if document.own().is_some() { world } else { home };
        may(caller, home, there, "rights_document.read", &path, self.now())
    }
}

/// What resource type documents are.
const DOCUMENT: &str = "rights_document";

fn invalid(faults: &[BodyFault]) -> Refusal {
    match faults.first() {
        Some(BodyFault { reason, field, why }) => {
            Refusal::invalid(reason, &format!("rights_document.{field}"), why.clone())
        }
        None => Refusal::invalid("INVALID_FIELD", "rights_document", "cannot be read"),
    }
}

/// Returns those who get a document by having it assigned to them: with `cascade` everybody below as well. `TOO_LARGE`.
fn reached(tx: &Tx, users: &[UserId], cascade: bool) -> Result<Vec<UserId>, Refusal> {
    let mut reached: BTreeSet<UserId> = users.iter().copied().collect();
    for user in users.iter().filter(|_| cascade) {
        reached.extend(tx.world().descendants(*user));
        small_enough(reached.len())?;
    }
    small_enough(reached.len())?;
    Ok(reached.into_iter().collect())
}

/// Refuses to change what concerns more users than a lock is held for.
fn small_enough(count: usize) -> Result<(), Refusal> {
    if count <= MOST_TOUCHED {
        return Ok(());
    }
    let why = format!("more than {MOST_TOUCHED} users would be concerned: do it in parts");
    Err(Refusal::precondition("TOO_LARGE", why))
}

/// Lists to whom a document is assigned, who is not deleted.
fn living_assignees(tx: &Tx, id: DocId) -> Vec<UserId> {
    let world = tx.world();
    world.assignees(id).filter(|user| world.user(*user).is_some()).collect()
}

/// Names an assignment among entities.
fn assignment(document: DocId, user: UserId) -> Refusal {
    Refusal::unseen("assignment", format!("{document}/{user}"))
}
