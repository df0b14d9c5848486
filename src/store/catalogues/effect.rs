//! What a new catalogue changes for whom, as a preview tells it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::DatabaseTransaction;

use super::uses::{self, CustomRoles};
use crate::decision::{Caller, Snapshot, sees_tenants};
use crate::model::catalogue::{Catalogue, Difference, Standing};
use crate::model::{AccountId, DocId, SystemDocument};
use crate::store::Error;

/// The most custom roles that are named; that there are others is told.
const MOST_CUSTOM: usize = 1_000;

/// What a new catalogue changes.
#[derive(Debug, Clone, Default)]
pub struct CatalogueEffect {
    /// The file's name.
    pub name: String,
    /// The file's version.
    pub version: u32,
    /// The version that it takes the place of.
    pub replaces: Option<u32>,
    /// Types that come.
    pub added_types: Vec<String>,
    /// Types that vanish.
    pub removed_types: Vec<String>,
    /// Permissions that come, sorted.
    pub added_permissions: Vec<String>,
    /// Permissions that vanish, sorted.
    pub removed_permissions: Vec<String>,
    /// Roles of catalogues that come, vanish or give something else; then custom ones that do.
    pub roles: Vec<RoleEffect>,
    /// Documents of catalogues that come, vanish or say something else.
    pub documents: Vec<DocumentEffect>,
    /// It concerns somebody whom the caller may not see, or more than are named here.
    pub others: bool,
}

/// What becomes of a role.
#[derive(Debug, Clone)]
pub struct RoleEffect {
    /// `catalogue/NAME`, or `rol_…`.
    pub role: String,
    /// Whose a custom one is.
    pub account: Option<AccountId>,
    /// Whether it comes, stays or vanishes.
    pub standing: Standing,
    /// What it gives more.
    pub gained: Vec<String>,
    /// What it gives less.
    pub lost: Vec<String>,
    /// How many users hold it.
    pub users: u64,
    /// How many accounts have it as their ceiling.
    pub accounts: u64,
}

/// What becomes of a document that is in every account.
#[derive(Debug, Clone)]
pub struct DocumentEffect {
    /// Its id.
    pub id: DocId,
    /// Its `role_code`.
    pub code: String,
    /// Whether it comes, stays or vanishes.
    pub standing: Standing,
    /// How many users have it.
    pub users: u64,
}

/// What an effect is worked out from.
pub(super) struct Surroundings<'a> {
    pub(super) db: &'a DatabaseTransaction,
    pub(super) home: &'a Snapshot,
    pub(super) caller: &'a Caller,
    pub(super) now: DateTime<Utc>,
}

impl Surroundings<'_> {
    /// Tells what becomes of everything, cut to what the caller sees: who holds what is for those who may read the roles of
    /// all tenants.
    pub(super) async fn effect(
        &self,
        new: &Arc<Catalogue>,
        customs: CustomRoles,
    ) -> Result<CatalogueEffect, Error> {
        let old = self.home.catalogue();
        let difference = Difference::new(old, new);
        let sees = sees_tenants(self.home, self.caller, "role.read", self.now);
        let mut effect = CatalogueEffect {
            added_types: difference.added_types(),
            removed_types: difference.removed_types(),
            added_permissions: difference.added_permissions(),
            removed_permissions: difference.removed_permissions(),
            ..CatalogueEffect::default()
        };
        for role in difference.roles() {
            let (users, accounts) = self.uses(&role.role).await?;
            effect.others |= !sees && users + accounts > 0;
            effect.roles.push(RoleEffect {
                role: role.role,
                account: None,
                standing: role.standing,
                gained: role.gained,
                lost: role.lost,
                users: if sees { users } else { 0 },
                accounts: if sees { accounts } else { 0 },
            });
        }
        let shown = if sees { MOST_CUSTOM } else { 0 };
        effect.others |= customs.others || customs.affected.len() > shown;
        for one in customs.affected.into_iter().take(shown) {
            let role = one.role.to_string();
            effect.roles.push(RoleEffect {
                users: uses::holders(self.db, &role, self.now, u64::MAX).await?,
                role,
                account: Some(one.account),
                standing: Standing::Kept,
                gained: one.gained,
                lost: one.lost,
                accounts: 0,
            });
        }
        for (document, standing) in documents(old, new) {
            let users = uses::assignees(self.db, document.id, u64::MAX).await?;
            effect.others |= !sees && users > 0;
            let (id, code) = (document.id, document.code.clone());
            let users = if sees { users } else { 0 };
            effect.documents.push(DocumentEffect { id, code, standing, users });
        }
        Ok(effect)
    }

    async fn uses(&self, role: &str) -> Result<(u64, u64), Error> {
        let users = uses::holders(self.db, role, self.now, u64::MAX).await?;
        Ok((users, uses::accounts(self.db, role).await?))
    }
}

fn documents<'a>(
    old: &'a Catalogue,
    new: &'a Catalogue,
) -> impl Iterator<Item = (&'a SystemDocument, Standing)> {
    let coming = new.system_documents().iter().filter_map(|document| {
        match old.system_document(document.id) {
            None => Some((document, Standing::Added)),
            Some(known) => (known != document).then_some((document, Standing::Kept)),
        }
    });
    let going = old.system_documents().iter();
    let going = going.filter(|document| new.system_document(document.id).is_none());
    coming.chain(going.map(|document| (document, Standing::Removed)))
}
