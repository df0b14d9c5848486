//! The very first write: the one that makes the platform's own tenant.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ConnectionTrait as _, EntityTrait as _, QueryTrait as _};

use super::rows::{number, service_state, tenant};
use super::tx::Opening;
use super::{Error, ROOT, Store, Tx, immediate};
use crate::crypto::chain;

impl Store {
    /// Opens the bootstrap's write, or nothing if there has been one, be its users gone or not.
    ///
    /// `opening.there` is a snapshot without accounts, at revision 0 and with [`chain::first`] of the tenant
    /// for its head; the root account is the first thing to put. Of several processes one gets in.
    pub async fn begin_first(&self, opening: Opening) -> Result<Option<Box<Tx>>, Error> {
        let root = opening.tenant;
        let (request, there) = opening.first();
        let fits = there.tenant() == root
            && there.revision().0 == 0
            && *there.head() == chain::first(&root.to_string());
        if !fits {
            return Err(Error::Forked { tenant: root });
        }
        let place = self.places().take(root).await?;
        let db = immediate(self.writes()).await?;
        let mark =
            service_state::ActiveModel { key: Set(ROOT.to_owned()), value: Set(root.to_string()) };
        let mut mark = service_state::Entity::insert(mark).into_query();
        mark.on_conflict(OnConflict::column(service_state::Column::Key).do_nothing().to_owned());
        if db.execute(&mark).await?.rows_affected() == 0 {
            db.rollback().await?;
            return Ok(None);
        }
        let now = self.clock().now();
        let row = tenant::ActiveModel {
            id: Set(root.0),
            revision: Set(number(there.revision().next())?),
            hash: Set(there.head().to_vec()),
            last_at: Set(now),
        };
        tenant::Entity::insert(row).exec_without_returning(&db).await?;
        let mut tx = Tx::new(db, self.clone(), request, (*there).clone(), now);
        tx.place = Some(place);
        Ok(Some(Box::new(tx)))
    }
}
