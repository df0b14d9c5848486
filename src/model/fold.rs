//! One key for all spellings of a name (`edges.md` §1): NFKC(casefold(NFKC(trim(name)))).
//!
//! Computed here and never by a database's collation, so that both stores agree. Every limiter uses it too.

use std::fmt;

use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizer;
use icu_properties::props::{
    BidiControl, DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup,
};
use icu_properties::{CodePointMapData, CodePointSetData};

/// A folded name: equal for all spellings of one name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Folded(String);

impl Folded {
    /// Returns the key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the key as text, for keeping.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for Folded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name cannot be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Nothing is left once spaces at the ends are gone.
    #[error("must not be empty")]
    Empty,
    /// It holds a code point that people do not see or that is assigned to nothing.
    #[error("must not hold U+{0:04X}, which is unassigned, a control, or invisible")]
    Forbidden(u32),
}

/// Folds a name to its key.
pub fn fold(name: &str) -> Result<Folded, BadName> {
    let normal = ComposingNormalizer::new_nfkc();
    let trimmed = name.trim();
    if let Some(bad) = trimmed.chars().find(|c| is_forbidden(*c)) {
        return Err(BadName::Forbidden(bad.into()));
    }
    let composed = normal.normalize(trimmed);
    let folded = CaseMapper::new().fold_string(&composed).into_owned();
    let key = normal.normalize(&folded).trim().to_owned();
    if key.is_empty() { Err(BadName::Empty) } else { Ok(Folded(key)) }
}

fn is_forbidden(c: char) -> bool {
    let category = CodePointMapData::<GeneralCategory>::new().get(c);
    category == GeneralCategory::Unassigned
        || GeneralCategoryGroup::Control.contains(category)
        || GeneralCategoryGroup::Surrogate.contains(category)
        || CodePointSetData::new::<BidiControl>().contains(c)
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_of_one_name_are_one_key() {
        for (a, b) in [
            ("Ann5x", " ANN5X "),
            ("straße", "STRASSE"),
            ("ﬁx", "fix"),
            ("e\u{301}", "É"),
            ("Ａｎｎ", "ann"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ] {
            assert_eq!(fold(a), fold(b), "{a} {b}");
        }
        assert_ne!(fold("ann"), fold("änn"));
    }

    #[test]
    fn what_nobody_sees_is_refused() {
        for bad in ["a\u{200b}b", "a\u{202e}b", "a\u{0}b", "a\u{378}b", "\u{ad}a", "a\nb"] {
            assert!(matches!(fold(bad), Err(BadName::Forbidden(_))), "{bad:?}");
        }
        assert_eq!(fold("  "), Err(BadName::Empty));
    }

    proptest! {
        #[test]
        fn folding_again_changes_nothing(name in ".{1,40}") {
            if let Ok(key) = fold(&name) {
                prop_assert_eq!(fold(key.as_str()).unwrap(), key);
            }
        }
    }
}
