//! Access tokens at the door: verified once, and at each use held against what is known now (`model.md` §9, `edges.md` §5).

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::authn::{BadCredential, CredentialForm, Credentials, Gone, Known, Owner};
use crate::crypto::jwt::{self, AccessClaims, Act, BadJwt, Parties};
use crate::crypto::token;
use crate::decision::{Actor, Caller, CallerSession, Snapshot};
use crate::feed::Signing;
use crate::model::{EffectiveStatus, Named, ResourcePath, SigningKeyId, TokenId};

/// What access tokens are signed and verified with.
#[derive(Debug, Clone)]
pub struct Access {
    /// The keys.
    pub signing: Signing,
    /// Who signs, and for whom.
    pub parties: Parties,
}

/// A token that was verified: that it was signed does not change.
#[derive(Debug)]
pub(super) struct Verified {
    kid: SigningKeyId,
    claims: AccessClaims,
}

/// What a credential is known again by: its keyed hash.
#[derive(Clone, Copy)]
pub struct Seen {
    digest: [u8; 32],
    access: bool,
}

/// Without the digest, which is kept from every log.
impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seen").field("access", &self.access).finish_non_exhaustive()
    }
}

impl Credentials {
    /// Returns whose an access token is, whether it still counts or not; `None` for what is none of ours.
    pub(super) async fn owner_of_access(&self, text: &str) -> Result<Option<Owner>, BadCredential> {
        let claims = match self.verified(text).await {
            Ok(verified) => verified.claims.clone(),
            Err(BadCredential::Invalid) => return Ok(None),
            Err(error) => return Err(error),
        };
        let form = match (claims.key, &claims.act) {
            (Some(_), _) => CredentialForm::Key,
            (None, Some(_)) => CredentialForm::Assumed,
            (None, None) => CredentialForm::Session,
        };
        Ok(Some(Owner { form, token: None, user: claims.sub, tenant: claims.ten }))
    }

    /// Returns what a credential is known again by.
    pub fn seen(&self, text: &str) -> Seen {
        Seen { digest: token::digest(self.keys(), text), access: jwt::is_jwt(text) }
    }

    /// Returns the caller behind a credential that was sent before, if it is still good.
    pub async fn still_stands(&self, seen: Seen) -> Result<Caller, BadCredential> {
        if !seen.access {
            let known = self.known_by(&seen.digest).await?.ok_or(BadCredential::Invalid)?;
            return self.stands_by(known).await;
        }
        // What is not remembered any more was sent longer ago than it lives.
        let verified = self.verified.get(&seen.digest).await.ok_or(BadCredential::Expired)?;
        self.stands_by_claims(&verified.claims).await
    }

    /// Returns the caller behind an access token, if it is good now.
    pub(super) async fn stands_by_access(&self, text: &str) -> Result<Caller, BadCredential> {
        let verified = self.verified(text).await?;
        self.stands_by_claims(&verified.claims).await
    }

    async fn stands_by_claims(&self, claims: &AccessClaims) -> Result<Caller, BadCredential> {
        let now = self.clock.now();
        jwt::in_time(claims, now)?;
        if let Some(key) = claims.key {
            // What it may is what its key may, as long as that stands.
            let known = Known { token: TokenId(key.0), user: claims.sub, tenant: claims.ten };
            return self.stands_by(known).await;
        }
        let session = session_of(claims)?;
        let mut world = self.tenant(claims.ten).await?.ok_or(Gone::User)?;
        // Begun elsewhere a moment ago: the newest head knows.
        let unknown = |world: &Snapshot| {
            let user = world.any_user(claims.sub);
            user.is_none_or(|user| claims.act.is_some() && !is_assumed(user, claims, now))
        };
        if unknown(&world) && !self.looked.contains_key(&session.id) {
            self.looked.insert(session.id, ()).await;
            world = self.feed.fresh(claims.ten).await?;
        }
        let user = world.user(claims.sub).filter(|user| user.enabled);
        let user = user.filter(|user| user.account == claims.acc).ok_or(Gone::User)?;
        if user.voids(session.id, session.auth_time) {
            return Err(Gone::Ended.into());
        }
        let mut caller = Caller {
            user: user.id,
            account: user.account,
            tenant: claims.ten,
            kind: user.kind,
            token: None,
            session: Some(session),
            actor: None,
            limits: None,
        };
        if let Some(act) = &claims.act {
            if !is_assumed(user, claims, now) {
                return Err(Gone::Ended.into());
            }
            let actor = self.actor(act, &caller, &world, now).await?;
            caller.actor = Some(Arc::new(actor));
        }
        Ok(caller)
    }

