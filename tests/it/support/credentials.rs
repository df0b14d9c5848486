//! The credentials of those who call.

use std::sync::Arc;

use chancery::crypto::KeyRing;
use chancery::crypto::password::{Cost, Hasher};
use chancery::crypto::secret;
use chancery::crypto::token::{Secret, TokenKind};
use chancery::model::{Session, SessionId, SessionKind, UserId};
use chancery::proto::v1 as pb;
use chancery::store::{ABSOLUTE, SLIDING};
use pb::session_service_client::SessionServiceClient;
use sea_orm::ConnectionTrait as _;
use tonic::Status;

use super::{KEY, Person, Service};

impl Service {
    /// Mints a token as the root: accessor id and secret.
    pub(crate) async fn mint(&self, user_id: &str, scopes: &[&str]) -> (String, String) {
        let request = pb::CreateApiTokenRequest {
            user_id: user_id.to_owned(),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            ..Default::default()
        };
        let made = self.tokens(&self.root).create_api_token(request).await.unwrap().into_inner();
        (made.api_token.unwrap().token_id, made.secret)
    }

    /// Gives a user a password.
    pub(crate) async fn password(&self, of: &Person, password: &str) {
        let keys = Arc::new(KeyRing::from_base64(KEY).unwrap());
        let hasher = Hasher::new(keys, Cost::default(), secret::system).unwrap();
        let user: UserId = of.user_id.parse().unwrap();
        let hash = hasher.hash(user, password, secret::system).unwrap();
        let id = user.0.simple();
        let sqlite = self.url.starts_with("sqlite");
        let id = if sqlite { format!("x'{id}'") } else { format!("'{id}'") };
        let values = format!("{id}, '{hash}', '2027-01-15 08:00:00+00:00'");
        let into = "insert into passwords (user_id, hash, change_time)";
        let db = sea_orm::Database::connect(&self.url).await.unwrap();
        db.execute_unprepared(&format!("{into} values ({values})")).await.unwrap();
        db.close().await.unwrap();
    }

    /// Signs in.
    pub(crate) async fn sign_in(
        &self,
        account: &str,
        user_name: &str,
        password: &str,
    ) -> Result<pb::CreateSessionResponse, Status> {
        let request = pb::CreateSessionRequest {
            account: account.to_owned(),
            user_name: user_name.to_owned(),
            password: password.to_owned(),
            stay_logged_in: false,
        };
        let mut sessions = SessionServiceClient::new(self.by(""));
        Ok(sessions.create_session(request).await?.into_inner())
    }

    /// Opens a session of a user, as a sign-in does, and goes on with it once.
    pub(crate) async fn session(&self, of: &Person) -> pb::Session {
        self.session_that(of, false).await
    }

    /// Opens a session that may be one that refreshes put off.
    pub(crate) async fn session_that(&self, of: &Person, sliding: bool) -> pb::Session {
        use chancery::model::Clock as _;
        let user = self.store.user(of.user_id.parse().unwrap()).await.unwrap().unwrap();
        let tenant = self.store.account(user.account).await.unwrap().unwrap().tenant;
        let now = self.clock.now();
        let session = Session {
            id: SessionId::new(&*self.clock),
            user: user.id,
            account: user.account,
            tenant,
            kind: SessionKind::Password,
            actor: None,
            auth_time: user.session_marks.next_auth_time(now),
            create_time: now,
            last_used_time: now,
            expire_time: now + if sliding { SLIDING } else { ABSOLUTE },
            sliding,
            source: "192.0.2.7".to_owned(),
            user_agent: "a test".to_owned(),
        };
        let secret = Secret::mint(TokenKind::Ref, secret::system).unwrap();
        let digest = secret.digest(&KeyRing::from_base64(KEY).unwrap());
        self.store.open_session(session, digest).await.unwrap();
        self.refresh(secret.expose()).await.unwrap()
    }

    /// Goes on with a session.
    pub(crate) async fn refresh(&self, token: &str) -> Result<pb::Session, Status> {
        let request = pb::RefreshSessionRequest { refresh_token: token.to_owned() };
        let mut sessions = SessionServiceClient::new(self.by(""));
        Ok(sessions.refresh_session(request).await?.into_inner().session.unwrap())
    }
}
