//! What changed between two reviews: who gained what, and who lost what.
//!
//! Rights are compared by what they permit, where, on whom, until when and under which condition, and not by what they come from:
//! whoever has the same by another role has neither gained nor lost.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

use serde::Serialize;

use super::super::tree::Tree;
use super::model::{Review, Right, User};
use super::words::{Names, on};

/// So many permissions stand on one line of the tree.
const A_LINE: usize = 6;

/// What changed.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Changes {
    account_id: String,
    /// When the two were made.
    before: Stand,
    after: Stand,
    /// Users that are new, gone, or have something else than before.
    users: Vec<Changed>,
}

/// What a review stands at.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Stand {
    made_at: String,
    revisions: BTreeMap<String, u64>,
    /// What is not in it: what is missing in one only looks as if it had changed.
    missing: Vec<String>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Changed {
    user_id: String,
    user_name: String,
    account_id: String,
    standing: Standing,
    /// Whether it may sign in and act: before, and after.
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled: Option<(bool, bool)>,
    gained: Vec<Part>,
    lost: Vec<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Standing {
    New,
    Kept,
    Gone,
}

/// Permissions with where they hold and what they come from.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Part {
    from: String,
    place: String,
    permissions: Vec<String>,
}

/// What a user may do: by what makes two rights the same and by permission, the place in words and what it comes from.
type Held = BTreeMap<(String, String), (String, BTreeSet<String>)>;

/// Compares two reviews of one account.
pub(super) fn between(
    before: &Review,
    after: &Review,
) -> Result<Changes, Box<dyn Error + Send + Sync>> {
    if before.account_id != after.account_id {
        let why = format!(
            "the reviews are of two accounts, `{}` and `{}`",
            before.account_id, after.account_id
        );
        return Err(why.into());
    }
    let by_id = |review| -> BTreeMap<_, _> {
        let review: &Review = review;
        review.users.iter().map(|user| (user.user_id.as_str(), user)).collect()
    };
    let (old, new) = (by_id(before), by_id(after));
    let names = (Names::of(before), Names::of(after));
    let ids: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
    let of = |id: &str| {
        let (was, is) = (old.get(id).copied(), new.get(id).copied());
        let then = was.map(|user| held(before, &names.0, user)).unwrap_or_default();
        let now = is.map(|user| held(after, &names.1, user)).unwrap_or_default();
        changed(was, is, &then, &now)
    };
    let users = ids.into_iter().filter_map(of).collect();
    let account_id = after.account_id.clone();
    Ok(Changes { account_id, before: stand(before), after: stand(after), users })
}

fn stand(review: &Review) -> Stand {
    let revisions = review.heads.iter().map(|head| (head.account_id.clone(), head.revision));
    Stand {
        made_at: review.made_at.clone(),
        revisions: revisions.collect(),
        missing: review.missing.clone(),
    }
}

fn held<'a>(review: &'a Review, names: &Names<'a>, user: &'a User) -> Held {
    let mut held = Held::new();
    for right in &user.rights {
        let from = format!("{}, {}", names.source(right), names.way(right));
        let (same, place) = (same(right), place(names, right));
        for permission in review.permissions(right) {
            let one = held.entry((same.clone(), permission.clone())).or_default();
            one.0.clone_from(&place);
            one.1.insert(from.clone());
        }
    }
    held
}

/// Writes down what makes two rights the same: by ids, since whose name has changed has gained nothing.
fn same(right: &Right) -> String {
    let expires = right.expires.as_deref().unwrap_or_default();
    let parts = [
        right.account_id.as_str(),
        &right.reach,
        &right.on,
        &right.scope,
        &right.resource_type,
        &right.resource_id,
        &right.depth,
        expires,
    ];
    format!("{parts:?}{:?}", right.conditions)
}

/// Says where, on whom, until when and under which condition; what only stops a right shows in what it permits.
fn place<'a>(names: &Names<'a>, right: &'a Right) -> String {
    let mut text = names.place(right);
    text.push_str(", ");
    text.push_str(on(right));
    if let Some(at) = &right.expires {
        text.push_str(", until ");
        text.push_str(at);
    }
    for when in &right.conditions {
        text.push_str(", only if ");
        text.push_str(when);
    }
    text
}

fn changed(was: Option<&User>, is: Option<&User>, then: &Held, now: &Held) -> Option<Changed> {
    let user = is.or(was)?;
    let standing = match (was, is) {
        (None, _) => Standing::New,
        (_, None) => Standing::Gone,
        _ => Standing::Kept,
    };
    let enabled = was.map(|one| one.enabled).zip(is.map(|one| one.enabled));
    let enabled = enabled.filter(|(then, now)| then != now);
    let (gained, lost) = (parts(now, then), parts(then, now));
    let same = standing == Standing::Kept && enabled.is_none();
    (!same || !gained.is_empty() || !lost.is_empty()).then(|| Changed {
        user_id: user.user_id.clone(),
        user_name: user.user_name.clone(),
        account_id: user.account_id.clone(),
        standing,
        enabled,
        gained,
        lost,
    })
}

