//! Everything that decisions about one tenant rest on, read as of one revision; and how far tenants are.

use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait,
    FromQueryResult, QueryFilter as _, QueryOrder as _, QuerySelect as _, Select,
};
use uuid::Uuid;

use super::rows::{
    account, api_token, assignment, catalogue_file, custom_role, hash, revision, rights_document,
    role_grant, signing_key, tenant, user,
};
use super::{Engine, Error, Store};
use crate::decision::Facts;
use crate::model::catalogue::CatalogueFile;
use crate::model::{
    Account, AccountId, ApiToken, Assignment, CustomRole, Revision, RightsDocument, RoleGrant,
    SigningKey, User,
};

/// Rows a page. Pages are found by key, so that each costs the same.
const PAGE: u64 = 4_000;

/// So many tenants are asked for in one statement.
const TENANTS: usize = 30_000;

/// What tells that work is getting on: how much of it has been done.
#[derive(Debug, Default)]
pub struct Progress(AtomicU64);

impl Progress {
    /// Marks that something was done.
    pub fn step(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns how much was done so far.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How far a tenant's history is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Whose.
    pub tenant: AccountId,
    /// Its newest revision.
    pub revision: Revision,
    /// The hash of that revision's last ledger entry.
    pub hash: [u8; 32],
}

/// How far tenants are, and what time it was at the store when it said so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pulse {
    /// The heads of those that exist.
    pub heads: Vec<Head>,
    /// The store's clock; `None` where that is this machine's own.
    pub time: Option<DateTime<Utc>>,
}

/// A head as it is read, with the time beside it.
#[derive(Debug, FromQueryResult)]
struct Beat {
    id: Uuid,
    revision: i64,
    hash: Vec<u8>,
    store_time: Option<DateTime<Utc>>,
}

/// One tenant, whole, as it stood at one revision.
#[derive(Debug, Clone)]
pub struct World {
    /// The tenant.
    pub tenant: AccountId,
    /// The revision that the rest stands at.
    pub revision: Revision,
    /// The hash of that revision's last ledger entry.
    pub head: [u8; 32],
    /// Every account, closed ones included, in order of id.
    pub accounts: Vec<Account>,
    /// Every user, deleted ones included, in order of id.
    pub users: Vec<User>,
    /// Every role on a user, expired ones included.
    pub grants: Vec<RoleGrant>,
    /// Every custom role, in order of id.
    pub roles: Vec<CustomRole>,
    /// Every API token that was not ended, expired ones included.
    pub tokens: Vec<ApiToken>,
    /// Every rights document, in order of id.
    pub documents: Vec<RightsDocument>,
    /// Every rights document on a user.
    pub assignments: Vec<Assignment>,
    /// The catalogue files in force, by name; only of the platform's tenant, which keeps them.
    pub catalogues: Vec<CatalogueFile>,
    /// The keys that access tokens are signed with, in order of id; only of the platform's tenant.
    pub signing_keys: Vec<SigningKey>,
}

impl World {
    /// Returns what a snapshot is built from.
    pub fn facts(self) -> Facts {
        Facts {
            tenant: Some(self.tenant),
            revision: self.revision,
            head: self.head,
            accounts: self.accounts,
            users: self.users,
            grants: self.grants,
            roles: self.roles,
            tokens: self.tokens,
            documents: self.documents,
            assignments: self.assignments,
            signing_keys: self.signing_keys,
        }
    }
}

impl TryFrom<tenant::Model> for Head {
    type Error = Error;

    fn try_from(row: tenant::Model) -> Result<Self, Error> {
        let id = AccountId(row.id);
        Ok(Self {
            tenant: id,
            revision: revision("tenants", &id, row.revision)?,
            hash: hash("tenants", &id, &row.hash)?,
        })
    }
}

impl Store {
    /// Tells how far these tenants are. A tenant that does not exist is left out.
    pub async fn heads(&self, tenants: &[AccountId]) -> Result<Vec<Head>, Error> {
        Ok(self.pulse(tenants).await?.heads)
    }

    /// Tells how far these tenants are and what time it is, in one statement.
    pub async fn pulse(&self, tenants: &[AccountId]) -> Result<Pulse, Error> {
        let clock = match self.engine() {
            Engine::Sqlite => Expr::cust("null"),
            Engine::Postgres => Expr::cust("clock_timestamp()"),
        };
        let mut pulse = Pulse::default();
        for tenants in tenants.chunks(TENANTS) {
            let rows = tenant::Entity::find()
                .select_only()
                .columns([tenant::Column::Id, tenant::Column::Revision, tenant::Column::Hash])
                .column_as(clock.clone(), "store_time")
                .filter(tenant::Column::Id.is_in(tenants.iter().map(|id| id.0)))
                .into_model::<Beat>()
                .all(self.loads())
                .await?;
            // Those read last are nearest to now.
            pulse.time = rows.last().and_then(|row| row.store_time);
            for Beat { id, revision: number, hash: bytes, .. } in rows {
                let tenant = AccountId(id);
                let revision = revision("tenants", &tenant, number)?;
                let hash = hash("tenants", &tenant, &bytes)?;
                pulse.heads.push(Head { tenant, revision, hash });
            }
        }
        Ok(pulse)
    }

    /// Reads a tenant in one transaction, so that rows and revision agree, page by page.
    pub async fn world(&self, tenant: AccountId) -> Result<World, Error> {
        self.world_by(tenant, &Progress::default()).await
    }

