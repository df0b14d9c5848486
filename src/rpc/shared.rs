//! What every service is given, and the one way that a service writes.

use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tonic::{Request, Response, Status};
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use super::heavy::Heavy;
use super::passwords::Passwords;
use super::preview::Rehearsed;
use super::recording::Recorder;
use super::streams::Streams;
use crate::crypto::{ConsistencyToken, KeyRing};
use crate::decision::{Ask, Caller, Permit, Snapshot, may_be_shown, sees_user};
use crate::feed::{AsOf, Feed};
use crate::issuers::Issuers;
use crate::layers::{Call, Credentials, Rate, method_name, status};
use crate::model::{AccountId, Change, Clock, Image, User, UserId};
use crate::proto::v1 as pb;
use crate::store::{Begun, Error, Notice, Opening, Outcome, Refusal, Store, Tx};
use crate::telemetry::SPANS;

/// How often a write is opened anew when the snapshot at hand was too old for it.
const TRIES: usize = 4;
/// So many sessions are looked at to tell which would end.
const SESSIONS: usize = 10_000;

/// What services answer by that is the operator's to say.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The most levels of accounts, the root's included (`model.md` §2).
    pub account_depth: usize,
    /// The most levels of users in an account (`edges.md` §1).
    pub user_depth: usize,
    /// The most rights documents that are assigned to one user.
    pub documents_per_user: usize,
    /// What sign-in links begin with.
    pub base_url: String,
    /// Where a user signs in who names no account.
    pub default_account: Option<String>,
    /// Where links in messages may lead back to.
    pub return_uris: Vec<String>,
}

/// What services share. Cheap to copy; all copies are one.
#[derive(Debug, Clone)]
pub struct Shared(Arc<Parts>);

impl Shared {
    /// Shares the parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for Shared {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// The parts of the program that services share.
#[derive(Debug)]
pub struct Parts {
    /// What is kept.
    pub store: Store,
    /// What is known.
    pub feed: Feed,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The keys that secrets and page tokens stand under.
    pub keys: Arc<KeyRing>,
    /// Tells good credentials from bad ones.
    pub credentials: Arc<Credentials>,
    /// What the operator says.
    pub settings: Arc<Settings>,
    /// What is kept of passwords, and where that is worked out.
    pub passwords: Passwords,
    /// How often one source may sign in.
    pub sign_ins: Arc<Rate<String>>,
    /// Rung when there is a message to be sent.
    pub bell: Arc<Notify>,
    /// Where heavy work is done.
    pub heavy: Heavy,
    /// Identity providers by which users sign in.
    pub issuers: Issuers,
    /// Where decisions are recorded.
    pub decisions: Recorder,
    /// The streams of changes.
    pub streams: Streams,
}

/// An act under way.
pub(super) type Acting<'t, T> = Pin<Box<dyn Future<Output = Result<T, Refusal>> + Send + 't>>;

/// What a change came to.
#[derive(Debug)]
pub(super) struct Done<T> {
    /// What the act said of itself: ids, never a secret. On a repeat, what it said then.
    pub(super) outcome: T,
    /// Whether the same request had been done before.
    pub(super) repeat: bool,
    /// Whether a repeat was sent with a credential that may not read what it is about: it is answered without that.
    pub(super) hidden: bool,
    /// Whether nothing was to be kept.
    pub(super) dry_run: bool,
    /// Whoever reads with it sees the change.
    token: ConsistencyToken,
    /// The tenant after the change.
    pub(super) world: Arc<Snapshot>,
    /// What changed; empty on a repeat.
    changes: Vec<Change>,
    /// What a rehearsal says of whom it concerns.
    effects: Option<pb::Preview>,
}

impl<T> Done<T> {
    /// Takes of what the act said of itself what is to be gone on with.
    pub(super) fn map<U>(self, take: impl FnOnce(T) -> U) -> Done<U> {
        let Self { outcome, repeat, hidden, dry_run, token, world, changes, effects } = self;
        Done { outcome: take(outcome), repeat, hidden, dry_run, token, world, changes, effects }
    }

    /// Returns whether a secret that was just made may be shown: once, and only if it is one.
    pub(super) const fn shows_secret(&self) -> bool {
        !self.repeat && !self.dry_run
    }

    /// Returns the consistency token; empty where nothing was kept.
    pub(super) fn consistency_token(&self) -> String {
        if self.dry_run { String::new() } else { self.token.to_string() }
    }

    /// Returns the preview of a dry run.
    pub(super) fn preview(&self) -> Option<pb::Preview> {
        let effects = || self.effects.clone().unwrap_or_default();
        self.dry_run.then(|| pb::Preview { revision: self.token.revision.0, ..effects() })
    }

    /// Returns the preview of a dry run, with what the act warns of.
    pub(super) fn preview_with(&self, notices: &[Notice]) -> Option<pb::Preview> {
        let mut preview = self.preview()?;
        for notice in notices {
            preview.others_affected |= notice.others;
            preview.warnings.push(pb::Warning {
                reason: notice.reason.to_owned(),
                message: notice.message.clone(),
                entity_ids: notice.seen.clone(),
            });
        }
        Some(preview)
    }

