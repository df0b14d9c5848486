//! Finds out who is calling. One predicate answers "is this credential good now" for every door (`model.md` §9).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use foldhash::fast::RandomState;
use http::HeaderMap;
use moka::future::Cache;

use super::access::{Access, Verified};
use super::activity::Doings;
use super::peer::Peers;
use crate::crypto::token::TokenKind;
use crate::crypto::{KeyRing, jwt, token};
use crate::decision::{Caller, Snapshot};
use crate::feed::{self, Feed};
use crate::model::{AccountId, Clock, SessionId, TokenId, UserId};
use crate::store::Store;

/// How long a token that is none, or was ended, is remembered (`edges.md` §5).
const REMEMBERED: Duration = Duration::from_secs(30);
/// How long an access token that was verified is remembered; about as long as it lives.
const VERIFIED: Duration = Duration::from_mins(5);
/// Unknown tokens that one address may send in a window; each costs a read.
const UNKNOWN: u32 = 600;
/// Unknown tokens that one user may ask about in a window. More than an address may send: a mesh asks about whatever its
/// own callers send, and must not go without answers for what a few of them send.
const ASKED: u32 = 3_000;
/// The window.
const WINDOW: Duration = Duration::from_mins(1);

/// A credential that is not good.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BadCredential {
    /// None was sent; or only the certificate of a workload that is no service user.
    #[error("no credential was sent")]
    Missing,
    /// It is none of ours, or two were sent.
    #[error("the credential is not valid")]
    Invalid,
    /// Its time is over.
    #[error("the credential is expired")]
    Expired,
    /// It was good once.
    #[error("the credential was revoked: {0}")]
    Revoked(#[from] Gone),
    /// Its source has sent too many that are none of ours.
    #[error("too many unknown credentials came from this source")]
    TooMany,
    /// Whether it is good cannot be told now.
    #[error(transparent)]
    Unknowable(#[from] feed::Error),
}

/// Why a credential that was good is so no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Gone {
    /// The token, the key or the session was ended.
    #[error("it was ended")]
    Ended,
    /// Its user was.
    #[error("its user is disabled, deleted or of another account now")]
    User,
    /// Who acts in an assumed session may do so no more.
    #[error("who acts by it may do so no more")]
    Actor,
}

/// Who answers for an unknown token: known tokens are looked up however many of the others came.
#[derive(Debug, Clone, Copy)]
pub enum Source<'s> {
    /// Nobody who is known: the address it came from.
    Address(&'s str),
    /// A caller who is known, and asks about it.
    User(UserId),
}

/// What is counted for a source.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Counted {
    Network(String),
    User(UserId),
}

impl Source<'_> {
    fn counted(self) -> (Counted, u32) {
        match self {
            Self::Address(address) => (Counted::Network(network(address)), UNKNOWN),
            Self::User(user) => (Counted::User(user), ASKED),
        }
    }
}

/// How much a source has sent that is none of ours.
#[derive(Debug)]
pub struct Strangers(Arc<AtomicU32>);

impl Strangers {
    /// Counts one more.
    pub fn one_more(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whose a token is; never changes, so knowing it once is enough.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    pub(super) token: TokenId,
    pub(super) user: UserId,
    pub(super) tenant: AccountId,
}

/// What kind of credential it is that somebody has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialForm {
    /// An API token.
    Token,
    /// An access token given for a service user's key.
    Key,
    /// An access token of a session.
    Session,
    /// And of one in which somebody else acts.
    Assumed,
}

/// Whose a credential is, good or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// What it is.
    pub form: CredentialForm,
    /// The API token, where it is one.
    pub token: Option<TokenId>,
    /// The user.
    pub user: UserId,
    /// And its tenant.
    pub tenant: AccountId,
}

