//! `chancery who-can`

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::asking::{Server, action, resource};
use super::settings::Settings;
use super::tree::Tree;
use super::{Outcome, say};
use crate::proto::v1 as pb;

#[derive(Debug, Args)]
pub(super) struct Wanted {
    #[command(flatten)]
    server: Server,
    /// What would be done, such as `read` or `gate.create`
    action: String,
    /// To what: `account/<id>`, then pairs of type and id; or `<type>/<id>` directly in your own account
    resource: String,
    /// Looks for accounts, not for users
    #[arg(long)]
    accounts: bool,
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
}

/// Prints who may, as far as whoever asks sees them.
pub(super) async fn run(settings: &Settings, wanted: Wanted) -> Outcome {
    let mut client = wanted.server.connect(settings).await?;
    let kind = if wanted.accounts { "account" } else { "user" };
    let mut request = pb::SearchSubjectsRequest {
        subject: Some(pb::Subject { r#type: kind.to_owned(), ..Default::default() }),
        action: Some(action(&wanted.action)),
        resource: Some(resource(&wanted.resource)?),
        page: Some(pb::SearchPage { size: 1000, token: String::new() }),
        ..Default::default()
    };
    let mut found: Vec<String> = Vec::new();
    let complete = loop {
        let part = client.search_subjects(request.clone()).await?;
        found.extend(part.results.into_iter().map(|subject| subject.id));
        let end = part.page.unwrap_or_default();
        if end.next_token.is_empty() {
            break end.complete;
        }
        request.page = Some(pb::SearchPage { size: 1000, token: end.next_token });
    };
    let text = if wanted.json {
        serde_json::to_string_pretty(&json!({ "subjects": found, "complete": complete }))? + "\n"
    } else {
        tree(&wanted, &found)
    };
    say(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn tree(wanted: &Wanted, found: &[String]) -> String {
    let who = if found.is_empty() { "nobody that you see" } else { "these may" };
    let mut tree = Tree::new(format!("{} {}: {who}", wanted.action, wanted.resource));
    for id in found {
        tree.leaf(id.clone());
    }
    tree.to_string()
}
