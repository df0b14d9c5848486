//! Following what changes, through whatever breaks a stream off.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic::{Code, Status, Streaming};

use super::{Client, NoReply};
use crate::proto::v1 as pb;

/// A server says something every second: one that has said nothing for so long is given up.
const SILENCE: Duration = Duration::from_secs(5);
/// How long to wait before another try, the first time and at most.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(10);
/// So long after it was last heard of, a state counts as current.
const CURRENT: Duration = Duration::from_secs(3);

/// What is told of an account's changes: each write once, whole, and in its order.
#[derive(Debug)]
pub struct Changes {
    client: Client,
    request: pb::WatchChangesRequest,
    stream: Option<Streaming<pb::WatchChangesResponse>>,
    /// Of a write that comes in parts, what has come of it.
    parts: Vec<pb::ChangedEntity>,
    pause: Duration,
}

impl Changes {
    /// Follows what a request asks for, from where it says.
    pub const fn of(client: Client, request: pb::WatchChangesRequest) -> Self {
        Self { client, request, stream: None, parts: Vec::new(), pause: FIRST }
    }

    /// Returns the next write, or heartbeat. Where the stream breaks off, another is opened behind what was returned last.
    ///
    /// Fails where trying again would not help: who asks may not, or the history that was followed is not there any more
    /// ([`NoReply::Lost`]).
    pub async fn next(&mut self) -> Result<pb::WatchChangesResponse, NoReply> {
        loop {
            match self.heard().await {
                Ok(message) if message.more => self.parts.extend(message.changes),
                Ok(mut message) => {
                    self.pause = FIRST;
                    message.changes.splice(0..0, self.parts.drain(..));
                    self.request.resume_after.clone_from(&message.consistency_token);
                    return Ok(message);
                }
                Err(status) => {
                    // What came of a write comes again, whole.
                    (self.stream, self.parts) = (None, Vec::new());
                    if !passes(status.code()) {
                        return Err(status.into());
                    }
                    tokio::time::sleep(self.pause).await;
                    self.pause = LONGEST.min(self.pause * 2);
                }
            }
        }
    }

    /// Forgets where it was: what comes next is told from now on.
    pub fn begin_anew(&mut self) {
        self.request.resume_after.clear();
    }

    async fn heard(&mut self) -> Result<pb::WatchChangesResponse, Status> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => self.stream.insert(self.client.watch(self.request.clone()).await?),
        };
        let heard = tokio::time::timeout(SILENCE, stream.message()).await;
        let heard = heard.map_err(|_| Status::unavailable("the server says nothing"))??;
        heard.ok_or_else(|| Status::unavailable("the stream has ended"))
    }
}

/// Tells whether another try may do better.
const fn passes(code: Code) -> bool {
    matches!(
        code,
        Code::Unavailable
            | Code::Aborted
            | Code::ResourceExhausted
            | Code::DeadlineExceeded
            | Code::Cancelled
            | Code::Unknown
            | Code::Internal
    )
}

/// A state that is known.
#[derive(Debug, Clone)]
pub struct Known {
    /// The revision of the account's tenant.
    pub revision: u64,
    /// Names the state; good as `at_least`.
    pub consistency_token: String,
    heard: Instant,
}

/// The newest states of accounts, kept current as long as this is there.
///
/// What was worked out at an older state than that of its account is out of date; what is not known may be.
#[derive(Debug)]
pub struct Revisions {
    known: watch::Receiver<BTreeMap<String, Known>>,
    _tasks: JoinSet<()>,
}

impl Revisions {
    /// Follows accounts, each with all below it that may be watched.
    pub fn follow(client: &Client, accounts: impl IntoIterator<Item = String>) -> Self {
        let (to, known) = watch::channel(BTreeMap::new());
        let (to, mut tasks) = (Arc::new(to), JoinSet::new());
        for account in accounts {
            let request = pb::WatchChangesRequest {
                account_id: account.clone(),
                subtree: true,
                resume_after: String::new(),
            };
            tasks.spawn(keep(Changes::of(client.clone(), request), account, Arc::clone(&to)));
        }
        Self { known, _tasks: tasks }
    }

    /// Returns the newest state of an account; `None` where that has not been heard of for a while.
    pub fn of(&self, account: &str) -> Option<Known> {
        let known = self.known.borrow();
        known.get(account).filter(|known| known.heard.elapsed() <= CURRENT).cloned()
    }

    /// Waits until something is heard of any of them.
    pub async fn heard(&mut self) {
        // As long as this is there, so are the tasks that tell.
        let _ = self.known.changed().await;
    }
}

/// Keeps one account current. What cannot be followed is not known, and is tried again after a while.
async fn keep(
    mut changes: Changes,
    account: String,
    to: Arc<watch::Sender<BTreeMap<String, Known>>>,
) {
    loop {
        match changes.next().await {
            Ok(message) => to.send_modify(|known| {
                let (revision, consistency_token) = (message.revision, message.consistency_token);
                let heard = Instant::now();
                known.insert(account.clone(), Known { revision, consistency_token, heard });
            }),
            Err(why) => {
                changes.begin_anew();
                to.send_modify(|known| drop(known.remove(&account)));
                if !matches!(why, NoReply::Lost(_)) {
                    tokio::time::sleep(LONGEST).await;
                }
            }
        }
    }
}
