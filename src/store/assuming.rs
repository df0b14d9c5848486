//! Acting as somebody else (`model.md` §9, `edges.md` §2).

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::etags::{unchanged, user_etag};
use super::{Refusal, Tx};
use crate::decision::{Caller, escalation};
use crate::model::{Assumed, ChangeKind, Session, SessionId, SessionKind, UserId, UserKind};

/// The longest that somebody acts as somebody else.
const LONGEST: TimeDelta = TimeDelta::hours(1);

/// An assumed session that was begun; a repeat of the request is answered from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assuming {
    /// The session.
    pub session: SessionId,
    /// Whose rights it carries, as far as the actor has them too.
    pub user: UserId,
}

impl Tx {
    /// Lets the caller act as a user who may nothing that the caller may not.
    ///
    /// Refuses: from within an assumed session; with neither a session nor a token, since then nothing would end what is begun;
    /// a user who does not sign in; escalation; a changed `etag`.
    pub async fn assume_user(
        &mut self,
        caller: &Caller,
        id: UserId,
        reason: String,
        etag: &str,
        source: (String, String),
    ) -> Result<Assuming, Refusal> {
        let now = self.now();
        let before = self.user(id).await?.filter(|user| user.delete_time.is_none());
        let before = before.ok_or_else(|| Refusal::unseen("user", id))?;
        let nothing = caller.session.is_none() && caller.token.is_none();
        if caller.actor.is_some() || caller.user == id || nothing {
            return Err(Refusal::forbidden("user.assume"));
        }
        if before.kind != UserKind::Admin {
            let why = "is not of kind ADMIN: nobody signs in as it";
            return Err(Refusal::invalid("WRONG_USER_KIND", "user_id", why));
        }
        escalation(self.home(), caller, None, self.world(), &[id], now)?;
        unchanged(etag, &user_etag(self.world(), &before))?;
        if !before.enabled {
            return Err(Refusal::precondition("USER_DISABLED", "the user is disabled"));
        }
        let session = Session {
            id: SessionId::new(&**self.store.clock()),
            user: id,
            account: before.account,
            tenant: self.world().tenant(),
            kind: SessionKind::Assumed,
            actor: Some(caller.user),
            auth_time: before.session_marks.next_auth_time(now),
            create_time: now,
            last_used_time: now,
            expire_time: now + LONGEST,
            sliding: false,
            source: source.0,
            user_agent: source.1,
        };
        let assumed = Assumed {
            session: session.id,
            actor: caller.user,
            by_session: caller.session.map(|session| session.id),
            by_token: caller.token,
            reason,
            until: session.expire_time,
        };
        let marks = before.session_marks.with_assumed(assumed, now);
        self.mark(ChangeKind::UserAssume, before, marks)?;
        let session_id = session.id;
        self.begin_session(session)?;
        Ok(Assuming { session: session_id, user: id })
    }
}
