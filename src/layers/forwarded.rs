//! The header `x-forwarded-client-cert`, in which a proxy says whose certificate it has verified.
//!
//! It is a list with an element a proxy, divided by commas; an element is pairs of a key, `=` and a value, divided by
//! semicolons. A value that holds one of the three is quoted, with `\"` for a quote in it.

use crate::model::SpiffeId;

/// Takes the last element off: what stands before it, and whom it names; `None` where there is no such element.
///
/// It is looked for from the right, and nothing is read of what stands before it: that others have written, who must not
/// change, by a quote that they do not close, how the proxy's own words are read.
pub(super) fn last(text: &str) -> Option<(Option<&str>, Option<SpiffeId>)> {
    let bytes = text.as_bytes();
    let mut quoted = false;
    let mut begins = None;
    for (at, byte) in bytes.iter().enumerate().rev() {
        match byte {
            b'"' if !quoted => quoted = true,
            b'"' if !is_escaped(bytes, at) => quoted = false,
            b',' if !quoted => {
                begins = Some(at);
                break;
            }
            _ => {}
        }
    }
    if quoted {
        return None;
    }
    let (before, element) = match begins {
        Some(at) => (Some(text.get(..at)?), text.get(at + 1..)?),
        None => (None, text),
    };
    Some((before, workload(element)?))
}

/// Tells whether what is at a place stands behind an odd number of backslashes.
fn is_escaped(bytes: &[u8], at: usize) -> bool {
    let before = bytes.get(..at).unwrap_or_default();
    before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// Reads an element. It names a workload if it has one URI, and that is a SPIFFE id; `None` where it is not of the form.
#[expect(clippy::option_option, reason = "what cannot be read is not what names nobody")]
fn workload(element: &str) -> Option<Option<SpiffeId>> {
    let mut uris = Vec::new();
    let mut rest = element.trim();
    while !rest.is_empty() {
        let (key, behind) = rest.split_once('=')?;
        let (value, behind) = value(behind)?;
        if key.trim().eq_ignore_ascii_case("uri") {
            uris.push(value);
        }
        rest = behind;
    }
    let [uri] = uris.as_slice() else { return Some(None) };
    Some(uri.trim().parse().ok())
}

/// Takes a value off, with the semicolon behind it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(inner) = text.strip_prefix('"') else {
        let (value, rest) = text.split_once(';').unwrap_or((text, ""));
        return (!value.contains('"')).then(|| (value.to_owned(), rest));
    };
    let mut value = String::new();
    let mut letters = inner.chars();
    loop {
        match letters.next()? {
            '\\' => value.push(letters.next()?),
            '"' => break,
            letter => value.push(letter),
        }
    }
    let rest = letters.as_str();
    let rest = if rest.is_empty() { rest } else { rest.strip_prefix(';')? };
    Some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who is named from right to left, until the form is another.
    fn named(mut text: &str) -> Vec<String> {
        let mut found = Vec::new();
        while let Some((before, id)) = last(text) {
            found.push(id.map_or_else(|| "-".to_owned(), |id| id.to_string()));
            let Some(before) = before else { return found };
            text = before;
        }
        found.push("?".to_owned());
        found
    }

    #[test]
    fn the_rightmost_element_names_whom_the_last_proxy_has_seen() {
        let one = "By=spiffe://a/gate;Hash=5c;Subject=\"\";URI=spiffe://a/shop";
        assert_eq!(named(one), ["spiffe://a/shop"]);
        let two = format!("{one},By=spiffe://a/x;Hash=6d;uri=spiffe://a/gate;DNS=gate.example");
        assert_eq!(named(&two), ["spiffe://a/gate", "spiffe://a/shop"]);
        let quoted = "Subject=\"CN=a,O=\\\"b;URI=spiffe://a/c\\\"\";URI=\"spiffe://a/d\"";
        assert_eq!(named(quoted), ["spiffe://a/d"]);
        let slashes = "Subject=\"CN=a\\\\\";URI=spiffe://a/d";
        assert_eq!(named(slashes), ["spiffe://a/d"]);
    }

    #[test]
    fn an_element_names_nobody_but_by_one_uri_that_is_a_spiffe_id() {
        for nobody in [
            "",
            "Hash=5c",
            "URI=",
            "URI=https://a/b",
            "URI=spiffe://a/b;URI=spiffe://a/c",
            "URI=spiffe://a/b;uri=spiffe://a/b",
            "By=spiffe://a/b;DNS=spiffe",
        ] {
            assert_eq!(named(nobody), ["-"], "{nobody}");
        }
        for none in
            ["x", "URI", "URI=\"spiffe://a/b", "URI=\"spiffe://a/b\"x", "URI=sp\"iffe://a/b\""]
        {
            assert_eq!(named(none), ["?"], "{none}");
        }
    }

    #[test]
    fn what_stands_further_left_does_not_change_how_the_last_element_is_read() {
        let own = "Hash=5c;Subject=\"CN=\\\"\";URI=spiffe://a/shop";
        for left in
            ["\"", "URI=spiffe://a/boss;X=\"", "\\", "URI=\"spiffe://a/boss\\\"", "x\"y\"\""]
        {
            assert_eq!(named(&format!("{left},{own}"))[0], "spiffe://a/shop", "{left}");
        }
    }
}
