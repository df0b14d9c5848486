//! Single objects and short pages of them, as they are kept now.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};

use super::rows::{account, api_token, custom_role, rights_document, role_grant, user};
use super::{Error, Store, Tx};
use crate::model::{
    Account, AccountId, ApiToken, CustomRole, DocId, Folded, RoleGrant, RoleId, TokenId, User,
    UserId,
};

/// So many ids are asked for in one statement.
const IDS: usize = 1_000;

/// Something that has an id of its own and lies in one tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectId {
    /// An account.
    Account(AccountId),
    /// A user.
    User(UserId),
    /// A custom role.
    Role(RoleId),
    /// An API token.
    Token(TokenId),
    /// A rights document.
    Document(DocId),
}

/// An API token with what is kept beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptToken {
    /// The token.
    pub token: ApiToken,
    /// When it was last used, within five minutes; a trace, in no ledger.
    pub last_used_time: Option<DateTime<Utc>>,
}

impl TryFrom<api_token::Model> for KeptToken {
    type Error = Error;

    fn try_from(row: api_token::Model) -> Result<Self, Error> {
        let last_used_time = row.last_used_time;
        Ok(Self { token: row.try_into()?, last_used_time })
    }
}

impl Store {
    /// Finds the tenant that an object lies in.
    pub async fn tenant_of(&self, object: ObjectId) -> Result<Option<AccountId>, Error> {
        let db = self.credentials();
        let found: Option<uuid::Uuid> = match object {
            ObjectId::Account(id) => {
                let row = account::Entity::find_by_id(id.0).select_only();
                row.column(account::Column::TenantId).into_tuple().one(db).await?
            }
            ObjectId::User(id) => {
                let row = user::Entity::find_by_id(id.0).select_only();
                row.column(user::Column::TenantId).into_tuple().one(db).await?
            }
            ObjectId::Role(id) => {
                let row = custom_role::Entity::find_by_id(id.0).select_only();
                row.column(custom_role::Column::TenantId).into_tuple().one(db).await?
            }
            ObjectId::Token(id) => {
                let row = api_token::Entity::find_by_id(id.0).select_only();
                row.column(api_token::Column::TenantId).into_tuple().one(db).await?
            }
            ObjectId::Document(id) => {
                let row = rights_document::Entity::find_by_id(id.0).select_only();
                row.column(rights_document::Column::TenantId).into_tuple().one(db).await?
            }
        };
        Ok(found.map(AccountId))
    }

    /// Finds an account.
    pub async fn account(&self, id: AccountId) -> Result<Option<Account>, Error> {
        let row = account::Entity::find_by_id(id.0).one(self.credentials()).await?;
        row.map(Account::try_from).transpose()
    }

    /// Lists the main accounts, closed ones included, in order of id, from behind `after` on.
    pub async fn main_accounts(
        &self,
        after: Option<AccountId>,
        limit: u64,
    ) -> Result<Vec<Account>, Error> {
        let Some(root) = self.root().await? else { return Ok(Vec::new()) };
        let children = account::Entity::find().filter(account::Column::ParentId.eq(root.0));
        self.accounts_after(children, after, limit).await
    }

    /// Lists all accounts of the platform, the root included, in order of id, from behind `after` on.
    pub async fn all_accounts(
        &self,
        after: Option<AccountId>,
        limit: u64,
    ) -> Result<Vec<Account>, Error> {
        self.accounts_after(account::Entity::find(), after, limit).await
    }

    async fn accounts_after(
        &self,
        accounts: sea_orm::Select<account::Entity>,
        after: Option<AccountId>,
        limit: u64,
    ) -> Result<Vec<Account>, Error> {
        let rows = accounts
            .filter(after.map_or_else(sea_orm::Condition::all, |after| {
                sea_orm::Condition::all().add(account::Column::Id.gt(after.0))
            }))
            .order_by_asc(account::Column::Id)
            .limit(limit)
            .all(self.credentials())
            .await?;
        rows.into_iter().map(Account::try_from).collect()
    }

    /// Finds a user, deleted or not.
    pub async fn user(&self, id: UserId) -> Result<Option<User>, Error> {
        find_user(self.credentials(), id).await
    }

    /// Finds those of the users that exist, deleted ones included, in order of id.
    pub async fn users(&self, ids: &[UserId]) -> Result<Vec<User>, Error> {
        let mut users = Vec::with_capacity(ids.len());
        for ids in ids.chunks(IDS) {
            let rows = user::Entity::find()
                .filter(user::Column::Id.is_in(ids.iter().map(|id| id.0)))
                .all(self.credentials())
                .await?;
            for row in rows {
                users.push(User::try_from(row)?);
            }
        }
        users.sort_unstable_by_key(|user| user.id);
        Ok(users)
    }

