//! A review as a table for spreadsheets: a row for each right of each user.

use super::grave::Grave;
use super::model::{Review, Right, User};
use super::words::{Names, on};

const HEAD: [&str; 20] = [
    "account_id",
    "account",
    "user_id",
    "user_name",
    "full_name",
    "kind",
    "enabled",
    "last_sign_in",
    "from",
    "way",
    "place",
    "on",
    "limits",
    "expires",
    "permission_count",
    "grave_count",
    "unused_count",
    "permissions",
    "grave_permissions",
    "unused_permissions",
];

/// Writes the table, by RFC 4180.
pub(super) fn table(review: &Review) -> String {
    let names = Names::of(review);
    let mut text = String::new();
    row(&mut text, HEAD.iter().map(|name| (*name).to_owned()));
    for user in &review.users {
        for right in &user.rights {
            row(&mut text, cells(review, &names, user, right));
        }
        // Who has nothing, or whose rights may not be read, is in the table all the same.
        if user.rights.is_empty() {
            let none = std::iter::repeat_n(String::new(), HEAD.len() - 8);
            row(&mut text, person(&names, user).into_iter().chain(none));
        }
    }
    text
}

fn person<'a>(names: &Names<'a>, user: &'a User) -> [String; 8] {
    [
        user.account_id.clone(),
        names.account(&user.account_id).to_owned(),
        user.user_id.clone(),
        user.user_name.clone(),
        user.full_name.clone(),
        user.kind.clone(),
        user.enabled.to_string(),
        user.last_sign_in.clone().unwrap_or_default(),
    ]
}

fn cells<'a>(
    review: &Review,
    names: &Names<'a>,
    user: &'a User,
    right: &'a Right,
) -> impl Iterator<Item = String> {
    let permissions = review.permissions(right);
    let grave: Vec<&str> =
        permissions.iter().map(String::as_str).filter(|one| Grave::of(one).is_some()).collect();
    let unused = review.unused(right);
    let of_right = [
        names.source(right),
        names.way(right),
        names.place(right),
        on(right).to_owned(),
        names.limits(right).join("; "),
        right.expires.clone().unwrap_or_default(),
        permissions.len().to_string(),
        grave.len().to_string(),
        unused.map(|unused| unused.len().to_string()).unwrap_or_default(),
        permissions.join(" "),
        grave.join(" "),
        unused.map(|unused| unused.join(" ")).unwrap_or_default(),
    ];
    person(names, user).into_iter().chain(of_right)
}

fn row(text: &mut String, cells: impl Iterator<Item = String>) {
    for (at, value) in cells.enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push_str(&cell(&value));
    }
    text.push_str("\r\n");
}

/// Writes a cell, so that a spreadsheet takes it for a text: one that begins like a formula is made to begin otherwise.
fn cell(value: &str) -> String {
    let formula = value.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let value = if formula { format!("'{value}") } else { value.to_owned() };
    if value.contains([',', '"', '\r', '\n']) || formula {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::examples::review;
    use super::*;

    #[test]
    fn a_cell_is_a_text_to_every_spreadsheet() {
        for (value, written) in [
            ("ann", "ann"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"\n", "\"say \"\"hi\"\"\n\""),
            ("=1+1", "\"'=1+1\""),
            ("+49", "\"'+49\""),
            ("-1", "\"'-1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\t=1", "\"'\t=1\""),
            ("a=1", "a=1"),
            ("", ""),
        ] {
            assert_eq!(cell(value), written);
        }
    }

    #[test]
    fn each_right_is_a_row_and_whoever_has_none_is_there_too() {
        let table = table(&review());
        let rows: Vec<&str> = table.split_terminator("\r\n").collect();
        assert_eq!(rows[0], HEAD.join(","));
        let of = |name: &str| rows.iter().filter(|row| row.contains(name)).count();
        assert_eq!((of("usr_boss"), of("usr_bad"), of("usr_none")), (2, 1, 1), "{table}");
        assert!(rows.iter().all(|row| row.split(',').count() >= HEAD.len()), "{table}");
        assert!(table.contains("\"'=cmd|' /C calc'!A0\""), "{table}");
    }
}
