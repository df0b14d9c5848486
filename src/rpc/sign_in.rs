//! Whether somebody may sign in with a password. Whatever speaks against it, the answer is the same, and so is the work
//! (`model.md` §9).

use std::sync::Arc;

use chrono::TimeDelta;
use futures::future::try_join;
use tonic::Status;
use uuid::Uuid;

use super::passwords::{Sent, lane};
use super::shared::Shared;
use crate::crypto::password::{Counter, Lane, Verified};
use crate::decision::{Anchor, Snapshot};
use crate::layers::{network, status};
use crate::model::{AccountId, EffectiveStatus, UserId, fold};
use crate::store::BackOff;

/// Of a name: ten mistakes cost nothing, and after a hundred somebody who has never signed in from there does not guess on.
const NAME: BackOff = BackOff { free: 10, most: Some(100), memory: None };
/// Of a name, from where its owner signs in: it is never the last try, so that nobody locks the owner out for good.
const PAIR: BackOff = BackOff { free: 10, most: None, memory: None };
/// Of a source, which may be a whole office.
const SOURCE: BackOff = BackOff { free: 100, most: None, memory: Some(TimeDelta::hours(1)) };
/// So long a source counts as one of the owner's.
const KNOWN: TimeDelta = TimeDelta::days(30);

/// A try to sign in.
#[derive(Debug)]
pub(super) struct Attempt<'a> {
    /// The account whose link it came by, if there is such an account.
    pub(super) account: Option<AccountId>,
    /// The name as sent.
    pub(super) name: &'a str,
    /// Who has that name there and may sign in with a password: enabled, not of kind SERVICE, not `sso`.
    pub(super) user: Option<UserId>,
    /// Where it comes from.
    pub(super) source: &'a str,
    /// The password as sent.
    pub(super) password: &'a Sent,
}

impl Attempt<'_> {
    /// Returns under which spelling a name that nobody has is counted: one for all of its variants.
    fn folded(&self) -> String {
        fold(self.name).map_or_else(|_| self.name.to_owned(), crate::model::Folded::into_string)
    }
}

impl Shared {
    /// Finds the account that a sign-in names: by id, by login alias, or the default one. `None` = there is none.
    pub(super) async fn home_of(
        &self,
        named: &str,
    ) -> Result<Option<(AccountId, Arc<Snapshot>)>, Status> {
        let text = Some(named).filter(|text| !text.is_empty());
        let Some(text) = text.or(self.settings.default_account.as_deref()) else { return Ok(None) };
        let id = match (text.parse(), fold(text)) {
            (Ok(id), _) => Some(id),
            (Err(_), Ok(alias)) => self.store.account_by_alias(&alias).await?,
            (Err(_), Err(_)) => None,
        };
        let Some(id) = id else { return Ok(None) };
        let Some(tenant) = self.feed.tenant_of(Anchor::Account(id)).await? else { return Ok(None) };
        let world = self.feed.tenant(tenant).await?;
        let active = world.effective_status(id) == Some(EffectiveStatus::Active);
        Ok(active.then_some((id, world)))
    }

    /// Holds a password against the kept one; `Ok` = it is the right one, and a sign-in has been noted.
    pub(super) async fn check_password(&self, attempt: Attempt<'_>) -> Result<(), Status> {
        let hash = self.try_password(&attempt).await?;
        hash.map(drop).ok_or_else(status::sign_in_failed)
    }

    /// Holds a password against the kept one, whose hash it returns if it is the right one: then a sign-in has been noted.
    ///
    /// A try is counted before anything is hashed, so that a thousand at once are not a thousand guesses. One that
    /// comes too early is worked through all the same, against the same hash, and refused whatever comes of it.
    pub(super) async fn try_password(
        &self,
        attempt: &Attempt<'_>,
    ) -> Result<Option<String>, Status> {
        let source = network(attempt.source);
        let from = Counter::Source(&source).sign_in(&self.keys);
        self.in_time(&from).await?;
        let user = attempt.user.unwrap_or(UserId(Uuid::nil()));
        let since = self.clock.now() - KNOWN;
        let (kept, known) = try_join(
            self.store.password_hash(user),
            self.store.has_signed_in_from(user, &source, since),
        )
        .await?;
        let name = attempt.folded();
        let (counter, back_off) = match attempt.user {
            Some(user) if known => (Counter::Pair(user, &source), PAIR),
            Some(user) => (Counter::User(user), NAME),
            None => (Counter::Nobody(attempt.account, &name), NAME),
        };
        let key = counter.sign_in(&self.keys);
        let in_time = self.store.count_try(&key, back_off).await?;
        let lane = lane(attempt.account, attempt.source);
        let verified = self.passwords.verify(lane.clone(), user, attempt.password, kept.clone());
        let Ok(verified) = verified.await else {
            if in_time {
                self.store.uncount_try(&key).await?;
            }
            count("queue_full");
            return Err(status::login_queue_full());
        };
        if attempt.user.is_none() || !in_time || verified == Verified::Wrong {
            self.store.count_try(&from, SOURCE).await?;
            count(if in_time { "wrong" } else { "too_early" });
            return Ok(None);
        }
        let Some(mut hash) = kept else { return Ok(None) };
        if verified == Verified::Outdated {
            // That it could not be made dearer is no reason to refuse who knows the password.
            match self.renew(lane, user, attempt.password, &hash).await {
                Ok(new) => hash = new,
                Err(status) => tracing::warn!(%status, "a password could not be hashed anew"),
            }
        }
        let counters = [Counter::User(user), Counter::Pair(user, &source)];
        let counters = counters.map(|one| one.sign_in(&self.keys));
        self.store.note_sign_in(user, &source, &counters).await?;
        count("right");
        Ok(Some(hash))
    }

    async fn renew(
        &self,
        lane: Lane,
        user: UserId,
        password: &Sent,
        old: &str,
    ) -> Result<String, Status> {
        let new = self.passwords.hash(lane, user, password).await?;
        self.store.rehash(user, old, new.clone()).await?;
        Ok(new)
    }
}

/// Counts a try. That somebody is nobody is told to no one, not even here.
fn count(result: &'static str) {
    metrics::counter!("chancery_sign_ins_total", "result" => result).increment(1);
}
