//! Assignments as they are kept now.

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};

use crate::model::{AccountId, Assignment, DocId, UserId};
use crate::store::rows::assignment;
use crate::store::{Error, Store};

impl Store {
    /// Finds who of these users has a document by assignment, in the order of their ids.
    pub async fn assignments(
        &self,
        tenant: AccountId,
        document: DocId,
        users: &[UserId],
    ) -> Result<Vec<Assignment>, Error> {
        if users.is_empty() {
            return Ok(Vec::new());
        }
        let rows = assignment::Entity::find()
            .filter(assignment::Column::TenantId.eq(tenant.0))
            .filter(assignment::Column::DocumentId.eq(document.0))
            .filter(assignment::Column::UserId.is_in(users.iter().map(|id| id.0)))
            .all(self.credentials())
            .await?;
        let mut found: Vec<Assignment> = rows.into_iter().map(Assignment::from).collect();
        found.sort_unstable_by_key(|one| one.user);
        Ok(found)
    }
}