/// Checks credentials.
///
/// A token that has been seen costs no store read: what never changes is kept by its keyed hash, and what may
/// change is asked of the newest snapshot at each use. Tokens that are unknown or were ended are remembered for 30
/// seconds, and unknown ones limited per source, at the door and in questions alike, so that a flood of them does not reach the store (`edges.md` §5).
#[derive(Debug)]
pub struct Credentials {
    store: Store,
    pub(super) feed: Feed,
    pub(super) access: Access,
    pub(super) clock: Arc<dyn Clock>,
    known: Cache<[u8; 32], Known, RandomState>,
    unknown: Cache<[u8; 32], ()>,
    ended: Cache<TokenId, ()>,
    /// Assumed sessions that were begun elsewhere, or have ended: it was looked.
    pub(super) looked: Cache<SessionId, ()>,
    /// How many unknown tokens each source has sent in its window.
    strangers: moka::sync::Cache<Counted, Arc<AtomicU32>>,
    used: Mutex<HashMap<TokenId, DateTime<Utc>>>,
    doings: Doings,
    /// Which workloads are service users.
    pub(super) peers: Peers,
    /// Access tokens whose signature is right.
    pub(super) verified: Cache<[u8; 32], Arc<Verified>>,
}

impl Credentials {
    /// Checks credentials of `store` against the snapshots of `feed`.
    pub fn new(store: Store, feed: Feed, access: Access, peers: Peers) -> Self {
        let clock = Arc::clone(store.clock());
        Self {
            doings: Doings::new(Arc::clone(&clock)),
            store,
            feed,
            access,
            clock,
            // What it is found by is a keyed hash already.
            known: Cache::builder().max_capacity(200_000).build_with_hasher(RandomState::default()),
            unknown: Cache::builder().max_capacity(100_000).time_to_live(REMEMBERED).build(),
            ended: Cache::builder().max_capacity(100_000).time_to_live(REMEMBERED).build(),
            looked: Cache::builder().max_capacity(100_000).time_to_live(REMEMBERED).build(),
            strangers: moka::sync::Cache::builder()
                .max_capacity(100_000)
                .time_to_live(WINDOW)
                .build(),
            used: Mutex::default(),
            peers,
            verified: Cache::builder().max_capacity(100_000).time_to_live(VERIFIED).build(),
        }
    }

    /// Returns the caller behind the headers of a request that came from `source`.
    pub async fn of_headers(
        &self,
        headers: &HeaderMap,
        source: &str,
    ) -> Result<Caller, BadCredential> {
        let caller = self.stands(bearer(headers)?, Source::Address(source)).await?;
        if self.doings.is_new(&caller, source) {
            self.note_use(&caller);
            self.doings.used(&caller, source);
        }
        Ok(caller)
    }

    /// Returns the caller behind a credential, if it is good now; that somebody looked is no use of it.
    ///
    /// This is the one predicate.
    pub async fn stands(&self, text: &str, source: Source<'_>) -> Result<Caller, BadCredential> {
        if jwt::is_jwt(text) {
            return Box::pin(self.stands_by_access(text)).await;
        }
        let known = self.look_up(text, source).await?.ok_or(BadCredential::Invalid)?;
        self.stands_by(known).await
    }

    /// Returns the caller behind a token or a key that is known, if it is good now.
    pub(super) async fn stands_by(&self, known: Known) -> Result<Caller, BadCredential> {
        let now = self.clock.now();
        let mut world = self.tenant(known.tenant).await?.ok_or(Gone::User)?;
        if world.token(known.token).is_none() && !self.ended.contains_key(&known.token) {
            // Minted elsewhere a moment ago, or ended: the newest head knows.
            world = self.feed.fresh(known.tenant).await?;
        }
        let Some(facts) = world.token(known.token) else {
            Box::pin(self.ended.insert(known.token, ())).await;
            return Err(Gone::Ended.into());
        };
        let user = world.user(known.user).filter(|user| user.enabled);
        let user = user.ok_or(Gone::User)?;
        if !facts.is_live(now) {
            return Err(BadCredential::Expired);
        }
        Ok(Caller {
            user: user.id,
            account: user.account,
            tenant: known.tenant,
            kind: user.kind,
            token: Some(known.token),
            session: None,
            actor: None,
            limits: facts.limits.clone(),
        })
    }

    /// Finds whose a token is, good or not; `None` for what is no token of ours.
    pub async fn owner(
        &self,
        text: &str,
        source: Source<'_>,
    ) -> Result<Option<Owner>, BadCredential> {
        if jwt::is_jwt(text) {
            return Box::pin(self.owner_of_access(text)).await;
        }
        let Some(Known { token, user, tenant }) = self.look_up(text, source).await? else {
            return Ok(None);
        };
        let there = self.tenant(tenant).await?.is_some();
        Ok(there.then_some(Owner { form: CredentialForm::Token, token: Some(token), user, tenant }))
    }