    /// Reads a tenant as [`world`](Self::world) does, and marks each page in `progress`.
    pub async fn world_by(&self, tenant: AccountId, progress: &Progress) -> Result<World, Error> {
        let root = self.root().await?;
        let db = self.reading(self.loads()).await?;
        let world = read(&db, tenant, root == Some(tenant), progress).await?;
        db.commit().await?;
        Ok(world)
    }
}

/// Reads a tenant as the transaction sees it.
pub(super) async fn read(
    db: &DatabaseTransaction,
    tenant: AccountId,
    platform: bool,
    progress: &Progress,
) -> Result<World, Error> {
    let row = tenant::Entity::find_by_id(tenant.0).one(db).await?;
    let head = Head::try_from(row.ok_or(Error::NoTenant(tenant))?)?;
    let of = account::Entity::find().filter(account::Column::TenantId.eq(tenant.0));
    let accounts = paged(db, of, account::Column::Id, |one: &Account| one.id.0, progress).await?;
    let of = custom_role::Entity::find().filter(custom_role::Column::TenantId.eq(tenant.0));
    let roles =
        paged(db, of, custom_role::Column::Id, |one: &CustomRole| one.id.0, progress).await?;
    let of = rights_document::Entity::find();
    let of = of.filter(rights_document::Column::TenantId.eq(tenant.0));
    let id = |one: &RightsDocument| one.id.0;
    let documents = paged(db, of, rights_document::Column::Id, id, progress).await?;
    let mut world = World {
        tenant,
        revision: head.revision,
        head: head.hash,
        accounts,
        users: Vec::new(),
        grants: Vec::new(),
        roles,
        tokens: Vec::new(),
        documents,
        assignments: Vec::new(),
        catalogues: Vec::new(),
        signing_keys: Vec::new(),
    };
    read_users(db, &mut world, progress).await?;
    if platform {
        let files = catalogue_file::Entity::find().order_by_asc(catalogue_file::Column::Name);
        for row in files.all(db).await? {
            world.catalogues.push(row.try_into()?);
        }
        let keys = signing_key::Entity::find();
        let id = |key: &SigningKey| key.id.0;
        world.signing_keys = paged(db, keys, signing_key::Column::Id, id, progress).await?;
    }
    Ok(world)
}

/// Reads all that a query finds, page by page, in the order of ids.
async fn paged<E, T>(
    db: &DatabaseTransaction,
    query: Select<E>,
    id: E::Column,
    id_of: impl Fn(&T) -> Uuid,
    progress: &Progress,
) -> Result<Vec<T>, Error>
where
    E: EntityTrait,
    T: TryFrom<E::Model, Error = Error>,
{
    let mut all = Vec::new();
    loop {
        let rest = query.clone().filter(behind(id, all.last().map(&id_of)));
        let rows = rest.order_by_asc(id).limit(PAGE).all(db).await?;
        progress.step();
        let last = is_last(rows.len());
        for row in rows {
            all.push(row.try_into()?);
        }
        if last {
            return Ok(all);
        }
    }
}

/// Reads users page by page, and with each page what its users hold.
async fn read_users(
    db: &DatabaseTransaction,
    world: &mut World,
    progress: &Progress,
) -> Result<(), Error> {
    let tenant = world.tenant.0;
    loop {
        let after = world.users.last().map(|user| user.id.0);
        let rows = user::Entity::find()
            .filter(user::Column::TenantId.eq(tenant))
            .filter(behind(user::Column::Id, after))
            .order_by_asc(user::Column::Id)
            .limit(PAGE)
            .all(db)
            .await?;
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(()) };
        let (first, last) = (first.id, last.id);
        let done = is_last(rows.len());
        for row in rows {
            world.users.push(row.try_into()?);
        }
        progress.step();
        read_held(db, world, first, last).await?;
        progress.step();
        if done {
            return Ok(());
        }
    }
}

async fn read_held<C: ConnectionTrait>(
    db: &C,
    world: &mut World,
    first: Uuid,
    last: Uuid,
) -> Result<(), Error> {
    let tenant = world.tenant.0;
    let grants = role_grant::Entity::find()
        .filter(role_grant::Column::TenantId.eq(tenant))
        .filter(role_grant::Column::UserId.between(first, last))
        .all(db)
        .await?;
    world.grants.extend(grants.into_iter().map(RoleGrant::from));
    let tokens = api_token::Entity::find()
        .filter(api_token::Column::TenantId.eq(tenant))
        .filter(api_token::Column::UserId.between(first, last))
        .filter(api_token::Column::EndTime.is_null())
        .all(db)
        .await?;
    for row in tokens {
        world.tokens.push(row.try_into()?);
    }
    let assignments = assignment::Entity::find()
        .filter(assignment::Column::TenantId.eq(tenant))
        .filter(assignment::Column::UserId.between(first, last))
        .all(db)
        .await?;
    world.assignments.extend(assignments.into_iter().map(Assignment::from));
    Ok(())
}

fn behind<C: sea_orm::ColumnTrait>(id: C, after: Option<Uuid>) -> Condition {
    after.map_or_else(Condition::all, |after| Condition::all().add(id.gt(after)))
}

fn is_last(rows: usize) -> bool {
    u64::try_from(rows).is_ok_and(|rows| rows < PAGE)
}
