//! What becomes of the documents of an owner who goes (`model.md` §3, Deleting).

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};

use super::small_enough;
use crate::decision::Caller;
use crate::model::{Change, ChangeKind, Image, RightsDocument, UserId};
use crate::store::rows::rights_document;
use crate::store::{Error, Refusal, Tx};

/// Owners asked for in one statement.
const OWNERS: usize = 1_000;

impl Tx {
    /// Hands the documents of users who are gone to `heir`, else to the nearest living user above each, else to the caller.
    ///
    /// Returns how many documents were handed on. `TOO_LARGE`.
    pub(in crate::store) async fn hand_on_documents(
        &mut self,
        caller: &Caller,
        owners: &[UserId],
        heir: Option<UserId>,
    ) -> Result<usize, Refusal> {
        let mut documents = Vec::new();
        let owning: Vec<UserId> = owners
            .iter()
            .copied()
            .filter(|owner| self.world().owned(*owner).next().is_some())
            .collect();
        for owners in owning.chunks(OWNERS) {
            let theirs = rights_document::Column::OwnerId.is_in(owners.iter().map(|id| id.0));
            // An operator's may lie in other tenants as well, where this write has no business.
            let here = rights_document::Column::TenantId.eq(self.world().tenant().0);
            let rows = rights_document::Entity::find().filter(theirs).filter(here);
            let rows = rows.all(&self.db).await;
            for row in rows.map_err(Error::from)? {
                documents.push(RightsDocument::try_from(row)?);
            }
        }
        small_enough(documents.len())?;
        let count = documents.len();
        for old in documents {
            let world = self.world();
            let above = world.ancestors(old.owner).find(|user| user.exists());
            let owner = heir.or_else(|| above.map(|user| user.id)).unwrap_or(caller.user);
            let new = RightsDocument { owner, update_time: self.now(), ..old.clone() };
            let (account, kind) = (old.account, ChangeKind::DocumentHandOn);
            let (before, after) = (Some(Image::Document(old)), Some(Image::Document(new)));
            self.put(Change { account, kind, before, after })?;
        }
        Ok(count)
    }
}
