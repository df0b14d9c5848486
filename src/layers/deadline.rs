//! How long a request may take: what its caller grants, capped.

use std::time::Duration;

use http::{Request, Response};
use tonic::body::Body;

use super::status;

/// Streams that live as long as their watcher.
const UNBOUNDED: &[&str] = &[
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// The bounds of a request's time.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// For a caller that names none.
    pub default: Duration,
    /// However much the caller names.
    pub most: Duration,
}

impl Deadlines {
    /// Returns how long this request may take; `None` for the streams that are not bounded.
    pub(super) fn of(&self, request: &Request<Body>) -> Option<Duration> {
        if UNBOUNDED.contains(&request.uri().path()) {
            return None;
        }
        let named = request.headers().get("grpc-timeout").and_then(|v| parse(v.to_str().ok()?));
        Some(named.unwrap_or(self.default).min(self.most))
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
    limit: Option<Duration>,
    work: impl Future<Output = Response<Body>>,
) -> Response<Body> {
    match limit {
        None => work.await,
        Some(limit) => match tokio::time::timeout(limit, work).await {
            Ok(response) => response,
            Err(_) => status::deadline().into_http(),
        },
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
