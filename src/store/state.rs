//! The state that a ledger's entries come to, as a digest of each object and one of each kind of objects.
//!
//! A checkpoint keeps the latter: they hold what no entry is about any more to what the entries that were pruned had left.

use std::collections::BTreeMap;

use super::Error;
use crate::crypto::chain;
use crate::model::{Change, Image};

/// The number of the rule by which digests are made. A change to what an image looks like as JSON, for one that was written
/// before, takes another: a checkpoint of another rule is not held against rows.
pub(super) const FORMAT: u32 = 1;

/// The kind of an object, as [`crate::model::EntityKind::name`] says it.
pub(super) type Kind = &'static str;

/// A digest of each object of a tenant.
#[derive(Debug, Default)]
pub(super) struct State(BTreeMap<Kind, BTreeMap<String, [u8; 32]>>);

impl State {
    pub(super) fn put(&mut self, kind: Kind, entity: String, digest: [u8; 32]) {
        self.0.entry(kind).or_default().insert(entity, digest);
    }

    /// Puts an object as it was found, if it was there.
    pub(super) fn extend(&mut self, entity: String, found: Option<(Kind, [u8; 32])>) {
        if let Some((kind, digest)) = found {
            self.put(kind, entity, digest);
        }
    }

    /// Goes on over a change.
    pub(super) fn pass(&mut self, change: &Change) -> Result<(), Error> {
        let Some(image) = change.after.as_ref().or(change.before.as_ref()) else { return Ok(()) };
        let (kind, entity) = (image.kind().name(), image.entity());
        match &change.after {
            Some(after) => self.put(kind, entity, digest(after)?),
            None => self.remove(kind, &entity),
        }
        Ok(())
    }

    fn remove(&mut self, kind: Kind, entity: &str) {
        if let Some(of_kind) = self.0.get_mut(kind) {
            of_kind.remove(entity);
        }
    }

    /// Makes one digest of all objects of a kind: of their names and their digests, in the order of the names.
    pub(super) fn digests(&self) -> BTreeMap<String, [u8; 32]> {
        let of = |objects: &BTreeMap<String, [u8; 32]>| {
            objects.iter().fold([0; 32], |all, (entity, digest)| {
                chain::link(&chain::link(&all, &chain::digest(entity.as_bytes())), digest)
            })
        };
        let there = self.0.iter().filter(|(_, objects)| !objects.is_empty());
        there.map(|(kind, objects)| ((*kind).to_owned(), of(objects))).collect()
    }
}

/// Returns what tells one image from another, by whatever version of the program it was read: fields have no order, and one that
/// is new is not written where it says nothing.
pub(super) fn digest(image: &Image) -> Result<[u8; 32], Error> {
    let unwritable = |why: String| Error::Corrupt { table: "ledger", why };
    let value = serde_json::to_value(image).map_err(|why| unwritable(why.to_string()))?;
    let bytes = chain::canonical(&value).map_err(|why| unwritable(why.to_string()))?;
    Ok(chain::digest(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(objects: &[(Kind, &str, u8)]) -> BTreeMap<String, [u8; 32]> {
        let mut state = State::default();
        for (kind, entity, digest) in objects {
            state.put(kind, (*entity).to_owned(), [*digest; 32]);
        }
        state.digests()
    }

    #[test]
    fn a_digest_is_of_what_is_there_and_of_nothing_else() {
        let both = state(&[("user", "user/a", 1), ("user", "user/b", 2), ("role", "role/a", 1)]);
        assert_eq!(
            both,
            state(&[("role", "role/a", 1), ("user", "user/b", 2), ("user", "user/a", 1)])
        );
        let user = |objects: &[(Kind, &str, u8)]| state(objects)["user"];
        for other in [
            user(&[("user", "user/a", 1)]),
            user(&[("user", "user/a", 1), ("user", "user/b", 1)]),
            user(&[("user", "user/a", 2), ("user", "user/b", 1)]),
            user(&[("user", "user/a", 1), ("user", "user/c", 2)]),
        ] {
            assert_ne!(both["user"], other);
        }
        let mut gone = State::default();
        gone.put("user", "user/a".to_owned(), [1; 32]);
        gone.remove("user", "user/a");
        gone.remove("role", "role/a");
        assert_eq!(gone.digests(), BTreeMap::new());
    }
}
