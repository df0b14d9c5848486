//! Knowing: the newest snapshot of each tenant in memory.
//!
//! A tenant is loaded when it is first asked about, once however many ask, and from then on kept current by
//! applying ledger entries, never reloaded while they fit (`edges.md` §4). There is no cache of decisions.

mod follow;
mod hear;
mod itself;
mod past;
mod ring;
mod signing;
mod skew;
mod slot;
mod tenants;
mod watching;

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use moka::future::Cache;
use tokio::task::JoinSet;
use tracing::Instrument as _;

use crate::crypto::ConsistencyToken;
use crate::decision::{Anchor, BrokenWorld, Snapshot};
use crate::model::catalogue::{Catalogue, CatalogueError};
use crate::model::{AccountId, Revision, TokenId};
use crate::store::{self, ObjectId, Progress, Store};
use crate::telemetry::SPANS;
use skew::Skew;
use slot::Slot;
use tenants::Tenants;

pub use itself::{Acting, NotDone};
pub use past::AsOf;
pub use ring::Step;
pub use signing::{Jwks, Signing, SigningConfig};
pub use skew::Skewed;
pub use watching::Watching;

/// How long a store that is away is waited for by those who ask.
const AWAY: Duration = Duration::from_secs(2);

/// How the feed keeps up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// How often heads are read, which is the guarantee behind every notification.
    pub poll: Duration,
    /// How long a snapshot may go on answering without its head having been confirmed.
    pub staleness: Duration,
    /// How long a load may take before those who wait for it are told so; and how long it may stand still.
    pub load_deadline: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            poll: Duration::from_millis(300),
            staleness: Duration::from_secs(5),
            // Shorter than a request may take by default, so that those who wait are told.
            load_deadline: Duration::from_secs(8),
        }
    }
}

/// Why there is no snapshot to answer from.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The store could not be asked.
    #[error("the store cannot be reached")]
    Store(#[from] Arc<store::Error>),
    /// What the store holds is not a tenant.
    #[error("the store holds no sound tenant")]
    World(#[from] BrokenWorld),
    /// What the store holds is not a catalogue.
    #[error("the store holds no sound catalogue")]
    Catalogue(#[from] Arc<CatalogueError>),
    /// The store has not been reached for longer than the staleness bound.
    #[error("what is known is older than the staleness bound allows")]
    Stale,
    /// A load did not end in time.
    #[error("the tenant was not loaded in time")]
    Slow,
    /// There is no such tenant.
    #[error("there is no such tenant")]
    NoTenant,
    /// The store holds entries that this program does not know.
    #[error("a newer version of this program wrote to the store what this one cannot read")]
    Newer,
    /// There is no key that tokens could be signed with.
    #[error("no signing key opens")]
    NoKey,
    /// A token ahead of the head, or of another line of history.
    #[error("the consistency token is of another history")]
    OtherHistory,
    /// What was followed is no part of the history that the store has now.
    #[error("the store's history is not the one that was followed")]
    Lost,
    /// The ledger does not reach back so far any more.
    #[error("the ledger does not reach back so far any more")]
    Pruned,
    /// The tenant had not begun by then.
    #[error("there was nothing yet at that time")]
    NotBegun,
    /// To make that state anew takes more than is done for one request.
    #[error(
        "more has changed since that time, and before it, than is gone through for one request"
    )]
    TooFar,
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self::Store(Arc::new(error))
    }
}

/// The newest snapshots. Cheap to copy; all copies are one.
#[derive(Debug, Clone)]
pub struct Feed {
    inner: Arc<Inner>,
    /// What follows the store. Ends with the last copy.
    _tasks: Arc<JoinSet<()>>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    config: Config,
    root: AccountId,
    catalogue: ArcSwapOption<Catalogue>,
    tenants: Tenants,
    /// Whose an object is. It never changes, so it is never dropped for being old.
    directory: Cache<ObjectId, AccountId>,
    skew: Skew,
    made: past::Made,
}

