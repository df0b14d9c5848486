//! `chancery catalogue`

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::asking::Server;
use super::settings::Settings;
use super::tree::Tree;
use super::{Outcome, say};
use crate::proto::v1 as pb;

/// The most names that a line of the tree lists; `--json` lists all.
const SHOWN: usize = 8;

#[derive(Debug, Subcommand)]
pub(super) enum Wanted {
    /// Shows what a catalogue file would change for whom, and changes nothing
    Diff(Asked),
    /// Applies a catalogue file
    Apply(Asked),
}

#[derive(Debug, Args)]
pub(super) struct Asked {
    #[command(flatten)]
    server: Server,
    /// The file; `-` for standard input
    file: PathBuf,
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
}

/// Sends the file to the server, and prints what it says.
pub(super) async fn run(settings: &Settings, wanted: Wanted) -> Outcome {
    let (asked, validate_only) = match wanted {
        Wanted::Diff(asked) => (asked, true),
        Wanted::Apply(asked) => (asked, false),
    };
    let catalogue_yaml = read(&asked.file)?;
    let mut client = asked.server.connect(settings).await?;
    let request = pb::ApplyCatalogueRequest { catalogue_yaml, validate_only, ..Default::default() };
    let reply = client.apply_catalogue(request).await?;
    let text = match (reply.preview, asked.json) {
        (Some(preview), true) => serde_json::to_string_pretty(&as_json(&preview))? + "\n",
        (Some(preview), false) => tree(&preview).to_string(),
        (None, as_json) => {
            let in_force = reply.catalogue.unwrap_or_default();
            let (name, version) = (in_force.catalogue, in_force.version);
            if as_json {
                let token = reply.consistency_token;
                let applied =
                    json!({ "catalogue": name, "version": version, "consistency_token": token });
                serde_json::to_string_pretty(&applied)? + "\n"
            } else {
                format!("{name} version {version} is in force\n")
            }
        }
    };
    say(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn read(file: &Path) -> Result<String, String> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(file)
    };
    read.map_err(|error| format!("`{}`: {error}", file.display()))
}

fn tree(preview: &pb::Preview) -> Tree {
    let told = preview.catalogue.clone().unwrap_or_default();
    let was = told.replaces_version.map_or_else(
        || "new".to_owned(),
        |was| {
            if was == told.version {
                "in force already".to_owned()
            } else {
                format!("in force: {was}")
            }
        },
    );
    let mut tree = Tree::new(format!("{} version {} ({was})", told.catalogue, told.version));
    let marked = |mark: &str, names: &[String]| -> Vec<Tree> {
        names.iter().map(|name| Tree::new(format!("{mark} {name}"))).collect()
    };
    let mut types = marked("+", &told.added_resource_types);
    types.extend(marked("-", &told.removed_resource_types));
    tree.branch("resource types", types);
    let mut permissions = marked("+", &told.added_permissions);
    permissions.extend(marked("-", &told.removed_permissions));
    tree.branch("permissions", permissions);
    tree.branch("roles", told.roles.iter().map(role));
    let document = |one: &pb::DocumentChange| {
        let has = held(one.user_count, 0);
        Tree::new(format!("{} {}{has}", mark(one.standing()), one.role_code))
    };
    tree.branch("documents", told.documents.iter().map(document));
    if preview.others_affected {
        tree.leaf(
            "others are affected whom you may not see, or who are too many to name".to_owned(),
        );
    }
    tree
}

fn role(one: &pb::RoleChange) -> Tree {
    let of =
        if one.account_id.is_empty() { String::new() } else { format!(" of {}", one.account_id) };
    let has = held(one.user_count, one.account_count);
    let mut tree = Tree::new(format!("{} {}{of}{has}", mark(one.standing()), one.role));
    for (word, names) in [("gains", &one.gained), ("loses", &one.lost)] {
        if !names.is_empty() {
            tree.leaf(format!("{word} {}", some(names)));
        }
    }
    tree
}

/// Lists names, and how many more there are.
fn some(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn held(users: u64, accounts: u64) -> String {
    let count = |number: u64, one: &str| match number {
        0 => None,
        1 => Some(format!("1 {one}")),
        _ => Some(format!("{number} {one}s")),
    };
    let both: Vec<String> =
        [count(users, "user"), count(accounts, "account")].into_iter().flatten().collect();
    if both.is_empty() { String::new() } else { format!(": {}", both.join(", ")) }
}

const fn mark(standing: pb::Standing) -> &'static str {
    match standing {
        pb::Standing::Added => "+",
        pb::Standing::Removed => "-",
        pb::Standing::Kept | pb::Standing::Unspecified => "~",
    }
}

const fn word(standing: pb::Standing) -> &'static str {
    match standing {
        pb::Standing::Added => "ADDED",
        pb::Standing::Removed => "REMOVED",
        pb::Standing::Kept | pb::Standing::Unspecified => "KEPT",
    }
}

fn as_json(preview: &pb::Preview) -> Value {
    let told = preview.catalogue.clone().unwrap_or_default();
    let role = |one: &pb::RoleChange| {
        json!({
            "role": one.role,
            "account_id": one.account_id,
            "standing": word(one.standing()),
            "gained": one.gained,
            "lost": one.lost,
            "user_count": one.user_count,
            "account_count": one.account_count,
        })
    };
    let document = |one: &pb::DocumentChange| {
        json!({
            "rights_doc_id": one.rights_doc_id,
            "role_code": one.role_code,
            "standing": word(one.standing()),
            "user_count": one.user_count,
        })
    };
    json!({
        "revision": preview.revision,
        "others_affected": preview.others_affected,
        "catalogue": told.catalogue,
        "version": told.version,
        "replaces_version": told.replaces_version,
        "added_resource_types": told.added_resource_types,
        "removed_resource_types": told.removed_resource_types,
        "added_permissions": told.added_permissions,
        "removed_permissions": told.removed_permissions,
        "roles": told.roles.iter().map(role).collect::<Vec<_>>(),
        "documents": told.documents.iter().map(document).collect::<Vec<_>>(),
    })
}
