//! What is secret goes through every method, and is found nowhere afterwards: in no log, figure, refusal, row, span or record
//! of a decision (`model.md` §9).

mod places;

use std::path::Path;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use chancery::crypto::secret;
use chancery::crypto::token::{Secret, TokenKind};
use chancery::proto::v1 as pb;
use opentelemetry_proto::tonic::trace::v1::Span;
use pb::account_service_client::AccountServiceClient;
use pb::authorization_service_client::AuthorizationServiceClient;
use pb::session_service_client::SessionServiceClient;
use pb::token_service_client::TokenServiceClient;
use pb::user_service_client::UserServiceClient;
use prost::Message as _;
use prost_reflect::{DynamicMessage, Kind, MessageDescriptor, ReflectMessage as _, Value};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use tempfile::TempDir;
use tonic::{Request, Status};

pub(crate) use places::figures;

use crate::collector::{Collector, said};
use crate::raw::{call_with, methods, path};
use crate::server::{PATIENCE, Server, connect, prepare};
use crate::sinks::Hook;
use crate::support::{As, Engine, KEY, engines};

/// Passwords that are set, and some that are not.
const PASSWORDS: [&str; 4] =
    ["canary kaufhaus 31", "canary regen 41 zwiebel", "canary wrong 59", "canary fenster 26"];

/// What went through, and what was said of it.
struct Walk {
    server: Server,
    root: String,
    secrets: Vec<String>,
    refusals: Vec<String>,
}

impl Walk {
    fn keep(&mut self, secret: &str) -> String {
        self.secrets.push(secret.to_owned());
        secret.to_owned()
    }

    fn refused<T>(&mut self, result: Result<T, Status>) {
        if let Err(status) = result {
            self.refusals.push(told(&status));
        }
    }

    async fn by(&self, token: &str) -> As {
        connect(&self.server.address, token).await
    }

    async fn sessions(&self, token: &str) -> SessionServiceClient<As> {
        SessionServiceClient::new(self.by(token).await)
    }

    async fn tokens(&self, token: &str) -> TokenServiceClient<As> {
        TokenServiceClient::new(self.by(token).await)
    }

    async fn user(&self, account: &str, name: &str, kind: pb::UserKind) -> String {
        let user = pb::User {
            user_name: Some(name.to_owned()),
            email: Some(format!("{name}@example.com")),
            kind: Some(kind.into()),
            root_user: true,
            ..Default::default()
        };
        let request = pb::CreateUserRequest {
            account_id: account.to_owned(),
            user: Some(user),
            ..Default::default()
        };
        let mut users = UserServiceClient::new(self.by(&self.root).await);
        users.create_user(request).await.unwrap().into_inner().user.unwrap().user_id
    }

    async fn account(&self) -> String {
        let mut accounts = AccountServiceClient::new(self.by(&self.root).await);
        let own = accounts.get_account(pb::GetAccountRequest::default()).await.unwrap();
        let request = pb::CreateAccountRequest {
            parent_account_id: own.into_inner().account.unwrap().account_id,
            account: Some(pb::Account {
                display_name: Some("Canary Cage".to_owned()),
                ..Default::default()
            }),
            ..Default::default()
        };
        let made = accounts.create_account(request).await.unwrap().into_inner();
        made.account.unwrap().account_id
    }

    /// Signs in, rightly and wrongly, goes on, changes the password, and has it reset.
    async fn of_person(&mut self, account: &str, hook: &Hook) -> String {
        let user_id = self.user(account, "ann", pb::UserKind::Admin).await;
        let link = self.link(hook).await;
        self.set(&link, PASSWORDS[0]).await.unwrap();
        let again = self.set(&link, PASSWORDS[3]).await;
        self.refused(again);
        let wrong = self.sign_in(account, PASSWORDS[2]).await;
        self.refused(wrong);
        let session = self.sign_in(account, PASSWORDS[0]).await.unwrap();
        let refresh = pb::RefreshSessionRequest { refresh_token: session.refresh_token };
        let mut sessions = self.sessions("").await;
        let next = sessions.refresh_session(refresh.clone()).await.unwrap().into_inner();
        let next = self.of_session(next.session.unwrap());
        let change = |current: &str, new: &str| pb::ChangePasswordRequest {
            current_password: current.to_owned(),
            new_password: new.to_owned(),
            ..Default::default()
        };
        let mut own = self.sessions(&next.access_token).await;
        let weak = own.change_password(change(PASSWORDS[0], "ann")).await;
        self.refused(weak);
        let wrong = own.change_password(change(PASSWORDS[2], PASSWORDS[1])).await;
        self.refused(wrong);
        own.change_password(change(PASSWORDS[0], PASSWORDS[1])).await.unwrap();
        let ask = pb::RequestPasswordResetRequest {
            account: account.to_owned(),
            user_name: "ann".to_owned(),
            ..Default::default()
        };
        sessions.request_password_reset(ask).await.unwrap();
        let link = self.link(hook).await;
        self.set(&link, PASSWORDS[3]).await.unwrap();
        let reused = sessions.refresh_session(refresh).await;
        self.refused(reused);
        user_id
    }

