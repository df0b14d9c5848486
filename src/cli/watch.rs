//! `chancery watch`

use std::process::ExitCode;

use chrono::{DateTime, SecondsFormat};
use clap::Args;
use serde_json::{Value, json};

use super::asking::Server;
use super::settings::Settings;
use super::{Outcome, say};
use crate::client::Changes;
use crate::proto::v1 as pb;

#[derive(Debug, Args)]
pub(super) struct Wanted {
    #[command(flatten)]
    server: Server,
    /// The account whose changes are told of
    account: String,
    /// Those of the accounts below it too
    #[arg(long)]
    subtree: bool,
    /// Goes on behind this consistency token, which a change or an earlier line of JSON has told [default: from now on]
    #[arg(long, value_name = "TOKEN")]
    resume_after: Option<String>,
    /// Ends after so many writes [default: never]
    #[arg(long, value_name = "COUNT")]
    writes: Option<u64>,
    /// As JSON, a line for each write, for programs
    #[arg(long)]
    json: bool,
}

/// Prints changes as they are made, until it is stopped.
pub(super) async fn run(settings: &Settings, wanted: Wanted) -> Outcome {
    let client = wanted.server.connect(settings).await?;
    let request = pb::WatchChangesRequest {
        account_id: wanted.account.clone(),
        subtree: wanted.subtree,
        resume_after: wanted.resume_after.clone().unwrap_or_default(),
    };
    let mut changes = Changes::of(client, request);
    let mut left = wanted.writes;
    while left != Some(0) {
        let message = changes.next().await?;
        if message.heartbeat {
            continue;
        }
        left = left.map(|left| left.saturating_sub(1));
        let text = if wanted.json { as_json(&message).to_string() + "\n" } else { lines(&message) };
        say(&text)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn time(message: &pb::WatchChangesResponse) -> String {
    let at = message.time.unwrap_or_default();
    let at = DateTime::from_timestamp(at.seconds, u32::try_from(at.nanos).unwrap_or_default());
    at.unwrap_or_default().to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// A line for each object; none where a write was about what the asker may not watch.
fn lines(message: &pb::WatchChangesResponse) -> String {
    let (time, revision) = (time(message), message.revision);
    let line = |change: &pb::ChangedEntity| {
        let pb::ChangedEntity { kind, entity, account_id } = change;
        format!("{time} {revision} {kind} {entity} in {account_id}\n")
    };
    message.changes.iter().map(line).collect()
}

fn as_json(message: &pb::WatchChangesResponse) -> Value {
    let change = |change: &pb::ChangedEntity| {
        let pb::ChangedEntity { kind, entity, account_id } = change;
        json!({ "kind": kind, "entity": entity, "accountId": account_id })
    };
    json!({
        "consistencyToken": message.consistency_token,
        "revision": message.revision,
        "time": time(message),
        "changes": message.changes.iter().map(change).collect::<Vec<_>>(),
    })
}
