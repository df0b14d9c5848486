//! Filters of users, as `ListUsers` takes them: AIP-160 as far as equality goes.
//!
//! `OR` binds closer than `AND`, as AIP-160 has it; words that join are in capitals.

use super::{Folded, User, UserKind, fold};

/// So deep parentheses and NOTs may stand in each other.
const DEPTH: usize = 8;

/// What a user must be to be listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserFilter(Filter);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    Is(Is),
}

/// One comparison, as equality.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Is {
    /// `None` = a text that is no name, so nobody's.
    UserName(Option<Folded>),
    FirstName(String),
    LastName(String),
    Email(String),
    Kind(UserKind),
    Enabled(bool),
    Sso(bool),
    Application(String),
}

impl UserFilter {
    /// Reads a filter, or says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let tokens = tokens(text)?;
        let mut reading = Reading { tokens: &tokens };
        let filter = reading.all(0)?;
        match reading.next() {
            None => Ok(Self(filter)),
            Some(token) => {
                Err(format!("{} stands where AND, OR or the end was expected", token.shown()))
            }
        }
    }

    /// Returns whether a user is to be listed.
    pub fn holds(&self, user: &User) -> bool {
        self.0.holds(user)
    }
}

impl Filter {
    fn holds(&self, user: &User) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(user)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(user)),
            Self::Not(part) => !part.holds(user),
            Self::Is(is) => is.holds(user),
        }
    }
}

impl Is {
    fn holds(&self, user: &User) -> bool {
        match self {
            Self::UserName(key) => key.is_some() && fold(&user.user_name).ok() == *key,
            Self::FirstName(name) => user.first_name == *name,
            Self::LastName(name) => user.last_name == *name,
            Self::Email(email) => user.email.as_deref().unwrap_or_default() == *email,
            Self::Kind(kind) => user.kind == *kind,
            Self::Enabled(enabled) => user.enabled == *enabled,
            Self::Sso(sso) => user.sso == *sso,
            Self::Application(id) => user.application.as_deref().unwrap_or_default() == *id,
        }
    }

    fn read(field: &str, value: String) -> Result<Self, String> {
        let truth = |value: &str| match value {
            "true" => Ok(true),
            "false" => Ok(false),
            other => Err(format!("{field} is true or false, not `{other}`")),
        };
        Ok(match field {
            "user_name" => Self::UserName(fold(&value).ok()),
            "first_name" => Self::FirstName(value),
            "last_name" => Self::LastName(value),
            "email" => Self::Email(value),
            "kind" => Self::Kind(kind(&value)?),
            "enabled" => Self::Enabled(truth(&value)?),
            "sso" => Self::Sso(truth(&value)?),
            "application_id" => Self::Application(value),
            other => {
                let known =
                    "user_name, first_name, last_name, email, kind, enabled, sso, application_id";
                return Err(format!("`{other}` is no field to filter by: {known}"));
            }
        })
    }
}

fn kind(text: &str) -> Result<UserKind, String> {
    match text.strip_prefix("USER_KIND_").unwrap_or(text) {
        "ADMIN" => Ok(UserKind::Admin),
        "SERVICE" => Ok(UserKind::Service),
        "APPLICATION" => Ok(UserKind::Application),
        other => Err(format!("kind is ADMIN, SERVICE or APPLICATION, not `{other}`")),
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    Equal,
    Unequal,
    Word(String),
    Quoted(String),
}

impl Token {
    fn shown(&self) -> String {
        match self {
            Self::Open => "`(`".to_owned(),
            Self::Close => "`)`".to_owned(),
            Self::Equal => "`=`".to_owned(),
            Self::Unequal => "`!=`".to_owned(),
            Self::Word(text) | Self::Quoted(text) => format!("`{text}`"),
        }
    }

    fn is(&self, word: &str) -> bool {
        matches!(self, Self::Word(text) if text == word)
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(first) = rest.next() {
        tokens.push(match first {
            ' ' | '\t' | '\n' | '\r' => continue,
            '(' => Token::Open,
            ')' => Token::Close,
            '=' => Token::Equal,
            '!' if rest.next_if_eq(&'=').is_some() => Token::Unequal,
            '"' | '\'' => Token::Quoted(quoted(&mut rest, first)?),
            first if is_plain(first) => {
                let mut word = String::from(first);
                while let Some(next) = rest.next_if(|next| is_plain(*next)) {
                    word.push(next);
                }
                Token::Word(word)
            }
            other => {
                return Err(format!(
                    "`{other}` cannot stand here: quote texts, compare with = or !="
                ));
            }
        });
    }
    Ok(tokens)
}

fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '@' | '+')
}

fn quoted(rest: &mut impl Iterator<Item = char>, quote: char) -> Result<String, String> {
    let mut text = String::new();
    while let Some(next) = rest.next() {
        match next {
            '\\' => text.extend(rest.next()),
            next if next == quote => return Ok(text),
            next => text.push(next),
        }
    }
    Err("a quoted text does not end".to_owned())
}

