//! What can go wrong with keeping, in this room's own words.

use std::fmt;

use sea_orm::{DbErr, RuntimeErr, SqlErr, SqlxError};

use crate::decision::BrokenWorld;
use crate::model::AccountId;

/// Which uniqueness rule a write would break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Constraint {
    /// User names, folded, in one account.
    UserName,
    /// E-mail addresses of accounts, folded, on the whole platform.
    Email,
    /// Login aliases of accounts, folded, on the whole platform.
    LoginAlias,
    /// Names of custom roles in one account.
    RoleName,
    /// Digests of API tokens.
    TokenDigest,
    /// The same role, on the same user, in the same scope.
    Grant,
}

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database cannot be reached, has no free connection, or lost one.
    #[error("the database cannot be reached")]
    Unavailable(#[source] Cause),
    /// Somebody else holds what is needed for longer than we wait: try again.
    #[error("the database is busy with another write")]
    Busy,
    /// Too many writes wait for the same tenant (`edges.md` §7).
    #[error("too many writes wait for tenant `{0}`")]
    Overloaded(AccountId),
    /// A uniqueness rule would be broken.
    #[error("{constraint:?} is already taken")]
    Taken {
        /// Which.
        constraint: Constraint,
    },
    /// A value is longer than the database can index, or holds a U+0000, which not every database can keep.
    #[error("a value is too long to be kept, or holds U+0000")]
    TooLong,
    /// The snapshot and the store tell two histories: drop the snapshot, load it anew, raise an alarm (`edges.md` §4).
    #[error("the store's history of tenant `{tenant}` is another than the one in memory")]
    Forked {
        /// Whose history.
        tenant: AccountId,
    },
    /// The catalogues changed after the snapshot was made: take the newest snapshot and begin again.
    #[error("the catalogues changed; the snapshot of tenant `{tenant}` is too old to write on")]
    Stale {
        /// Whose snapshot.
        tenant: AccountId,
    },
    /// The same request id came before with another body.
    #[error("the request id was used before, with another request")]
    RequestIdReused,
    /// A change by somebody whose right to it was not judged: a fault of this program.
    #[error("a change was made before its maker was judged")]
    Unjudged,
    /// There is no such tenant.
    #[error("tenant `{0}` does not exist")]
    NoTenant(AccountId),
    /// A change that does not fit the tenant it was made for.
    #[error("a change does not fit the tenant")]
    Misfit(#[from] BrokenWorld),
    /// A row that this program would never write.
    #[error("table `{table}` holds a row that cannot be read: {why}")]
    Corrupt {
        /// Which table.
        table: &'static str,
        /// Which row, and what is wrong with it. Holds no secret.
        why: String,
    },
    /// Written by a newer version of this program, which this one cannot read (`edges.md` §7).
    #[error("the store was written by a newer version of this program: {0}")]
    Newer(String),
    /// The schema lacks steps: run `migrate`.
    #[error("the schema lacks {pending} steps; run `chancery migrate`")]
    NotMigrated {
        /// How many steps are missing.
        pending: usize,
    },
    /// The address is not that of a database this program can use.
    #[error("the store's address {0}")]
    Address(&'static str),
    /// Anything else.
    #[error("the database failed")]
    Database(#[source] Cause),
}

/// What the database said, for the log: its code and message, never the values or the statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause(String);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Cause {}

impl Cause {
    /// Names a cause that is not the database's own.
    pub(super) fn of(text: &str) -> Self {
        Self(text.to_owned())
    }

    pub(super) fn from_driver(error: &SqlxError) -> Self {
        Self(match error {
            SqlxError::Database(error) => {
                format!("{}: {}", error.code().unwrap_or_default(), error.message())
            }
            SqlxError::Io(error) => error.to_string(),
            SqlxError::PoolTimedOut => "no connection became free in time".to_owned(),
            // The rest may quote addresses or values.
            _ => "the driver failed".to_owned(),
        })
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        if let Some(SqlErr::UniqueConstraintViolation(message)) = error.sql_err() {
            return taken(&message);
        }
        match error {
            DbErr::Conn(RuntimeErr::SqlxError(error))
            | DbErr::Exec(RuntimeErr::SqlxError(error))
            | DbErr::Query(RuntimeErr::SqlxError(error)) => from_driver(&error),
            DbErr::ConnectionAcquire(why) => Self::Unavailable(Cause(why.to_string())),
            DbErr::Conn(_) => Self::Unavailable(Cause::of("no connection")),
            DbErr::Type(why) | DbErr::Json(why) => Self::Corrupt { table: "(unnamed)", why },
            DbErr::TryIntoErr { from, into, .. } => {
                Self::Corrupt { table: "(unnamed)", why: format!("`{from}` is no `{into}`") }
            }
            // Its own words; they name kinds of rows at most.
            other => Self::Database(Cause(other.to_string())),
        }
    }
}

/// Both engines name the table and the column, if in their own ways; the schema's names make them meet.
fn taken(message: &str) -> Error {
    let message = message.replace('.', "_");
    let constraint = [
        ("users_user_name_key", Constraint::UserName),
        ("accounts_email_key", Constraint::Email),
        ("accounts_login_alias_key", Constraint::LoginAlias),
        ("custom_roles_name_key", Constraint::RoleName),
        ("api_tokens_digest", Constraint::TokenDigest),
        ("role_grants_user_id", Constraint::Grant),
    ]
    .into_iter()
    .find_map(|(name, constraint)| message.contains(name).then_some(constraint));
    match constraint {
        Some(constraint) => Error::Taken { constraint },
        // The same request at the same time elsewhere: the next try finds what that one did.
        None if message.contains("idempotency_caller") => Error::Busy,
        None => Error::Database(Cause(message)),
    }
}

impl From<SqlxError> for Error {
    fn from(error: SqlxError) -> Self {
        from_driver(&error)
    }
}

fn from_driver(error: &SqlxError) -> Error {
    let cause = Cause::from_driver(error);
    match error {
        SqlxError::Io(_)
        | SqlxError::Tls(_)
        | SqlxError::Protocol(_)
        | SqlxError::PoolTimedOut
        | SqlxError::PoolClosed
        | SqlxError::WorkerCrashed => Error::Unavailable(cause),
        SqlxError::ColumnDecode { .. } | SqlxError::Decode(_) | SqlxError::TypeNotFound { .. } => {
            Error::Corrupt { table: "(unnamed)", why: "a column is of another type".to_owned() }
        }
        SqlxError::Database(error) => {
            let code = error.code().unwrap_or_default();
            match code.parse::<u32>() {
                // Postgres's codes have five characters, SQLite's at most four.
                Ok(number) if code.len() < 5 => from_sqlite(number, cause),
                _ => from_postgres(&code, cause),
            }
        }
        _ => Error::Database(cause),
    }
}

fn from_sqlite(code: u32, cause: Cause) -> Error {
    match code & 0xff {
        // BUSY, LOCKED
        5 | 6 => Error::Busy,
        // TOOBIG
        18 => Error::TooLong,
        // READONLY, IOERR, FULL, CANTOPEN
        8 | 10 | 13 | 14 => Error::Unavailable(cause),
        // CORRUPT, NOTADB
        11 | 26 => Error::Corrupt { table: "(file)", why: cause.0 },
        _ => Error::Database(cause),
    }
}

fn from_postgres(code: &str, cause: Cause) -> Error {
    match code {
        // lock timeout, deadlock, serialization failure, statement timeout
        "55P03" | "40P01" | "40001" | "57014" => Error::Busy,
        // a value beyond an index's or a statement's limits, or with a U+0000, which Postgres keeps nowhere
        "54000" | "22001" | "22021" | "22P05" => Error::TooLong,
        // ended by an administrator, a crash, or for sitting idle in a transaction; read-only after a failover
        "57P01" | "57P02" | "57P03" | "25P03" | "25006" => Error::Unavailable(cause),
        _ if ["08", "53", "28", "3D", "58"].iter().any(|class| code.starts_with(class)) => {
            Error::Unavailable(cause)
        }
        _ => Error::Database(cause),
    }
}
