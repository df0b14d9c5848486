//! The Session service: sessions, how they go on and end, and acting as somebody else.

mod exchange;
mod issue;
mod sign_in;
mod single;

use tonic::{Request, Response, Status};

use super::shared::{Done, Reader, Shared, open, reader, with_revision};
use super::wire::{field, timestamp};
use crate::crypto::secret;
use crate::crypto::token::{self, Secret, TokenKind};
use crate::decision::{Caller, lives, sees_user};
use crate::layers::{BadCredential, Call, Source};
use crate::model::{ChangeKind, Session, SessionId, SessionKind, UserId};
use crate::proto::v1 as pb;
use crate::store::{Assuming, Refreshed, session_etag};
use issue::no_randomness;

/// Opens, lists, ends sessions.
#[derive(Debug, Clone)]
pub struct SessionApi(pub Shared);

#[tonic::async_trait]
impl pb::session_service_server::SessionService for SessionApi {
    async fn create_session(
        &self,
        request: Request<pb::CreateSessionRequest>,
    ) -> Result<Response<pb::CreateSessionResponse>, Status> {
        let agent = issue::user_agent(request.metadata());
        let (call, request) = open(request)?;
        self.sign_in(request, call.source, agent).await.map(Response::new)
    }

    async fn refresh_session(
        &self,
        request: Request<pb::RefreshSessionRequest>,
    ) -> Result<Response<pb::RefreshSessionResponse>, Status> {
        let (call, request) = open(request)?;
        let session = self.refresh(&request.refresh_token, &call).await?;
        Ok(Response::new(pb::RefreshSessionResponse { session: Some(session) }))
    }

    async fn exchange_token(
        &self,
        request: Request<pb::ExchangeTokenRequest>,
    ) -> Result<Response<pb::ExchangeTokenResponse>, Status> {
        let agent = issue::user_agent(request.metadata());
        let (call, request) = open(request)?;
        self.exchange(request, call.source, agent).await.map(Response::new)
    }

    async fn revoke_session(
        &self,
        request: Request<pb::RevokeSessionRequest>,
    ) -> Result<Response<pb::RevokeSessionResponse>, Status> {
        let (call, request) = open(request)?;
        let id: SessionId = field("session_id", &request.session_id)?;
        let user = user_of(&call)?;
        let act = self.0.change(call, move |tx, _| {
            Box::pin(async move { tx.end_session(user, id, &request.etag).await.map(drop) })
        });
        let done = act.await?;
        Ok(done.respond(pb::RevokeSessionResponse {
            consistency_token: done.consistency_token(),
            preview: done.preview(),
        }))
    }

    async fn list_sessions(
        &self,
        request: Request<pb::ListSessionsRequest>,
    ) -> Result<Response<pb::ListSessionsResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let page = self.0.page::<SessionId>(&call, request.page_size, &request.page_token)?;
        let (user, size, limit) = (user_of(&call)?, page.size, page.limit());
        let mut found = self.0.store.sessions_of(user, page.after, limit).await?;
        let next = self.0.cut(&call, &mut found, size, |session| session.id);
        let now = self.0.clock.now();
        // What was ended is over, whether its row is gone or not.
        let live = found.into_iter().filter(|session| lives(&by.there, session, now));
        let sessions = live.map(|session| wire(session, Some(&by.caller))).collect();
        let reply = pb::ListSessionsResponse { sessions, next_page_token: next };
        Ok(with_revision(Response::new(reply), &by.there))
    }

    async fn revoke_all_sessions(
        &self,
        request: Request<pb::RevokeAllSessionsRequest>,
    ) -> Result<Response<pb::RevokeAllSessionsResponse>, Status> {
        let (call, request) = open(request)?;
        let user = user_of(&call)?;
        let act = self.0.change(call, move |tx, _| {
            Box::pin(async move {
                let kind = ChangeKind::SessionRevokeAll;
                tx.end_sessions(user, None, kind, &request.etag).await
            })
        });
        let done = act.await?;
        Ok(done.respond(pb::RevokeAllSessionsResponse {
            consistency_token: done.consistency_token(),
            preview: done.preview(),
        }))
    }

    async fn assume_user(
        &self,
        request: Request<pb::AssumeUserRequest>,
    ) -> Result<Response<pb::AssumeUserResponse>, Status> {
        let agent = issue::user_agent(request.metadata());
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let id = user_of(&call)?;
        let source = (call.source.clone(), agent);
        let act = self.0.change(call, move |tx, caller| {
            Box::pin(async move {
                tx.assume_user(caller, id, request.reason, &request.etag, source).await
            })
        });
        let done = act.await?;
        let session = self.assumed(&by, &done).await?;
        Ok(done.respond(pb::AssumeUserResponse {
            session,
            consistency_token: done.consistency_token(),
            preview: done.preview(),
        }))
    }

    async fn change_password(
        &self,
        request: Request<pb::ChangePasswordRequest>,
    ) -> Result<Response<pb::ChangePasswordResponse>, Status> {
        self.0.change_password(request).await
    }

    async fn request_password_reset(
        &self,
        request: Request<pb::RequestPasswordResetRequest>,
    ) -> Result<Response<pb::RequestPasswordResetResponse>, Status> {
        self.0.request_password_reset(request).await
    }

    async fn reset_password(
        &self,
        request: Request<pb::ResetPasswordRequest>,
    ) -> Result<Response<pb::ResetPasswordResponse>, Status> {
        self.0.reset_password(request).await
    }

    async fn send_password_reset(
        &self,
        request: Request<pb::SendPasswordResetRequest>,
    ) -> Result<Response<pb::SendPasswordResetResponse>, Status> {
        self.0.send_password_reset(request).await
    }
}

