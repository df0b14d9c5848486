//! Streams of changes: as many as there is room for, each judged anew all the time, and each ended in good time.

mod pump;

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::FutureExt as _;
use futures::Stream;
use futures::future::{BoxFuture, Shared};
use tokio::sync::{mpsc, oneshot};
use tonic::Status;

use crate::layers::status;
use crate::model::UserId;

pub(super) use pump::{Mark, Pump};

/// Streams at once, of all principals and of one (`edges.md` §6).
const MOST: usize = 1_000;
const MOST_OF_ONE: usize = 8;
/// Each says so often how far it is, and is judged at least so often.
const BEAT: Duration = Duration::from_secs(1);

/// The streams of a process. Cheap to copy.
#[derive(Clone)]
pub struct Streams {
    open: Arc<Mutex<Open>>,
    /// Comes to pass when the server closes.
    closing: Shared<BoxFuture<'static, ()>>,
    patience: Duration,
}

impl std::fmt::Debug for Streams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Streams").field("open", &self.open).finish_non_exhaustive()
    }
}

/// How many there are.
#[derive(Debug, Default)]
struct Open {
    all: usize,
    of: HashMap<UserId, usize>,
}

/// One stream's place among them. Leaving is dropping.
#[derive(Debug)]
pub(super) struct Seat {
    streams: Arc<Mutex<Open>>,
    user: UserId,
}

impl Streams {
    /// Makes room for streams that end when `closing` comes to pass, or when nothing is read from them for `patience`.
    pub fn new(closing: impl Future<Output = ()> + Send + 'static, patience: Duration) -> Self {
        Self { open: Arc::default(), closing: closing.boxed().shared(), patience }
    }

    fn closing(&self) -> Shared<BoxFuture<'static, ()>> {
        self.closing.clone()
    }

    /// Takes a place for somebody's stream, or says that there is none.
    pub(super) fn take(&self, user: UserId) -> Result<Seat, Status> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.all >= MOST {
            return Err(status::too_many_streams("at once"));
        }
        let mine = open.of.entry(user).or_default();
        if *mine >= MOST_OF_ONE {
            return Err(status::too_many_streams("of one caller"));
        }
        *mine += 1;
        open.all += 1;
        open.show();
        drop(open);
        Ok(Seat { streams: Arc::clone(&self.open), user })
    }
}

impl Open {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a double; there are a thousand")]
    fn show(&self) {
        metrics::gauge!("chancery_watch_streams").set(self.all as f64);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        open.all = open.all.saturating_sub(1);
        if let Some(mine) = open.of.get_mut(&self.user) {
            *mine = mine.saturating_sub(1);
            if *mine == 0 {
                open.of.remove(&self.user);
            }
        }
        open.show();
    }
}

/// What a stream's reader reads: messages, and at last why there are no more.
#[derive(Debug)]
pub struct Told<M> {
    messages: mpsc::Receiver<M>,
    end: Option<oneshot::Receiver<Status>>,
}

impl<M> Stream for Told<M> {
    type Item = Result<M, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(message) = ready!(self.messages.poll_recv(context)) {
            return Poll::Ready(Some(Ok(message)));
        }
        let Some(end) = &mut self.end else { return Poll::Ready(None) };
        let why = ready!(end.poll_unpin(context));
        self.end = None;
        // Without a reason it broke off.
        Poll::Ready(Some(Err(why.unwrap_or_else(|_| status::internal()))))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn user(n: u128) -> UserId {
        UserId(Uuid::from_u128(n))
    }

    #[test]
    fn one_has_eight_and_all_have_a_thousand_and_they_come_back() {
        let streams = Streams::new(std::future::pending(), BEAT);
        let mine: Vec<Seat> = (0..MOST_OF_ONE).map(|_| streams.take(user(0)).unwrap()).collect();
        assert!(streams.take(user(0)).is_err());
        let others: Vec<Seat> = (1..).map_while(|n| streams.take(user(n)).ok()).collect();
        assert_eq!(mine.len() + others.len(), MOST);
        drop(mine);
        assert!(streams.take(user(0)).is_ok());
        drop(others);
        assert!(streams.open.lock().unwrap().of.is_empty());
    }
}
