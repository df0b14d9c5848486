//! Writing. A write has its tenant's lock, a revision and a line in the ledger, or it does not happen.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait as _, DatabaseTransaction, EntityTrait as _, QueryFilter as _};
use uuid::Uuid;

use super::batch::Step;
use super::lock::{Locked, catch_up, lock};
use super::place::Place;
use super::rows::tenant;
use super::write::Secrets;
use super::{Error, Head, Outcome, Store, idempotency, immediate};
use crate::decision::{Ask, Caller, Permit, Refused, Snapshot, judge};
use crate::model::{
    Account, AccountId, Change, ChangeKind, Image, Revision, TokenId, User, UserId,
};

/// What a write is opened with.
#[derive(Debug, Clone)]
pub struct Opening {
    /// The tenant that it changes.
    pub tenant: AccountId,
    /// The newest snapshot of that tenant at hand; brought up to date under the lock.
    pub there: Arc<Snapshot>,
    /// The snapshot of the caller's own tenant: the same, unless the caller is of the root account.
    pub home: Arc<Snapshot>,
    /// Who does it.
    pub actor: Option<UserId>,
    /// As whom, if the actor has assumed somebody.
    pub acting_as: Option<UserId>,
    /// Where the request came from, for the ledger.
    pub source: String,
    /// The RPC's name, part of a request's identity.
    pub rpc: &'static str,
    /// The request's own name, if it is to be done once only.
    pub request_id: Option<Uuid>,
    /// A keyed hash of the request without secret fields, to tell a repeat from a reuse.
    pub body_mac: [u8; 32],
    /// Only look, at what is there now: no lock, and nothing is kept.
    pub dry_run: bool,
}

/// What an opened write is.
#[derive(Debug)]
pub enum Begun {
    /// A write to go on with.
    Fresh(Box<Tx>),
    /// The request was done before; this is what it did.
    Repeat(Outcome),
}

/// Who asked for a write, and in which request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) actor: Option<UserId>,
    pub(super) acting_as: Option<UserId>,
    pub(super) source: String,
    pub(super) rpc: &'static str,
    pub(super) id: Option<Uuid>,
    pub(super) body_mac: [u8; 32],
}

/// An open write. Dropping it undoes it; [`Tx::commit`] keeps it.
#[derive(Debug)]
#[must_use = "a write that is not committed is undone"]
pub struct Tx {
    // Dropped first: the transaction ends before the next one in the queue begins.
    pub(super) db: DatabaseTransaction,
    pub(super) place: Option<Place>,
    pub(super) store: Store,
    pub(super) request: Request,
    pub(super) there: Snapshot,
    /// The tenant as the write found it: what the caller held before anything was put.
    found: Snapshot,
    home: Option<Snapshot>,
    /// The head that the write goes on from.
    pub(super) head: Head,
    /// The platform's revision that the write stands on; `None` = it is the platform that is written.
    pub(super) platform: Option<Revision>,
    pub(super) now: DateTime<Utc>,
    pub(super) changes: Vec<Change>,
    pub(super) secrets: Secrets,
    /// What is written with the changes though no decision rests on it, such as the rows of sessions.
    pub(super) beside: Vec<Step>,
    pub(super) opened: Option<Account>,
    /// The proof that the caller may do this, judged at the very revision that is written on.
    permit: Option<Permit>,
}

