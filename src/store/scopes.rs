//! What the scopes of a credential come to when it is minted (`model.md` §9, `edges.md` §2). Values in, values out.

use chrono::{DateTime, Utc};

use super::Refusal;
use crate::decision::{Limits, Principal, Snapshot};
use crate::model::catalogue::{Catalogue, PermissionSet};
use crate::model::{ApiToken, RoleRef};

/// Every permission, now and later.
const EVERYTHING: &str = "*";
/// What a scope that names a role begins with.
const ROLE: &str = "role:";
/// A scope of the source systems, and what it means.
const READ_ACCOUNTS: (&str, &str) = ("ReadAccounts", "account.read");
/// So many missing permissions are told.
const TOLD: usize = 10;

/// Expands scopes as they were asked for: patterns to the names of all that they match now, `role:NAME` to the role
/// of that name that the user holds. A lone `*` stays, since it means what will be there later too.
///
/// `UNKNOWN_PERMISSION`: a scope matches nothing. `UNKNOWN_ROLE`: it names no role that the user holds, or several.
pub(super) fn expand(
    world: &Snapshot,
    user: &Principal,
    scopes: &[String],
    now: DateTime<Utc>,
) -> Result<Vec<String>, Refusal> {
    let catalogue = world.catalogue();
    let mut kept: Vec<String> = Vec::new();
    let mut permissions = PermissionSet::new();
    for (place, scope) in scopes.iter().enumerate() {
        let field = || format!("scopes[{place}]");
        let keep = if scope == EVERYTHING {
            EVERYTHING.to_owned()
        } else if let Some(name) = scope.strip_prefix(ROLE) {
            let role = held_role(world, user, name, now)
                .map_err(|why| Refusal::invalid("UNKNOWN_ROLE", &field(), why))?;
            format!("{ROLE}{role}")
        } else {
            let pattern = if scope == READ_ACCOUNTS.0 { READ_ACCOUNTS.1 } else { scope };
            // A pattern that matches nothing is refused here, so that all together come to something.
            let set = catalogue.expand(pattern).map_err(|unknown| {
                Refusal::invalid("UNKNOWN_PERMISSION", &field(), unknown.to_string())
            })?;
            permissions.union_with(&set);
            continue;
        };
        if !kept.contains(&keep) {
            kept.push(keep);
        }
    }
    kept.extend(permissions.iter().map(|permission| catalogue.name(permission).to_owned()));
    Ok(kept)
}

/// Finds the one role that the user holds and that is called `name`: in full, bare, or by a custom role's id or name.
fn held_role(
    world: &Snapshot,
    user: &Principal,
    name: &str,
    now: DateTime<Utc>,
) -> Result<RoleRef, String> {
    let live = user.held.iter().filter(|held| held.is_live(now)).map(|held| &held.role);
    let mut found: Vec<&RoleRef> = live.filter(|role| is_called(world, role, name)).collect();
    found.sort_unstable();
    found.dedup();
    match found.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(format!("`{name}` is no role that the user holds")),
        several => {
            let several: Vec<String> = several.iter().map(ToString::to_string).collect();
            Err(format!("`{name}` is one of several that the user holds: {}", several.join(", ")))
        }
    }
}

fn is_called(world: &Snapshot, role: &RoleRef, name: &str) -> bool {
    match role {
        RoleRef::BuiltIn(full) => {
            **full == *name || full.split_once('/').is_some_and(|(_, bare)| bare == name)
        }
        RoleRef::Custom(id) => {
            id.to_string() == name || world.role(*id).is_some_and(|role| role.role.name == name)
        }
    }
}

/// Returns the scopes, as given and expanded, of a token that is asked for without any and made with `minting`: those
/// that limit `minting` itself. A lone `*` limits nothing, and what is handed on in silence is no right to make tokens.
pub(super) fn inherited(minting: &ApiToken) -> (Vec<String>, Vec<String>) {
    let all = minting.expanded.iter().any(|scope| scope == EVERYTHING);
    let limiting = |scopes: &[String]| {
        let limits = scopes.iter().filter(|scope| !all || scope.starts_with(ROLE));
        limits.cloned().collect()
    };
    (limiting(&minting.scopes), limiting(&minting.expanded))
}

