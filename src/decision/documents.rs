//! What one rights document gives (`model.md` §5), compiled once for all who hold it.

use std::sync::Arc;

use super::holding::{Depth, Place};
use crate::model::catalogue::{Catalogue, Permission, PermissionSet};
use crate::model::{AccountId, Body, DocId, Named, ResourcePath, RightsDocument, SystemDocument};

/// Whose a document is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DocumentKind {
    /// An account's, with an owner.
    Kept(RightsDocument),
    /// A catalogue's, in every account.
    System,
}

/// A rights document, compiled.
#[derive(Debug, Clone)]
pub struct CompiledDocument {
    /// Its id.
    pub id: DocId,
    /// Whose it is.
    pub kind: DocumentKind,
    /// Whether it holds for everybody below its holders too.
    pub cascade: bool,
    /// Whether it holds in every account of the tenant.
    pub master: bool,
    /// What it gives on whatever lies in an account where it holds, the account itself included.
    pub(super) everywhere: PermissionSet,
    /// What it gives on single resources, by type and id.
    pub(super) resources: Vec<Entry>,
    /// Everything that it gives somewhere.
    pub(super) anywhere: PermissionSet,
}

/// What a document gives on one resource and in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) kind: Arc<str>,
    pub(super) id: Arc<str>,
    /// On the resource itself.
    pub(super) on: PermissionSet,
    /// On what lies directly in it: the creating of it.
    pub(super) direct: PermissionSet,
    /// On all that it contains.
    pub(super) within: PermissionSet,
}

impl CompiledDocument {
    /// Compiles a document of an account.
    pub(super) fn kept(document: RightsDocument, catalogue: &Catalogue) -> Self {
        let mut compiled = Self::empty(document.id, document.cascade, document.master);
        compiled.fill(&document.body, catalogue);
        compiled.kind = DocumentKind::Kept(document);
        compiled
    }

    /// Compiles a document that is in every account.
    pub(super) fn system(document: &SystemDocument, catalogue: &Catalogue) -> Self {
        let mut compiled = Self::empty(document.id, document.cascade, document.master);
        compiled.fill(&document.body, catalogue);
        compiled
    }

    fn empty(id: DocId, cascade: bool, master: bool) -> Self {
        Self {
            id,
            kind: DocumentKind::System,
            cascade,
            master,
            everywhere: PermissionSet::new(),
            resources: Vec::new(),
            anywhere: PermissionSet::new(),
        }
    }

    /// Returns the account's own document that this is, if it is one.
    pub const fn own(&self) -> Option<&RightsDocument> {
        match &self.kind {
            DocumentKind::Kept(document) => Some(document),
            DocumentKind::System => None,
        }
    }

    /// Returns the account that it is held in by somebody of `holder`: its own, or of a system document the holder's.
    pub const fn account(&self, holder: AccountId) -> AccountId {
        match &self.kind {
            DocumentKind::Kept(document) => document.account,
            DocumentKind::System => holder,
        }
    }

    /// Expands what it says. What has vanished from the catalogues gives nothing (`model.md` §4).
    fn fill(&mut self, body: &Body, catalogue: &Catalogue) {
        let all = |actions: &[String]| {
            let mut set = PermissionSet::new();
            let of = actions.iter().filter_map(|action| catalogue.by_action(action));
            of.for_each(|given| set.union_with(given));
            set
        };
        let act = |actions: &[String], wanted: &dyn Fn(Permission) -> bool| {
            all(actions).iter().filter(|p| wanted(*p)).collect::<PermissionSet>()
        };
        self.everywhere = all(&body.account_permissions);
        let mut entries: Vec<Entry> = Vec::new();
        for entry in &body.product_permissions {
            if entry.cascade {
                let of = |p| {
                    let kind = catalogue.kind(catalogue.kind_of(p));
                    kind.and_then(|kind| kind.product.as_deref()) == Some(entry.product.as_str())
                };
                self.everywhere.union_with(&act(&entry.permissions, &of));
            }
            let on = act(&entry.permissions, &|p| catalogue.kind_of(p) == "product");
            entries.push(Entry::new("product", &entry.product, on));
        }
        for entry in &body.resource_permissions {
            let kind = entry.resource_type.as_str();
            // The right to create is about what is created, and that lies in the resource.
            let creates = |p| catalogue.action_of(p) == "create";
            let on = |p| catalogue.kind_of(p) == kind && !creates(p);
            let lies = |p| {
                let lying = catalogue.kind(catalogue.kind_of(p));
                creates(p)
                    && lying.is_some_and(|lying| lying.parents.iter().any(|parent| parent == kind))
            };
            let mut made = Entry::new(kind, &entry.resource_id, act(&entry.permissions, &on));
            made.direct = act(&entry.permissions, &lies);
            if entry.cascade {
                made.within = all(&entry.permissions);
                made.within.intersect_with(&catalogue.inside(kind));
            }
            entries.push(made);
        }
        self.resources = merged(entries);
        self.anywhere = self.everywhere.clone();
        for entry in &self.resources {
            for set in [&entry.on, &entry.direct, &entry.within] {
                self.anywhere.union_with(set);
            }
        }
    }

