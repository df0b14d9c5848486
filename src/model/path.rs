//! Resource paths: how a question names what it is about (`model.md` §6, `edges.md` §3).

use std::fmt;
use std::str::FromStr;

use super::AccountId;

/// An id is at most this many bytes once decoded.
const LONGEST_ID: usize = 128;
/// A path has at most this many pairs after its account.
const MOST_PAIRS: usize = 16;

/// Which object of a type a pair names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Named {
    /// `-`: one that is not named, new or any.
    Any,
    /// This one; bytes as sent, decoded.
    Id(String),
}

/// One `type/id` step of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pair {
    /// The resource type, lower case.
    pub kind: String,
    /// Which one.
    pub named: Named,
}

/// `account/<id>` and the pairs after it. The path is the containment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourcePath {
    /// The account that the resource belongs to.
    pub account: AccountId,
    /// What lies in what, outermost first.
    pub pairs: Vec<Pair>,
}

/// The text is not a resource path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// It does not begin with `account/acc_…`.
    #[error("a path begins with `account/` and an account id")]
    NoAccount,
    /// A type without an id.
    #[error("`{0}` is not followed by an id")]
    NoId(String),
    /// An empty, too long or wrongly encoded id.
    #[error("an id is 1 to 128 bytes with `/` and `%` percent-encoded")]
    Id,
    /// Too many pairs.
    #[error("a path has at most {MOST_PAIRS} pairs after its account")]
    Long,
}

impl ResourcePath {
    /// Names an account itself.
    pub const fn account(account: AccountId) -> Self {
        Self { account, pairs: Vec::new() }
    }

    /// Returns the path one step further in.
    #[must_use]
    pub fn with(mut self, kind: &str, named: Named) -> Self {
        self.pairs.push(Pair { kind: kind.to_owned(), named });
        self
    }

    /// Returns the type of what is named: that of the last pair, else `account`.
    pub fn kind(&self) -> &str {
        self.pairs.last().map_or("account", |pair| &pair.kind)
    }

    /// Returns whether `self`, as a scope, covers `other`: whether `other` begins with its pairs.
    ///
    /// A `-` in `other` is covered by nothing that names an id in its place.
    pub fn covers(&self, other: &Self) -> bool {
        self.account == other.account
            && self.pairs.len() <= other.pairs.len()
            && self.pairs.iter().zip(&other.pairs).all(|(mine, theirs)| {
                mine.kind == theirs.kind && (mine.named == Named::Any || mine.named == theirs.named)
            })
    }
}

/// Decodes one id: `%XX` only, and a real `-` must have been written `%2D`.
pub fn decode_id(text: &str) -> Result<Named, BadPath> {
    if text == "-" {
        return Ok(Named::Any);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let (hex, after) = after.split_at_checked(2).ok_or(BadPath::Id)?;
            let hex = std::str::from_utf8(hex).map_err(|_| BadPath::Id)?;
            if hex.starts_with('+') {
                return Err(BadPath::Id);
            }
            decoded.push(u8::from_str_radix(hex, 16).map_err(|_| BadPath::Id)?);
            rest = after;
        } else {
            decoded.push(*first);
            rest = after;
        }
    }
    if decoded.is_empty() || decoded.len() > LONGEST_ID {
        return Err(BadPath::Id);
    }
    String::from_utf8(decoded).map(Named::Id).map_err(|_| BadPath::Id)
}

impl FromStr for ResourcePath {
    type Err = BadPath;

    fn from_str(text: &str) -> Result<Self, BadPath> {
        let mut steps = text.split('/');
        let account = match (steps.next(), steps.next()) {
            (Some(first), Some(id)) if first.eq_ignore_ascii_case("account") => {
                id.parse().map_err(|_| BadPath::NoAccount)?
            }
            _ => return Err(BadPath::NoAccount),
        };
        let mut path = Self::account(account);
        while let Some(kind) = steps.next() {
            let id = steps.next().ok_or_else(|| BadPath::NoId(kind.to_owned()))?;
            if path.pairs.len() == MOST_PAIRS {
                return Err(BadPath::Long);
            }
            path.pairs.push(Pair { kind: kind.to_ascii_lowercase(), named: decode_id(id)? });
        }
        Ok(path)
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("-"),
            Self::Id(id) if id == "-" => f.write_str("%2D"),
            Self::Id(id) => id.chars().try_for_each(|c| match c {
                '/' => f.write_str("%2F"),
                '%' => f.write_str("%25"),
                c => fmt::Write::write_char(f, c),
            }),
        }
    }
}

impl fmt::Display for ResourcePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "account/{}", self.account)?;
        self.pairs.iter().try_for_each(|pair| write!(f, "/{}/{}", pair.kind, pair.named))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    const A: &str = "account/acc_00000000000000000000000001";

    fn path(tail: &str) -> ResourcePath {
        format!("{A}{tail}").parse().unwrap()
    }

    #[test]
    fn a_scope_covers_what_begins_with_it() {
        assert!(path("").covers(&path("/gate_group/5/gate/17")));
        assert!(path("/gate_group/5").covers(&path("/GATE_GROUP/5/gate/17")));
        assert!(!path("/gate_group/5").covers(&path("/gate_group/50")));
        assert!(!path("/gate_group/5").covers(&path("/gate_group/-")));
        assert!(!path("/gate_group/5").covers(&path("")));
    }

    #[test]
    fn a_real_dash_and_slash_are_encoded() {
        assert_eq!(path("/gate/-").pairs[0].named, Named::Any);
        assert_eq!(path("/gate/%2D").pairs[0].named, Named::Id("-".to_owned()));
        assert_eq!(path("/gate/a%2Fb").pairs[0].named, Named::Id("a/b".to_owned()));
        for bad in ["/gate", "/gate/", "/gate/%2", "/gate/%+1", "/gate/%ff"] {
            assert!(format!("{A}{bad}").parse::<ResourcePath>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_path_reads_back(ids in proptest::collection::vec("[^\u{0}]{1,30}", 0..4)) {
            let start = ResourcePath::account(AccountId(Uuid::from_u128(7)));
            let path = ids.into_iter().fold(start, |p, id| p.with("gate", Named::Id(id)));
            prop_assert_eq!(path.to_string().parse::<ResourcePath>().unwrap(), path);
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = text.parse::<ResourcePath>();
            let _ = format!("{A}/{text}").parse::<ResourcePath>();
        }
    }
}
