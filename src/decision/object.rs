//! Which object a path is about, to tell whether the caller may know of it.

use crate::model::{AccountId, Named, ResourcePath, UserId};

/// The object of a rule: the last stored pair of its path that is not `-` (`model.md` §10).
pub(super) enum Object {
    Account(AccountId),
    User(String),
    Role(String),
    Token(String),
    Key(String),
    Document(String),
}

impl Object {
    pub(super) fn name(self) -> (&'static str, String) {
        match self {
            Self::Account(id) => ("account", id.to_string()),
            Self::User(id) => ("user", id),
            Self::Role(id) => ("role", id),
            Self::Token(id) => ("token", id),
            Self::Key(id) => ("service_key", id),
            Self::Document(id) => ("rights_document", id),
        }
    }
}

pub(super) fn object_of(path: &ResourcePath) -> Object {
    let under_user = path.pairs.iter().any(|pair| pair.kind == "user");
    path.pairs
        .iter()
        .rev()
        .find_map(|pair| {
            let Named::Id(id) = &pair.named else { return None };
            match pair.kind.as_str() {
                "user" => Some(Object::User(id.clone())),
                "application_user" if id.parse::<UserId>().is_ok() => {
                    Some(Object::User(id.clone()))
                }
                // On a user, a role is seen where the user is.
                "role" if !under_user => Some(Object::Role(id.clone())),
                "api_token" => Some(Object::Token(id.clone())),
                "service_key" => Some(Object::Key(id.clone())),
                "rights_document" => Some(Object::Document(id.clone())),
                _ => None,
            }
        })
        .unwrap_or(Object::Account(path.account))
}