    async fn link(&mut self, hook: &Hook) -> String {
        let message = hook.next().await;
        self.keep(message["token"].as_str().unwrap())
    }

    async fn set(&self, link: &str, password: &str) -> Result<(), Status> {
        let (token, password) = (link.to_owned(), password.to_owned());
        let request = pb::ResetPasswordRequest { token, password };
        self.sessions("").await.reset_password(request).await.map(drop)
    }

    async fn sign_in(&mut self, account: &str, password: &str) -> Result<pb::Session, Status> {
        let request = pb::CreateSessionRequest {
            account: account.to_owned(),
            user_name: "ann".to_owned(),
            password: password.to_owned(),
            ..Default::default()
        };
        let made = self.sessions("").await.create_session(request).await?.into_inner();
        Ok(self.of_session(made.session.unwrap()))
    }

    fn of_session(&mut self, session: pb::Session) -> pb::Session {
        self.keep(&session.access_token);
        self.keep(&session.refresh_token);
        session
    }

    /// Makes, rotates, tells and ends tokens, acts as somebody, and signs with a key.
    async fn of_tokens(&mut self, account: &str, user_id: &str) {
        let mut tokens = self.tokens(&self.root.clone()).await;
        let create =
            pb::CreateApiTokenRequest { user_id: user_id.to_owned(), ..Default::default() };
        let made = tokens.create_api_token(create.clone()).await.unwrap().into_inner();
        let token = self.keep(&made.secret);
        let token_id = made.api_token.unwrap().token_id;
        let rotate = pb::RotateApiTokenRequest { token_id, ..Default::default() };
        let made = tokens.rotate_api_token(rotate).await.unwrap().into_inner();
        let next = self.keep(&made.secret);
        for token in [token, next.clone()] {
            let validate = pb::ValidateTokenRequest { token: token.clone() };
            tokens.validate_token(validate).await.unwrap();
            let introspect = pb::IntrospectTokenRequest { token: token.clone() };
            tokens.introspect_token(introspect).await.unwrap();
            tokens.explain_token(pb::ExplainTokenRequest { token }).await.unwrap();
        }
        let report = pb::ReportLeakedTokenRequest { token: next.clone(), ..Default::default() };
        tokens.report_leaked_token(report.clone()).await.unwrap();
        let again = tokens.report_leaked_token(report).await;
        self.refused(again);
        let delete = pb::DeleteApiTokenRequest { token: next, ..Default::default() };
        let gone = tokens.delete_api_token(delete).await;
        self.refused(gone);
        let assume = pb::AssumeUserRequest {
            user_id: user_id.to_owned(),
            reason: "ticket 7".to_owned(),
            ..Default::default()
        };
        let mut sessions = self.sessions(&self.root.clone()).await;
        let made = sessions.assume_user(assume).await.unwrap().into_inner();
        self.keep(&made.session.unwrap().access_token);
        self.of_key(account).await;
    }

