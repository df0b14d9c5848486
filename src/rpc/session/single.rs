//! Opening a session with what an identity provider says (`edges.md` §2, SSO).

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tonic::{Code, Status};

use super::SessionApi;
use super::sign_in::Opening;
use crate::crypto::jwt::{IdClaims, IdToken};
use crate::crypto::token;
use crate::decision::{Principal, Snapshot};
use crate::issuers::{BadIdToken, Issuer};
use crate::layers::{BadCredential, Source, status};
use crate::model::{AccountId, Identity, SessionKind, UserId, UserKind};
use crate::proto::v1 as pb;

/// What the ledger would name if there were no request.
const EXCHANGE: &str = "exchange";

impl SessionApi {
    pub(super) async fn sign_in_by_issuer(
        &self,
        text: &str,
        source: String,
        user_agent: String,
    ) -> Result<pb::ExchangeTokenResponse, Status> {
        // Each that is none costs a verification.
        let strangers = self.0.credentials.strangers(Source::Address(&source))?;
        let verified = self.verified(text).await;
        let (issuer, said) = verified.inspect_err(|status| {
            if status.code() == Code::Unauthenticated {
                strangers.one_more();
            }
        })?;
        let home = self.0.home_of(issuer.account()).await?;
        let Some((account, world)) = home else {
            let (issuer, account) = (&said.issuer, issuer.account());
            tracing::warn!(
                issuer,
                account,
                "nobody signs in by an issuer whose account is not active"
            );
            return Err(status::sign_in_failed());
        };
        // What was proved before all sessions of the user were ended opens none.
        let proof = said.auth_time.min(self.0.clock.now().timestamp());
        let auth_time = DateTime::from_timestamp(proof, 0).ok_or_else(status::sign_in_failed)?;
        let tenant = world.tenant();
        let user = self.user_of(said, (tenant, account), auth_time, &source).await?;
        let (world, user) = user.ok_or_else(status::sign_in_failed)?;
        let kind = SessionKind::Sso;
        let opening = Opening { kind, auth_time, sliding: false, source, user_agent };
        let session = self.open_session(&world, &user, opening).await?;
        Ok(pb::ExchangeTokenResponse {
            access_token: session.access_token.clone(),
            expire_time: session.access_token_expire_time,
            user_id: session.user_id.clone(),
            account_id: session.account_id.clone(),
            session: Some(session),
        })
    }

    /// Verifies an ID token, which counts once, here and at every other replica.
    async fn verified(&self, text: &str) -> Result<(&Issuer, IdClaims), Status> {
        let token = IdToken::read(text).map_err(BadCredential::from)?;
        let issuer = self.0.issuers.find(token.issuer()).ok_or(BadCredential::Invalid)?;
        let said = issuer.verify(&token, self.0.clock.now()).await.map_err(told)?;
        let name = token::digest(&self.0.keys, token.signed());
        let end = DateTime::from_timestamp(said.end, 0).ok_or(BadCredential::Invalid)?;
        if self.0.store.use_id_token(name, end).await? {
            return Ok((issuer, said));
        }
        tracing::warn!(issuer = said.issuer, "an ID token was used twice");
        Err(BadCredential::Invalid.into())
    }

    /// Finds who it is of whom an issuer speaks, and who may sign in by it.
    async fn user_of(
        &self,
        said: IdClaims,
        (tenant, account): (AccountId, AccountId),
        auth_time: DateTime<Utc>,
        source: &str,
    ) -> Result<Option<(Arc<Snapshot>, Arc<Principal>)>, Status> {
        let identity = Identity { issuer: said.issuer, subject: said.subject };
        let mut found = self.0.store.user_of_identity(account, &identity).await?;
        if found.is_none() {
            let email = said.address.unwrap_or_default();
            found = self.link((tenant, account), identity, email, auth_time, source).await?;
        }
        let Some(id) = found else { return Ok(None) };
        let feed = &self.0.feed;
        let mut world = feed.tenant(tenant).await?;
        if world.user(id).is_none_or(|user| !user.sso) {
            // Made elsewhere a moment ago.
            world = feed.fresh(tenant).await?;
        }
        let stands = |user: &&Arc<Principal>| {
            let void = user.session_marks.as_ref().and_then(|marks| marks.void_until);
            let void = void.is_some_and(|until| auth_time <= until);
            let may = user.enabled && user.sso && user.kind != UserKind::Service;
            may && user.account == account && !void
        };
        let user = world.user(id).filter(stands).cloned();
        Ok(user.map(|user| (world, user)))
    }

    /// Finds who waits to be known by an e-mail address, and keeps that it is this from now on.
    async fn link(
        &self,
        (tenant, account): (AccountId, AccountId),
        identity: Identity,
        email: String,
        auth_time: DateTime<Utc>,
        source: &str,
    ) -> Result<Option<UserId>, Status> {
        // Of strangers, whom an issuer may have many of, no write is opened.
        if email.is_empty() || self.0.store.user_awaiting(account, &email).await?.is_none() {
            // Nobody waits any more who has signed in so in the meantime.
            return Ok(self.0.store.user_of_identity(account, &identity).await?);
        }
        let done = self.0.feed.change(tenant, EXCHANGE, Some(source.to_owned()), move |tx| {
            Box::pin(async move { tx.link_identity(account, identity, &email, auth_time).await })
        });
        Ok(done.await?)
    }
}

fn told(bad: BadIdToken) -> Status {
    match bad {
        BadIdToken::Invalid => BadCredential::Invalid.into(),
        BadIdToken::Expired => BadCredential::Expired.into(),
        BadIdToken::Away => status::issuer_away(),
    }
}
