//! From changes to rows: what a write comes to, table by table, in few statements.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait as _, Condition, DatabaseTransaction,
    EntityTrait, Iterable as _, PrimaryKeyToColumn, QueryFilter as _,
};

use super::Error;
use super::rows::role_grant::scope_key;
use super::rows::{
    account, api_token, assignment, catalogue_file, custom_role, rights_document, role_grant, user,
};
use crate::decision::BrokenWorld;
use crate::model::{AccountId, ApiToken, Assignment, Change, Image, RoleGrant, TokenId};

/// Rows a statement; far below what either engine takes in values.
const BATCH: usize = 500;

/// Conditions a statement, where a key has several columns; SQLite takes no deep expressions.
const KEYS: usize = 100;

/// One table's rows.
#[derive(Debug)]
struct Rows<A> {
    new: Vec<A>,
    changed: Vec<A>,
}

impl<A> Default for Rows<A> {
    fn default() -> Self {
        Self { new: Vec::new(), changed: Vec::new() }
    }
}

impl<A> Rows<A> {
    fn push(&mut self, new: bool, row: A) {
        if new { self.new.push(row) } else { self.changed.push(row) }
    }
}

/// What a write comes to.
#[derive(Debug, Default)]
struct Plan {
    accounts: Rows<account::ActiveModel>,
    users: Rows<user::ActiveModel>,
    roles: Rows<custom_role::ActiveModel>,
    grants: Rows<role_grant::ActiveModel>,
    tokens: Rows<api_token::ActiveModel>,
    catalogues: Rows<catalogue_file::ActiveModel>,
    documents: Rows<rights_document::ActiveModel>,
    assignments: Rows<assignment::ActiveModel>,
    gone_roles: Vec<uuid::Uuid>,
    gone_grants: Vec<RoleGrant>,
    gone_tokens: Vec<uuid::Uuid>,
    gone_documents: Vec<uuid::Uuid>,
    gone_assignments: Vec<Assignment>,
    gone_catalogues: Vec<String>,
}

/// Writes what the changes, made at `now`, come to. An object that changed twice is written once.
pub(super) async fn changes(
    db: &DatabaseTransaction,
    tenant: AccountId,
    changes: &[Change],
    digests: &HashMap<TokenId, [u8; 32]>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let mut plan = Plan::default();
    for (before, after) in net(changes) {
        plan.add(tenant, before, after, digests)?;
    }
    plan.run(db, now).await
}

/// Joins the changes of each object: what it was before all of them, and what it is after.
fn net(changes: &[Change]) -> Vec<(Option<&Image>, Option<&Image>)> {
    let mut places = HashMap::with_capacity(changes.len());
    let mut joined: Vec<(Option<&Image>, Option<&Image>)> = Vec::with_capacity(changes.len());
    for change in changes {
        let place = *places.entry(change.entity()).or_insert(joined.len());
        match joined.get_mut(place) {
            Some((_, after)) => *after = change.after.as_ref(),
            None => joined.push((change.before.as_ref(), change.after.as_ref())),
        }
    }
    joined
}

