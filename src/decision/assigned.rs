//! Which documents hold for whom, and how those that cover a question are found without looking at all.
//!
//! A user holds the ids of its documents, and a document stands in one place: editing one, or assigning one at the top of
//! a user tree, costs by what changed and not by who is below (`edges.md` §7). Whoever holds many is looked up by place: an
//! index tells which documents say anything about a resource or an account.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::sync::Arc;

use super::documents::{CompiledDocument, DocumentKind};
use super::snapshot::{BrokenWorld, Principal, Set, Snapshot};
use crate::model::catalogue::Permission;
use crate::model::{AccountId, Assignment, DocId, Named, ResourcePath, RightsDocument, UserId};

/// Up to so many documents of one holder are looked at one by one; more are found by place.
pub(super) const FEW: usize = 8;

/// Where a document says something, as a number. Two places may share one: what is found by it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Place(u64);

impl Place {
    fn all(account: AccountId, master: bool) -> Self {
        Self::of(&(account, master))
    }

    fn resource(account: AccountId, master: bool, kind: &str, id: &str) -> Self {
        Self::of(&(account, master, kind, id))
    }

    fn of(what: &impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        what.hash(&mut hasher);
        Self(hasher.finish())
    }
}

impl CompiledDocument {
    /// Walks the places that it says anything about.
    fn places(&self, tenant: AccountId) -> impl Iterator<Item = Place> {
        let within = match &self.kind {
            DocumentKind::Kept(document) if !document.master => document.account,
            // The main account stands for the whole of its tree, under a mark of its own.
            DocumentKind::Kept(_) | DocumentKind::System => tenant,
        };
        let master = self.master;
        let everywhere = (!self.everywhere.is_empty()).then(|| Place::all(within, master));
        let single = self.resources.iter();
        everywhere
            .into_iter()
            .chain(single.map(move |entry| Place::resource(within, master, &entry.kind, &entry.id)))
    }
}

/// Walks the places by which documents about a path are found.
fn places_of(tenant: AccountId, holder: AccountId, path: &ResourcePath) -> Vec<Place> {
    let mut places = Vec::with_capacity(2 * (path.pairs.len() + 2) + 1);
    if holder != path.account {
        // What is shared down is given in the holder's own account.
        places.push(Place::all(holder, false));
    }
    for (within, master) in [(path.account, false), (tenant, true)] {
        places.push(Place::all(within, master));
        places.push(Place::resource(within, master, "account", &path.account.to_string()));
        for pair in &path.pairs {
            if let Named::Id(id) = &pair.named {
                places.push(Place::resource(within, master, &pair.kind, id));
            }
        }
    }
    places
}

impl Snapshot {
    /// Finds a rights document, a system one too.
    pub fn document(&self, id: DocId) -> Option<&Arc<CompiledDocument>> {
        self.documents.get(&id)
    }

    /// Walks the documents of all accounts of the tenant in the order of their ids, system ones left out.
    pub fn documents(&self) -> impl Iterator<Item = &RightsDocument> {
        self.documents.values().filter_map(|document| document.own())
    }

    /// Walks the documents that a user owns, in the order of their ids.
    pub fn owned(&self, owner: UserId) -> impl Iterator<Item = DocId> {
        self.owned
            .range((owner, DocId(uuid::Uuid::nil()))..)
            .take_while(move |(of, _)| *of == owner)
            .map(|(_, document)| *document)
    }

    /// Walks those to whom a document is assigned, in the order of their ids, deleted users included.
    pub fn assignees(&self, document: DocId) -> impl Iterator<Item = UserId> {
        self.assignees
            .range((document, UserId(uuid::Uuid::nil()))..)
            .take_while(move |(of, _)| *of == document)
            .map(|(_, user)| *user)
    }

    /// Returns whether a document is assigned to a user itself.
    pub fn is_assigned(&self, document: DocId, user: UserId) -> bool {
        self.users.get(&user).is_some_and(|user| user.documents.contains(&document))
    }

