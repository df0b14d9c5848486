//! What the ledger adds to a change: the statements that giving a role comes to, as the store sends them, with the entry and
//! without.
//!
//! Both take the tenant's lock with its next revision, write or take away the row, and commit. With the ledger the entry is written
//! as canonical JSON, hashed and inserted, in Postgres by the statement that writes the row, and the head gets the hash. One client
//! changes one tenant of a store whose ledgers are large, and the disk is waited for.

use std::time::{Duration, Instant};

use benches::figures::{self, Spread, rounds};
use benches::ledger::{Head, Pattern, insert};
use chancery::model::{AccountId, UserId};
use chrono::{DateTime, Utc};
use sea_orm::sea_query::{
    CommonTableExpression, Expr, ExprTrait as _, InsertStatement, Query, WithClause,
};
use sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbBackend, TransactionTrait as _,
};

use super::{Filled, Ledger, ROLE, USERS};

/// How long each is done at a time.
const TURN: Duration = Duration::from_secs(2);

/// One who changes a tenant over and over.
struct Changer<'a> {
    db: &'a DatabaseConnection,
    tenant: AccountId,
    user: UserId,
    /// The entries of giving and of taking.
    patterns: [Pattern; 2],
}

pub(crate) async fn measure(all: &[Filled]) {
    println!(
        "\n# A change with its entry in the ledger and without, {} interleaved rounds\n",
        rounds()
    );
    let mut rows = Vec::new();
    for filled in all {
        let db = filled.stored.database().await;
        if db.get_database_backend() == DbBackend::Sqlite {
            db.execute_unprepared("pragma synchronous = full").await.unwrap();
        }
        let changer = Changer::new(&db, &filled.changed).await;
        let (mut with, mut without) = (Vec::new(), Vec::new());
        for round in 0..=rounds() {
            let figures = [changer.turn(true).await, changer.turn(false).await];
            if round > 0 {
                with.push(figures[0]);
                without.push(figures[1]);
            }
        }
        rows.push((filled.name, with, without));
        let (making, entries) = (Instant::now(), 10_000_u32);
        let mut head = Head::of(&db, changer.tenant).await;
        for _ in 0..entries {
            std::hint::black_box(changer.patterns[0].entry(&mut head));
        }
        let made = making.elapsed().as_secs_f64() * 1e6 / f64::from(entries);
        println!("To write and hash an entry takes {made:.1} µs of that.\n");
        db.close().await.unwrap();
    }
    println!("| | µs with it | µs without |\n|---|---|---|");
    for (name, with, without) in &rows {
        let [with, without] = [with, without].map(|all| Spread::of(all.iter().copied()));
        println!("| {name} | {with} | {without} |");
    }
    figures::heading();
    for (name, with, without) in &rows {
        let what = format!("a change with its entry against the same without, {name}");
        figures::tell(&what, "× the time", Spread::of_ratios(with, without));
    }
}

impl<'a> Changer<'a> {
    async fn new(db: &'a DatabaseConnection, ledger: &Ledger) -> Self {
        let tenant = ledger.tenant();
        let mut newest = Pattern::newest(db, tenant, 2 * USERS).await;
        // In the first half roles are given, in the second taken.
        let (take, give) = (newest.swap_remove(USERS), newest.swap_remove(0));
        Self { db, tenant, user: ledger.user.parse().unwrap(), patterns: [give, take] }
    }

    /// Gives a role and takes it away for a while; returns the microseconds that a change took.
    async fn turn(&self, entry: bool) -> f64 {
        let began = Instant::now();
        let mut changes = 0_u32;
        while began.elapsed() < TURN {
            self.change(0, entry).await;
            self.change(1, entry).await;
            changes += 2;
        }
        began.elapsed().as_secs_f64() * 1e6 / f64::from(changes)
    }

    #[expect(clippy::disallowed_methods, reason = "it goes past the program")]
    async fn change(&self, which: usize, entry: bool) {
        let tx = self.db.begin().await.unwrap();
        let mut head = self.lock(&tx).await;
        let entry = entry.then(|| insert(self.patterns[which].entry(&mut head)));
        if which == 0 {
            let row = self.given(head.at);
            write(&tx, &head, row, entry).await;
        } else {
            let mut row = Query::delete();
            row.from_table("role_grants")
                .and_where(Expr::col("user_id").eq(self.user.0))
                .and_where(Expr::col("role").eq(ROLE))
                .returning(Query::returning().expr(Expr::cust("1")));
            write(&tx, &head, row, entry).await;
        }
        tx.commit().await.unwrap();
    }

    /// Takes the lock and the next revision.
    async fn lock(&self, tx: &DatabaseTransaction) -> Head {
        let mut update = Query::update();
        update
            .table("tenants")
            .value("revision", Expr::col("revision").add(1))
            .and_where(Expr::col("id").eq(self.tenant.0))
            .returning(Query::returning().columns(["revision", "hash", "last_at"]));
        let row = tx.query_one(&update).await.unwrap().unwrap();
        let revision: i64 = row.try_get("", "revision").unwrap();
        let hash: Vec<u8> = row.try_get("", "hash").unwrap();
        let at: DateTime<Utc> = row.try_get("", "last_at").unwrap();
        let hash = hash.try_into().unwrap();
        // An entry moves its head on by itself.
        Head { tenant: self.tenant, revision: revision - 1, hash, at }
    }

    fn given(&self, at: DateTime<Utc>) -> InsertStatement {
        let mut row = Query::insert();
        row.into_table("role_grants")
            .columns(["user_id", "role", "scope_key", "account_id", "tenant_id", "create_time"])
            .values_panic([
                self.user.0.into(),
                ROLE.into(),
                "".into(),
                self.tenant.0.into(),
                self.tenant.0.into(),
                at.into(),
            ]);
        row
    }
}

/// Writes a row, and with it the entry and the head, if there is one: in Postgres at one stroke.
async fn write<S>(tx: &DatabaseTransaction, head: &Head, row: S, entry: Option<InsertStatement>)
where
    S: sea_orm::StatementBuilder + Into<sea_orm::sea_query::SubQueryStatement>,
{
    let Some(entry) = entry else {
        tx.execute(&row).await.unwrap();
        return;
    };
    let mut last = Query::update();
    last.table("tenants")
        .value("hash", head.hash.to_vec())
        .value("last_at", head.at)
        .and_where(Expr::col("id").eq(head.tenant.0));
    if tx.get_database_backend() == DbBackend::Sqlite {
        tx.execute(&row).await.unwrap();
        tx.execute(&entry).await.unwrap();
    } else {
        let mut with = WithClause::new();
        let mut part = |name: &'static str, query: sea_orm::sea_query::SubQueryStatement| {
            let mut part = CommonTableExpression::new();
            with.cte(part.table_name(name).query(query).to_owned());
        };
        part("changed", row.into());
        part("entered", entry.into());
        last.with_cte(with);
    }
    tx.execute(&last).await.unwrap();
}
