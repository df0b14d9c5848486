//! Names that people write: which role is meant, and what is nearest to a name that is none.

use std::collections::{HashMap, HashSet};

use super::compile::{Role, RoleIx};
use super::error::Unresolved;
use super::set::PermissionSet;
use super::types::Types;
use crate::model::{Holder, fold};

/// How many names an error offers.
const OFFERED: usize = 3;
/// Past this many characters nothing is near.
const LONGEST_GUESS: usize = 48;
/// Names this much longer or shorter are not looked at: no slip of the pen is.
const LENGTHS_APART: usize = 6;

/// All ways to find a role by name.
#[derive(Debug, Default)]
pub(super) struct RoleNames {
    by_full: HashMap<String, RoleIx>,
    by_bare: HashMap<String, Vec<RoleIx>>,
    folded: HashSet<String>,
}

impl RoleNames {
    pub(super) fn new(by_full: HashMap<String, RoleIx>, roles: &[Role]) -> Self {
        let mut names = Self { by_full, ..Self::default() };
        for role in roles {
            if let Some(ix) = names.full(&role.full_name) {
                names.by_bare.entry(role.name.clone()).or_default().push(ix);
            }
            if let Ok(folded) = fold(&role.name) {
                names.folded.insert(folded.into_string());
            }
        }
        names
    }

    pub(super) fn full(&self, full: &str) -> Option<RoleIx> {
        self.by_full.get(full).copied()
    }

    pub(super) fn has_folded(&self, folded: &str) -> bool {
        self.folded.contains(folded)
    }

    /// Finds the one role that `written` means for `holder`.
    pub(super) fn resolve(
        &self,
        roles: &[Role],
        written: &str,
        holder: Holder,
    ) -> Result<RoleIx, Unresolved> {
        let role = |ix: &RoleIx| roles.get(ix.index()).filter(|role| !role.is_baseline());
        let named: Vec<RoleIx> = if written.contains('/') {
            self.full(written).into_iter().collect()
        } else {
            self.by_bare.get(written).cloned().unwrap_or_default()
        };
        let named: Vec<RoleIx> = named.into_iter().filter(|ix| role(ix).is_some()).collect();
        let can = |ix: &RoleIx| role(ix).is_some_and(|role| role.assignable_to.contains(&holder));
        let found: Vec<RoleIx> = named.iter().copied().filter(can).collect();
        let written = || written.to_owned();
        match (found.as_slice(), named.is_empty()) {
            ([one], _) => Ok(*one),
            ([], true) => Err(Unresolved::Unknown {
                written: written(),
                nearest: self.nearest(roles, &written(), holder),
            }),
            ([], false) => Err(Unresolved::NotAssignable {
                written: written(),
                holder,
                nearest: self.nearest(roles, &written(), holder),
            }),
            (several, _) => {
                let candidates = several.iter().filter_map(role).map(|r| r.full_name.to_string());
                Err(Unresolved::Ambiguous { written: written(), candidates: candidates.collect() })
            }
        }
    }

    /// Returns the bare name of a role where [`Self::resolve`] would come back to it for whoever can hold it.
    pub(super) fn bare<'a>(&self, roles: &'a [Role], role: &'a Role) -> &'a str {
        let shares = |other: &Role| {
            other.full_name != role.full_name
                && other.assignable_to.iter().any(|holder| role.assignable_to.contains(holder))
        };
        let namesakes = self.by_bare.get(&role.name).into_iter().flatten();
        let taken = namesakes.filter_map(|ix| roles.get(ix.index())).any(shares);
        if taken || role.assignable_to.is_empty() { &role.full_name } else { &role.name }
    }

    /// Returns the names nearest to `text` of roles that `holder` can be given.
    pub(super) fn nearest(&self, roles: &[Role], text: &str, holder: Holder) -> Vec<String> {
        let can = roles.iter().filter(|role| role.assignable_to.contains(&holder));
        let names = can.map(|role| (self.bare(roles, role), &*role.full_name));
        nearest(text, names.flat_map(|(shown, full)| [(shown, shown), (full, shown)]))
    }
}

