//! What a reviewer asks first: who may do the grave things, and why; and what should be looked at besides.

use std::collections::{BTreeMap, BTreeSet};

use super::markup::Html;
use super::{counts, person};
use crate::cli::review::grave::{Grave, about_users};
use crate::cli::review::model::{Review, Right, User};
use crate::cli::review::words::{Names, day, on};

/// So many people stand in a row's cell before the rest is only named.
const SHOWN: usize = 25;
/// So many permissions are said in words; more are listed as what they are called.
const IN_WORDS: usize = 8;
/// So many rights are listed that nobody uses, or that end.
const LISTED: usize = 200;

/// Who holds something, by their places in the review, and by which of their rights.
type Holders = Vec<(usize, Vec<usize>)>;

/// Writes a table for each question that a reviewer asks.
pub(super) fn write<'a>(html: &mut Html, review: &'a Review, names: &Names<'a>) {
    html.raw("<section id=\"grave\"><h2>Who may do the grave things, and why</h2>\n");
    html.raw("<p>What anybody may do to themselves, such as make a token of their own, is left out here.</p>\n");
    for grave in Grave::ALL {
        let groups = groups(review, grave);
        html.raw("<h3>").text(grave.question()).raw("</h3>\n");
        if groups.is_empty() {
            html.raw("<p class=\"nobody\">Nobody in this review.</p>\n");
            continue;
        }
        html.raw("<table class=\"grave\"><caption class=\"sr\">").text(grave.question());
        html.raw("</caption>\n<thead><tr><th scope=\"col\">May do</th><th scope=\"col\">Who</th><th scope=\"col\">Why, and where</th></tr></thead>\n");
        for (permissions, holders) in &groups {
            group(html, review, names, permissions, holders);
        }
        html.raw("</table>\n");
    }
    html.raw("</section>\n");
}

/// Puts together permissions that the very same people hold by the very same rights; those of the fewest first.
fn groups(review: &Review, grave: Grave) -> Vec<(Vec<&str>, Holders)> {
    let mut holders: BTreeMap<&str, BTreeMap<usize, Vec<usize>>> = BTreeMap::new();
    for (who, user) in review.users.iter().enumerate() {
        for (which, right) in user.rights.iter().enumerate() {
            for permission in review.permissions(right) {
                if counts(right, permission) == Some(grave) {
                    let held = holders.entry(permission).or_default();
                    held.entry(who).or_default().push(which);
                }
            }
        }
    }
    // Whether a permission is about users stands beside: only there is said on whom.
    let mut groups: BTreeMap<(Holders, bool), Vec<&str>> = BTreeMap::new();
    for (permission, held) in holders {
        let key = (held.into_iter().collect(), about_users(permission));
        groups.entry(key).or_default().push(permission);
    }
    let mut groups: Vec<_> =
        groups.into_iter().map(|((holders, _), permissions)| (permissions, holders)).collect();
    groups.sort_by(|one, other| (one.0.len(), &one.0).cmp(&(other.0.len(), &other.0)));
    groups
}

fn group<'a>(
    html: &mut Html,
    review: &'a Review,
    names: &Names<'a>,
    permissions: &[&str],
    holders: &Holders,
) {
    let mut people: Vec<(&User, Vec<&Right>)> = holders
        .iter()
        .filter_map(|(who, which)| {
            let user = review.users.get(*who)?;
            Some((user, which.iter().filter_map(|which| user.rights.get(*which)).collect()))
        })
        .collect();
    people.sort_by_key(|(user, _)| (&user.user_name, &user.user_id));
    let long = permissions.len() > IN_WORDS;
    html.raw("<tbody class=\"entry\">\n<tr>");
    if long {
        // In a column of its own a long list would leave the rest of its row empty.
        html.raw("<th scope=\"rowgroup\" colspan=\"3\">");
    } else {
        let rows = people.len().min(SHOWN) + usize::from(people.len() > SHOWN);
        html.raw("<th scope=\"rowgroup\" rowspan=\"").number(rows).raw("\">");
    }
    what(html, permissions);
    html.raw(if long { "</th></tr>\n" } else { "</th>" });
    let users = permissions.iter().any(|permission| about_users(permission));
    for (at, (user, rights)) in people.iter().take(SHOWN).enumerate() {
        if at > 0 || long {
            html.raw("<tr>");
        }
        html.raw("<td class=\"who\">");
        person(html, names, user, &review.account_id);
        html.raw(if long { "</td><td colspan=\"2\">" } else { "</td><td>" });
        for right in rights {
            why(html, names, right, users);
        }
        html.raw("</td></tr>\n");
    }
    if people.len() > SHOWN {
        html.raw(if long { "<tr><td colspan=\"3\">" } else { "<tr><td colspan=\"2\">" });
        html.raw("<details><summary>and ").number(people.len() - SHOWN);
        html.raw(" more</summary>");
        for (user, _) in people.iter().skip(SHOWN) {
            person(html, names, user, &review.account_id);
            html.raw("<br>");
        }
        html.raw("</details></td></tr>\n");
    }
    html.raw("</tbody>\n");
}

