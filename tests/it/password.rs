//! Passwords: what one must be, how one is set and changed, and what becomes of whoever guesses. Cases R61 and R62 of `credentials.yaml`
//! and V28 of `voximplant.yaml` are among them.

mod changing;
mod guessing;
mod inviting;
mod mailing;
mod policy;
mod resetting;
mod sending;
mod sinks;
mod timing;

use chancery::proto::v1 as pb;
use serde_json::Value;
use tonic::{Code, Status};

use crate::support::{Engine, Person, Service, refused};
use sinks::Hook;

/// A password that nobody guesses.
const GOOD: &str = "kaufhaus tiger lampe";
/// And another.
const OTHER: &str = "regen zwiebel turm 9";
/// Where links may lead back to.
const BACK: &str = "https://app.example/welcome";

/// A service whose messages arrive at a program of the test's.
async fn start(engine: &Engine) -> (Service, Hook) {
    start_with(engine, &[]).await
}

pub(crate) async fn start_with(
    engine: &Engine,
    settings: &[(&'static str, &str)],
) -> (Service, Hook) {
    let hook = Hook::start().await;
    let mut all = vec![
        ("limits.changes_per_minute", "0"),
        ("links.return_uris", BACK),
        ("base_url", "https://id.example/"),
        ("mail.sender", "webhook"),
        ("mail.webhook_url", hook.url.as_str()),
        ("mail.webhook_secret", "of the hook"),
    ];
    all.extend(settings);
    (Service::start_with(engine, &all).await, hook)
}

/// What is to be made: somebody with an address.
fn somebody(name: &str) -> pb::User {
    pb::User {
        user_name: Some(name.to_owned()),
        email: Some(format!("{name}@example.com")),
        root_user: true,
        ..Default::default()
    }
}

async fn made(service: &Service, account: &str, user: pb::User) -> pb::User {
    let request = pb::CreateUserRequest {
        account_id: account.to_owned(),
        user: Some(user),
        ..Default::default()
    };
    let made = service.users(&service.root).create_user(request).await.unwrap();
    made.into_inner().user.unwrap()
}

/// Makes somebody with an address, takes the invitation from the hook, and gives it a token.
pub(crate) async fn invited(
    service: &Service,
    hook: &Hook,
    account: &str,
    name: &str,
) -> (Person, String) {
    let user = made(service, account, somebody(name)).await;
    let link = token(&hook.next().await);
    let (token_id, token) = service.mint(&user.user_id, &["*"]).await;
    let person = Person { user_id: user.user_id, account_id: account.to_owned(), token, token_id };
    (person, link)
}

/// Makes somebody with a password.
async fn with_password(service: &Service, hook: &Hook, account: &str, name: &str) -> Person {
    let user = made(service, account, somebody(name)).await;
    set(service, &token(&hook.next().await), GOOD).await.unwrap();
    let (token_id, token) = service.mint(&user.user_id, &["*"]).await;
    Person { user_id: user.user_id, account_id: account.to_owned(), token, token_id }
}

/// The token in a message.
fn token(message: &Value) -> String {
    message["token"].as_str().unwrap().to_owned()
}

/// Sets a password by a link.
async fn set(service: &Service, token: &str, password: &str) -> Result<(), Status> {
    let (token, password) = (token.to_owned(), password.to_owned());
    let request = pb::ResetPasswordRequest { token, password };
    service.sessions(&nobody()).reset_password(request).await.map(drop)
}

/// Asks for a link.
async fn ask(service: &Service, account: &str, name: &str) -> Result<(), Status> {
    let request = pb::RequestPasswordResetRequest {
        account: account.to_owned(),
        user_name: name.to_owned(),
        ..Default::default()
    };
    service.sessions(&nobody()).request_password_reset(request).await.map(drop)
}

/// Changes one's own password, and nothing else.
async fn change(service: &Service, by: &Person, old: &str, new: &str) -> Result<(), Status> {
    let request = pb::ChangePasswordRequest {
        current_password: old.to_owned(),
        new_password: new.to_owned(),
        keep_api_tokens: true,
    };
    let by = by.with(&service.session(by).await);
    service.sessions(&by).change_password(request).await.map(drop)
}

/// Asserts what somebody's password is, and what it is not.
async fn has(service: &Service, person: &Person, password: &str, not: &str) {
    let wrong = change(service, person, not, not).await;
    refused(wrong, Code::Unauthenticated, "WRONG_PASSWORD");
    change(service, person, password, password).await.unwrap();
}

fn nobody() -> Person {
    let none = String::new;
    Person { user_id: none(), account_id: none(), token: none(), token_id: none() }
}
