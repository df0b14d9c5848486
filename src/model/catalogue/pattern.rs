//! Patterns of permissions: `type.action`, `type.*`, `*.action`, `*.*` and the lone `*`.

use super::set::PermissionSet;
use super::types::Types;

/// One pattern, split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pattern<'a> {
    /// `*`: every permission of every loaded catalogue.
    Everything,
    /// A type and an action; `None` = any.
    Of { kind: Option<&'a str>, action: Option<&'a str> },
}

impl<'a> Pattern<'a> {
    /// Splits a text; `None` where it is no pattern, which then matches nothing.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Everything);
        }
        let (kind, action) = text.split_once('.')?;
        let named = |part: &'a str| (part != "*").then_some(part);
        let whole = is_part(kind) && is_part(action);
        whole.then(|| Self::Of { kind: named(kind), action: named(action) })
    }

    /// Returns what it matches of `within`; the lone `*` matches beyond it.
    pub(super) fn expand(self, types: &Types, within: &PermissionSet) -> PermissionSet {
        let mut set = match self {
            Self::Everything => return types.all().clone(),
            Self::Of { kind: Some(kind), action: Some(action) } => {
                types.permission(kind, action).into_iter().collect()
            }
            Self::Of { kind: Some(kind), action: None } => types.of_type(kind).collect(),
            Self::Of { kind: None, action: Some(action) } => {
                types.of_action(action).cloned().unwrap_or_default()
            }
            Self::Of { kind: None, action: None } => return within.clone(),
        };
        set.intersect_with(within);
        set
    }
}

/// Returns whether a text is a whole part of a pattern: `*`, or what can be a name.
fn is_part(text: &str) -> bool {
    text == "*" || (!text.is_empty() && !text.contains(['*', '.']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_parts_are_wild() {
        let of = |kind, action| Some(Pattern::Of { kind, action });
        assert_eq!(Pattern::parse("*"), Some(Pattern::Everything));
        assert_eq!(Pattern::parse("*.*"), of(None, None));
        assert_eq!(Pattern::parse("gate.*"), of(Some("gate"), None));
        assert_eq!(Pattern::parse("*.read"), of(None, Some("read")));
        assert_eq!(Pattern::parse("gate.read"), of(Some("gate"), Some("read")));
        for bad in
            ["", "gate", "gate.", ".read", ".", "**", "ga*.read", "gate.re*", "a.b.c", "*.a.*"]
        {
            assert_eq!(Pattern::parse(bad), None, "{bad}");
        }
    }
}
