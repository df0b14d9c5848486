use sea_orm::entity::prelude::*;

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "outbox")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: Option<Uuid>,
    pub kind: String,
    pub return_uri: String,
    pub digest: Vec<u8>,
    pub create_time: DateTimeUtc,
    pub expire_time: DateTimeUtc,
    /// When it is sent, or tried again; absent: it was sent, or need not be.
    pub next_time: Option<DateTimeUtc>,
    pub tries: i32,
    /// When its link was used, or made worthless.
    pub end_time: Option<DateTimeUtc>,
}

/// Without the digest, which is kept from every log.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("id", &self.id).finish_non_exhaustive()
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
