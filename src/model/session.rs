//! Sessions: what a sign-in opens, and how it ends (`model.md` §9).
//!
//! That a session begins or is refreshed is a trace, in no ledger. That one ends is a change of its user, so that every
//! snapshot knows of it.

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{AccountId, SessionId, TokenId, UserId};

/// Whoever is at a session by its refresh token or by its access tokens has signed in so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SessionKind {
    /// With a password.
    Password,
    /// As somebody else, by `AssumeUser`.
    Assumed,
    /// With the account's identity provider.
    Sso,
}

/// One session, without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Names it; it is no secret.
    pub id: SessionId,
    /// Who has signed in.
    pub user: UserId,
    /// That user's account.
    pub account: AccountId,
    /// And its tenant.
    pub tenant: AccountId,
    /// How.
    pub kind: SessionKind,
    /// Who really acts in an assumed one.
    pub actor: Option<UserId>,
    /// When its user has proved who it is, in whole seconds: what ends sessions is held against it.
    pub auth_time: DateTime<Utc>,
    /// When it began.
    pub create_time: DateTime<Utc>,
    /// When it was last refreshed.
    pub last_used_time: DateTime<Utc>,
    /// When it ends by itself.
    pub expire_time: DateTime<Utc>,
    /// Whether a refresh puts that off.
    pub sliding: bool,
    /// Where it was opened from.
    pub source: String,
    /// With which program.
    pub user_agent: String,
}

/// What a user's sessions are worth. It stands in the user's row, its ledger entries and its snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionMarks {
    /// Sessions of users who proved who they are at this time or before are void.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub void_until: Option<DateTime<Utc>>,
    /// But for this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spared: Option<SessionId>,
    /// Single sessions that were ended, until nothing can be left of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ended: Vec<Ended>,
    /// Sessions in which somebody else acts as the user. One that is not listed is void.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assumed: Vec<Assumed>,
}

/// A session that was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Which.
    pub session: SessionId,
    /// Its access tokens have expired by then.
    pub until: DateTime<Utc>,
}

/// A session in which somebody else acts as the user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assumed {
    /// Which.
    pub session: SessionId,
    /// Who acts.
    pub actor: UserId,
    /// With which of its own sessions, if with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_session: Option<SessionId>,
    /// With which of its tokens, if with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_token: Option<TokenId>,
    /// Why, in the actor's words.
    pub reason: String,
    /// When it ends by itself.
    pub until: DateTime<Utc>,
}

impl SessionMarks {
    /// Returns whether nothing is marked.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns whether a session is void.
    pub fn voids(&self, session: SessionId, auth_time: DateTime<Utc>) -> bool {
        let before = self.void_until.is_some_and(|until| auth_time <= until);
        (before && self.spared != Some(session))
            || self.ended.iter().any(|ended| ended.session == session)
    }

    /// Finds an assumed session that is live.
    pub fn assumed(&self, session: SessionId, now: DateTime<Utc>) -> Option<&Assumed> {
        self.assumed.iter().find(|assumed| assumed.session == session && now < assumed.until)
    }

    /// Returns when a user proves who it is who begins to do so now, knowing these marks: never in a second of which all
    /// sessions are void.
    pub fn next_auth_time(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let now = second(now);
        self.void_until.map_or(now, |until| now.max(until + TimeDelta::seconds(1)))
    }

    /// Ends all sessions that began until now, but for `spared`: those too that began in this second knowing of an earlier end.
    #[must_use]
    pub fn with_all_ended(&self, now: DateTime<Utc>, spared: Option<SessionId>) -> Self {
        let ended = self.ended.iter().filter(|ended| now < ended.until).copied().collect();
        Self { void_until: Some(self.next_auth_time(now)), spared, ended, assumed: Vec::new() }
    }

    /// Ends one session, whose access tokens have expired at `until`.
    #[must_use]
    pub fn with_ended(&self, session: SessionId, until: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let mut marks = self.pruned(now);
        marks.assumed.retain(|assumed| assumed.session != session);
        marks.ended.retain(|ended| ended.session != session);
        marks.ended.push(Ended { session, until });
        marks
    }

    /// Begins an assumed session.
    #[must_use]
    pub fn with_assumed(&self, assumed: Assumed, now: DateTime<Utc>) -> Self {
        let mut marks = self.pruned(now);
        marks.assumed.push(assumed);
        marks
    }

    fn pruned(&self, now: DateTime<Utc>) -> Self {
        let mut marks = self.clone();
        marks.ended.retain(|ended| now < ended.until);
        marks.assumed.retain(|assumed| now < assumed.until);
        marks
    }
}

/// Returns the beginning of the second that a time lies in, which is all that a token keeps of it.
fn second(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::seconds(1)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::HeldClock;

    fn at(millis: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_800_000_000_000 + millis).unwrap()
    }

    fn id() -> SessionId {
        SessionId::new(&HeldClock::at(at(0)))
    }

    #[test]
    fn what_ends_all_ends_what_began_before_it_and_nothing_that_begins_knowing_of_it() {
        let (old, spared) = (id(), id());
        let marks = SessionMarks::default().with_all_ended(at(1_400), Some(spared));
        assert!(marks.voids(old, SessionMarks::default().next_auth_time(at(1_900))));
        assert!(!marks.voids(spared, at(0)));
        assert!(!marks.voids(old, marks.next_auth_time(at(1_400))));
        let again = marks.with_all_ended(at(0), None);
        assert!(again.void_until >= marks.void_until, "a clock that is behind frees nothing");
        assert!(again.voids(spared, at(0)));
    }

    #[test]
    fn what_ends_all_twice_in_a_second_ends_what_began_in_between() {
        let (between, after) = (id(), id());
        let first = SessionMarks::default().with_all_ended(at(100), None);
        let began = first.next_auth_time(at(200));
        let second = first.with_all_ended(at(300), None);
        assert!(second.voids(between, began));
        assert!(!second.voids(after, second.next_auth_time(at(300))));
    }

    #[test]
    fn a_mark_is_forgotten_when_nothing_can_be_left_of_its_session() {
        let (one, other) = (id(), id());
        let marks = SessionMarks::default().with_ended(one, at(300_000), at(0));
        assert!(marks.voids(one, at(0)) && !marks.voids(other, at(0)));
        let later = marks.with_ended(other, at(600_000), at(300_000));
        assert_eq!(later.ended.len(), 1);
    }

    #[test]
    fn an_assumed_session_is_one_that_is_listed() {
        let assumed = Assumed {
            session: id(),
            actor: UserId(uuid::Uuid::nil()),
            by_session: None,
            by_token: None,
            reason: String::new(),
            until: at(1_000),
        };
        let marks = SessionMarks::default().with_assumed(assumed.clone(), at(0));
        assert!(marks.assumed(assumed.session, at(0)).is_some());
        assert!(marks.assumed(assumed.session, at(1_000)).is_none());
        assert!(marks.with_all_ended(at(0), None).assumed(assumed.session, at(0)).is_none());
        let ended = marks.with_ended(assumed.session, at(1_000), at(0));
        assert!(ended.assumed(assumed.session, at(0)).is_none());
    }
}
