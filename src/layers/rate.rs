//! How much one principal may change in a minute, and how often one source may sign in (`model.md` §10, `RATE_LIMITED`).

use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use moka::sync::Cache;
use tonic::Status;

use super::status;

const MINUTE: Duration = Duration::from_mins(1);

/// A bucket for each who is counted: it holds a minute's worth and fills steadily.
#[derive(Debug)]
pub struct Rate<K: Hash + Eq + Send + Sync + 'static> {
    per_minute: u32,
    buckets: Cache<K, Arc<Mutex<Bucket>>>,
}

#[derive(Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl<K: Hash + Eq + Send + Sync + 'static> Rate<K> {
    /// Allows each so many a minute; 0 = as many as it likes.
    pub fn new(per_minute: u32) -> Self {
        let buckets = Cache::builder().max_capacity(100_000).time_to_idle(2 * MINUTE).build();
        Self { per_minute, buckets }
    }

    /// Counts one more, or says when the next one is welcome.
    pub fn take(&self, who: K) -> Result<(), Status> {
        if self.per_minute == 0 {
            return Ok(());
        }
        let full = f64::from(self.per_minute);
        let bucket = self
            .buckets
            .get_with(who, || Arc::new(Mutex::new(Bucket { left: full, at: Instant::now() })));
        let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let per_second = full / MINUTE.as_secs_f64();
        bucket.left = (bucket.left + bucket.at.elapsed().as_secs_f64() * per_second).min(full);
        bucket.at = Instant::now();
        if bucket.left < 1.0 {
            let wait = Duration::from_secs_f64((1.0 - bucket.left) / per_second);
            return Err(status::rate_limited(wait));
        }
        bucket.left -= 1.0;
        Ok(())
    }
}
