//! Opening a session; and doing so with a password.

use chrono::{DateTime, Utc};
use tonic::Status;

use super::SessionApi;
use super::issue::no_randomness;
use super::wire_kind;
use crate::crypto::secret;
use crate::crypto::token::{Secret, TokenKind};
use crate::decision::{Principal, Snapshot};
use crate::layers::{network, status};
use crate::model::{
    AccountId, ActivityKind, Deed, Session, SessionId, SessionKind, UserKind, fold,
};
use crate::proto::v1 as pb;
use crate::rpc::passwords::Sent;
use crate::rpc::sign_in::Attempt;
use crate::store::{ABSOLUTE, SLIDING};

/// How a session is opened.
pub(super) struct Opening {
    /// With what.
    pub(super) kind: SessionKind,
    /// When the user has proved who it is.
    pub(super) auth_time: DateTime<Utc>,
    /// Whether refreshes put its end off.
    pub(super) sliding: bool,
    /// Where it comes from.
    pub(super) source: String,
    /// With which program.
    pub(super) user_agent: String,
}

impl SessionApi {
    pub(super) async fn sign_in(
        &self,
        request: pb::CreateSessionRequest,
        source: String,
        user_agent: String,
    ) -> Result<pb::CreateSessionResponse, Status> {
        let password = Sent::new(request.password);
        self.0.sign_ins.take(network(&source))?;
        let home = self.0.home_of(&request.account).await?;
        let found = home.as_ref().and_then(|(account, world)| {
            who(world, *account, &request.user_name).map(|user| (world, user))
        });
        // Before the password is looked at: if it is changed meanwhile, what comes of the old one is void.
        let now = self.0.clock.now();
        let auth_time = found.map(|(_, user)| auth_time(user, now));
        let attempt = Attempt {
            account: home.as_ref().map(|(account, _)| *account),
            name: &request.user_name,
            user: found.map(|(_, user)| user.id),
            source: &source,
            password: &password,
        };
        let failed = home.as_ref().map(|(account, world)| Deed {
            tenant: world.tenant(),
            account: *account,
            user: attempt.user,
            kind: ActivityKind::SignInFailed,
            what: word(SessionKind::Password),
            source: source.clone(),
        });
        let checked = self.0.check_password(attempt).await;
        if let (Err(_), Some(failed)) = (&checked, failed) {
            self.0.credentials.doings().note(failed);
        }
        checked?;
        let found = found.zip(auth_time);
        let ((world, user), auth_time) = found.ok_or_else(status::sign_in_failed)?;
        let opening = Opening {
            kind: SessionKind::Password,
            auth_time,
            sliding: request.stay_logged_in,
            source,
            user_agent,
        };
        let account = world.account(user.account);
        let account_display_name =
            account.map(|account| account.display_name.clone()).unwrap_or_default();
        let session = Some(self.open_session(world, user, opening).await?);
        Ok(pb::CreateSessionResponse { session, account_display_name })
    }

    /// Opens a session of a user who has proved who it is, and shows it with its first tokens.
    pub(super) async fn open_session(
        &self,
        world: &Snapshot,
        user: &Principal,
        opening: Opening,
    ) -> Result<pb::Session, Status> {
        let Opening { kind, auth_time, sliding, source, user_agent } = opening;
        let now = self.0.clock.now();
        let session = Session {
            id: SessionId::new(&*self.0.clock),
            user: user.id,
            account: user.account,
            tenant: world.tenant(),
            kind,
            actor: None,
            auth_time,
            create_time: now,
            last_used_time: now,
            expire_time: now + if sliding { SLIDING } else { ABSOLUTE },
            sliding,
            source,
            user_agent,
        };
        let secret = Secret::mint(TokenKind::Ref, secret::system).map_err(no_randomness)?;
        self.0.store.open_session(session.clone(), secret.digest(&self.0.keys)).await?;
        self.0.credentials.doings().note(Deed {
            tenant: session.tenant,
            account: session.account,
            user: Some(session.user),
            kind: ActivityKind::SignIn,
            what: word(kind),
            source: session.source.clone(),
        });
        self.issue(session, Some(secret)).await
    }
}

/// Returns how somebody signs in, as the list of activity has it.
fn word(kind: SessionKind) -> String {
    wire_kind(kind).as_str_name().trim_start_matches("SESSION_KIND_").to_owned()
}

/// Finds who has a name in an account and may sign in there with a password.
fn who<'w>(world: &'w Snapshot, account: AccountId, name: &str) -> Option<&'w Principal> {
    let id = world.named(account, &fold(name).ok()?)?;
    let user = world.user(id)?;
    (user.enabled && !user.sso && user.kind != UserKind::Service).then_some(&**user)
}

/// Returns when a user proves who it is who begins to do so now.
fn auth_time(user: &Principal, now: DateTime<Utc>) -> DateTime<Utc> {
    user.session_marks.as_deref().cloned().unwrap_or_default().next_auth_time(now)
}