    /// Walks the images that this change made, in the order in which it made them.
    pub(super) fn each_after(&self) -> impl Iterator<Item = &Image> {
        self.changes.iter().filter_map(|change| change.after.as_ref())
    }

    /// Returns the last image of an object that this change made.
    pub(super) fn after(&self, pick: impl Fn(&Image) -> bool) -> Option<&Image> {
        self.changes.iter().rev().filter_map(|change| change.after.as_ref()).find(|i| pick(i))
    }

    /// Makes the response, with the revision beside it.
    pub(super) fn respond<R>(&self, reply: R) -> Response<R> {
        with_revision(Response::new(reply), &self.world)
    }
}

/// Puts the revision that an answer stands at beside it.
pub(super) fn with_revision<R>(mut response: Response<R>, world: &Snapshot) -> Response<R> {
    response.metadata_mut().insert("chancery-revision", world.revision().0.into());
    response
}

/// Takes a request apart: the call as it was judged, and its message.
pub(super) fn open<R>(request: Request<R>) -> Result<(Call, R), Status> {
    let (_, mut extensions, message) = request.into_parts();
    // Without the door there is no call, and without a call nothing is answered.
    let call = extensions.remove::<Call>().ok_or_else(status::internal)?;
    Ok((call, message))
}

/// A read: who asks, and the snapshots it was judged on.
#[derive(Clone)]
pub(super) struct Reader {
    /// Who asks.
    pub(super) caller: Caller,
    /// The caller's tenant.
    pub(super) home: Arc<Snapshot>,
    /// The object's tenant.
    pub(super) there: Arc<Snapshot>,
}

impl Reader {
    /// Names a user, if the reader sees it (`model.md` §3): who made or owns what is shown is not always somebody to be seen.
    pub(super) fn name(&self, id: Option<UserId>, now: DateTime<Utc>) -> String {
        let Self { caller, home, there } = self;
        let seen = |id: &UserId| {
            let world = if there.any_user(*id).is_some() { there } else { home };
            sees_user(caller, home, world, *id, now)
        };
        id.filter(seen).map(|id| id.to_string()).unwrap_or_default()
    }
}

/// Takes who asks from a call that needs a caller.
pub(super) fn reader(call: &Call) -> Result<Reader, Status> {
    let caller = call.caller.clone().ok_or_else(status::internal)?;
    let (home, there) = call.worlds.clone().ok_or_else(status::internal)?;
    Ok(Reader { caller, home, there })
}

impl Shared {
    /// Makes a change: opens it under the tenant's lock, judges the caller at that very revision, acts, commits.
    ///
    /// It runs in a task of its own: a caller that goes away leaves no transaction open (`edges.md` §7).
    pub(super) async fn change<T, A>(&self, call: Call, act: A) -> Result<Done<T>, Status>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        A: for<'t> FnOnce(&'t mut Tx, &'t Caller) -> Acting<'t, T> + Send + 'static,
    {
        let shared = self.clone();
        let change = tracing::info_span!(target: SPANS, "change", chancery.revision = Empty);
        let work = async move {
            let of = call.clone();
            let done = shared.change_here(call, act).instrument(change).await;
            done.inspect_err(|status| shared.credentials.doings().refused(&of, status))
        };
        // In the request's span, so that the log knows whose it is.
        let work = tokio::spawn(work.in_current_span());
        work.await.map_err(|error| {
            tracing::error!(error = %error, "a change broke off");
            status::internal()
        })?
    }

    async fn change_here<T, A>(&self, call: Call, act: A) -> Result<Done<T>, Status>
    where
        T: Serialize + DeserializeOwned,
        A: for<'t> FnOnce(&'t mut Tx, &'t Caller) -> Acting<'t, T>,
    {
        let Reader { caller, home, there } = reader(&call)?;
        let dry_run = call.ask.fields().number("validate_only") == Some(1);
        let began = Instant::now();
        let mut tx = match self.begin(&call, &caller, home, Arc::clone(&there), dry_run).await? {
            Begun::Repeat(outcome) => {
                let shown = may_be_shown(&caller, call.ask.rule(), there.catalogue());
                return self.repeated(outcome, !shown).await;
            }
            Begun::Fresh(tx) => tx,
        };
        tx.judge(&caller, &call.ask)?;
        let outcome = act(&mut tx, &caller).await?;
        let changes = tx.changes().to_vec();
        let rehearsed = dry_run.then(|| Rehearsed::of(&tx, &caller, call.part));
        let kept = serde_json::to_value(&outcome).map_err(|_| status::internal())?;
        let permit = tx.permit().cloned().filter(|_| !dry_run);
        let committed = tx.commit(kept).await?;
        let used = permit.iter().flat_map(Permit::used);
        used.for_each(|one| self.store.uses().note(caller.user, one, self.clock.now()));
        Span::current().record("chancery.revision", committed.revision.0.cast_signed());
        if committed.changed {
            let entries = u64::try_from(changes.len()).unwrap_or_default();
            metrics::counter!("chancery_ledger_entries_total").increment(entries);
            metrics::histogram!("chancery_change_seconds").record(began.elapsed().as_secs_f64());
            let mut after = changes.iter().filter_map(|change| change.after.as_ref());
            if after.any(|image| matches!(image, Image::Catalogue(_))) {
                self.feed.recompile().await;
            } else {
                self.feed.publish(Arc::clone(&committed.snapshot)).await;
            }
        }
        // With the transaction over, and off the threads that answer: it may look at thousands.
        let effects = match rehearsed {
            Some(one) => Some(self.effects_of(caller.tenant, one).await?),
            None => None,
        };
        let world = committed.snapshot;
        Ok(Done {
            outcome,
            repeat: false,
            hidden: false,
            dry_run,
            token: committed.token,
            world,
            changes,
            effects,
        })
    }

