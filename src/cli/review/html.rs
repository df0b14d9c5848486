//! A review as one page that needs nothing besides: no network, no script to be read, light or dark, on screen and on paper.

mod grave;
mod map;
mod markup;
mod people;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use self::markup::Html;
use super::grave::{Grave, about_users};
use super::model::{Review, Right, Sealed, User};
use super::words::{Names, day};
use crate::crypto::chain::digest;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Writes the page.
pub(super) fn page(sealed: &Sealed) -> String {
    let review = &sealed.review;
    let names = Names::of(review);
    let mut html = Html::default();
    top(&mut html, review, &names);
    summary(&mut html, review);
    not_shown(&mut html, review);
    grave::write(&mut html, review, &names);
    grave::worth_a_look(&mut html, review, &names);
    people::write(&mut html, review, &names);
    people::sets(&mut html, review, &names);
    map::tree(&mut html, review, &names);
    map::heat(&mut html, review, &names);
    signature(&mut html, sealed, &names);
    html.raw("</main>\n<script>").program(SCRIPT).raw("</script>\n</body>\n</html>\n");
    html.into_text()
}

/// Whether a right is grave by this permission: not where it is held by everybody, or on oneself only, or on nobody.
fn counts(right: &Right, permission: &str) -> Option<Grave> {
    let on_others = !matches!(right.on.as_str(), "SELF" | "UNSPECIFIED");
    let counts = !right.is_everybodys() && (on_others || !about_users(permission));
    Grave::of(permission).filter(|_| counts)
}

/// Whether a user may do something grave.
fn is_grave(review: &Review, user: &User) -> bool {
    let grave = |right: &Right| {
        review.permissions(right).iter().any(|permission| counts(right, permission).is_some())
    };
    user.rights.iter().any(grave)
}

fn hash(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(digest(text.as_bytes())))
}

fn top<'a>(html: &mut Html, review: &'a Review, names: &Names<'a>) {
    let name = names.account(&review.account_id);
    html.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    // Were a name ever taken for markup, the browser would still neither run nor load it.
    let policy = format!(
        "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    html.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"").text(&policy).raw("\">\n");
    html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    html.raw("<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n");
    html.raw("<title>Who may do what in ").text(name).raw("</title>\n<style>").program(STYLE);
    html.raw("</style>\n</head>\n<body>\n<header>\n<p class=\"kicker\">Access review</p>\n<h1>Who may do what in ");
    html.text(name).raw("</h1>\n<p class=\"facts\">Account <code>").text(&review.account_id);
    html.raw("</code> and all accounts below it, as of <time datetime=\"").text(&review.made_at);
    html.raw("\">").text(&review.made_at).raw("</time></p>\n");
    html.raw("<p>A <b>permission</b> names a kind of thing and what is done to it: <code>recording.delete</code> is to delete recordings. \
        People have permissions by <b>roles</b>, which are given to them, and by <b>rights documents</b>, which are assigned to them or to \
        somebody above them. Whatever nothing gives is denied.</p>\n");
    html.raw("<nav aria-label=\"On this page\"><a href=\"#grave\">Grave rights</a> <a href=\"#look\">Worth a look</a> \
        <a href=\"#people\">People</a> <a href=\"#sets\">Lists of permissions</a> <a href=\"#tree\">Tree</a> <a href=\"#heat\">Heat map</a> \
        <a href=\"#signed\">Signature</a></nav>\n");
    html.raw("<p class=\"find\" hidden><label>Show only what names <input type=\"search\" placeholder=\"recording.delete, or somebody\"></label> \
        <span role=\"status\"></span></p>\n</header>\n<main>\n");
}

fn summary(html: &mut Html, review: &Review) {
    let rights = || review.users.iter().flat_map(|user| &user.rights);
    let disabled = review.users.iter().filter(|user| !user.enabled).count();
    let grave = review.users.iter().filter(|user| is_grave(review, user)).count();
    let ending = rights().filter(|right| right.expires.is_some()).count();
    let unused = grave::unused(review).len();
    let known = rights().any(|right| right.unused_set.is_some());
    html.raw("<dl class=\"figures\">\n");
    let below = review.accounts.iter().filter(|one| !one.above).count();
    for (value, what) in [
        (Some(review.users.len()), "people and programs"),
        (Some(grave), "of them may do grave things"),
        (Some(disabled), "are disabled"),
        (known.then_some(unused), "roles and documents unused"),
        (Some(ending), "rights that end by themselves"),
        (Some(below), "accounts"),
    ] {
        html.raw("<div><dt>").text(what).raw("</dt><dd>");
        match value {
            Some(value) => html.number(value),
            None => html.raw("not known"),
        };
        html.raw("</dd></div>\n");
    }
    html.raw("</dl>\n");
}

