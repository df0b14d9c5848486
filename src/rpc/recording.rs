//! Recording what was decided: for the decision log, and so that it can be explained a while later.
//!
//! Every decision that somebody asks for passes through `Asking`, which records it here; what no log is configured for costs
//! nothing.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderMap;
use tonic::Request;
use tracing::Span;

use super::answer;
use super::asking::{Asking, Ready};
use super::properties::Kept;
use crate::decision::{Answer, Asked as _, Because, Caller, Missing, Reason, Snapshot, Subject};
use crate::decision_log::{
    CallerOf, DecisionLog, Fault, GrantKind, GrantOf, Keys, Record, SubjectOf, VERSION,
};
use crate::layers::{Seen, Via};
use crate::model::{DecisionId, Revision};
use crate::proto::v1 as pb;
use crate::telemetry::Traced;

/// What is remembered may take so many bytes.
const MEMORY: usize = 64 << 20;
/// About what a record takes beside what askers sent.
const EACH: usize = 1 << 10;
/// How much more a small value takes in memory than on the wire.
const UNPACKED: usize = 16;

/// Records decisions, and remembers the newest. Cheap to copy.
#[derive(Debug, Clone, Default)]
pub struct Recorder(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    log: DecisionLog,
    most: usize,
    ring: Mutex<Ring>,
}

#[derive(Debug, Default)]
struct Ring {
    held: VecDeque<Arc<Remembered>>,
    bytes: usize,
}

/// A decision that can be explained: its record, and what else was asked with.
#[derive(Debug)]
pub(super) struct Remembered {
    pub(super) record: Arc<Record>,
    /// Who was asked about, as far as it was known or named by its id.
    pub(super) subject: Subject,
    /// The credential that named it: what it is known again by.
    pub(super) seen: Option<Seen>,
    /// What the asker said.
    pub(super) asked: Kept,
    /// What was found, whatever was told of it; `None` = nothing was looked for, since the asker may not ask.
    pub(super) found: Option<(Reason, Option<Missing>)>,
    /// As it was told.
    pub(super) told: pb::RecordedDecision,
}

/// Which request asks, for records of its decisions.
#[derive(Debug)]
pub(super) struct Origin {
    recorder: Arc<Inner>,
    door: &'static str,
    request_id: String,
    traced: Option<Traced>,
}

impl Recorder {
    /// Records into `log`, and remembers so many.
    pub fn new(log: DecisionLog, most: usize) -> Self {
        Self(Some(Arc::new(Inner { log, most, ring: Mutex::default() })))
    }

    /// Returns where a request comes from; `None` where nothing is recorded.
    pub(super) fn origin<T>(&self, door: &'static str, request: &Request<T>) -> Option<Origin> {
        let inner = self.0.as_ref()?;
        let door = request.extensions().get::<Via>().map_or(door, |Via(door)| door);
        Some(Origin::of(inner, door, request.metadata().as_ref()))
    }

    /// Finds a decision that is remembered.
    pub(super) fn recall(&self, id: DecisionId) -> Option<Arc<Remembered>> {
        let ring = self.0.as_ref()?.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.held.iter().rev().find(|one| one.record.decision_id == id).cloned()
    }
}

impl Origin {
    fn of(recorder: &Arc<Inner>, door: &'static str, headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        Self {
            recorder: Arc::clone(recorder),
            door,
            request_id: text("x-request-id").unwrap_or_default().to_owned(),
            traced: Traced::of(&Span::current(), headers),
        }
    }

    /// Returns whether a decision is to be recorded.
    pub(super) fn wants(&self, permit: bool) -> bool {
        self.recorder.log.wants(permit)
    }

    /// Records an answer. `found` is what was decided, which may be more than the reply tells.
    pub(super) fn record(
        &self,
        asking: &Asking,
        ready: Ready,
        found: Option<&Answer>,
        reply: &pb::AuthorizeResponse,
    ) {
        let Ok(decision_id) = reply.decision_id.parse() else { return };
        let catalogue = ready.found.home.catalogue();
        let told = reason_name(reply.reason());
        let missing = missing_name(reply.missing());
        let found_reason = found.map(|answer| reason_name(answer::wire_reason(answer.reason)));
        let found_missing =
            found.map(|answer| answer.missing.map(answer::wire_missing).and_then(missing_name));
        let grants = found.and_then(|answer| answer.because.as_ref());
        let grants = grants.and_then(|because| grant_of(&ready, because));
        let record = Arc::new(Record {
            action: Some(catalogue.name(ready.permission).to_owned()),
            resource: Some(ready.path.clone()),
            subject: subject_of(&ready),
            properties: keys(&ready.asked, self.recorder.log.with_values()),
            reason: Some(found_reason.unwrap_or(told)),
            missing: found_missing.unwrap_or(missing),
            told_reason: found_reason.filter(|found| *found != told).map(|_| told),
            grants: grants.into_iter().collect(),
            bytes: bytes(&ready),
            ..self.blank(asking, decision_id, reply)
        });
        // What was asked of another time is nothing that could be held against now.
        if ready.live {
            self.recorder.remember(Arc::clone(&record), ready, found, reply);
        }
        self.recorder.log.put(record);
    }

    /// Records that a question could not be read.
    pub(super) fn record_fault(
        &self,
        asking: &Asking,
        fault: Fault,
        reply: &pb::AuthorizeResponse,
    ) {
        let Ok(decision_id) = reply.decision_id.parse() else { return };
        let blank = self.blank(asking, decision_id, reply);
        self.recorder.log.put(Arc::new(Record { error: Some(fault), ..blank }));
    }

    /// What is recorded of every answer.
    fn blank(
        &self,
        asking: &Asking,
        decision_id: DecisionId,
        reply: &pb::AuthorizeResponse,
    ) -> Record {
        Record {
            version: VERSION,
            decision_id,
            time: asking.now(),
            as_of: asking.past_time(),
            door: self.door,
            request_id: self.request_id.clone(),
            traced: self.traced,
            caller: caller_of(asking.caller()),
            subject: SubjectOf::default(),
            action: None,
            resource: None,
            properties: Keys::default(),
            decision: reply.decision,
            reason: None,
            missing: None,
            told_reason: None,
            grants: Vec::new(),
            tenant_id: asking.stood_at().tenant(),
            revision: Revision(reply.evaluated_revision),
            platform_revision: asking.platform(),
            error: None,
            bytes: EACH,
        }
    }
}

