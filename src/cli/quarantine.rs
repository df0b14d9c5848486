//! `chancery quarantine` and `chancery release`

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
    /// The id of the account
    account: String,
    /// Says what would be, and changes nothing
    #[arg(long)]
    dry_run: bool,
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
}

/// Stops an account and all below it at once, and prints what that stops.
pub(super) async fn order(settings: &Settings, wanted: Wanted) -> Outcome {
    let mut client = wanted.server.connect(settings).await?;
    let request = pb::QuarantineAccountRequest {
        account_id: wanted.account.clone(),
        validate_only: wanted.dry_run,
        ..Default::default()
    };
    let done = client.quarantine_account(request).await?;
    told(&wanted, &ORDERED, done.account, done.effect)
}

/// Lets an account go on that was in quarantine, and prints what goes on.
pub(super) async fn lift(settings: &Settings, wanted: Wanted) -> Outcome {
    let mut client = wanted.server.connect(settings).await?;
    let request = pb::ReleaseAccountRequest {
        account_id: wanted.account.clone(),
        validate_only: wanted.dry_run,
        ..Default::default()
    };
    let done = client.release_account(request).await?;
    told(&wanted, &LIFTED, done.account, done.effect)
}

/// What is said of an order, and of its opposite.
struct Words {
    done: &'static str,
    would: &'static str,
    was: &'static str,
    accounts: &'static str,
    users: &'static str,
    credentials: &'static str,
    sessions: &'static str,
    others: &'static str,
    next: &'static str,
}

const ORDERED: Words = Words {
    done: "is in quarantine now",
    would: "would be in quarantine",
    was: "was in quarantine already",
    accounts: "stopped",
    users: "who can do nothing, nor sign in",
    credentials: "refused",
    sessions: "refused",
    others: "stopped by something else in any case",
    next: "nothing is ended or deleted: `chancery release` lets it all go on",
};

const LIFTED: Words = Words {
    done: "is out of quarantine now",
    would: "would be out of quarantine",
    was: "was in no quarantine",
    accounts: "working again",
    users: "able to do what they could before",
    credentials: "working again",
    sessions: "going on",
    others: "still stopped by something else",
    next: "",
};

fn told(
    wanted: &Wanted,
    words: &Words,
    account: Option<pb::Account>,
    effect: Option<pb::QuarantineEffect>,
) -> Outcome {
    let (account, effect) = (account.unwrap_or_default(), effect.unwrap_or_default());
    let text = if wanted.json {
        serde_json::to_string_pretty(&as_json(wanted, &account, &effect))? + "\n"
    } else {
        tree(wanted, words, &account, &effect).to_string()
    };
    say(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn tree(
    wanted: &Wanted,
    words: &Words,
    account: &pb::Account,
    effect: &pb::QuarantineEffect,
) -> Tree {
    let what = match (effect.changed, wanted.dry_run) {
        (false, _) => words.was,
        (true, true) => words.would,
        (true, false) => words.done,
    };
    let name = account.display_name.as_deref().filter(|name| !name.is_empty());
    let name = name.map(|name| format!(" “{name}”")).unwrap_or_default();
    let mut tree = Tree::new(format!("{}{name} {what}", wanted.account));
    let lists = [
        (effect.account_count, "account", words.accounts, &effect.account_ids),
        (effect.user_count, "user", words.users, &effect.user_ids),
        (
            effect.credential_count,
            "API token or service key",
            words.credentials,
            &effect.credential_ids,
        ),
        (effect.session_count, "session", words.sessions, &effect.session_ids),
        (
            effect.otherwise_stopped_count,
            "account",
            words.others,
            &effect.otherwise_stopped_account_ids,
        ),
    ];
    for (count, one, what, ids) in lists {
        tree.hang(counted(count, one, what, ids.iter().cloned()));
    }
    if effect.others_affected {
        tree.leaf("and there may be more, which you may not see".to_owned());
    }
    if effect.partial {
        tree.leaf("not everybody was looked at: there are too many".to_owned());
    }
    if !words.next.is_empty() {
        tree.leaf(words.next.to_owned());
    }
    tree
}

fn as_json(wanted: &Wanted, account: &pb::Account, effect: &pb::QuarantineEffect) -> Value {
    json!({
        "accountId": wanted.account, "dryRun": wanted.dry_run, "changed": effect.changed,
        "quarantined": account.quarantined,
        "effectiveStatus":
            account.effective_status().as_str_name().trim_start_matches("ACCOUNT_STATUS_"),
        "accountCount": effect.account_count, "accountIds": effect.account_ids,
        "userCount": effect.user_count, "userIds": effect.user_ids,
        "credentialCount": effect.credential_count, "credentialIds": effect.credential_ids,
        "sessionCount": effect.session_count, "sessionIds": effect.session_ids,
        "otherwiseStoppedCount": effect.otherwise_stopped_count,
        "otherwiseStoppedAccountIds": effect.otherwise_stopped_account_ids,
        "othersAffected": effect.others_affected, "partial": effect.partial,
    })
}
