//! Whether a ledger is whole, and whether the rows are what it says.
//!
//! Entries are read page by page and held no longer than that; of each object no more is kept than a hash of how its newest
//! entry left it. What takes the processor's time is done on threads that answer nobody.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;

use super::entries::{Entry, checked, rows};
use super::rows::ledger;
use super::{Cause, Error, Progress, Store, World, world};
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
    /// The number of the entry in its revision, where it is one entry's.
    pub ordinal: Option<u32>,
    /// The object concerned, as the ledger names it; empty where it is the chain itself.
    pub entity: String,
    /// What is wrong.
    pub why: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.revision, self.ordinal) {
            (Some(revision), Some(ordinal)) => write!(f, "revision {revision}, entry {ordinal}: ")?,
            (Some(revision), None) => write!(f, "revision {revision}: ")?,
            (None, _) => f.write_str("rows: ")?,
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
    /// Whether the rows were held against the entries: not where those end before the newest.
    pub compared: bool,
    /// What is wrong, the first hundred; empty = all is well.
    pub faults: Vec<Fault>,
    /// How many things are wrong.
    pub fault_count: u64,
}

/// Which part of a ledger is verified, and how fast.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stretch {
    /// From which revision on; `None` = from the first.
    pub from: Option<Revision>,
    /// Up to which one; `None` = to the newest, and then the rows as well.
    pub to: Option<Revision>,
    /// Rests as long as it works, since nobody waits for it.
    pub gently: bool,
}

impl Verified {
    /// Raises the alarm where something is wrong, and names each place.
    pub(super) fn tell(&self, tenant: AccountId) {
        if self.fault_count == 0 {
            let (entries, revision) = (self.entries, self.revision);
            return tracing::debug!(%tenant, entries, %revision, "a ledger is whole");
        }
        let count = self.fault_count;
        tracing::error!(%tenant, count, "ALARM: a ledger, or what it speaks of, is not what was written");
        for fault in &self.faults {
            tracing::error!(%tenant, %fault, "what is not what was written");
        }
    }
}

impl Store {
    /// Recomputes a tenant's chain from the bytes that were hashed, folds the entries into state, and
    /// compares that with the rows; all as of one revision (`edges.md` §4).
    pub async fn verify(&self, tenant: AccountId) -> Result<Verified, Error> {
        self.verify_stretch(tenant, Stretch::default()).await
    }

    /// Verifies a part of a ledger. Where it does not begin with the first entry, what stood before it is taken as it is: then
    /// rows are held against it only as far as it speaks of them.
    pub async fn verify_stretch(
        &self,
        tenant: AccountId,
        stretch: Stretch,
    ) -> Result<Verified, Error> {
        let platform = self.root().await? == Some(tenant);
        let newest = match self.heads(&[tenant]).await {
            Ok(heads) => heads.first().ok_or(Error::NoTenant(tenant))?.revision,
            // It is told again with the other rows.
            Err(Error::Corrupt { .. }) => Revision(u64::MAX),
            Err(other) => return Err(other),
        };
        let work = self.beginning(tenant, stretch.from).await?;
        let mut folding = Folding { work, stretch, singly: 0 };
        let goal = stretch.to.map_or(newest, |to| std::cmp::min(to, newest));
        // Entries do not change: only the last ones must be read in one state of the database with the rows.
        while folding.work.done.revision < goal && folding.page(self.loads()).await? {}
        if stretch.to.is_some_and(|to| to < newest) {
            return Ok(folding.work.done);
        }
        let db = self.reading(self.loads()).await?;
        while folding.page(&db).await? {}
        let world = match world::read(&db, tenant, platform, &Progress::default()).await {
            Err(Error::Corrupt { table, why }) => {
                folding.work.fault_of_rows(table, format!("cannot be read: {why}"));
                return Ok(folding.work.done);
            }
            read => read?,
        };
        db.commit().await?;
        aside(move || Ok(folding.work.compare(world))).await
    }

    /// Makes what nothing has been added to yet.
    async fn beginning(&self, tenant: AccountId, from: Option<Revision>) -> Result<Folded, Error> {
        let mut folded = Folded::new(tenant);
        let Some(before) = from.and_then(|from| from.0.checked_sub(1)).filter(|before| *before > 0)
        else {
            return Ok(folded);
        };
        folded.done.revision = Revision(before);
        folded.partial = true;
        match self.hash_at(tenant, Revision(before)).await? {
            Some(hash) => folded.done.head = hash,
            None => folded.fault((folded.done.revision, None), "", "there is no such revision"),
        }
        Ok(folded)
    }
}

