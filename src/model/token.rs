//! API tokens, and the keys of service users, as the rest of the service knows them: never the secret, nor its hash (`model.md` §9).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{AccountId, KeyId, PublicKey, TokenId, UserId};

/// One API token of one user, or one key: the same credential, but for how it is shown that one has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiToken {
    /// Its public accessor id.
    pub id: TokenId,
    /// Whose rights it carries.
    pub user: UserId,
    /// The user's account.
    pub account: AccountId,
    /// What people call it; two live ones may share a non-empty name.
    pub display_name: String,
    /// The limits asked for, as given: patterns, `role:NAME`, `ReadAccounts`, `*`. Empty = all that its user may.
    pub scopes: Vec<String>,
    /// The patterns of `scopes` as they expanded when it was minted, plus `*` and `role:…` as they are.
    pub expanded: Vec<String>,
    /// Who minted it; `None` = the bootstrap.
    pub created_by: Option<UserId>,
    /// Who made the first of the tokens that it was made with, one by one, where that is not `created_by`: a token with
    /// which its own user makes the next is still known to whoever made it, and so may be the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<UserId>,
    /// When it was minted.
    pub create_time: DateTime<Utc>,
    /// From this instant on it is worth nothing; `None` = until deleted.
    pub expire_time: Option<DateTime<Utc>>,
    /// Of a key, its public half; `None` = a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PublicKey>,
}

impl ApiToken {
    /// Returns what a key is called.
    pub const fn key_id(&self) -> KeyId {
        KeyId(self.id.0)
    }

    /// Returns the resource type that it is, and what it is called as such.
    pub fn named(&self) -> (&'static str, String) {
        match self.key {
            None => ("api_token", self.id.to_string()),
            Some(_) => ("service_key", self.key_id().to_string()),
        }
    }

    /// Returns who may know it, besides its user; `None` = nobody else, as of what the bootstrap made.
    pub fn maker(&self) -> Option<UserId> {
        self.origin.or(self.created_by)
    }
}
