use sea_orm::entity::prelude::*;
use sea_orm::{NotSet, Set};

use super::{read, word};
use crate::model::{SigningKey, SigningKeyId};
use crate::store::Error;

const TABLE: &str = "signing_keys";

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "signing_keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub algorithm: String,
    pub create_time: DateTimeUtc,
    pub activate_time: DateTimeUtc,
    pub retire_time: Option<DateTimeUtc>,
    /// The secret, encrypted under the master key.
    pub sealed: Vec<u8>,
}

/// Without the secret, encrypted as it is.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("id", &self.id).finish_non_exhaustive()
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for SigningKey {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        let id = SigningKeyId(row.id);
        Ok(Self {
            id,
            algorithm: read(TABLE, &id, row.algorithm.into())?,
            create_time: row.create_time,
            activate_time: row.activate_time,
            retire_time: row.retire_time,
        })
    }
}

impl TryFrom<SigningKey> for ActiveModel {
    type Error = Error;

    /// The secret is left as it is.
    fn try_from(key: SigningKey) -> Result<Self, Error> {
        Ok(Self {
            id: Set(key.id.0),
            algorithm: Set(word(TABLE, &key.algorithm)?),
            create_time: Set(key.create_time),
            activate_time: Set(key.activate_time),
            retire_time: Set(key.retire_time),
            sealed: NotSet,
        })
    }
}
