//! `chancery rules`

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::{Outcome, say};
use crate::decision::{Access, Check, Rule, Slot, When};
use crate::layers::Rules;
use crate::proto;

#[derive(Debug, Args)]
pub(super) struct Wanted {
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
}

/// Prints every method with its rule, as the server reads it from the descriptors.
pub(super) fn run(wanted: &Wanted) -> Outcome {
    let rules = Rules::parse(&proto::pool()?)?;
    let text = if wanted.json {
        let all: Vec<Value> = rules.iter().map(|rule| as_json(rule)).collect();
        serde_json::to_string_pretty(&all)? + "\n"
    } else {
        table(rules.iter().map(|rule| &**rule))
    };
    say(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn table<'a>(rules: impl Iterator<Item = &'a Rule>) -> String {
    let rows: Vec<_> =
        rules.map(|rule| (rule.method.trim_start_matches('/'), lines(rule))).collect();
    let width = rows.iter().map(|(method, _)| method.len()).max().unwrap_or_default();
    let mut text = String::new();
    for (method, lines) in rows {
        for (n, line) in lines.into_iter().enumerate() {
            let method = if n == 0 { method } else { "" };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{method:width$}  {line}");
        }
    }
    text
}

fn lines(rule: &Rule) -> Vec<String> {
    match &rule.access {
        Access::Public => vec!["anybody".to_owned()],
        Access::Own => vec!["anybody signed in, on nothing but its own".to_owned()],
        Access::Checked { main, also, or, answers } => {
            let mut first = in_words(main);
            if *answers {
                first.push_str("; a refusal is an answer");
            }
            let mut lines = vec![first];
            lines.extend(or.iter().map(|check| format!("or{}", with_when(check))));
            // What is further asked is asked whichever of the alternatives holds.
            if let (false, [first, .., last]) = (or.is_empty(), lines.as_mut_slice()) {
                first.insert(0, '(');
                last.push(')');
            }
            lines.extend(also.iter().map(|check| format!("and{}", with_when(check))));
            lines
        }
    }
}

/// Writes a check behind its `or` or `and`, with the requests that it is for.
fn with_when(check: &Check) -> String {
    let when = check.when.map(|when| format!(", when {}:", name(when))).unwrap_or_default();
    format!("{when} {}", in_words(check))
}

fn in_words(check: &Check) -> String {
    let words = format!("{} on {}", check.permission, path(check));
    if check.or_self { format!("({words} or it is oneself)") } else { words }
}

fn path(check: &Check) -> String {
    let steps = check.resource.iter().map(|(kind, slot)| match slot {
        Slot::Any => format!("{kind}/-"),
        Slot::Field(field) => format!("{kind}/{{{field}}}"),
    });
    steps.collect::<Vec<_>>().join("/")
}

/// Returns the name that the protos use.
const fn name(when: When) -> &'static str {
    match when {
        When::ParentSet => "PARENT_SET",
        When::NoParent => "NO_PARENT",
        When::RolesSet => "ROLES_SET",
        When::KindApplication => "KIND_APPLICATION",
        When::ProfileOnly => "PROFILE_ONLY",
        When::SubjectIsCaller => "SUBJECT_IS_CALLER",
        When::SubjectIsNotCaller => "SUBJECT_IS_NOT_CALLER",
        When::CreatedByCaller => "CREATED_BY_CALLER",
        When::ReassignSet => "REASSIGN_SET",
        When::FilterNamesApplication => "FILTER_NAMES_APPLICATION",
        When::OwnerIsCaller => "OWNER_IS_CALLER",
        When::IsMaster => "IS_MASTER",
        When::OtherUserSet => "OTHER_USER_SET",
    }
}

fn as_json(rule: &Rule) -> Value {
    let access = match &rule.access {
        Access::Public => json!({ "public": true }),
        Access::Own => json!({ "authenticated": true }),
        Access::Checked { main, also, or, answers } => json!({
            "check": check_json(main),
            "also": also.iter().map(check_json).collect::<Vec<_>>(),
            "or": or.iter().map(check_json).collect::<Vec<_>>(),
            "answers": answers,
        }),
    };
    json!({ "method": &*rule.method, "changes": rule.mutates, "access": access })
}

fn check_json(check: &Check) -> Value {
    json!({
        "permission": &*check.permission,
        "resource": path(check),
        "when": check.when.map(name),
        "or_self": check.or_self,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_together_stands_in_parentheses() {
        let rules = Rules::parse(&proto::pool().unwrap()).unwrap();
        let of = |method: &str| lines(rules.of(method).unwrap());
        assert_eq!(
            of("/chancery.v1.UserService/DeleteUser"),
            [
                "(user.delete on account/{account_id}/user/{user_id}",
                "or, when KIND_APPLICATION: application_user.delete on \
                 account/{account_id}/application/{application_id}/application_user/{user_id})",
                "and, when REASSIGN_SET: (user.move on account/{account_id}/user/{reassign_user_id} \
                 or it is oneself)",
            ]
        );
        assert_eq!(
            of("/chancery.v1.AccountService/MoveAccount"),
            [
                "account.move on account/{account_id}",
                "and account.move on account/{new_parent_account_id}",
            ]
        );
        assert_eq!(of("/chancery.v1.TokenService/ValidateToken"), ["anybody"]);
    }
}
