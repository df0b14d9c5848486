//! The statements that a write comes to, and how they go to the database.

use sea_orm::sea_query::{
    Alias, CommonTableExpression, DeleteStatement, Expr, InsertStatement, Query, SubQueryStatement,
    UpdateStatement, WithClause,
};
use sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbBackend};

use super::Error;

/// A statement that writes.
#[derive(Debug)]
pub(super) struct Step {
    query: Writing,
    /// The table and how many of its rows it must meet, where that is known.
    rows: Option<(&'static str, usize)>,
}

#[derive(Debug)]
pub(super) enum Writing {
    Insert(InsertStatement),
    Update(UpdateStatement),
    Delete(DeleteStatement),
}

impl From<InsertStatement> for Writing {
    fn from(query: InsertStatement) -> Self {
        Self::Insert(query)
    }
}

impl From<UpdateStatement> for Writing {
    fn from(query: UpdateStatement) -> Self {
        Self::Update(query)
    }
}

impl From<DeleteStatement> for Writing {
    fn from(query: DeleteStatement) -> Self {
        Self::Delete(query)
    }
}

impl From<InsertStatement> for Step {
    fn from(query: InsertStatement) -> Self {
        Self { query: query.into(), rows: None }
    }
}

impl Step {
    /// Makes a step that must meet this many rows of a table.
    pub(super) fn exactly(query: impl Into<Writing>, table: &'static str, rows: usize) -> Self {
        Self { query: query.into(), rows: Some((table, rows)) }
    }

    /// Makes a step that meets as many rows as there are.
    pub(super) fn from_any(query: impl Into<Writing>) -> Self {
        Self { query: query.into(), rows: None }
    }

    async fn run(self, db: &DatabaseTransaction) -> Result<(), Error> {
        let done = match &self.query {
            Writing::Insert(query) => db.execute(query).await?,
            Writing::Update(query) => db.execute(query).await?,
            Writing::Delete(query) => db.execute(query).await?,
        };
        self.rows.map_or(Ok(()), |rows| met(rows, done.rows_affected()))
    }

    /// Returns the step as a part of another statement, which can count its rows.
    fn part(self) -> SubQueryStatement {
        let each = || Query::returning().expr(Expr::cust("1"));
        match self.query {
            Writing::Insert(query) => query.into(),
            Writing::Update(mut query) => query.returning(each()).take().into(),
            Writing::Delete(mut query) => query.returning(each()).take().into(),
        }
    }
}

/// Complains if other than the rows that were there are met.
fn met((table, wanted): (&'static str, usize), found: u64) -> Result<(), Error> {
    if u64::try_from(wanted) == Ok(found) {
        return Ok(());
    }
    Err(Error::Corrupt { table, why: format!("of {wanted} rows to change {found} were there") })
}

/// Runs steps one after the other.
pub(super) async fn one_by_one(db: &DatabaseTransaction, steps: Vec<Step>) -> Result<(), Error> {
    for step in steps {
        step.run(db).await?;
    }
    Ok(())
}

/// Runs a few steps, no two of which meet the same row, and then `last`, which meets one row.
///
/// In Postgres as one statement, since others wait for every way to the server and back (`edges.md` §7). What refers to
/// what is checked at its end. In SQLite, which takes no such statement, there is no way to go.
pub(super) async fn together(
    db: &DatabaseTransaction,
    mut steps: Vec<Step>,
    (mut last, table): (UpdateStatement, &'static str),
) -> Result<(), Error> {
    if db.get_database_backend() != DbBackend::Postgres {
        steps.push(Step::exactly(last, table, 1));
        return one_by_one(db, steps).await;
    }
    let (mut with, mut counts, mut wanted) = (WithClause::new(), Vec::new(), Vec::new());
    for (n, step) in steps.into_iter().enumerate() {
        let name = format!("step_{n}");
        if let Some(rows) = step.rows {
            counts.push(Expr::cust(format!("(SELECT COUNT(*) FROM {name})")));
            wanted.push(rows);
        }
        let mut part = CommonTableExpression::new();
        with.cte(part.table_name(Alias::new(name)).query(step.part()).to_owned());
    }
    // Something must be returned even if nothing is counted.
    counts.push(Expr::cust("1"));
    last.with_cte(with).returning(Query::returning().exprs(counts));
    let found = db.query_one(&last).await?;
    let found = found.ok_or_else(|| Error::Corrupt { table, why: "a row is gone".to_owned() })?;
    for (at, rows) in wanted.into_iter().enumerate() {
        let count: i64 = found.try_get_by_index(at)?;
        met(rows, u64::try_from(count).unwrap_or_default())?;
    }
    Ok(())
}
