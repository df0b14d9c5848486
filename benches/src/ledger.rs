//! Ledgers as they are after very many changes, made past the program.

use chancery::crypto::chain;
use chancery::model::AccountId;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use sea_orm::sea_query::{Expr, ExprTrait as _, Order, Query, SimpleExpr};
use sea_orm::{ConnectionTrait, DatabaseConnection, QueryResult, TransactionTrait as _};
use serde_json::Value;
use uuid::Uuid;

/// The columns of an entry.
const COLUMNS: [&str; 13] = [
    "tenant_id",
    "revision",
    "ordinal",
    "account_id",
    "at",
    "actor",
    "kind",
    "entity",
    "request_id",
    "prev_hash",
    "hash",
    "format",
    "body",
];
/// Entries a statement.
const STATEMENT: usize = 500;
/// Statements a transaction.
const STATEMENTS: usize = 40;

/// How far a tenant's ledger is.
#[derive(Debug, Clone, Copy)]
pub struct Head {
    /// Whose.
    pub tenant: AccountId,
    /// The revision of its newest entry.
    pub revision: i64,
    /// That entry's hash.
    pub hash: [u8; 32],
    /// When it was made.
    pub at: DateTime<Utc>,
}

impl Head {
    /// Reads it.
    pub async fn of(db: &impl ConnectionTrait, tenant: AccountId) -> Self {
        let mut select = Query::select();
        select.columns(["revision", "hash", "last_at"]).from("tenants").and_where(is("id", tenant));
        let row = db.query_one(&select).await.unwrap().unwrap();
        let hash: Vec<u8> = get(&row, "hash");
        let (revision, at) = (get(&row, "revision"), get(&row, "last_at"));
        Self { tenant, revision, hash: hash.try_into().unwrap(), at }
    }

    async fn write(&self, db: &impl ConnectionTrait) {
        let mut update = Query::update();
        update
            .table("tenants")
            .value("revision", self.revision)
            .value("hash", self.hash.to_vec())
            .value("last_at", self.at)
            .and_where(is("id", self.tenant));
        db.execute(&update).await.unwrap();
    }
}

/// An entry that is made again and again.
#[derive(Debug)]
pub struct Pattern {
    account: Uuid,
    actor: Option<Uuid>,
    kind: String,
    entity: String,
    body: Value,
}

impl Pattern {
    /// Reads the newest entries of a ledger, the oldest of them first. Each has to be the only one of its change.
    pub async fn newest(db: &impl ConnectionTrait, tenant: AccountId, count: usize) -> Vec<Self> {
        let mut select = Query::select();
        select
            .columns(COLUMNS)
            .from("ledger")
            .and_where(is("tenant_id", tenant))
            .order_by("revision", Order::Desc)
            .limit(u64::try_from(count).unwrap());
        let rows = db.query_all(&select).await.unwrap();
        assert_eq!(rows.len(), count);
        let pattern = |row: &QueryResult| {
            assert_eq!(get::<i32>(row, "ordinal"), 0);
            assert_eq!(get::<Option<Uuid>>(row, "request_id"), None);
            let body: Vec<u8> = get(row, "body");
            Self {
                account: get(row, "account_id"),
                actor: get(row, "actor"),
                kind: get(row, "kind"),
                entity: get(row, "entity"),
                body: serde_json::from_slice(&body).unwrap(),
            }
        };
        rows.iter().rev().map(pattern).collect()
    }

    /// Writes it as the entry behind a head, which it moves on; returns the row.
    pub fn entry(&self, head: &mut Head) -> [SimpleExpr; 13] {
        let before = head.hash;
        head.revision += 1;
        head.at += TimeDelta::microseconds(1);
        let mut body = self.body.clone();
        body["revision"] = head.revision.into();
        body["at"] = head.at.to_rfc3339_opts(SecondsFormat::Micros, true).into();
        let body = chain::canonical(&body).unwrap();
        head.hash = chain::link(&before, &body);
        [
            head.tenant.0.into(),
            head.revision.into(),
            0_i32.into(),
            self.account.into(),
            head.at.into(),
            self.actor.into(),
            self.kind.as_str().into(),
            self.entity.as_str().into(),
            None::<Uuid>.into(),
            before.to_vec().into(),
            head.hash.to_vec().into(),
            1_i16.into(),
            body.into(),
        ]
    }
}

/// Makes the newest entries of a ledger again, one after the other, until there are so many more. The chain stays a true one; and
/// where those entries end where they began, the rows stay what the ledger says.
#[expect(clippy::disallowed_methods, reason = "it goes past the program")]
pub async fn grow(
    db: &DatabaseConnection,
    tenant: AccountId,
    patterns: &[Pattern],
    entries: usize,
) {
    let mut head = Head::of(db, tenant).await;
    let mut left = patterns.iter().cycle().take(entries).peekable();
    while left.peek().is_some() {
        let tx = db.begin().await.unwrap();
        for _ in 0..STATEMENTS {
            let mut insert = Query::insert();
            insert.into_table("ledger").columns(COLUMNS);
            let mut any = false;
            for pattern in left.by_ref().take(STATEMENT) {
                insert.values_panic(pattern.entry(&mut head));
                any = true;
            }
            if any {
                tx.execute(&insert).await.unwrap();
            }
        }
        head.write(&tx).await;
        tx.commit().await.unwrap();
    }
}

/// Inserts one entry.
pub fn insert(entry: [SimpleExpr; 13]) -> sea_orm::sea_query::InsertStatement {
    let mut insert = Query::insert();
    insert.into_table("ledger").columns(COLUMNS).values_panic(entry);
    insert
}

fn is(column: &'static str, tenant: AccountId) -> SimpleExpr {
    Expr::col(column).eq(tenant.0)
}

fn get<T: sea_orm::TryGetable>(row: &QueryResult, column: &str) -> T {
    row.try_get("", column).unwrap()
}