    /// Finds a custom role.
    pub async fn role(&self, id: RoleId) -> Result<Option<CustomRole>, Error> {
        let row = custom_role::Entity::find_by_id(id.0).one(self.credentials()).await?;
        row.map(CustomRole::try_from).transpose()
    }

    /// Lists the roles on a user, expired ones included.
    pub async fn grants_of(&self, user: UserId) -> Result<Vec<RoleGrant>, Error> {
        find_grants(self.credentials(), user).await
    }

    /// Finds the token with a digest, ended or not: its id, its user and its tenant. One indexed read (`edges.md` §5).
    pub async fn token_by_digest(
        &self,
        digest: &[u8; 32],
    ) -> Result<Option<(TokenId, UserId, AccountId)>, Error> {
        let found: Option<(uuid::Uuid, uuid::Uuid, uuid::Uuid)> = api_token::Entity::find()
            .select_only()
            .column(api_token::Column::Id)
            .column(api_token::Column::UserId)
            .column(api_token::Column::TenantId)
            .filter(api_token::Column::Digest.eq(digest.as_slice()))
            .into_tuple()
            .one(self.credentials())
            .await?;
        Ok(found.map(|(id, user, tenant)| (TokenId(id), UserId(user), AccountId(tenant))))
    }

    /// Tells whether an account, closed or not, has this e-mail address.
    pub async fn email_taken(&self, key: &Folded) -> Result<bool, Error> {
        email_taken(self.credentials(), key).await
    }

    /// Tells whether an account, closed or not, has this login alias.
    pub async fn alias_taken(&self, key: &Folded) -> Result<bool, Error> {
        alias_taken(self.credentials(), key).await
    }
}

impl Tx {
    /// Finds a user as it stands in this write.
    pub async fn user(&mut self, id: UserId) -> Result<Option<User>, Error> {
        match self.pending_user(id) {
            Some(user) => Ok(Some(user)),
            None => find_user(&self.db, id).await,
        }
    }

    /// Tells whether an account, closed or not, had this e-mail address before this write.
    pub async fn email_taken(&mut self, key: &Folded) -> Result<bool, Error> {
        email_taken(&self.db, key).await
    }

    /// Tells whether an account, closed or not, had this login alias before this write.
    pub async fn alias_taken(&mut self, key: &Folded) -> Result<bool, Error> {
        alias_taken(&self.db, key).await
    }

    /// Finds a user as it stands in this write, with the roles that were on it before, expired ones included: in one
    /// statement, since others wait.
    pub async fn user_with_grants(
        &mut self,
        id: UserId,
    ) -> Result<Option<(User, Vec<RoleGrant>)>, Error> {
        let mut found = user::Entity::find_by_id(id.0)
            .find_with_related(role_grant::Entity)
            .order_by_asc(role_grant::Column::Role)
            .order_by_asc(role_grant::Column::ScopeKey)
            .all(&self.db)
            .await?;
        let (row, grants) = found.pop().unzip();
        let user = match self.pending_user(id) {
            Some(user) => Some(user),
            None => row.map(User::try_from).transpose()?,
        };
        let grants = grants.unwrap_or_default().into_iter().map(RoleGrant::from).collect();
        Ok(user.map(|user| (user, grants)))
    }
}

async fn find_user<C: ConnectionTrait>(db: &C, id: UserId) -> Result<Option<User>, Error> {
    user::Entity::find_by_id(id.0).one(db).await?.map(User::try_from).transpose()
}

async fn find_grants<C: ConnectionTrait>(db: &C, user: UserId) -> Result<Vec<RoleGrant>, Error> {
    let rows = role_grant::Entity::find()
        .filter(role_grant::Column::UserId.eq(user.0))
        .order_by_asc(role_grant::Column::Role)
        .order_by_asc(role_grant::Column::ScopeKey)
        .all(db)
        .await?;
    Ok(rows.into_iter().map(RoleGrant::from).collect())
}

async fn email_taken<C: ConnectionTrait>(db: &C, key: &Folded) -> Result<bool, Error> {
    let same = account::Column::EmailKey.eq(key.as_str());
    Ok(account::Entity::find().filter(same).count(db).await? > 0)
}

async fn alias_taken<C: ConnectionTrait>(db: &C, key: &Folded) -> Result<bool, Error> {
    let same = account::Column::LoginAliasKey.eq(key.as_str());
    Ok(account::Entity::find().filter(same).count(db).await? > 0)
}
