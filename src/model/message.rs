//! Messages: what is sent to a user so that it can set a password (`model.md` §9).

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{AccountId, MessageId, UserId};

/// Why a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MessageKind {
    /// Somebody has asked for another password.
    Reset,
    /// The user is new.
    Invite,
}

impl MessageKind {
    /// Returns how long the link in it is good.
    pub const fn life(self) -> TimeDelta {
        match self {
            Self::Reset => TimeDelta::minutes(30),
            Self::Invite => TimeDelta::days(7),
        }
    }
}

/// One message to one user, without the secret in it: that is worked out when it is sent. Neither does it say where it is sent to:
/// that is the user's address of then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Names it.
    pub id: MessageId,
    /// To whom.
    pub user: UserId,
    /// That user's account.
    pub account: AccountId,
    /// Why.
    pub kind: MessageKind,
    /// Where its link leads back to; may be empty.
    pub return_uri: String,
    /// When it was asked for.
    pub create_time: DateTime<Utc>,
    /// From this instant on its link is worth nothing.
    pub expire_time: DateTime<Utc>,
}
