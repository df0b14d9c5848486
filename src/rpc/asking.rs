//! Asking on somebody's behalf: who may ask what about whom, and how much of the answer is theirs to see.
//!
//! What the asker may not ask about is answered as if it did not exist (`edges.md` §3).

mod find;
mod past;
mod ready;

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tonic::{Response, Status};
use tonic_types::StatusExt as _;

use super::answer;
use super::properties::{Kept, Sent};
use super::question::{self, SubjectName};
use super::recording::{Origin, Remembered};
use super::shared::{Reader, Shared, with_revision};
use super::sight::Sight;
use crate::crypto::ConsistencyToken;
use crate::decision::{Answer, Caller, Reason, Snapshot, Subject};
use crate::decision_log::Fault;
use crate::layers::{Seen, status};
use crate::model::catalogue::Permission;
use crate::model::{AccountId, DecisionId, ResourcePath, Revision};
use crate::proto::v1 as pb;
pub(super) use find::Found;
use past::Past;
pub(super) use past::past_time;
pub(super) use ready::Ready;

/// What whoever asks must hold over the accounts of subject and resource.
#[derive(Debug, Clone, Copy)]
pub(super) struct Right {
    permission: &'static str,
    /// Whether holding it on oneself is enough to ask about oneself.
    own: bool,
}

/// For asking what is decided.
pub(super) const EVALUATE: Right = Right { permission: "decision.evaluate", own: true };
/// For asking why.
pub(super) const EXPLAIN: Right = Right { permission: "decision.explain", own: false };
/// For asking who may what.
pub(super) const SEARCH: Right = Right { permission: "decision.search", own: true };

/// The nearest names are looked up for so many faulty items of one request.
const HELPED: usize = 8;

/// One request's questions: one asker, one instant, each tenant at one revision.
pub(super) struct Asking {
    shared: Shared,
    by: Reader,
    explain: bool,
    full: bool,
    /// How many items could not be read so far.
    failed: usize,
    now: DateTime<Utc>,
    /// Of other tenants than the asker's.
    worlds: HashMap<AccountId, Arc<Snapshot>>,
    stood_at: Arc<Snapshot>,
    platform: Revision,
    /// Which time it is about, where that is not now.
    past: Option<Past>,
    /// Which request it is, where its decisions are recorded.
    origin: Option<Origin>,
}

/// A question, once it is known whether it may be asked.
pub(super) enum Prepared {
    /// It may.
    Ready(Ready),
    /// It is answered without being asked.
    Settled(Answer, Ready),
    /// It may not, and is answered as if what it is about did not exist.
    Hidden(Answer, Ready),
}

/// A question that has been read.
struct Read {
    found: Found,
    permission: Permission,
    path: ResourcePath,
    asked: Kept,
    named: Option<Subject>,
    seen: Option<Seen>,
}

impl Asking {
    pub(super) fn new(
        shared: Shared,
        by: Reader,
        explain: bool,
        full: bool,
        platform: Revision,
    ) -> Self {
        let now = shared.clock.now();
        let home = Arc::clone(&by.home);
        let worlds = HashMap::new();
        let (failed, stood_at) = (0, home);
        let (past, origin) = (None, None);
        Self { shared, by, explain, full, failed, now, worlds, stood_at, platform, past, origin }
    }

    /// Records its decisions as those of a request.
    pub(super) fn recorded(self, origin: Option<Origin>) -> Self {
        Self { origin, ..self }
    }

    /// Answers one item, or says what is wrong with it.
    pub(super) async fn answer(
        &mut self,
        item: &pb::EvaluationRequest,
    ) -> Result<pb::AuthorizeResponse, Status> {
        let right = if self.past.is_some() { EXPLAIN } else { EVALUATE };
        let ready = match self.prepare(item, right).await? {
            Prepared::Ready(ready) => ready,
            Prepared::Settled(answer, ready) => {
                let reply = self.reply(&answer);
                self.record(ready, Some(&answer), &reply);
                return Ok(reply);
            }
            Prepared::Hidden(answer, ready) => {
                let reply = self.reply(&answer);
                self.record(ready, None, &reply);
                return Ok(reply);
            }
        };
        let found = ready.decide(ready.permission);
        if found.is_permit() {
            self.note_use(&ready);
        }
        let path = &ready.path;
        let told =
            if !ready.covered && !found.is_permit() && !self.sees_account(path.account).await? {
                // About oneself, reasons are told only of accounts that one may read.
                &Answer::deny(Reason::NoGrant)
            } else {
                &found
            };
        let mut reply = self.reply(told);
        let home = &ready.found.home;
        reply.context = told.untold.as_ref().map(|untold| answer::untold(home, untold));
        if self.explain {
            self.check_explain(&ready).await?;
            let sight = self.sight(&ready);
            let grant = told.because.as_ref().and_then(|because| answer::grant(&sight, because));
            reply.grants.extend(grant);
        }
        self.record(ready, Some(&found), &reply);
        Ok(reply)
    }

