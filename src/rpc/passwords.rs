//! Passwords for the services: hashed on threads of their own, and held against the policy there as well.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tonic::Status;
use zeroize::Zeroizing;

use crate::crypto::password::{
    Blocklist, Broken, Busy, Cost, Hasher, Lane, Pool, Unreadable, Verified, check,
};
use crate::crypto::{KeyRing, secret};
use crate::layers::{network, status};
use crate::model::{AccountId, UserId};

/// What the operator says of passwords.
#[derive(Debug, Clone)]
pub struct PasswordSettings {
    /// What a hash costs.
    pub cost: Cost,
    /// Hashes at once; 0 = one for every two processors.
    pub threads: usize,
    /// How many wait.
    pub queue: usize,
    /// How long they wait.
    pub patience: Duration,
    /// Passwords that nobody may choose.
    pub blocklist: Option<PathBuf>,
}

impl PasswordSettings {
    /// Looks whether passwords can be checked so, before anything is started.
    pub fn check(&self) -> Result<(), NoPasswords> {
        Ok(self.blocklist.as_deref().map(Blocklist::find).transpose().map(drop)?)
    }
}

/// Why nothing is started.
#[derive(Debug, thiserror::Error)]
pub enum NoPasswords {
    /// The operator's list.
    #[error("passwords.blocklist_file: {0}")]
    Blocklist(#[from] Unreadable),
    /// Not even a first hash could be made.
    #[error("passwords cannot be hashed: {0}")]
    Hash(#[from] Broken),
    /// There are no threads.
    #[error("passwords cannot be hashed: no thread could be started")]
    Threads(#[from] std::io::Error),
}

/// Hashes passwords and holds them against hashes. Cheap to copy.
#[derive(Debug, Clone)]
pub struct Passwords {
    hasher: Hasher,
    pool: Pool,
    blocklist: Option<Arc<Blocklist>>,
    patience: Duration,
}

/// A password as it was sent; wiped when dropped, shown to nobody.
#[derive(Clone)]
pub(super) struct Sent(Zeroizing<String>);

impl Sent {
    pub(super) fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl std::fmt::Debug for Sent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Sent").field(&secret::Redacted).finish()
    }
}

impl Passwords {
    /// Starts the threads, and reads the operator's list.
    pub fn start(keys: Arc<KeyRing>, settings: &PasswordSettings) -> Result<Self, NoPasswords> {
        let blocklist = settings.blocklist.as_deref().map(Blocklist::read).transpose()?;
        let threads = match settings.threads {
            0 => std::thread::available_parallelism().map_or(1, |all| (all.get() / 2).max(1)),
            threads => threads,
        };
        Ok(Self {
            hasher: Hasher::new(keys, settings.cost, secret::system)?,
            pool: Pool::start(threads, settings.queue)?,
            blocklist: blocklist.map(Arc::new),
            patience: settings.patience,
        })
    }

    /// Holds a password against what is kept for a user; as long where there is nothing.
    pub(super) async fn verify(
        &self,
        lane: Lane,
        user: UserId,
        password: &Sent,
        kept: Option<String>,
    ) -> Result<Verified, Busy> {
        let (hasher, password) = (self.hasher.clone(), password.clone());
        let work = move || hasher.verify(user, &password.0, kept.as_deref());
        self.pool.run(lane, Instant::now() + self.patience, work).await
    }

    /// Hashes a password that is good already, at what a hash costs now.
    pub(super) async fn hash(
        &self,
        lane: Lane,
        user: UserId,
        password: &Sent,
    ) -> Result<String, Status> {
        let (hasher, password) = (self.hasher.clone(), password.clone());
        let work = move || hasher.hash(user, &password.0, secret::system);
        let made = self.pool.run(lane, Instant::now() + self.patience, work).await;
        made.map_err(|Busy| status::login_queue_full())?.map_err(broken)
    }

    /// Hashes a new password, unless it is easily guessed. `names` are what its user and account are called, `field` is
    /// where it stands in the request.
    pub(super) async fn hash_new(
        &self,
        lane: Lane,
        user: UserId,
        password: &Sent,
        names: Vec<String>,
        field: &'static str,
    ) -> Result<String, Status> {
        let (own, sent) = (self.clone(), password.clone());
        let work = move || {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            check(&sent.0, &names, own.blocklist.as_deref())?;
            Ok(own.hasher.hash(user, &sent.0, secret::system))
        };
        let made = self.pool.run(lane, Instant::now() + self.patience, work).await;
        let made = made.map_err(|Busy| status::login_queue_full())?;
        let made = made.map_err(|weak: crate::crypto::password::Weak| {
            status::bad_field("WEAK_PASSWORD", field, weak.to_string())
        })?;
        made.map_err(broken)
    }
}

/// Says whose turn work on a password takes.
pub(super) fn lane(tenant: Option<AccountId>, source: &str) -> Lane {
    Lane { tenant, source: network(source) }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands where an error is mapped")]
fn broken(error: Broken) -> Status {
    tracing::error!(%error, "a password could not be hashed");
    status::internal()
}
