//! What ends soon.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use tonic::{Request, Response, Status};

use super::{TokenApi, signing};
use crate::decision::Snapshot;
use crate::layers::status;
use crate::model::{ApiToken, Named, ResourcePath, SigningKey, TokenId};
use crate::proto::v1 as pb;
use crate::proto::v1::expiring::What;
use crate::rpc::shared::{Reader, open, reader, with_revision};
use crate::rpc::wire::timestamp;
use crate::store;

/// How far ahead one looks who does not say, and how far at most.
const MONTH: TimeDelta = TimeDelta::days(30);
const MOST: TimeDelta = TimeDelta::days(3650);
/// So many rows are read at once, for a page of which some may not be shown.
const AT_ONCE: u64 = 200;

/// The place of something in the list: when it ends, and its id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place(DateTime<Utc>, String);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0.timestamp_micros(), self.1)
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (micros, id) = text.split_once(' ').ok_or(())?;
        let time = DateTime::from_timestamp_micros(micros.parse().map_err(drop)?).ok_or(())?;
        Ok(Self(time, id.to_owned()))
    }
}

impl TokenApi {
    pub(super) async fn expiring(
        &self,
        request: Request<pb::ListExpiringRequest>,
    ) -> Result<Response<pb::ListExpiringResponse>, Status> {
        let (call, request) = open(request)?;
        let by = reader(&call)?;
        let until = self.0.clock.now() + within(request.within)?;
        let page = self.0.page::<Place>(&call, request.page_size, &request.page_token)?;
        let mut found = self.keys_until(&by, until, page.after.as_ref()).await?;
        found.extend(self.tokens_until(&by, until, page.after, page.size + 1).await?);
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        let next_page_token = self.0.cut(&call, &mut found, page.size, |(place, _)| place.clone());
        let wire = |(place, what): (Place, What)| pb::Expiring {
            expire_time: Some(timestamp(place.0)),
            what: Some(what),
        };
        let reply = pb::ListExpiringResponse {
            expiring: found.into_iter().map(wire).collect(),
            next_page_token,
        };
        Ok(with_revision(Response::new(reply), &by.home))
    }

    /// Finds the signing keys that are retired until then: there are a few.
    async fn keys_until(
        &self,
        by: &Reader,
        until: DateTime<Utc>,
        after: Option<&Place>,
    ) -> Result<Vec<(Place, What)>, Status> {
        let platform = self.0.feed.platform().await?;
        let root = ResourcePath::account(platform.tenant());
        if !self.may_read(by, &platform, "signing_key", &root.with("signing_key", Named::Any)) {
            return Ok(Vec::new());
        }
        let now = self.0.clock.now();
        let placed = |key: &SigningKey| {
            let end = key.retire_time.filter(|end| (now..=until).contains(end))?;
            Some((Place(end, key.id.to_string()), What::SigningKey(signing::wire(key))))
        };
        let keys = platform.signing_keys().filter_map(placed);
        Ok(keys.filter(|(place, _)| after.is_none_or(|after| place > after)).collect())
    }

    /// Finds tokens that end until then and that the caller may read, so many as are wanted.
    async fn tokens_until(
        &self,
        by: &Reader,
        until: DateTime<Utc>,
        after: Option<Place>,
        wanted: usize,
    ) -> Result<Vec<(Place, What)>, Status> {
        // Behind a signing key come the tokens that end at a later instant, or at that one: keys stand before tokens.
        let after =
            after.map(|Place(end, id)| (end, id.parse().unwrap_or(TokenId(uuid::Uuid::nil()))));
        let mut next = store::Expiring { account: by.caller.account, until, after };
        let mut found = Vec::new();
        loop {
            let rows = self.0.store.tokens_expiring(next, AT_ONCE).await?;
            let last = rows.last().and_then(|row| Some((row.token.expire_time?, row.token.id)));
            for kept in rows {
                let Some(end) = kept.token.expire_time else { continue };
                if self.may_read(by, &by.home, "api_token", &path_of(&kept.token)) {
                    let place = Place(end, kept.token.id.to_string());
                    found.push((place, What::ApiToken(self.shown_to(by, self.used(kept)))));
                }
                if found.len() == wanted {
                    return Ok(found);
                }
            }
            if last.is_none() {
                return Ok(found);
            }
            next.after = last;
        }
    }

    fn may_read(&self, by: &Reader, there: &Snapshot, kind: &str, path: &ResourcePath) -> bool {
        let wanted = by.home.catalogue().permission(kind, "read");
        wanted.is_some_and(|permission| {
            let now = self.0.clock.now();
            by.caller.ask(&by.home, Some(there), permission, path, now).is_permit()
        })
    }
}

fn path_of(token: &ApiToken) -> ResourcePath {
    ResourcePath::account(token.account)
        .with("user", Named::Id(token.user.to_string()))
        .with("api_token", Named::Id(token.id.to_string()))
}

/// Reads how far ahead is looked.
fn within(given: Option<prost_types::Duration>) -> Result<TimeDelta, Status> {
    let Some(given) = given else { return Ok(MONTH) };
    let nanos = u32::try_from(given.nanos).ok();
    let within = nanos.and_then(|nanos| TimeDelta::new(given.seconds, nanos));
    let within = within.filter(|within| (TimeDelta::zero()..=MOST).contains(within));
    within
        .ok_or_else(|| status::bad_field("INVALID_FIELD", "within", "must be from 0 to 3650 days"))
}
