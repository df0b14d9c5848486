//! Somebody who calls a server with the clients of its API, to make what is measured on.

use chancery::proto::v1 as pb;
use pb::account_service_client::AccountServiceClient;
use pb::authorization_service_client::AuthorizationServiceClient;
use pb::role_service_client::RoleServiceClient;
use pb::token_service_client::TokenServiceClient;
use pb::user_service_client::UserServiceClient;
use tonic::metadata::AsciiMetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};

use crate::program::Program;
use crate::stored::Stored;

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
    /// Connects as the first administrator of a store.
    pub async fn of(program: &Program, stored: &Stored) -> Self {
        Self::with(program, &stored.token).await
    }

    /// Connects as whoever has a token.
    pub async fn with(program: &Program, token: &str) -> Self {
        let bearer = Bearer(format!("Bearer {token}").parse().unwrap());
        Self(InterceptedService::new(program.connect().await, bearer))
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