    /// Returns the tenant of a credential; `None` where a store that was turned back has lost it.
    pub(super) async fn tenant(
        &self,
        tenant: AccountId,
    ) -> Result<Option<Arc<Snapshot>>, feed::Error> {
        match self.feed.tenant(tenant).await {
            Ok(world) => Ok(Some(world)),
            Err(feed::Error::NoTenant) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn look_up(
        &self,
        text: &str,
        source: Source<'_>,
    ) -> Result<Option<Known>, BadCredential> {
        let Ok(parsed) = token::parse(text) else { return Ok(None) };
        // What goes on with a session is good for that alone.
        if !matches!(parsed.kind(), TokenKind::Pat | TokenKind::Svc) {
            return Ok(None);
        }
        let digest = parsed.digest(self.keys());
        if let Some(known) = self.known.get(&digest).await {
            return Ok(Some(known));
        }
        if self.unknown.contains_key(&digest) {
            return Ok(None);
        }
        let sent = self.strangers(source)?;
        // Boxed, since it is seldom done and would be moved with each request.
        let found =
            Box::pin(self.store.token_by_digest(&digest)).await.map_err(feed::Error::from)?;
        let Some((token, user, tenant)) = found else {
            Box::pin(self.unknown.insert(digest, ())).await;
            sent.one_more();
            return Ok(None);
        };
        let known = Known { token, user, tenant };
        Box::pin(self.known.insert(digest, known)).await;
        Ok(Some(known))
    }

    /// Finds a token of ours by its keyed hash.
    pub(super) async fn known_by(&self, digest: &[u8; 32]) -> Result<Option<Known>, feed::Error> {
        if let Some(known) = self.known.get(digest).await {
            return Ok(Some(known));
        }
        let found = Box::pin(self.store.token_by_digest(digest)).await?;
        Ok(found.map(|(token, user, tenant)| Known { token, user, tenant }))
    }

    /// Counts what is none of ours; refuses a source that has sent too much of it.
    pub fn strangers(&self, source: Source<'_>) -> Result<Strangers, BadCredential> {
        let (counted, most) = source.counted();
        let sent = self.strangers.get_with(counted, Arc::default);
        if sent.load(Ordering::Relaxed) >= most {
            return Err(BadCredential::TooMany);
        }
        Ok(Strangers(sent))
    }

    /// Returns what is done, until it is written down.
    pub const fn doings(&self) -> &Doings {
        &self.doings
    }

    /// Notes that a caller's credential was used now.
    pub fn note_use(&self, caller: &Caller) {
        if let Some(token) = caller.token {
            self.uses().insert(token, self.clock.now());
        }
    }

    /// Tells when a token was last used here, as far as that has not been written down yet.
    pub fn last_use(&self, token: TokenId) -> Option<DateTime<Utc>> {
        self.uses().get(&token).copied()
    }

    fn uses(&self) -> std::sync::MutexGuard<'_, HashMap<TokenId, DateTime<Utc>>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what was used since it was last asked: the upkeep writes it down, off the path of requests.
    pub fn take_used(&self) -> Vec<(TokenId, DateTime<Utc>)> {
        self.doings.forget();
        std::mem::take(&mut *self.uses()).into_iter().collect()
    }

    /// Returns the keys that secrets are hashed under.
    pub fn keys(&self) -> &Arc<KeyRing> {
        self.access.signing.ring()
    }
}

/// Returns what counts as one source: an address, of IPv6 its first 64 bits (`edges.md` §5).
pub fn network(source: &str) -> String {
    match source.parse() {
        Ok(IpAddr::V6(address)) if address.to_ipv4_mapped().is_none() => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        _ => source.to_owned(),
    }
}

/// Takes the one bearer of a request. Two, or one header twice, is no credential (`edges.md` §5).
pub fn bearer(headers: &HeaderMap) -> Result<&str, BadCredential> {
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
    fn a_source_is_an_address_or_half_of_a_long_one() {
        assert_eq!(network("192.0.2.7"), "192.0.2.7");
        assert_eq!(network("::ffff:192.0.2.7"), "::ffff:192.0.2.7");
        assert_eq!(network("2001:db8:0:1:2:3:4:5"), network("2001:db8:0:1::9"));
        assert_ne!(network("2001:db8:0:1::9"), network("2001:db8:0:2::9"));
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