    /// Takes note that a permission was used, of an assumed session by both who stand behind it.
    fn note_use(&self, ready: &Ready) {
        let permission = ready.found.home.catalogue().name(ready.permission);
        let uses = self.shared.store.uses();
        if let Subject::User(user) = ready.found.subject {
            uses.note(user, permission, self.now);
        }
        if let Some(actor) = &ready.found.actor {
            uses.note(actor.caller.user, permission, self.now);
        }
    }

    /// Records a decision, where that is wanted.
    pub(super) fn record(
        &self,
        ready: Ready,
        found: Option<&Answer>,
        reply: &pb::AuthorizeResponse,
    ) {
        if let Some(origin) = self.origin.as_ref().filter(|origin| origin.wants(reply.decision)) {
            origin.record(self, ready, found, reply);
        }
    }

    /// Reads one item and tests whether it may be asked, by whoever holds `right` over both its sides.
    pub(super) async fn prepare(
        &mut self,
        item: &pb::EvaluationRequest,
        right: Right,
    ) -> Result<Prepared, Status> {
        let asked = Sent::of(item)?.keep();
        let helpful = self.failed < HELPED;
        let (name, also) = question::subject(item.subject.as_ref())?;
        self.names_no_credential_of_then(&name)?;
        let found = self.find(&name, also.as_ref()).await?;
        // While a new catalogue comes, the asker's tenant may have it and the subject's not yet.
        let catalogue = Arc::clone(found.home.catalogue());
        // Where a credential is nobody's, a bare id is one of the asker's account: nobody gets anything there, and the asker is told
        // what is wrong with the credential.
        let account = found.account.or_else(|| found.credential.map(|_| self.by.caller.account));
        let path = question::resource(&catalogue, item.resource.as_ref(), account, helpful)?;
        let (permission, path) = question::action(&catalogue, item.action.as_ref(), path, helpful)?;
        let recorded = self.origin.as_ref().and_then(|_| name.credential());
        let seen = recorded.map(|text| self.shared.credentials.seen(text));
        let named = name.id();
        self.prepared(Read { found, permission, path, asked, named, seen }, right).await
    }

    /// Takes up again what was asked before; `None` where whoever asks now may not ask it.
    pub(super) async fn again(&mut self, before: &Remembered) -> Result<Option<Prepared>, Status> {
        let (Some(action), Some(path)) = (&before.record.action, &before.record.resource) else {
            return Ok(None);
        };
        let found = match (before.subject, before.seen) {
            (Subject::User(id), Some(seen)) => self.find_seen(id, seen).await?,
            (Subject::User(id), None) => self.find(&SubjectName::User(id), None).await?,
            (Subject::Account(id), _) => self.find(&SubjectName::Account(id), None).await?,
            // A credential that was nobody's then is nobody's now: they are not given out twice.
            (Subject::Unknown, Some(_)) => Found::no_credential(&self.by.home),
            (Subject::Unknown, None) => Found::nobody(&self.by.home),
        };
        let Some(permission) = found.home.catalogue().parse(action) else {
            let own = found.subject == Subject::User(self.by.caller.user);
            let at = ResourcePath::account(path.account);
            let seen = self.may_ask_of(&found, own, EXPLAIN).await?
                && self.may(EXPLAIN.permission, &at).await?;
            let why = format!("was about `{action}`, which is no permission any more");
            let gone = || status::bad_field("UNKNOWN_PERMISSION", "decision_id", why);
            return if seen { Err(gone()) } else { Ok(None) };
        };
        let (path, asked) = (path.clone(), before.asked.clone());
        let read = Read { found, permission, path, asked, named: None, seen: before.seen };
        Ok(match self.prepared(read, EXPLAIN).await? {
            Prepared::Hidden(answer, ready) if self.was_nobody(before, &answer, &ready).await? => {
                Some(Prepared::Settled(answer, ready))
            }
            Prepared::Hidden(..) => None,
            prepared => Some(prepared),
        })
    }

    /// Tells whether there was nobody for who asked, and is nobody for whoever asks now, to whom that may be told.
    ///
    /// There is no account then which could be asked for: it is told who may explain what is decided at the resource, or what the
    /// asker asks. Whether the subject is somebody after all, elsewhere, makes no difference to it.
    async fn was_nobody(
        &mut self,
        before: &Remembered,
        now: &Answer,
        ready: &Ready,
    ) -> Result<bool, Status> {
        let home = Arc::clone(&self.by.home);
        let asker = before.record.caller.account_id;
        let unknown = before.told.reason() == pb::Reason::SubjectUnknown
            && now.reason == Reason::SubjectUnknown;
        if !unknown || home.account(asker).is_none() {
            return Ok(false);
        }
        self.stands_at(&home);
        Ok(ready.covered || self.may(EXPLAIN.permission, &ResourcePath::account(asker)).await?)
    }

