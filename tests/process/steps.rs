//! `kill -9` between any two steps of a refresh, a rotation or a reset: whoever was in the middle of it goes on, and nothing
//! is good twice (`model.md` §9).

use std::sync::{Arc, Mutex};

use chancery::model::SystemClock;
use chancery::proto::v1 as pb;
use chancery::store::{Store, StoreConfig};
use pb::account_service_client::AccountServiceClient;
use pb::session_service_client::SessionServiceClient;
use pb::token_service_client::TokenServiceClient;
use pb::user_service_client::UserServiceClient;
use tempfile::TempDir;
use tokio::time::timeout;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::server::{Dice, PATIENCE, Server, connect, prepare};
use crate::sinks::Hook;
use crate::support::{Engine, engines, refused};

/// Of each of the three, on each store.
const KILLS: u64 = 5;
const SEED: u64 = 0x05e5_510f;
const FIRST: &str = "kaufhaus tiger lampe";
const SECOND: &str = "regen zwiebel turm 9";
const THIRD: &str = "fenster rakete moos 4";

/// A store, the server on it, and where its messages go.
struct Stage {
    url: String,
    folder: TempDir,
    hook: Hook,
    token: String,
    tenant: String,
    server: Server,
    store: Store,
    dice: Dice,
}

impl Stage {
    async fn new(engine: &Engine) -> Self {
        let folder = TempDir::new().unwrap();
        let url = engine.fresh(&folder).await;
        let hook = Hook::start().await;
        let token = prepare(&url, folder.path(), &[]);
        let server = Server::start(&url, folder.path(), &mail(&hook.url));
        let config = StoreConfig { url: url.clone(), ..StoreConfig::default() };
        let store = Store::open(&config, Arc::new(SystemClock)).await.unwrap();
        let request = pb::CreateAccountRequest {
            parent_account_id: store.root().await.unwrap().unwrap().to_string(),
            account: Some(pb::Account {
                display_name: Some("Acme".to_owned()),
                ..Default::default()
            }),
            ..Default::default()
        };
        let mut accounts = AccountServiceClient::new(connect(&server.address, &token).await);
        let made = accounts.create_account(request).await.unwrap().into_inner();
        let tenant = made.account.unwrap().account_id;
        Self { url, folder, hook, token, tenant, server, store, dice: Dice(SEED) }
    }

