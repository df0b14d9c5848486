//! Each person with all rights, and the lists of permissions that these come to.

use std::collections::{BTreeMap, BTreeSet};

use super::markup::Html;
use super::{counts, is_grave, kind, signed_in};
use crate::cli::review::grave::{Grave, about_users};
use crate::cli::review::model::{Review, Right, User};
use crate::cli::review::words::{Names, on};

/// So many permissions are listed where they are held; a longer list stands in one place for all.
const IN_PLACE: usize = 8;

/// Writes all people, account by account.
pub(super) fn write<'a>(html: &mut Html, review: &'a Review, names: &Names<'a>) {
    html.raw("<section id=\"people\"><h2>People, and all that they may do</h2>\n");
    everybodys(html, review);
    for account in &review.accounts {
        let users: Vec<&User> =
            review.users.iter().filter(|user| user.account_id == account.account_id).collect();
        if users.is_empty() && account.above {
            continue;
        }
        html.raw("<h3>").text(names.account(&account.account_id));
        if account.above {
            html.raw(" <span class=\"tag\">above; only who may do something here</span>");
        }
        if account.status != "ACTIVE" {
            html.raw(" <span class=\"tag limit\">")
                .text(&account.status.to_lowercase())
                .raw("</span>");
        }
        html.raw("</h3>\n");
        if users.is_empty() {
            html.raw("<p class=\"nobody\">Nobody.</p>\n");
        }
        for user in users {
            one(html, review, names, user);
        }
    }
    html.raw("</section>\n");
}

/// Says once what every user may do.
fn everybodys(html: &mut Html, review: &Review) {
    let rights = review.users.iter().flat_map(|user| &user.rights);
    let sets: BTreeSet<usize> = rights
        .filter(|right| right.is_everybodys() && !review.permissions(right).is_empty())
        .map(|right| right.permission_set)
        .collect();
    for set in sets {
        let permissions = review.permission_sets.get(set).map_or(&[][..], Vec::as_slice);
        html.raw("<details class=\"entry\"><summary>What users may do to themselves without being given it: ");
        html.number(permissions.len())
            .raw(" permissions</summary><p>")
            .text(&permissions.join(", "))
            .raw("</p></details>\n");
    }
}

fn one<'a>(html: &mut Html, review: &'a Review, names: &Names<'a>, user: &'a User) {
    html.raw("<article class=\"entry\" id=\"u-")
        .text(&user.user_id)
        .raw("\"><h4>")
        .text(&user.user_name);
    if !user.full_name.is_empty() && user.full_name != user.user_name {
        html.raw(" <span class=\"dim\">").text(&user.full_name).raw("</span>");
    }
    if is_grave(review, user) {
        html.raw(" <span class=\"tag grave-tag\">grave rights</span>");
    }
    if !user.enabled {
        html.raw(" <span class=\"tag limit\">disabled</span>");
    }
    html.raw("</h4>\n<p class=\"facts\">")
        .text(kind(user))
        .raw(" <code>")
        .text(&user.user_id)
        .raw("</code>");
    if !user.parent_user_id.is_empty() {
        html.raw(" · below ").text(names.user(&user.parent_user_id));
    }
    html.raw(" · ").text(&signed_in(user)).raw("</p>\n");
    let given: Vec<&Right> = user.rights.iter().filter(|right| !right.is_everybodys()).collect();
    if given.is_empty() {
        html.raw("<p class=\"nobody\">Nothing was given.</p></article>\n");
        return;
    }
    html.raw("<table><thead><tr><th scope=\"col\">From</th><th scope=\"col\">Where</th><th scope=\"col\">On which users</th><th scope=\"col\">What</th><th scope=\"col\">Used</th></tr></thead><tbody>\n");
    for right in given {
        html.raw("<tr><th scope=\"row\">").text(&names.source(right)).raw("<div class=\"dim\">");
        html.text(&names.way(right)).raw("</div></th><td>").text(&names.place(right));
        for limit in names.limits(right) {
            html.raw(" <span class=\"tag limit\">").text(&limit).raw("</span>");
        }
        let users = review.permissions(right).iter().any(|permission| about_users(permission));
        html.raw("</td><td>").text(if users { on(right) } else { "–" }).raw("</td><td>");
        permissions(html, review, right);
        html.raw("</td><td>").text(&used(review, right)).raw("</td></tr>\n");
    }
    html.raw("</tbody></table></article>\n");
}

fn permissions(html: &mut Html, review: &Review, right: &Right) {
    let all = review.permissions(right);
    if all.len() <= IN_PLACE {
        html.text(if all.is_empty() { "nothing now" } else { "" }).text(&all.join(", "));
        return;
    }
    html.raw("<a href=\"#set-")
        .number(right.permission_set)
        .raw("\">")
        .number(all.len())
        .raw(" permissions</a>");
    let grave: BTreeSet<Grave> =
        all.iter().filter_map(|permission| counts(right, permission)).collect();
    if !grave.is_empty() {
        let of = all.iter().filter(|permission| counts(right, permission).is_some()).count();
        html.raw(", ").number(of).raw(" of them grave");
    }
}

/// Says how much of a right is used, as far as that is known.
fn used(review: &Review, right: &Right) -> String {
    let all = review.permissions(right).len();
    match review.unused(right) {
        None => "not known".to_owned(),
        Some(_) if all == 0 => "not in effect".to_owned(),
        Some(_) if right.unused_whole => format!("not in {} days", review.unused_days),
        Some(unused) => format!("{} of {all}", all - unused.len().min(all)),
    }
}

/// Writes the long lists, each once, with what gives them.
pub(super) fn sets<'a>(html: &mut Html, review: &'a Review, names: &Names<'a>) {
    let mut sets: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for right in review.users.iter().flat_map(|user| &user.rights) {
        if !right.is_everybodys() && review.permissions(right).len() > IN_PLACE {
            sets.entry(right.permission_set).or_default().insert(names.source(right));
        }
    }
    html.raw("<section id=\"sets\"><h2>Lists of permissions</h2>\n");
    if sets.is_empty() {
        html.raw("<p class=\"nobody\">None is longer than what stands at the people.</p>\n");
    }
    for (set, from) in sets {
        let permissions = review.permission_sets.get(set).map_or(&[][..], Vec::as_slice);
        html.raw("<details class=\"entry\" id=\"set-").number(set).raw("\"><summary><b>");
        html.text(&from.into_iter().collect::<Vec<_>>().join(", ")).raw("</b>: ");
        html.number(permissions.len()).raw(" permissions</summary>\n<ul class=\"set\">");
        for permission in permissions {
            let grave = Grave::of(permission).is_some();
            html.raw(if grave { "<li class=\"is-grave\">" } else { "<li>" })
                .text(permission)
                .raw("</li>");
        }
        html.raw("</ul></details>\n");
    }
    about(html, review);
    html.raw("</section>\n");
}

/// Says what roles are for, in the words of those who declared them.
fn about(html: &mut Html, review: &Review) {
    if review.roles.is_empty() {
        return;
    }
    html.raw("<h3>What the roles are for</h3>\n<dl class=\"roles\">");
    for role in &review.roles {
        html.raw("<dt>").text(&role.name).raw("</dt><dd>");
        html.text(if role.description.is_empty() { "not said" } else { &role.description });
        html.raw("</dd>");
    }
    html.raw("</dl>\n");
}
