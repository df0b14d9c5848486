//! What goes on behind a stream: changes are fetched, judged, cut to what the reader reaches, and handed over one by one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Interval, MissedTickBehavior, interval_at};
use tonic::Status;
use tracing::Instrument as _;

use super::{BEAT, Seat, Streams, Told};
use crate::crypto::ConsistencyToken;
use crate::decision::may;
use crate::feed::{Step, Watching};
use crate::layers::{Gate, Standing, Still, status};
use crate::model::{AccountId, Named, ResourcePath, Revision};
use crate::store::Entry;

/// So many changes go into one message,
const PART: usize = 500;
/// and of what was hashed so many bytes, but for one change that has more: clients read four MiB unless they are told
/// otherwise.
const BYTES: usize = 512 << 10;

/// Where a message stands in its stream.
#[derive(Debug, Clone, Copy)]
pub(in crate::rpc) struct Mark {
    /// Goes on behind this message. Of a part of a revision that is not its last, it is what stands before the revision.
    pub(in crate::rpc) resume_after: ConsistencyToken,
    /// When the revision was made; of a heartbeat, when it was sent.
    pub(in crate::rpc) at: DateTime<Utc>,
    /// Whether it tells only how far the stream is.
    pub(in crate::rpc) heartbeat: bool,
    /// Whether more of the same revision comes.
    pub(in crate::rpc) more: bool,
}

impl Mark {
    /// Returns the revision that a message is about.
    pub(in crate::rpc) fn revision(&self) -> Revision {
        let stands = self.resume_after.revision;
        if self.more { stands.next() } else { stands }
    }
}

/// One stream of changes.
pub(in crate::rpc) struct Pump<M> {
    /// Whose, and by which right.
    pub(in crate::rpc) standing: Standing,
    /// Judges it.
    pub(in crate::rpc) gate: Arc<Gate>,
    /// What is followed.
    pub(in crate::rpc) watching: Watching,
    /// The account whose changes are wanted,
    pub(in crate::rpc) account: AccountId,
    /// and whether those of the accounts below are as well.
    pub(in crate::rpc) subtree: bool,
    /// Type and action that are asked for in each account.
    pub(in crate::rpc) right: (&'static str, &'static str),
    /// Makes a message of changes.
    pub(in crate::rpc) show: fn(&[&Entry], Mark) -> M,
}

/// Where messages go.
struct Outlet<M> {
    to: mpsc::Sender<M>,
    streams: Streams,
    beat: Interval,
}

impl<M: Send + 'static> Pump<M> {
    /// Begins the stream: its first message tells where it begins.
    pub(in crate::rpc) fn start(self, streams: &Streams, seat: Seat) -> Told<M> {
        // One at a time: whatever is sent was judged a moment before.
        let (to, messages) = mpsc::channel(1);
        let (tell, end) = oneshot::channel();
        let mut beat = interval_at(tokio::time::Instant::now() + BEAT, BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let outlet = Outlet { to, streams: streams.clone(), beat };
        let work = async move {
            let why = self.run(outlet).await;
            drop(seat);
            if let Err(why) = why {
                // That its reader is gone is no news.
                let _ = tell.send(why);
            }
        };
        tokio::spawn(work.in_current_span());
        Told { messages, end: Some(end) }
    }

    /// Goes on until something ends it; nothing is to be told where nobody reads any more.
    async fn run(mut self, mut outlet: Outlet<M>) -> Result<(), Status> {
        let closing = outlet.streams.closing();
        if !self.say_how_far(&mut outlet).await? {
            return Ok(());
        }
        loop {
            tokio::select! {
                biased;
                () = closing.clone() => return Err(self.ended()),
                () = outlet.to.closed() => return Ok(()),
                _ = outlet.beat.tick() => {
                    self.still().await?;
                    if !self.say_how_far(&mut outlet).await? {
                        return Ok(());
                    }
                }
                () = self.watching.moved() => {}
            }
            loop {
                let steps = self.watching.next().await?;
                if steps.is_empty() {
                    break;
                }
                for step in steps {
                    if !self.hand_over(&step, &mut outlet).await? {
                        return Ok(());
                    }
                    self.watching.pass(&step);
                }
            }
        }
    }

    async fn still(&self) -> Result<Still, Status> {
        self.standing.still(&self.gate).await
    }

    fn ended(&self) -> Status {
        status::stream_ended(&self.watching.here().to_string())
    }

    /// Tells how far the stream is.
    async fn say_how_far(&mut self, outlet: &mut Outlet<M>) -> Result<bool, Status> {
        let Some(room) = self.room(outlet).await? else { return Ok(false) };
        let resume_after = self.watching.token().await?;
        let at = self.gate.clock.now();
        room.send((self.show)(&[], Mark { resume_after, at, heartbeat: true, more: false }));
        Ok(true)
    }

    /// Hands one revision over, cut to what the reader reaches; returns whether anybody still reads.
    async fn hand_over(&self, step: &Step, outlet: &mut Outlet<M>) -> Result<bool, Status> {
        let at = step.entries.first().map_or_else(|| self.gate.clock.now(), |entry| entry.at);
        let mut left = step.entries.iter().peekable();
        loop {
            let Some(room) = self.room(outlet).await? else { return Ok(false) };
            // Now that there is room for it: at a state that shows this very revision.
            let still = self.still().await?;
            let mut reaches = self.reach(&still);
            let mut part = Vec::new();
            let mut bytes = 0;
            while let Some(entry) = left.next_if(|_| part.len() < PART && bytes < BYTES) {
                if reaches(entry.change.account) {
                    bytes += entry.body.len();
                    part.push(entry);
                }
            }
            let more = left.peek().is_some();
            let resume_after = if more { self.watching.here() } else { self.watching.after(step) };
            room.send((self.show)(&part, Mark { resume_after, at, heartbeat: false, more }));
            if !more {
                return Ok(true);
            }
        }
    }

    /// Returns what tells whether changes of an account are for this reader, by the rights of now.
    fn reach<'s>(&'s self, still: &'s Still) -> impl FnMut(AccountId) -> bool + 's {
        let (kind, action) = self.right;
        let permission = format!("{kind}.{action}");
        let now = self.gate.clock.now();
        let mut known: HashMap<AccountId, bool> = HashMap::new();
        move |account| {
            let Still { caller, home, there } = still;
            *known.entry(account).or_insert_with(|| {
                let wanted = account == self.account
                    || (self.subtree && there.is_above(self.account, account));
                let path = ResourcePath::account(account).with(kind, Named::Any);
                wanted && may(caller, home, there, &permission, &path, now)
            })
        }
    }

    /// Waits for room for one message; `None` where nobody reads any more. Whoever waits for long is judged all the same.
    async fn room<'o>(
        &self,
        outlet: &'o mut Outlet<M>,
    ) -> Result<Option<mpsc::Permit<'o, M>>, Status> {
        let Outlet { to, streams, beat } = outlet;
        let (closing, until) = (streams.closing(), Instant::now() + streams.patience);
        loop {
            tokio::select! {
                biased;
                room = to.reserve() => return Ok(room.ok()),
                () = closing.clone() => return Err(self.ended()),
                () = tokio::time::sleep_until(until.into()) => {
                    metrics::counter!("chancery_watch_stalls_total").increment(1);
                    return Err(status::stream_stalled(&self.watching.here().to_string()));
                }
                _ = beat.tick() => {
                    self.still().await?;
                }
            }
        }
    }
}
