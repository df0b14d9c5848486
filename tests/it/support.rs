//! A whole service on a store of its own, and the people who call it.

#[path = "support/certificates.rs"]
pub(crate) mod certificates;
#[path = "support/credentials.rs"]
mod credentials;
#[path = "support/template.rs"]
mod template;

use std::env;
use std::sync::Arc;

use chancery::config::{Config, Sources};
use chancery::crypto::KeyRing;
use chancery::crypto::secret;
use chancery::crypto::token::{Secret, TokenKind};
use chancery::model::HeldClock;
use chancery::proto::v1 as pb;
use chancery::server::{self, Running};
use chancery::store::Store;
use chrono::{DateTime, TimeDelta};
use pb::account_service_client::AccountServiceClient;
use pb::audit_service_client::AuditServiceClient;
use pb::authorization_service_client::AuthorizationServiceClient;
use pb::rights_document_service_client::RightsDocumentServiceClient;
use pb::role_service_client::RoleServiceClient;
use pb::session_service_client::SessionServiceClient;
use pb::token_service_client::TokenServiceClient;
use pb::user_service_client::UserServiceClient;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tonic::metadata::AsciiMetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

/// The key of every test's service.
pub(crate) const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// The stores to test on: SQLite always, Postgres when `TEST_POSTGRES` names a server.
pub(crate) fn engines() -> Vec<Engine> {
    let mut engines = vec![Engine::Sqlite];
    engines.extend(env::var("TEST_POSTGRES").ok().map(Engine::Postgres));
    engines
}

#[derive(Debug, Clone)]
pub(crate) enum Engine {
    Sqlite,
    Postgres(String),
}

impl Engine {
    /// Makes a database that nobody else uses, and returns its address.
    pub(crate) async fn fresh(&self, folder: &TempDir) -> String {
        match self {
            Self::Sqlite => format!("sqlite://{}", folder.path().join("chancery.db").display()),
            Self::Postgres(_) => self.database("").await,
        }
    }
}

/// Puts a bearer on every request.
#[derive(Debug, Clone)]
pub(crate) struct Bearer(pub(crate) Option<AsciiMetadataValue>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}

pub(crate) type As = InterceptedService<Channel, Bearer>;

/// Somebody who calls: a user with a token.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) user_id: String,
    pub(crate) account_id: String,
    pub(crate) token: String,
    pub(crate) token_id: String,
}

impl Person {
    /// The same user, calling with a session.
    pub(crate) fn with(&self, session: &pb::Session) -> Self {
        Self { token: session.access_token.clone(), token_id: String::new(), ..self.clone() }
    }
}

/// A running service.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) store: Store,
    pub(crate) clock: Arc<HeldClock>,
    pub(crate) config: Config,
    pub(crate) url: String,
    /// The first user: root account, `SUPER_USER`, a token with the scope `*`.
    pub(crate) root: Person,
    pub(crate) channel: Channel,
    server: Option<Running>,
    pub(crate) folder: Arc<TempDir>,
}

/// When every test begins.
pub(crate) fn beginning() -> DateTime<chrono::Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

impl Service {
    /// Starts a service on a fresh store, with as many changes a minute as anybody likes.
    pub(crate) async fn start(engine: &Engine) -> Self {
        Self::start_with(engine, &[("limits.changes_per_minute", "0")]).await
    }

