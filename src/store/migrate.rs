//! The schema: bringing it up to date, once, whoever else tries at the same time.

use std::collections::HashSet;

use migrations::Migrator;
use sea_orm::sea_query::{Expr, Func, Query};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, EntityTrait as _};
use sea_orm_migration::{
    IntoSchemaManagerConnection, MigratorTrait as _, SchemaManager, seaql_migrations as applied,
};

use super::config::{Engine, StoreConfig, Use};
use super::rows::{corrupt, service_state};
use super::{Error, Store, immediate};

/// Names this program's migrations among all users of advisory locks on the server.
const LOCK: i64 = 0x6368_616e_6365_7279;

/// What this version can read. The store says from which on it can be read (`edges.md` §7).
const READER: u32 = 1;

impl Store {
    /// Brings the schema up to date. Of several processes that start together one does it, the others wait.
    ///
    /// All steps are one transaction: the schema is the old one or the new one. A schema newer than this
    /// program is left as it is.
    pub async fn migrate(&self) -> Result<(), Error> {
        if self.engine() == Engine::Sqlite {
            return self.migrate_on(self.writes()).await;
        }
        // Not through the pool for writes: its sessions give up waiting after two seconds.
        let own = self.config().connect(Use::Migration).await?;
        let done = self.migrate_on(&own).await;
        own.close().await?;
        done
    }

    async fn migrate_on(&self, db: &DatabaseConnection) -> Result<(), Error> {
        let tx = immediate(db).await?;
        if self.engine() == Engine::Postgres {
            let lock = Func::cust("pg_advisory_xact_lock").arg(Expr::val(LOCK));
            tx.query_one(Query::select().expr(lock)).await?;
        }
        if !pending(&tx).await?.is_empty() {
            Migrator::up(&tx, None).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Counts the steps that the schema of a store lacks that is not open: to ask makes nothing, be it only a file.
    pub async fn lacks(config: &StoreConfig) -> Result<usize, Error> {
        if !config.exists()? {
            return Ok(Migrator::migrations().len());
        }
        let db = config.connect(Use::Probe).await?;
        let pending = pending(&db).await;
        db.close().await?;
        Ok(pending?.len())
    }

    /// Names the steps that the schema lacks.
    pub async fn pending_migrations(&self) -> Result<Vec<String>, Error> {
        pending(self.loads()).await
    }

    /// Tells whether the store can serve, on a connection of its own: it is reachable, its schema is up to
    /// date, and it was not written by a version that this one cannot read.
    pub async fn probe(&self) -> Result<(), Error> {
        let db = self.probe_connection();
        let pending = pending(db).await?.len();
        if pending > 0 {
            return Err(Error::NotMigrated { pending });
        }
        readable(db).await
    }
}

async fn pending<'c>(db: impl IntoSchemaManagerConnection<'c>) -> Result<Vec<String>, Error> {
    let ours = Migrator::migrations();
    let mut done = HashSet::new();
    let schema = SchemaManager::new(db);
    if schema.has_table("seaql_migrations").await? {
        let rows = applied::Entity::find().all(schema.get_connection()).await?;
        done.extend(rows.into_iter().map(|row| row.version));
    }
    let names = ours.iter().map(|step| step.name().to_owned());
    Ok(names.filter(|name| !done.contains(name)).collect())
}

async fn readable(db: &DatabaseConnection) -> Result<(), Error> {
    let Some(row) = service_state::Entity::find_by_id("min_reader").one(db).await? else {
        return Ok(());
    };
    let least: u32 =
        row.value.parse().map_err(|why| corrupt("service_state", &"min_reader", &why))?;
    if least > READER {
        return Err(Error::Newer(format!("it can be read from version {least} on")));
    }
    Ok(())
}
