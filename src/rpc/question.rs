//! Reads what is asked about: names, each fault with its field (`model.md` §6 step 0, `edges.md` §3).

use tonic::Status;

use crate::decision::{Snapshot, Subject};
use crate::layers::status;
use crate::model::catalogue::{Catalogue, Permission};
use crate::model::{AccountId, Named, Pair, ResourcePath, UserId, decode_id, fold};
use crate::proto::v1 as pb;

/// The longest name, id or path that is looked at.
const LONGEST: usize = 4096;

/// Who is asked about, as named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SubjectName {
    /// A user, by id.
    User(UserId),
    /// A user of the caller's account, by name.
    UserName(String),
    /// An account.
    Account(AccountId),
    /// Whose credential this is.
    Token(String),
    /// A name that nothing can have.
    Nobody,
}

impl SubjectName {
    /// Returns the id that it is, where it is one.
    pub(super) const fn id(&self) -> Option<Subject> {
        match self {
            Self::User(id) => Some(Subject::User(*id)),
            Self::Account(id) => Some(Subject::Account(*id)),
            Self::UserName(_) | Self::Token(_) | Self::Nobody => None,
        }
    }

    /// Returns the credential that it is, where it is one.
    pub(super) fn credential(&self) -> Option<&str> {
        match self {
            Self::Token(text) => Some(text),
            Self::User(_) | Self::UserName(_) | Self::Account(_) | Self::Nobody => None,
        }
    }
}

fn bad(reason: &'static str, field: &str, why: impl Into<String>) -> Status {
    status::bad_field(reason, field, why)
}

/// Reads the subject. A credential goes before an id; whether both name one principal is for the caller to see.
pub(super) fn subject(
    subject: Option<&pb::Subject>,
) -> Result<(SubjectName, Option<SubjectName>), Status> {
    let Some(subject) = subject else {
        return Err(bad("INVALID_FIELD", "subject", "is required"));
    };
    if subject.id.len() > LONGEST || subject.token.len() > 2 * LONGEST {
        return Err(bad("INVALID_FIELD", "subject", "is too long"));
    }
    let kind = subject.r#type.to_ascii_lowercase();
    let id = || match kind.as_str() {
        // As the proto says: where only an id is set, it is a user's.
        "user" | "" => Ok(subject.id.parse().map_or_else(
            |_| match fold(&subject.id) {
                Ok(name) => SubjectName::UserName(name.into_string()),
                Err(_) => SubjectName::Nobody,
            },
            SubjectName::User,
        )),
        "account" => Ok(subject.id.parse().map_or(SubjectName::Nobody, SubjectName::Account)),
        "token" => Ok(SubjectName::Token(subject.id.clone())),
        _ => Err(bad("INVALID_FIELD", "subject.type", "must be user, account or token")),
    };
    match (subject.token.is_empty(), subject.id.is_empty()) {
        (true, true) => Err(bad("INVALID_FIELD", "subject.id", "is required")),
        (true, false) => Ok((id()?, None)),
        (false, true) if matches!(kind.as_str(), "user" | "token" | "") => {
            Ok((SubjectName::Token(subject.token.clone()), None))
        }
        (false, true) => Err(bad("INVALID_FIELD", "subject.type", "must be user or token")),
        (false, false) => Ok((SubjectName::Token(subject.token.clone()), Some(id()?))),
    }
}