impl SessionApi {
    async fn refresh(&self, text: &str, call: &Call) -> Result<pb::Session, Status> {
        let invalid = || Status::from(BadCredential::Invalid);
        let parsed = token::parse(text).ok().filter(|token| token.kind() == TokenKind::Ref);
        let digest = parsed.ok_or_else(invalid)?.digest(&self.0.keys);
        // Each that is unknown costs a read.
        let strangers = self.0.credentials.strangers(Source::Address(&call.source))?;
        let Some(session) = self.0.store.session_of_refresh(&digest).await? else {
            strangers.one_more();
            return Err(invalid());
        };
        // Whoever may not sign in any more does not go on either.
        let world = self.0.feed.tenant(session.tenant).await?;
        if !issue::stands(&world, &session) {
            return Err(invalid());
        }
        let next = Secret::mint(TokenKind::Ref, secret::system).map_err(no_randomness)?;
        match self.0.store.refresh_session(&digest, next.digest(&self.0.keys)).await? {
            Refreshed::Unknown | Refreshed::Over => Err(invalid()),
            Refreshed::Reused(session) => {
                self.end_family(session, call.source.clone()).await?;
                Err(invalid())
            }
            Refreshed::Done(session) => self.issue(session, Some(next)).await,
        }
    }

    /// Ends a session of which somebody has a copy: nobody can tell which of the two is the user.
    async fn end_family(&self, session: Session, source: String) -> Result<(), Status> {
        tracing::warn!(session = %session.id, user = %session.user, "a refresh token was used twice");
        let (tenant, what) = (session.tenant, "refresh");
        let done = self.0.feed.change(tenant, what, Some(source), move |tx| {
            Box::pin(async move { tx.close_session(&session, ChangeKind::SessionReuse).await })
        });
        Ok(done.await?)
    }

    /// Shows an assumed session: with its token where it was just opened, and of a repeat if it can still be seen.
    async fn assumed(
        &self,
        by: &Reader,
        done: &Done<Assuming>,
    ) -> Result<Option<pb::Session>, Status> {
        let Assuming { session: id, user } = done.outcome;
        if done.dry_run {
            let kind = pb::SessionKind::Assumed.into();
            let actor_user_id = by.caller.user.to_string();
            let user_id = user.to_string();
            return Ok(Some(pb::Session { kind, actor_user_id, user_id, ..Default::default() }));
        }
        let now = self.0.clock.now();
        let sees = || sees_user(&by.caller, &by.home, &done.world, user, now);
        if done.hidden || (done.repeat && !sees()) {
            return Ok(None);
        }
        let Some(session) = self.0.store.session(id).await? else { return Ok(None) };
        if done.repeat {
            return Ok(Some(wire(session, None)));
        }
        self.issue_assumed(session, &by.caller).await.map(Some)
    }
}

/// Returns the user that a request is about: the named one or the caller, as the rule saw it.
fn user_of(call: &Call) -> Result<UserId, Status> {
    field("user_id", call.ask.fields().text("user_id").unwrap_or_default())
}

const fn wire_kind(kind: SessionKind) -> pb::SessionKind {
    match kind {
        SessionKind::Password => pb::SessionKind::Password,
        SessionKind::Assumed => pb::SessionKind::Assumed,
        SessionKind::Sso => pb::SessionKind::Sso,
    }
}

fn wire(session: Session, by: Option<&Caller>) -> pb::Session {
    let current = by.and_then(|by| by.session).is_some_and(|current| current.id == session.id);
    pb::Session {
        etag: session_etag(&session),
        session_id: session.id.to_string(),
        user_id: session.user.to_string(),
        account_id: session.account.to_string(),
        kind: wire_kind(session.kind).into(),
        actor_user_id: session.actor.map(|id| id.to_string()).unwrap_or_default(),
        create_time: Some(timestamp(session.create_time)),
        last_used_time: Some(timestamp(session.last_used_time)),
        expire_time: Some(timestamp(session.expire_time)),
        source: session.source,
        user_agent: session.user_agent,
        current,
        ..Default::default()
    }
}
