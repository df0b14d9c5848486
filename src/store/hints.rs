//! What processes on Postgres tell one another: which tenants have just moved.
//!
//! No promise rests on a hint: what one does not hear of, its next poll finds. So none is sent inside a write's
//! transaction, where it would make all commits wait for one another (`edges.md` §4), and one that is lost is lost.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use sea_orm::sea_query::{Expr, Func, Query};
use sea_orm::sqlx::Executor as _;
use sea_orm::sqlx::postgres::PgListener;
use sea_orm::{ConnectionTrait as _, DatabaseConnection};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::config::{Engine, StoreConfig, Use};
use super::{Cause, Error, Head, Store};
use crate::model::{AccountId, Revision};

const CHANNEL: &str = "chancery";
/// What is committed within this time is told at one go.
const PAUSE: Duration = Duration::from_millis(20);
/// Tenants a notification; Postgres takes less than 8000 bytes. Of more it is only said that they are many.
const MOST: usize = 128;
const MANY: &str = "*";
/// Commits that wait to be told.
const QUEUE: usize = 4_096;
/// After a silence as long as this the connection is tried: one whose other end is gone is silent too.
const SILENCE: Duration = Duration::from_secs(30);
/// How long it may then take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What somebody says has moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// These tenants, at least to these revisions.
    Tenants(Vec<(AccountId, Revision)>),
    /// More tenants than can be named.
    Many,
}

/// Tells others, by and by, on a connection of its own.
#[derive(Debug)]
pub(super) struct Hints {
    db: DatabaseConnection,
    told: mpsc::Sender<Head>,
}

impl Hints {
    /// Begins to tell, where the database passes it on: SQLite does not.
    pub(super) async fn begin(config: &StoreConfig) -> Result<Option<Self>, Error> {
        if config.engine()? == Engine::Sqlite {
            return Ok(None);
        }
        let db = config.connect(Use::Hints).await?;
        let (told, heads) = mpsc::channel(QUEUE);
        tokio::spawn(tell(db.clone(), heads));
        Ok(Some(Self { db, told }))
    }

    /// Has it told that a tenant has moved; where too much is waiting already, it is not.
    pub(super) fn moved(&self, head: Head) {
        let _ = self.told.try_send(head);
    }

    pub(super) const fn connection(&self) -> &DatabaseConnection {
        &self.db
    }
}

/// Tells until the store is dropped.
async fn tell(db: DatabaseConnection, mut heads: mpsc::Receiver<Head>) {
    let mut moved = Vec::new();
    while heads.recv_many(&mut moved, QUEUE).await > 0 {
        let notify = Func::cust("pg_notify").args([CHANNEL.into(), written(moved.drain(..))]);
        if let Err(error) = db.execute(Query::select().expr(notify)).await {
            tracing::debug!(error = %Error::from(error), "could not tell others what has moved");
        }
        sleep(PAUSE).await;
    }
}

fn written(heads: impl Iterator<Item = Head>) -> Expr {
    // Of a tenant that moved twice the newer counts, which is the one told later.
    let moved: BTreeMap<Uuid, Revision> =
        heads.map(|head| (head.tenant.0, head.revision)).collect();
    if moved.len() > MOST {
        return Expr::val(MANY);
    }
    let mut text = String::new();
    for (tenant, revision) in moved {
        // Writing to a string does not fail.
        let _ = write!(text, "{}:{} ", tenant.simple(), revision.0);
    }
    Expr::val(text)
}

/// Reads a notification. What is not understood is left out: a newer version may say more.
fn read(text: &str) -> Hint {
    if text == MANY {
        return Hint::Many;
    }
    let moved = text.split_ascii_whitespace().filter_map(|pair| {
        let (tenant, revision) = pair.split_once(':')?;
        Some((AccountId(Uuid::try_parse(tenant).ok()?), Revision(revision.parse().ok()?)))
    });
    Hint::Tenants(moved.collect())
}

/// Hears what others tell.
#[derive(Debug)]
pub struct Listener(PgListener);

impl Store {
    /// Begins to listen, on a connection of its own; `None` on SQLite, where nobody tells anything.
    pub async fn listen(&self) -> Result<Option<Listener>, Error> {
        let Some(hints) = self.hints() else { return Ok(None) };
        let pool = hints.connection().get_postgres_connection_pool();
        let mut listener = PgListener::connect_with(pool).await?;
        // Whoever listens decides when to try again.
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        Ok(Some(Listener(listener)))
    }
}

impl Listener {
    /// Waits for the next hint. After an error nothing more is heard: listen anew.
    pub async fn next(&mut self) -> Result<Hint, Error> {
        loop {
            let Ok(heard) = timeout(SILENCE, self.0.try_recv()).await else {
                self.is_there().await?;
                continue;
            };
            let ended = || Error::Unavailable(Cause::of("the connection ended"));
            return Ok(read(heard?.ok_or_else(ended)?.payload()));
        }
    }

    async fn is_there(&mut self) -> Result<(), Error> {
        let answer = timeout(PATIENCE, self.0.execute("select 1")).await;
        answer.map_err(|_| Error::Unavailable(Cause::of("the connection is silent")))??;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(count: u128) -> impl Iterator<Item = Head> {
        (0..count).map(|n| {
            let (tenant, revision) = (AccountId(Uuid::from_u128(n % 200)), Revision(u64::MAX));
            Head { tenant, revision, hash: [0; 32] }
        })
    }

    fn text(expr: Expr) -> String {
        let Expr::Value(sea_orm::Value::String(Some(text))) = expr else { panic!("{expr:?}") };
        text
    }

    #[test]
    fn what_is_told_fits_a_notification_and_is_what_is_heard() {
        let told = text(written(heads(128)));
        assert!(told.len() < 8_000, "{}", told.len());
        let moved = heads(128).map(|head| (head.tenant, head.revision)).collect();
        assert_eq!(read(&told), Hint::Tenants(moved));
        assert_eq!(read(&text(written(heads(129)))), Hint::Many);
        assert_eq!(read("x y:z  :1"), Hint::Tenants(Vec::new()));
    }

    #[test]
    fn a_tenant_that_moved_twice_is_told_once() {
        let head = heads(1).next().unwrap();
        let told = text(written([Head { revision: Revision(6), ..head }, head].into_iter()));
        assert_eq!(read(&told), Hint::Tenants(vec![(head.tenant, head.revision)]));
    }
}
