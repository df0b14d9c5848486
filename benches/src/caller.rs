//! Somebody who calls a server with the clients of its API, to make what is measured on.

use std::time::{Duration, Instant};

use chancery::proto::v1 as pb;
use pb::account_service_client::AccountServiceClient;
use pb::audit_service_client::AuditServiceClient;
use pb::authorization_service_client::AuthorizationServiceClient;
use pb::role_service_client::RoleServiceClient;
use pb::token_service_client::TokenServiceClient;
use pb::user_service_client::UserServiceClient;
use tonic::metadata::AsciiMetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::grpc::question;
use crate::program::Program;
use crate::stored::Stored;

/// How long a tenant may take to be loaded.
const PATIENCE: Duration = Duration::from_mins(5);

/// Puts a bearer on every request.
#[derive(Debug, Clone)]
pub struct Bearer(AsciiMetadataValue);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

type As = InterceptedService<Channel, Bearer>;

/// Somebody, connected to a server.
#[derive(Debug, Clone)]
pub struct Caller(As);

impl Caller {
    /// Connects as the first administrator of a store, and waits until its tenant is in memory: a large one takes longer than a
    /// call may.
    pub async fn of(program: &Program, stored: &Stored) -> Self {
        let caller = Self::with(program, &stored.token).await;
        let began = Instant::now();
        while let Err(status) = caller.authorization().authorize(question(&stored.user, 5)).await {
            let later = [Code::DeadlineExceeded, Code::Unavailable, Code::ResourceExhausted];
            assert!(later.contains(&status.code()) && began.elapsed() < PATIENCE, "{status}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        caller
    }

    /// Connects as whoever has a token.
    pub async fn with(program: &Program, token: &str) -> Self {
        Self::on(program.connect().await, token)
    }

    /// Calls as whoever has a token, on a connection that others may call on, too.
    pub fn on(connection: Channel, token: &str) -> Self {
        let bearer = Bearer(format!("Bearer {token}").parse().unwrap());
        Self(InterceptedService::new(connection, bearer))
    }

    /// Calls about accounts.
    pub fn accounts(&self) -> AccountServiceClient<As> {
        AccountServiceClient::new(self.0.clone())
    }

    /// Calls about users.
    pub fn users(&self) -> UserServiceClient<As> {
        UserServiceClient::new(self.0.clone())
    }

    /// Calls about roles.
    pub fn roles(&self) -> RoleServiceClient<As> {
        RoleServiceClient::new(self.0.clone())
    }

    /// Calls about ledgers.
    pub fn audit(&self) -> AuditServiceClient<As> {
        AuditServiceClient::new(self.0.clone()).max_decoding_message_size(1 << 26)
    }

    /// Asks for decisions.
    pub fn authorization(&self) -> AuthorizationServiceClient<As> {
        AuthorizationServiceClient::new(self.0.clone())
    }

    /// Makes a main account, which is a tenant of its own.
    pub async fn tenant(&self, name: &str) -> String {
        let account = pb::Account { display_name: Some(name.to_owned()), ..Default::default() };
        let request = pb::CreateAccountRequest { account: Some(account), ..Default::default() };
        let made = self.accounts().create_account(request).await.unwrap().into_inner();
        made.account.unwrap().account_id
    }

    /// Makes a user of an account with roles; an empty account is the caller's.
    pub async fn user(&self, account: &str, name: &str, roles: Vec<String>) -> String {
        let user = pb::User {
            user_name: Some(name.to_owned()),
            roles,
            root_user: true,
            ..Default::default()
        };
        self.create(account, "", user).await
    }

    /// Makes a user without roles below another of the caller's account.
    pub async fn user_below(&self, parent: &str, name: &str) -> String {
        let user = pb::User { user_name: Some(name.to_owned()), ..Default::default() };
        self.create("", parent, user).await
    }

    async fn create(&self, account: &str, parent: &str, user: pb::User) -> String {
        let request = pb::CreateUserRequest {
            account_id: account.to_owned(),
            parent_user_id: parent.to_owned(),
            user: Some(user),
            ..Default::default()
        };
        self.users().create_user(request).await.unwrap().into_inner().user.unwrap().user_id
    }

    /// Mints a token of a user, good for all that it may.
    pub async fn token(&self, user: &str) -> String {
        let request = pb::CreateApiTokenRequest {
            user_id: user.to_owned(),
            scopes: vec!["*".to_owned()],
            ..Default::default()
        };
        let mut tokens = TokenServiceClient::new(self.0.clone());
        tokens.create_api_token(request).await.unwrap().into_inner().secret
    }
}

/// The path of a thing that a `SUPER_USER` of an account may read.
pub fn thing(account: &str) -> String {
    format!("account/{account}/gate_group/5")
}
