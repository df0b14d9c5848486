//! Whether a ledger is whole, and whether the rows are what it says.
//!
//! Entries are read page by page and held no longer than that; of each object no more is kept than a hash of how its newest
//! entry left it, and of how its first one found it where that is not the first of all. What takes the processor's time is done
//! on threads that answer nobody.
//!
//! A ledger that was pruned is verified from its checkpoint on. The state that stands there is made of the rows and of what the
//! entries since then have found, and held against the digests in the checkpoint, so that a row shows that was changed past the
//! program, though no entry is left that speaks of it.

mod folded;

use std::fmt;
use std::time::Instant;

use sea_orm::ConnectionTrait;

use super::checkpoint::KeptCheckpoint;
use super::entries::rows;
use super::state::State;
use super::{Cause, Error, Progress, Store, World, world};
use crate::crypto::{HeadKey, SignedCheckpoint};
use crate::model::{AccountId, Image, Revision};
use folded::Folded;

/// Entries a page.
const PAGE: u64 = 1_000;

/// So often it is begun anew where entries are pruned while they are read.
const TRIES: usize = 3;

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
    /// What stands for the entries before these, where they were pruned and it can be read.
    pub checkpoint: Option<SignedCheckpoint>,
    /// What is wrong, the first hundred; empty = all is well.
    pub faults: Vec<Fault>,
    /// How many things are wrong.
    pub fault_count: u64,
}

/// Which part of a ledger is verified, and how fast.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stretch<'k> {
    /// From which revision on; `None`, or one that was pruned = from the first that there is.
    pub from: Option<Revision>,
    /// Up to which one; `None` = to the newest, and then the rows as well.
    pub to: Option<Revision>,
    /// Rests as long as it works, since nobody waits for it.
    pub gently: bool,
    /// What must have signed a checkpoint; `None` = whoever has.
    pub key: Option<&'k HeadKey>,
}

/// A verification, and what a pruning goes on from.
pub(super) struct Whole {
    pub(super) verified: Verified,
    /// The state that the entries begin with; `None` where that was not looked at.
    pub(super) base: Option<State>,
    /// Which checkpoint was found.
    pub(super) found: Option<Revision>,
}

/// A checkpoint as it was found, if there is one; or why it cannot be read.
type Found = Result<Option<KeptCheckpoint>, String>;

impl Verified {
    /// Raises the alarm where something is wrong, and names each place.
    pub fn tell(&self, tenant: AccountId) {
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
        stretch: Stretch<'_>,
    ) -> Result<Verified, Error> {
        Ok(self.fold(tenant, stretch).await?.verified)
    }

    /// Verifies a part of a ledger, and keeps the state that it begins with.
    pub(super) async fn fold(
        &self,
        tenant: AccountId,
        stretch: Stretch<'_>,
    ) -> Result<Whole, Error> {
        let mut tries = 0;
        let mut found = self.found(tenant).await?;
        loop {
            let whole = self.fold_from(tenant, stretch, &found).await?;
            if whole.verified.fault_count == 0 || tries == TRIES {
                return Ok(whole);
            }
            // What was pruned after the beginning is not missing: then there is another checkpoint by now.
            let now = self.found(tenant).await?;
            if now == found {
                return Ok(whole);
            }
            found = now;
            tries += 1;
        }
    }

    async fn found(&self, tenant: AccountId) -> Result<Found, Error> {
        match self.checkpoint(tenant).await {
            Ok(kept) => Ok(Ok(kept)),
            Err(Error::Corrupt { why, .. }) => Ok(Err(why)),
            Err(other) => Err(other),
        }
    }

    async fn fold_from(
        &self,
        tenant: AccountId,
        stretch: Stretch<'_>,
        found: &Found,
    ) -> Result<Whole, Error> {
        let platform = self.root().await? == Some(tenant);
        let newest = match self.heads(&[tenant]).await {
            Ok(heads) => heads.first().ok_or(Error::NoTenant(tenant))?.revision,
            // It is told again with the other rows.
            Err(Error::Corrupt { .. }) => Revision(u64::MAX),
            Err(other) => return Err(other),
        };
        let work = self.beginning(tenant, stretch, found).await?;
        let mut folding = Folding { work, stretch, singly: 0 };
        let found = found.as_ref().ok().and_then(|kept| Some(kept.as_ref()?.revision));
        let goal = stretch.to.map_or(newest, |to| std::cmp::min(to, newest));
        // Entries do not change: only the last ones must be read in one state of the database with the rows.
        while folding.work.done.revision < goal && folding.page(self.loads()).await? {}
        if stretch.to.is_some_and(|to| to < newest) {
            return Ok(Whole { verified: folding.work.done, base: None, found });
        }
        let db = self.reading(self.loads()).await?;
        while folding.page(&db).await? {}
        let world = match world::read(&db, tenant, platform, &Progress::default()).await {
            Err(Error::Corrupt { table, why }) => {
                folding.work.fault_of_rows(table, format!("cannot be read: {why}"));
                return Ok(Whole { verified: folding.work.done, base: None, found });
            }
            read => read?,
        };
        db.commit().await?;
        let (verified, base) = aside(move || Ok(folding.work.compare(world))).await?;
        Ok(Whole { verified, base, found })
    }

    /// Makes what nothing has been added to yet.
    async fn beginning(
        &self,
        tenant: AccountId,
        stretch: Stretch<'_>,
        found: &Found,
    ) -> Result<Folded, Error> {
        let before = stretch.from.and_then(|from| from.0.checked_sub(1)).map(Revision);
        let before = before.filter(|before| before.0 > 0);
        match found {
            Ok(Some(kept)) if before.is_none_or(|before| before <= kept.revision) => {
                let mut folded = Folded::behind(kept, stretch.key);
                // Of those there are none: whoever puts one there would have it read as what was.
                if let Some(left) = self.left_before(tenant, folded.done.revision).await? {
                    folded.fault((left, None), "", "is there, though the checkpoint stands for it");
                }
                return Ok(folded);
            }
            Ok(_) => {}
            Err(why) => {
                let mut folded = Folded::new(tenant);
                folded.fault_of_rows(super::checkpoint::TABLE, format!("cannot be read: {why}"));
                return Ok(folded);
            }
        }
        let mut folded = Folded::new(tenant);
        let Some(before) = before else { return Ok(folded) };
        folded.done.revision = before;
        folded.partial = true;
        match self.hash_at(tenant, before).await? {
            Some(hash) => folded.done.head = hash,
            None => folded.fault((folded.done.revision, None), "", "there is no such revision"),
        }
        Ok(folded)
    }
}

/// Does what takes the processor's time where it holds up nobody's answers.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Error::Unavailable(Cause::of("the program ends")))?
}

/// A verification under way.
struct Folding<'k> {
    work: Folded,
    stretch: Stretch<'k>,
    /// So many pages more are of one revision, since one that cannot be read is among them.
    singly: u64,
}

impl Folding<'_> {
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
