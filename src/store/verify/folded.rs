//! What the entries so far come to, one after the other.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Place;

use chrono::{DateTime, Utc};

use super::{Fault, Verified, images};
use crate::crypto::{HeadKey, chain};
use crate::model::{AccountId, ChangeKind, Image, Revision};
use crate::store::checkpoint::{self, KeptCheckpoint};
use crate::store::entries::{Entry, checked};
use crate::store::rows::{self, ledger};
use crate::store::state::{self, Kind, State};
use crate::store::{Error, World};

/// So many faults are told; the rest are counted.
const FAULTS: usize = 100;

/// What the entries so far come to.
pub(super) struct Folded {
    pub(super) tenant: AccountId,
    pub(super) done: Verified,
    ordinal: Option<i32>,
    at: DateTime<Utc>,
    /// Each object that an entry is about.
    state: BTreeMap<String, Known>,
    /// Whether there are entries before these, which were not looked at.
    pub(super) partial: bool,
    /// Whether the state that the entries begin with is to be made, since a checkpoint speaks of it.
    based: bool,
}

/// What the entries say of an object.
struct Known {
    /// How the newest one left it; `None` = it took it away.
    left: Option<[u8; 32]>,
    /// How the first one found it, where a checkpoint stands before it; `None` = it was not there.
    found: Option<(Kind, [u8; 32])>,
}

impl Folded {
    pub(super) fn new(tenant: AccountId) -> Self {
        Self {
            tenant,
            done: Verified {
                entries: 0,
                revision: Revision::default(),
                head: chain::first(&tenant.to_string()),
                compared: false,
                checkpoint: None,
                faults: Vec::new(),
                fault_count: 0,
            },
            ordinal: None,
            at: DateTime::<Utc>::MIN_UTC,
            state: BTreeMap::new(),
            partial: false,
            based: false,
        }
    }

    /// Begins behind a checkpoint, which a key must have signed where one is given.
    pub(super) fn behind(kept: &KeptCheckpoint, key: Option<&HeadKey>) -> Self {
        let mut folded = Self::new(kept.tenant);
        folded.partial = true;
        folded.done.revision = kept.revision;
        let place = (kept.revision, None);
        if let Err(why) = kept.verified(key) {
            folded.fault(place, checkpoint::TABLE, format!("the checkpoint does not count: {why}"));
        }
        // Goes on from what it says, so that one fault is told once.
        let Ok(signed) = kept.read() else { return folded };
        if signed.checkpoint.revision != kept.revision {
            let why = "the checkpoint is of another revision than its row says";
            folded.fault(place, checkpoint::TABLE, why);
        }
        folded.done.revision = signed.checkpoint.revision;
        folded.done.head = signed.checkpoint.hash;
        folded.at = signed.checkpoint.last_at;
        folded.based = true;
        folded.done.checkpoint = Some(signed);
        folded
    }

    /// Notes a fault of an entry or, where its number is not known, at a revision.
    pub(super) fn fault(
        &mut self,
        at: (Revision, Option<u32>),
        entity: &str,
        why: impl Into<String>,
    ) {
        self.note(Some(at.0), at.1, entity, why.into());
    }

    /// Notes a fault of the rows.
    pub(super) fn fault_of_rows(&mut self, entity: &str, why: impl Into<String>) {
        self.note(None, None, entity, why.into());
    }

    fn note(
        &mut self,
        revision: Option<Revision>,
        ordinal: Option<u32>,
        entity: &str,
        why: String,
    ) {
        self.done.fault_count += 1;
        if self.done.faults.len() < FAULTS {
            self.done.faults.push(Fault { revision, ordinal, entity: entity.to_owned(), why });
        }
    }

    pub(super) fn add(&mut self, row: ledger::Model) -> Result<(), Error> {
        let revision = rows::revision("ledger", &self.tenant, row.revision)?;
        let here = (revision, u32::try_from(row.ordinal).ok());
        let next = if revision == self.done.revision {
            self.ordinal.and_then(|ordinal| ordinal.checked_add(1)) == Some(row.ordinal)
        } else {
            revision == self.done.revision.next() && row.ordinal == 0
        };
        if !next {
            self.fault(here, "", "an entry is missing before this one");
        }
        if row.prev_hash != self.done.head {
            self.fault(here, "", "the hash of the entry before is not that of the entry before");
        }
        let hash = chain::link(&self.done.head, &row.body);
        if row.hash != hash {
            self.fault(here, "", "the hash is not that of the bytes");
        }
        if row.at < self.at {
            self.fault(here, "", "the time is before that of the entry before");
        }
        // Goes on from what is kept, so that one fault is told once.
        self.done.head = row.hash.as_slice().try_into().unwrap_or(hash);
        self.done.entries += 1;
        self.done.revision = revision;
        self.ordinal = Some(row.ordinal);
        self.at = row.at;
        self.read(row, here)
    }

