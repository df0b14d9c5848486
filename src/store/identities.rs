//! Who users are at the identity providers of their accounts (`edges.md` §2, SSO).

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QuerySelect as _, Select,
};

use super::rows::user;
use super::{Error, Refusal, Store, Tx};
use crate::model::{
    AccountId, Change, ChangeKind, EffectiveStatus, Identity, Image, User, UserId, UserKind,
};

impl Store {
    /// Finds who in an account has proved to be this before.
    pub async fn user_of_identity(
        &self,
        account: AccountId,
        identity: &Identity,
    ) -> Result<Option<UserId>, Error> {
        linked(self.credentials(), account, identity).await
    }

    /// Finds who in an account waits to be known by this e-mail address: nobody where whoever has it is known already, or where it
    /// is two users', which [`Tx::address_is_free`] lets nobody bring about.
    pub async fn user_awaiting(
        &self,
        account: AccountId,
        email: &str,
    ) -> Result<Option<UserId>, Error> {
        Ok(awaiting(self.credentials(), account, email).await?.map(|user| user.id))
    }
}

impl Tx {
    /// Refuses the e-mail address of a user who signs in by an identity provider where another such user of its account has it.
    ///
    /// By it a user is found the first time: who takes somebody's address neither keeps that one out nor is taken for it.
    pub(super) async fn address_is_free(&self, of: &User) -> Result<(), Refusal> {
        let Some(email) = of.email.as_deref().filter(|_| of.sso && of.delete_time.is_none()) else {
            return Ok(());
        };
        let with = with_address(of.account, email);
        let other = with.filter(user::Column::Id.ne(of.id.0)).limit(1).all(&self.db);
        if other.await.map_err(Error::from)?.is_empty() {
            return Ok(());
        }
        let why = "another user of the account who signs in by its identity provider has this e-mail address";
        Err(Refusal::exists("EMAIL_TAKEN", why))
    }

    /// Finds the user of an account who has proved to be this, or who waits to be known by this verified e-mail address: from now
    /// on it is known by who it is elsewhere, whatever becomes of its address.
    ///
    /// Nothing is changed where somebody was faster, or where the user could not sign in with what was proved at `proof`.
    pub async fn link_identity(
        &mut self,
        account: AccountId,
        identity: Identity,
        email: &str,
        proof: DateTime<Utc>,
    ) -> Result<Option<UserId>, Refusal> {
        if let Some(user) = linked(&self.db, account, &identity).await? {
            return Ok(Some(user));
        }
        let found = awaiting(&self.db, account, email).await?;
        let active = self.world().effective_status(account) == Some(EffectiveStatus::Active);
        let stands = |user: &User| {
            let void = user.session_marks.void_until.is_some_and(|until| proof <= until);
            active && user.enabled && !void && user.kind != UserKind::Service
        };
        let Some(before) = found.filter(stands) else { return Ok(None) };
        let id = before.id;
        let after = User { identity: Some(identity), ..before.clone() };
        self.put(Change {
            account,
            kind: ChangeKind::UserLink,
            before: Some(Image::User(before)),
            after: Some(Image::User(after)),
        })?;
        Ok(Some(id))
    }
}

async fn linked<C: ConnectionTrait>(
    db: &C,
    account: AccountId,
    identity: &Identity,
) -> Result<Option<UserId>, Error> {
    let found = user::Entity::find()
        .select_only()
        .column(user::Column::Id)
        .filter(user::Column::AccountId.eq(account.0))
        .filter(user::Column::SsoIssuer.eq(identity.issuer.as_str()))
        .filter(user::Column::SsoSubject.eq(identity.subject.as_str()));
    Ok(found.into_tuple().one(db).await?.map(UserId))
}

async fn awaiting<C: ConnectionTrait>(
    db: &C,
    account: AccountId,
    email: &str,
) -> Result<Option<User>, Error> {
    let mut found = with_address(account, email).limit(2).all(db).await?;
    let one = if found.len() == 1 { found.pop() } else { None };
    let one = one.map(User::try_from).transpose()?;
    Ok(one.filter(|user| user.identity.is_none()))
}

/// Those of an account who sign in by an identity provider and have this e-mail address.
fn with_address(account: AccountId, email: &str) -> Select<user::Entity> {
    user::Entity::find()
        .filter(user::Column::AccountId.eq(account.0))
        .filter(user::Column::EmailKey.eq(User::email_key(email)))
        .filter(user::Column::Sso.eq(true))
        .filter(user::Column::DeleteTime.is_null())
}
