//! Which documents hold for whom, and how those that cover a question are found without looking at all.
//!
//! A user holds the ids of its documents, and a document stands in one place: editing one, or assigning one at the top of
//! a user tree, costs by what changed and not by who is below (`edges.md` §7). Whoever holds many is looked up by place: an
//! index tells which documents give an action on a resource, in it, or on all of an account.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, Hash};
use std::sync::Arc;

use super::documents::CompiledDocument;
use super::few::Few;
use super::snapshot::{BrokenWorld, Principal, Snapshot};
use crate::model::catalogue::Permission;
use crate::model::{AccountId, Assignment, DocId, Named, ResourcePath, RightsDocument, UserId};

/// Up to so many documents of one holder are looked at one by one; more are found by place.
pub(super) const FEW: usize = 8;
/// The one action that is about what is to be, and not about what is named.
const CREATE: &str = "create";
/// The type by which an account is named as a resource.
const ACCOUNT: &str = "account";

/// Where a document gives an action, as a number. Two places may share one: what is found by it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Place(u64);

/// What an entry is about, seen from what it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum About {
    /// Itself.
    Itself,
    /// What is created directly in it.
    Direct,
    /// All that it contains.
    Within,
}

/// The accounts in which a document holds: one, or for a master document the whole tree, named by the main account.
type Held = (AccountId, bool);

impl Place {
    /// On everything in an account.
    fn all(held: Held, action: &str) -> Self {
        Self::of(&(held, action))
    }

    /// On everything of one product.
    fn product(held: Held, product: &str, action: &str) -> Self {
        Self::of(&(held, product, action))
    }

    /// On an account by name, or in it.
    fn account(held: Held, id: AccountId, about: About, action: &str) -> Self {
        Self::of(&(held, id, about, action))
    }

    /// On one resource, or in it.
    fn resource(held: Held, (kind, id): (&str, &str), about: About, action: &str) -> Self {
        Self::of(&(held, kind, id, about, action))
    }

    /// Of a fixed seed: whoever makes places of his own tenant coincide makes them slower to look at, and no more.
    fn of(what: &impl Hash) -> Self {
        Self(foldhash::quality::FixedState::default().hash_one(what))
    }
}

/// Walks the places at which a document gives something. The actions are in them, so that whatever is found by one gives
/// what is asked: of a thousand documents about one account none is looked at that is about another action.
fn places(document: &RightsDocument, tenant: AccountId) -> Vec<Place> {
    let held = if document.master { (tenant, true) } else { (document.account, false) };
    let body = &document.body;
    let mut places: Vec<Place> =
        body.account_permissions.iter().map(|action| Place::all(held, action)).collect();
    for entry in &body.product_permissions {
        for action in &entry.permissions {
            let named = ("product", entry.product.as_str());
            places.push(Place::resource(held, named, About::Itself, action));
            if entry.cascade {
                places.push(Place::product(held, &entry.product, action));
            }
        }
    }
    for entry in &body.resource_permissions {
        let (kind, id) = (entry.resource_type.as_str(), entry.resource_id.as_str());
        // Of an account by any other name than its id nothing is ever asked.
        let account = (kind == ACCOUNT).then(|| id.parse::<AccountId>().ok()).flatten();
        let at = |about, action| match account {
            Some(account) => Place::account(held, account, about, action),
            None => Place::resource(held, (kind, id), about, action),
        };
        for action in &entry.permissions {
            // The right to create is about what is created, and that lies in the resource.
            places.push(at(if action == CREATE { About::Direct } else { About::Itself }, action));
            if entry.cascade {
                places.push(at(About::Within, action));
            }
        }
    }
    places
}

/// Walks the places by which documents that give a permission on a path are found.
fn places_of(
    world: &Snapshot,
    holder: AccountId,
    asked: (Permission, &ResourcePath),
) -> Vec<Place> {
    let (permission, path) = asked;
    let action = world.catalogue.action_of(permission);
    let mut places = Vec::with_capacity(4 * path.pairs.len() + 8);
    if holder != path.account {
        // What is shared down is given in the holder's own account.
        places.extend(everywhere(world, (holder, false), permission));
    }
    for held in [(path.account, false), (world.tenant, true)] {
        places.extend(everywhere(world, held, permission));
        for (below, pair) in path.pairs.iter().rev().enumerate() {
            let Named::Id(id) = &pair.named else { continue };
            let at = |about: &About| Place::resource(held, (&pair.kind, id), *about, action);
            places.extend(seen_from(below).iter().map(at));
        }
        let at = |about: &About| Place::account(held, path.account, *about, action);
        places.extend(seen_from(path.pairs.len()).iter().map(at));
    }
    places
}

/// Returns how an entry may speak of what lies so many steps below what it names.
const fn seen_from(below: usize) -> &'static [About] {
    match below {
        0 => &[About::Itself],
        1 => &[About::Direct, About::Within],
        _ => &[About::Within],
    }
}

/// Walks the places of what is given on everything, or on all of a product.
fn everywhere(world: &Snapshot, held: Held, permission: Permission) -> impl Iterator<Item = Place> {
    let action = world.catalogue.action_of(permission);
    let kind = world.catalogue.kind(world.catalogue.kind_of(permission));
    let product = kind.and_then(|kind| kind.product.as_deref());
    let product = product.map(|product| Place::product(held, product, action));
    std::iter::once(Place::all(held, action)).chain(product)
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

    /// Finds a document that holds for `user` and passes `test`, among those that give the permission on the path. `worth`:
    /// whether one of a holder's many may.
    pub(super) fn find_document<'a>(
        &'a self,
        user: &'a Principal,
        asked: (Permission, &ResourcePath),
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
            let places = places.get_or_insert_with(|| places_of(self, user.account, asked));
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
        let mut places = places_of(self, path.account, (permission, path));
        if self.catalogue.is_shared_down(permission) {
            // Then documents of the accounts below speak of it as well.
            let below = self.account_tree(path.account).into_iter().skip(1);
            places.extend(below.flat_map(|account| everywhere(self, (account, false), permission)));
        }
        let system = self.catalogue.system_documents().iter().map(|document| document.id);
        let there =
            places.iter().filter_map(|place| self.places.get(place)).flat_map(Few::iter).copied();
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
        for place in places(&document, self.tenant) {
            self.places.entry(place).or_default().insert(id);
        }
        let compiled = CompiledDocument::kept(document, &self.catalogue);
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
        for place in old.own().map(|own| places(own, self.tenant)).unwrap_or_default() {
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
fn both<'a>(one: &'a Few<DocId>, other: &'a Few<DocId>) -> impl Iterator<Item = DocId> + 'a {
    let (small, large) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    small.iter().filter(|id| large.contains(*id)).copied()
}