    fn read(&mut self, row: ledger::Model, here: (Revision, Option<u32>)) -> Result<(), Error> {
        let entity = row.entity.clone();
        match checked(row) {
            Ok(entry) => self.fold(&entry, here),
            // What this program cannot read was written by a newer one, or by somebody who may not write at all.
            Err(Error::Corrupt { why, .. } | Error::Newer(why)) => {
                self.fault(here, &entity, why);
                Ok(())
            }
            Err(other) => Err(other),
        }
    }

    fn fold(&mut self, entry: &Entry, here: (Revision, Option<u32>)) -> Result<(), Error> {
        // A tenant that was opened is in a world, and a ledger, of its own.
        if entry.change.kind == ChangeKind::TenantOpen {
            return Ok(());
        }
        // What was sent is told, and is no state.
        if matches!(entry.change.after, Some(Image::Message(_))) {
            return Ok(());
        }
        let entity = entry.change.entity();
        let said = entry.change.before.as_ref().map(digest).transpose()?;
        let left = entry.change.after.as_ref().map(digest).transpose()?;
        let follows = match self.state.entry(entity.clone()) {
            Place::Occupied(mut known) => {
                std::mem::replace(&mut known.get_mut().left, left) == said
            }
            Place::Vacant(place) => {
                let before = entry.change.before.as_ref().filter(|_| self.based);
                let found = match before {
                    Some(image) => Some((image.kind().name(), state::digest(image)?)),
                    None => None,
                };
                place.insert(Known { left, found });
                self.partial || said.is_none()
            }
        };
        if !follows {
            let why = "what stood before is not what the entries before it left";
            self.fault(here, &entity, why);
        }
        Ok(())
    }

    /// Holds the rows against what the entries come to, and returns the state that these began with.
    pub(super) fn compare(mut self, world: World) -> (Verified, Option<State>) {
        self.done.compared = true;
        if world.revision != self.done.revision {
            let why = format!("the tenant stands at revision {}", world.revision);
            self.fault_of_rows("", why);
        }
        if world.head != self.done.head {
            self.fault_of_rows("", "the tenant's hash is not that of its newest entry");
        }
        let mut base = State::default();
        for image in images(world) {
            let entity = image.entity();
            let known = self.state.remove(&entity);
            self.compare_one(&image, &entity, known.as_ref());
            match known {
                Some(known) => base.extend(entity, known.found),
                None if self.based => match state::digest(&image) {
                    Ok(digest) => base.put(image.kind().name(), entity, digest),
                    Err(why) => self.fault_of_rows(&entity, why.to_string()),
                },
                None => {}
            }
        }
        for (entity, known) in std::mem::take(&mut self.state) {
            if known.left.is_some() {
                self.fault_of_rows(&entity, "is in the ledger, and not there");
            }
            base.extend(entity, known.found);
        }
        self.compare_base(&base);
        (self.done, Some(base))
    }

    fn compare_one(&mut self, image: &Image, entity: &str, known: Option<&Known>) {
        match known.map(|known| known.left) {
            None if self.partial => {}
            None | Some(None) => self.fault_of_rows(entity, "is there, and in no entry"),
            Some(said) if said != digest(image).ok() => {
                self.fault_of_rows(entity, "is not what its newest entry says");
            }
            Some(Some(_)) => {}
        }
    }

    /// Holds the state that the entries began with against the checkpoint, kind by kind.
    fn compare_base(&mut self, base: &State) {
        let Some(signed) = &self.done.checkpoint else { return };
        if signed.checkpoint.state_format != state::FORMAT {
            return;
        }
        let (said, there) = (signed.checkpoint.state.clone(), base.digests());
        let mut kinds: Vec<&String> = said.keys().chain(there.keys()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        for kind in kinds.into_iter().filter(|kind| said.get(*kind) != there.get(*kind)) {
            let why = "one or more that no entry is about since the checkpoint are not what that says: \
                       changed, added or taken away past the program";
            self.fault_of_rows(kind, why);
        }
    }
}

/// Returns what tells one image from another.
fn digest(image: &Image) -> Result<[u8; 32], Error> {
    let bytes = serde_json::to_vec(image)
        .map_err(|why| Error::Corrupt { table: "ledger", why: why.to_string() })?;
    Ok(chain::digest(&bytes))
}
