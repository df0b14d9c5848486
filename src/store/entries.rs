//! The ledger's entries: written once as bytes, read back from those bytes, and applied to snapshots.

use chrono::{DateTime, SecondsFormat, Utc};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};
use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

use super::rows::{hash, ledger, number, revision};
use super::{Error, Store};
use crate::crypto::chain;
use crate::decision::Snapshot;
use crate::model::{AccountId, Change, ChangeKind, Image, Revision, UserId};

/// The number of this form of entries; kept with each, so that old ones stay readable.
const FORMAT: i16 = 1;

/// The column `entity` keeps so much of a name; a role's scope can make it longer than an index takes.
const LONGEST_ENTITY: usize = 512;

const TABLE: &str = "ledger";

/// One entry of a tenant's ledger (`model.md` §8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Whose ledger.
    pub tenant: AccountId,
    /// The write that it belongs to.
    pub revision: Revision,
    /// Its number in that write, from 0.
    pub ordinal: u32,
    /// When, in whole microseconds; never before an earlier entry.
    pub at: DateTime<Utc>,
    /// Who did it; `None` = the bootstrap or the program itself.
    pub actor: Option<UserId>,
    /// As whom, if the actor had assumed somebody.
    pub acting_as: Option<UserId>,
    /// The request that did it, if it named itself.
    pub request_id: Option<Uuid>,
    /// Where the request came from.
    pub source: String,
    /// How far the platform's own ledger was (`edges.md` §4).
    pub platform_revision: Revision,
    /// The hash of the entry before.
    pub prev_hash: [u8; 32],
    /// The hash of this entry.
    pub hash: [u8; 32],
    /// What changed.
    pub change: Change,
    /// The bytes that were hashed.
    pub body: Vec<u8>,
}

/// What is hashed, written as RFC 8785 JSON.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Body {
    pub(super) format: i16,
    pub(super) tenant_id: AccountId,
    pub(super) revision: Revision,
    pub(super) ordinal: u32,
    pub(super) account_id: AccountId,
    #[serde(serialize_with = "micros")]
    pub(super) at: DateTime<Utc>,
    pub(super) actor: Option<UserId>,
    pub(super) acting_as: Option<UserId>,
    pub(super) request_id: Option<Uuid>,
    pub(super) source: String,
    pub(super) kind: String,
    pub(super) entity: String,
    pub(super) before: Option<Image>,
    pub(super) after: Option<Image>,
    pub(super) platform_revision: Revision,
}

fn micros<S: Serializer>(at: &DateTime<Utc>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&at.to_rfc3339_opts(SecondsFormat::Micros, true))
}

/// What all entries of one write have in common.
#[derive(Debug, Clone)]
pub(super) struct Stamp {
    pub(super) tenant: AccountId,
    pub(super) revision: Revision,
    pub(super) at: DateTime<Utc>,
    pub(super) actor: Option<UserId>,
    pub(super) acting_as: Option<UserId>,
    pub(super) request_id: Option<Uuid>,
    pub(super) source: String,
    pub(super) platform: Revision,
}

impl Stamp {
    /// Writes changes as entries, each a link behind `head`, numbered on from `ordinal`; returns the rows and the new head.
    pub(super) fn link(
        &self,
        mut head: [u8; 32],
        ordinal: &mut u32,
        changes: &[Change],
    ) -> Result<(Vec<ledger::ActiveModel>, [u8; 32]), Error> {
        let mut rows = Vec::with_capacity(changes.len());
        for change in changes {
            let body = self.body(*ordinal, change)?;
            let hash = chain::link(&head, &body);
            rows.push(self.row(*ordinal, change, head, hash, body)?);
            head = hash;
            *ordinal += 1;
        }
        Ok((rows, head))
    }

    fn body(&self, ordinal: u32, change: &Change) -> Result<Vec<u8>, Error> {
        let body = Body {
            format: FORMAT,
            tenant_id: self.tenant,
            revision: self.revision,
            ordinal,
            account_id: change.account,
            at: self.at,
            actor: self.actor,
            acting_as: self.acting_as,
            request_id: self.request_id,
            source: self.source.clone(),
            kind: change.kind.name().to_owned(),
            entity: change.entity(),
            before: change.before.clone(),
            after: change.after.clone(),
            platform_revision: self.platform,
        };
        let unwritable = |why: String| Error::Corrupt { table: TABLE, why };
        let value = serde_json::to_value(&body).map_err(|why| unwritable(why.to_string()))?;
        chain::canonical(&value).map_err(|why| unwritable(why.to_string()))
    }

