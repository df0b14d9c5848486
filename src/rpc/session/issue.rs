//! Giving out access tokens.

use chrono::{DateTime, Utc};
use tonic::Status;
use tonic::metadata::MetadataMap;
use uuid::Uuid;

use super::{SessionApi, wire};
use crate::crypto::jwt::{AccessClaims, Act};
use crate::crypto::secret::NoRandomness;
use crate::crypto::token::Secret;
use crate::decision::{Caller, Snapshot};
use crate::layers::{ACCESS, status};
use crate::model::{EffectiveStatus, Session, SessionKind};
use crate::proto::v1 as pb;
use crate::rpc::wire::timestamp;

/// The most that is kept of what a program calls itself, in characters.
const AGENT: usize = 256;

impl SessionApi {
    /// Shows a session with new tokens.
    pub(super) async fn issue(
        &self,
        session: Session,
        refresh: Option<Secret>,
    ) -> Result<pb::Session, Status> {
        let end = session.expire_time.min(self.0.clock.now() + ACCESS);
        let shown = self.sign(session, None, end).await?;
        let refresh_token = refresh.map(|secret| secret.expose().to_owned()).unwrap_or_default();
        Ok(pb::Session { refresh_token, ..shown })
    }

    /// Shows an assumed session with its one token, which nothing renews.
    pub(super) async fn issue_assumed(
        &self,
        session: Session,
        actor: &Caller,
    ) -> Result<pb::Session, Status> {
        let act = Act {
            sub: actor.user,
            acc: actor.account,
            ten: actor.tenant,
            sid: actor.session.map(|session| (session.id, session.auth_time.timestamp())),
            tok: actor.token,
        };
        let end = session.expire_time;
        self.sign(session, Some(act), end).await
    }

    async fn sign(
        &self,
        session: Session,
        act: Option<Act>,
        end: DateTime<Utc>,
    ) -> Result<pb::Session, Status> {
        let access = self.0.credentials.access();
        let now = self.0.clock.now().timestamp();
        let claims = AccessClaims {
            iss: access.parties.issuer.clone(),
            aud: access.parties.audience.clone(),
            sub: session.user,
            acc: session.account,
            ten: session.tenant,
            iat: now,
            nbf: now,
            exp: end.timestamp(),
            jti: jti()?,
            sid: Some(session.id),
            key: None,
            auth_time: session.auth_time.timestamp(),
            act,
            scope: None,
        };
        let signer = access.signing.signer().await?;
        let token = signer.sign(&claims).map_err(|error| {
            tracing::error!(%error, "no access token could be made");
            status::internal()
        })?;
        let expires = DateTime::from_timestamp(claims.exp, 0).map(timestamp);
        let shown = wire(session, None);
        Ok(pb::Session {
            access_token: token,
            access_token_expire_time: expires,
            current: true,
            ..shown
        })
    }
}

/// Makes a name that no other token has.
pub(super) fn jti() -> Result<String, Status> {
    let bytes = crate::crypto::secret::bytes::<16>(crate::crypto::secret::system);
    Ok(Uuid::from_bytes(bytes.map_err(no_randomness)?).to_string())
}

pub(super) fn no_randomness(error: NoRandomness) -> Status {
    tracing::error!(%error, "no secret could be made");
    status::internal()
}

/// Returns whether a session's user could still sign in.
pub(super) fn stands(world: &Snapshot, session: &Session) -> bool {
    world.user(session.user).is_some_and(|user| {
        let by_issuer = session.kind == SessionKind::Sso;
        user.enabled
            && user.sso == by_issuer
            && !user.voids(session.id, session.auth_time)
            && world.effective_status(user.account) == Some(EffectiveStatus::Active)
    })
}

/// Returns what a program calls itself.
pub(super) fn user_agent(metadata: &MetadataMap) -> String {
    let agent = metadata.get("user-agent").and_then(|agent| agent.to_str().ok());
    agent.unwrap_or_default().chars().take(AGENT).collect()
}
