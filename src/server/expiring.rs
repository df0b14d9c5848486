//! How much ends by its time, and soon: figures for those who would renew it before somebody is stopped by that.

use chrono::{DateTime, TimeDelta, Utc};

use crate::store::Store;

/// How far ahead is looked.
const WITHIN: [(&str, TimeDelta); 3] =
    [("1d", TimeDelta::days(1)), ("7d", TimeDelta::days(7)), ("30d", TimeDelta::days(30))];

/// So long something counts that has ended.
const LAST: TimeDelta = TimeDelta::days(1);

/// So many credentials and grants are counted, the first to end first: a figure beyond says nothing more.
const MOST: u64 = 10_000;

/// Shows how much ends soon, and how much has lately.
pub(super) async fn show(store: &Store) {
    let now = store.clock().now();
    let longest = WITHIN.map(|(_, within)| within).into_iter().max().unwrap_or_default();
    let soon = store.ends(now, now + longest, MOST).await;
    let over = store.ends(now - LAST, now, MOST).await;
    let (soon, over) = match (soon, over) {
        (Ok(soon), Ok(over)) => (soon, over),
        (Err(error), _) | (_, Err(error)) => {
            return tracing::warn!(%error, "could not count what expires");
        }
    };
    for (kind, soon, over) in [
        ("api_token", &soon.api_tokens, &over.api_tokens),
        ("service_key", &soon.service_keys, &over.service_keys),
    ] {
        for (word, within) in WITHIN {
            metrics::gauge!("chancery_credentials_expiring", "kind" => kind, "within" => word)
                .set(until(soon, now + within));
        }
        metrics::gauge!("chancery_credentials_expired", "kind" => kind).set(until(over, now));
    }
    for (word, within) in WITHIN {
        metrics::gauge!("chancery_grants_expiring", "within" => word)
            .set(until(&soon.grants, now + within));
    }
    metrics::gauge!("chancery_grants_expired").set(until(&over.grants, now));
}

/// Counts what ends until then.
fn until(ends: &[DateTime<Utc>], then: DateTime<Utc>) -> f64 {
    let count = ends.partition_point(|end| *end <= then);
    u32::try_from(count).unwrap_or(u32::MAX).into()
}
