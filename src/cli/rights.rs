//! `chancery rights`

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::asking::Server;
use super::settings::Settings;
use super::tree::Tree;
use super::{Outcome, say};
use crate::proto::v1 as pb;

/// So many permissions stand on one line of the tree.
const A_LINE: usize = 6;

#[derive(Debug, Args)]
pub(super) struct Wanted {
    #[command(flatten)]
    server: Server,
    /// The id of the user [default: whose token it is]
    #[arg(default_value = "")]
    user: String,
    /// Only what holds in this account
    #[arg(long, value_name = "ACCOUNT", default_value = "")]
    account: String,
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
}

/// Prints all that a user may do, and what each right comes from.
pub(super) async fn run(settings: &Settings, wanted: Wanted) -> Outcome {
    let mut client = wanted.server.connect(settings).await?;
    let mut request = pb::GetEffectiveRightsRequest {
        user_id: wanted.user.clone(),
        account_id: wanted.account.clone(),
        ..Default::default()
    };
    let mut rights = Vec::new();
    loop {
        let page = client.effective_rights(request.clone()).await?;
        rights.extend(page.effective_rights);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    let text = if wanted.json {
        let rights: Vec<Value> = rights.iter().map(as_json).collect();
        serde_json::to_string_pretty(&json!({ "rights": rights }))? + "\n"
    } else {
        tree(&wanted, &rights)
    };
    say(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn tree(wanted: &Wanted, rights: &[pb::EffectiveRight]) -> String {
    let who = if wanted.user.is_empty() { "you" } else { &wanted.user };
    let mut tree = Tree::new(format!("{who}: {} rights", rights.len()));
    for right in rights {
        let permissions = right.permissions.chunks(A_LINE).map(|some| Tree::new(some.join(", ")));
        let limits =
            right.limits.iter().map(|limit| Tree::new(format!("limited: {}", said(limit))));
        tree.branch(&headline(right), permissions.chain(limits));
    }
    tree.to_string()
}

fn headline(right: &pb::EffectiveRight) -> String {
    let grant = right.grant.clone().unwrap_or_default();
    let from = match grant.kind() {
        pb::GrantKind::Document => format!("document {}", grant.rights_doc_id),
        _ => format!("role {}", grant.role_type),
    };
    let way = match right.way() {
        pb::RightWay::Included => format!(", by {}", right.via_role),
        pb::RightWay::Inherited => format!(", inherited from {}", right.via_user_id),
        pb::RightWay::Master => format!(", master of {}", right.master_account_id),
        pb::RightWay::Everybody => ", held by everybody".to_owned(),
        pb::RightWay::Own | pb::RightWay::Unspecified => String::new(),
    };
    let far = if right.reach() == pb::Reach::Subtree { " and below" } else { "" };
    let on = match (right.scope.as_str(), right.resource_type.as_str()) {
        ("", "") => String::new(),
        ("", kind) => format!(" on {kind} {}{}", right.resource_id, depth(right)),
        (scope, _) => format!(" on {scope}"),
    };
    format!("{from}{way}: in {}{far}{on}", right.account_id)
}

fn depth(right: &pb::EffectiveRight) -> &'static str {
    match right.depth() {
        pb::RightDepth::Direct => ", directly in it",
        pb::RightDepth::Contained => ", in all of it",
        pb::RightDepth::Itself | pb::RightDepth::Unspecified => "",
    }
}

fn said(limit: &pb::RightLimit) -> String {
    let mut text = word(limit.kind().as_str_name(), "RIGHT_LIMIT_KIND_");
    for part in [&limit.account_id, &limit.role_type, &limit.when] {
        if !part.is_empty() {
            text.push(' ');
            text.push_str(part);
        }
    }
    match limit.permissions.len() {
        0 => text,
        many => format!("{text} ({many} permissions)"),
    }
}

/// Takes the prefix off an enum's word.
fn word(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_owned()
}

fn as_json(right: &pb::EffectiveRight) -> Value {
    let grant = right.grant.clone().unwrap_or_default();
    let limits: Vec<Value> = right
        .limits
        .iter()
        .map(|limit| {
            json!({
                "kind": word(limit.kind().as_str_name(), "RIGHT_LIMIT_KIND_"),
                "account_id": limit.account_id,
                "role_type": limit.role_type,
                "permissions": limit.permissions,
                "when": limit.when,
            })
        })
        .collect();
    json!({
        "permissions": right.permissions,
        "account_id": right.account_id,
        "reach": word(right.reach().as_str_name(), "REACH_"),
        "on": word(right.on().as_str_name(), "RELATION_"),
        "scope": right.scope,
        "resource_type": right.resource_type,
        "resource_id": right.resource_id,
        "depth": word(right.depth().as_str_name(), "RIGHT_DEPTH_"),
        "way": word(right.way().as_str_name(), "RIGHT_WAY_"),
        "role_type": grant.role_type,
        "rights_doc_id": grant.rights_doc_id,
        "owner_id": right.owner_id,
        "via_user_id": right.via_user_id,
        "limits": limits,
    })
}
