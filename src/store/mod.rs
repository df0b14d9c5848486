//! Everything that is kept. The only room that knows there is a database.
//!
//! Reads are methods of [`Store`], one file a noun. Writes go through [`Store::begin`], which takes the tenant's
//! lock, and [`Tx::commit`], which writes rows, ledger, head and remembered request, or nothing. Rows and
//! queries stay inside; nouns go in and come out.

mod accounts;
mod activity;
mod assuming;
mod audit;
mod batch;
mod bootstrap;
mod catalogues;
mod checkpoint;
mod commit;
mod config;
mod entries;
mod error;
mod etags;
mod expiring;
mod first;
mod hints;
mod history;
mod idempotency;
mod identities;
mod inspected;
mod keys;
mod last_super_user;
mod lock;
mod migrate;
mod outbox;
mod passwords;
mod past;
mod place;
mod prune;
mod reads;
mod refusal;
mod rights;
mod roles;
mod roles_named;
mod rows;
mod scopes;
mod sessions;
mod sign_ins;
mod signing;
mod state;
mod tokens;
mod traces;
mod tx;
mod users;
mod uses;
mod verify;
mod world;
mod write;

use std::sync::{Arc, OnceLock};

use sea_orm::{
    AccessMode, DatabaseConnection, DatabaseTransaction, EntityTrait as _, IsolationLevel,
    SqliteTransactionMode, TransactionOptions, TransactionTrait as _,
};

use tracing::Instrument as _;

use crate::model::{AccountId, Clock};
use config::Use;
use hints::Hints;
use place::Places;
use rows::{corrupt, service_state};

pub use accounts::{AccountPatch, Edit, NewAccount, UniqueText, crossing};
pub use activity::{Moment, Sought};
pub use assuming::Assuming;
pub use audit::{Accounts, Event, Events, Place, Wanted};
pub use bootstrap::{Bootstrap, BootstrapError, Bootstrapped};
pub use catalogues::{CatalogueApplied, CatalogueEffect, DocumentEffect, RoleEffect};
pub use checkpoint::KeptCheckpoint;
pub use commit::Committed;
pub use config::{Engine, StoreConfig};
pub use entries::{Entry, Written, follow};
pub use error::{Cause, Constraint, Error};
pub use etags::{
    account_etag, catalogue_etag, document_etag, role_etag, session_etag, signing_keys_etag,
    token_etag, user_etag,
};
pub use expiring::Ends;
pub use hints::{Hint, Listener};
pub use idempotency::Outcome;
pub use inspected::{Inspected, Tally};
pub use outbox::{Outgoing, message_token};
pub use past::{Past, Then};
pub use prune::Pruning;
pub use reads::{KeptToken, ObjectId};
pub use refusal::Refusal;
pub use rights::{Assigned, Assigning, DocumentDeleted, DocumentDone, DocumentFields, Unassigned};
pub use roles::{
    Giving, Misnamed, Notice, RoleCreated, RoleDeleted, RoleFields, RoleGiven, RoleTaken,
    RoleUpdated, Taking, find_role, sees_role,
};
pub use sessions::{ABSOLUTE, Refreshed, SLIDING};
pub use sign_ins::BackOff;
pub use signing::{Due, NewKey, due};
pub use tokens::{Digests, Minted, NewToken};
pub use tx::{Begun, Opening, Tx};
pub use users::{Below, Listed, NewUser, Offboarded, UserDone, UserEdit};
pub use uses::Uses;
pub use verify::{Fault, Stretch, Verified};
pub use world::{Head, Progress, Pulse, World};

/// The key in `service_state` under which the root account's id stands from the bootstrap on.
const ROOT: &str = "root";

/// A database, Postgres or SQLite, and the queues before it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: StoreConfig,
    engine: Engine,
    writes: DatabaseConnection,
    loads: DatabaseConnection,
    credentials: DatabaseConnection,
    probe: DatabaseConnection,
    hints: Option<Hints>,
    places: Places,
    root: OnceLock<AccountId>,
    uses: Arc<Uses>,
    inspected: Arc<Inspected>,
    clock: Arc<dyn Clock>,
}

