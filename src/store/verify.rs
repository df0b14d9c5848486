//! Whether a ledger is whole, and whether the rows are what it says.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};

use super::entries::{Entry, rows, search_key};
use super::rows::ledger;
use super::{Error, Progress, Store, World, world};
use crate::crypto::chain;
use crate::model::{AccountId, ChangeKind, Image, Revision};

/// Entries a page.
const PAGE: u64 = 1_000;

/// So many faults are told; the rest are counted.
const FAULTS: usize = 100;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The revision where it shows; `None` = in the rows, against the ledger as a whole.
    pub revision: Option<Revision>,
    /// The object concerned, as the ledger names it; empty where it is the chain itself.
    pub entity: String,
    /// What is wrong.
    pub why: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.revision {
            Some(revision) => write!(f, "revision {revision}: ")?,
            None => f.write_str("rows: ")?,
        }
        if !self.entity.is_empty() {
            write!(f, "`{}`: ", self.entity)?;
        }
        f.write_str(&self.why)
    }
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// How many entries there are.
    pub entries: u64,
    /// The newest revision.
    pub revision: Revision,
    /// Its hash, as recomputed.
    pub head: [u8; 32],
    /// What is wrong, the first hundred; empty = all is well.
    pub faults: Vec<Fault>,
    /// How many things are wrong.
    pub fault_count: u64,
}

impl Store {
    /// Recomputes a tenant's chain from the bytes that were hashed, folds the entries into state, and
    /// compares that with the rows; all as of one revision (`edges.md` §4).
    pub async fn verify(&self, tenant: AccountId) -> Result<Verified, Error> {
        let platform = self.root().await? == Some(tenant);
        let db = self.reading(self.loads()).await?;
        let mut folded = Folded::new(tenant);
        loop {
            let page = rows(&db, tenant, folded.done.revision, PAGE).await?;
            if page.is_empty() {
                break;
            }
            for row in page {
                folded.add(row)?;
            }
        }
        let world = world::read(&db, tenant, platform, &Progress::default()).await?;
        db.commit().await?;
        Ok(folded.compare(world))
    }
}

struct Folded {
    tenant: AccountId,
    done: Verified,
    ordinal: Option<i32>,
    at: DateTime<Utc>,
    state: BTreeMap<String, Image>,
}

impl Folded {
    fn new(tenant: AccountId) -> Self {
        Self {
            tenant,
            done: Verified {
                entries: 0,
                revision: Revision::default(),
                head: chain::first(&tenant.to_string()),
                faults: Vec::new(),
                fault_count: 0,
            },
            ordinal: None,
            at: DateTime::<Utc>::MIN_UTC,
            state: BTreeMap::new(),
        }
    }

    fn fault(&mut self, revision: Option<Revision>, entity: &str, why: impl Into<String>) {
        self.done.fault_count += 1;
        if self.done.faults.len() < FAULTS {
            let entity = entity.to_owned();
            self.done.faults.push(Fault { revision, entity, why: why.into() });
        }
    }

    fn add(&mut self, row: ledger::Model) -> Result<(), Error> {
        let revision = super::rows::revision("ledger", &self.tenant, row.revision)?;
        let here = Some(revision);
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
        self.read(row, revision)
    }

    fn read(&mut self, row: ledger::Model, revision: Revision) -> Result<(), Error> {
        let columns = (row.account_id, row.at, row.actor, row.request_id, row.entity.clone());
        match Entry::try_from(row) {
            Ok(entry) => {
                let hashed = (
                    entry.change.account.0,
                    entry.at,
                    entry.actor.map(|id| id.0),
                    entry.request_id,
                    search_key(&entry.change.entity()),
                );
                if columns != hashed {
                    self.fault(Some(revision), &columns.4, "the columns are not what was hashed");
                }
                self.fold(entry);
                Ok(())
            }
            Err(Error::Corrupt { why, .. }) => {
                self.fault(Some(revision), &columns.4, why);
                Ok(())
            }
            Err(other) => Err(other),
        }
    }

    fn fold(&mut self, entry: Entry) {
        // A tenant that was opened is in a world, and a ledger, of its own.
        if entry.change.kind == ChangeKind::TenantOpen {
            return;
        }
        // What was sent is told, and is no state.
        if matches!(entry.change.after, Some(Image::Message(_))) {
            return;
        }
        let entity = entry.change.entity();
        let before = match entry.change.after {
            Some(after) => self.state.insert(entity.clone(), after),
            None => self.state.remove(&entity),
        };
        if before != entry.change.before {
            let why = "what stood before is not what the entries before it left";
            self.fault(Some(entry.revision), &entity, why);
        }
    }

    fn compare(mut self, world: World) -> Verified {
        if world.revision != self.done.revision {
            let why = format!("the tenant stands at revision {}", world.revision);
            self.fault(None, "", why);
        }
        if world.head != self.done.head {
            self.fault(None, "", "the tenant's hash is not that of its newest entry");
        }
        for image in images(world) {
            let entity = image.entity();
            match self.state.remove(&entity) {
                None => self.fault(None, &entity, "is there, and in no entry"),
                Some(said) if said != image => {
                    self.fault(None, &entity, "is not what its newest entry says");
                }
                Some(_) => {}
            }
        }
        for entity in std::mem::take(&mut self.state).into_keys() {
            self.fault(None, &entity, "is in the ledger, and not there");
        }
        self.done
    }
}

pub(super) fn images(world: World) -> impl Iterator<Item = Image> {
    let accounts = world.accounts.into_iter().map(Image::Account);
    let users = world.users.into_iter().map(Image::User);
    let grants = world.grants.into_iter().map(Image::RoleGrant);
    let roles = world.roles.into_iter().map(Image::Role);
    let tokens = world.tokens.into_iter().map(Image::ApiToken);
    let documents = world.documents.into_iter().map(Image::Document);
    let assignments = world.assignments.into_iter().map(Image::Assignment);
    let catalogues = world.catalogues.into_iter().map(Image::Catalogue);
    let keys = world.signing_keys.into_iter().map(Image::SigningKey);
    let held = grants.chain(tokens).chain(documents).chain(assignments);
    accounts.chain(users).chain(held).chain(roles).chain(catalogues).chain(keys)
}
