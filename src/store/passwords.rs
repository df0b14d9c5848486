//! Passwords: set by the link of a message, changed by whoever knows the one before (`model.md` §9).

use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryTrait as _,
};

use super::batch::Step;
use super::etags::{unchanged, user_etag};
use super::outbox::end_links;
use super::rows::{password, sign_in_failure};
use super::{Error, Refusal, Tx};
use crate::crypto::KeyRing;
use crate::crypto::password::Counter;
use crate::decision::{Caller, escalation};
use crate::model::{
    Change, ChangeKind, EffectiveStatus, Image, Message, MessageKind, SessionId, User, UserId,
    UserKind,
};

impl Tx {
    /// Sends a user a link by which it sets a password. Whoever sends it takes control of the user, as far as its mail goes: the
    /// caller must hold all that the user holds (`edges.md` §2).
    ///
    /// Refuses: `WRONG_USER_KIND`; escalation; a changed `etag`; `USER_DISABLED`, `NO_LOCAL_PASSWORD`, `NO_EMAIL`.
    pub async fn send_reset(
        &mut self,
        caller: &Caller,
        id: UserId,
        return_uri: String,
        etag: &str,
        keys: &KeyRing,
    ) -> Result<UserId, Refusal> {
        let user = self.user(id).await?.filter(|user| user.delete_time.is_none());
        let user = user.ok_or_else(|| Refusal::unseen("user", id))?;
        if user.kind == UserKind::Service {
            let why = "a user of kind SERVICE has no password";
            return Err(Refusal::invalid("WRONG_USER_KIND", "user_id", why));
        }
        escalation(self.home(), caller, None, self.world(), &[id], self.now())?;
        unchanged(etag, &user_etag(self.world(), &user))?;
        let forbidden = if !user.enabled {
            Some(("USER_DISABLED", "the user is disabled: enable it first"))
        } else if user.sso {
            Some(("NO_LOCAL_PASSWORD", "the user signs in by the account's identity provider only"))
        } else if user.email.is_none() {
            Some(("NO_EMAIL", "the user has no e-mail address to send the link to"))
        } else if self.world().effective_status(user.account) == Some(EffectiveStatus::Closed) {
            Some(("ACCOUNT_CLOSED", "the account is closed"))
        } else {
            None
        };
        if let Some((reason, why)) = forbidden {
            return Err(Refusal::precondition(reason, why));
        }
        let message = self.post(keys, &user, MessageKind::Reset, return_uri)?;
        self.put(Change {
            account: user.account,
            kind: ChangeKind::UserSendReset,
            before: None,
            after: Some(Image::Message(message)),
        })?;
        Ok(id)
    }

    /// Sends a new user a link by which it sets its first password; nothing to one who signs in otherwise, or has no address.
    pub(super) fn invite(
        &mut self,
        user: &User,
        return_uri: String,
        keys: &KeyRing,
    ) -> Result<(), Refusal> {
        if user.kind == UserKind::Admin && user.enabled && !user.sso && user.email.is_some() {
            self.post(keys, user, MessageKind::Invite, return_uri)?;
        }
        Ok(())
    }

    /// Sets a user's password by the link of a message, and ends the link, every session and every API token of the user.
    ///
    /// Refuses a link that is no longer good, whatever the reason, in one way.
    pub async fn reset_password(
        &mut self,
        message: &Message,
        hash: String,
        keys: &KeyRing,
    ) -> Result<UserId, Refusal> {
        let id = message.user;
        let user = self.user(id).await?.ok_or(Refusal::BadLink)?;
        if !self.has_password(&user) || !self.is_newest(message).await? {
            return Err(Refusal::BadLink);
        }
        self.set_password(&user, hash, keys);
        self.end_tokens(user.account, id)?;
        self.end_sessions(id, None, ChangeKind::PasswordReset, "").await?;
        Ok(id)
    }

    /// Puts another password in the place of the one whose hash is `old`, and ends all other sessions and, unless they are to
    /// be kept, the API tokens of the user.
    pub async fn change_password(
        &mut self,
        id: UserId,
        (old, new): (&str, String),
        keep_api_tokens: bool,
        session: Option<SessionId>,
        keys: &KeyRing,
    ) -> Result<UserId, Refusal> {
        let user = self.user(id).await?.ok_or(Refusal::WrongPassword)?;
        let kept = password::Entity::find_by_id(id.0).one(&self.db).await.map_err(Error::from)?;
        // It was checked before the write began; since then another may have been set.
        if !self.has_password(&user) || kept.is_none_or(|kept| kept.hash != old) {
            return Err(Refusal::WrongPassword);
        }
        self.set_password(&user, new, keys);
        if !keep_api_tokens {
            self.end_tokens(user.account, id)?;
        }
        self.end_sessions(id, session, ChangeKind::PasswordChange, "").await?;
        Ok(id)
    }

    fn has_password(&self, user: &User) -> bool {
        let kind = user.kind != UserKind::Service;
        let status = self.world().effective_status(user.account);
        let active = status == Some(EffectiveStatus::Active);
        kind && active && user.enabled && !user.sso && user.delete_time.is_none()
    }

    /// Keeps a hash, ends what links the user has, and forgets its failures.
    fn set_password(&mut self, user: &User, hash: String, keys: &KeyRing) {
        let row = password::ActiveModel {
            user_id: Set(user.id.0),
            hash: Set(hash),
            change_time: Set(self.now()),
        };
        let other = OnConflict::column(password::Column::UserId)
            .update_columns([password::Column::Hash, password::Column::ChangeTime])
            .to_owned();
        let insert = password::Entity::insert(row).on_conflict(other).into_query();
        self.beside.push(insert.into());
        end_links(&mut self.beside, &[user.id.0], self.now);
        let failures = Counter::User(user.id).sign_in(keys).to_vec();
        let failures = sign_in_failure::Entity::delete_many()
            .filter(sign_in_failure::Column::Key.eq(failures));
        self.beside.push(Step::from_any(failures.into_query()));
    }
}