impl Plan {
    fn add(
        &mut self,
        tenant: AccountId,
        before: Option<&Image>,
        after: Option<&Image>,
        digests: &HashMap<TokenId, [u8; 32]>,
    ) -> Result<(), Error> {
        let new = before.is_none();
        match (before, after.cloned()) {
            (_, Some(Image::Account(one))) => self.accounts.push(new, one.try_into()?),
            (_, Some(Image::User(one))) => {
                self.users.push(new, user::ActiveModel::of(tenant, one)?);
            }
            (_, Some(Image::Role(one))) => {
                self.roles.push(new, custom_role::ActiveModel::of(tenant, one)?);
            }
            (_, Some(Image::RoleGrant(one))) => {
                self.grants.push(new, role_grant::ActiveModel::of(tenant, one));
            }
            (_, Some(Image::ApiToken(one))) => {
                self.tokens.push(new, token(tenant, one, new, digests)?);
            }
            (_, Some(Image::Document(one))) => {
                self.documents.push(new, rights_document::ActiveModel::of(tenant, one)?);
            }
            (_, Some(Image::Assignment(one))) => {
                self.assignments.push(new, assignment::ActiveModel::of(tenant, &one));
            }
            (_, Some(Image::Catalogue(one))) => self.catalogues.push(new, one.try_into()?),
            (Some(Image::Role(one)), None) => self.gone_roles.push(one.id.0),
            (Some(Image::RoleGrant(one)), None) => self.gone_grants.push(one.clone()),
            (Some(Image::ApiToken(one)), None) => self.gone_tokens.push(one.id.0),
            (Some(Image::Document(one)), None) => self.gone_documents.push(one.id.0),
            (Some(Image::Assignment(one)), None) => self.gone_assignments.push(one.clone()),
            (Some(Image::Catalogue(one)), None) => self.gone_catalogues.push(one.name.clone()),
            // Accounts and users are closed and deleted, but their rows stay.
            (Some(image @ (Image::Account(_) | Image::User(_))), None) => {
                return Err(BrokenWorld::Misfit(image.entity()).into());
            }
            (None, None) => {}
        }
        Ok(())
    }

    /// Takes rows away from the leaves up, then writes from the roots down, as the references need it.
    async fn run(self, db: &DatabaseTransaction, now: DateTime<Utc>) -> Result<(), Error> {
        end_tokens(db, &self.gone_tokens, now).await?;
        delete_assignments(db, &self.gone_assignments).await?;
        delete_documents(db, &self.gone_documents).await?;
        delete_grants(db, &self.gone_grants).await?;
        delete_roles(db, &self.gone_roles).await?;
        delete_catalogues(db, &self.gone_catalogues).await?;
        save(db, self.accounts).await?;
        save(db, self.users).await?;
        save(db, self.roles).await?;
        save(db, self.grants).await?;
        save(db, self.documents).await?;
        save(db, self.assignments).await?;
        save(db, self.catalogues).await?;
        insert(db, self.tokens.new).await?;
        for token in self.tokens.changed {
            // One by one: the digest, which stays as it is, is not at hand to insert.
            api_token::Entity::update(token).exec_without_returning(db).await?;
        }
        Ok(())
    }
}

fn token(
    tenant: AccountId,
    token: ApiToken,
    new: bool,
    digests: &HashMap<TokenId, [u8; 32]>,
) -> Result<api_token::ActiveModel, Error> {
    let digest = digests.get(&token.id);
    let id = token.id;
    let mut row = api_token::ActiveModel::of(tenant, token)?;
    if let Some(digest) = digest {
        row.digest = Set(digest.to_vec());
    } else if new {
        let why = format!("{id}: a new token without a digest");
        return Err(Error::Corrupt { table: "api_tokens", why });
    }
    Ok(row)
}

async fn save<A: ActiveModelTrait>(db: &DatabaseTransaction, rows: Rows<A>) -> Result<(), Error> {
    insert(db, rows.new).await?;
    let keys =
        || <A::Entity as EntityTrait>::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column);
    let is_key = |column: &<A::Entity as EntityTrait>::Column| {
        keys().any(|key| format!("{key:?}") == format!("{column:?}"))
    };
    let rest = <A::Entity as EntityTrait>::Column::iter().filter(|column| !is_key(column));
    let conflict = OnConflict::columns(keys()).update_columns(rest).to_owned();
    for rows in batches(rows.changed, BATCH) {
        // Many rows to update in one statement: insert them, and each meets the one that is there.
        let rows = A::Entity::insert_many(rows).on_conflict(conflict.clone());
        rows.exec_without_returning(db).await?;
    }
    Ok(())
}

async fn insert<A: ActiveModelTrait>(db: &DatabaseTransaction, rows: Vec<A>) -> Result<(), Error> {
    for rows in batches(rows, BATCH) {
        A::Entity::insert_many(rows).exec_without_returning(db).await?;
    }
    Ok(())
}

