//! Sessions: how they go on, how they end, and acting as somebody else.

mod access;
mod asserted;
mod assuming;
mod doors;
mod ending;
mod keyed;
mod keys;
mod minting;
mod refreshing;
mod signing_in;
mod single;

use chancery::proto::v1 as pb;
use tonic::Status;

use crate::support::{Person, Service};

/// Calls what every user may call.
async fn called(service: &Service, by: &Person) -> Result<pb::ListSessionsResponse, Status> {
    let own = pb::ListSessionsRequest::default();
    service.sessions(by).list_sessions(own).await.map(tonic::Response::into_inner)
}

/// Lists a user's sessions, as the root.
async fn sessions_of(service: &Service, of: &Person) -> Vec<pb::Session> {
    let request = pb::ListSessionsRequest { user_id: of.user_id.clone(), ..Default::default() };
    let listed = service.sessions(&service.root).list_sessions(request).await.unwrap();
    listed.into_inner().sessions
}

async fn is_valid(service: &Service, token: &str) -> bool {
    let nobody = Person { token: String::new(), ..service.root.clone() };
    let request = pb::ValidateTokenRequest { token: token.to_owned() };
    service.tokens(&nobody).validate_token(request).await.unwrap().into_inner().valid
}

async fn introspected(service: &Service, token: &str) -> pb::IntrospectTokenResponse {
    let request = pb::IntrospectTokenRequest { token: token.to_owned() };
    service.tokens(&service.root).introspect_token(request).await.unwrap().into_inner()
}

/// Asks as the root what the bearer of a token may.
async fn decides(
    service: &Service,
    token: &str,
    action: &str,
    user: &Person,
) -> pb::AuthorizeResponse {
    let path = format!("account/{}/user/{}", user.account_id, user.user_id);
    let mut request = crate::support::ask("", action, "user", &path);
    request.subject = Some(pb::Subject { token: token.to_owned(), ..Default::default() });
    let answer = service.authorization(&service.root).authorize(request).await.unwrap();
    answer.into_inner()
}

fn revoke(session: &pb::Session) -> pb::RevokeSessionRequest {
    pb::RevokeSessionRequest {
        session_id: session.session_id.clone(),
        user_id: session.user_id.clone(),
        ..Default::default()
    }
}

fn revoke_all(of: &Person) -> pb::RevokeAllSessionsRequest {
    pb::RevokeAllSessionsRequest { user_id: of.user_id.clone(), ..Default::default() }
}

fn assume(whom: &Person) -> pb::AssumeUserRequest {
    pb::AssumeUserRequest {
        user_id: whom.user_id.clone(),
        reason: "ticket 7".to_owned(),
        ..Default::default()
    }
}

/// Acts as somebody; returns whoever calls so.
async fn assumed(service: &Service, by: &Person, whom: &Person) -> (pb::Session, Person) {
    let reply = service.sessions(by).assume_user(assume(whom)).await.unwrap().into_inner();
    let session = reply.session.unwrap();
    let person = whom.with(&session);
    (session, person)
}
