use sea_orm::Set;
use sea_orm::entity::prelude::*;

use super::corrupt;
use crate::model::catalogue::CatalogueFile;
use crate::store::Error;

const TABLE: &str = "catalogue_files";

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "catalogue_files")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub version: i32,
    pub yaml: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl TryFrom<Model> for CatalogueFile {
    type Error = Error;

    fn try_from(row: Model) -> Result<Self, Error> {
        let version = u32::try_from(row.version).map_err(|why| corrupt(TABLE, &row.name, &why))?;
        Ok(Self { name: row.name, version, yaml: row.yaml })
    }
}

impl TryFrom<CatalogueFile> for ActiveModel {
    type Error = Error;

    fn try_from(file: CatalogueFile) -> Result<Self, Error> {
        let version =
            i32::try_from(file.version).map_err(|why| corrupt(TABLE, &file.name, &why))?;
        Ok(Self { name: Set(file.name), version: Set(version), yaml: Set(file.yaml) })
    }
}
