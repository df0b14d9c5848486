//! The same request twice is done once (`model.md` §8, `edges.md` §4).

use chrono::{DateTime, Utc};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveValue::Set, ConnectionTrait, EntityTrait as _, QueryTrait as _,
    sea_query::InsertStatement,
};
use serde_json::Value;
use uuid::Uuid;

use super::rows::{corrupt, hash, idempotency, number, revision};
use super::tx::Request;
use super::{Entry, Error, Head, Store};
use crate::crypto::ConsistencyToken;
use crate::model::{AccountId, Revision};

const TABLE: &str = "idempotency";

/// What a request did when it came first.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// What was handed to [`super::Tx::commit`] then.
    pub value: Value,
    /// The tenant it wrote in.
    pub tenant: AccountId,
    /// The revision it made, or found if it changed nothing.
    pub revision: Revision,
    /// The token that was answered then.
    pub token: ConsistencyToken,
}

/// Returns the token for a head, seen together with the platform at a revision.
pub(super) fn token(head: &Head, platform: Revision) -> ConsistencyToken {
    let mut hash8 = [0; 8];
    for (to, from) in hash8.iter_mut().zip(head.hash) {
        *to = from;
    }
    ConsistencyToken { tenant: head.tenant, revision: head.revision, hash8, platform }
}

/// Finds what a request did before. Another body under the same id is refused.
pub(super) async fn find<C: ConnectionTrait>(
    db: &C,
    request: &Request,
) -> Result<Option<Outcome>, Error> {
    let Some(id) = request.id else { return Ok(None) };
    let key = (request.caller(), request.assumed(), request.rpc.to_owned(), id);
    let Some(row) = idempotency::Entity::find_by_id(key).one(db).await? else { return Ok(None) };
    if row.body_mac != request.body_mac {
        return Err(Error::RequestIdReused);
    }
    let head = Head {
        tenant: AccountId(row.tenant_id),
        revision: revision(TABLE, &id, row.revision)?,
        hash: hash(TABLE, &id, &row.hash)?,
    };
    let platform = revision(TABLE, &id, row.platform_revision)?;
    Ok(Some(Outcome {
        value: row.outcome,
        tenant: head.tenant,
        revision: head.revision,
        token: token(&head, platform),
    }))
}

/// Writes down what a request did; nothing for a request without an id.
pub(super) fn remember(
    request: &Request,
    head: &Head,
    platform: Revision,
    outcome: Value,
    at: DateTime<Utc>,
) -> Result<Option<InsertStatement>, Error> {
    let Some(id) = request.id else { return Ok(None) };
    let row = idempotency::ActiveModel {
        caller: Set(request.caller()),
        acting_as: Set(request.assumed()),
        rpc: Set(request.rpc.to_owned()),
        request_id: Set(id),
        body_mac: Set(request.body_mac.to_vec()),
        tenant_id: Set(head.tenant.0),
        revision: Set(number(head.revision)?),
        hash: Set(head.hash.to_vec()),
        platform_revision: Set(number(platform)?),
        outcome: Set(outcome),
        at: Set(at),
    };
    if row.rpc.as_ref().is_empty() {
        return Err(corrupt(TABLE, &id, &"a request without the name of its RPC"));
    }
    Ok(Some(idempotency::Entity::insert(row).into_query()))
}

impl Request {
    fn caller(&self) -> Uuid {
        self.actor.map_or(Uuid::nil(), |id| id.0)
    }

    /// Tells whether an entry may be this request's own, done before.
    pub(super) fn made(&self, entry: &Entry) -> bool {
        let same = (entry.actor, entry.acting_as) == (self.actor, self.acting_as);
        same && self.id.is_some() && entry.request_id == self.id
    }

    fn assumed(&self) -> Uuid {
        self.acting_as.map_or(Uuid::nil(), |id| id.0)
    }
}

impl Store {
    /// Remembers a request that changed nothing, in a small transaction of its own.
    pub(super) async fn remember_unchanged(
        &self,
        request: &Request,
        head: &Head,
        platform: Revision,
        outcome: Value,
    ) -> Result<(), Error> {
        let row = remember(request, head, platform, outcome, self.clock().now())?;
        if let Some(mut row) = row {
            // Somebody who sent it twice at once did nothing twice.
            row.on_conflict(OnConflict::new().do_nothing().to_owned());
            self.writes().execute(&row).await?;
        }
        Ok(())
    }
}