    async fn prepared(&mut self, read: Read, right: Right) -> Result<Prepared, Status> {
        let Read { found, permission, path, asked, named, seen } = read;
        let there = self.there(&found, path.account).await?;
        self.stood_at = Arc::clone(there.as_ref().unwrap_or(&found.home));

        let own = found.subject == Subject::User(self.by.caller.user);
        let covered = self.may(right.permission, &ResourcePath::account(path.account)).await?;
        let alike = !own && found.account == Some(path.account);
        let may_ask = if alike { covered } else { self.may_ask_of(&found, own, right).await? };
        let (credential, now) = (found.credential, self.asked_at());
        let live = self.past.is_none();
        let ready =
            Ready { found, there, permission, path, own, covered, now, live, asked, named, seen };
        let by_itself = own && right.own;
        if !may_ask {
            self.refuse_if_never(right)?;
            return Ok(Prepared::Hidden(Answer::deny(Reason::SubjectUnknown), ready));
        }
        if !covered && !by_itself {
            self.refuse_if_never(right)?;
            return Ok(Prepared::Hidden(Answer::deny(Reason::NoGrant), ready));
        }
        if !by_itself {
            self.shared.store.uses().note(self.by.caller.user, right.permission, self.now);
        }
        Ok(match credential {
            Some(reason) => Prepared::Settled(Answer::deny(reason), ready),
            None => Prepared::Ready(ready),
        })
    }

    /// Returns the instant that all is judged at.
    pub(super) const fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Returns whose right to ask counts.
    pub(super) const fn caller(&self) -> &Caller {
        &self.by.caller
    }

    /// Returns the snapshot that the last answer stood at.
    pub(super) const fn stood_at(&self) -> &Arc<Snapshot> {
        &self.stood_at
    }

    /// Returns the platform's revision that all stands at.
    pub(super) fn platform(&self) -> Revision {
        self.platform_of_then().unwrap_or(self.platform)
    }

    /// Returns who asks.
    pub(super) fn reader(&self) -> Reader {
        self.by.clone()
    }

    /// Says which snapshot the answer stands at.
    pub(super) fn stands_at(&mut self, world: &Arc<Snapshot>) {
        self.stood_at = Arc::clone(world);
    }

    /// Returns what this asker sees of what stands on a question.
    pub(super) fn sight(&self, ready: &Ready) -> Sight {
        Sight {
            caller: self.by.caller.clone(),
            mine: Arc::clone(&self.by.home),
            home: Arc::clone(&ready.found.home),
            account: ready.found.account,
            there: Arc::clone(ready.there.as_ref().unwrap_or(&ready.found.home)),
            now: self.now,
        }
    }

    /// Answers an item that could not be asked.
    pub(super) fn failed(&mut self, error: &Status) -> pb::AuthorizeResponse {
        self.failed += 1;
        let details = error.get_error_details();
        let reason = details.error_info().map(|info| info.reason.clone()).unwrap_or_default();
        let field = details
            .bad_request()
            .and_then(|bad| bad.field_violations.first())
            .map(|violation| violation.field.clone())
            .unwrap_or_default();
        let code = answer::code_name(error.code());
        let fault = Fault { code, reason: reason.clone(), field: field.clone() };
        let context = answer::error(code, reason, field, error.message().to_owned());
        let (consistency_token, evaluated_revision) = self.stand();
        let reply = pb::AuthorizeResponse {
            decision_id: DecisionId::at(self.now).to_string(),
            consistency_token,
            evaluated_revision,
            context: Some(context),
            ..Default::default()
        };
        if let Some(origin) = &self.origin {
            origin.record_fault(self, fault, &reply);
        }
        reply
    }

    /// Returns the token and revision that the last answer stood at.
    pub(super) fn stand(&self) -> (String, u64) {
        let at = &self.stood_at;
        let mut hash8 = [0; 8];
        hash8.copy_from_slice(at.head().get(..8).unwrap_or(&[0; 8]));
        let token = ConsistencyToken {
            tenant: at.tenant(),
            revision: at.revision(),
            hash8,
            platform: self.platform(),
        };
        (token.to_string(), at.revision().0)
    }

    pub(super) fn respond<R>(&self, reply: R) -> Response<R> {
        with_revision(Response::new(reply), &self.stood_at)
    }

    /// Puts an answer into the reply to one question.
    pub(super) fn reply(&self, answer: &Answer) -> pb::AuthorizeResponse {
        let (consistency_token, evaluated_revision) = self.stand();
        let decision = answer.is_permit();
        let reason = answer::wire_reason(answer.reason);
        answer::count(answer.reason, self.past.is_none());
        pb::AuthorizeResponse {
            decision,
            reason: reason.into(),
            missing: answer.missing.map(answer::wire_missing).unwrap_or_default().into(),
            decision_id: DecisionId::at(self.now).to_string(),
            consistency_token,
            evaluated_revision,
            ..Default::default()
        }
    }
}
