//! The keys of one issuer, fetched, and kept while it is away.

use std::sync::Arc;

use arc_swap::ArcSwap;
use chrono::{DateTime, TimeDelta, Utc};
use http::Uri;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::BadIdToken;
use crate::crypto::jwt::{BadJwks, Jwks};
use crate::model::{Clock, KeyAlgorithm};
use crate::outside::{BadAddress, Client, NoAnswer, address};

/// An issuer is asked no more often than this, whatever tokens are sent.
const PAUSE: TimeDelta = TimeDelta::seconds(10);
/// Keys that were fetched longer ago are fetched anew.
const OLD: TimeDelta = TimeDelta::hours(1);
/// The longest document that is read, in bytes.
const LONGEST: usize = 256 << 10;

/// Where keys are fetched from.
#[derive(Debug)]
pub(super) enum Place {
    /// The keys themselves.
    Keys(Uri),
    /// What says where they are.
    Document(Uri),
}

/// Why keys were not fetched.
#[derive(Debug, thiserror::Error)]
enum NoKeys {
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    #[error("what it says of itself cannot be read")]
    Document,
    #[error("it calls itself `{0}`")]
    OtherIssuer(String),
    #[error(transparent)]
    Address(#[from] BadAddress),
    #[error("its key set {0}")]
    Keys(#[from] BadJwks),
}

/// The keys of an issuer. Cheap to copy; all copies are one.
#[derive(Debug, Clone)]
pub(super) struct Fetched(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: Client,
    issuer: String,
    place: Place,
    algorithms: Vec<KeyAlgorithm>,
    clock: Arc<dyn Clock>,
    held: ArcSwap<Held>,
    turn: Mutex<()>,
}

/// What is known of the keys.
#[derive(Debug, Default)]
struct Held {
    /// As they were fetched last; `None` = they never were.
    keys: Option<Arc<Jwks>>,
    /// When that was.
    fetched: Option<DateTime<Utc>>,
    /// When it was last tried.
    tried: Option<DateTime<Utc>>,
}

impl Held {
    fn knows(&self, kid: Option<&str>) -> bool {
        self.keys.as_ref().is_some_and(|keys| keys.knows(kid))
    }

    /// Tells whether they may be fetched again already.
    fn may_try(&self, now: DateTime<Utc>) -> bool {
        self.tried.is_none_or(|tried| !(TimeDelta::zero()..PAUSE).contains(&(now - tried)))
    }

    fn is_old(&self, now: DateTime<Utc>) -> bool {
        self.fetched.is_none_or(|fetched| !(TimeDelta::zero()..OLD).contains(&(now - fetched)))
    }
}

/// What is said at an issuer's well-known address.
#[derive(Deserialize)]
struct Document {
    issuer: String,
    jwks_uri: String,
}

impl Fetched {
    pub(super) fn new(
        client: Client,
        issuer: String,
        place: Place,
        algorithms: Vec<KeyAlgorithm>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (held, turn) = (ArcSwap::default(), Mutex::default());
        Self(Arc::new(Inner { client, issuer, place, algorithms, clock, held, turn }))
    }

    /// Returns the keys to verify a token with that names one of them; fetched anew if it is not among them, as after a
    /// rotation, though not for each such token.
    pub(super) async fn for_key(&self, kid: Option<&str>) -> Result<Arc<Jwks>, BadIdToken> {
        let unknown = |held: &Held| !held.knows(kid);
        let mut held = self.0.held.load_full();
        if unknown(&held) && held.may_try(self.0.clock.now()) {
            held = self.renew(kid.map(str::to_owned)).await;
        }
        // Where the last try failed, nobody knows whether the issuer has such a key by now.
        if unknown(&held) && held.tried != held.fetched {
            return Err(BadIdToken::Away);
        }
        held.keys.clone().ok_or(BadIdToken::Away)
    }

    /// Fetches keys that are old.
    pub(super) async fn keep(&self) {
        let now = self.0.clock.now();
        let held = self.0.held.load();
        if held.is_old(now) && held.may_try(now) {
            self.clone().ask(Held::is_old).await;
        }
    }

    /// Fetches them, unless somebody was faster. In a task of its own: a caller that goes away would leave the rest to wait for
    /// the next who may try.
    async fn renew(&self, kid: Option<String>) -> Arc<Held> {
        let own = self.clone();
        let wanted = async move { own.ask(|held, _| !held.knows(kid.as_deref())).await };
        if tokio::spawn(wanted).await.is_err() {
            tracing::error!("fetching keys broke off");
        }
        self.0.held.load_full()
    }

    async fn ask(self, wanted: impl Fn(&Held, DateTime<Utc>) -> bool) {
        let _turn = self.0.turn.lock().await;
        let (held, now) = (self.0.held.load_full(), self.0.clock.now());
        if !wanted(&held, now) || !held.may_try(now) {
            return;
        }
        let next = match self.0.fetch().await {
            Ok(keys) => Held { keys: Some(Arc::new(keys)), fetched: Some(now), tried: Some(now) },
            Err(error) => {
                let issuer = &self.0.issuer;
                tracing::warn!(%error, issuer, "the keys of an issuer were not fetched");
                Held { keys: held.keys.clone(), fetched: held.fetched, tried: Some(now) }
            }
        };
        self.0.held.store(Arc::new(next));
    }
}

impl Inner {
    async fn fetch(&self) -> Result<Jwks, NoKeys> {
        let found;
        let at = match &self.place {
            Place::Keys(at) => at,
            Place::Document(at) => {
                found = self.discover(at).await?;
                &found
            }
        };
        let json = self.client.fetch(at, LONGEST).await?;
        Ok(Jwks::read(&json, &self.algorithms)?)
    }

    /// Asks the issuer where its keys are.
    async fn discover(&self, at: &Uri) -> Result<Uri, NoKeys> {
        let json = self.client.fetch(at, LONGEST).await?;
        let said: Document = serde_json::from_slice(&json).map_err(|_| NoKeys::Document)?;
        if said.issuer != self.issuer {
            return Err(NoKeys::OtherIssuer(said.issuer.chars().take(200).collect()));
        }
        // One that is far away sends nobody to what listens on this machine alone.
        let keys = address(&said.jwks_uri)?;
        if at.scheme_str() == Some("https") && keys.scheme_str() != Some("https") {
            return Err(BadAddress::Plain(said.jwks_uri).into());
        }
        Ok(keys)
    }
}