    /// Lets `work` come so far as chance has it, then kills the server and starts it again.
    async fn killed_during<T>(&mut self, work: impl Future<Output = T> + Send + 'static) -> T
    where
        T: Send + 'static,
    {
        let work = tokio::spawn(work);
        let tenant = [self.tenant.parse().unwrap()];
        for _ in 0..self.dice.roll(120) {
            self.store.heads(&tenant).await.unwrap();
        }
        self.server.kill();
        let result = timeout(PATIENCE, work).await.expect("it goes on without a server").unwrap();
        self.server = Server::start(&self.url, self.folder.path(), &mail(&self.hook.url));
        result
    }

    /// Makes a user, and sets its first password by the invitation.
    async fn person(&self, name: &str) -> String {
        let user = pb::User {
            user_name: Some(name.to_owned()),
            email: Some(format!("{name}@example.com")),
            root_user: true,
            ..Default::default()
        };
        let user_id = self.user(user).await;
        let link = self.link(name).await;
        self.set(&link, FIRST).await.unwrap();
        user_id
    }

    async fn user(&self, user: pb::User) -> String {
        let request = pb::CreateUserRequest {
            account_id: self.tenant.clone(),
            user: Some(user),
            ..Default::default()
        };
        let with = connect(&self.server.address, &self.token).await;
        let made = UserServiceClient::new(with).create_user(request).await.unwrap();
        made.into_inner().user.unwrap().user_id
    }

    async fn link(&self, name: &str) -> String {
        loop {
            let message = self.hook.next().await;
            if message["user_name"] == name {
                return message["token"].as_str().unwrap().to_owned();
            }
        }
    }

    async fn set(&self, link: &str, password: &str) -> Result<(), Status> {
        set(&self.server.address, link, password).await
    }

    async fn sign_in(&self, name: &str, password: &str) -> Result<pb::Session, Status> {
        let request = pb::CreateSessionRequest {
            account: self.tenant.clone(),
            user_name: name.to_owned(),
            password: password.to_owned(),
            stay_logged_in: false,
        };
        let mut sessions = SessionServiceClient::new(connect(&self.server.address, "").await);
        Ok(sessions.create_session(request).await?.into_inner().session.unwrap())
    }
}

fn mail(hook: &str) -> [(&'static str, &str); 3] {
    [
        ("CHANCERY_MAIL__SENDER", "webhook"),
        ("CHANCERY_MAIL__WEBHOOK_URL", hook),
        ("CHANCERY_MAIL__WEBHOOK_SECRET", "of the hook"),
    ]
}

async fn set(address: &str, link: &str, password: &str) -> Result<(), Status> {
    let (token, password) = (link.to_owned(), password.to_owned());
    let request = pb::ResetPasswordRequest { token, password };
    let mut sessions = SessionServiceClient::new(connect(address, "").await);
    sessions.reset_password(request).await.map(drop)
}

async fn refresh(address: &str, token: &str) -> Result<pb::Session, Status> {
    let request = pb::RefreshSessionRequest { refresh_token: token.to_owned() };
    let mut sessions = SessionServiceClient::new(connect(address, "").await);
    Ok(sessions.refresh_session(request).await?.into_inner().session.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_refreshing_a_session_goes_on_and_no_refresh_token_is_good_twice() {
    for engine in engines() {
        let mut stage = Stage::new(&engine).await;
        stage.person("ann").await;
        for _ in 0..KILLS {
            let session = stage.sign_in("ann", FIRST).await.unwrap();
            let address = stage.server.address.clone();
            let last = stage
                .killed_during(async move {
                    let mut token = session.refresh_token;
                    while let Ok(next) = attempt(&address, &token).await {
                        token = next;
                    }
                    token
                })
                .await;
            let at = stage.server.address.clone();
            let next = refresh(&at, &last).await.unwrap().refresh_token;
            let newest = refresh(&at, &next).await.unwrap().refresh_token;
            refused(refresh(&at, &last).await, Code::Unauthenticated, "TOKEN_INVALID");
            // It was in two hands: the session is over.
            refused(refresh(&at, &newest).await, Code::Unauthenticated, "TOKEN_INVALID");
        }
    }
}

/// Refreshes once, over a connection that may be gone.
async fn attempt(address: &str, token: &str) -> Result<String, ()> {
    let endpoint = tonic::transport::Channel::from_shared(format!("http://{address}")).unwrap();
    let channel = endpoint.connect().await.map_err(drop)?;
    let request = pb::RefreshSessionRequest { refresh_token: token.to_owned() };
    let reply = SessionServiceClient::new(channel).refresh_session(request).await;
    Ok(reply.map_err(drop)?.into_inner().session.unwrap().refresh_token)
}

/// A token that a service user calls with, by which it makes the next one.
#[derive(Debug, Clone)]
struct Held {
    id: String,
    secret: String,
}

async fn rotate(address: &str, held: &Held, request_id: Uuid) -> Result<Held, Status> {
    let request = pb::RotateApiTokenRequest {
        token_id: held.id.clone(),
        overlap: Some(prost_types::Duration { seconds: 3600, nanos: 0 }),
        request_id: request_id.to_string(),
        ..Default::default()
    };
    let mut tokens = TokenServiceClient::new(connect(address, &held.secret).await);
    let made = tokens.rotate_api_token(request).await?.into_inner();
    Ok(Held { id: made.api_token.unwrap().token_id, secret: made.secret })
}

async fn end(address: &str, by: &Held, token_id: &str) -> Result<(), Status> {
    let request = pb::DeleteApiTokenRequest { token_id: token_id.to_owned(), ..Default::default() };
    let mut tokens = TokenServiceClient::new(connect(address, &by.secret).await);
    tokens.delete_api_token(request).await.map(drop)
}

async fn live(address: &str, by: &Held) -> Vec<String> {
    let mut tokens = TokenServiceClient::new(connect(address, &by.secret).await);
    let listed = tokens.list_api_tokens(pb::ListApiTokensRequest::default()).await.unwrap();
    listed.into_inner().api_tokens.into_iter().map(|token| token.token_id).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_rotating_its_token_goes_on_and_no_secret_is_shown_twice() {
    for engine in engines() {
        let mut stage = Stage::new(&engine).await;
        let user = pb::User {
            user_name: Some("robot".to_owned()),
            kind: Some(pb::UserKind::Service.into()),
            root_user: true,
            ..Default::default()
        };
        let create = pb::CreateApiTokenRequest {
            user_id: stage.user(user).await,
            display_name: "nightly".to_owned(),
            ..Default::default()
        };
        let with = connect(&stage.server.address, &stage.token).await;
        let made = TokenServiceClient::new(with).create_api_token(create).await.unwrap();
        let made = made.into_inner();
        let mut held = Held { id: made.api_token.unwrap().token_id, secret: made.secret };
        for _ in 0..KILLS {
            let address = stage.server.address.clone();
            let asked = Uuid::new_v4();
            let progress = Arc::new(Mutex::new(held.clone()));
            let told = Arc::clone(&progress);
            stage
                .killed_during(async move {
                    let old = told.lock().unwrap().clone();
                    // A panic is what becomes of whoever connects to what is gone; so is a refusal.
                    let step = tokio::spawn(async move {
                        let new = rotate(&address, &old, asked).await?;
                        *told.lock().unwrap() = new.clone();
                        end(&address, &new, &old.id).await
                    });
                    drop(step.await);
                })
                .await;
            let at = stage.server.address.clone();
            let known = progress.lock().unwrap().clone();
            if known.id == held.id {
                // No answer came. Asked once more, it is done once: what was shown to nobody is shown to nobody.
                let again = rotate(&at, &held, asked).await.unwrap();
                let third = rotate(&at, &held, asked).await.unwrap();
                assert_eq!((&third.id, &*third.secret), (&again.id, ""));
                if !again.secret.is_empty() {
                    held = again;
                }
            } else {
                held = known;
            }
            for other in live(&at, &held).await.iter().filter(|id| **id != held.id) {
                end(&at, &held, other).await.unwrap();
            }
            let next = rotate(&at, &held, Uuid::new_v4()).await.unwrap();
            end(&at, &next, &held.id).await.unwrap();
            let over = rotate(&at, &held, Uuid::new_v4()).await;
            refused(over, Code::Unauthenticated, "TOKEN_REVOKED");
            assert_eq!(live(&at, &next).await, std::slice::from_ref(&next.id));
            held = next;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_resetting_a_password_goes_on_and_no_link_is_good_twice() {
    for engine in engines() {
        let mut stage = Stage::new(&engine).await;
        for round in 0..KILLS {
            let name = format!("user{round}");
            stage.person(&name).await;
            // Once in the middle of asking, once in the middle of setting.
            let link = if round % 2 == 0 {
                let (address, account) = (stage.server.address.clone(), stage.tenant.clone());
                let user_name = name.clone();
                let step = async move { ask(&address, &account, &user_name).await };
                stage.killed_during(async move { drop(tokio::spawn(step).await) }).await;
                ask(&stage.server.address, &stage.tenant, &name).await;
                stage.link(&name).await
            } else {
                ask(&stage.server.address, &stage.tenant, &name).await;
                let link = stage.link(&name).await;
                let (address, sent) = (stage.server.address.clone(), link.clone());
                let step = async move { set(&address, &sent, SECOND).await };
                stage.killed_during(async move { drop(tokio::spawn(step).await) }).await;
                link
            };
            // The link of before may be the one that arrived, and it counts no more: the newest is on its way.
            if stage.set(&link, SECOND).await.is_err()
                && stage.sign_in(&name, SECOND).await.is_err()
            {
                let newest = stage.link(&name).await;
                stage.set(&newest, SECOND).await.unwrap();
            }
            stage.sign_in(&name, SECOND).await.unwrap();
            refused(stage.set(&link, THIRD).await, Code::Unauthenticated, "TOKEN_INVALID");
            let old = stage.sign_in(&name, FIRST).await;
            refused(old, Code::Unauthenticated, "SIGN_IN_FAILED");
            stage.sign_in(&name, SECOND).await.unwrap();
        }
    }
}

async fn ask(address: &str, account: &str, user_name: &str) {
    let request = pb::RequestPasswordResetRequest {
        account: account.to_owned(),
        user_name: user_name.to_owned(),
        ..Default::default()
    };
    let mut sessions = SessionServiceClient::new(connect(address, "").await);
    sessions.request_password_reset(request).await.unwrap();
}