/// Names what `inner` lets through and `outer` does not, the first few; nothing where `inner` lies within `outer`.
pub(super) fn beyond(
    catalogue: &Catalogue,
    inner: Option<&Limits>,
    outer: Option<&Limits>,
) -> Vec<String> {
    let mut beyond = Vec::new();
    if let Some(most) = outer.and_then(patterns) {
        match inner.and_then(patterns) {
            None => beyond.push(EVERYTHING.to_owned()),
            Some(wanted) => {
                let mut rest = wanted.clone();
                rest.difference_with(most);
                beyond.extend(rest.iter().take(TOLD).map(|one| catalogue.name(one).to_owned()));
            }
        }
    }
    let roles = |limits: &Limits| limits.roles.clone();
    let most = outer.map(roles).unwrap_or_default();
    let wanted = inner.map(roles).unwrap_or_default();
    if !most.is_empty() && wanted.is_empty() {
        beyond.push(format!("{ROLE}{EVERYTHING}"));
    } else if !most.is_empty() {
        let rest = wanted.iter().filter(|role| !most.contains(role));
        beyond.extend(rest.map(|role| format!("{ROLE}{role}")));
    }
    beyond
}

/// Returns what patterns leave; `None` where they leave everything.
fn patterns(limits: &Limits) -> Option<&PermissionSet> {
    limits.permissions.as_ref().filter(|_| !limits.all)
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;
    use crate::model::catalogue::built_in;

    static CATALOGUE: LazyLock<Catalogue> =
        LazyLock::new(|| Catalogue::build(&built_in().unwrap()).unwrap());

    fn limits(scopes: &[String]) -> Option<Limits> {
        Limits::compile(scopes, &CATALOGUE)
    }

    fn token(expanded: &[String]) -> ApiToken {
        ApiToken {
            id: crate::model::TokenId(uuid::Uuid::nil()),
            user: crate::model::UserId(uuid::Uuid::nil()),
            account: crate::model::AccountId(uuid::Uuid::nil()),
            display_name: String::new(),
            scopes: expanded.to_vec(),
            expanded: expanded.to_vec(),
            created_by: None,
            origin: None,
            create_time: DateTime::UNIX_EPOCH,
            expire_time: None,
            key: None,
        }
    }

    const WORDS: &[&str] =
        &["*", "role:core/AUDITOR", "role:core/ONBOARDING", "user.read", "user.list", "role.read"];

    fn scopes() -> impl Strategy<Value = Vec<String>> {
        proptest::collection::vec(proptest::sample::select(WORDS).prop_map(str::to_owned), 0..4)
    }

    /// What a token lets through, asked one by one.
    fn lets_through(limits: Option<&Limits>) -> Vec<bool> {
        let roles = ["core/AUDITOR", "core/ONBOARDING", "core/OPERATOR"];
        let permissions = ["user.read", "user.list", "role.read", "account.read"];
        let mut all = Vec::new();
        for role in roles.map(|role| RoleRef::BuiltIn(role.into())) {
            for permission in permissions.map(|name| CATALOGUE.parse(name).unwrap()) {
                let (counts, allows) =
                    limits.map_or((true, true), |l| (l.counts(&role), l.allows(permission)));
                all.push(counts && allows);
            }
        }
        all
    }

    proptest! {
        #[test]
        fn what_lies_within_lets_nothing_more_through(inner in scopes(), outer in scopes()) {
            let (one, other) = (limits(&inner), limits(&outer));
            let within = beyond(&CATALOGUE, one.as_ref(), other.as_ref()).is_empty();
            let (mine, theirs) = (lets_through(one.as_ref()), lets_through(other.as_ref()));
            prop_assert_eq!(within, mine.iter().zip(theirs).all(|(mine, theirs)| !mine || theirs));
        }

        #[test]
        fn what_is_inherited_lets_the_same_through(outer in scopes()) {
            let (given, expanded) = inherited(&token(&outer));
            prop_assert_eq!(&given, &expanded);
            prop_assert!(!given.contains(&EVERYTHING.to_owned()));
            let (one, other) = (limits(&expanded), limits(&outer));
            prop_assert_eq!(lets_through(one.as_ref()), lets_through(other.as_ref()));
        }
    }
}