impl Feed {
    /// Loads the platform's tenant and follows the store from then on, until the last copy is dropped.
    ///
    /// Refuses a store that has no root account yet ([`Error::NoTenant`]).
    pub async fn start(store: Store, config: Config) -> Result<Self, Error> {
        let root = store.root().await?.ok_or(Error::NoTenant)?;
        let inner = Arc::new(Inner {
            store,
            config,
            root,
            catalogue: ArcSwapOption::empty(),
            tenants: Tenants::default(),
            directory: Cache::new(1_000_000),
            skew: Skew::default(),
            made: past::Made::default(),
        });
        inner.brought_up(&inner.slot(root)).await?;
        // What is known of the clock, it knows from a poll.
        inner.round().await;
        let mut tasks = JoinSet::new();
        tasks.spawn(follow::run(Arc::clone(&inner)));
        tasks.spawn(hear::run(Arc::clone(&inner)));
        Ok(Self { inner, _tasks: Arc::new(tasks) })
    }

    /// Returns the root account: the platform itself, and its tenant.
    pub fn root(&self) -> AccountId {
        self.inner.root
    }

    /// Returns the platform's own snapshot.
    pub async fn platform(&self) -> Result<Arc<Snapshot>, Error> {
        self.tenant(self.inner.root).await
    }

    /// Returns the catalogue in force.
    pub async fn catalogue(&self) -> Result<Arc<Catalogue>, Error> {
        Ok(Arc::clone(self.platform().await?.catalogue()))
    }

    /// Returns a tenant's newest snapshot: at once where it is in memory, else when it is loaded.
    pub async fn tenant(&self, tenant: AccountId) -> Result<Arc<Snapshot>, Error> {
        let newest = |slot: &Slot| slot.newest(self.inner.config.staleness);
        if let Some(snapshot) = self.inner.tenants.look(tenant, newest).flatten() {
            return Ok(snapshot);
        }
        let slot = self.inner.slot(tenant);
        // Boxed, as all that is seldom done: what a request carries along for it would be moved with each request.
        let refreshing = Box::pin(self.inner.refresh(&slot));
        if slot.held().is_none() {
            return refreshing.await;
        }
        // What is held is too old, so the store is away; the poll goes on looking, and callers are told soon.
        let found = tokio::time::timeout(AWAY, refreshing).await;
        found.unwrap_or(Err(Error::Stale))
    }

    /// Returns a tenant's snapshot after having read its head once more (`Consistency.full`).
    pub async fn fresh(&self, tenant: AccountId) -> Result<Arc<Snapshot>, Error> {
        let slot = self.inner.slot(tenant);
        Box::pin(self.inner.refresh(&slot)).await
    }

    /// Returns a snapshot that shows everything up to a consistency token.
    ///
    /// A token ahead of the head after one fresh read, or of another line, is refused at once (`edges.md` §4).
    pub async fn at_least(&self, token: &ConsistencyToken) -> Result<Arc<Snapshot>, Error> {
        let other = |error| match error {
            Error::NoTenant => Error::OtherHistory,
            error => error,
        };
        self.platform_at_least(token).await?;
        let mut snapshot = self.tenant(token.tenant).await.map_err(other)?;
        if snapshot.revision() < token.revision {
            snapshot = self.fresh(token.tenant).await?;
        }
        if snapshot.revision() < token.revision {
            return Err(Error::OtherHistory);
        }
        let hash = if snapshot.revision() == token.revision {
            Some(*snapshot.head())
        } else {
            Box::pin(self.inner.store.hash_at(token.tenant, token.revision)).await?
        };
        let known = match hash {
            Some(hash) => hash.starts_with(&token.hash8),
            // What was pruned is shown by what has come since; of which line it was, nobody can tell any more.
            None => token.revision < self.inner.store.pruned_to(token.tenant).await?,
        };
        if known { Ok(snapshot) } else { Err(Error::OtherHistory) }
    }