/// Says what a group of permissions is about.
fn what(html: &mut Html, permissions: &[&str]) {
    if permissions.len() > IN_WORDS {
        html.raw("<div class=\"what\"><b>")
            .number(permissions.len())
            .raw(" permissions</b> <code>");
        html.text(&permissions.join(", ")).raw("</code></div>");
        return;
    }
    let mut by_action: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for permission in permissions {
        if let Some((kind, action)) = permission.split_once('.') {
            by_action.entry(action).or_default().push(kind);
        }
    }
    for (action, kinds) in by_action {
        html.raw("<div class=\"what\"><b>").text(&action.replace('_', " ")).raw("</b> ");
        for (at, kind) in kinds.iter().enumerate() {
            if at > 0 {
                html.raw(", ");
            }
            html.text(&kind.replace('_', " "));
            html.raw(" <code>").text(kind).raw(".").text(action).raw("</code>");
        }
        html.raw("</div>");
    }
}

fn why<'a>(html: &mut Html, names: &Names<'a>, right: &'a Right, users: bool) {
    html.raw("<div class=\"why\"><b>").text(&names.source(right)).raw("</b>, ");
    html.text(&names.way(right)).raw(" <span class=\"dim\">").text(&names.place(right));
    if users {
        html.raw(", ").text(on(right));
    }
    html.raw("</span>");
    for limit in names.limits(right) {
        html.raw(" <span class=\"tag limit\">").text(&limit).raw("</span>");
    }
    html.raw("</div>");
}

/// Lists what could be taken away whole: a role of several parts is one thing.
pub(super) fn unused(review: &Review) -> Vec<(&User, &Right)> {
    let mut seen = BTreeSet::new();
    let all =
        review.users.iter().flat_map(|user| user.rights.iter().map(move |right| (user, right)));
    let unused = all.filter(|(_, right)| right.unused_whole);
    let once = unused.filter(|(user, right)| {
        seen.insert((&user.user_id, &right.role, &right.rights_doc_id, &right.scope))
    });
    once.collect()
}

/// Writes what could be taken away, and what ends by itself.
pub(super) fn worth_a_look<'a>(html: &mut Html, review: &'a Review, names: &Names<'a>) {
    html.raw("<section id=\"look\"><h2>Worth a look</h2>\n");
    let all =
        || review.users.iter().flat_map(|user| user.rights.iter().map(move |right| (user, right)));
    html.raw("<h3>Not used in ").text(&review.unused_days.to_string()).raw(" days</h3>\n");
    if all().all(|(_, right)| right.unused_set.is_none()) {
        html.raw("<p>Not known: whoever made this review may not read it.</p>\n");
    } else {
        html.raw("<p>Nothing that these give was used, as far as uses were noted; they could be taken away whole.</p>\n");
        list(html, review, names, &unused(review));
    }
    html.raw("<h3>Ends by itself</h3>\n");
    let mut ending: Vec<_> = all().filter(|(_, right)| right.expires.is_some()).collect();
    ending.sort_by_key(|(_, right)| right.expires.as_deref());
    list(html, review, names, &ending);
    html.raw("</section>\n");
}

fn list<'a>(
    html: &mut Html,
    review: &'a Review,
    names: &Names<'a>,
    rights: &[(&'a User, &'a Right)],
) {
    if rights.is_empty() {
        html.raw("<p class=\"nobody\">None.</p>\n");
        return;
    }
    html.raw("<table><thead><tr><th scope=\"col\">Who</th><th scope=\"col\">What</th><th scope=\"col\">Where</th><th scope=\"col\">Ends</th></tr></thead><tbody>\n");
    for (user, right) in rights.iter().take(LISTED) {
        html.raw("<tr class=\"entry\"><td class=\"who\">");
        person(html, names, user, &review.account_id);
        html.raw("</td><td><b>").text(&names.source(right)).raw("</b>, ").text(&names.way(right));
        html.raw("</td><td>").text(&names.place(right)).raw("</td><td>");
        html.text(right.expires.as_deref().map_or("no end", day)).raw("</td></tr>\n");
    }
    html.raw("</tbody></table>\n");
    if rights.len() > LISTED {
        html.raw("<p>and ")
            .number(rights.len() - LISTED)
            .raw(" more: they stand at each person.</p>\n");
    }
}