struct Reading<'t> {
    tokens: &'t [Token],
}

impl<'t> Reading<'t> {
    fn next(&mut self) -> Option<&'t Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.tokens.first().is_some_and(|token| token.is(word));
        if found {
            self.next();
        }
        found
    }

    fn all(&mut self, depth: usize) -> Result<Filter, String> {
        let mut parts = vec![self.any(depth)?];
        while self.take("AND") {
            parts.push(self.any(depth)?);
        }
        Ok(Filter::All(parts))
    }

    fn any(&mut self, depth: usize) -> Result<Filter, String> {
        let mut parts = vec![self.one(depth)?];
        while self.take("OR") {
            parts.push(self.one(depth)?);
        }
        Ok(Filter::Any(parts))
    }

    fn one(&mut self, depth: usize) -> Result<Filter, String> {
        if depth > DEPTH {
            return Err(format!("it nests deeper than {DEPTH}"));
        }
        if self.take("NOT") {
            return Ok(Filter::Not(Box::new(self.one(depth + 1)?)));
        }
        match self.next() {
            Some(Token::Open) => {
                let inner = self.all(depth + 1)?;
                match self.next() {
                    Some(Token::Close) => Ok(inner),
                    _ => Err("a parenthesis is not closed".to_owned()),
                }
            }
            Some(Token::Word(field)) => self.comparison(field),
            Some(token) => Err(format!("{} stands where a field was expected", token.shown())),
            None => Err("a comparison is missing at the end".to_owned()),
        }
    }

    fn comparison(&mut self, field: &str) -> Result<Filter, String> {
        let equal = match self.next() {
            Some(Token::Equal) => true,
            Some(Token::Unequal) => false,
            _ => return Err(format!("`{field}` is to be compared with = or !=")),
        };
        let value = match self.next() {
            Some(Token::Word(value) | Token::Quoted(value)) => value.clone(),
            _ => return Err(format!("`{field}` is compared with nothing")),
        };
        let is = Filter::Is(Is::read(field, value)?);
        Ok(if equal { is } else { Filter::Not(Box::new(is)) })
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::model::{AccountId, RegionalSettings, SessionMarks, UserId};

    fn ann() -> User {
        let then = DateTime::from_timestamp(0, 0).unwrap();
        User {
            id: UserId(Uuid::from_u128(1)),
            account: AccountId(Uuid::from_u128(2)),
            parent: None,
            kind: UserKind::Admin,
            user_name: "Ann@example.com".into(),
            first_name: "Ann".into(),
            last_name: "O'Hara".into(),
            full_name: String::new(),
            email: None,
            phone_number: String::new(),
            regional_settings: RegionalSettings::default(),
            enabled: true,
            sso: false,
            application: None,
            create_time: then,
            update_time: then,
            delete_time: None,
            session_marks: SessionMarks::default(),
            identity: None,
        }
    }

    #[test]
    fn filters_hold_for_whom_they_describe() {
        for (filter, holds) in [
            ("user_name = \"ANN@EXAMPLE.COM\"", true),
            ("user_name = ann@example.com", true),
            ("first_name = \"ann\"", false),
            ("last_name = 'O\\'Hara'", true),
            ("email = \"\"", true),
            ("kind = ADMIN AND enabled = true", true),
            ("kind = USER_KIND_SERVICE", false),
            ("kind != SERVICE", true),
            ("sso = true OR enabled = true", true),
            ("sso = true AND enabled = true", false),
            // OR binds closer than AND.
            ("enabled = true OR sso = true AND sso = true", false),
            ("enabled = true OR (sso = true AND sso = true)", true),
            ("NOT (kind = SERVICE OR kind = APPLICATION)", true),
            ("NOT NOT enabled = true", true),
            ("application_id = \"\"", true),
        ] {
            assert_eq!(UserFilter::parse(filter).unwrap().holds(&ann()), holds, "{filter}");
        }
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for bad in [
            "user_name",
            "user_name =",
            "= x",
            "password = x",
            "enabled = yes",
            "kind = ROBOT",
            "a = b c = d",
            "(enabled = true",
            "enabled = true)",
            "first_name > A",
            "AND",
            "\"x",
            "enabled = true and sso = true",
            "(((((((((enabled = true)))))))))",
            "NOT NOT NOT NOT NOT NOT NOT NOT NOT enabled = true",
            "!enabled",
            "()",
        ] {
            assert!(UserFilter::parse(bad).is_err(), "{bad}");
        }
        assert!(UserFilter::parse("((((((((enabled = true))))))))").is_ok());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,200}") {
            if let Ok(filter) = UserFilter::parse(&text) {
                filter.holds(&ann());
            }
        }
    }
}