    /// Brings the platform to what a token says of it: decisions stand at both revisions (`edges.md` §4).
    async fn platform_at_least(&self, token: &ConsistencyToken) -> Result<Revision, Error> {
        let mut known = self.platform().await?.revision();
        if known < token.platform {
            known = self.fresh(self.inner.root).await?.revision();
        }
        if known < token.platform { Err(Error::OtherHistory) } else { Ok(known) }
    }

    /// Shows a snapshot that this process has just committed, so that it holds here at once.
    ///
    /// Where the catalogues have changed meanwhile, the change is brought to what was made of the new ones.
    pub async fn publish(&self, snapshot: Arc<Snapshot>) {
        let slot = self.inner.slot(snapshot.tenant());
        if !slot.publish(snapshot) {
            Arc::clone(&self.inner).bring_up(slot).await;
        }
    }

    /// Makes everything anew from the catalogues that this process has just changed, so that they hold here at once.
    pub async fn recompile(&self) {
        let slot = self.inner.slot(self.inner.root);
        Arc::clone(&self.inner).bring_up(slot).await;
    }

    /// Finds the tenant of an object; `None` where nothing has that id.
    pub async fn tenant_of(&self, anchor: Anchor) -> Result<Option<AccountId>, Error> {
        let id = match anchor {
            Anchor::Account(id) => ObjectId::Account(id),
            Anchor::User(id) => ObjectId::User(id),
            Anchor::Role(id) => ObjectId::Role(id),
            Anchor::Token(id) => ObjectId::Token(id),
            Anchor::Key(id) => ObjectId::Token(TokenId(id.0)),
            Anchor::Document(id) => ObjectId::Document(id),
        };
        if let Some(tenant) = self.inner.directory.get(&id).await {
            return Ok(Some(tenant));
        }
        let found = Box::pin(self.inner.store.tenant_of(id)).await?;
        if let Some(tenant) = found {
            self.inner.directory.insert(id, tenant).await;
        }
        Ok(found)
    }

    /// Tells whether this process's clock is near enough to the store's, as the last poll found.
    pub fn clock(&self) -> Result<(), Skewed> {
        self.inner.skew.check()
    }

    /// Tells whether all that was met in the store can be read (`edges.md` §7).
    pub fn readable(&self) -> Result<(), Error> {
        let tenants = self.inner.tenants.all();
        if tenants.values().any(|slot| slot.is_given_up()) { Err(Error::Newer) } else { Ok(()) }
    }

    /// Returns the newest snapshots of all tenants that are in memory.
    pub fn warm(&self) -> Vec<Arc<Snapshot>> {
        let tenants = self.inner.tenants.all();
        tenants.values().filter_map(|slot| slot.held()).collect()
    }

    /// Returns how many tenants and users are in memory, for the metrics.
    pub fn size(&self) -> (usize, usize) {
        let tenants = self.inner.tenants.all();
        let users = tenants.values().filter_map(|slot| slot.held()).map(|s| s.user_count()).sum();
        (tenants.len(), users)
    }

    /// Returns how long ago the store confirmed what is in memory, of the tenant where that is longest ago.
    pub fn age(&self) -> Duration {
        let tenants = self.inner.tenants.all();
        tenants.values().filter_map(|slot| slot.age()).max().unwrap_or_default()
    }
}

impl Inner {
    fn slot(&self, tenant: AccountId) -> Arc<Slot> {
        self.tenants.slot(tenant)
    }

    fn forget(&self, tenant: AccountId) {
        // A store that has lost a tenant was turned back: whose the objects are is to be asked anew.
        self.directory.invalidate_all();
        self.tenants.forget(tenant);
    }

