//! The keys that access tokens are signed with, opened and in memory, so that they are shown and used while the store is
//! away.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use tokio::sync::Mutex;

use super::{Error, Feed, NotDone};
use crate::crypto::jwt::{KeySecret, NoKey, Pair};
use crate::crypto::{KeyRing, fingerprint};
use crate::model::{Clock, SigningAlgorithm, SigningKey, SigningKeyId};
use crate::store::{Due, NewKey, Refusal, Store, due};

/// How long the newest list is waited for by those who would take the one before.
const HURRY: Duration = Duration::from_millis(200);

/// What the ledger names where a request's source would stand.
const UPKEEP: &str = "upkeep";

/// How keys are made, and how long they sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SigningConfig {
    /// How new keys sign.
    pub algorithm: SigningAlgorithm,
    /// How long one signs before another takes its place.
    pub life: TimeDelta,
}

/// The keys, as the platform's newest snapshot names them. Cheap to copy; all copies are one.
#[derive(Debug, Clone)]
pub struct Signing(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    feed: Feed,
    ring: Arc<KeyRing>,
    config: SigningConfig,
    clock: Arc<dyn Clock>,
    held: ArcSwap<Held>,
    turn: Mutex<()>,
}

/// The keys that were named, and those of them that opened.
#[derive(Debug, Default)]
struct Held {
    named: Vec<SigningKey>,
    pairs: Arc<Vec<Pair>>,
}

/// What is published of the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwks {
    /// A JSON Web Key Set (RFC 7517).
    pub json: String,
    /// Changes with it.
    pub etag: String,
}

impl Signing {
    /// Opens the keys; the first one is made where there is none.
    pub async fn start(
        store: Store,
        feed: Feed,
        ring: Arc<KeyRing>,
        config: SigningConfig,
    ) -> Result<Self, NotDone> {
        let clock = Arc::clone(store.clock());
        let inner = Inner {
            store,
            feed,
            ring,
            config,
            clock,
            held: ArcSwap::default(),
            turn: Mutex::default(),
        };
        let signing = Self(Arc::new(inner));
        signing.keep().await?;
        signing.current().await?;
        Ok(signing)
    }

    /// Makes and retires keys as it is time for it. Replicas that do so together do it once.
    pub async fn keep(&self) -> Result<(), NotDone> {
        let Inner { feed, config, clock, .. } = &*self.0;
        match due(&*feed.platform().await?, config.life, clock.now()) {
            Due::Nothing => Ok(()),
            Due::New => {
                let new = self.new_key().map_err(broken)?;
                let (ring, life) = (Arc::clone(&self.0.ring), config.life);
                let done = feed.change(feed.root(), UPKEEP, None, move |tx| {
                    Box::pin(async move {
                        // Somebody else may have been faster.
                        if due(tx.world(), life, tx.now()) == Due::New {
                            tx.rotate_signing_key(&new, &ring, "").await?;
                        }
                        Ok(())
                    })
                });
                done.await
            }
            Due::Retire => {
                let done = feed.change(feed.root(), UPKEEP, None, |tx| {
                    Box::pin(async move { tx.retire_signing_keys() })
                });
                done.await
            }
        }
    }

    /// Makes the secret of a key that is to be.
    pub fn new_key(&self) -> Result<NewKey, NoKey> {
        let algorithm = self.0.config.algorithm;
        Ok(NewKey { algorithm, secret: KeySecret::generate(algorithm)? })
    }

    /// Returns the keys, opened: as the platform's snapshot names them, or as they were last where that cannot be had.
    pub async fn current(&self) -> Result<Arc<Vec<Pair>>, Error> {
        let held = self.0.held.load_full();
        let platform = match self.0.feed.platform().await {
            Ok(platform) => platform,
            Err(_) if !held.pairs.is_empty() => return Ok(Arc::clone(&held.pairs)),
            Err(error) => return Err(error),
        };
        if held.named.iter().eq(platform.signing_keys()) {
            return Ok(Arc::clone(&held.pairs));
        }
        let _turn = self.0.turn.lock().await;
        let held = self.0.held.load_full();
        if held.named.iter().eq(platform.signing_keys()) {
            return Ok(Arc::clone(&held.pairs));
        }
        let named: Vec<SigningKey> = platform.signing_keys().cloned().collect();
        let pairs = Arc::new(self.0.store.open_signing_keys(&named, &self.0.ring).await?);
        self.0.held.store(Arc::new(Held { named, pairs: Arc::clone(&pairs) }));
        Ok(pairs)
    }

    /// Returns the key to sign with now.
    pub async fn signer(&self) -> Result<Pair, Error> {
        let pairs = self.current().await?;
        let chosen = SigningKey::signing(pairs.iter().map(Pair::key), self.0.clock.now());
        let chosen: Option<SigningKeyId> = chosen.map(|key| key.id);
        let pair = pairs.iter().find(|pair| Some(pair.key().id) == chosen);
        pair.cloned().ok_or(Error::NoKey)
    }

    /// Returns how long the key that signs now has done so, as far as is known in memory, and how long one does.
    pub fn age(&self) -> (Option<TimeDelta>, TimeDelta) {
        let (held, now) = (self.0.held.load(), self.0.clock.now());
        let signing = SigningKey::signing(held.pairs.iter().map(Pair::key), now);
        (signing.map(|key| now - key.activate_time), self.0.config.life)
    }

    /// Returns what is published: also while the store is away, and never without a key that has signed anything.
    pub async fn jwks(&self) -> Jwks {
        let pairs = match tokio::time::timeout(HURRY, self.current()).await {
            Ok(Ok(pairs)) => pairs,
            Ok(Err(_)) | Err(_) => Arc::clone(&self.0.held.load().pairs),
        };
        jwks(&pairs, self.0.clock.now())
    }

    /// Returns the keys that secrets are kept under.
    pub fn ring(&self) -> &Arc<KeyRing> {
        &self.0.ring
    }
}

fn broken(error: NoKey) -> NotDone {
    let why = error.to_string();
    NotDone::Refused(Refusal::Store(crate::store::Error::Corrupt { table: "signing_keys", why }))
}

fn jwks(pairs: &[Pair], now: DateTime<Utc>) -> Jwks {
    let live = pairs.iter().filter(|pair| pair.key().is_published(now));
    let keys: Vec<_> = live.map(Pair::jwk).collect();
    let json = json!({ "keys": keys }).to_string();
    let etag = format!("\"{}\"", fingerprint(&json));
    Jwks { json, etag }
}