impl Inner {
    fn remember(
        &self,
        record: Arc<Record>,
        ready: Ready,
        found: Option<&Answer>,
        reply: &pb::AuthorizeResponse,
    ) {
        if self.most == 0 {
            return;
        }
        let bytes = record.bytes;
        let told = pb::RecordedDecision {
            time: Some(super::wire::timestamp(record.time)),
            decision: reply.decision,
            reason: reply.reason,
            missing: reply.missing,
            evaluated_revision: reply.evaluated_revision,
            consistency_token: reply.consistency_token.clone(),
            ..Default::default()
        };
        let subject = match ready.found.subject {
            Subject::Unknown => ready.named.unwrap_or(Subject::Unknown),
            known => known,
        };
        let one = Arc::new(Remembered {
            record,
            subject,
            seen: ready.seen,
            asked: ready.asked,
            found: found.map(|answer| (answer.reason, answer.missing)),
            told,
        });
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.bytes += bytes;
        ring.held.push_back(one);
        while ring.held.len() > self.most || ring.bytes > MEMORY {
            let Some(oldest) = ring.held.pop_front() else { return };
            ring.bytes = ring.bytes.saturating_sub(oldest.record.bytes);
        }
    }
}

/// About what a decision takes in memory, whether it is remembered or waits to be written.
fn bytes(ready: &Ready) -> usize {
    let sent = ready.asked.parts().iter().flatten().map(prost::Message::encoded_len);
    EACH + ready.path.pairs.len() * 64 + sent.sum::<usize>() * UNPACKED
}

fn caller_of(caller: &Caller) -> CallerOf {
    CallerOf {
        user_id: caller.user,
        account_id: caller.account,
        token_id: caller.token,
        session_id: caller.session.map(|session| session.id),
        actor_user_id: caller.actor.as_ref().map(|actor| actor.caller.user),
    }
}

fn subject_of(ready: &Ready) -> SubjectOf {
    let known = match ready.found.subject {
        Subject::Unknown => ready.named,
        known => Some(known),
    };
    let (kind, id) = match known {
        Some(Subject::User(id)) => (Some("user"), Some(id.to_string())),
        Some(Subject::Account(id)) => (Some("account"), Some(id.to_string())),
        Some(Subject::Unknown) | None => (None, None),
    };
    SubjectOf {
        r#type: kind,
        id,
        account_id: ready.found.account,
        by_credential: ready.seen.is_some(),
        actor_user_id: ready.found.actor.as_ref().map(|actor| actor.caller.user),
    }
}

fn keys(asked: &Kept, values: bool) -> Keys {
    if asked.parts().iter().all(Option::is_none) {
        return Keys::default();
    }
    let said = asked.properties();
    Keys {
        subject: Keys::part(said.subject, values),
        action: Keys::part(said.action, values),
        resource: Keys::part(said.resource, values),
        context: Keys::part(said.context, values),
    }
}

fn grant_of(ready: &Ready, because: &Because) -> Option<GrantOf> {
    let home: &Snapshot = &ready.found.home;
    let of = |kind| GrantOf {
        kind,
        role_type: String::new(),
        rights_doc_id: None,
        holder_user_id: None,
        account_id: ready.found.account,
        scope: None,
        expire_time: None,
    };
    Some(match because {
        Because::Baseline(ix) => GrantOf {
            role_type: home.catalogue().get(*ix).full_name.to_string(),
            ..of(GrantKind::Baseline)
        },
        Because::AccountRole(ix) => GrantOf {
            role_type: home.catalogue().get(*ix).full_name.to_string(),
            ..of(GrantKind::AccountRole)
        },
        Because::Held { user, place, .. } => {
            let held = home.user(*user)?.held.get(*place)?;
            GrantOf {
                role_type: held.role.to_string(),
                holder_user_id: Some(*user),
                scope: held.scope.as_deref().cloned(),
                expire_time: held.expire_time,
                ..of(GrantKind::Role)
            }
        }
        Because::Document { document, holder } => {
            let account = home.document(*document).zip(home.user(*holder));
            GrantOf {
                rights_doc_id: Some(*document),
                holder_user_id: Some(*holder),
                account_id: account.map(|(document, holder)| document.account(holder.account)),
                ..of(GrantKind::Document)
            }
        }
    })
}

/// Names a reason as the API does, without its prefix.
pub(super) fn reason_name(reason: pb::Reason) -> &'static str {
    let name = reason.as_str_name();
    name.strip_prefix("REASON_").unwrap_or(name)
}

fn missing_name(missing: pb::Missing) -> Option<&'static str> {
    let name = missing.as_str_name();
    let known = missing != pb::Missing::Unspecified;
    known.then(|| name.strip_prefix("MISSING_").unwrap_or(name))
}