impl Store {
    /// Opens a write on a tenant, or finds that the request was done before.
    ///
    /// Waits for the tenant's turn in this process, then for its row; from then on nobody else writes to the
    /// tenant until the write is committed or dropped. The snapshots are brought to the locked revision.
    /// [`Error::Stale`]: take the newest snapshots and open again.
    ///
    /// Others wait for every way to the server and back from here to the end of the commit: five at most (`edges.md` §7),
    /// but for changes of hundreds of objects, and one more for each snapshot that is behind.
    pub async fn begin(&self, opening: Opening) -> Result<Begun, Error> {
        if opening.dry_run {
            return self.rehearse(opening).await;
        }
        let root = self.root().await?.ok_or(Error::NoTenant(opening.tenant))?;
        let (tenant, (request, there, home)) = (opening.tenant, opening.split());
        // Before anybody has to wait for it. What is done from now on, shows in the entries that the snapshots lack.
        if let Some(outcome) = idempotency::find(self.credentials(), &request).await? {
            return Ok(Begun::Repeat(outcome));
        }
        // One time for all of it: those who wait behind one another are told together, not one after the other.
        let lock = self.lock(tenant, root, home.is_some());
        let lock = tokio::time::timeout(self.config().wait(), lock);
        let (place, db, locked) = lock.await.map_err(|_| Error::Busy)??;
        let mut missed = Vec::new();
        let there = catch_up(&db, &there, &locked.head, &mut missed).await?;
        let home = match home {
            Some(home) => Some(catch_up(&db, &home, &locked.platform, &mut missed).await?),
            None => None,
        };
        if missed.iter().any(|entry| request.made(entry))
            && let Some(outcome) = idempotency::find(&db, &request).await?
        {
            db.rollback().await?;
            return Ok(Begun::Repeat(outcome));
        }
        let now = std::cmp::max(self.clock().now(), locked.last_at);
        let mut tx = Tx::new(db, self.clone(), request, there, now);
        tx.place = Some(place);
        tx.home = home;
        // What the platform's own write rests on is what it makes.
        tx.platform = (tenant != root).then_some(locked.platform.revision);
        Ok(Begun::Fresh(Box::new(tx)))
    }

    /// Takes the tenant's turn in this process, a connection, and the tenant's row.
    async fn lock(
        &self,
        tenant: AccountId,
        root: AccountId,
        share: bool,
    ) -> Result<(Place, DatabaseTransaction, Locked), Error> {
        let place = self.places().take(tenant).await?;
        let db = immediate(self.writes()).await?;
        let locked = lock(&db, tenant, root, share).await?;
        Ok((place, db, locked))
    }

    /// Opens what looks like a write and keeps nothing: in a transaction that reads one state, without a lock (`edges.md`
    /// §4). The snapshots are brought to that state, so that no row is newer than what is judged by.
    async fn rehearse(&self, opening: Opening) -> Result<Begun, Error> {
        let (request, there, home) = opening.split();
        let root = self.root().await?.ok_or(Error::NoTenant(there.tenant()))?;
        let db = self.reading(self.credentials()).await?;
        let both = tenant::Column::Id.is_in([there.tenant().0, root.0]);
        let rows = tenant::Entity::find().filter(both).all(&db).await?;
        let heads: Vec<Head> = rows.into_iter().map(Head::try_from).collect::<Result<_, _>>()?;
        let of = |tenant: AccountId| {
            heads.iter().find(|head| head.tenant == tenant).ok_or(Error::NoTenant(tenant))
        };
        let world = catch_up(&db, &there, of(there.tenant())?, &mut Vec::new()).await?;
        let home = match home {
            Some(home) => Some(catch_up(&db, &home, of(home.tenant())?, &mut Vec::new()).await?),
            None => None,
        };
        let mut tx = Tx::new(db, self.clone(), request, world, self.clock().now());
        tx.home = home;
        tx.platform = if root == there.tenant() { None } else { Some(of(root)?.revision) };
        Ok(Begun::Fresh(Box::new(tx)))
    }
}

impl Opening {
    fn split(self) -> (Request, Arc<Snapshot>, Option<Arc<Snapshot>>) {
        let request = Request {
            actor: self.actor,
            acting_as: self.acting_as,
            source: self.source,
            rpc: self.rpc,
            id: self.request_id,
            body_mac: self.body_mac,
        };
        let other = self.home.tenant() != self.there.tenant();
        (request, self.there, other.then_some(self.home))
    }