/// Reads the resource: a path, or an id in the subject's account.
pub(super) fn resource(
    catalogue: &Catalogue,
    resource: Option<&pb::Resource>,
    account: Option<AccountId>,
    helpful: bool,
) -> Result<ResourcePath, Status> {
    let Some(resource) = resource else {
        return Err(bad("INVALID_FIELD", "resource", "is required"));
    };
    if resource.id.is_empty() {
        return Err(bad("INVALID_FIELD", "resource.id", "is required"));
    }
    if resource.id.len() > LONGEST {
        return Err(bad("INVALID_PATH", "resource.id", "is too long"));
    }
    let invalid = |why: String| bad("INVALID_PATH", "resource.id", why);
    let kind = resource.r#type.to_ascii_lowercase();
    if kind.is_empty() {
        return Err(bad("INVALID_FIELD", "resource.type", "is required"));
    }
    if catalogue.kind(&kind).is_none() {
        let nearest = near(catalogue, &format!("{kind}.read"), helpful);
        let why = format!("`{}` is no resource type{nearest}", resource.r#type);
        return Err(bad("UNKNOWN_PERMISSION", "resource.type", why));
    }
    let begins = resource.id.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("account/"));
    let path: ResourcePath = if begins {
        resource.id.parse().map_err(|error: crate::model::BadPath| invalid(error.to_string()))?
    } else if kind == "account" {
        let id =
            resource.id.parse().map_err(|error: crate::model::BadId| invalid(error.to_string()))?;
        ResourcePath::account(id)
    } else {
        if resource.id.contains('/') {
            return Err(invalid(
                "a path begins with `account/`, and `/` in an id is written %2F".to_owned(),
            ));
        }
        let named = decode_id(&resource.id).map_err(|error| invalid(error.to_string()))?;
        // Of nobody's account there is nothing to name; nobody holds anything there either.
        let account = account.unwrap_or(AccountId(uuid::Uuid::nil()));
        ResourcePath { account, pairs: vec![Pair { kind: kind.clone(), named }] }
    };
    if path.kind() != kind {
        let why = format!("ends in `{}`, but resource.type is `{kind}`", path.kind());
        return Err(invalid(why));
    }
    catalogue.check_containment(&path).map_err(invalid)?;
    Ok(path)
}

/// Finds the nearest names, which takes long: a request is helped so only a few times.
fn near(catalogue: &Catalogue, text: &str, helpful: bool) -> String {
    let names = if helpful { catalogue.nearest_permissions(text) } else { Vec::new() };
    if names.is_empty() { String::new() } else { format!("; near it: {}", names.join(", ")) }
}

/// Reads the action on a resource: `read`, or `gate.read` with the resource's own type.
///
/// A qualified action of a type that lies in the resource's asks about one of that type that is not named.
pub(super) fn action(
    catalogue: &Catalogue,
    action: Option<&pb::Action>,
    path: ResourcePath,
    helpful: bool,
) -> Result<(Permission, ResourcePath), Status> {
    let name = action.map(|action| action.name.to_ascii_lowercase()).unwrap_or_default();
    if name.is_empty() {
        return Err(bad("INVALID_FIELD", "action.name", "is required"));
    }
    if name.len() > LONGEST {
        return Err(bad("INVALID_FIELD", "action.name", "is too long"));
    }
    let (kind, verb) = match name.split_once('.') {
        Some((kind, verb)) => (kind.to_owned(), verb.to_owned()),
        None => (path.kind().to_owned(), name.clone()),
    };
    let unknown = || {
        let full = format!("{kind}.{verb}");
        let nearest = near(catalogue, &full, helpful);
        let why = format!("`{full}` is no permission{nearest}");
        bad("UNKNOWN_PERMISSION", "action.name", why)
    };
    let permission = catalogue.permission(&kind, &verb).ok_or_else(unknown)?;
    if kind == path.kind() {
        return Ok((permission, path));
    }
    let inside = catalogue.kind(&kind).is_some_and(|k| k.parents.iter().any(|p| p == path.kind()));
    if !inside {
        let why = format!("`{kind}` is neither resource.type nor a type that lies in it");
        return Err(bad("INVALID_FIELD", "action.name", why));
    }
    let path = path.with(&kind, Named::Any);
    Ok((permission, path))
}

/// Finds a user by its folded name.
pub(super) fn by_name(world: &Snapshot, account: AccountId, name: &str) -> Option<UserId> {
    let id = world.named(account, &fold(name).ok()?)?;
    world.user(id).map(|user| user.id)
}