    fn row(
        &self,
        ordinal: u32,
        change: &Change,
        prev_hash: [u8; 32],
        hash: [u8; 32],
        body: Vec<u8>,
    ) -> Result<ledger::ActiveModel, Error> {
        let ordinal = i32::try_from(ordinal).map_err(|_| Error::TooLong)?;
        Ok(ledger::ActiveModel {
            tenant_id: Set(self.tenant.0),
            revision: Set(number(self.revision)?),
            ordinal: Set(ordinal),
            account_id: Set(change.account.0),
            at: Set(self.at),
            actor: Set(self.actor.map(|id| id.0)),
            kind: Set(change.kind.name().to_owned()),
            entity: Set(search_key(&change.entity())),
            request_id: Set(self.request_id),
            prev_hash: Set(prev_hash.to_vec()),
            hash: Set(hash.to_vec()),
            format: Set(FORMAT),
            body: Set(body),
        })
    }
}

/// Returns what the column `entity` keeps of a name.
pub(super) fn search_key(entity: &str) -> String {
    entity.chars().take(LONGEST_ENTITY).collect()
}

impl TryFrom<ledger::Model> for Entry {
    type Error = Error;

    /// Reads an entry from the bytes that were hashed; those must be what the hash says.
    fn try_from(row: ledger::Model) -> Result<Self, Error> {
        let tenant = AccountId(row.tenant_id);
        let name = format!("{tenant} {}.{}", row.revision, row.ordinal);
        let corrupt = |why: &str| Error::Corrupt { table: TABLE, why: format!("{name}: {why}") };
        if row.format != FORMAT {
            return Err(Error::Newer(format!("entry {name} has format {}", row.format)));
        }
        let kind: ChangeKind =
            row.kind.parse().map_err(|why| Error::Newer(format!("entry {name}: {why}")))?;
        let prev_hash = hash(TABLE, &name, &row.prev_hash)?;
        let kept = hash(TABLE, &name, &row.hash)?;
        if chain::link(&prev_hash, &row.body) != kept {
            return Err(corrupt("its bytes are not those that were hashed"));
        }
        let body: Body =
            serde_json::from_slice(&row.body).map_err(|why| corrupt(&why.to_string()))?;
        let number = revision(TABLE, &name, row.revision)?;
        let same_place = body.tenant_id == tenant
            && body.revision == number
            && i64::from(body.ordinal) == i64::from(row.ordinal);
        if !same_place || body.kind != row.kind {
            return Err(corrupt("its columns are not what was hashed"));
        }
        let change =
            Change { account: body.account_id, kind, before: body.before, after: body.after };
        Ok(Self {
            tenant,
            revision: number,
            ordinal: body.ordinal,
            at: body.at,
            actor: body.actor,
            acting_as: body.acting_as,
            request_id: body.request_id,
            source: body.source,
            platform_revision: body.platform_revision,
            prev_hash,
            hash: kept,
            change,
            body: row.body,
        })
    }
}

/// Reads an entry whose columns are held against what was hashed as well.
pub(super) fn checked(row: ledger::Model) -> Result<Entry, Error> {
    let columns = (row.account_id, row.at, row.actor, row.request_id, row.entity.clone());
    let entry = Entry::try_from(row)?;
    let hashed = (
        entry.change.account.0,
        entry.at,
        entry.actor.map(|id| id.0),
        entry.request_id,
        search_key(&entry.change.entity()),
    );
    if columns == hashed {
        return Ok(entry);
    }
    let why = format!(
        "{} {}.{}: the columns are not what was hashed",
        entry.tenant, entry.revision, entry.ordinal
    );
    Err(Error::Corrupt { table: TABLE, why })
}

