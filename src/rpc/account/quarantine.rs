//! What a quarantine stops, and what goes on when it is lifted.

use chrono::{DateTime, Utc};
use tonic::Status;

use super::AccountApi;
use crate::decision::{Snapshot, Stops, lives, may, quarantine_stops, sees_account, sees_user};
use crate::layers::status;
use crate::model::{AccountId, Named, ResourcePath, Session, TokenId, UserId};
use crate::proto::v1 as pb;
use crate::rpc::shared::{Done, Reader};

/// So many users are looked at; the rest of them is told to be there.
const MOST: usize = 100_000;
/// Of so many of them sessions are looked for, and so many sessions.
const SESSIONS: usize = 10_000;
/// So many of each kind are named.
const NAMED: usize = 100;

/// What a quarantine stops, before it is known whose sessions are seen.
struct Told {
    effect: pb::QuarantineEffect,
    stops: Stops,
}

/// Who is told.
struct Eye {
    by: Reader,
    now: DateTime<Utc>,
}

impl AccountApi {
    /// Tells what the quarantine that was ordered stops, or what the one that was lifted had stopped: as things stand now, on a repeat
    /// too. It is told when all is done, so that nobody waits for it who changes something.
    pub(super) async fn quarantined(
        &self,
        by: &Reader,
        done: &Done<(AccountId, bool)>,
        lifted: bool,
    ) -> Result<Option<pb::QuarantineEffect>, Status> {
        let (id, changed) = done.outcome;
        if done.hidden {
            return Ok(None);
        }
        if lifted && !changed {
            return Ok(Some(pb::QuarantineEffect::default()));
        }
        let (world, now) = (done.world.clone(), self.0.clock.now());
        let eye = Eye { by: by.clone(), now };
        // No place is taken for it: what is done is told, however much is going on, and changes come only so often.
        let work = tokio::task::spawn_blocking(move || {
            let stops = quarantine_stops(&world, id, now, MOST)?;
            Some((eye.tell(stops), eye))
        });
        let told = work.await.map_err(|error| {
            tracing::error!(%error, "what a quarantine stops could not be told");
            status::internal()
        })?;
        let Some((Told { effect, stops }, eye)) = told else { return Ok(None) };
        let some: Vec<UserId> = stops.users.iter().copied().take(SESSIONS).collect();
        let sessions = self.0.store.sessions_of_all(&some, SESSIONS).await?;
        let partial =
            effect.partial || some.len() < stops.users.len() || sessions.len() >= SESSIONS;
        let effect = eye.with_sessions(effect, &stops, sessions);
        Ok(Some(pb::QuarantineEffect { changed, partial, ..effect }))
    }
}

impl Eye {
    fn tell(&self, stops: Stops) -> Told {
        let Self { by: Reader { caller, .. }, now } = self;
        let home = self.home(&stops);
        let account = |id: &&AccountId| sees_account(caller, home, &stops.working, **id, *now);
        let user = |id: &&UserId| sees_user(caller, home, &stops.working, **id, *now);
        let accounts: Vec<_> = stops.accounts.iter().filter(account).collect();
        let others: Vec<_> = stops.others.iter().filter(account).collect();
        let users: Vec<_> = stops.users.iter().filter(user).collect();
        let tokens: Vec<_> =
            stops.tokens.iter().filter_map(|id| self.seen_token(&stops, *id)).collect();
        let sessions =
            |user: &UserId| self.may(&stops, *user, "session.read", ("session", Named::Any));
        let all_sessions = stops.users.iter().all(sessions);
        let seen = (accounts.len(), others.len(), users.len(), tokens.len());
        let all = (stops.accounts.len(), stops.others.len(), stops.users.len(), stops.tokens.len());
        let effect = pb::QuarantineEffect {
            account_count: count(accounts.len()),
            account_ids: named(accounts),
            user_count: count(users.len()),
            user_ids: named(users),
            credential_count: count(tokens.len()),
            credential_ids: named(tokens),
            otherwise_stopped_count: count(others.len()),
            otherwise_stopped_account_ids: named(others),
            others_affected: seen != all || !all_sessions,
            partial: !stops.complete,
            ..Default::default()
        };
        Told { effect, stops }
    }

    /// Adds which sessions are stopped, of those that the caller may read.
    fn with_sessions(
        &self,
        effect: pb::QuarantineEffect,
        stops: &Stops,
        mut sessions: Vec<Session>,
    ) -> pb::QuarantineEffect {
        let Stops { working, stopped, .. } = stops;
        sessions.retain(|one| lives(working, one, self.now) && !lives(stopped, one, self.now));
        sessions.retain(|one| {
            self.may(stops, one.user, "session.read", ("session", Named::Id(one.id.to_string())))
        });
        sessions.sort_unstable_by_key(|one| one.id);
        pb::QuarantineEffect {
            session_count: count(sessions.len()),
            session_ids: named(sessions.iter().map(|one| one.id)),
            ..effect
        }
    }

    /// Names a token or key, if it is seen.
    fn seen_token(&self, stops: &Stops, id: TokenId) -> Option<String> {
        let token = &stops.working.token(id)?.token;
        let (kind, name) = token.named();
        let seen =
            self.may(stops, token.user, &format!("{kind}.read"), (kind, Named::Id(name.clone())));
        seen.then_some(name)
    }

    /// Returns whether the caller may do something to what is a user's.
    fn may(&self, stops: &Stops, user: UserId, permission: &str, of_it: (&str, Named)) -> bool {
        let world = &stops.working;
        let Some(user) = world.any_user(user) else { return false };
        let path = ResourcePath::account(user.account)
            .with("user", Named::Id(user.id.to_string()))
            .with(of_it.0, of_it.1);
        may(&self.by.caller, self.home(stops), world, permission, &path, self.now)
    }

    /// The caller's own tenant: it may be in what it has stopped itself.
    fn home<'a>(&'a self, stops: &'a Stops) -> &'a Snapshot {
        let same = self.by.home.tenant() == stops.working.tenant();
        if same { &stops.working } else { &self.by.home }
    }
}

fn named<T: ToString>(all: impl IntoIterator<Item = T>) -> Vec<String> {
    all.into_iter().take(NAMED).map(|one| one.to_string()).collect()
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
