//! One test of one value, and the text that says what a value that fails it must be like.
//!
//! No text shows the value: it may be a secret, and the caller has it.

use prost_reflect::EnumDescriptor;
use regex::Regex;

use super::scalar::Scalar;

/// A test with its text.
#[derive(Debug)]
pub(super) struct Check {
    test: Test,
    pub(super) why: Box<str>,
}

#[derive(Debug)]
pub(super) enum Test {
    In(Vec<Box<str>>),
    MinChars(u64),
    MaxChars(u64),
    MinBytes(u64),
    MaxBytes(u64),
    Prefix(Box<str>),
    Pattern(Regex),
    Email,
    Uuid,
    AtLeast(i128),
    AtMost(i128),
    Defined(EnumDescriptor),
    /// Of every text with a rule: one of the stores keeps no U+0000, and nobody means one.
    NoNul,
}

impl Check {
    pub(super) fn new(test: Test) -> Self {
        let why = test.why().into();
        Self { test, why }
    }

    /// Whether `value` passes. A value of another kind than the test is for does not.
    pub(super) fn holds(&self, value: Scalar<'_>) -> bool {
        match (&self.test, value) {
            (Test::In(all), Scalar::Text(text)) => all.iter().any(|one| **one == *text),
            (Test::MinChars(least), Scalar::Text(text)) => chars(text) >= *least,
            // A text has at most as many characters as bytes, so most are not counted at all.
            (Test::MaxChars(most), Scalar::Text(text)) => {
                length(text.as_bytes()) <= *most || chars(text) <= *most
            }
            (Test::MinBytes(least), Scalar::Text(text)) => length(text.as_bytes()) >= *least,
            (Test::MaxBytes(most), Scalar::Text(text)) => length(text.as_bytes()) <= *most,
            (Test::MinBytes(least), Scalar::Bytes(bytes)) => length(bytes) >= *least,
            (Test::MaxBytes(most), Scalar::Bytes(bytes)) => length(bytes) <= *most,
            (Test::Prefix(prefix), Scalar::Text(text)) => text.starts_with(&**prefix),
            (Test::Pattern(pattern), Scalar::Text(text)) => pattern.is_match(text),
            (Test::Email, Scalar::Text(text)) => is_email(text),
            (Test::Uuid, Scalar::Text(text)) => is_uuid(text),
            (Test::NoNul, Scalar::Text(text)) => !text.as_bytes().contains(&0),
            (Test::AtLeast(least), Scalar::Number(number)) => number >= *least,
            (Test::AtMost(most), Scalar::Number(number)) => number <= *most,
            (Test::Defined(described), Scalar::Number(number)) => {
                i32::try_from(number).is_ok_and(|number| described.get_value(number).is_some())
            }
            _ => false,
        }
    }
}

impl Test {
    /// Whether no number can pass all of `tests`. (To others such bounds mean "outside of"; better
    /// to refuse them than to be misread.)
    pub(super) fn contradict(tests: &[Self]) -> bool {
        let bound = |least: bool| {
            tests.iter().filter_map(move |test| match test {
                Self::AtLeast(bound) if least => Some(*bound),
                Self::AtMost(bound) if !least => Some(*bound),
                _ => None,
            })
        };
        bound(true).max().zip(bound(false).min()).is_some_and(|(least, most)| least > most)
    }

    fn why(&self) -> String {
        match self {
            Self::In(all) => match &**all {
                [one] => format!("must be `{one}`"),
                _ => format!("must be one of {}", quoted(all.iter().map(|one| &**one))),
            },
            Self::MinChars(1) | Self::MinBytes(1) => "must not be empty".into(),
            Self::MinChars(least) => format!("must be at least {}", count(*least, "character")),
            Self::MaxChars(most) => format!("must be at most {}", count(*most, "character")),
            Self::MinBytes(least) => format!("must be at least {}", count(*least, "byte")),
            Self::MaxBytes(most) => format!("must be at most {}", count(*most, "byte")),
            Self::Prefix(prefix) => format!("must begin with `{prefix}`"),
            Self::Pattern(pattern) => look(pattern.as_str()),
            Self::Email => "is not a valid email address".into(),
            Self::Uuid => "is not a valid UUID".into(),
            Self::NoNul => "must not hold U+0000".into(),
            Self::AtLeast(least) => format!("must be at least {least}"),
            Self::AtMost(most) => format!("must be at most {most}"),
            Self::Defined(described) => {
                let names: Vec<String> = described
                    .values()
                    .filter(|value| !value.name().ends_with("_UNSPECIFIED"))
                    .map(|value| value.name().to_owned())
                    .collect();
                format!("must be one of {}", quoted(names.iter().map(String::as_str)))
            }
        }
    }
}