    fn entry(&self, kind: &str, id: &str) -> Option<&Entry> {
        let at =
            self.resources.binary_search_by(|entry| (&*entry.kind, &*entry.id).cmp(&(kind, id)));
        self.resources.get(at.ok()?)
    }

    /// Returns whether it gives a permission on a resource of an account where it holds.
    pub(super) fn gives(&self, permission: Permission, path: &ResourcePath) -> bool {
        if self.everywhere.contains(permission) {
            return true;
        }
        if self.resources.is_empty() || !self.anywhere.contains(permission) {
            return false;
        }
        let last = path.pairs.len();
        let gives = |depth: usize, entry: &Entry| match last - depth {
            0 => entry.on.contains(permission),
            1 => entry.direct.contains(permission) || entry.within.contains(permission),
            _ => entry.within.contains(permission),
        };
        let about_account = self.entry_of_account(path.account).is_some_and(|e| gives(0, e));
        about_account
            || path.pairs.iter().enumerate().any(|(at, pair)| {
                let Named::Id(id) = &pair.named else { return false };
                self.entry(&pair.kind, id).is_some_and(|entry| gives(at + 1, entry))
            })
    }

    /// Walks what it gives, place by place.
    pub(super) fn parts(&self) -> impl Iterator<Item = (Place, &PermissionSet)> {
        let single = self.resources.iter().flat_map(|entry| {
            let at = |depth| {
                let (kind, id) = (Arc::clone(&entry.kind), Arc::clone(&entry.id));
                Place::Resource { kind, id, depth }
            };
            [
                (at(Depth::Itself), &entry.on),
                (at(Depth::Direct), &entry.direct),
                (at(Depth::Contained), &entry.within),
            ]
        });
        std::iter::once((Place::All, &self.everywhere)).chain(single)
    }

    /// Returns whether it gives a permission on anything at all.
    pub(super) fn gives_anywhere(&self, permission: Permission) -> bool {
        self.anywhere.contains(permission)
    }

    fn entry_of_account(&self, account: AccountId) -> Option<&Entry> {
        let first = self.resources.partition_point(|entry| &*entry.kind < "account");
        let any = self.resources.get(first).is_some_and(|entry| &*entry.kind == "account");
        if any { self.entry("account", &account.to_string()) } else { None }
    }
}

impl Entry {
    fn new(kind: &str, id: &str, on: PermissionSet) -> Self {
        Self {
            kind: Arc::from(kind),
            id: Arc::from(id),
            on,
            direct: PermissionSet::new(),
            within: PermissionSet::new(),
        }
    }
}

/// Joins what is said of one resource several times, in the order in which it is searched.
fn merged(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.sort_by(|a, b| (&a.kind, &a.id).cmp(&(&b.kind, &b.id)));
    entries.dedup_by(|later, first| {
        let same = later.kind == first.kind && later.id == first.id;
        if same {
            first.on.union_with(&later.on);
            first.direct.union_with(&later.direct);
            first.within.union_with(&later.within);
        }
        same
    });
    entries
}
