//! Finds out who is calling. One predicate answers "is this credential good now" for every door (`model.md` §9).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use http::HeaderMap;
use moka::future::Cache;

use crate::crypto::{KeyRing, token};
use crate::decision::Caller;
use crate::feed::{self, Feed};
use crate::model::{AccountId, Clock, TokenId, UserId};
use crate::store::Store;

/// A credential that is not good.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BadCredential {
    /// None was sent.
    #[error("no credential was sent")]
    Missing,
    /// It is none of ours, or two were sent.
    #[error("the credential is not valid")]
    Invalid,
    /// Its time is over.
    #[error("the credential is expired")]
    Expired,
    /// It was ended, or its user is disabled or gone.
    #[error("the credential was revoked")]
    Revoked,
    /// Whether it is good cannot be told now.
    #[error(transparent)]
    Unknowable(#[from] feed::Error),
}

/// Whose a token is; never changes, so knowing it once is enough.
#[derive(Debug, Clone, Copy)]
struct Known {
    token: TokenId,
    user: UserId,
    tenant: AccountId,
}

/// Checks credentials.
///
/// A token that has been seen costs no store read: what never changes is kept by its keyed hash, and what may
/// change is asked of the newest snapshot at each use. Unknown tokens are remembered for 30 seconds (`edges.md` §5).
#[derive(Debug)]
pub struct Credentials {
    store: Store,
    feed: Feed,
    keys: Arc<KeyRing>,
    clock: Arc<dyn Clock>,
    known: Cache<[u8; 32], Known>,
    unknown: Cache<[u8; 32], ()>,
    used: Mutex<HashMap<TokenId, DateTime<Utc>>>,
}

impl Credentials {
    /// Checks credentials of `store` against the snapshots of `feed`.
    pub fn new(store: Store, feed: Feed, keys: Arc<KeyRing>, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            feed,
            keys,
            clock,
            known: Cache::new(200_000),
            unknown: Cache::builder()
                .max_capacity(100_000)
                .time_to_live(Duration::from_secs(30))
                .build(),
            used: Mutex::default(),
        }
    }

    /// Returns the caller behind the headers of a request.
    pub async fn of_headers(&self, headers: &HeaderMap) -> Result<Caller, BadCredential> {
        self.check(bearer(headers)?).await
    }

    /// Returns the caller behind a credential, if it is good now.
    pub async fn check(&self, text: &str) -> Result<Caller, BadCredential> {
        let known = self.look_up(text).await?.ok_or(BadCredential::Invalid)?;
        let now = self.clock.now();
        let mut world = self.feed.tenant(known.tenant).await?;
        if world.token(known.token).is_none() {
            // Minted elsewhere a moment ago, or ended: the newest head knows.
            world = self.feed.fresh(known.tenant).await?;
        }
        let facts = world.token(known.token).ok_or(BadCredential::Revoked)?;
        let user = world.user(known.user).filter(|user| user.enabled);
        let user = user.ok_or(BadCredential::Revoked)?;
        if !facts.is_live(now) {
            return Err(BadCredential::Expired);
        }
        self.used.lock().unwrap_or_else(PoisonError::into_inner).insert(known.token, now);
        Ok(Caller {
            user: user.id,
            account: user.account,
            tenant: known.tenant,
            kind: user.kind,
            token: Some(known.token),
            limits: facts.limits.clone(),
        })
    }

    /// Finds whose a token is, good or not; `None` for what is no token of ours.
    pub async fn owner(
        &self,
        text: &str,
    ) -> Result<Option<(TokenId, UserId, AccountId)>, feed::Error> {
        let known = self.look_up(text).await?;
        Ok(known.map(|known| (known.token, known.user, known.tenant)))
    }

    async fn look_up(&self, text: &str) -> Result<Option<Known>, feed::Error> {
        let Ok(parsed) = token::parse(text) else { return Ok(None) };
        let digest = parsed.digest(&self.keys);
        if let Some(known) = self.known.get(&digest).await {
            return Ok(Some(known));
        }
        if self.unknown.contains_key(&digest) {
            return Ok(None);
        }
        let Some((token, user, tenant)) = self.store.token_by_digest(&digest).await? else {
            self.unknown.insert(digest, ()).await;
            return Ok(None);
        };
        let known = Known { token, user, tenant };
        self.known.insert(digest, known).await;
        Ok(Some(known))
    }

    /// Takes what was used since it was last asked: the upkeep writes it down, off the path of requests.
    pub fn take_used(&self) -> Vec<(TokenId, DateTime<Utc>)> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *used).into_iter().collect()
    }

    /// Returns the keys that secrets are hashed under.
    pub fn keys(&self) -> &Arc<KeyRing> {
        &self.keys
    }
}

/// Takes the one bearer of a request. Two, or one header twice, is no credential (`edges.md` §5).
fn bearer(headers: &HeaderMap) -> Result<&str, BadCredential> {
    let mut found = None;
    for (name, scheme) in [("authorization", true), ("x-auth-token", false)] {
        for value in headers.get_all(name) {
            let text = value.to_str().map_err(|_| BadCredential::Invalid)?.trim();
            let token = if scheme {
                let (word, token) = text.split_once(' ').ok_or(BadCredential::Invalid)?;
                if !word.eq_ignore_ascii_case("bearer") {
                    return Err(BadCredential::Invalid);
                }
                token.trim()
            } else {
                text
            };
            if found.replace(token).is_some() {
                return Err(BadCredential::Invalid);
            }
        }
    }
    found.ok_or(BadCredential::Missing)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn one_bearer_is_taken_and_two_are_none() {
        assert_eq!(bearer(&headers(&[("authorization", "bearer x")])).unwrap(), "x");
        assert_eq!(bearer(&headers(&[("x-auth-token", "x")])).unwrap(), "x");
        for bad in [
            &[("authorization", "Bearer x"), ("authorization", "Bearer x")][..],
            &[("authorization", "Bearer x"), ("x-auth-token", "x")],
            &[("authorization", "Basic x")],
            &[("authorization", "x")],
        ] {
            assert!(matches!(bearer(&headers(bad)), Err(BadCredential::Invalid)), "{bad:?}");
        }
        assert!(matches!(bearer(&headers(&[])), Err(BadCredential::Missing)));
    }
}
