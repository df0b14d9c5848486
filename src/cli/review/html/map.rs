//! Pictures: who stands below whom, and which roles give what to how many.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::markup::Html;
use super::{is_grave, kind};
use crate::cli::review::grave::Grave;
use crate::cli::review::model::{Account, Review, User};
use crate::cli::review::words::Names;

/// So many columns a heat map has; more would not be read.
const COLUMNS: usize = 16;
/// Deeper a tree is not drawn; the limits of the service are below that.
const DEEP: usize = 64;

/// Draws accounts, in each its users below one another.
pub(super) fn tree<'a>(html: &mut Html, review: &'a Review, names: &Names<'a>) {
    html.raw("<section id=\"tree\"><h2>Who stands below whom</h2>\n<p>Whoever manages users manages those below, as far as the roles say; a rights \
        document that cascades is inherited downwards.</p>\n<ul class=\"tree\">\n");
    let mut below: HashMap<&str, Vec<&Account>> = HashMap::new();
    for account in review.accounts.iter().filter(|one| !one.above) {
        if account.account_id != review.account_id {
            below.entry(&account.parent_account_id).or_default().push(account);
        }
    }
    let forest = Forest::of(review);
    if let Some(top) = review.accounts.iter().find(|one| one.account_id == review.account_id) {
        of_account(html, review, names, &below, &forest, top, 0);
    }
    html.raw("</ul></section>\n");
}

/// Users by who stands above them, or by their account.
struct Forest<'a> {
    roots: HashMap<&'a str, Vec<&'a User>>,
    below: HashMap<&'a str, Vec<&'a User>>,
}

impl<'a> Forest<'a> {
    fn of(review: &'a Review) -> Self {
        let shown: BTreeSet<&str> = review.users.iter().map(|user| user.user_id.as_str()).collect();
        let (mut roots, mut below): (HashMap<_, Vec<_>>, HashMap<_, Vec<_>>) = Default::default();
        for user in &review.users {
            if shown.contains(user.parent_user_id.as_str()) {
                below.entry(user.parent_user_id.as_str()).or_default().push(user);
            } else {
                roots.entry(user.account_id.as_str()).or_default().push(user);
            }
        }
        Self { roots, below }
    }
}

fn of_account<'a>(
    html: &mut Html,
    review: &'a Review,
    names: &Names<'a>,
    below: &HashMap<&str, Vec<&'a Account>>,
    forest: &Forest<'a>,
    account: &'a Account,
    deep: usize,
) {
    html.raw("<li><span class=\"node account\">")
        .text(names.account(&account.account_id))
        .raw("</span>");
    let users = forest.roots.get(account.account_id.as_str()).map_or(&[][..], Vec::as_slice);
    let accounts = below.get(account.account_id.as_str()).map_or(&[][..], Vec::as_slice);
    if deep < DEEP && !(users.is_empty() && accounts.is_empty()) {
        html.raw("\n<ul>\n");
        for user in users {
            of_user(html, review, names, forest, user, deep + 1);
        }
        for account in accounts {
            of_account(html, review, names, below, forest, account, deep + 1);
        }
        html.raw("</ul>");
    }
    html.raw("</li>\n");
}

fn of_user<'a>(
    html: &mut Html,
    review: &'a Review,
    names: &Names<'a>,
    forest: &Forest<'a>,
    user: &'a User,
    deep: usize,
) {
    let grave = is_grave(review, user);
    html.raw("<li><span class=\"node");
    html.raw(if grave { " is-grave" } else { "" }).raw(if user.enabled { "" } else { " off" });
    html.raw("\"><a href=\"#u-").text(&user.user_id).raw("\">").text(&user.user_name).raw("</a>");
    if user.kind != "ADMIN" {
        html.raw(" <span class=\"tag\">").text(kind(user)).raw("</span>");
    }
    let given = user.rights.iter().filter(|right| !right.is_everybodys());
    let from: BTreeSet<String> = given
        .filter(|right| right.way != "INCLUDED")
        .map(|right| {
            if right.role.is_empty() {
                names.document(&right.rights_doc_id)
            } else {
                names.role(&right.role)
            }
        })
        .map(str::to_owned)
        .collect();
    let from: Vec<String> = from.into_iter().collect();
    html.raw(" <span class=\"dim\">")
        .text(if from.is_empty() { "no role" } else { "" })
        .text(&from.join(", "))
        .raw("</span>");
    html.raw(if grave { " <span class=\"tag grave-tag\">grave rights</span>" } else { "" });
    html.raw(if user.enabled { "" } else { " <span class=\"tag limit\">disabled</span>" });
    html.raw("</span>");
    let below = forest.below.get(user.user_id.as_str()).map_or(&[][..], Vec::as_slice);
    if deep < DEEP && !below.is_empty() {
        html.raw("\n<ul>\n");
        for user in below {
            of_user(html, review, names, forest, user, deep + 1);
        }
        html.raw("</ul>");
    }
    html.raw("</li>\n");
}