    async fn of_key(&mut self, account: &str) {
        let user_id = self.user(account, "robot", pb::UserKind::Service).await;
        let create = pb::CreateServiceKeyRequest { user_id: user_id.clone(), ..Default::default() };
        let mut tokens = self.tokens(&self.root.clone()).await;
        let made = tokens.create_service_key(create).await.unwrap().into_inner();
        let pem: String = made.secret.lines().filter(|line| !line.starts_with("---")).collect();
        for line in made.secret.lines().filter(|line| !line.starts_with("---")) {
            self.keep(line);
        }
        let der = STANDARD.decode(pem).unwrap();
        let of = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pair = EcdsaKeyPair::from_pkcs8(of, &der, &SystemRandom::new()).unwrap();
        let at = wall();
        let head = serde_json::json!({ "alg": "ES256", "kid": made.service_key.unwrap().key_id });
        let claims = serde_json::json!({
            "iss": user_id, "sub": user_id, "aud": "http://localhost",
            "iat": at, "exp": at + 60, "jti": "the first and only",
        });
        let [head, claims] = [head, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let said = format!("{head}.{claims}");
        let signed = pair.sign(&SystemRandom::new(), said.as_bytes()).unwrap();
        let subject_token = format!("{said}.{}", URL_SAFE_NO_PAD.encode(signed.as_ref()));
        self.keep(&subject_token);
        let exchange = pb::ExchangeTokenRequest { subject_token, ..Default::default() };
        let mut sessions = self.sessions("").await;
        let made = sessions.exchange_token(exchange.clone()).await.unwrap().into_inner();
        self.keep(&made.access_token);
        let again = sessions.exchange_token(exchange).await;
        self.refused(again);
    }

    /// Calls every method with a secret as its bearer, and with one in each field that is for a secret.
    async fn of_every_method(&mut self) {
        let canary = Secret::mint(TokenKind::Pat, secret::system).unwrap();
        let canary = self.keep(canary.expose());
        for method in methods() {
            let mut message = DynamicMessage::new(method.input());
            fill(&mut message, &canary, 3);
            let bytes = Bytes::from(message.encode_to_vec());
            for token in ["", &canary, &self.root.clone()] {
                let by = self.by(token).await;
                let mut request = Request::new(bytes.clone());
                if token.is_empty() {
                    request.metadata_mut().insert("x-auth-token", canary.parse().unwrap());
                }
                let result = call_with(by, &path(&method), request).await;
                self.refused(result);
            }
        }
    }

    /// Asks about somebody by a credential that is good, and waits until that is recorded and has gone out.
    async fn of_decisions(&mut self, user_id: &str, records: &Path, collector: &Collector) {
        let mut tokens = self.tokens(&self.root.clone()).await;
        let create =
            pb::CreateApiTokenRequest { user_id: user_id.to_owned(), ..Default::default() };
        let made = tokens.create_api_token(create).await.unwrap().into_inner();
        let token = self.keep(&made.secret);
        let mut asking = AuthorizationServiceClient::new(self.by(&self.root.clone()).await);
        let mut id = String::new();
        for (kind, name, token) in [("token", "", token.as_str()), ("token", token.as_str(), "")] {
            let subject = pb::Subject {
                r#type: kind.to_owned(),
                id: name.to_owned(),
                token: token.to_owned(),
                properties: None,
            };
            let account = "acc_00000000000000000000000000";
            let question = pb::AuthorizeRequest {
                subject: Some(subject),
                ..crate::support::ask("", "read", "account", account)
            };
            id = asking.authorize(question).await.unwrap().into_inner().decision_id;
        }
        let asked = |spans: &[Span]| {
            let of = spans.iter().filter(|span| span.name.ends_with("/Authorize"));
            of.filter(|span| said(span, "rpc.grpc.status_code").as_deref() == Some("0")).count()
                >= 2
        };
        collector.wait(asked).await;
        let until = Instant::now() + PATIENCE;
        while !std::fs::read_to_string(records).unwrap_or_default().contains(&id) {
            assert!(Instant::now() < until, "the decision is not recorded");
            tokio::task::yield_now().await;
        }
    }
}

/// Now, in seconds: the assertion is for a server that has the clock of the wall.
fn wall() -> i64 {
    use chancery::model::{Clock as _, SystemClock};
    SystemClock.now().timestamp()
}

/// All that a refusal says.
fn told(status: &Status) -> String {
    let details = String::from_utf8_lossy(status.details());
    format!("{:?} {} {details} {:?}", status.code(), status.message(), status.metadata())
}

/// Puts a secret into every text field that is for one.
fn fill(message: &mut DynamicMessage, canary: &str, depth: usize) {
    let descriptor: MessageDescriptor = message.descriptor();
    for field in descriptor.fields().filter(|field| !field.is_list() && !field.is_map()) {
        let options = field.options();
        let redacted = options.get_field_by_name("debug_redact");
        let redacted = redacted.and_then(|value| value.as_bool()).unwrap_or(false);
        match field.kind() {
            Kind::String if redacted => {
                message.set_field(&field, Value::String(canary.to_owned()));
            }
            Kind::Message(of)
                if depth > 0
                    && of.full_name().starts_with("chancery.")
                    && field.containing_oneof().is_none() =>
            {
                let mut inner = DynamicMessage::new(of);
                fill(&mut inner, canary, depth - 1);
                message.set_field(&field, Value::Message(inner));
            }
            _ => {}
        }
    }
}

async fn walked(engine: &Engine) {
    let folder = TempDir::new().unwrap();
    let url = engine.fresh(&folder).await;
    let hook = Hook::start().await;
    let collector = Collector::start().await;
    let records = folder.path().join("decisions.jsonl");
    let settings = [
        ("CHANCERY_TELEMETRY__OTLP_ENDPOINT", collector.url.as_str()),
        ("CHANCERY_DECISION_LOG__SINK", "file"),
        ("CHANCERY_DECISION_LOG__FILE", records.to_str().unwrap()),
        ("CHANCERY_DECISION_LOG__VALUES", "true"),
        ("CHANCERY_LOG__LEVEL", "trace"),
        ("CHANCERY_MAIL__SENDER", "webhook"),
        ("CHANCERY_MAIL__WEBHOOK_URL", hook.url.as_str()),
        ("CHANCERY_MAIL__WEBHOOK_SECRET", "canary of the hook"),
    ];
    let root = prepare(&url, folder.path(), &settings);
    let server = Server::start(&url, folder.path(), &settings);
    let secrets = vec![KEY.to_owned(), "canary of the hook".to_owned(), root.clone()];
    let mut walk = Walk { server, root, secrets, refusals: Vec::new() };
    for password in PASSWORDS {
        walk.keep(password);
    }
    let account = walk.account().await;
    let user_id = walk.of_person(&account, &hook).await;
    walk.of_tokens(&account, &user_id).await;
    walk.of_every_method().await;
    walk.of_decisions(&user_id, &records, &collector).await;
    walk.leaves_nothing(&url, &records, &collector).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_left_in_a_log_a_figure_a_refusal_a_row_a_span_or_a_record() {
    for engine in engines() {
        walked(&engine).await;
    }
}
