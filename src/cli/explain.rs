//! `chancery explain`

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::asking::{Server, action, resource};
use super::settings::Settings;
use super::tree::Tree;
use super::{Outcome, say};
use crate::proto::v1 as pb;

#[derive(Debug, Args)]
pub(super) struct Wanted {
    #[command(flatten)]
    server: Server,
    /// Who: a user's id, or its name in your own account
    subject: String,
    /// What would be done, such as `read` or `gate.create`
    action: String,
    /// To what: `account/<id>`, then pairs of type and id; or `<type>/<id>` directly in the subject's account
    resource: String,
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
}

/// Prints why it is decided so, and what would help: exit code 0 for either decision.
pub(super) async fn run(settings: &Settings, wanted: Wanted) -> Outcome {
    let mut client = wanted.server.connect(settings).await?;
    let account = wanted.subject.starts_with("acc_");
    let kind = if account { "account" } else { "user" };
    let request = pb::ExplainAuthorizationRequest {
        subject: Some(pb::Subject {
            r#type: kind.to_owned(),
            id: wanted.subject.clone(),
            ..Default::default()
        }),
        action: Some(action(&wanted.action)),
        resource: Some(resource(&wanted.resource)?),
        ..Default::default()
    };
    let answer = client.explain(request).await?;
    let text = if wanted.json {
        serde_json::to_string_pretty(&as_json(&answer))? + "\n"
    } else {
        as_tree(&wanted, &answer).to_string()
    };
    say(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn as_tree(wanted: &Wanted, answer: &pb::ExplainAuthorizationResponse) -> Tree {
    let decision = if answer.decision { "PERMIT" } else { "DENY" };
    let why = reason(answer.reason());
    let asked = format!("{} {} {}", wanted.subject, wanted.action, wanted.resource);
    let mut tree = Tree::new(format!("{decision} {why}: {asked}"));
    if answer.missing() != pb::Missing::Unspecified {
        tree.leaf(format!("nearest: {}", missing(answer.missing())));
    }
    let grants = answer.grants.iter().map(|grant| Tree::new(grant_text(grant)));
    tree.branch("grants that suffice", grants);
    let denying = answer.steps.iter().filter(|step| step.denies).map(step_tree);
    tree.branch("steps that deny", denying);
    let failed =
        answer.looked_at.iter().filter(|looked| !looked.covers || looked.left_out_by_token);
    tree.branch("grants that do not count", failed.map(|looked| Tree::new(looked_text(looked))));
    tree.branch("what would permit it", answer.suggestions.iter().map(suggestion_tree));
    tree
}

fn step_tree(step: &pb::DecisionStep) -> Tree {
    let mut tree = Tree::new(reason(step.reason()).to_owned());
    for account in &step.accounts {
        tree.leaf(format!("{} {}{}", account.account_id, account.status, account.role));
    }
    for grant in &step.suppressed_by {
        tree.leaf(grant_text(grant));
    }
    if step.confined {
        tree.leaf("the account's role keeps it from other accounts".to_owned());
    }
    if step.obstacle() != pb::Obstacle::Unspecified {
        tree.leaf(step.obstacle().as_str_name().trim_start_matches("OBSTACLE_").to_owned());
    }
    tree
}

fn suggestion_tree(suggestion: &pb::Suggestion) -> Tree {
    let texts: Vec<String> = suggestion.changes.iter().map(change_text).collect();
    let mut tree = Tree::new(texts.join(", and "));
    for change in &suggestion.changes {
        if !change.maker_user_ids.is_empty() {
            let more = if change.more_makers { ", …" } else { "" };
            let makers = change.maker_user_ids.join(", ");
            tree.leaf(format!("{} by {makers}{more}", kind(change.kind())));
        }
    }
    tree
}

fn change_text(change: &pb::SuggestedChange) -> String {
    let parts = [&change.role_type, &change.rights_doc_id, &change.account_id];
    let mut text = kind(change.kind()).to_owned();
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        text.push(' ');
        text.push_str(part);
    }
    if !change.scope.is_empty() {
        text.push_str(" within ");
        text.push_str(&change.scope);
    }
    text
}

fn grant_text(grant: &pb::Grant) -> String {
    let what = if grant.rights_doc_id.is_empty() { &grant.role_type } else { &grant.rights_doc_id };
    let mut text = grant.kind().as_str_name().trim_start_matches("GRANT_KIND_").to_lowercase();
    for (word, part) in [
        ("", what),
        ("of ", &grant.holder_user_id),
        ("in ", &grant.account_id),
        ("within ", &grant.scope),
    ] {
        if !part.is_empty() {
            text.push(' ');
            text.push_str(word);
            text.push_str(part);
        }
    }
    text
}

fn looked_text(looked: &pb::LookedAt) -> String {
    let grant = looked.grant.as_ref().map(grant_text).unwrap_or_default();
    let why = if looked.covers { "left out by the token" } else { missing(looked.missing()) };
    let mut text = format!("{grant}: {why}");
    for (word, part) in [("reach", &looked.reach), ("on", &looked.on), ("when", &looked.when)] {
        if !part.is_empty() {
            text.push_str(", ");
            text.push_str(word);
            text.push(' ');
            text.push_str(part);
        }
    }
    text
}

fn reason(reason: pb::Reason) -> &'static str {
    reason.as_str_name().trim_start_matches("REASON_")
}