/// Type, then actions with the same numbers, then the numbers.
type Rows = BTreeMap<String, Vec<(Vec<String>, Vec<usize>)>>;

/// For each permission, how many users have it by each role or document.
struct Heat {
    columns: Vec<String>,
    left_out: usize,
    rows: Rows,
    most: usize,
}

impl Heat {
    fn of<'a>(review: &'a Review, names: &Names<'a>) -> Self {
        let mut holders: HashMap<String, HashMap<&str, BTreeSet<usize>>> = HashMap::new();
        for (who, user) in review.users.iter().enumerate() {
            for right in user.rights.iter().filter(|right| !right.is_everybodys()) {
                let by = holders.entry(names.source(right)).or_default();
                for permission in review.permissions(right) {
                    by.entry(permission).or_default().insert(who);
                }
            }
        }
        let widest =
            |by: &HashMap<&str, BTreeSet<usize>>| by.values().map(BTreeSet::len).max().unwrap_or(0);
        let mut columns: Vec<String> = holders.keys().cloned().collect();
        columns.sort_by_key(|name| {
            let by = holders.get(name);
            (
                std::cmp::Reverse(by.map_or(0, HashMap::len)),
                std::cmp::Reverse(by.map_or(0, widest)),
                name.clone(),
            )
        });
        let left_out = columns.len().saturating_sub(COLUMNS);
        columns.truncate(COLUMNS);
        let permissions: BTreeSet<&str> = columns
            .iter()
            .filter_map(|name| holders.get(name))
            .flat_map(|by| by.keys().copied())
            .collect();
        let mut rows = Rows::new();
        for (kind, action) in permissions.iter().filter_map(|one| one.split_once('.')) {
            let permission = format!("{kind}.{action}");
            let of = |name: &String| {
                holders
                    .get(name)
                    .and_then(|by| by.get(permission.as_str()))
                    .map_or(0, BTreeSet::len)
            };
            let numbers: Vec<usize> = columns.iter().map(of).collect();
            let rows = rows.entry(kind.to_owned()).or_default();
            let grave = Grave::of(&permission);
            let alike = rows.iter_mut().find(|(actions, other)| {
                let first = actions.first().and_then(|first| Grave::of(&format!("{kind}.{first}")));
                *other == numbers && first == grave
            });
            match alike {
                Some((actions, _)) => actions.push(action.to_owned()),
                None => rows.push((vec![action.to_owned()], numbers)),
            }
        }
        let most =
            rows.values().flatten().flat_map(|(_, numbers)| numbers).copied().max().unwrap_or(0);
        Self { columns, left_out, rows, most }
    }

    /// Returns how dark a number is.
    fn shade(&self, number: usize) -> &'static str {
        match number {
            0 => "h0",
            _ if number * 4 > self.most * 3 => "h4",
            _ if number * 2 > self.most => "h3",
            _ if number * 4 > self.most => "h2",
            _ => "h1",
        }
    }
}

/// Draws which roles and documents give which permissions, and to how many.
pub(super) fn heat<'a>(html: &mut Html, review: &'a Review, names: &Names<'a>) {
    let heat = Heat::of(review, names);
    html.raw("<section id=\"heat\"><h2>Which role gives what, and to how many</h2>\n<p>A number is how many users have a permission by that role or \
        document; the more, the stronger its colour. Grave permissions are marked.</p>\n");
    if heat.left_out > 0 {
        html.raw("<p>")
            .number(heat.left_out)
            .raw(" more give less, and are left out of this picture.</p>\n");
    }
    if heat.columns.is_empty() {
        html.raw("<p class=\"nobody\">Nothing was given to anybody.</p></section>\n");
        return;
    }
    html.raw("<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"Heat map\"><table class=\"heat\"><thead><tr><th scope=\"col\">Kind of thing</th><th scope=\"col\">What is done</th>");
    for column in &heat.columns {
        html.raw("<th scope=\"col\" class=\"column\"><span>").text(column).raw("</span></th>");
    }
    html.raw("</tr></thead>\n");
    for (kind, rows) in &heat.rows {
        html.raw("<tbody class=\"entry\">");
        for (at, (actions, numbers)) in rows.iter().enumerate() {
            html.raw("<tr>");
            if at == 0 {
                html.raw("<th scope=\"rowgroup\" rowspan=\"")
                    .number(rows.len())
                    .raw("\">")
                    .text(kind)
                    .raw("</th>");
            }
            let grave =
                actions.iter().any(|action| Grave::of(&format!("{kind}.{action}")).is_some());
            html.raw(if grave {
                "<th scope=\"row\" class=\"is-grave\">"
            } else {
                "<th scope=\"row\">"
            });
            html.text(&actions.join(", ")).raw("</th>");
            for number in numbers {
                html.raw("<td class=\"").raw(heat.shade(*number)).raw("\">");
                if *number > 0 {
                    html.number(*number);
                }
                html.raw("</td>");
            }
            html.raw("</tr>\n");
        }
        html.raw("</tbody>\n");
    }
    html.raw("</table></div></section>\n");
}
