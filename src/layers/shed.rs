//! Places: how many requests are worked on at once. Who finds none is told at once, with when to try again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Request;
use tonic::Status;
use tonic::body::Body;

use super::status;

/// One place. Leaving is dropping.
#[derive(Debug)]
pub(super) struct Place(Places);

/// The places of a process. Nobody waits for one, so that a number is all there is to them.
#[derive(Debug, Clone)]
pub struct Places {
    free: Arc<AtomicUsize>,
}

impl Places {
    /// Makes `count` places.
    pub fn new(count: usize) -> Self {
        Self { free: Arc::new(AtomicUsize::new(count)) }
    }

    /// Takes a place; health checks need none, so that a full house is not taken for a dead one.
    pub(super) fn take(&self, request: &Request<Body>) -> Result<Option<Place>, Status> {
        if request.uri().path().starts_with("/grpc.health.") {
            return Ok(None);
        }
        let one_less = |free: usize| free.checked_sub(1);
        let taken = self.free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
        taken.map(|_| Some(Place(self.clone()))).map_err(|_| status::overloaded())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.free.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_so_many_places_and_who_leaves_makes_room() {
        let places = Places::new(2);
        let to = |path: &str| Request::builder().uri(path).body(Body::empty()).unwrap();
        let [first, _second] = ["/a", "/b"].map(|path| places.take(&to(path)).unwrap());
        assert!(places.take(&to("/c")).is_err());
        assert!(places.take(&to("/grpc.health.v1.Health/Check")).unwrap().is_none());
        drop(first);
        assert!(places.take(&to("/c")).unwrap().is_some());
    }
}
