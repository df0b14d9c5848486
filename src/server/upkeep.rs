//! What happens by itself: tokens' last uses are noted, signing keys replaced, those of issuers fetched, old requests and sessions forgotten.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::expiring;
use super::phase::{Phase, Phases};
use crate::feed::Signing;
use crate::issuers::Issuers;
use crate::layers::Credentials;
use crate::store::{Error, Store};
use crate::telemetry;

/// Within five minutes is what is promised (`model.md` §9).
const EVERY: Duration = Duration::from_mins(1);
/// A little more than the day that is promised (`edges.md` §4).
const REMEMBERED: TimeDelta = TimeDelta::hours(25);

/// So long a source counts as one that a user signs in from (`edges.md` §5).
const KNOWN: TimeDelta = TimeDelta::days(30);

/// Whether a right is used is asked for so long (`ListUnusedRights`), and a little longer known.
const ASKED_FOR: TimeDelta = TimeDelta::days(400);

/// Does it every minute until the server is dead, and once more then.
pub(super) async fn run(
    store: Store,
    (credentials, signing, issuers): (Arc<Credentials>, Signing, Issuers),
    keep: TimeDelta,
    phases: Phases,
) {
    // Whoever signs in first does not wait for them.
    issuers.keep().await;
    show_backlog(&store).await;
    expiring::show(&store).await;
    let dead = phases.reached(Phase::Dead);
    tokio::pin!(dead);
    loop {
        tokio::select! {
            () = &mut dead => break,
            () = tokio::time::sleep(EVERY) => {}
        }
        telemetry::figures().gather();
        note_uses(&store, &credentials).await;
        write_uses(&store).await;
        credentials.doings().write_down(&store).await;
        if let Err(error) = signing.keep().await {
            tracing::warn!(%error, "could not look after the signing keys");
        }
        issuers.keep().await;
        match store.forget_sessions().await {
            Ok(0) => {}
            Ok(count) => tracing::debug!(count, "forgot sessions that are over"),
            Err(error) => tracing::warn!(%error, "could not forget sessions that are over"),
        }
        if let Err(error) = store.forget_assertions().await {
            tracing::warn!(%error, "could not forget old assertions");
        }
        show_backlog(&store).await;
        expiring::show(&store).await;
        let before = store.clock().now() - REMEMBERED;
        let now = store.clock().now();
        if let Err(error) = forget_traces(&store, now).await {
            tracing::warn!(%error, "could not forget old sign-ins and messages");
        }
        match store.forget_activity(now - keep).await {
            Ok(0) => {}
            Ok(count) => tracing::debug!(count, "forgot old activity"),
            Err(error) => tracing::warn!(%error, "could not forget old activity"),
        }
        match store.forget_requests(before).await {
            Ok(0) => {}
            Ok(count) => tracing::debug!(count, "forgot old requests"),
            Err(error) => tracing::warn!(%error, "could not forget old requests"),
        }
    }
    note_uses(&store, &credentials).await;
    write_uses(&store).await;
    credentials.doings().write_down(&store).await;
}

/// Forgets what sign-ins and messages have left behind once nothing hangs on it any more.
async fn forget_traces(store: &Store, now: DateTime<Utc>) -> Result<(), Error> {
    store.forget_sign_ins(now - KNOWN).await?;
    store.forget_messages(now - TimeDelta::days(1)).await?;
    store.forget_uses(now - ASKED_FOR).await?;
    Ok(())
}

/// Shows how many messages wait, and for how long.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a double; 2^53 messages do not wait")]
async fn show_backlog(store: &Store) {
    match store.outbox_backlog().await {
        Ok((count, oldest)) => {
            let waits = oldest.map(|at| (store.clock().now() - at).as_seconds_f64());
            metrics::gauge!("chancery_outbox_messages").set(count as f64);
            metrics::gauge!("chancery_outbox_oldest_seconds").set(waits.unwrap_or_default());
        }
        Err(error) => tracing::warn!(%error, "could not count the messages that wait"),
    }
}

async fn note_uses(store: &Store, credentials: &Credentials) {
    let uses = credentials.take_used();
    if uses.is_empty() {
        return;
    }
    // A trace: what is lost is the time of a use, not the use.
    if let Err(error) = store.touch_tokens(&uses).await {
        tracing::warn!(%error, "could not note when tokens were used");
    }
}

async fn write_uses(store: &Store) {
    // What is lost is noted at its next use.
    if let Err(error) = store.write_uses().await {
        tracing::warn!(%error, "could not note which rights were used");
    }
}