impl Store {
    /// Opens the pools. A SQLite file that is not there is made; the schema is left as it is.
    pub async fn open(config: &StoreConfig, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        // The writer first: it makes the file, and turns on the journal that readers need.
        let writes = config.connect(Use::Writes).await?;
        Ok(Self(Arc::new(Inner {
            config: config.clone(),
            engine: config.engine()?,
            writes,
            loads: config.connect(Use::Loads).await?,
            credentials: config.connect(Use::Credentials).await?,
            probe: config.connect(Use::Probe).await?,
            hints: Hints::begin(config).await?,
            places: Places::default(),
            root: OnceLock::new(),
            uses: Arc::default(),
            inspected: Arc::default(),
            clock,
        })))
    }

    /// Returns which kind of database it is.
    pub fn engine(&self) -> Engine {
        self.0.engine
    }

    /// Returns the clock that everything kept is stamped with.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// Returns the id of the root account, which is the platform's tenant; `None` before the bootstrap.
    pub async fn root(&self) -> Result<Option<AccountId>, Error> {
        if let Some(root) = self.0.root.get() {
            return Ok(Some(*root));
        }
        let row = service_state::Entity::find_by_id(ROOT).one(self.credentials()).await?;
        let Some(row) = row else { return Ok(None) };
        let root = row.value.parse().map_err(|why| corrupt("service_state", &ROOT, &why))?;
        Ok(Some(*self.0.root.get_or_init(|| root)))
    }

    /// Closes every connection, once those in use are given back.
    pub async fn close(&self) -> Result<(), Error> {
        let hints = self.hints().map(Hints::connection);
        let pools = [&self.0.probe, &self.0.credentials, &self.0.loads, &self.0.writes];
        for pool in pools.into_iter().chain(hints) {
            pool.close_by_ref().await?;
        }
        Ok(())
    }

    fn config(&self) -> &StoreConfig {
        &self.0.config
    }

    fn writes(&self) -> &DatabaseConnection {
        &self.0.writes
    }

    fn loads(&self) -> &DatabaseConnection {
        &self.0.loads
    }

    fn credentials(&self) -> &DatabaseConnection {
        &self.0.credentials
    }

    fn probe_connection(&self) -> &DatabaseConnection {
        &self.0.probe
    }

    fn hints(&self) -> Option<&Hints> {
        self.0.hints.as_ref()
    }

    fn places(&self) -> &Places {
        &self.0.places
    }

    /// Opens a transaction that reads one state of the database from beginning to end.
    async fn reading(&self, pool: &DatabaseConnection) -> Result<DatabaseTransaction, Error> {
        // In SQLite every transaction is such a one.
        let postgres = self.engine() == Engine::Postgres;
        let options = TransactionOptions {
            isolation_level: postgres.then_some(IsolationLevel::RepeatableRead),
            access_mode: postgres.then_some(AccessMode::ReadOnly),
            sqlite_transaction_mode: None,
        };
        opened(pool, options).await
    }
}

/// Opens a transaction that will write: in SQLite it takes the lock at once, since a reader that turns writer fails.
async fn immediate(pool: &DatabaseConnection) -> Result<DatabaseTransaction, Error> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    opened(pool, options).await
}

/// Opens a transaction in a task of its own, so that nobody leaves half-way: the driver would give the connection back
/// to its pool with the transaction still open on it, and whoever comes next would be inside.
#[expect(clippy::disallowed_methods, reason = "the one place that opens transactions")]
async fn opened(
    pool: &DatabaseConnection,
    options: TransactionOptions,
) -> Result<DatabaseTransaction, Error> {
    let pool = pool.clone();
    let work = async move { pool.begin_with_options(options).await };
    let begun = tokio::spawn(work.in_current_span()).await;
    Ok(begun.map_err(|_| Error::Unavailable(Cause::of("the program ends")))??)
}
