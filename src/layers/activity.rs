//! What is done, held until it is written down: in memory that has an end, and never in the way of an answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use tonic::{Code, Status};

use super::gate::Call;
use super::noted::Noted;
use crate::decision::Caller;
use crate::model::{Activity, ActivityId, ActivityKind, Clock, Deed, TokenId};
use crate::store::Store;

/// So many deeds that differ are held; more are lost, and counted.
const MOST: usize = 10_000;

/// What was done since it was last written down. Cheap to copy; all copies are one.
#[derive(Debug, Clone)]
pub struct Doings {
    clock: Arc<dyn Clock>,
    noted: Arc<Noted>,
    held: Arc<Mutex<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    done: HashMap<Deed, Times>,
    /// From where each token was used last: its uses from there are noted once, until they are written down.
    tokens: HashMap<TokenId, String>,
}

#[derive(Debug, Clone, Copy)]
struct Times {
    count: u32,
    at: DateTime<Utc>,
    last_at: DateTime<Utc>,
}

impl Doings {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, noted: Arc::default(), held: Arc::default() }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that something was done.
    pub fn note(&self, deed: Deed) {
        let now = self.clock.now();
        self.held().note(deed, now);
    }

    /// Tells whether a use of a caller's credential was not noted this second, and takes it for noted.
    pub(super) fn is_new(&self, caller: &Caller, source: &str) -> bool {
        caller.token.is_some_and(|token| self.noted.is_new(token, source, self.clock.now()))
    }

    /// Has what was noted noted anew: it has been written down.
    pub(super) fn forget(&self) {
        self.noted.forget();
    }

    /// Notes that a caller's token was used.
    pub(super) fn used(&self, caller: &Caller, source: &str) {
        let Some(token) = caller.token else { return };
        let now = self.clock.now();
        let mut held = self.held();
        if held.tokens.get(&token).is_some_and(|last| last == source) {
            return;
        }
        if held.tokens.len() < MOST {
            held.tokens.insert(token, source.to_owned());
        }
        held.note(deed(caller, ActivityKind::TokenUsed, token.to_string(), source), now);
    }

    /// Notes that a call was refused for want of a right, or since its caller may not know of what it is about.
    pub fn refused(&self, call: &Call, status: &Status) {
        if let Some(caller) = &call.caller {
            self.denied(caller, &call.ask.rule().method, &call.source, status);
        }
    }

    pub(super) fn denied(&self, caller: &Caller, method: &str, source: &str, status: &Status) {
        if matches!(status.code(), Code::PermissionDenied | Code::NotFound) {
            let method = method.trim_start_matches("/chancery.v1.").to_owned();
            self.note(deed(caller, ActivityKind::Denied, method, source));
        }
    }

    /// Writes down what is held. What cannot be written is lost, and counted.
    pub async fn write_down(&self, store: &Store) {
        self.forget();
        let Held { done, .. } = std::mem::take(&mut *self.held());
        if done.is_empty() {
            return;
        }
        let activity = |(deed, Times { count, at, last_at })| Activity {
            id: ActivityId::new(&*self.clock),
            deed,
            count,
            at,
            last_at,
        };
        let many = u64::try_from(done.len()).unwrap_or_default();
        if let Err(error) = store.note_activity(done.into_iter().map(activity).collect()).await {
            metrics::counter!("chancery_activity_lost_total", "why" => "write").increment(many);
            tracing::warn!(%error, "could not write down what was done");
        }
    }
}

impl Held {
    fn note(&mut self, deed: Deed, now: DateTime<Utc>) {
        let full = self.done.len() >= MOST;
        match self.done.get_mut(&deed) {
            Some(times) => {
                times.count = times.count.saturating_add(1);
                times.last_at = now;
            }
            None if full => {
                metrics::counter!("chancery_activity_lost_total", "why" => "full").increment(1);
            }
            None => {
                self.done.insert(deed, Times { count: 1, at: now, last_at: now });
            }
        }
    }
}

/// Says what a caller did. In an assumed session it is the one who really acts.
fn deed(caller: &Caller, kind: ActivityKind, what: String, source: &str) -> Deed {
    let who = caller.actor.as_ref().map_or(caller, |actor| &actor.caller);
    let (tenant, account, user) = (who.tenant, who.account, Some(who.user));
    Deed { tenant, account, user, kind, what, source: source.to_owned() }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::model::{AccountId, SystemClock};

    fn deed(n: u128) -> Deed {
        let account = AccountId(Uuid::from_u128(n));
        let (what, source) = (String::new(), String::new());
        Deed { tenant: account, account, user: None, kind: ActivityKind::Denied, what, source }
    }

    #[test]
    fn what_is_done_again_is_counted_and_what_there_is_no_room_for_is_not_held() {
        let doings = Doings::new(Arc::new(SystemClock));
        for _ in 0..3 {
            doings.note(deed(0));
        }
        assert_eq!(doings.held().done[&deed(0)].count, 3);
        for n in 0..20_000 {
            doings.note(deed(n));
        }
        assert_eq!(doings.held().done.len(), MOST);
        assert_eq!(doings.held().done[&deed(0)].count, 4);
    }
}
