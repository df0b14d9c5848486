//! From changes to rows: what a write comes to, table by table, in few statements.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait as _, Condition, EntityTrait, Iterable as _,
    PrimaryKeyToColumn, QueryFilter as _, QueryTrait as _,
};

use super::Error;
use super::batch::Step;
use super::outbox::end_links;
use super::rows::role_grant::scope_key;
use super::rows::{
    account, api_token, assignment, catalogue_file, custom_role, rights_document, role_grant,
    signing_key, user,
};
use crate::decision::BrokenWorld;
use crate::model::{
    AccountId, ApiToken, Assignment, Change, Image, RoleGrant, SigningKey, SigningKeyId, TokenId,
};

/// Rows a statement; far below what either engine takes in values.
const BATCH: usize = 500;

/// Conditions a statement, where a key has several columns; SQLite takes no deep expressions.
const KEYS: usize = 100;

/// What rows hold beside the nouns: no image and no ledger ever does.
#[derive(Default)]
pub(super) struct Secrets {
    /// What new API tokens are found by.
    pub(super) digests: HashMap<TokenId, [u8; 32]>,
    /// The secrets of signing keys, encrypted.
    pub(super) sealed: HashMap<SigningKeyId, Vec<u8>>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

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
    keys: Rows<signing_key::ActiveModel>,
    documents: Rows<rights_document::ActiveModel>,
    assignments: Rows<assignment::ActiveModel>,
    ended_links: Vec<uuid::Uuid>,
    gone_roles: Vec<uuid::Uuid>,
    gone_grants: Vec<RoleGrant>,
    gone_tokens: Vec<uuid::Uuid>,
    gone_documents: Vec<uuid::Uuid>,
    gone_assignments: Vec<Assignment>,
    gone_catalogues: Vec<String>,
    gone_keys: Vec<uuid::Uuid>,
}

/// Returns what the changes, made at `now`, come to. An object that changed twice is written once.
pub(super) fn steps(
    tenant: AccountId,
    changes: &[Change],
    secrets: &Secrets,
    now: DateTime<Utc>,
) -> Result<Vec<Step>, Error> {
    let mut plan = Plan::default();
    for (before, after) in net(changes) {
        plan.add(tenant, before, after, secrets)?;
    }
    plan.steps(now)
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
        secrets: &Secrets,
    ) -> Result<(), Error> {
        let new = before.is_none();
        match (before, after.cloned()) {
            (_, Some(Image::Account(one))) => self.accounts.push(new, one.try_into()?),
            (before, Some(Image::User(one))) => {
                if matches!(before, Some(Image::User(old)) if old.ends_links(&one)) {
                    self.ended_links.push(one.id.0);
                }
                self.users.push(new, user::ActiveModel::of(tenant, one)?);
            }
            (_, Some(Image::Role(one))) => {
                self.roles.push(new, custom_role::ActiveModel::of(tenant, one)?);
            }
            (_, Some(Image::RoleGrant(one))) => {
                self.grants.push(new, role_grant::ActiveModel::of(tenant, one));
            }
            (_, Some(Image::ApiToken(one))) => {
                self.tokens.push(new, token(tenant, one, new, &secrets.digests)?);
            }
            (_, Some(Image::Document(one))) => {
                self.documents.push(new, rights_document::ActiveModel::of(tenant, one)?);
            }
            (_, Some(Image::Assignment(one))) => {
                self.assignments.push(new, assignment::ActiveModel::of(tenant, &one));
            }
            (_, Some(Image::Catalogue(one))) => self.catalogues.push(new, one.try_into()?),
            (_, Some(Image::SigningKey(one))) => {
                self.keys.push(new, signing_key(one, &secrets.sealed)?);
            }
            (Some(Image::SigningKey(one)), None) => self.gone_keys.push(one.id.0),
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
            // Its row is put beside the changes, with what the ledger must not hold.
            (_, Some(Image::Message(_))) | (Some(Image::Message(_)) | None, None) => {}
        }
        Ok(())
    }

    /// Takes rows away from the leaves up, then writes from the roots down, as the references need it.
    fn steps(self, now: DateTime<Utc>) -> Result<Vec<Step>, Error> {
        let mut to = Vec::new();
        end_tokens(&mut to, &self.gone_tokens, now);
        for users in self.ended_links.chunks(BATCH) {
            end_links(&mut to, users, now);
        }
        delete_assignments(&mut to, &self.gone_assignments);
        delete_documents(&mut to, &self.gone_documents);
        delete_grants(&mut to, &self.gone_grants);
        delete_roles(&mut to, &self.gone_roles);
        delete_catalogues(&mut to, &self.gone_catalogues);
        delete_keys(&mut to, &self.gone_keys);
        save(&mut to, self.accounts);
        save(&mut to, self.users);
        save(&mut to, self.roles);
        save(&mut to, self.grants);
        save(&mut to, self.documents);
        save(&mut to, self.assignments);
        save(&mut to, self.catalogues);
        save(&mut to, self.keys);
        insert(&mut to, self.tokens.new);
        for token in self.tokens.changed {
            // One by one: the digest, which stays as it is, is not at hand to insert.
            let update = api_token::Entity::update(token).validate()?.into_query();
            to.push(Step::exactly(update, "api_tokens", 1));
        }
        Ok(to)
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

/// A key is sealed anew whenever it changes: the seal holds all that is said of it.
fn signing_key(
    key: SigningKey,
    sealed: &HashMap<SigningKeyId, Vec<u8>>,
) -> Result<signing_key::ActiveModel, Error> {
    let missing = || {
        let why = format!("{}: a signing key without its secret", key.id);
        Error::Corrupt { table: "signing_keys", why }
    };
    let sealed = sealed.get(&key.id).cloned().ok_or_else(missing)?;
    Ok(signing_key::ActiveModel { sealed: Set(sealed), ..key.try_into()? })
}

fn save<A: ActiveModelTrait>(to: &mut Vec<Step>, rows: Rows<A>) {
    insert(to, rows.new);
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
        to.push(rows.into_query().into());
    }
}