    /// Finds who really acts: with a credential that still stands, and still permitted to act as this user.
    async fn actor(
        &self,
        act: &Act,
        target: &Caller,
        world: &Snapshot,
        now: DateTime<Utc>,
    ) -> Result<Actor, BadCredential> {
        let gone = || Gone::Actor;
        let home = self.tenant(act.ten).await?.ok_or_else(gone)?;
        let user = home.user(act.sub).filter(|user| user.enabled).ok_or_else(gone)?;
        if home.effective_status(user.account) != Some(EffectiveStatus::Active) {
            return Err(gone().into());
        }
        if act.sid.is_some_and(|(id, at)| time(at).is_none_or(|at| user.voids(id, at))) {
            return Err(gone().into());
        }
        let limits = match act.tok {
            None => None,
            Some(token) => {
                let facts = home.token(token).filter(|facts| facts.is_live(now));
                facts.ok_or_else(gone)?.limits.clone()
            }
        };
        let caller = Caller {
            user: user.id,
            account: user.account,
            tenant: act.ten,
            kind: user.kind,
            token: act.tok,
            session: None,
            actor: None,
            limits,
        };
        let path =
            ResourcePath::account(target.account).with("user", Named::Id(target.user.to_string()));
        let assume = home.catalogue().permission("user", "assume").ok_or_else(gone)?;
        if !caller.ask(&home, Some(world), assume, &path, now).is_permit() {
            return Err(gone().into());
        }
        Ok(Actor { caller, home })
    }

    async fn verified(&self, text: &str) -> Result<Arc<Verified>, BadCredential> {
        let now = self.clock.now();
        let pairs = self.access.signing.current().await?;
        let hash = token::digest(self.keys(), text);
        if let Some(verified) = self.verified.get(&hash).await
            && pairs
                .iter()
                .any(|pair| pair.key().id == verified.kid && pair.key().is_published(now))
        {
            return Ok(verified);
        }
        let (kid, claims) = jwt::verify(text, pairs.iter(), &self.access.parties)?;
        let verified = Arc::new(Verified { kid, claims });
        if pairs.iter().all(|pair| pair.key().id != kid || !pair.key().is_published(now)) {
            return Err(BadCredential::Invalid);
        }
        self.verified.insert(hash, Arc::clone(&verified)).await;
        Ok(verified)
    }

    /// Tells when an access token expires; `None` for what is none.
    pub async fn access_expiry(&self, text: &str) -> Option<DateTime<Utc>> {
        let verified = self.verified(text).await.ok()?;
        time(verified.claims.exp)
    }

    /// Returns what access tokens are signed with.
    pub const fn access(&self) -> &Access {
        &self.access
    }
}

fn is_assumed(
    user: &crate::decision::Principal,
    claims: &AccessClaims,
    now: DateTime<Utc>,
) -> bool {
    let marks = user.session_marks.as_ref();
    let assumed = marks.and_then(|marks| claims.sid.and_then(|sid| marks.assumed(sid, now)));
    assumed.is_some_and(|assumed| {
        claims.act.as_ref().is_some_and(|act| {
            act.sub == assumed.actor
                && act.tok == assumed.by_token
                && act.sid.map(|(id, _)| id) == assumed.by_session
        })
    })
}

fn session_of(claims: &AccessClaims) -> Result<CallerSession, BadCredential> {
    let (auth_time, expire_time) =
        time(claims.auth_time).zip(time(claims.exp)).ok_or(BadCredential::Invalid)?;
    let id = claims.sid.ok_or(BadCredential::Invalid)?;
    Ok(CallerSession { id, auth_time, expire_time })
}

fn time(seconds: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(seconds, 0)
}

impl From<BadJwt> for BadCredential {
    fn from(bad: BadJwt) -> Self {
        match bad {
            BadJwt::Invalid => Self::Invalid,
            BadJwt::Expired => Self::Expired,
        }
    }
}

/// How long an access token lives.
pub const ACCESS: TimeDelta = TimeDelta::minutes(5);
