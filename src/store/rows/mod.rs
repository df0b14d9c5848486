//! The tables as SeaORM sees them, each beside the noun it keeps. Private to the store.

#![expect(unreachable_pub, reason = "SeaORM's derives want public models")]

pub(super) mod account;
pub(super) mod activity;
pub(super) mod api_token;
pub(super) mod assertion;
pub(super) mod assignment;
pub(super) mod catalogue_file;
pub(super) mod checkpoint;
pub(super) mod custom_role;
pub(super) mod idempotency;
pub(super) mod ledger;
pub(super) mod outbox;
pub(super) mod password;
pub(super) mod refresh_token;
pub(super) mod right_use;
pub(super) mod rights_document;
pub(super) mod role_grant;
pub(super) mod service_state;
pub(super) mod session;
pub(super) mod sign_in_failure;
pub(super) mod sign_in_source;
pub(super) mod signing_key;
pub(super) mod tenant;
pub(super) mod user;

use std::fmt::Display;

use sea_orm::prelude::Json;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Error;
use crate::model::{Revision, fold};

/// Complains about a row that this program would never write.
pub(super) fn corrupt(table: &'static str, id: &dyn Display, why: &dyn Display) -> Error {
    Error::Corrupt { table, why: format!("{id}: {why}") }
}

/// Reads a column that holds JSON, or a word of a closed list as JSON would have it.
pub(super) fn read<T: DeserializeOwned>(
    table: &'static str,
    id: &dyn Display,
    json: Json,
) -> Result<T, Error> {
    serde_json::from_value(json).map_err(|why| corrupt(table, id, &why))
}

/// Writes a value for a column that holds JSON.
pub(super) fn json<T: Serialize>(table: &'static str, value: &T) -> Result<Json, Error> {
    serde_json::to_value(value)
        .map_err(|why| Error::Corrupt { table, why: format!("a value cannot be written: {why}") })
}

/// Writes a word of a closed list for a column that holds text.
pub(super) fn word<T: Serialize>(table: &'static str, value: &T) -> Result<String, Error> {
    match json(table, value)? {
        Json::String(word) => Ok(word),
        other => Err(Error::Corrupt { table, why: format!("`{other}` is not a word") }),
    }
}

/// Folds a name for a column that is unique.
pub(super) fn key(table: &'static str, name: &str) -> Result<String, Error> {
    fold(name)
        .map(crate::model::Folded::into_string)
        .map_err(|why| Error::Corrupt { table, why: format!("a name {why}") })
}

/// Reads a hash.
pub(super) fn hash(table: &'static str, id: &dyn Display, bytes: &[u8]) -> Result<[u8; 32], Error> {
    bytes.try_into().map_err(|_| corrupt(table, id, &"a hash is not 32 bytes long"))
}

/// Reads a revision; the databases know only signed numbers.
pub(super) fn revision(
    table: &'static str,
    id: &dyn Display,
    number: i64,
) -> Result<Revision, Error> {
    u64::try_from(number).map(Revision).map_err(|why| corrupt(table, id, &why))
}

/// Writes a revision.
pub(super) fn number(revision: Revision) -> Result<i64, Error> {
    i64::try_from(revision.0)
        .map_err(|why| Error::Corrupt { table: "tenants", why: why.to_string() })
}
