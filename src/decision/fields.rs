//! What a request says, as the judge of a rule sees it: a flat list of facts.
//!
//! The rules of `model.md` §7 and the `when` of §6 speak of a request by the names of its proto
//! fields, `user.user_id` for one. The layer that reads a request fills [`Fields`]; the judge
//! looks only here, so that it knows no protobuf.

use std::fmt;
use std::sync::Arc;

/// What one field holds.
///
/// `Debug` shows no text: among the fields of a request are tokens and passwords.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// The text of a `string` field.
    Text(String),
    /// A number, a boolean (0 or 1) or an enum's number. A `uint64` above `i64::MAX` counts as
    /// `i64::MAX`.
    Number(i64),
    /// A message, map, `bytes` or floating-point field that is present; no rule needs its value.
    /// Of a list each message is there, before its fields.
    Set,
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Number(number) => write!(f, "Number({number})"),
            Self::Set => f.write_str("Set"),
        }
    }
}

/// The facts of one request, keyed by the dotted path of proto field names.
///
/// A repeated field is there once per element under one path, in the order sent, so the paths of
/// an update mask are `texts("update_mask.paths")`. A field without presence that holds its zero
/// value is not there, whether or not it was sent.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Fields(Vec<(Arc<str>, Value)>);

impl Fields {
    /// No facts.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a fact under `path`, after those already there.
    pub fn push(&mut self, path: impl Into<Arc<str>>, value: Value) {
        self.0.push((path.into(), value));
    }

    /// Makes `text` the only fact under `path`: for defaults, such as the caller's own account.
    pub fn set_text(&mut self, path: &str, text: impl Into<String>) {
        self.0.retain(|(given, _)| **given != *path);
        self.0.push((path.into(), Value::Text(text.into())));
    }

    /// The first text under `path` that is not empty: no id and no name is.
    ///
    /// An empty element before others does not hide them, so a list cannot be made to look absent.
    pub fn text<'a>(&'a self, path: &str) -> Option<&'a str> {
        self.texts(path).find(|text| !text.is_empty())
    }

    /// Every text under `path`, the empty ones too.
    pub fn texts<'a>(&'a self, path: &str) -> impl Iterator<Item = &'a str> {
        self.at(path).filter_map(|value| match value {
            Value::Text(text) => Some(text.as_str()),
            Value::Number(_) | Value::Set => None,
        })
    }

    /// The first number, boolean or enum number under `path`.
    pub fn number(&self, path: &str) -> Option<i64> {
        self.at(path).find_map(|value| match value {
            Value::Number(number) => Some(*number),
            Value::Text(_) | Value::Set => None,
        })
    }

    /// Whether `path` was given. True also for an `optional` field that was given as empty or 0.
    pub fn has(&self, path: &str) -> bool {
        self.at(path).next().is_some()
    }

    /// The names of the fields given directly in the message at `prefix`, each once, in the order
    /// first seen; of the request itself with an empty `prefix`.
    pub fn under(&self, prefix: &str) -> Vec<&str> {
        let mut names = Vec::new();
        for (path, _) in &self.0 {
            let name = match prefix {
                "" => Some(&**path),
                _ => path.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.')),
            };
            if let Some(name) = name
                && !name.contains('.')
                && !names.contains(&name)
            {
                names.push(name);
            }
        }
        names
    }

    /// Every fact with its path, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(path, value)| (&**path, value))
    }

    /// Whether there are no facts.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn at<'a>(&'a self, path: &str) -> impl Iterator<Item = &'a Value> {
        self.0.iter().filter(move |(given, _)| **given == *path).map(|(_, value)| value)
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> Fields {
        let mut fields = Fields::new();
        fields.push("user", Value::Set);
        fields.push("user.user_id", Value::Text("usr_1".into()));
        fields.push("user.nick", Value::Text(String::new()));
        fields.push("user.settings", Value::Set);
        fields.push("user.settings.locale", Value::Text("de".into()));
        fields.push("user.roles", Value::Text("A".into()));
        fields.push("user.roles", Value::Text("B".into()));
        fields.push("users", Value::Set);
        fields.push("validate_only", Value::Number(1));
        fields
    }

    #[test]
    fn a_fact_is_found_by_its_whole_path_only() {
        let fields = fields();
        assert_eq!(fields.text("user.user_id"), Some("usr_1"));
        assert_eq!(fields.text("user_id"), None);
        assert_eq!(fields.text("user.user"), None);
        assert_eq!(fields.number("validate_only"), Some(1));
        assert_eq!(fields.number("user.user_id"), None);
        assert_eq!(fields.text("validate_only"), None);
        assert!(fields.has("user") && !fields.has("use"));
    }

    #[test]
    fn an_empty_text_is_given_but_says_nothing() {
        assert!(fields().has("user.nick"));
        assert_eq!(fields().text("user.nick"), None);
        assert_eq!(fields().texts("user.nick").collect::<Vec<_>>(), [""]);
    }

    #[test]
    fn a_repeated_text_keeps_every_element() {
        assert_eq!(fields().texts("user.roles").collect::<Vec<_>>(), ["A", "B"]);
        assert_eq!(fields().text("user.roles"), Some("A"));
    }

    #[test]
    fn an_empty_element_does_not_hide_those_after_it() {
        let mut fields = Fields::new();
        fields.push("roles", Value::Text(String::new()));
        fields.push("roles", Value::Text("ADMIN".into()));
        assert_eq!(fields.text("roles"), Some("ADMIN"));
    }

    #[test]
    fn the_names_under_a_message_are_its_own_fields_each_once() {
        let fields = fields();
        assert_eq!(fields.under("user"), ["user_id", "nick", "settings", "roles"]);
        assert_eq!(fields.under("user.settings"), ["locale"]);
        assert_eq!(fields.under("use"), [""; 0]);
        assert_eq!(fields.under(""), ["user", "users", "validate_only"]);
    }

    #[test]
    fn a_default_replaces_whatever_was_given() {
        let mut fields = fields();
        fields.set_text("user.roles", "C");
        fields.set_text("account_id", "acc_1");
        assert_eq!(fields.texts("user.roles").collect::<Vec<_>>(), ["C"]);
        assert_eq!(fields.text("account_id"), Some("acc_1"));
    }

    #[test]
    fn what_is_printed_holds_no_text() {
        let printed = format!("{:?}", fields());
        assert!(printed.contains("user.user_id") && !printed.contains("usr_1"), "{printed}");
    }
}