/// An entry as it is kept, whatever it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The write that it belongs to.
    pub revision: Revision,
    /// Its number in that write; `None` = it has none that there is.
    pub ordinal: Option<u32>,
    /// The bytes that were hashed.
    pub body: Vec<u8>,
    /// What is said to be the hash of the entry before.
    pub prev_hash: Vec<u8>,
    /// What is said to be its own.
    pub hash: Vec<u8>,
}

impl Store {
    /// Reads entries as they are kept, as [`Store::entries`] does, and looks at none of them.
    pub async fn written(
        &self,
        tenant: AccountId,
        after: Revision,
        limit: u64,
    ) -> Result<Vec<Written>, Error> {
        let rows = rows(self.loads(), tenant, after, limit).await?;
        rows.into_iter()
            .map(|row| {
                Ok(Written {
                    revision: revision(TABLE, &tenant, row.revision)?,
                    ordinal: u32::try_from(row.ordinal).ok(),
                    body: row.body,
                    prev_hash: row.prev_hash,
                    hash: row.hash,
                })
            })
            .collect()
    }

    /// Reads a tenant's entries behind a revision, oldest first: about `limit` of them, always whole revisions.
    ///
    /// Empty only if there are none.
    pub async fn entries(
        &self,
        tenant: AccountId,
        after: Revision,
        limit: u64,
    ) -> Result<Vec<Entry>, Error> {
        read(self.loads(), tenant, after, limit).await
    }
}

/// Reads entries; see [`Store::entries`].
pub(super) async fn read<C: ConnectionTrait>(
    db: &C,
    tenant: AccountId,
    after: Revision,
    limit: u64,
) -> Result<Vec<Entry>, Error> {
    rows(db, tenant, after, limit).await?.into_iter().map(Entry::try_from).collect()
}

/// Reads entries as they are kept; see [`Store::entries`].
pub(super) async fn rows<C: ConnectionTrait>(
    db: &C,
    tenant: AccountId,
    after: Revision,
    limit: u64,
) -> Result<Vec<ledger::Model>, Error> {
    let limit = limit.max(1);
    let of_tenant = || {
        ledger::Entity::find()
            .filter(ledger::Column::TenantId.eq(tenant.0))
            .order_by_asc(ledger::Column::Revision)
            .order_by_asc(ledger::Column::Ordinal)
    };
    let behind = ledger::Column::Revision.gt(number(after)?);
    // One more than wanted: without it, all are here and the last revision is whole.
    let mut rows = of_tenant().filter(behind).limit(limit.saturating_add(1)).all(db).await?;
    let more = u64::try_from(rows.len()).is_ok_and(|found| found > limit);
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(rows) };
    let (first, last) = (first.revision, last.revision);
    if more && first < last {
        rows.retain(|row| row.revision < last);
    } else if more {
        rows = of_tenant().filter(ledger::Column::Revision.eq(last)).all(db).await?;
    }
    Ok(rows)
}

/// Brings a snapshot up to date by the entries behind it, whole revisions, oldest first.
///
/// Returns whether a catalogue changed: then the snapshot, like every other, is to be built anew. An entry
/// that does not follow on the snapshot's head is [`Error::Forked`]; whatever the error, drop the snapshot.
pub fn follow(snapshot: &mut Snapshot, entries: &[Entry]) -> Result<bool, Error> {
    let tenant = snapshot.tenant();
    let mut catalogue = false;
    let mut begun = None;
    for entry in entries {
        let next = match begun {
            Some(ordinal) if entry.revision == snapshot.revision() => entry.ordinal == ordinal,
            _ => entry.revision == snapshot.revision().next() && entry.ordinal == 0,
        };
        if entry.tenant != tenant || !next || entry.prev_hash != *snapshot.head() {
            return Err(Error::Forked { tenant });
        }
        // An opened tenant stands in the platform's ledger, and in its own world only.
        if entry.change.kind != ChangeKind::TenantOpen {
            snapshot.apply(&entry.change)?;
        }
        let image = entry.change.after.as_ref().or(entry.change.before.as_ref());
        catalogue |= matches!(image, Some(Image::Catalogue(_)));
        snapshot.advance(entry.revision, entry.hash);
        begun = Some(entry.ordinal + 1);
    }
    Ok(catalogue)
}
