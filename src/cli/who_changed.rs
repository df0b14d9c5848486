//! `chancery who-changed`

use std::process::ExitCode;

use chrono::{DateTime, SecondsFormat};
use clap::Args;
use prost_types::Timestamp;
use serde_json::{Value, json};

use super::asking::{Server, action, resource};
use super::settings::Settings;
use super::{Outcome, say};
use crate::client::{Client, NoReply};
use crate::proto::v1 as pb;
use crate::proto::v1::consistency::Requirement;

/// Changes asked for at once.
const PAGE: i32 = 200;

#[derive(Debug, Args)]
pub(super) struct Wanted {
    #[command(flatten)]
    server: Server,
    /// Who: a user by its id or, in your own account, by its name; or an account by its id
    subject: String,
    /// What, such as `user.read` or `gate.create`
    permission: String,
    /// To what: `account/<id>`, then pairs of type and id; or `<type>/<id>` directly in the subject's account
    resource: String,
    /// The account whose changes are looked through, with all below it [default: your own]
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// So many writes are looked at, the newest first
    #[arg(long, value_name = "COUNT", default_value_t = 1_000)]
    writes: usize,
    /// Every time that the answer changed among them, not the last alone
    #[arg(long)]
    all: bool,
    /// As JSON, a line each, for programs
    #[arg(long)]
    json: bool,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Answer {
    decision: bool,
    reason: &'static str,
}

/// What one write changed, as far as whoever asks may read it.
#[derive(Debug, Default)]
struct Write {
    events: Vec<pb::AuditEvent>,
}

/// A walk through the changes, the newest first.
struct Walk {
    client: Client,
    question: pb::ExplainAuthorizationRequest,
    /// What is answered now.
    now: Answer,
    /// What was answered behind the last write that was looked at.
    later: Answer,
    seen: usize,
    found: usize,
    /// Whether the ledger has come to where it begins.
    pruned: bool,
}

/// Prints the writes at which an answer changed; says so and ends with 1 where there is none among those that were looked at.
pub(super) async fn run(settings: &Settings, wanted: Wanted) -> Outcome {
    let client = wanted.server.connect(settings).await?;
    let kind = if wanted.subject.starts_with("acc_") { "account" } else { "user" };
    let question = pb::ExplainAuthorizationRequest {
        subject: Some(pb::Subject {
            r#type: kind.to_owned(),
            id: wanted.subject.clone(),
            ..Default::default()
        }),
        action: Some(action(&wanted.permission)),
        resource: Some(resource(&wanted.resource)?),
        ..Default::default()
    };
    let now = Answer { decision: false, reason: "" };
    let later = now.clone();
    let mut walk = Walk { client, question, later, now, seen: 0, found: 0, pruned: false };
    walk.now = walk.answer(None).await?;
    walk.later = walk.now.clone();
    let mut request = pb::ListAuditEventsRequest {
        account_id: wanted.account.clone().unwrap_or_default(),
        subtree: true,
        order: pb::AuditOrder::NewestFirst.into(),
        page_size: PAGE,
        ..Default::default()
    };
    let mut write = Write::default();
    loop {
        let page = walk.client.audit_events(request.clone()).await?;
        for event in page.audit_events {
            if write.events.last().is_some_and(|last| last.revision != event.revision) {
                walk.look(&std::mem::take(&mut write), &wanted).await?;
            }
            write.events.push(event);
            if walk.is_over(&wanted) {
                return walk.end(&wanted, false);
            }
        }
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            walk.look(&write, &wanted).await?;
            return walk.end(&wanted, true);
        }
    }
}

impl Walk {
    fn is_over(&self, wanted: &Wanted) -> bool {
        self.pruned || self.seen >= wanted.writes || (self.found > 0 && !wanted.all)
    }

    /// Ends, having looked at all that there is or at so much as was wanted. Programs are told of no change by no line.
    fn end(&self, wanted: &Wanted, whole: bool) -> Outcome {
        if self.found > 0 {
            return Ok(ExitCode::SUCCESS);
        }
        let (now, seen) = (word(&self.now), self.seen);
        let among = if whole {
            format!("in all the writes that you may read ({seen})")
        } else if self.pruned {
            format!("among the writes that the ledger goes back to ({seen})")
        } else {
            format!("among the newest writes ({seen}; `--writes` looks further back)")
        };
        if !wanted.json {
            say(&format!("no change found {among}: {now} now\n"))?;
        }
        Ok(ExitCode::FAILURE)
    }

