//! A call that goes on: of a stream nothing is settled by how it began (`edges.md` §6).

use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use tonic::{Code, Request, Status};

use super::gate::{Call, Gate};
use super::peer::Peer;
use crate::decision::{Access, Caller, Refused, Snapshot};

/// The headers that a credential stands in.
const CREDENTIALS: [&str; 2] = ["authorization", "x-auth-token"];

/// A call as it was let in, with what proves again and again who makes it.
#[derive(Clone)]
pub struct Standing {
    call: Call,
    credentials: HeaderMap,
    peer: Option<Peer>,
}

/// Without the credentials, which are kept from every log.
impl fmt::Debug for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Standing").field("call", &self.call).finish_non_exhaustive()
    }
}

/// Who goes on, and the newest snapshots that it was judged on.
#[derive(Debug)]
pub struct Still {
    /// Who calls, as its credential says now.
    pub caller: Caller,
    /// The caller's tenant.
    pub home: Arc<Snapshot>,
    /// The object's tenant.
    pub there: Arc<Snapshot>,
}

impl Standing {
    /// Takes from a request what its call goes on by; `None` where nobody has let it in.
    pub fn of<R>(request: &Request<R>) -> Option<Self> {
        let call = request.extensions().get::<Call>()?.clone();
        let headers = request.metadata().as_ref();
        let mut credentials = HeaderMap::new();
        for name in CREDENTIALS {
            for value in headers.get_all(name) {
                credentials.append(name, value.clone());
            }
        }
        Some(Self { call, credentials, peer: request.extensions().get::<Peer>().cloned() })
    }

    /// Returns the call as it was let in.
    pub const fn call(&self) -> &Call {
        &self.call
    }

    /// Tells whether the call may go on: whether its credential is good now, and its rule still lets it through.
    pub async fn still(&self, gate: &Gate) -> Result<Still, Status> {
        let Call { ask, source, workload, .. } = &self.call;
        // What was good when the connection was made may be over.
        let over = self.peer.as_ref().is_some_and(|peer| gate.clock.now() >= peer.not_after);
        let workload = workload.as_ref().filter(|_| !over);
        let caller = gate.credentials.of_request(&self.credentials, source, workload).await?;
        let judged = gate.judge(ask, &caller, &HeaderMap::new()).await;
        let ((home, there), _) = judged.map_err(|refused| self.told(refused))?;
        Ok(Still { caller, home, there })
    }

    /// That the object is there was told when the call was let in.
    fn told(&self, refused: Status) -> Status {
        match &self.call.ask.rule().access {
            Access::Checked { main, .. } if refused.code() == Code::NotFound => {
                Refused::Forbidden { permission: main.permission.to_string() }.into()
            }
            _ => refused,
        }
    }
}