    /// Starts one with settings of its own.
    pub(crate) async fn start_with(engine: &Engine, settings: &[(&'static str, &str)]) -> Self {
        let folder = Arc::new(TempDir::new().unwrap());
        let (url, root) = engine.bootstrapped(&folder).await;
        let clock = Arc::new(HeldClock::at(beginning()));
        let config = config(&url, settings);
        let store = Store::open(&config.store(), clock.clone()).await.unwrap();
        Self::serve(store, clock, config, url, root, folder).await
    }

    async fn serve(
        store: Store,
        clock: Arc<HeldClock>,
        config: Config,
        url: String,
        root: Person,
        folder: Arc<TempDir>,
    ) -> Self {
        let grpc = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let admin = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let keys = Arc::new(KeyRing::from_base64(KEY).unwrap());
        // Boxed, since a whole configuration in it makes every future that starts a service a large one.
        let server = Box::pin(server::start(config.server(), store.clone(), keys, grpc, admin));
        let server = server.await.unwrap();
        let at = format!("http://{}", server.grpc());
        let endpoint = Channel::from_shared(at).unwrap();
        // Of one that encrypts it is for the test to say who its clients are.
        let channel = match config.tls.cert_file {
            None => endpoint.connect().await.unwrap(),
            Some(_) => endpoint.connect_lazy(),
        };
        Self { store, clock, config, url, root, channel, server: Some(server), folder }
    }

    /// Starts another replica on the same store, with a clock of the same time.
    pub(crate) async fn replica(&self) -> Self {
        use chancery::model::Clock as _;
        let clock = Arc::new(HeldClock::at(self.clock.now()));
        let store = Store::open(&self.config.store(), clock.clone()).await.unwrap();
        let (config, url) = (self.config.clone(), self.url.clone());
        Self::serve(store, clock, config, url, self.root.clone(), self.folder.clone()).await
    }

    /// Starts another replica on the same store, with settings of its own.
    pub(crate) async fn replica_with(&self, settings: &[(&'static str, &str)]) -> Self {
        use chancery::model::Clock as _;
        let clock = Arc::new(HeldClock::at(self.clock.now()));
        let config = config(&self.url, settings);
        let store = Store::open(&config.store(), clock.clone()).await.unwrap();
        let (url, root) = (self.url.clone(), self.root.clone());
        Self::serve(store, clock, config, url, root, self.folder.clone()).await
    }

    /// Stops gently and gives the connections back.
    pub(crate) async fn stop(mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await.unwrap();
        }
        self.store.close().await.unwrap();
    }

    pub(crate) fn running(&self) -> &Running {
        self.server.as_ref().unwrap()
    }

    pub(crate) fn grpc(&self) -> std::net::SocketAddr {
        self.server.as_ref().unwrap().grpc()
    }

    pub(crate) fn admin(&self) -> std::net::SocketAddr {
        self.server.as_ref().unwrap().admin()
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.clock.advance(TimeDelta::seconds(seconds));
    }

    /// Returns the channel with a bearer; an empty token sends none.
    pub(crate) fn by(&self, token: &str) -> As {
        let value = (!token.is_empty()).then(|| format!("Bearer {token}").parse().unwrap());
        InterceptedService::new(self.channel.clone(), Bearer(value))
    }

    pub(crate) fn accounts(&self, by: &Person) -> AccountServiceClient<As> {
        AccountServiceClient::new(self.by(&by.token))
    }

    pub(crate) fn audit(&self, by: &Person) -> AuditServiceClient<As> {
        AuditServiceClient::new(self.by(&by.token))
    }

    pub(crate) fn users(&self, by: &Person) -> UserServiceClient<As> {
        UserServiceClient::new(self.by(&by.token))
    }

    pub(crate) fn rights(&self, by: &Person) -> RightsDocumentServiceClient<As> {
        RightsDocumentServiceClient::new(self.by(&by.token))
    }

    pub(crate) fn roles(&self, by: &Person) -> RoleServiceClient<As> {
        RoleServiceClient::new(self.by(&by.token))
    }

    pub(crate) fn tokens(&self, by: &Person) -> TokenServiceClient<As> {
        TokenServiceClient::new(self.by(&by.token))
    }

    pub(crate) fn sessions(&self, by: &Person) -> SessionServiceClient<As> {
        SessionServiceClient::new(self.by(&by.token))
    }

    pub(crate) fn authorization(&self, by: &Person) -> AuthorizationServiceClient<As> {
        AuthorizationServiceClient::new(self.by(&by.token))
    }

    /// Makes an account below another; a main account where that is the root.
    pub(crate) async fn account(&self, parent: &str, name: &str) -> String {
        let account = pb::Account { display_name: Some(name.to_owned()), ..Default::default() };
        let request = pb::CreateAccountRequest {
            parent_account_id: parent.to_owned(),
            account: Some(account),
            ..Default::default()
        };
        let made = self.accounts(&self.root).create_account(request).await.unwrap().into_inner();
        made.account.unwrap().account_id
    }

    /// Makes a main account: a tenant.
    pub(crate) async fn tenant(&self, name: &str) -> String {
        let root = self.root.account_id.clone();
        self.account(&root, name).await
    }

    /// Makes a root user of an account with roles, and a token of scope `*` for it.
    pub(crate) async fn person(&self, account: &str, name: &str, roles: &[&str]) -> Person {
        self.person_under(account, None, name, roles).await
    }

    /// Makes a user below another.
    pub(crate) async fn person_under(
        &self,
        account: &str,
        parent: Option<&Person>,
        name: &str,
        roles: &[&str],
    ) -> Person {
        let user = pb::User { user_name: Some(name.to_owned()), ..Default::default() };
        self.user(account, parent, user, roles).await
    }

    /// Makes a service user with roles.
    pub(crate) async fn machine(&self, account: &str, name: &str, roles: &[&str]) -> Person {
        let user = pb::User {
            user_name: Some(name.to_owned()),
            kind: Some(pb::UserKind::Service.into()),
            ..Default::default()
        };
        self.user(account, None, user, roles).await
    }

    async fn user(
        &self,
        account: &str,
        parent: Option<&Person>,
        mut user: pb::User,
        roles: &[&str],
    ) -> Person {
        user.roles = roles.iter().map(|role| (*role).to_owned()).collect();
        user.root_user = parent.is_none();
        let request = pb::CreateUserRequest {
            account_id: account.to_owned(),
            parent_user_id: parent.map(|parent| parent.user_id.clone()).unwrap_or_default(),
            user: Some(user),
            ..Default::default()
        };
        let made = self.users(&self.root).create_user(request).await.unwrap().into_inner();
        let user_id = made.user.unwrap().user_id;
        let (token_id, token) = self.mint(&user_id, &["*"]).await;
        Person { user_id, account_id: account.to_owned(), token, token_id }
    }

    /// Asks whether a user may, as the root.
    pub(crate) async fn decides(
        &self,
        user_id: &str,
        action: &str,
        kind: &str,
        id: &str,
    ) -> pb::AuthorizeResponse {
        let request = ask(user_id, action, kind, id);
        self.authorization(&self.root).authorize(request).await.unwrap().into_inner()
    }

    /// Holds every tenant's ledger against its own chain and the rows.
    pub(crate) async fn verify(&self, tenant: &str) {
        let verified = self.store.verify(tenant.parse().unwrap()).await.unwrap();
        assert!(verified.faults.is_empty(), "{:?}", verified.faults);
    }
}

/// Reads the settings of a test.
pub(crate) fn config(url: &str, settings: &[(&'static str, &str)]) -> Config {
    let mut flags = vec![("database_url", url.to_owned()), ("master_key", KEY.to_owned())];
    flags.push(("shutdown.drain_ms", "0".to_owned()));
    flags.extend(settings.iter().map(|(key, value)| (*key, (*value).to_owned())));
    Config::load(Sources { file: None, environment: Vec::new(), flags }).unwrap()
}

/// A token in the right form that is nobody's.
pub(crate) fn stranger() -> String {
    Secret::mint(TokenKind::Pat, secret::system).unwrap().expose().to_owned()
}

/// A question about a user.
pub(crate) fn ask(user_id: &str, action: &str, kind: &str, id: &str) -> pb::AuthorizeRequest {
    pb::AuthorizeRequest {
        subject: Some(pb::Subject {
            r#type: "user".to_owned(),
            id: user_id.to_owned(),
            ..Default::default()
        }),
        action: Some(pb::Action { name: action.to_owned(), properties: None }),
        resource: Some(pb::Resource {
            r#type: kind.to_owned(),
            id: id.to_owned(),
            properties: None,
        }),
        ..Default::default()
    }
}

/// Returns the code and the stable reason of a refusal.
pub(crate) fn said(status: &Status) -> (Code, String) {
    let details = status.get_error_details();
    let info = details.error_info().expect("every refusal has an ErrorInfo");
    assert_eq!(info.domain, "chancery");
    (status.code(), info.reason.clone())
}

/// Asserts what a refusal says.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(
    result: Result<T, Status>,
    code: Code,
    reason: &str,
) -> Status {
    let status = result.expect_err("this should have been refused");
    assert_eq!(said(&status), (code, reason.to_owned()), "{}", status.message());
    status
}