fn batches<T>(rows: Vec<T>, size: usize) -> impl Iterator<Item = Vec<T>> {
    let mut rows = rows.into_iter().peekable();
    std::iter::from_fn(move || {
        rows.peek()?;
        Some(rows.by_ref().take(size).collect())
    })
}

/// Complains if other than the rows that were there are gone now.
fn all_gone(table: &'static str, gone: u64, wanted: usize) -> Result<(), Error> {
    if u64::try_from(wanted) == Ok(gone) {
        return Ok(());
    }
    Err(Error::Corrupt { table, why: format!("of {wanted} rows to delete {gone} were there") })
}

/// Their rows stay: by its digest a token that was ended is told from one that never was.
async fn end_tokens(
    db: &DatabaseTransaction,
    ids: &[uuid::Uuid],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    for ids in ids.chunks(BATCH) {
        let gone = api_token::Entity::update_many()
            .col_expr(api_token::Column::EndTime, Expr::val(now))
            .filter(api_token::Column::Id.is_in(ids.iter().copied()))
            .filter(api_token::Column::EndTime.is_null())
            .exec(db)
            .await?;
        all_gone("api_tokens", gone.rows_affected, ids.len())?;
    }
    Ok(())
}

async fn delete_roles(db: &DatabaseTransaction, ids: &[uuid::Uuid]) -> Result<(), Error> {
    for ids in ids.chunks(BATCH) {
        let these = custom_role::Column::Id.is_in(ids.iter().copied());
        let gone = custom_role::Entity::delete_many().filter(these).exec(db).await?;
        all_gone("custom_roles", gone.rows_affected, ids.len())?;
    }
    Ok(())
}

async fn delete_catalogues(db: &DatabaseTransaction, names: &[String]) -> Result<(), Error> {
    for names in names.chunks(BATCH) {
        let these = catalogue_file::Column::Name.is_in(names.iter().map(String::as_str));
        let gone = catalogue_file::Entity::delete_many().filter(these).exec(db).await?;
        all_gone("catalogue_files", gone.rows_affected, names.len())?;
    }
    Ok(())
}

async fn delete_documents(db: &DatabaseTransaction, ids: &[uuid::Uuid]) -> Result<(), Error> {
    for ids in ids.chunks(BATCH) {
        let these = rights_document::Column::Id.is_in(ids.iter().copied());
        let gone = rights_document::Entity::delete_many().filter(these).exec(db).await?;
        all_gone("rights_documents", gone.rows_affected, ids.len())?;
    }
    Ok(())
}

async fn delete_assignments(db: &DatabaseTransaction, gone: &[Assignment]) -> Result<(), Error> {
    for some in gone.chunks(KEYS) {
        let these = some.iter().fold(Condition::any(), |any, one| {
            any.add(
                Condition::all()
                    .add(assignment::Column::UserId.eq(one.user.0))
                    .add(assignment::Column::DocumentId.eq(one.document.0)),
            )
        });
        let deleted = assignment::Entity::delete_many().filter(these).exec(db).await?;
        all_gone("assignments", deleted.rows_affected, some.len())?;
    }
    Ok(())
}

async fn delete_grants(db: &DatabaseTransaction, grants: &[RoleGrant]) -> Result<(), Error> {
    for grants in grants.chunks(KEYS) {
        let these = grants.iter().fold(Condition::any(), |any, grant| {
            any.add(
                Condition::all()
                    .add(role_grant::Column::UserId.eq(grant.user.0))
                    .add(role_grant::Column::Role.eq(grant.role.to_string()))
                    .add(role_grant::Column::ScopeKey.eq(scope_key(grant.scope.as_deref()))),
            )
        });
        let gone = role_grant::Entity::delete_many().filter(these).exec(db).await?;
        all_gone("role_grants", gone.rows_affected, grants.len())?;
    }
    Ok(())
}
