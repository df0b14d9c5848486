//! A user's own fields.

use super::create::taken;
use super::{UserDone, changed, still_open};
use crate::decision::{Caller, escalation};
use crate::model::{ChangeKind, Folded, RegionalSettings, User, UserId, UserKind};
use crate::store::etags::{unchanged, user_etag};
use crate::store::{Refusal, Tx};

/// One field of a user to be changed, and to what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserEdit {
    /// The name it signs in with, as given, and its key.
    UserName(String, Folded),
    /// Given name.
    FirstName(String),
    /// Family name.
    LastName(String),
    /// The whole name.
    FullName(String),
    /// E-mail address; `None` = none any more.
    Email(Option<String>),
    /// Telephone number.
    PhoneNumber(String),
    /// All of the regional settings.
    RegionalSettings(RegionalSettings),
    /// Time zone.
    TimezoneName(String),
    /// Language.
    Language(String),
    /// Locale for dates and numbers.
    FormattingLocale(String),
    /// Country.
    HomeCountryCode(String),
    /// How the time of day is written.
    TimeFormat(String),
    /// Whether it signs in by the account's identity provider only.
    Sso(bool),
}

impl UserEdit {
    fn apply(&self, user: &mut User) {
        let regional = &mut user.regional_settings;
        match self.clone() {
            Self::UserName(name, _) => user.user_name = name,
            Self::FirstName(name) => user.first_name = name,
            Self::LastName(name) => user.last_name = name,
            Self::FullName(name) => user.full_name = name,
            Self::Email(email) => user.email = email,
            Self::PhoneNumber(number) => user.phone_number = number,
            Self::RegionalSettings(settings) => *regional = settings,
            Self::TimezoneName(name) => regional.timezone_name = name,
            Self::Language(tag) => regional.language = tag,
            Self::FormattingLocale(tag) => regional.formatting_locale = tag,
            Self::HomeCountryCode(code) => regional.home_country_code = code,
            Self::TimeFormat(format) => regional.time_format = format,
            Self::Sso(sso) => user.sso = sso,
        }
    }
}

impl Tx {
    /// Changes fields of a user. What a user signs in by is changed only by who holds all that the user holds (`edges.md` §2).
    pub async fn update_user(
        &mut self,
        caller: &Caller,
        id: UserId,
        edits: &[UserEdit],
        etag: &str,
    ) -> Result<UserDone, Refusal> {
        let before = self.living(id).await?;
        let mut after = before.clone();
        for edit in edits {
            edit.apply(&mut after);
        }
        if after.sso && after.kind == UserKind::Service {
            let why = "a user of kind SERVICE does not sign in";
            return Err(Refusal::invalid("WRONG_USER_KIND", "user.sso", why));
        }
        let signs_in_by = |user: &User| (user.user_name.clone(), user.email.clone(), user.sso);
        if signs_in_by(&before) != signs_in_by(&after) {
            // For oneself too: a token with less than its user must not win the rest by a new address.
            escalation(self.home(), caller, None, self.world(), &[id], self.now())?;
        }
        if !after.sso {
            // Whoever it was elsewhere does not come back by it, if it is to sign in there again.
            after.identity = None;
        }
        if after.sso != before.sso {
            // Who is handed over to another way of signing in may be handed over to somebody else.
            after.session_marks = before.session_marks.with_all_ended(self.now(), None);
        }
        unchanged(etag, &user_etag(self.world(), &before))?;
        still_open(self.world(), before.account)?;
        for edit in edits {
            let UserEdit::UserName(_, key) = edit else { continue };
            if self.world().named(before.account, key).is_some_and(|holder| holder != id) {
                return Err(taken());
            }
        }
        if signs_in_by(&before) != signs_in_by(&after) {
            self.address_is_free(&after).await?;
        }
        if after != before {
            after.update_time = self.now();
            self.put(changed(ChangeKind::UserUpdate, before, after))?;
        }
        Ok(UserDone::of(id))
    }
}
