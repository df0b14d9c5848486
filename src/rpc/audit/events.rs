//! `ListAuditEvents`: a search in one ledger, cut to the accounts whose audit the caller may read.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use prost::Message as _;
use prost_types::Timestamp;
use tonic::{Response, Status};

use super::AuditApi;
use super::view::event;
use crate::decision::may;
use crate::layers::{Call, status};
use crate::model::{AccountId, ResourcePath};
use crate::proto::v1 as pb;
use crate::rpc::shared::{Reader, account_of, reader, with_revision};
use crate::rpc::wire::{optional, time};
use crate::store::{Accounts, Place, Wanted};

/// The most bytes of an answer that has more than one change: clients read four MiB unless they are told otherwise.
const BYTES: usize = 3 << 20;

impl AuditApi {
    pub(super) async fn list(
        &self,
        call: &Call,
        request: &pb::ListAuditEventsRequest,
    ) -> Result<Response<pb::ListAuditEventsResponse>, Status> {
        let by = reader(call)?;
        let account = account_of(&call.ask, "account_id")?;
        let page = self.shared.page::<Place>(call, request.page_size, &request.page_token)?;
        let (start, end) = range(request.start_time, request.end_time)?;
        let wanted = Wanted {
            tenant: by.there.tenant(),
            accounts: self.accounts(&by, account, request.subtree),
            start,
            end,
            kinds: words("actions", &request.actions)?,
            entities: words("entities", &request.entities)?,
            actor: optional("actor", &request.actor)?,
            id: Some(request.entity_id.clone()).filter(|id| !id.is_empty()),
            backwards: request.order() == pb::AuditOrder::NewestFirst,
            after: page.after,
            newest: by.there.revision(),
            limit: page.size,
        };
        let events = self.shared.store.audit(&wanted).await?;
        let (mut next, mut bytes) = (events.next, 0);
        let mut shown = Vec::with_capacity(events.found.len());
        let mut last = None;
        for found in events.found {
            let event = event(wanted.tenant, &found);
            bytes += event.encoded_len();
            if bytes > BYTES && last.is_some() {
                next = last;
                break;
            }
            last = Some(found.place);
            shown.push(event);
        }
        let next_page_token =
            next.map(|place| self.shared.next_page(call, &place)).unwrap_or_default();
        let pruned_revision = events.pruned.0;
        let reply =
            pb::ListAuditEventsResponse { audit_events: shown, pruned_revision, next_page_token };
        Ok(with_revision(Response::new(reply), &by.there))
    }

    /// Finds the accounts that a list is of. That the topmost may be read was judged.
    pub(super) fn accounts(&self, by: &Reader, top: AccountId, subtree: bool) -> Accounts {
        if !subtree {
            return Accounts::These([top].into());
        }
        let (there, now) = (&by.there, self.shared.clock.now());
        let wanted = |id: &AccountId| *id == top || there.is_above(top, *id);
        let read = |id: &AccountId| {
            let path = ResourcePath::account(*id);
            may(&by.caller, &by.home, there, "audit_event.read", &path, now)
        };
        let all = there.accounts().count();
        let ids = there.accounts().map(|account| account.id);
        let found: BTreeSet<_> = ids.filter(wanted).filter(read).collect();
        if found.len() == all { Accounts::All } else { Accounts::These(found) }
    }
}

/// From when, and until when.
pub(super) type Range = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// Reads from when to when something is looked for.
pub(super) fn range(start: Option<Timestamp>, end: Option<Timestamp>) -> Result<Range, Status> {
    let start = time("start_time", start)?;
    let end = time("end_time", end)?;
    if start.zip(end).is_some_and(|(start, end)| end < start) {
        return Err(status::bad_field("INVALID_FIELD", "end_time", "is before `start_time`"));
    }
    Ok((start, end))
}

/// Reads words of a closed list: one that is none would find nothing, which looks like an answer.
fn words<T: std::str::FromStr<Err = String>>(
    field: &str,
    texts: &[String],
) -> Result<Vec<T>, Status> {
    let bad =
        |at: usize, why: String| status::bad_field("INVALID_FIELD", &format!("{field}[{at}]"), why);
    let read = texts.iter().enumerate();
    read.map(|(at, text)| text.parse().map_err(|why| bad(at, why))).collect()
}
