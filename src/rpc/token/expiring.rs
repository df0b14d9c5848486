//! What ends soon.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tonic::{Request, Response, Status};

use super::{TokenApi, keys, signing};
use crate::decision::{Caller, Snapshot, may};
use crate::layers::status;
use crate::model::{ApiToken, Named, ResourcePath, SigningKey, TokenId};
use crate::proto::v1 as pb;
use crate::proto::v1::expiring::What;
use crate::rpc::shared::{Reader, open, reader, with_revision};
use crate::rpc::wire::timestamp;
use crate::store::KeptToken;

/// How far ahead one looks who does not say, and how far at most.
const MONTH: TimeDelta = TimeDelta::days(30);
const MOST: TimeDelta = TimeDelta::days(3650);

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
        let now = self.0.clock.now();
        let path = root.with("signing_key", Named::Any);
        if !may(&by.caller, &by.home, &platform, "signing_key.read", &path, now) {
            return Ok(Vec::new());
        }
        let placed = |key: &SigningKey| {
            let end = key.retire_time.filter(|end| (now..=until).contains(end))?;
            Some((Place(end, key.id.to_string()), What::SigningKey(signing::wire(key))))
        };
        let keys = platform.signing_keys().filter_map(placed);
        Ok(keys.filter(|(place, _)| after.is_none_or(|after| place > after)).collect())
    }

    /// Finds tokens and keys that end until then and that the caller may read, so many as are wanted.
    async fn tokens_until(
        &self,
        by: &Reader,
        until: DateTime<Utc>,
        after: Option<Place>,
        wanted: usize,
    ) -> Result<Vec<(Place, What)>, Status> {
        let now = self.0.clock.now();
        // Behind a signing key come the tokens that end at a later instant, or at that one: keys stand before tokens.
        let after =
            after.map(|Place(end, id)| (end, id.parse().unwrap_or(TokenId(uuid::Uuid::nil()))));
        let soonest = Soonest { caller: by.caller.clone(), home: Arc::clone(&by.home), now, until };
        let tenant = by.home.tenant();
        let ids = self.0.heavy.run(tenant, move || soonest.find(after, wanted)).await?;
        let rows = self.0.store.tokens_among(&ids).await?;
        let placed = |kept: KeptToken| {
            let place = Place(kept.token.expire_time?, kept.token.id.to_string());
            let kept = self.used(kept);
            let what = if kept.token.key.is_some() {
                What::ServiceKey(keys::wire(kept))
            } else {
                What::ApiToken(self.shown_to(by, kept))
            };
            Some((place, what))
        };
        Ok(rows.into_iter().filter_map(placed).collect())
    }
}

/// The tokens and keys of a caller's account that end soon. To find those that the caller may read, all of them are looked at.
struct Soonest {
    caller: Caller,
    home: Arc<Snapshot>,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
}

impl Soonest {
    /// Finds those that may be read, the first to end first, from behind one on and so many as are wanted.
    fn find(&self, after: Option<(DateTime<Utc>, TokenId)>, wanted: usize) -> Vec<TokenId> {
        let users = self.home.members(self.caller.account, None);
        let users = users.filter_map(|user| self.home.any_user(user));
        let tokens = users.flat_map(|user| &user.tokens);
        let tokens = tokens.filter_map(|id| Some(&self.home.token(*id)?.token));
        let mut placed: Vec<_> = tokens
            .filter_map(|token| Some(((token.expire_time?, token.id), token)))
            .filter(|((end, _), _)| *end > self.now && *end <= self.until)
            .filter(|(place, _)| after.is_none_or(|after| *place > after))
            .collect();
        placed.sort_unstable_by_key(|(place, _)| *place);
        let seen = placed.into_iter().filter(|(_, token)| self.may_read(token));
        seen.take(wanted).map(|((_, id), _)| id).collect()
    }

    fn may_read(&self, token: &ApiToken) -> bool {
        let Self { caller, home, now, .. } = self;
        let (kind, name) = token.named();
        let path = ResourcePath::account(token.account)
            .with("user", Named::Id(token.user.to_string()))
            .with(kind, Named::Id(name));
        may(caller, home, home, &format!("{kind}.read"), &path, *now)
    }
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
