//! Rights documents: named, owned lists of what may be done on an account, its products and single resources
//! (`model.md` §5).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{AccountId, DocId, UserId};

/// What a document gives on one product.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductPermissions {
    /// The product, as its catalogue writes it.
    pub product: String,
    /// Actions, lower case.
    #[serde(default)]
    pub permissions: Vec<String>,
    /// Whether it also covers all resources of the product's types.
    #[serde(default)]
    pub cascade: bool,
}

/// What a document gives on one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourcePermissions {
    /// The type, lower case.
    pub resource_type: String,
    /// Which one; bytes as sent.
    pub resource_id: String,
    /// Actions, lower case.
    #[serde(default)]
    pub permissions: Vec<String>,
    /// Whether it also covers all that the resource contains.
    #[serde(default)]
    pub cascade: bool,
}

/// The three lists of permissions of a document. Nothing in them denies.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// Actions on the account and all in it, lower case.
    #[serde(default)]
    pub account_permissions: Vec<String>,
    /// On products.
    #[serde(default)]
    pub product_permissions: Vec<ProductPermissions>,
    /// On single resources.
    #[serde(default)]
    pub resource_permissions: Vec<ResourcePermissions>,
}

impl Body {
    /// Returns whether it gives nothing.
    pub fn is_empty(&self) -> bool {
        self.account_permissions.is_empty()
            && self.product_permissions.iter().all(|entry| entry.permissions.is_empty())
            && self.resource_permissions.iter().all(|entry| entry.permissions.is_empty())
    }

    /// Returns how many entries it has.
    pub fn len(&self) -> usize {
        usize::from(!self.account_permissions.is_empty())
            + self.product_permissions.len()
            + self.resource_permissions.len()
    }
}

/// A rights document of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RightsDocument {
    /// Its name for ever.
    pub id: DocId,
    /// Where it holds: there only, or, for a master document, in the whole tree of this main account.
    pub account: AccountId,
    /// Who wrote it, or got it since. Owning is not holding.
    pub owner: UserId,
    /// What people call it.
    pub name: String,
    /// Whether it also holds for everybody below those to whom it is assigned.
    pub cascade: bool,
    /// Whether it holds in every account of the tree.
    pub master: bool,
    /// What it gives.
    pub body: Body,
    /// When it was written.
    pub create_time: DateTime<Utc>,
    /// When it last changed.
    pub update_time: DateTime<Utc>,
}

/// One document given to one user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// What.
    pub document: DocId,
    /// To whom.
    pub user: UserId,
    /// The user's account.
    pub account: AccountId,
    /// When.
    pub create_time: DateTime<Utc>,
    /// By whom.
    pub created_by: Option<UserId>,
}

/// A document that a catalogue declares: in every account, of no owner, read-only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemDocument {
    /// Its name for ever, the same in every account.
    pub id: DocId,
    /// The catalogue that declares it.
    pub catalogue: String,
    /// Its `role_code`.
    pub code: String,
    /// What people call it.
    pub name: String,
    /// As of [`RightsDocument`].
    pub cascade: bool,
    /// As of [`RightsDocument`].
    pub master: bool,
    /// What it gives.
    pub body: Body,
}

impl DocId {
    /// Makes the id of a system document: of its names alone, so that it is the same everywhere and for ever.
    pub fn of_system(catalogue: &str, code: &str) -> Self {
        let name = format!("{catalogue}/{code}");
        Self(Uuid::new_v5(&SYSTEM_DOCUMENTS, name.as_bytes()))
    }

    /// Returns whether it is of the form of a system document's id.
    pub const fn is_system(&self) -> bool {
        self.0.get_version_num() == 5
    }
}

/// The namespace (RFC 9562 §5.5) that ids of system documents are made in.
const SYSTEM_DOCUMENTS: Uuid = Uuid::from_u128(0x0199_8a3c_5d10_7f2e_9a41_6b8d_2c73_e005);
