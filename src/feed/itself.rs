//! What the program does by itself: nobody has called, so nobody's right is asked, and the ledger names no actor.

use std::pin::Pin;
use std::sync::Arc;

use super::{Error, Feed};
use crate::model::AccountId;
use crate::store::{self, Begun, Opening, Refusal, Tx};

/// How often a write is opened anew when the snapshot at hand was too old for it.
const TRIES: usize = 4;

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum NotDone {
    /// What is there forbids it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// What is there could not be read or written.
    #[error(transparent)]
    Feed(#[from] Error),
}

impl From<store::Error> for NotDone {
    fn from(error: store::Error) -> Self {
        Self::Refused(error.into())
    }
}

/// An act under way.
pub type Acting<'t, T> = Pin<Box<dyn Future<Output = Result<T, Refusal>> + Send + 't>>;

impl Feed {
    /// Makes a change that nobody has called for, and shows it here at once. An act that puts nothing writes nothing.
    ///
    /// It runs in a task of its own: a caller that goes away leaves no transaction open (`edges.md` §7). `what` stands in
    /// the ledger where a request's source would, unless it was one that gave rise to it.
    pub async fn change<T, A>(
        &self,
        tenant: AccountId,
        what: &'static str,
        source: Option<String>,
        act: A,
    ) -> Result<T, NotDone>
    where
        T: Send + 'static,
        A: for<'t> FnOnce(&'t mut Tx) -> Acting<'t, T> + Send + 'static,
    {
        let feed = self.clone();
        let source = source.unwrap_or_else(|| what.to_owned());
        let work = tokio::spawn(async move { feed.change_here(tenant, what, source, act).await });
        work.await.unwrap_or_else(|error| {
            tracing::error!(%error, what, "a change broke off");
            Err(Error::Stale.into())
        })
    }

    async fn change_here<T, A>(
        &self,
        tenant: AccountId,
        what: &'static str,
        source: String,
        act: A,
    ) -> Result<T, NotDone>
    where
        A: for<'t> FnOnce(&'t mut Tx) -> Acting<'t, T>,
    {
        let mut world = self.tenant(tenant).await?;
        let mut tries = 0;
        let mut tx = loop {
            let opening = Opening {
                tenant,
                there: Arc::clone(&world),
                home: Arc::clone(&world),
                actor: None,
                acting_as: None,
                source: source.clone(),
                rpc: what,
                request_id: None,
                body_mac: [0; 32],
                dry_run: false,
            };
            match self.inner.store.begin(opening).await {
                Ok(Begun::Fresh(tx)) => break tx,
                // Without a request's name there is nothing that it could repeat.
                Ok(Begun::Repeat(_)) => return Err(Error::Stale.into()),
                Err(
                    store::Error::Stale { .. }
                    | store::Error::Forked { .. }
                    | store::Error::Newer(_),
                ) if tries < TRIES => {
                    tries += 1;
                    world = self.fresh(tenant).await?;
                }
                Err(error) => return Err(error.into()),
            }
        };
        let done = act(&mut tx).await?;
        let committed = tx.commit(serde_json::Value::Null).await?;
        if committed.changed {
            self.publish(committed.snapshot).await;
        }
        Ok(done)
    }
}