    /// Asks as of a time; now where none is named. Where there was nothing yet, nothing was permitted.
    async fn answer(&mut self, at: Option<Timestamp>) -> Result<Answer, NoReply> {
        let consistency = at.map(|at| pb::Consistency { requirement: Some(Requirement::AsOf(at)) });
        let request = pb::ExplainAuthorizationRequest { consistency, ..self.question.clone() };
        match self.client.explain(request).await {
            Ok(answer) => Ok(Answer {
                decision: answer.decision,
                reason: answer.reason().as_str_name().trim_start_matches("REASON_"),
            }),
            Err(NoReply::NotBegun) => Ok(Answer { decision: false, reason: "NOT_BEGUN" }),
            Err(error) => Err(error),
        }
    }

    /// Looks whether the answer was another before a write.
    async fn look(
        &mut self,
        write: &Write,
        wanted: &Wanted,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let Some(time) = write.events.first().and_then(|event| event.time) else { return Ok(()) };
        self.seen += 1;
        let before = match self.answer(Some(a_moment_before(time))).await {
            // What stood before the first entry that is left is not known.
            Err(NoReply::Lost(_)) => {
                self.pruned = true;
                return Ok(());
            }
            told => told?,
        };
        if before.decision != self.later.decision {
            let after = self.answer(Some(time)).await?;
            self.found += 1;
            // Where the write left it as it was, something has changed it since that is in no write of these.
            let by = (after.decision == self.later.decision).then_some(write);
            let after = if by.is_some() { after } else { self.later.clone() };
            say(&if wanted.json {
                as_json(time, by, &before, &after).to_string() + "\n"
            } else {
                line(time, by, &before, &after)
            })?;
        }
        self.later = before;
        Ok(())
    }
}

/// The time in front of one, to the microsecond that a ledger knows.
fn a_moment_before(time: Timestamp) -> Timestamp {
    if time.nanos >= 1_000 {
        return Timestamp { nanos: time.nanos - 1_000, ..time };
    }
    Timestamp { seconds: time.seconds.saturating_sub(1), nanos: 999_999_000 }
}

fn text(time: Timestamp) -> String {
    let at = DateTime::from_timestamp(time.seconds, u32::try_from(time.nanos).unwrap_or_default());
    at.unwrap_or_default().to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn word(answer: &Answer) -> String {
    format!("{} {}", if answer.decision { "PERMIT" } else { "DENY" }, answer.reason)
}

fn line(time: Timestamp, by: Option<&Write>, before: &Answer, after: &Answer) -> String {
    let (time, change) = (text(time), format!("{} → {}", word(before), word(after)));
    let Some((write, first)) = by.and_then(|write| Some((write, write.events.first()?))) else {
        return format!(
            "after {time}: {change}, by no change that you may read: an expiry, or the platform's\n"
        );
    };
    let who = match (first.actor_user_id.as_str(), first.acting_as_user_id.as_str()) {
        ("", _) => first.source.clone(),
        (actor, "") => actor.to_owned(),
        (actor, whom) => format!("{actor} as {whom}"),
    };
    let what = write.events.iter().rev().map(|event| format!("{} {}", event.action, event.entity));
    let what = what.collect::<Vec<_>>().join(", ");
    format!("{time} revision {} by {who}: {what}: {change}\n", first.revision)
}

fn as_json(time: Timestamp, by: Option<&Write>, before: &Answer, after: &Answer) -> Value {
    let answer = |of: &Answer| json!({ "decision": of.decision, "reason": of.reason });
    let events = by.map(|write| write.events.as_slice()).unwrap_or_default();
    let change = |event: &pb::AuditEvent| json!({ "action": event.action, "entity": event.entity });
    let first = events.first().cloned().unwrap_or_default();
    json!({
        "time": text(time), "revision": by.map(|_| first.revision),
        "actorUserId": first.actor_user_id, "actingAsUserId": first.acting_as_user_id,
        "source": first.source, "changes": events.iter().rev().map(change).collect::<Vec<_>>(),
        "before": answer(before), "after": answer(after),
    })
}