fn insert<A: ActiveModelTrait>(to: &mut Vec<Step>, rows: Vec<A>) {
    to.extend(batches(rows, BATCH).map(|rows| A::Entity::insert_many(rows).into_query().into()));
}

fn batches<T>(rows: Vec<T>, size: usize) -> impl Iterator<Item = Vec<T>> {
    let mut rows = rows.into_iter().peekable();
    std::iter::from_fn(move || {
        rows.peek()?;
        Some(rows.by_ref().take(size).collect())
    })
}

/// Their rows stay: by its digest a token that was ended is told from one that never was.
fn end_tokens(to: &mut Vec<Step>, ids: &[uuid::Uuid], now: DateTime<Utc>) {
    for ids in ids.chunks(BATCH) {
        let gone = api_token::Entity::update_many()
            .col_expr(api_token::Column::EndTime, Expr::val(now))
            .filter(api_token::Column::Id.is_in(ids.iter().copied()))
            .filter(api_token::Column::EndTime.is_null());
        to.push(Step::exactly(gone.into_query(), "api_tokens", ids.len()));
    }
}

fn delete_roles(to: &mut Vec<Step>, ids: &[uuid::Uuid]) {
    for ids in ids.chunks(BATCH) {
        let these = custom_role::Column::Id.is_in(ids.iter().copied());
        let gone = custom_role::Entity::delete_many().filter(these);
        to.push(Step::exactly(gone.into_query(), "custom_roles", ids.len()));
    }
}

fn delete_catalogues(to: &mut Vec<Step>, names: &[String]) {
    for names in names.chunks(BATCH) {
        let these = catalogue_file::Column::Name.is_in(names.iter().map(String::as_str));
        let gone = catalogue_file::Entity::delete_many().filter(these);
        to.push(Step::exactly(gone.into_query(), "catalogue_files", names.len()));
    }
}

fn delete_keys(to: &mut Vec<Step>, ids: &[uuid::Uuid]) {
    for ids in ids.chunks(BATCH) {
        let these = signing_key::Column::Id.is_in(ids.iter().copied());
        let gone = signing_key::Entity::delete_many().filter(these);
        to.push(Step::exactly(gone.into_query(), "signing_keys", ids.len()));
    }
}

fn delete_documents(to: &mut Vec<Step>, ids: &[uuid::Uuid]) {
    for ids in ids.chunks(BATCH) {
        let these = rights_document::Column::Id.is_in(ids.iter().copied());
        let gone = rights_document::Entity::delete_many().filter(these);
        to.push(Step::exactly(gone.into_query(), "rights_documents", ids.len()));
    }
}

fn delete_assignments(to: &mut Vec<Step>, gone: &[Assignment]) {
    for some in gone.chunks(KEYS) {
        let these = some.iter().fold(Condition::any(), |any, one| {
            any.add(
                Condition::all()
                    .add(assignment::Column::UserId.eq(one.user.0))
                    .add(assignment::Column::DocumentId.eq(one.document.0)),
            )
        });
        let gone = assignment::Entity::delete_many().filter(these);
        to.push(Step::exactly(gone.into_query(), "assignments", some.len()));
    }
}

fn delete_grants(to: &mut Vec<Step>, grants: &[RoleGrant]) {
    for grants in grants.chunks(KEYS) {
        let these = grants.iter().fold(Condition::any(), |any, grant| {
            any.add(
                Condition::all()
                    .add(role_grant::Column::UserId.eq(grant.user.0))
                    .add(role_grant::Column::Role.eq(grant.role.to_string()))
                    .add(role_grant::Column::ScopeKey.eq(scope_key(grant.scope.as_deref()))),
            )
        });
        let gone = role_grant::Entity::delete_many().filter(these);
        to.push(Step::exactly(gone.into_query(), "role_grants", grants.len()));
    }
}
