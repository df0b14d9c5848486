//! From the wire's values to the model's, with the field's name in the complaint; and back.

use std::fmt::Display;
use std::str::FromStr;

use chrono::{DateTime, SubsecRound as _, Utc};
use prost_types::Timestamp;
use tonic::Status;

use crate::layers::status;
use crate::model::{Reach, Relation};
use crate::proto::v1 as pb;

/// Refuses an id.
pub(super) fn bad_id(field: &str, error: &dyn Display) -> Status {
    status::bad_field("INVALID_FIELD", field, error.to_string())
}

/// Parses one field.
pub(super) fn field<T: FromStr<Err: Display>>(name: &str, text: &str) -> Result<T, Status> {
    text.parse().map_err(|error: T::Err| bad_id(name, &error))
}

/// Parses one field that may be absent.
pub(super) fn optional<T: FromStr<Err: Display>>(
    name: &str,
    text: &str,
) -> Result<Option<T>, Status> {
    if text.is_empty() { Ok(None) } else { field(name, text).map(Some) }
}

/// Reads a time; to the microsecond, which is what is kept.
pub(super) fn time(name: &str, at: Option<Timestamp>) -> Result<Option<DateTime<Utc>>, Status> {
    let Some(at) = at else { return Ok(None) };
    let bad =
        || status::bad_field("INVALID_FIELD", name, "is not a time between the years 1 and 9999");
    let nanos = u32::try_from(at.nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
    let time = nanos.and_then(|nanos| DateTime::from_timestamp(at.seconds, nanos));
    let sane = time.filter(|time| (1..=9999).contains(&chrono::Datelike::year(time)));
    Ok(Some(sane.ok_or_else(bad)?.trunc_subsecs(6)))
}

/// Writes a time.
pub(super) fn timestamp(at: DateTime<Utc>) -> Timestamp {
    let nanos = i32::try_from(at.timestamp_subsec_nanos()).unwrap_or_default();
    Timestamp { seconds: at.timestamp(), nanos }
}

/// Writes how far something reaches.
pub(super) const fn reach(reach: Reach) -> i32 {
    match reach {
        Reach::Account => pb::Reach::Account as i32,
        Reach::Subtree => pb::Reach::Subtree as i32,
    }
}

/// Writes on which users something is.
pub(super) const fn relation(relation: Relation) -> i32 {
    match relation {
        Relation::Own => pb::Relation::Self_ as i32,
        Relation::Subtree => pb::Relation::Subtree as i32,
        Relation::Siblings => pb::Relation::Siblings as i32,
        Relation::Account => pb::Relation::Account as i32,
    }
}
