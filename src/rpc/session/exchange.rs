//! An access token for an assertion of a service user (`model.md` §9).

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tonic::Status;

use super::SessionApi;
use super::issue::jti;
use crate::crypto::jwt::{self, AccessClaims, AssertionClaims, BadAssertion, BadJwt};
use crate::crypto::token;
use crate::decision::{Anchor, Snapshot, TokenFacts};
use crate::feed;
use crate::layers::{ACCESS, BadCredential, Gone, Source, status};
use crate::model::{ApiToken, EffectiveStatus, KeyId, TokenId};
use crate::proto::v1 as pb;
use crate::rpc::wire::timestamp;

/// A JSON Web Token, in the words of RFC 8693.
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
/// What OIDC makes of one, in the same words.
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";

/// Why nobody is known by an assertion.
enum Unproved {
    /// It is none, or not of the key that it names.
    Bad {
        /// The key, if it names one.
        key: Option<KeyId>,
        /// For the log alone.
        why: Why,
    },
    /// It cannot be told now.
    Unknowable(feed::Error),
}

/// What speaks against an assertion, in a word.
#[derive(Debug, Clone, Copy, thiserror::Error)]
enum Why {
    #[error("no_such_key")]
    NoKey,
    #[error("other_user")]
    OtherUser,
    #[error(transparent)]
    Text(#[from] BadAssertion),
}

impl From<feed::Error> for Unproved {
    fn from(error: feed::Error) -> Self {
        Self::Unknowable(error)
    }
}

impl From<Unproved> for Status {
    fn from(unproved: Unproved) -> Self {
        match unproved {
            Unproved::Bad { why: Why::Text(why), .. } => {
                BadCredential::from(BadJwt::from(why)).into()
            }
            Unproved::Bad { why: Why::NoKey | Why::OtherUser, .. } => BadCredential::Invalid.into(),
            Unproved::Unknowable(error) => error.into(),
        }
    }
}

impl SessionApi {
    pub(super) async fn exchange(
        &self,
        request: pb::ExchangeTokenRequest,
        source: String,
        user_agent: String,
    ) -> Result<pb::ExchangeTokenResponse, Status> {
        let text = &request.subject_token;
        match request.subject_token_type.as_str() {
            "" | JWT => self.exchange_assertion(text, &source).await,
            ID_TOKEN => self.sign_in_by_issuer(text, source, user_agent).await,
            _ => {
                let why = format!(
                    "is not known here: an assertion of a service user is `{JWT}`, an ID token `{ID_TOKEN}`"
                );
                Err(status::bad_field("INVALID_FIELD", "subject_token_type", why))
            }
        }
    }

    async fn exchange_assertion(
        &self,
        text: &str,
        source: &str,
    ) -> Result<pb::ExchangeTokenResponse, Status> {
        // Each that is none costs a read or a verification.
        let strangers = self.0.credentials.strangers(Source::Address(source))?;
        let proved = self.proved(text).await.inspect_err(|unproved| {
            if let Unproved::Bad { key, why } = unproved {
                strangers.one_more();
                let key = key.map(tracing::field::display);
                tracing::info!(key, why = %why, "an assertion was refused");
            }
        });
        let (world, facts, said) = proved?;
        let now = self.0.clock.now();
        stands(&world, &facts, now).inspect_err(|_| {
            tracing::info!(key = %facts.token.key_id(), why = "not_live", "an assertion was refused");
        })?;
        self.once(&facts.token, &said).await?;
        self.for_key(&facts.token, &world, now).await
    }

    /// Finds the key that has signed an assertion. Of one that nobody has, one that was ended and one that has not signed it
    /// the same is said: who cannot sign is not told that there is or was such a key.
    async fn proved(
        &self,
        text: &str,
    ) -> Result<(Arc<Snapshot>, Arc<TokenFacts>, AssertionClaims), Unproved> {
        let id = jwt::key_of(text).map_err(|why| Unproved::Bad { key: None, why: why.into() })?;
        let bad = |why| Unproved::Bad { key: Some(id), why };
        let tenant = self.0.feed.tenant_of(Anchor::Key(id)).await?;
        let tenant = tenant.ok_or(bad(Why::NoKey))?;
        let mut world = self.0.feed.tenant(tenant).await?;
        if world.token(TokenId(id.0)).is_none() {
            // Registered elsewhere a moment ago, or ended: the newest head knows.
            world = self.0.feed.fresh(tenant).await?;
        }
        let facts = world.token(TokenId(id.0)).cloned().ok_or(bad(Why::NoKey))?;
        let key = facts.token.key.as_ref().ok_or(bad(Why::NoKey))?;
        let issuer = &self.0.credentials.access().parties.issuer;
        let said = jwt::verify_assertion(text, key, issuer, self.0.clock.now());
        let said = said.map_err(|why| bad(why.into()))?;
        if said.sub != facts.token.user {
            return Err(bad(Why::OtherUser));
        }
        Ok((world, facts, said))
    }

    /// Refuses an assertion that was used before, here or at another replica.
    async fn once(&self, key: &ApiToken, said: &AssertionClaims) -> Result<(), Status> {
        let name = token::digest(&self.0.keys, &said.jti);
        let end = said.exp.saturating_add(jwt::REMEMBERED);
        let end = DateTime::from_timestamp(end, 0).ok_or(BadCredential::Invalid)?;
        if self.0.store.use_assertion(key.key_id(), name, end).await? {
            return Ok(());
        }
        tracing::warn!(key = %key.key_id(), "an assertion was used twice");
        Err(BadCredential::Invalid.into())
    }

    async fn for_key(
        &self,
        key: &ApiToken,
        world: &Snapshot,
        now: DateTime<Utc>,
    ) -> Result<pb::ExchangeTokenResponse, Status> {
        let access = self.0.credentials.access();
        let (at, end) = (now.timestamp(), (now + ACCESS).timestamp());
        let claims = AccessClaims {
            iss: access.parties.issuer.clone(),
            aud: access.parties.audience.clone(),
            sub: key.user,
            acc: key.account,
            ten: world.tenant(),
            iat: at,
            nbf: at,
            exp: end,
            jti: jti()?,
            sid: None,
            key: Some(key.key_id()),
            auth_time: at,
            act: None,
            scope: (!key.scopes.is_empty()).then(|| key.scopes.join(" ")),
        };
        let access_token = access.signing.signer().await?.sign(&claims).map_err(|error| {
            tracing::error!(%error, "no access token could be made");
            status::internal()
        })?;
        Ok(pb::ExchangeTokenResponse {
            access_token,
            expire_time: DateTime::from_timestamp(end, 0).map(timestamp),
            user_id: key.user.to_string(),
            account_id: key.account.to_string(),
            session: None,
        })
    }
}

fn stands(world: &Snapshot, facts: &TokenFacts, now: DateTime<Utc>) -> Result<(), Status> {
    let key = &facts.token;
    let user = world.user(key.user).filter(|user| user.enabled);
    let user = user.ok_or(BadCredential::Revoked(Gone::User))?;
    if world.effective_status(user.account) != Some(EffectiveStatus::Active) {
        return Err(crate::decision::Refused::AccountNotActive.into());
    }
    if facts.is_live(now) { Ok(()) } else { Err(BadCredential::Expired.into()) }
}
