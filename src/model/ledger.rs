//! What changes, as the ledger keeps it and as snapshots are kept current by it (`model.md` §8).

use serde::{Deserialize, Serialize};

use super::catalogue::CatalogueFile;
use super::{
    Account, AccountId, ApiToken, Assignment, CustomRole, Message, RightsDocument, RoleGrant,
    SigningKey, User, UserId,
};

/// A noun as it stood before or after a change. Holds no secret and no hash of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::large_enum_variant,
    reason = "an image is made, written and dropped; few are held at once"
)]
pub enum Image {
    /// An account.
    Account(Account),
    /// A user.
    User(User),
    /// A role on a user.
    RoleGrant(RoleGrant),
    /// A custom role.
    Role(CustomRole),
    /// An API token.
    ApiToken(ApiToken),
    /// A rights document.
    Document(RightsDocument),
    /// A rights document on a user.
    Assignment(Assignment),
    /// A catalogue file.
    Catalogue(CatalogueFile),
    /// A message to a user. That it was sent is told; what becomes of it is not.
    Message(Message),
    /// A key that access tokens are signed with; of the platform's tenant alone.
    SigningKey(SigningKey),
}

impl Image {
    /// Tells what the object is.
    pub const fn kind(&self) -> EntityKind {
        match self {
            Self::Account(_) => EntityKind::Account,
            Self::User(_) => EntityKind::User,
            Self::RoleGrant(_) => EntityKind::RoleGrant,
            Self::Role(_) => EntityKind::Role,
            Self::ApiToken(token) if token.key.is_some() => EntityKind::ServiceKey,
            Self::ApiToken(_) => EntityKind::ApiToken,
            Self::Document(_) => EntityKind::Document,
            Self::Assignment(_) => EntityKind::Assignment,
            Self::Catalogue(_) => EntityKind::Catalogue,
            Self::Message(_) => EntityKind::Message,
            Self::SigningKey(_) => EntityKind::SigningKey,
        }
    }

    /// Returns the object's id or, where it has none, what it is called; and the user whom it is about, if it is about one.
    pub fn ids(&self) -> (String, Option<UserId>) {
        match self {
            Self::Account(account) => (account.id.to_string(), None),
            Self::User(user) => (user.id.to_string(), Some(user.id)),
            Self::RoleGrant(grant) => (grant.role.to_string(), Some(grant.user)),
            Self::Role(role) => (role.id.to_string(), None),
            Self::ApiToken(token) => (token.named().1, Some(token.user)),
            Self::Document(document) => (document.id.to_string(), Some(document.owner)),
            Self::Assignment(one) => (one.document.to_string(), Some(one.user)),
            Self::Catalogue(file) => (file.name.clone(), None),
            Self::Message(message) => (message.id.to_string(), Some(message.user)),
            Self::SigningKey(key) => (key.id.to_string(), None),
        }
    }

    /// Names the object, e.g. `user/usr_…`: the ledger's `entity`.
    pub fn entity(&self) -> String {
        match self {
            Self::Account(account) => format!("account/{}", account.id),
            Self::User(user) => format!("user/{}", user.id),
            Self::RoleGrant(grant) => match &grant.scope {
                None => format!("user/{}/role/{}", grant.user, grant.role),
                Some(scope) => format!("user/{}/role/{}@{scope}", grant.user, grant.role),
            },
            Self::Role(role) => format!("role/{}", role.id),
            Self::ApiToken(token) if token.key.is_some() => {
                format!("service_key/{}", token.key_id())
            }
            Self::ApiToken(token) => format!("api_token/{}", token.id),
            Self::Document(document) => format!("rights_document/{}", document.id),
            Self::Assignment(one) => format!("user/{}/rights_document/{}", one.user, one.document),
            Self::Catalogue(file) => format!("catalogue/{}", file.name),
            Self::Message(message) => format!("user/{}/message/{}", message.user, message.id),
            Self::SigningKey(key) => format!("signing_key/{}", key.id),
        }
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $of:ident, $what:literal: $($name:ident = $text:literal;)*) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "each is documented by its text")]
        pub enum $of { $($name),* }

        impl $of {
            /// Every one that this program knows.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Returns its text.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }

        impl std::str::FromStr for $of {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                Self::ALL.iter().copied().find(|word| word.name() == text)
                    .ok_or_else(|| format!("`{text}` is no {} that this program knows", $what))
            }
        }
    };
}

pub(super) use words;

words! {
    /// What an object is, in the words of the audit.
    EntityKind, "kind of object":
    Account = "account";
    User = "user";
    RoleGrant = "role_grant";
    Role = "role";
    ApiToken = "api_token";
    ServiceKey = "service_key";
    Document = "rights_document";
    Assignment = "assignment";
    Catalogue = "catalogue";
    Message = "message";
    SigningKey = "signing_key";
}

words! {
    /// What was done, in the words of the audit: `entity.verb`.
    ChangeKind, "kind of change":
    AccountCreate = "account.create";
    AccountUpdate = "account.update";
    AccountSetRole = "account.set_role";
    AccountSuspend = "account.suspend";
    AccountResume = "account.resume";
    AccountClose = "account.close";
    AccountMove = "account.move";
    AccountQuarantine = "account.quarantine";
    AccountRelease = "account.release";
    TenantOpen = "tenant.open";
    UserCreate = "user.create";
    UserUpdate = "user.update";
    UserSetActive = "user.set_active";
    UserDelete = "user.delete";
    UserUndelete = "user.undelete";
    UserMove = "user.move";
    UserOffboard = "user.offboard";
    UserSendReset = "user.send_reset";
    UserLink = "user.link_identity";
    PasswordReset = "password.reset";
    PasswordChange = "password.change";
    RoleCreate = "role.create";
    RoleUpdate = "role.update";
    RoleDelete = "role.delete";
    RoleAssign = "role.assign";
    RoleRevoke = "role.revoke";
    TokenCreate = "api_token.create";
    TokenRotate = "api_token.rotate";
    TokenExpire = "api_token.expire";
    TokenDelete = "api_token.delete";
    TokenReportLeak = "api_token.report_leak";
    KeyCreate = "service_key.create";
    KeyDelete = "service_key.delete";
    DocumentCreate = "rights_document.create";
    DocumentUpdate = "rights_document.update";
    DocumentDelete = "rights_document.delete";
    DocumentHandOn = "rights_document.hand_on";
    DocumentAssign = "rights_document.assign";
    DocumentUnassign = "rights_document.unassign";
    SessionRevoke = "session.revoke";
    SessionRevokeAll = "session.revoke_all";
    SessionReuse = "session.reuse";
    UserAssume = "user.assume";
    SigningKeyCreate = "signing_key.create";
    SigningKeyRotate = "signing_key.rotate";
    SigningKeyRetire = "signing_key.retire";
    CatalogueApply = "catalogue.apply";
    Bootstrap = "bootstrap";
}

/// One change to one object: what a ledger entry holds of it.
///
/// `before` absent = it came to be; `after` absent = it is gone. Both name the same entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The account whose audit it belongs to.
    pub account: AccountId,
    /// What was done.
    pub kind: ChangeKind,
    /// The object before.
    pub before: Option<Image>,
    /// The object after.
    pub after: Option<Image>,
}

impl Change {
    /// Returns the name of the object that changed; empty for a change about nothing, which is never written.
    pub fn entity(&self) -> String {
        self.after.as_ref().or(self.before.as_ref()).map(Image::entity).unwrap_or_default()
    }
}