/// Lists what one has and the other has not.
fn parts(one: &Held, other: &Held) -> Vec<Part> {
    let mut found: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let only = one.iter().filter(|(key, _)| !other.contains_key(*key));
    for ((_, permission), (place, from)) in only {
        let from = from.iter().cloned().collect::<Vec<_>>().join("; ");
        found.entry((from, place.clone())).or_default().push(permission.clone());
    }
    found
        .into_iter()
        .map(|((from, place), permissions)| Part { from, place, permissions })
        .collect()
}

/// Writes what changed, for people.
pub(super) fn told(changes: &Changes) -> String {
    let at = |stand: &Stand| {
        let revisions = stand.revisions.values().map(|revision| format!(", revision {revision}"));
        format!("{}{}", stand.made_at, revisions.collect::<String>())
    };
    let what = match changes.users.len() {
        0 => "nothing changed".to_owned(),
        1 => "1 user changed".to_owned(),
        many => format!("{many} users changed"),
    };
    let (before, after) = (at(&changes.before), at(&changes.after));
    let mut tree =
        Tree::new(format!("{}: {what} between {before} and {after}", changes.account_id));
    for user in &changes.users {
        let standing = match (user.standing, user.enabled) {
            (Standing::New, _) => ": new",
            (Standing::Gone, _) => ": gone",
            (Standing::Kept, Some((_, true))) => ": enabled",
            (Standing::Kept, Some((_, false))) => ": disabled",
            (Standing::Kept, None) => "",
        };
        let mut of_user =
            Tree::new(format!("{} ({}){standing}", plain(&user.user_name), user.user_id));
        for (sign, parts) in [("gained", &user.gained), ("lost", &user.lost)] {
            for part in parts {
                let line = plain(&format!("{sign} by {}: {}", part.from, part.place));
                let lines = part.permissions.chunks(A_LINE);
                of_user.branch(&line, lines.map(|some| Tree::new(plain(&some.join(", ")))));
            }
        }
        tree.hang(of_user);
    }
    for (which, stand) in [("before", &changes.before), ("after", &changes.after)] {
        let missing = stand.missing.iter().map(|what| Tree::new(plain(what)));
        tree.branch(&format!("not in the review {which}"), missing);
    }
    tree.to_string()
}

/// Takes out what a terminal obeys: names are strangers' texts.
fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::model::examples::{review, right};
    use super::*;

    #[test]
    fn the_same_is_no_change() {
        let changes = between(&review(), &review()).unwrap();
        assert_eq!(changes.users, []);
        assert!(told(&changes).starts_with("acc_1: nothing changed"), "{}", told(&changes));
    }

    #[test]
    fn the_same_right_from_elsewhere_is_no_change_either() {
        let mut after = review();
        after.users[0].rights[1].role = "CHIEF".to_owned();
        assert_eq!(between(&review(), &after).unwrap().users, []);
    }

    #[test]
    fn who_gained_and_who_lost_is_told_with_what() {
        let mut after = review();
        after.users[0].rights.remove(1);
        after.users[1].rights[0].expires = None;
        after.users[2].rights.push(right(2, "CLEANER", "OWN"));
        after.users[2].enabled = false;
        let changes = between(&review(), &after).unwrap();
        let of = |id: &str| changes.users.iter().find(|user| user.user_id == id).unwrap();
        let boss = of("usr_boss");
        assert!(boss.gained.is_empty());
        assert_eq!(
            boss.lost[0].permissions,
            ["recording.delete", "recording.listen", "role.assign"]
        );
        assert!(boss.lost[0].from.starts_with("role BOSS"), "{boss:?}");
        // A right that ends, and one that does not, are two.
        let bad = of("usr_bad");
        assert!(bad.lost[0].place.ends_with("until 2027-03-01T00:00:00Z"), "{bad:?}");
        assert_eq!(bad.gained[0].permissions, ["recording.delete"]);
        assert_eq!(of("usr_none").enabled, Some((true, false)));
        assert_eq!(of("usr_none").gained[0].permissions, ["recording.delete"]);
        let told = told(&changes);
        assert!(told.contains("3 users changed") && told.contains("lost by role BOSS"), "{told}");
    }

    #[test]
    fn users_come_and_go_and_names_do_not_rule_the_terminal() {
        let mut after = review();
        after.users[1].user_id = "usr_other".to_owned();
        after.users[1].user_name = "\u{1b}[2J".to_owned();
        let told = told(&between(&review(), &after).unwrap());
        assert!(told.contains("(usr_bad): gone") && told.contains("(usr_other): new"), "{told}");
        assert!(!told.contains('\u{1b}'), "{told:?}");
    }

    #[test]
    fn reviews_of_two_accounts_are_not_compared() {
        let mut after = review();
        after.account_id = "acc_2".to_owned();
        assert!(between(&review(), &after).is_err());
    }
}