/// Returns the names of permissions, of those in `within`, nearest to `text`.
pub(super) fn nearest_permissions(
    types: &Types,
    within: &PermissionSet,
    text: &str,
) -> Vec<String> {
    nearest(text, within.iter().map(|permission| types.name(permission)).map(|name| (name, name)))
}

/// Returns the patterns nearest to one that matches nothing.
pub(super) fn nearest_patterns(types: &Types, within: &PermissionSet, text: &str) -> Vec<String> {
    let (names, wild): (Vec<&str>, fn(&str) -> String) = match text.split_once('.') {
        Some((_, "*")) => {
            let kinds: HashSet<&str> = within.iter().map(|p| types.kind_of(p)).collect();
            (kinds.into_iter().collect(), |kind| format!("{kind}.*"))
        }
        Some(("*", _)) => {
            let actions: HashSet<&str> = within.iter().map(|p| types.action_of(p)).collect();
            (actions.into_iter().collect(), |action| format!("*.{action}"))
        }
        _ => return nearest_permissions(types, within, text),
    };
    let patterns: Vec<String> = names.into_iter().map(wild).collect();
    nearest(text, patterns.iter().map(|name| (name.as_str(), name.as_str())))
}

/// Returns what to show of the names nearest to `text`, in any case of letters: those that begin with it, then by edits.
///
/// A name is (what to compare with, what to show).
pub(super) fn nearest<'a>(
    text: &str,
    names: impl Iterator<Item = (&'a str, &'a str)>,
) -> Vec<String> {
    let wanted: Vec<char> = text.trim().to_lowercase().chars().take(LONGEST_GUESS + 1).collect();
    if wanted.is_empty() || wanted.len() > LONGEST_GUESS {
        return Vec::new();
    }
    let mut ranked: Vec<(usize, &str)> = names
        .map(|(name, shown)| {
            let name: Vec<char> = name.to_lowercase().chars().collect();
            let begins = wanted.len() > 2 && name.starts_with(&wanted);
            let apart = name.len().abs_diff(wanted.len()) > LENGTHS_APART;
            let edits = if begins {
                1
            } else if apart {
                usize::MAX
            } else {
                edits(&wanted, &name)
            };
            (edits, shown)
        })
        .filter(|(edits, _)| *edits < usize::MAX)
        .collect();
    ranked.sort_unstable();
    let mut offered: Vec<String> = Vec::new();
    for (_, shown) in ranked {
        if !offered.iter().any(|known| known == shown) {
            offered.push(shown.to_owned());
        }
        if offered.len() == OFFERED {
            break;
        }
    }
    offered
}

/// Counts the letters to change, drop or put in to come from `a` to `b`.
fn edits(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (above, from) in a.iter().enumerate() {
        let mut diagonal = above;
        let mut left = above + 1;
        let mut next = vec![left];
        for (to, up) in b.iter().zip(row.iter().skip(1)) {
            let cost = (diagonal + usize::from(from != to)).min(left + 1).min(up + 1);
            diagonal = *up;
            left = cost;
            next.push(cost);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(a: &str, b: &str) -> usize {
        edits(&a.chars().collect::<Vec<_>>(), &b.chars().collect::<Vec<_>>())
    }

    #[test]
    fn edits_are_counted() {
        for (a, b, n) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("gate", "gat", 1),
        ] {
            assert_eq!(count(a, b), n, "{a} {b}");
            assert_eq!(count(b, a), n, "{b} {a}");
        }
    }

    #[test]
    fn nothing_is_near_to_nothing_or_to_a_novel() {
        let names = || ["gate.read"].into_iter().map(|name| (name, name));
        assert!(nearest("  ", names()).is_empty());
        assert!(nearest(&"x".repeat(200), names()).is_empty());
        assert_eq!(nearest("GATE.RED", names()), ["gate.read"]);
    }
}
