//! What a workload is called in a mesh: a SPIFFE id.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const SCHEME: &str = "spiffe://";
/// The longest id, in bytes, and the longest name of a trust domain.
const LONGEST: usize = 2_048;
const LONGEST_DOMAIN: usize = 255;

/// The text is no SPIFFE id of a workload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a workload's SPIFFE id, which looks like `spiffe://prod.example/ns/billing/sa/worker`"
)]
pub struct BadSpiffeId(String);

/// A workload's SPIFFE id: a trust domain and a path in it. Two are the same if they are so to the letter.
///
/// The form is that of the standard (SPIFFE-ID, §2): lower case in the trust domain, no port, no query, nothing encoded, no
/// empty step and no dots for one. One without a path names the trust domain itself, which is no workload.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpiffeId(String);

impl SpiffeId {
    /// Returns its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SpiffeId {
    type Err = BadSpiffeId;

    fn from_str(text: &str) -> Result<Self, BadSpiffeId> {
        let named = text.strip_prefix(SCHEME).and_then(|rest| rest.split_once('/'));
        match named {
            Some((domain, path))
                if text.len() <= LONGEST && is_domain(domain) && path.split('/').all(is_step) =>
            {
                Ok(Self(text.to_owned()))
            }
            _ => Err(BadSpiffeId(text.chars().take(LONGEST_DOMAIN).collect())),
        }
    }
}

fn is_domain(domain: &str) -> bool {
    let letter = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
    (1..=LONGEST_DOMAIN).contains(&domain.len()) && domain.bytes().all(letter)
}

fn is_step(step: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !step.is_empty() && !matches!(step, "." | "..") && step.bytes().all(letter)
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for SpiffeId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SpiffeId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_trust_domain_and_a_path_to_the_letter() {
        for good in ["spiffe://a/b", "spiffe://prod.example/ns/x/sa/Y-1_2.z", "spiffe://a/..."] {
            assert_eq!(good.parse::<SpiffeId>().unwrap().as_str(), good);
        }
        let long = format!("spiffe://a/{}", "b".repeat(LONGEST));
        let far = format!("spiffe://{}/b", "a".repeat(LONGEST_DOMAIN + 1));
        for bad in [
            "",
            "spiffe://",
            "spiffe://a",
            "spiffe://a/",
            "spiffe:///b",
            "SPIFFE://a/b",
            "https://a/b",
            "spiffe://A/b",
            "spiffe://a:1/b",
            "spiffe://u@a/b",
            "spiffe://a/b/",
            "spiffe://a//b",
            "spiffe://a/./b",
            "spiffe://a/..",
            "spiffe://a/b?c",
            "spiffe://a/b#c",
            "spiffe://a/%62",
            "spiffe://a/b c",
            "spiffe://ä/b",
            " spiffe://a/b",
            &long,
            &far,
        ] {
            assert!(bad.parse::<SpiffeId>().is_err(), "{bad}");
        }
    }
}
