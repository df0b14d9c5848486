//! Users: the principals of one account, a forest by `parent` (`model.md` §3).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{AccountId, SessionMarks, UserId};

/// What a user is; never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum UserKind {
    /// A person who signs in to manage.
    Admin,
    /// A machine: no password, no sign-in.
    Service,
    /// An end customer of one application; never administers.
    Application,
}

/// How a user reads times and texts. Stored as given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RegionalSettings {
    /// An IANA time zone name.
    pub timezone_name: String,
    /// A BCP 47 language tag.
    pub language: String,
    /// A BCP 47 locale for dates and numbers.
    pub formatting_locale: String,
    /// An ISO 3166 country code.
    pub home_country_code: String,
    /// `12h` or `24h`, as the client chose to write it.
    pub time_format: String,
}

/// Who a user is elsewhere: at the identity provider of its account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Who says so, to the letter.
    pub issuer: String,
    /// What the user is called there, for ever.
    pub subject: String,
}

/// One user. Its grants and tokens are nouns of their own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its name for ever; never given out again.
    pub id: UserId,
    /// The account it lives in; fixed.
    pub account: AccountId,
    /// The user above; `None` = a root user.
    pub parent: Option<UserId>,
    /// What it is; fixed.
    pub kind: UserKind,
    /// As given; unique in the account by [`crate::model::fold`].
    pub user_name: String,
    /// Given name.
    pub first_name: String,
    /// Family name.
    pub last_name: String,
    /// The whole name, where it is not just the two.
    pub full_name: String,
    /// E-mail address, if any.
    pub email: Option<String>,
    /// Telephone number, as given.
    pub phone_number: String,
    /// Time zone, language and the like.
    pub regional_settings: RegionalSettings,
    /// Whether it may do anything at all.
    pub enabled: bool,
    /// Whether it signs in by the account's identity provider only.
    pub sso: bool,
    /// The application of an `Application` user.
    pub application: Option<String>,
    /// When it was created.
    pub create_time: DateTime<Utc>,
    /// When its own fields last changed.
    pub update_time: DateTime<Utc>,
    /// When it was deleted; it can be brought back for 30 days.
    pub delete_time: Option<DateTime<Utc>>,
    /// What its sessions are worth. No part of its etag.
    #[serde(default, skip_serializing_if = "SessionMarks::is_empty")]
    pub session_marks: SessionMarks,
    /// Who it was when it first signed in by an identity provider. Only of one that still does. No part of its etag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
}

impl User {
    /// Returns under what an e-mail address is found. Letters of ASCII alone are folded: two that look alike otherwise may be
    /// two people's.
    pub fn email_key(email: &str) -> String {
        email.to_ascii_lowercase()
    }

    /// Tells whether the links that were sent to it end when it becomes `after`: it signs in otherwise, or did not for a while.
    pub fn ends_links(&self, after: &Self) -> bool {
        let of = |user: &Self| {
            (user.user_name.clone(), user.email.clone(), user.sso, user.enabled, user.delete_time)
        };
        of(self) != of(after)
    }
}