    /// Returns whether any document is assigned that holds for those below as well.
    pub(super) const fn is_cascading(&self) -> bool {
        self.cascading > 0
    }

    /// Walks whom a user has documents by: itself, then everybody above, of whom those count that cascade.
    pub(super) fn holders_for<'a>(
        &'a self,
        user: &'a Principal,
    ) -> impl Iterator<Item = &'a Principal> {
        let ancestors = (self.cascading > 0).then(|| self.ancestors(user.id)).into_iter().flatten();
        let ancestors = ancestors.map(|above| &**above).filter(|above| above.exists());
        std::iter::once(user).chain(ancestors)
    }

    /// Walks every document that holds for a user, with whom it has it by.
    pub fn documents_for<'a>(
        &'a self,
        user: &'a Principal,
    ) -> impl Iterator<Item = (&'a Principal, &'a Arc<CompiledDocument>)> {
        self.holders_for(user).flat_map(move |holder| {
            let held = holder.documents.iter().filter_map(|id| self.documents.get(id));
            held.filter(move |document| document.cascade || holder.id == user.id)
                .map(move |document| (holder, document))
        })
    }

    /// Finds a document that holds for `user` and passes `test`, among those that say anything about `path`. `worth`: whether
    /// one of a holder's many may.
    pub(super) fn find_document<'a>(
        &'a self,
        user: &'a Principal,
        path: &ResourcePath,
        worth: &dyn Fn(&Principal) -> bool,
        test: &dyn Fn(&CompiledDocument) -> bool,
    ) -> Option<(&'a Principal, &'a Arc<CompiledDocument>)> {
        let mut places: Option<Vec<Place>> = None;
        self.holders_for(user).find_map(|holder| {
            let good = |document: &&Arc<CompiledDocument>| {
                (document.cascade || holder.id == user.id) && test(document)
            };
            if holder.documents.len() <= FEW {
                let held = holder.documents.iter().filter_map(|id| self.documents.get(id));
                return held.filter(good).map(|document| (holder, document)).next();
            }
            if !worth(holder) {
                return None;
            }
            let places = places.get_or_insert_with(|| places_of(self.tenant, user.account, path));
            let system = self.catalogue.system_documents().iter().map(|document| document.id);
            let system = system.filter(|id| holder.documents.contains(id));
            let by_place = places
                .iter()
                .filter_map(|place| self.places.get(place))
                .flat_map(|at| both(at, &holder.documents));
            let found = system.chain(by_place).filter_map(|id| self.documents.get(&id));
            found.filter(good).map(|document| (holder, document)).next()
        })
    }

    /// Walks the documents that give a permission on a path, whoever holds them, in the order of their ids.
    pub(super) fn documents_giving(
        &self,
        permission: Permission,
        path: &ResourcePath,
    ) -> impl Iterator<Item = &Arc<CompiledDocument>> {
        let mut places = places_of(self.tenant, path.account, path);
        if self.catalogue.is_shared_down(permission) {
            // Then documents of the accounts below speak of it as well.
            let below = self.account_tree(path.account).into_iter().skip(1);
            places.extend(below.map(|account| Place::all(account, false)));
        }
        let system = self.catalogue.system_documents().iter().map(|document| document.id);
        let there = places.iter().filter_map(|place| self.places.get(place)).flatten().copied();
        let found: BTreeSet<DocId> = system.chain(there).collect();
        let found = found.into_iter().filter_map(|id| self.documents.get(&id));
        let path = path.clone();
        found.filter(move |document| document.gives(permission, &path))
    }

    pub(super) fn put_system_documents(&mut self) {
        let catalogue = Arc::clone(&self.catalogue);
        for document in catalogue.system_documents() {
            let compiled = CompiledDocument::system(document, &catalogue);
            self.things.replace([], self.in_document(&compiled));
            self.documents.insert(document.id, Arc::new(compiled));
        }
    }

    pub(super) fn put_document(&mut self, document: RightsDocument) {
        self.forget_places(document.id);
        let (id, owner) = (document.id, document.owner);
        let was = self.documents.get(&id).is_some_and(|old| old.cascade);
        let old = self.documents.get(&id).and_then(|old| old.own()).map(|old| old.owner);
        if let Some(old) = old {
            self.owned.remove(&(old, id));
        }
        self.owned.insert((owner, id));
        let compiled = CompiledDocument::kept(document, &self.catalogue);
        for place in compiled.places(self.tenant) {
            self.places.entry(place).or_default().insert(id);
        }
        self.things.replace([], self.in_document(&compiled));
        let assigned: Vec<UserId> = self.assignees(id).collect();
        match (was, compiled.cascade) {
            (false, true) => self.cascading += assigned.len(),
            (true, false) => self.cascading = self.cascading.saturating_sub(assigned.len()),
            _ => {}
        }
        let compiled = Arc::new(compiled);
        let old = self.documents.insert(id, Arc::clone(&compiled));
        for user in assigned {
            self.recount(user, old.as_deref(), Some(&compiled));
        }
    }

    pub(super) fn remove_document(&mut self, id: DocId) {
        self.forget_places(id);
        let Some(old) = self.documents.remove(&id) else { return };
        if let Some(own) = old.own() {
            self.owned.remove(&(own.owner, id));
        }
        let assigned: Vec<UserId> = self.assignees(id).collect();
        for user in assigned {
            self.recount(user, Some(&old), None);
        }
    }

    fn forget_places(&mut self, id: DocId) {
        let Some(old) = self.documents.get(&id).map(Arc::clone) else { return };
        self.things.replace(self.in_document(&old), []);
        for place in old.places(self.tenant) {
            let left = self.places.get_mut(&place).map(|at| {
                at.remove(&id);
                at.is_empty()
            });
            if left == Some(true) {
                self.places.remove(&place);
            }
        }
    }

    pub(super) fn put_assignment(&mut self, assignment: &Assignment) -> Result<(), BrokenWorld> {
        let (document, user) = (assignment.document, assignment.user);
        let entity = || format!("user/{user}/rights_document/{document}");
        self.change_user(user, entity, |user| {
            user.documents.insert(document);
        })?;
        let new = self.assignees.insert((document, user)).is_none();
        if new && self.documents.get(&document).is_some_and(|document| document.cascade) {
            self.cascading += 1;
        }
        if new {
            let document = self.documents.get(&document).map(Arc::clone);
            self.recount(user, None, document.as_deref());
        }
        Ok(())
    }

    pub(super) fn remove_assignment(&mut self, assignment: &Assignment) -> Result<(), BrokenWorld> {
        let (document, user) = (assignment.document, assignment.user);
        let entity = || format!("user/{user}/rights_document/{document}");
        if self.assignees.remove(&(document, user)).is_none() {
            return Err(BrokenWorld::Misfit(entity()));
        }
        if self.documents.get(&document).is_some_and(|document| document.cascade) {
            self.cascading = self.cascading.saturating_sub(1);
        }
        self.change_user(user, entity, |user| {
            user.documents.remove(&document);
        })?;
        let document = self.documents.get(&document).map(Arc::clone);
        self.recount(user, document.as_deref(), None);
        Ok(())
    }

    /// Returns whether a document holds for a user, by whomever.
    pub fn has_document(&self, user: &Principal, id: DocId) -> bool {
        let cascade = self.documents.get(&id).is_some_and(|document| document.cascade);
        let mut holders = self.holders_for(user);
        holders.any(|holder| (cascade || holder.id == user.id) && holder.documents.contains(&id))
    }
}

/// Walks what is in both sets, at the cost of the smaller.
fn both<'a>(one: &'a Set<DocId>, other: &'a Set<DocId>) -> impl Iterator<Item = DocId> + 'a {
    let (small, large) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    small.iter().filter(|id| large.contains(*id)).copied()
}