/// Does what takes the processor's time where it holds up nobody's answers.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Error::Unavailable(Cause::of("the program ends")))?
}

/// A verification under way.
struct Folding {
    work: Folded,
    stretch: Stretch,
    /// So many pages more are of one revision, since one that cannot be read is among them.
    singly: u64,
}

impl Folding {
    /// Reads and folds the next entries; `false` where there are none.
    async fn page<C: ConnectionTrait>(&mut self, db: &C) -> Result<bool, Error> {
        let began = Instant::now();
        let tenant = self.work.tenant;
        let limit = if self.singly > 0 { 1 } else { PAGE };
        self.singly = self.singly.saturating_sub(1);
        let mut page = match rows(db, tenant, self.work.done.revision, limit).await {
            Err(Error::Corrupt { .. }) if limit > 1 => {
                self.singly = PAGE;
                return Ok(true);
            }
            Err(Error::Corrupt { why, .. }) => {
                let next = self.work.done.revision.next();
                self.work.fault((next, None), "", format!("cannot be read: {why}"));
                self.work.done.revision = next;
                return Ok(true);
            }
            read => read?,
        };
        if let Some(to) = self.stretch.to {
            page.retain(|row| u64::try_from(row.revision).is_ok_and(|revision| revision <= to.0));
        }
        if page.is_empty() {
            return Ok(false);
        }
        let mut work = std::mem::replace(&mut self.work, Folded::new(tenant));
        self.work = aside(move || {
            for row in page {
                work.add(row)?;
            }
            Ok(work)
        })
        .await?;
        if self.stretch.gently {
            tokio::time::sleep(began.elapsed()).await;
        }
        Ok(true)
    }
}

/// What the entries so far come to.
struct Folded {
    tenant: AccountId,
    done: Verified,
    ordinal: Option<i32>,
    at: DateTime<Utc>,
    /// A hash of each object, as the newest entry about it left it; `None` = it took it away.
    state: BTreeMap<String, Option<[u8; 32]>>,
    /// Whether there are entries before these, which were not looked at.
    partial: bool,
}

impl Folded {
    fn new(tenant: AccountId) -> Self {
        Self {
            tenant,
            done: Verified {
                entries: 0,
                revision: Revision::default(),
                head: chain::first(&tenant.to_string()),
                compared: false,
                faults: Vec::new(),
                fault_count: 0,
            },
            ordinal: None,
            at: DateTime::<Utc>::MIN_UTC,
            state: BTreeMap::new(),
            partial: false,
        }
    }

    /// Notes a fault of an entry or, where its number is not known, at a revision.
    fn fault(&mut self, at: (Revision, Option<u32>), entity: &str, why: impl Into<String>) {
        self.note(Some(at.0), at.1, entity, why.into());
    }

    /// Notes a fault of the rows.
    fn fault_of_rows(&mut self, entity: &str, why: impl Into<String>) {
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

    fn add(&mut self, row: ledger::Model) -> Result<(), Error> {
        let revision = super::rows::revision("ledger", &self.tenant, row.revision)?;
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
        let after = entry.change.after.as_ref().map(digest).transpose()?;
        let known = self.state.insert(entity.clone(), after);
        let stood = known.or_else(|| (!self.partial).then_some(None));
        if stood.is_some_and(|stood| stood != said) {
            let why = "what stood before is not what the entries before it left";
            self.fault(here, &entity, why);
        }
        Ok(())
    }

    fn compare(mut self, world: World) -> Verified {
        self.done.compared = true;
        if world.revision != self.done.revision {
            let why = format!("the tenant stands at revision {}", world.revision);
            self.fault_of_rows("", why);
        }
        if world.head != self.done.head {
            self.fault_of_rows("", "the tenant's hash is not that of its newest entry");
        }
        for image in images(world) {
            let entity = image.entity();
            match self.state.remove(&entity) {
                None if self.partial => {}
                None | Some(None) => self.fault_of_rows(&entity, "is there, and in no entry"),
                Some(said) if said != digest(&image).ok() => {
                    self.fault_of_rows(&entity, "is not what its newest entry says");
                }
                Some(Some(_)) => {}
            }
        }
        for (entity, said) in std::mem::take(&mut self.state) {
            if said.is_some() {
                self.fault_of_rows(&entity, "is in the ledger, and not there");
            }
        }
        self.done
    }
}

/// Returns what tells one image from another.
fn digest(image: &Image) -> Result<[u8; 32], Error> {
    let bytes = serde_json::to_vec(image)
        .map_err(|why| Error::Corrupt { table: "ledger", why: why.to_string() })?;
    Ok(chain::digest(&bytes))
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
