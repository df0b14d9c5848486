//! Places: how many requests are worked on at once. Who finds none is told at once, with when to try again.

use std::sync::Arc;

use http::Request;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;
use tonic::body::Body;

use super::status;

/// One place. Leaving is dropping.
pub(super) type Place = OwnedSemaphorePermit;

/// The places of a process.
#[derive(Debug, Clone)]
pub struct Places {
    free: Arc<Semaphore>,
}

impl Places {
    /// Makes `count` places.
    pub fn new(count: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(count)) }
    }

    /// Takes a place; health checks need none, so that a full house is not taken for a dead one.
    pub(super) fn take(&self, request: &Request<Body>) -> Result<Option<Place>, Status> {
        if request.uri().path().starts_with("/grpc.health.") {
            return Ok(None);
        }
        Arc::clone(&self.free).try_acquire_owned().map(Some).map_err(|_| status::overloaded())
    }
}
