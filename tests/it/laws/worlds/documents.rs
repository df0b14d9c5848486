//! Random rights documents, and who has them.

use chancery::decision::Facts;
use chancery::model::{
    AccountId, Assignment, Body, DocId, ProductPermissions, ResourcePermissions, RightsDocument,
    UserId, UserKind,
};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use uuid::Uuid;

use super::{ACCOUNTS, account_id, at, operator_id, root_id};
use crate::laws::words::SYSTEM;

/// How many documents a tenant has at most. More than an engine would look at one by one.
pub(crate) const DOCUMENTS: usize = 14;

const ACTIONS: &[&str] = &[
    "create",
    "read",
    "read",
    "update",
    "delete",
    "report",
    "open",
    "listen",
    "start_scenarios",
    "stamp",
];

const PRODUCTS: &[&str] = &["ACD", "ACCOUNT", "SURVEY", "CLOUD_PROFILE"];

/// What entries are about: types, many of which share ids.
const KINDS: &[&str] = &[
    "account",
    "gate_group",
    "gate",
    "cloud_group",
    "cloud_profile_group",
    "cloud_profile",
    "application",
    "scenario",
    "cabinet",
    "library",
    "shelf",
    "product",
    "note",
];

/// Ids of resources, whatever their type.
const IDS: &[&str] = &["5", "5", "17"];

pub(crate) fn doc_id(n: usize) -> DocId {
    DocId(Uuid::from_u128(0xD00 + n as u128))
}

/// A document, before it is known where it lies and whose it is.
#[derive(Debug, Clone)]
pub(crate) struct Paper {
    body: Body,
    at: Index,
    owner: Index,
    cascade: bool,
    master: bool,
}

/// All documents of a world, and who gets which.
#[derive(Debug, Clone)]
pub(crate) struct Papers {
    list: Vec<Paper>,
    /// Which document, to whom, and whether it matters that the account is below the user's.
    given: Vec<(Index, Index, bool)>,
    /// Somebody has them all.
    hoarder: Option<Index>,
}

fn actions() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(select(ACTIONS).prop_map(str::to_owned), 1..4)
}

fn body() -> impl Strategy<Value = Body> {
    let account = prop_oneof![5 => Just(Vec::new()), 2 => actions()];
    let product =
        (select(PRODUCTS), actions(), any::<bool>()).prop_map(|(product, permissions, cascade)| {
            ProductPermissions { product: product.to_owned(), permissions, cascade }
        });
    let resource = (select(KINDS), select(IDS), 0..ACCOUNTS, actions(), prop::bool::weighted(0.7))
        .prop_map(|(kind, id, account, permissions, cascade)| ResourcePermissions {
            resource_type: kind.to_owned(),
            resource_id: match kind {
                "account" => account_id(account).to_string(),
                "product" => "ACD".to_owned(),
                _ => id.to_owned(),
            },
            permissions,
            cascade,
        });
    let products = prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(product, 1..3)];
    (account, products, prop::collection::vec(resource, 0..4)).prop_map(
        |(account_permissions, product_permissions, resource_permissions)| Body {
            account_permissions,
            product_permissions,
            resource_permissions,
        },
    )
}

pub(crate) fn paper() -> impl Strategy<Value = Paper> {
    let cascade = any::<bool>();
    (body(), any::<Index>(), any::<Index>(), cascade, prop::bool::weighted(0.15))
        .prop_map(|(body, at, owner, cascade, master)| Paper { body, at, owner, cascade, master })
}

pub(crate) fn papers() -> impl Strategy<Value = Papers> {
    let given = (any::<Index>(), any::<Index>(), prop::bool::weighted(0.1));
    (
        prop::collection::vec(paper(), 2..=DOCUMENTS),
        prop::collection::vec(given, 6..24),
        prop::option::weighted(0.4, any::<Index>()),
    )
        .prop_map(|(list, given, hoarder)| Papers { list, given, hoarder })
}

