//! `chancery offboard`

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::asking::Server;
use super::settings::Settings;
use super::tree::{Tree, counted};
use super::{Outcome, say};
use crate::proto::v1 as pb;

#[derive(Debug, Args)]
pub(super) struct Wanted {
    #[command(flatten)]
    server: Server,
    /// The id of the user
    user: String,
    /// Says what would be, and changes nothing
    #[arg(long)]
    dry_run: bool,
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
}

/// Ends all that a user may do, and prints what that was and what is left.
pub(super) async fn run(settings: &Settings, wanted: Wanted) -> Outcome {
    let mut client = wanted.server.connect(settings).await?;
    let request = pb::OffboardUserRequest {
        user_id: wanted.user.clone(),
        validate_only: wanted.dry_run,
        ..Default::default()
    };
    let done = client.offboard_user(request).await?;
    let (user, effect) = (done.user.unwrap_or_default(), done.effect.unwrap_or_default());
    let text = if wanted.json {
        serde_json::to_string_pretty(&as_json(&wanted, &user, &effect))? + "\n"
    } else {
        tree(&wanted, &user, &effect).to_string()
    };
    say(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn tree(wanted: &Wanted, user: &pb::User, effect: &pb::OffboardEffect) -> Tree {
    let what = match (effect.disabled, wanted.dry_run) {
        (true, true) => "would be disabled",
        (true, false) => "is disabled",
        (false, _) => "was disabled already",
    };
    let name = user.user_name.as_deref().filter(|name| !name.is_empty());
    let name = name.map(|name| format!(" “{name}”")).unwrap_or_default();
    let mut tree = Tree::new(format!("{}{name} {what}", wanted.user));
    let role = |role: &pb::TakenRole| match role.scope.as_str() {
        "" => role.role_type.clone(),
        scope => format!("{} on {scope}", role.role_type),
    };
    let heir = |one: &pb::HandedOnDocument| match one.owner_id.as_str() {
        "" => format!("{} to somebody whom you may not see", one.rights_doc_id),
        owner => format!("{} to {owner}", one.rights_doc_id),
    };
    let ids = |ids: &[String]| ids.to_vec();
    let lists = [
        (effect.role_count, "role", "taken", effect.roles.iter().map(role).collect()),
        (effect.rights_document_count, "rights document", "taken", ids(&effect.rights_doc_ids)),
        (effect.api_token_count, "API token", "deleted", ids(&effect.api_token_ids)),
        (effect.service_key_count, "service key", "deleted", ids(&effect.service_key_ids)),
        (effect.session_count, "session", "ended", ids(&effect.session_ids)),
        (
            effect.handed_on_count,
            "rights document",
            "that it owned, handed on",
            effect.handed_on.iter().map(heir).collect(),
        ),
        (effect.child_count, "user", "left below it", ids(&effect.child_user_ids)),
    ];
    for (count, one, what, lines) in lists {
        tree.hang(counted(count, one, what, lines));
    }
    if effect.others_affected {
        tree.leaf("and there may be more, which you may not see".to_owned());
    }
    tree
}

fn as_json(wanted: &Wanted, user: &pb::User, effect: &pb::OffboardEffect) -> Value {
    let role = |role: &pb::TakenRole| json!({ "roleType": role.role_type, "scope": role.scope });
    let heir = |one: &pb::HandedOnDocument| json!({ "rightsDocId": one.rights_doc_id, "ownerId": one.owner_id });
    json!({
        "userId": wanted.user, "dryRun": wanted.dry_run, "disabled": effect.disabled,
        "enabled": user.enabled(),
        "roleCount": effect.role_count,
        "roles": effect.roles.iter().map(role).collect::<Vec<_>>(),
        "rightsDocumentCount": effect.rights_document_count, "rightsDocIds": effect.rights_doc_ids,
        "apiTokenCount": effect.api_token_count, "apiTokenIds": effect.api_token_ids,
        "serviceKeyCount": effect.service_key_count, "serviceKeyIds": effect.service_key_ids,
        "sessionCount": effect.session_count, "sessionIds": effect.session_ids,
        "handedOnCount": effect.handed_on_count,
        "handedOn": effect.handed_on.iter().map(heir).collect::<Vec<_>>(),
        "childCount": effect.child_count, "childUserIds": effect.child_user_ids,
        "othersAffected": effect.others_affected,
    })
}