    async fn effects_of(&self, tenant: AccountId, of: Rehearsed) -> Result<pb::Preview, Status> {
        let compared = move || (of.effects(), of);
        let ((preview, leaving), of) = self.heavy.run(tenant, compared).await?;
        let sessions = self.store.sessions_of_all(&leaving, SESSIONS).await?;
        Ok(of.with_sessions(preview, &leaving, sessions, SESSIONS))
    }

    async fn begin(
        &self,
        call: &Call,
        caller: &Caller,
        mut home: Arc<Snapshot>,
        mut there: Arc<Snapshot>,
        dry_run: bool,
    ) -> Result<Begun, Status> {
        let mut tries = 0;
        loop {
            let opened = self.store.begin(opening(call, caller, &home, &there, dry_run)?).await;
            match opened {
                Err(Error::Stale { .. } | Error::Forked { .. } | Error::Newer(_))
                    if tries < TRIES =>
                {
                    tries += 1;
                    // Reading the head tells which it is, and raises the alarm where history forked or is too new.
                    home = self.feed.fresh(home.tenant()).await?;
                    there = self.feed.fresh(there.tenant()).await?;
                }
                done => return Ok(done?),
            }
        }
    }

    async fn repeated<T: DeserializeOwned>(
        &self,
        outcome: Outcome,
        hidden: bool,
    ) -> Result<Done<T>, Status> {
        let token = outcome.token;
        let world = self.feed.at_least(&token).await?;
        let outcome = serde_json::from_value(outcome.value).map_err(|_| status::internal())?;
        Ok(Done {
            outcome,
            repeat: true,
            hidden,
            dry_run: false,
            token,
            world,
            changes: Vec::new(),
            effects: None,
        })
    }

    /// Returns a tenant as it was at a time, for a user of `by`.
    pub(super) async fn as_of(
        &self,
        by: AccountId,
        tenant: AccountId,
        at: DateTime<Utc>,
    ) -> Result<AsOf, Status> {
        let feed = self.feed.clone();
        let work = async move { feed.as_of(tenant, at).await };
        // Boxed: a question about now, which is nearly every one, is not to carry it.
        Ok(Box::pin(self.heavy.wait(by, work)).await??)
    }

    /// Finds a user as a change left it, or as it is now where the change made no new image of it.
    pub(super) async fn user_after<T>(
        &self,
        done: &Done<T>,
        id: UserId,
    ) -> Result<Option<User>, Status> {
        let image = done.after(|image| matches!(image, Image::User(user) if user.id == id));
        match image {
            Some(Image::User(user)) => Ok(Some(user.clone())),
            _ => Ok(self.store.user(id).await?),
        }
    }
}

fn opening(
    call: &Call,
    caller: &Caller,
    home: &Arc<Snapshot>,
    there: &Arc<Snapshot>,
    dry_run: bool,
) -> Result<Opening, Status> {
    let request_id = call.ask.fields().text("request_id").map(str::parse).transpose();
    Ok(Opening {
        tenant: there.tenant(),
        there: Arc::clone(there),
        home: Arc::clone(home),
        actor: Some(caller.actor.as_ref().map_or(caller.user, |actor| actor.caller.user)),
        acting_as: caller.actor.as_ref().map(|_| caller.user),
        source: call.origin(),
        rpc: method_name(&call.ask.rule().method).ok_or_else(status::internal)?,
        request_id: request_id
            .map_err(|_| status::bad_field("INVALID_FIELD", "request_id", "must be a UUID"))?,
        body_mac: call.mac,
        dry_run,
    })
}

/// Returns the account that a request is about: the named one, or the caller's, as the rule saw it.
pub(super) fn account_of(ask: &Ask, field: &str) -> Result<AccountId, Status> {
    let text = ask.fields().text(field).unwrap_or_default();
    text.parse().map_err(|error| super::wire::bad_id(field, &error))
}