    /// Takes the opening apart for the write that makes the first tenant.
    pub(super) fn first(self) -> (Request, Arc<Snapshot>) {
        let (request, there, _) = self.split();
        (request, there)
    }
}

impl Tx {
    /// Makes a write that goes on from the snapshot's own head.
    pub(super) fn new(
        db: DatabaseTransaction,
        store: Store,
        request: Request,
        there: Snapshot,
        now: DateTime<Utc>,
    ) -> Self {
        let head = Head { tenant: there.tenant(), revision: there.revision(), hash: *there.head() };
        Self {
            db,
            place: None,
            store,
            request,
            found: there.clone(),
            there,
            home: None,
            head,
            platform: None,
            now,
            changes: Vec::new(),
            secrets: Secrets::default(),
            beside: Vec::new(),
            opened: None,
            permit: None,
        }
    }

    /// Returns the tenant as it stands in this write, what was put so far included.
    pub const fn world(&self) -> &Snapshot {
        &self.there
    }

    /// Returns the caller's own tenant as this write found it, before anything was put: nobody gives by a change what
    /// it gets by that same change.
    pub fn home(&self) -> &Snapshot {
        self.home.as_ref().unwrap_or(&self.found)
    }

    /// Returns the tenant as this write found it.
    pub const fn found(&self) -> &Snapshot {
        &self.found
    }

    /// Returns the time that everything in this write is stamped with; never before the tenant's last entry.
    pub const fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Returns whether nothing of this will be kept.
    pub const fn is_dry_run(&self) -> bool {
        self.place.is_none()
    }

    /// Judges the caller at the locked revision; without it nothing can be put (`api.md`, Conventions).
    pub fn judge(&mut self, caller: &Caller, ask: &Ask) -> Result<(), Refused> {
        self.permit = Some(judge(ask, caller, self.home(), &self.there, self.now)?);
        Ok(())
    }

    /// Returns the proof that the caller was judged.
    pub const fn permit(&self) -> Option<&Permit> {
        self.permit.as_ref()
    }

    /// Returns what was put so far.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Makes a change: it shows in [`Tx::world`] at once, and is written by [`Tx::commit`].
    ///
    /// A change from something to the same is none. After an error the write is to be dropped.
    pub fn put(&mut self, change: Change) -> Result<(), Error> {
        self.judged()?;
        if change.before != change.after {
            self.there.apply(&change)?;
            self.changes.push(change);
        }
        Ok(())
    }

    /// Complains about a caller who was not judged; the program itself acts as nobody.
    const fn judged(&self) -> Result<(), Error> {
        if self.request.actor.is_some() && self.permit.is_none() {
            return Err(Error::Unjudged);
        }
        Ok(())
    }

    /// Keeps the digest by which a new token is found; it stands in no image and in no ledger.
    pub fn set_digest(&mut self, token: TokenId, digest: [u8; 32]) {
        self.secrets.digests.insert(token, digest);
    }

    /// Makes a main account, which opens a tenant: entry 1 of its own ledger, and one in the platform's.
    ///
    /// Only in a write on the platform's tenant, and once.
    pub fn open_tenant(&mut self, account: Account) -> Result<(), Error> {
        self.judged()?;
        let root = self.there.tenant();
        let main = account.parent == Some(root) && account.tenant == account.id;
        if !main || self.opened.is_some() {
            return Err(crate::decision::BrokenWorld::Misfit(account.id.to_string()).into());
        }
        self.changes.push(Change {
            account: root,
            kind: ChangeKind::TenantOpen,
            before: None,
            after: Some(Image::Account(account.clone())),
        });
        self.opened = Some(account);
        Ok(())
    }

    /// Finds a user among what was put.
    pub(super) fn pending_user(&self, id: UserId) -> Option<User> {
        self.changes.iter().rev().find_map(|change| match &change.after {
            Some(Image::User(user)) if user.id == id => Some(user.clone()),
            _ => None,
        })
    }
}
