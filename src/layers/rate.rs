//! How many changes one principal may make in a minute (`model.md` §10, `RATE_LIMITED`).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use moka::sync::Cache;
use tonic::Status;

use super::status;
use crate::model::UserId;

const MINUTE: Duration = Duration::from_mins(1);

/// A bucket a principal: it holds a minute's worth and fills steadily.
#[derive(Debug)]
pub struct ChangeRate {
    per_minute: u32,
    buckets: Cache<UserId, Arc<Mutex<Bucket>>>,
}

#[derive(Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl ChangeRate {
    /// Allows `per_minute` changes to each principal; 0 = as many as it likes.
    pub fn new(per_minute: u32) -> Self {
        let buckets = Cache::builder().max_capacity(100_000).time_to_idle(2 * MINUTE).build();
        Self { per_minute, buckets }
    }

    /// Counts one change, or says when the next one is welcome.
    pub(super) fn take(&self, user: UserId) -> Result<(), Status> {
        if self.per_minute == 0 {
            return Ok(());
        }
        let full = f64::from(self.per_minute);
        let bucket = self
            .buckets
            .get_with(user, || Arc::new(Mutex::new(Bucket { left: full, at: Instant::now() })));
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