    /// Brings a slot to its tenant's head. One does it at a time; the others get what that one found.
    async fn refresh(self: &Arc<Self>, slot: &Arc<Slot>) -> Result<Arc<Snapshot>, Error> {
        let asked = Instant::now();
        let work = async {
            let turn = Arc::clone(&slot.turn).lock_owned().await;
            // Whoever waited for the turn is served by a refresh that began after it asked.
            if let Some(snapshot) = slot.confirmed_since(asked) {
                return Ok(snapshot);
            }
            // It goes on where nobody waits any more: what was read of a great tenant is there for the next who asks.
            let (inner, slot) = (Arc::clone(self), Arc::clone(slot));
            let work = async move {
                let done = inner.brought_up(&slot).await;
                drop(turn);
                done
            };
            let work = tokio::spawn(work.in_current_span());
            work.await.unwrap_or_else(|ended| match ended.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(Error::Slow),
            })
        };
        match tokio::time::timeout(self.config.load_deadline, work).await {
            Ok(Err(Error::Store(error))) if slot.held().is_some() => {
                tracing::warn!(error = %error, "could not confirm a snapshot");
                Err(Error::Stale)
            }
            Ok(done) => {
                if matches!(done, Err(Error::NoTenant)) {
                    self.forget(slot.tenant);
                }
                done
            }
            Err(_) => Err(Error::Slow),
        }
    }

    /// Brings a slot to its tenant's head, however long that takes, if only it gets on.
    async fn brought_up(&self, slot: &Slot) -> Result<Arc<Snapshot>, Error> {
        let work = self.catch_up(slot);
        let done = while_moving(&slot.progress, self.config.load_deadline, work).await;
        done.unwrap_or(Err(Error::Slow))
    }

    /// Loads a tenant whole, in one read transaction.
    async fn load(&self, slot: &Slot) -> Result<Arc<Snapshot>, Error> {
        self.loaded(slot).instrument(tracing::info_span!(target: SPANS, "load")).await
    }

    async fn loaded(&self, slot: &Slot) -> Result<Arc<Snapshot>, Error> {
        let began = Instant::now();
        let world = match self.store.world_by(slot.tenant, &slot.progress).await {
            Err(store::Error::NoTenant(_)) => return Err(Error::NoTenant),
            read => read?,
        };
        let catalogue = if slot.tenant == self.root {
            let built = Catalogue::build(&world.catalogues).map_err(Arc::new)?;
            let built = Arc::new(built);
            self.catalogue.store(Some(Arc::clone(&built)));
            built
        } else {
            self.catalogue.load_full().ok_or(Error::NoTenant)?
        };
        let snapshot = Arc::new(Snapshot::build(catalogue, world.facts())?);
        slot.replace(Arc::clone(&snapshot), began);
        metrics::counter!("chancery_tenant_loads_total").increment(1);
        metrics::histogram!("chancery_tenant_load_seconds").record(began.elapsed().as_secs_f64());
        Ok(snapshot)
    }
}

/// Waits for work as long as it gets on; `None` once it stands still for so long.
async fn while_moving<T>(
    progress: &Progress,
    patience: Duration,
    work: impl Future<Output = T>,
) -> Option<T> {
    tokio::pin!(work);
    loop {
        let before = progress.count();
        match tokio::time::timeout(patience, &mut work).await {
            Ok(done) => return Some(done),
            Err(_) if progress.count() == before => return None,
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use super::*;

    const MOMENT: Duration = Duration::from_millis(5);

    #[tokio::test]
    async fn work_that_gets_on_is_waited_for_and_other_is_not() {
        let progress = Progress::default();
        // It is looked at again and again, and has got on each time.
        let moving = std::future::poll_fn(|context| {
            progress.step();
            context.waker().wake_by_ref();
            if progress.count() > 1_000 { Poll::Ready(7) } else { Poll::Pending }
        });
        assert_eq!(while_moving(&progress, Duration::ZERO, moving).await, Some(7));
        let standing = std::future::pending::<()>();
        assert_eq!(while_moving(&progress, MOMENT, standing).await, None);
    }
}
