//! What rights documents give, from `model.md` §5 and the end of §6.

use chancery::decision::{Facts, Missing};
use chancery::model::{AccountId, Body, DocId, Named, ResourcePath, User, UserId};

use super::Naive;
use super::trees::{above, ancestors};
use crate::laws::words::words;

/// One document as it counts for one user.
struct Paper<'a> {
    /// `None`: a system document, which is in every account.
    account: Option<AccountId>,
    master: bool,
    cascade: bool,
    body: &'a Body,
}

fn paper(home: &Facts, id: DocId) -> Option<Paper<'_>> {
    if let Some(kept) = home.documents.iter().find(|document| document.id == id) {
        return Some(Paper {
            account: Some(kept.account),
            master: kept.master,
            cascade: kept.cascade,
            body: &kept.body,
        });
    }
    let declared = words().system.iter().find(|declared| declared.id == id);
    declared.map(|declared| Paper {
        account: None,
        master: declared.master,
        cascade: declared.cascade,
        body: &declared.body,
    })
}

/// Every document that holds for a user: its own, and those of users above that cascade.
fn papers<'a>(home: &'a Facts, user: &User) -> Vec<Paper<'a>> {
    let above: Vec<_> =
        ancestors(home, user.id).into_iter().filter(|up| up.delete_time.is_none()).collect();
    let mut found = Vec::new();
    for given in &home.assignments {
        let Some(paper) = paper(home, given.document) else { continue };
        let inherited = paper.cascade && above.iter().any(|up| up.id == given.user);
        if given.user == user.id || inherited {
            found.push(paper);
        }
    }
    found
}

impl Naive<'_> {
    /// How near the documents of a user come; `Ok` where one covers the question.
    pub(super) fn by_documents(&self, user: &User) -> Result<(), Missing> {
        let mut near = Missing::NotGranted;
        for paper in papers(self.home, user) {
            match self.paper_covers(user, &paper) {
                Ok(()) => return Ok(()),
                Err(missing) => near = near.max(missing),
            }
        }
        Err(near)
    }

    fn paper_covers(&self, user: &User, paper: &Paper<'_>) -> Result<(), Missing> {
        let (kind, action) = self.asked.permission.split_once('.').unwrap();
        if !words().is_for_documents(kind, action) || !says_anything(paper.body, kind, action) {
            return Err(Missing::NotGranted);
        }
        let at = self.asked.resource.account;
        let everywhere = on_all(paper.body, kind, action);
        let in_place = if paper.master {
            // The whole tree of the main account; the root's hold in the root alone.
            self.home.accounts.iter().any(|account| account.id == at)
        } else {
            let account = paper.account.unwrap_or(user.account);
            // Nothing reaches upward or sideways, though an account was moved away (§2).
            let below = account == user.account || above(self.home, user.account, account);
            let shared = account == user.account
                && everywhere
                && words().is_shared_down(&self.asked.permission)
                && above(self.home, at, account)
                && self.home.accounts.iter().any(|account| account.id == at);
            below && (account == at || shared)
        };
        if self.there.is_none() || !in_place {
            return Err(Missing::OutOfReach);
        }
        if self.target().is_some() {
            return Err(Missing::WrongRelation);
        }
        if everywhere || on_one(paper.body, &self.asked.resource, kind, action) {
            return Ok(());
        }
        Err(Missing::OutOfScope)
    }
}

fn has(actions: &[String], action: &str) -> bool {
    actions.iter().any(|one| one == action)
}

/// On the account and all in it, or on all of a product.
fn on_all(body: &Body, kind: &str, action: &str) -> bool {
    has(&body.account_permissions, action)
        || body.product_permissions.iter().any(|entry| {
            entry.cascade && has(&entry.permissions, action) && words().is_of(kind, &entry.product)
        })
}

/// On a product itself, or on one resource or in it.
fn on_one(body: &Body, path: &ResourcePath, kind: &str, action: &str) -> bool {
    let mut steps = vec![("account".to_owned(), Some(path.account.to_string()))];
    for pair in &path.pairs {
        let id = match &pair.named {
            Named::Any => None,
            Named::Id(id) => Some(id.clone()),
        };
        steps.push((pair.kind.clone(), id));
    }
    let last = steps.len() - 1;
    let product = body.product_permissions.iter().any(|entry| {
        kind == "product"
            && has(&entry.permissions, action)
            && steps[last] == ("product".to_owned(), Some(entry.product.clone()))
    });
    product
        || body.resource_permissions.iter().any(|entry| {
            let this = (entry.resource_type.clone(), Some(entry.resource_id.clone()));
            has(&entry.permissions, action)
                && steps.iter().enumerate().any(|(at, step)| {
                    *step == this
                        && if action == "create" {
                            // The right to create is about what lies in it.
                            at + 1 == last || (at < last && entry.cascade)
                        } else {
                            at == last || entry.cascade
                        }
                })
        })
}

/// Whether the action stands anywhere where it could ever mean this permission.
fn says_anything(body: &Body, kind: &str, action: &str) -> bool {
    on_all(body, kind, action)
        || (kind == "product"
            && body.product_permissions.iter().any(|e| has(&e.permissions, action)))
        || body.resource_permissions.iter().any(|entry| {
            let itself = entry.resource_type == kind && action != "create";
            let inside = action == "create" && words().lies_in(kind, &entry.resource_type);
            let below = entry.cascade && words().lies_below(kind, &entry.resource_type);
            has(&entry.permissions, action) && (itself || inside || below)
        })
}

impl Naive<'_> {
    /// A document lies under its owner; its reading also under whoever it is assigned to; its giving and taking, and
    /// what is asked of master documents, under anybody (`core.yaml`).
    pub(super) fn document_exists(&self, there: &Facts, id: &str, under: Option<UserId>) -> bool {
        let Ok(id) = id.parse::<DocId>() else { return false };
        let Some(kept) = there.documents.iter().find(|document| document.id == id) else {
            return paper(there, id).is_some();
        };
        let Some(under) = under else { return true };
        let action = self.asked.permission.split_once('.').unwrap().1;
        let assigned = || there.assignments.iter().any(|a| a.document == id && a.user == under);
        match action {
            "assign" | "unassign" | "write_master" => true,
            "read" => kept.owner == under || assigned(),
            _ => kept.owner == under,
        }
    }
}
