//! A right in words, for people.

use std::collections::HashMap;

use super::model::{Account, Limit, Review, Right, User};

/// The names of what a review speaks of.
#[derive(Debug)]
pub(super) struct Names<'a> {
    accounts: HashMap<&'a str, &'a Account>,
    users: HashMap<&'a str, &'a User>,
    roles: HashMap<&'a str, &'a str>,
    documents: HashMap<&'a str, &'a str>,
}

impl<'a> Names<'a> {
    pub(super) fn of(review: &'a Review) -> Self {
        let accounts = review.accounts.iter().map(|one| (one.account_id.as_str(), one));
        let users = review.users.iter().map(|one| (one.user_id.as_str(), one));
        let roles = review.roles.iter().map(|one| (one.role.as_str(), one.name.as_str()));
        let documents =
            review.documents.iter().map(|one| (one.rights_doc_id.as_str(), one.name.as_str()));
        Self {
            accounts: accounts.collect(),
            users: users.collect(),
            roles: roles.collect(),
            documents: documents.collect(),
        }
    }

    /// Names an account as people do.
    pub(super) fn account(&self, id: &'a str) -> &'a str {
        match self.accounts.get(id) {
            Some(account) if !account.name.is_empty() => &account.name,
            _ if id.is_empty() => "an account out of sight",
            _ => id,
        }
    }

    /// Names a user by what it signs in with.
    pub(super) fn user(&self, id: &'a str) -> &'a str {
        match self.users.get(id) {
            Some(user) => &user.user_name,
            None if id.is_empty() => "somebody out of sight",
            None => id,
        }
    }

    /// Names a role: a custom one by what its account calls it.
    pub(super) fn role(&self, role: &'a str) -> &'a str {
        self.roles.get(role).filter(|name| !name.is_empty()).copied().unwrap_or(role)
    }

    /// Names a rights document.
    pub(super) fn document(&self, id: &'a str) -> &'a str {
        match self.documents.get(id).copied() {
            Some(name) if !name.is_empty() => name,
            _ if id.is_empty() => "out of sight",
            _ => id,
        }
    }

    /// Says what a right comes from: what is given to somebody, or taken away.
    pub(super) fn source(&self, right: &'a Right) -> String {
        match (right.is_everybodys(), right.role.as_str()) {
            (true, _) => "what every user has".to_owned(),
            (false, "") => format!("rights document “{}”", self.document(&right.rights_doc_id)),
            (false, role) => format!("role {}", self.role(role)),
        }
    }

    /// Says by which way a user comes by it.
    pub(super) fn way(&self, right: &'a Right) -> String {
        let from = |text: &str| match right.via_user_id.as_str() {
            "" => text.to_owned(),
            via => format!("{text} from {}, who stands above", self.user(via)),
        };
        match right.way.as_str() {
            "EVERYBODY" => "held without being given".to_owned(),
            "INCLUDED" => format!("part of role {}", self.role(&right.via_role)),
            "INHERITED" if right.via_user_id.is_empty() => {
                "inherited from somebody who stands above".to_owned()
            }
            "INHERITED" => from("inherited"),
            "MASTER" if right.via_user_id.is_empty() => {
                format!("master document of {}", self.account(&right.master_account_id))
            }
            "MASTER" => from("master document, inherited"),
            _ => "given directly".to_owned(),
        }
    }

    /// Says where it holds.
    pub(super) fn place(&self, right: &'a Right) -> String {
        let mut text = format!("in {}", self.account(&right.account_id));
        if right.reach == "SUBTREE" {
            text.push_str(" and the accounts below it");
        }
        if !right.scope.is_empty() {
            text.push_str(", only on ");
            text.push_str(&right.scope);
        } else if !right.resource_type.is_empty() {
            let depth = match right.depth.as_str() {
                "DIRECT" => "what lies directly in ",
                "CONTAINED" => "all that is in ",
                _ => "",
            };
            let kind = right.resource_type.to_lowercase();
            text = format!("{text}, only on {depth}{kind} {}", right.resource_id);
        }
        text
    }

    /// Says what limits it, a phrase each.
    pub(super) fn limits(&self, right: &'a Right) -> Vec<String> {
        let ends = right.expires.iter().map(|at| format!("ends {}", day(at)));
        let when = right.conditions.iter().map(|when| format!("only if {when}"));
        let rest = right.limits.iter().map(|limit| self.limit(limit));
        ends.chain(when).chain(rest).collect()
    }

    fn limit(&self, limit: &'a Limit) -> String {
        let account = self.account(&limit.account_id);
        match limit.kind.as_str() {
            "DISABLED" => "not in effect: the user is disabled".to_owned(),
            "ACCOUNT_NOT_ACTIVE" => format!("not in effect: {account} is not active"),
            "SUPPRESSED" => format!("not in effect: role {} suppresses it", self.role(&limit.role)),
            "CEILING" => {
                format!("without {} permissions beyond the ceiling of {account}", limit.takes)
            }
            "CONFINED" => format!("not outside the own account, by the role of {account}"),
            other => other.to_lowercase().replace('_', " "),
        }
    }
}

/// Says on which users a right holds.
pub(super) fn on(right: &Right) -> &'static str {
    match right.on.as_str() {
        "SELF" => "on themselves",
        "SUBTREE" => "on the users below them",
        "SIBLINGS" => "on the users beside them",
        "ACCOUNT" => "on all users there",
        _ => "on no users",
    }
}

/// Cuts a time to its day.
pub(super) fn day(time: &str) -> &str {
    time.split('T').next().unwrap_or(time)
}
