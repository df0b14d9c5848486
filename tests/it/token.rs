//! API tokens: made, rotated, ended, told. Cases R54 to R56 of `credentials.yaml` are among them.

mod ending;
mod expiring;
mod listing;
mod minting;
mod rotating;
mod scopes;
mod telling;

use chancery::proto::v1 as pb;

use crate::support::{Person, Service, stranger};

/// An id of a token that nobody has.
const NO_TOKEN: &str = "tok_01h00000000000000000000000";
/// A request's name.
const REQUEST: &str = "2f1b8a5e-6c1d-4a57-9a0c-0c6d1f1f4b11";

/// Asks for a token of oneself.
fn own(scopes: &[&str]) -> pb::CreateApiTokenRequest {
    pb::CreateApiTokenRequest {
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        ..Default::default()
    }
}

/// Asks for a token of somebody else.
fn of(person: &Person, scopes: &[&str]) -> pb::CreateApiTokenRequest {
    pb::CreateApiTokenRequest { user_id: person.user_id.clone(), ..own(scopes) }
}

fn named(name: &str) -> pb::CreateApiTokenRequest {
    pb::CreateApiTokenRequest { display_name: name.to_owned(), ..Default::default() }
}

fn by_id(token_id: &str) -> pb::DeleteApiTokenRequest {
    pb::DeleteApiTokenRequest { token_id: token_id.to_owned(), ..Default::default() }
}

fn by_secret(token: &str) -> pb::DeleteApiTokenRequest {
    pb::DeleteApiTokenRequest { token: token.to_owned(), ..Default::default() }
}

/// Makes a token, and returns its user as whoever calls with it.
async fn made(
    service: &Service,
    by: &Person,
    request: pb::CreateApiTokenRequest,
) -> (pb::ApiToken, Person) {
    let made = service.tokens(by).create_api_token(request).await.unwrap().into_inner();
    let token = made.api_token.unwrap();
    let caller = Person {
        user_id: token.user_id.clone(),
        account_id: token.account_id.clone(),
        token: made.secret,
        token_id: token.token_id.clone(),
    };
    (token, caller)
}

/// Lists the tokens of a user, as the root.
async fn tokens_of(service: &Service, user_id: &str) -> Vec<pb::ApiToken> {
    let request = pb::ListApiTokensRequest { user_id: user_id.to_owned(), ..Default::default() };
    let listed = service.tokens(&service.root).list_api_tokens(request).await.unwrap();
    listed.into_inner().api_tokens
}

/// Calls with a token what every user may call.
async fn called(
    service: &Service,
    by: &Person,
) -> Result<pb::ListApiTokensResponse, tonic::Status> {
    let own = pb::ListApiTokensRequest::default();
    service.tokens(by).list_api_tokens(own).await.map(tonic::Response::into_inner)
}

async fn is_valid(service: &Service, token: &str) -> bool {
    let nobody = Person { token: String::new(), ..service.root.clone() };
    let request = pb::ValidateTokenRequest { token: token.to_owned() };
    service.tokens(&nobody).validate_token(request).await.unwrap().into_inner().valid
}

/// Asks what the bearer of a token may, as the root.
async fn decides(
    service: &Service,
    token: &str,
    action: &str,
    kind: &str,
    id: &str,
) -> (bool, pb::Reason) {
    let mut request = crate::support::ask("", action, kind, id);
    request.subject = Some(pb::Subject { token: token.to_owned(), ..Default::default() });
    let answer = service.authorization(&service.root).authorize(request).await.unwrap();
    let answer = answer.into_inner();
    (answer.decision, answer.reason())
}
