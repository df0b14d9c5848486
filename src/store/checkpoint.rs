//! What stands for the entries of a ledger that were pruned, as it is kept: whoever reads it sees whether it is true.

use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict, Query};
use sea_orm::{
    ActiveValue::Set, ConnectionTrait, DatabaseTransaction, EntityTrait as _, QueryTrait as _,
};

use super::rows::{checkpoint, number, revision};
use super::{Error, Store};
use crate::crypto::{BadCheckpoint, HeadKey, SignedCheckpoint};
use crate::model::{AccountId, Revision};

/// The table, as faults name it.
pub(super) const TABLE: &str = "ledger_checkpoints";

/// A checkpoint as it is kept, whatever it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptCheckpoint {
    /// Whose ledger.
    pub tenant: AccountId,
    /// The last revision that it is said to stand for.
    pub revision: Revision,
    /// The text that is said to be signed.
    pub text: String,
    /// What is said to be the signature.
    pub signature: String,
}

impl KeptCheckpoint {
    /// Reads it, without a look at who has signed it.
    pub fn read(&self) -> Result<SignedCheckpoint, BadCheckpoint> {
        SignedCheckpoint::unverified(&self.text, &self.signature)
    }

    /// Reads it where it is this tenant's and, where one is given, a key has signed it.
    pub fn verified(&self, key: Option<&HeadKey>) -> Result<SignedCheckpoint, BadCheckpoint> {
        let signed = match key {
            Some(key) => key.open_checkpoint(&self.text, &self.signature)?,
            None => self.read()?,
        };
        let account = signed.checkpoint.account;
        if account == self.tenant { Ok(signed) } else { Err(BadCheckpoint::OtherLedger(account)) }
    }
}

impl TryFrom<checkpoint::Model> for KeptCheckpoint {
    type Error = Error;

    fn try_from(row: checkpoint::Model) -> Result<Self, Error> {
        let tenant = AccountId(row.tenant_id);
        let revision = revision(TABLE, &tenant, row.revision)?;
        Ok(Self { tenant, revision, text: row.body, signature: row.signature })
    }
}

impl Store {
    /// Returns what stands for the pruned entries of a tenant's ledger; `None` where none were pruned.
    pub async fn checkpoint(&self, tenant: AccountId) -> Result<Option<KeptCheckpoint>, Error> {
        find(self.credentials(), tenant).await
    }

    /// Returns the last revision of a tenant's ledger that was pruned, as the store says; 0 where none was.
    pub async fn pruned_to(&self, tenant: AccountId) -> Result<Revision, Error> {
        let kept = self.checkpoint(tenant).await?;
        Ok(kept.map(|kept| kept.revision).unwrap_or_default())
    }
}

/// Finds a tenant's checkpoint.
pub(super) async fn find<C: ConnectionTrait>(
    db: &C,
    tenant: AccountId,
) -> Result<Option<KeptCheckpoint>, Error> {
    let row = checkpoint::Entity::find_by_id(tenant.0).one(db).await?;
    row.map(KeptCheckpoint::try_from).transpose()
}

/// Puts a checkpoint in the place of the one that was found; `false` where there is another by now, or one at all.
pub(super) async fn replace(
    db: &DatabaseTransaction,
    found: Option<Revision>,
    signed: &SignedCheckpoint,
) -> Result<bool, Error> {
    let tenant = signed.checkpoint.account;
    let to = number(signed.checkpoint.revision)?;
    let done = match found {
        None => {
            let row = checkpoint::ActiveModel {
                tenant_id: Set(tenant.0),
                revision: Set(to),
                body: Set(signed.text.clone()),
                signature: Set(signed.signature.clone()),
            };
            let mut insert = checkpoint::Entity::insert(row).into_query();
            insert.on_conflict(OnConflict::new().do_nothing().to_owned());
            db.execute(&insert).await?
        }
        Some(found) => {
            let update = Query::update()
                .table(checkpoint::Entity)
                .value(checkpoint::Column::Revision, to)
                .value(checkpoint::Column::Body, signed.text.as_str())
                .value(checkpoint::Column::Signature, signed.signature.as_str())
                .and_where(Expr::col(checkpoint::Column::TenantId).eq(tenant.0))
                .and_where(Expr::col(checkpoint::Column::Revision).eq(number(found)?))
                .to_owned();
            db.execute(&update).await?
        }
    };
    Ok(done.rows_affected() == 1)
}