fn not_shown(html: &mut Html, review: &Review) {
    if review.missing.is_empty() {
        html.raw("<p class=\"note good\"><b>Complete.</b> Every user and right under this account is in this review.</p>\n");
        return;
    }
    html.raw("<aside class=\"note\" aria-label=\"What is missing\"><b>Not in this review</b>, since whoever made it may not see it:\n<ul>\n");
    for what in &review.missing {
        html.raw("<li>").text(what).raw("</li>\n");
    }
    html.raw("</ul></aside>\n");
}

fn signature<'a>(html: &mut Html, sealed: &'a Sealed, names: &Names<'a>) {
    html.raw("<section id=\"signed\"><h2>Signature</h2>\n<p>The SHA-256 of this review, the same in its JSON:</p>\n<pre class=\"digest\">");
    html.text(&sealed.sha256).raw("</pre>\n");
    if sealed.review.heads.is_empty() {
        html.raw(
            "<p>No signed head of the ledger: whoever made this review may not ask for one.</p>\n",
        );
    } else {
        html.raw("<p>Every change of rights stands in a ledger, whose entries are chained by their hashes. The server has signed how far the \
            ledger was when this review was made; <code>chancery ledger verify</code> holds an export of the ledger against the same key. \
            The signature is for the state that was reviewed, and the SHA-256 for what was made of it: keep both.</p>\n");
    }
    for head in &sealed.review.heads {
        html.raw("<h3>Ledger of ")
            .text(names.account(&head.account_id))
            .raw("</h3>\n<dl class=\"head\">");
        html.raw("<dt>Revision</dt><dd>")
            .text(&head.revision.to_string())
            .raw("</dd><dt>Signed</dt><dd><pre>");
        html.text(&head.head).raw("</pre></dd><dt>Signature</dt><dd><pre>").text(&head.signature);
        html.raw("</pre></dd><dt>Key</dt><dd><pre>")
            .text(&head.public_key)
            .raw("</pre></dd></dl>\n");
    }
    html.raw("</section>\n");
}

/// Writes who somebody is, as a link to what is said of it.
fn person<'a>(html: &mut Html, names: &Names<'a>, user: &'a User, account: &str) {
    html.raw("<a href=\"#u-").text(&user.user_id).raw("\">").text(&user.user_name).raw("</a>");
    if !user.full_name.is_empty() && user.full_name != user.user_name {
        html.raw(" <span class=\"dim\">").text(&user.full_name).raw("</span>");
    }
    if user.account_id != account {
        html.raw(" <span class=\"tag\">of ").text(names.account(&user.account_id)).raw("</span>");
    }
    if user.kind != "ADMIN" {
        html.raw(" <span class=\"tag\">").text(kind(user)).raw("</span>");
    }
}

fn kind(user: &User) -> &'static str {
    match user.kind.as_str() {
        "SERVICE" => "program",
        "APPLICATION" => "end customer",
        _ => "person",
    }
}

/// Says when somebody last signed in.
fn signed_in(user: &User) -> String {
    user.last_sign_in
        .as_deref()
        .map_or_else(|| "no sign-in known".to_owned(), |at| format!("last signed in {}", day(at)))
}

#[cfg(test)]
mod tests {
    use super::super::model::examples::review;
    use super::*;

    #[test]
    fn what_strangers_are_called_is_text_and_nothing_else() {
        let page = page(&Sealed::new(review()).unwrap());
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
        assert!(page.contains("&lt;img src=x onerror=alert(1)&gt;"));
        assert_eq!(page.matches("<script").count(), 1);
        assert!(!page.contains("<img") && !page.contains("Everything <b>"));
        assert!(page.contains("<title>Who may do what in Acme &amp; &quot;Sons&quot;</title>"));
        assert!(page.contains("users of &lt;accounts&gt; above"));
    }

    #[test]
    fn it_needs_no_network() {
        let page = page(&Sealed::new(review()).unwrap());
        for far in ["http:", "https:", "src=", "@import", "url(", "<link"] {
            let found = page.replace("&lt;img src=x", "").replace("http-equiv", "");
            assert!(!found.contains(far), "{far}");
        }
    }

    #[test]
    fn it_says_who_may_delete_recordings_and_why() {
        let page = page(&Sealed::new(review()).unwrap());
        let grave = page.split("id=\"look\"").next().unwrap();
        let (_, question) = grave.split_once("Who may delete things?").unwrap();
        let answer = question.split("Who may decide").next().unwrap();
        for said in [
            "<b>delete</b> recording <code>",
            "boss",
            "role BOSS",
            "rights document",
            "inherited from boss",
        ] {
            assert!(answer.contains(said), "{said}: {answer}");
        }
        assert!(!answer.contains("calc"));
    }
}