fn missing(missing: pb::Missing) -> &'static str {
    missing.as_str_name().trim_start_matches("MISSING_")
}

fn kind(kind: pb::SuggestedChangeKind) -> &'static str {
    kind.as_str_name().trim_start_matches("SUGGESTED_CHANGE_KIND_")
}

fn as_json(answer: &pb::ExplainAuthorizationResponse) -> Value {
    let grant = |grant: &pb::Grant| {
        json!({
            "kind": grant.kind().as_str_name(), "roleType": grant.role_type,
            "rightsDocId": grant.rights_doc_id, "holderUserId": grant.holder_user_id,
            "accountId": grant.account_id, "scope": grant.scope,
        })
    };
    let step = |step: &pb::DecisionStep| {
        let accounts = step.accounts.iter().map(|account| {
            json!({ "accountId": account.account_id, "status": account.status, "role": account.role })
        });
        json!({
            "reason": reason(step.reason()), "denies": step.denies, "confined": step.confined,
            "accounts": accounts.collect::<Vec<_>>(),
            "suppressedBy": step.suppressed_by.iter().map(grant).collect::<Vec<_>>(),
            "obstacle": step.obstacle().as_str_name(),
        })
    };
    let looked = |looked: &pb::LookedAt| {
        json!({
            "grant": looked.grant.as_ref().map(grant), "covers": looked.covers,
            "missing": missing(looked.missing()), "reach": looked.reach, "on": looked.on,
            "when": looked.when, "leftOutByToken": looked.left_out_by_token,
        })
    };
    let change = |change: &pb::SuggestedChange| {
        json!({
            "kind": kind(change.kind()), "roleType": change.role_type, "scope": change.scope,
            "rightsDocId": change.rights_doc_id, "accountId": change.account_id,
            "makerUserIds": change.maker_user_ids, "moreMakers": change.more_makers,
        })
    };
    let suggestion =
        |one: &pb::Suggestion| Value::from(one.changes.iter().map(change).collect::<Vec<_>>());
    json!({
        "decision": answer.decision, "reason": reason(answer.reason()),
        "missing": missing(answer.missing()), "evaluatedRevision": answer.evaluated_revision,
        "grants": answer.grants.iter().map(grant).collect::<Vec<_>>(),
        "steps": answer.steps.iter().map(step).collect::<Vec<_>>(),
        "lookedAt": answer.looked_at.iter().map(looked).collect::<Vec<_>>(),
        "suggestions": answer.suggestions.iter().map(suggestion).collect::<Vec<_>>(),
    })
}
