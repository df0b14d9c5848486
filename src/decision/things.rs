//! Which things of other services grants name: what a search knows of them.
//!
//! Kept as grants, users and documents come and go, so that a page of a search costs what is on it.

use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use imbl::OrdMap;

use super::documents::CompiledDocument;
use super::snapshot::{Principal, Snapshot};
use crate::model::{AccountId, Named, Pair, ResourcePath};

/// A thing's type and the text of its path, in the order of a search.
type Thing = (Arc<str>, Arc<str>);

/// The things that are named, each with how many times.
#[derive(Debug, Clone, Default)]
pub(super) struct Things(OrdMap<Thing, usize>);

impl Things {
    /// Walks those of a type after a path.
    pub(super) fn of<'a>(
        &'a self,
        kind: &str,
        after: Option<&str>,
    ) -> impl Iterator<Item = &'a str> + use<'a> {
        let kind: Arc<str> = Arc::from(kind);
        let from = (Arc::clone(&kind), Arc::from(after.unwrap_or_default()));
        let these = self.0.range((Excluded(from), Unbounded));
        these.take_while(move |((of, _), _)| *of == kind).map(|((_, path), _)| &**path)
    }

    fn add(&mut self, thing: Thing) {
        *self.0.entry(thing).or_default() += 1;
    }

    fn remove(&mut self, thing: &Thing) {
        let Some(times) = self.0.get_mut(thing) else { return };
        *times = times.saturating_sub(1);
        if *times == 0 {
            self.0.remove(thing);
        }
    }

    /// Puts what is named now in the place of what was.
    pub(super) fn replace(
        &mut self,
        old: impl IntoIterator<Item = Thing>,
        new: impl IntoIterator<Item = Thing>,
    ) {
        new.into_iter().for_each(|thing| self.add(thing));
        old.into_iter().for_each(|thing| self.remove(&thing));
    }
}

fn thing(kind: &str, path: &ResourcePath) -> Thing {
    (Arc::from(kind), Arc::from(path.to_string()))
}

/// Lists what the scope of a grant names: each thing on the way.
pub(super) fn in_scope(scope: &ResourcePath) -> Vec<Thing> {
    let mut way = ResourcePath::account(scope.account);
    let mut found = Vec::new();
    for pair in &scope.pairs {
        way.pairs.push(pair.clone());
        if pair.named != Named::Any {
            found.push(thing(&pair.kind, &way));
        }
    }
    found
}

/// Names a customer of an application, as what it is there.
pub(super) fn as_customer(user: &Principal) -> Option<Thing> {
    let application = user.application.as_deref().filter(|_| user.exists())?;
    let path = ResourcePath::account(user.account)
        .with("application", Named::Id(application.to_owned()))
        .with("application_user", Named::Id(user.id.to_string()));
    Some(thing("application_user", &path))
}

impl Snapshot {
    /// Lists what the entries of a document name. They name no path: what lies in accounts is taken to lie in the document's.
    pub(super) fn in_document(&self, document: &CompiledDocument) -> Vec<Thing> {
        let account: AccountId = document.account(self.tenant);
        let lies = |kind: &str| {
            let parents = self.catalogue.kind(kind).map(|kind| kind.parents.as_slice());
            parents.is_some_and(|parents| parents.iter().any(|parent| parent == "account"))
        };
        let entries = document.resources.iter().filter(|entry| lies(&entry.kind));
        let path = |kind: &str, id: &str| {
            let pair = Pair { kind: kind.to_owned(), named: Named::Id(id.to_owned()) };
            ResourcePath { account, pairs: vec![pair] }
        };
        entries.map(|entry| thing(&entry.kind, &path(&entry.kind, &entry.id))).collect()
    }
}
