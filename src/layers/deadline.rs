//! How long a request may take: what its caller grants, capped.

use std::pin::pin;
use std::time::Duration;

use http::{Request, Response};
use tokio::time::Instant;
use tonic::body::Body;

use super::status;

/// Streams that live as long as their watcher.
const UNBOUNDED: &[&str] = &[
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// So much before its caller's patience ends a request does: `tonic` ends it by itself then, and says less.
const AHEAD: Duration = Duration::from_millis(1);

/// The bounds of a request's time.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// For a caller that names none.
    pub default: Duration,
    /// However much the caller names.
    pub most: Duration,
}

impl Deadlines {
    /// Returns until when a request that arrives now may take; `None` for the streams that are not bounded.
    pub(super) fn of(&self, request: &Request<Body>) -> Option<Instant> {
        if UNBOUNDED.contains(&request.uri().path()) {
            return None;
        }
        let named = request.headers().get("grpc-timeout").and_then(|v| parse(v.to_str().ok()?));
        let limit = named.unwrap_or(self.default).min(self.most);
        Some(Instant::now() + limit.saturating_sub(AHEAD))
    }
}

/// Reads `grpc-timeout`: at most eight digits and a unit.
fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

/// Answers `DEADLINE_EXCEEDED` in place of a response that does not come in time.
pub(super) async fn within(
    until: Option<Instant>,
    work: impl Future<Output = Response<Body>>,
) -> Response<Body> {
    match until {
        None => work.await,
        Some(until) => match by(until, work).await {
            Some(response) => response,
            None => status::deadline().into_http(),
        },
    }
}

/// Waits for work no longer than until then. Work that need not wait costs no timer.
pub(super) async fn by<T>(until: Instant, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    match futures::future::poll_immediate(work.as_mut()).await {
        // A timer takes a moment to tell what is over already, and `tonic` would be the first to say so.
        None if until <= Instant::now() => None,
        None => tokio::time::timeout_at(until, work).await.ok(),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_digits_and_a_unit() {
        assert_eq!(parse("10S"), Some(Duration::from_secs(10)));
        assert_eq!(parse("250m"), Some(Duration::from_millis(250)));
        for bad in ["", "S", "1", "123456789S", "-1S", "1x", "1é"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
