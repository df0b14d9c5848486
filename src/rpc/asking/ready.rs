//! A question that may be asked, and deciding it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tracing::field::Empty;
use tracing::info_span;

use super::super::answer;
use super::super::properties::Kept;
use super::super::recording::reason_name;
use super::Found;
use crate::decision::{Answer, Question, Snapshot, Subject, Worlds, decide};
use crate::layers::Seen;
use crate::model::ResourcePath;
use crate::model::catalogue::Permission;
use crate::telemetry::SPANS;

/// A question that may be asked, and all that it stands on. It may go to another thread.
pub(in crate::rpc) struct Ready {
    pub(in crate::rpc) found: Found,
    pub(in crate::rpc) there: Option<Arc<Snapshot>>,
    pub(in crate::rpc) permission: Permission,
    pub(in crate::rpc) path: ResourcePath,
    /// Whether the asker asks about itself.
    pub(in crate::rpc) own: bool,
    /// Whether the asker's right covers the resource's account.
    pub(in crate::rpc) covered: bool,
    pub(in crate::rpc) now: DateTime<Utc>,
    /// Whether that is now.
    pub(in crate::rpc) live: bool,
    /// What the asker says, for conditions.
    pub(in crate::rpc) asked: Kept,
    /// The id that the subject was named by, where it was.
    pub(in crate::rpc) named: Option<Subject>,
    /// What the credential that named it is known again by, where decisions are recorded.
    pub(in crate::rpc) seen: Option<Seen>,
}

impl Ready {
    pub(in crate::rpc) fn worlds(&self) -> Worlds<'_> {
        Worlds { home: &self.found.home, there: self.there.as_deref() }
    }

    /// Decides about one permission; of an assumed session both must have it.
    pub(in crate::rpc) fn decide(&self, permission: Permission) -> Answer {
        let span = info_span!(
            target: SPANS,
            "decide",
            chancery.decision = Empty,
            chancery.reason = Empty,
            chancery.missing = Empty,
            chancery.permission = self.found.home.catalogue().name(permission),
            chancery.revision = self.found.home.revision().0.cast_signed(),
        );
        let _in = span.enter();
        let answer = self.decided(permission);
        if !span.is_disabled() {
            span.record("chancery.decision", answer::decision(answer.is_permit()));
            span.record("chancery.reason", reason_name(answer::wire_reason(answer.reason)));
            if let Some(missing) = answer.missing {
                span.record("chancery.missing", answer::wire_missing(missing).as_str_name());
            }
        }
        answer
    }

    fn decided(&self, permission: Permission) -> Answer {
        let question = Question { permission, ..self.question() };
        let answer = decide(self.worlds(), &question);
        match &self.found.actor {
            Some(actor) if answer.is_permit() => {
                let same = actor.home.tenant() == self.found.home.tenant();
                let home = if same { &self.found.home } else { &actor.home };
                let worlds = Worlds { home, there: self.there.as_deref() };
                let subject = Subject::User(actor.caller.user);
                let limits = actor.caller.limits.as_deref();
                decide(worlds, &Question { subject, limits, ..question })
            }
            _ => answer,
        }
    }

    /// Of an assumed session, asks of who really acts from here on, where it hangs on that one.
    pub(in crate::rpc) fn turn_to_actor(&mut self) {
        let Some(actor) = self.found.actor.take() else { return };
        if decide(self.worlds(), &self.question()).is_permit() {
            self.found.subject = Subject::User(actor.caller.user);
            self.found.account = Some(actor.caller.account);
            self.found.limits.clone_from(&actor.caller.limits);
            if actor.home.tenant() != self.found.home.tenant() {
                self.found.home = Arc::clone(&actor.home);
            }
        }
    }

    pub(in crate::rpc) fn question(&self) -> Question<'_> {
        Question {
            subject: self.found.subject,
            limits: self.found.limits.as_deref(),
            permission: self.permission,
            resource: &self.path,
            now: self.now,
            asked: &self.asked,
        }
    }
}