impl Paper {
    /// Meets a tenant.
    pub(crate) fn in_tenant(&self, n: usize, facts: &Facts) -> RightsDocument {
        let account = if self.master { account_id(0) } else { account_id(self.at.index(ACCOUNTS)) };
        let owner = facts.users[self.owner.index(facts.users.len())].id;
        self.document(n, account, owner)
    }

    fn document(&self, n: usize, account: AccountId, owner: UserId) -> RightsDocument {
        let mut body = self.body.clone();
        // Most entries on an account are on the document's own.
        for entry in body.resource_permissions.iter_mut().filter(|e| e.resource_type == "account") {
            if entry.resource_id != account_id(1).to_string() {
                entry.resource_id = account.to_string();
            }
        }
        RightsDocument {
            id: doc_id(n),
            account,
            owner,
            name: format!("document {n}"),
            cascade: self.cascade,
            master: self.master,
            body,
            create_time: at(),
            update_time: at(),
        }
    }
}

/// Lets whoever has it, and all below, read gates.
pub(super) fn cascading(account: AccountId, owner: UserId) -> RightsDocument {
    let entry = ResourcePermissions {
        resource_type: "gate_group".to_owned(),
        resource_id: "5".to_owned(),
        permissions: vec!["read".to_owned()],
        cascade: true,
    };
    RightsDocument {
        id: doc_id(0),
        account,
        owner,
        name: "cascading".to_owned(),
        cascade: true,
        master: false,
        body: Body { resource_permissions: vec![entry], ..Body::default() },
        create_time: at(),
        update_time: at(),
    }
}

pub(crate) fn assigned(document: DocId, user: UserId, account: AccountId) -> Assignment {
    Assignment { document, user, account, create_time: at(), created_by: None }
}

impl Papers {
    /// Writes and assigns them in a tenant: to users of the document's account or of one above, but for a few whose account
    /// was moved away since.
    pub(crate) fn put(&self, facts: &mut Facts) {
        let list = self.list.iter().enumerate();
        facts.documents = list.map(|(n, paper)| paper.in_tenant(n, facts)).collect();
        let mut ids: Vec<DocId> = facts.documents.iter().map(|document| document.id).collect();
        ids.extend(SYSTEM.iter().map(|code| DocId::of_system("acme", code)));
        let mut pairs: Vec<(DocId, usize, bool)> = Vec::new();
        for (which, whom, moved) in &self.given {
            pairs.push((ids[which.index(ids.len())], whom.index(facts.users.len()), *moved));
        }
        if let Some(whom) = self.hoarder {
            pairs.extend(ids.iter().map(|id| (*id, whom.index(facts.users.len()), false)));
        }
        for (id, whom, moved) in pairs {
            let user = &facts.users[whom];
            let document = facts.documents.iter().find(|document| document.id == id);
            let fits = document.is_none_or(|document| {
                document.master || is_in(facts, document.account, user.account)
            });
            let new = !facts.assignments.iter().any(|a| a.document == id && a.user == user.id);
            if user.kind != UserKind::Application && new && (fits || moved) {
                let assignment = assigned(id, user.id, user.account);
                facts.assignments.push(assignment);
            }
        }
    }

    /// The platform has documents of its own.
    pub(crate) fn put_in_platform(&self, facts: &mut Facts) {
        for (n, paper) in self.list.iter().enumerate().take(3) {
            let document = paper.document(DOCUMENTS + n, root_id(), operator_id(0));
            facts.assignments.push(assigned(document.id, operator_id(n % 2), root_id()));
            facts.documents.push(document);
        }
        if self.hoarder.is_some() {
            let wide = DocId::of_system("acme", "WIDE");
            facts.assignments.push(assigned(wide, operator_id(0), root_id()));
        }
    }
}

fn is_in(facts: &Facts, lower: AccountId, upper: AccountId) -> bool {
    let mut at = Some(lower);
    while let Some(id) = at {
        if id == upper {
            return true;
        }
        at = facts.accounts.iter().find(|account| account.id == id).and_then(|found| found.parent);
    }
    false
}