/// `1 item`, `2 items`.
pub(super) fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Says what `pattern` asks for: the prefixes if it is one of ids, else the pattern itself.
fn look(pattern: &str) -> String {
    let prefixes = id_prefixes(pattern).unwrap_or_default();
    if prefixes.is_empty() {
        return format!("must match `{pattern}`");
    }
    let shapes: Vec<String> = prefixes.iter().map(|prefix| format!("{prefix}_…")).collect();
    format!("must look like {}", shapes.join(" or "))
}

/// The prefixes of `^usr_[…` and `^(usr|acc)_[…`: the forms in which our protos write ids.
fn id_prefixes(pattern: &str) -> Option<Vec<&str>> {
    let word = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase());
    let (head, tail) = pattern.strip_prefix('^')?.split_once('_')?;
    let group = head.strip_prefix("(?:").or_else(|| head.strip_prefix('('));
    let head = group.map_or(Some(head), |group| group.strip_suffix(')'))?;
    let prefixes: Vec<&str> = head.split('|').collect();
    let single = group.is_some() || prefixes.len() == 1;
    (single && tail.starts_with('[') && prefixes.iter().all(|p| word(p))).then_some(prefixes)
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn chars(text: &str) -> u64 {
    u64::try_from(text.chars().count()).unwrap_or(u64::MAX)
}

/// An address as HTML's `<input type=email>` takes it, which is what `string.email` means.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let atom = |b: u8| b.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&b);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    !local.is_empty() && local.bytes().all(atom) && domain.split('.').all(label)
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_email_address_is_what_a_browser_takes() {
        for good in
            ["a@b", "ann.o'neil+x@mail.example.org", "a@1.2", &format!("a@{}", "x".repeat(63))]
        {
            assert!(is_email(good), "{good}");
        }
        let long = format!("a@{}", "x".repeat(64));
        for bad in [
            "", "a", "@b", "a@", "a@b@c", "a b@c", "a@-b", "a@b-", "a@b..c", "a@b.", "ä@b", "a@ä",
            &long,
        ] {
            assert!(!is_email(bad), "{bad}");
        }
    }

    #[test]
    fn a_uuid_has_dashes_in_their_places() {
        assert!(is_uuid("0190163d-8694-739b-aea5-966c26f8ad91"));
        assert!(is_uuid("0190163D-8694-739B-AEA5-966C26F8AD91"));
        for bad in [
            "",
            "0190163d8694739baea5966c26f8ad91",
            "0190163d-8694-739b-aea5-966c26f8ad9g",
            "0190163d-8694-739baaea5-966c26f8ad91",
        ] {
            assert!(!is_uuid(bad), "{bad}");
        }
    }

    #[test]
    fn an_id_pattern_is_told_by_its_prefix() {
        assert_eq!(look("^acc_[0-7][0-9a-z]{25}$"), "must look like acc_…");
        assert_eq!(look("^(?:usr|acc)_[0-9a-z]{26}$"), "must look like usr_… or acc_…");
        assert_eq!(look("^(usr|acc)_[0-9a-z]{26}$"), "must look like usr_… or acc_…");
        assert_eq!(look("^usr|acc_[0-9]$"), "must match `^usr|acc_[0-9]$`");
        assert_eq!(look("^[a-z][a-z0-9_]{2,63}$"), "must match `^[a-z][a-z0-9_]{2,63}$`");
        assert_eq!(look("_[0-9]"), "must match `_[0-9]`");
    }

    #[test]
    fn bounds_that_nothing_can_meet_are_found() {
        assert!(Test::contradict(&[Test::AtLeast(3), Test::AtMost(2)]));
        assert!(!Test::contradict(&[Test::AtLeast(3), Test::AtMost(3)]));
        assert!(!Test::contradict(&[Test::AtLeast(3)]));
    }
}
