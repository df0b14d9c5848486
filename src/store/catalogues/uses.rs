//! Who has what a catalogue declares, on the whole platform: users, accounts, and the roles that accounts made.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait as _,
    PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use uuid::Uuid;

use crate::model::catalogue::{Catalogue, Difference, PermissionSet};
use crate::model::{AccountId, AccountStatus, CustomRole, DocId, RoleId, RoleRef};
use crate::store::Error;
use crate::store::rows::{account, assignment, custom_role, role_grant, user, word};

/// Rows a page.
const PAGE: u64 = 1_000;
/// So many custom roles are looked at; of a platform with more, what lies behind is taken for the worst.
const MOST_ROLES: usize = 100_000;
/// Names asked for in one statement.
const NAMES: usize = 500;

/// Counts the users that exist and hold a role, until `most` are found.
pub(super) async fn holders(
    db: &DatabaseTransaction,
    role: &str,
    now: DateTime<Utc>,
    most: u64,
) -> Result<u64, Error> {
    let live = Condition::any()
        .add(role_grant::Column::ExpireTime.is_null())
        .add(role_grant::Column::ExpireTime.gt(now));
    let (mut found, mut after) = (0, Uuid::nil());
    loop {
        let page: Vec<Uuid> = role_grant::Entity::find()
            .select_only()
            .column(role_grant::Column::UserId)
            .distinct()
            .filter(role_grant::Column::Role.eq(role))
            .filter(role_grant::Column::UserId.gt(after))
            .filter(live.clone())
            .order_by_asc(role_grant::Column::UserId)
            .limit(PAGE)
            .into_tuple()
            .all(db)
            .await?;
        let Some(last) = page.last() else { return Ok(found) };
        after = *last;
        found += existing(db, &page).await?;
        if found >= most {
            return Ok(found);
        }
    }
}

/// Counts the users that exist and have a document, until `most` are found.
pub(super) async fn assignees(
    db: &DatabaseTransaction,
    document: DocId,
    most: u64,
) -> Result<u64, Error> {
    let (mut found, mut after) = (0, Uuid::nil());
    loop {
        let page: Vec<Uuid> = assignment::Entity::find()
            .select_only()
            .column(assignment::Column::UserId)
            .filter(assignment::Column::DocumentId.eq(document.0))
            .filter(assignment::Column::UserId.gt(after))
            .order_by_asc(assignment::Column::UserId)
            .limit(PAGE)
            .into_tuple()
            .all(db)
            .await?;
        let Some(last) = page.last() else { return Ok(found) };
        after = *last;
        found += existing(db, &page).await?;
        if found >= most {
            return Ok(found);
        }
    }
}

async fn existing(db: &DatabaseTransaction, users: &[Uuid]) -> Result<u64, Error> {
    if users.is_empty() {
        return Ok(0);
    }
    let these = user::Entity::find()
        .filter(user::Column::Id.is_in(users.iter().copied()))
        .filter(user::Column::DeleteTime.is_null());
    Ok(these.count(db).await?)
}

/// Counts the accounts that are not closed and have a role as their ceiling. Of a closed one nothing changes any more.
pub(super) async fn accounts<C: ConnectionTrait>(db: &C, role: &str) -> Result<u64, Error> {
    let closed = word("accounts", &AccountStatus::Closed)?;
    let these = account::Entity::find()
        .filter(account::Column::Role.eq(role))
        .filter(account::Column::Status.ne(closed));
    Ok(these.select_only().column(account::Column::Id).count(db).await?)
}

/// Finds a custom role of any account that is called, folded, like one of `names`.
pub(super) async fn namesake(
    db: &DatabaseTransaction,
    names: &[String],
) -> Result<Option<String>, Error> {
    for names in names.chunks(NAMES) {
        let these = custom_role::Column::NameKey.is_in(names.iter().map(String::as_str));
        if let Some(row) = custom_role::Entity::find().filter(these).one(db).await? {
            return Ok(Some(row.name));
        }
    }
    Ok(None)
}

/// A custom role that gives more or less with a new catalogue.
#[derive(Debug, Clone)]
pub(super) struct Affected {
    pub(super) role: RoleId,
    pub(super) account: AccountId,
    pub(super) gained: Vec<String>,
    pub(super) lost: Vec<String>,
}

/// What custom roles have to do with a new catalogue.
#[derive(Debug, Default)]
pub(super) struct CustomRoles {
    /// The roles of catalogues that some custom role includes.
    pub(super) included: HashSet<String>,
    /// Those whose own patterns come to more or less, in order of id.
    pub(super) affected: Vec<Affected>,
    /// Whether there are more than were looked at.
    pub(super) others: bool,
}

impl CustomRoles {
    /// Looks at the custom roles of all accounts, page by page.
    pub(super) async fn find(
        db: &DatabaseTransaction,
        old: &Catalogue,
        new: &Catalogue,
    ) -> Result<Self, Error> {
        let difference = Difference::new(old, new);
        let mut patterns = Patterns { old, new, difference: &difference, known: HashMap::new() };
        let (mut found, mut after, mut seen) = (Self::default(), Uuid::nil(), 0);
        loop {
            let page = custom_role::Entity::find()
                .filter(custom_role::Column::Id.gt(after))
                .order_by_asc(custom_role::Column::Id)
                .limit(PAGE)
                .all(db)
                .await?;
            let Some(last) = page.last() else { return Ok(found) };
            after = last.id;
            seen += page.len();
            for row in page {
                found.note(&CustomRole::try_from(row)?, &mut patterns);
            }
            if seen >= MOST_ROLES {
                found.others = true;
                return Ok(found);
            }
        }
    }

    fn note(&mut self, role: &CustomRole, patterns: &mut Patterns<'_>) {
        if !role.active {
            return;
        }
        let built_in = role.includes.iter().filter_map(|one| match one {
            RoleRef::BuiltIn(name) => Some(name.to_string()),
            RoleRef::Custom(_) => None,
        });
        self.included.extend(built_in);
        let (gained, lost) = patterns.of(role);
        if !gained.is_empty() || !lost.is_empty() {
            let (role, account) = (role.id, role.account);
            self.affected.push(Affected { role, account, gained, lost });
        }
    }
}

/// What patterns come to more and less, each looked up once. A pattern speaks of names alone, so that only what is newly
/// declared comes and only what vanishes goes.
struct Patterns<'a> {
    old: &'a Catalogue,
    new: &'a Catalogue,
    difference: &'a Difference<'a>,
    known: HashMap<String, (PermissionSet, PermissionSet)>,
}

impl Patterns<'_> {
    fn of(&mut self, role: &CustomRole) -> (Vec<String>, Vec<String>) {
        let (mut gained, mut lost) = self.all(&role.permits);
        let (kept_out, was_out) = self.all(&role.except);
        gained.difference_with(&kept_out);
        lost.difference_with(&was_out);
        (self.new.sorted_names(&gained), self.old.sorted_names(&lost))
    }

    fn all(&mut self, patterns: &[String]) -> (PermissionSet, PermissionSet) {
        let (mut more, mut less) = (PermissionSet::new(), PermissionSet::new());
        for pattern in patterns {
            let Self { old, new, difference, known } = self;
            let found = known.entry(pattern.clone()).or_insert_with(|| {
                let mut more = new.expand(pattern).unwrap_or_default();
                more.intersect_with(difference.fresh());
                let less = old.expand(pattern).unwrap_or_default();
                (more, difference.vanished(&less))
            });
            more.union_with(&found.0);
            less.union_with(&found.1);
        }
        (more, less)
    }
}
