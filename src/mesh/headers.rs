//! The headers of a request that a proxy holds.

use std::net::IpAddr;

use envoy_types::pb::envoy::config::core::v3::address::Address;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::answer::{ACCOUNT, REVISION, USER};

/// Headers by which some servers take another method for the one that was sent.
const OVERRIDES: [&str; 3] = ["x-http-method", "x-http-method-override", "x-method-override"];
/// Whatever begins so is ours to say.
const OURS: &str = "x-chancery";

/// Why the headers are not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadHeaders {
    /// A name or a value that HTTP does not know.
    #[error("a header is none of HTTP")]
    Malformed,
    /// Another method than the request's own.
    #[error("a header overrides the method")]
    Override,
}

/// Reads the headers, in whichever of its two forms the proxy sends them; pseudo-headers are left out.
pub fn inbound(http: &HttpRequest) -> Result<HeaderMap, BadHeaders> {
    let mut headers = HeaderMap::new();
    let joined = http.headers.iter().map(|(name, value)| (name, value.as_bytes()));
    let raw = http.header_map.iter().flat_map(|map| &map.headers).map(|header| {
        let value = if header.raw_value.is_empty() {
            header.value.as_bytes()
        } else {
            header.raw_value.as_slice()
        };
        (&header.key, value)
    });
    for (name, value) in joined.chain(raw).filter(|(name, _)| !name.starts_with(':')) {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| BadHeaders::Malformed)?;
        let value = HeaderValue::from_bytes(value).map_err(|_| BadHeaders::Malformed)?;
        headers.append(name, value);
    }
    if overrides(&headers) { Err(BadHeaders::Override) } else { Ok(headers) }
}

/// Returns whether a header says that another method is meant than the one that was sent.
pub fn overrides(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| OVERRIDES.contains(&plain(name).as_str()))
}

/// Lists the headers that nobody behind the proxy may see as they were sent: all that pass for ours, and of ours those that
/// this answer does not set.
pub(super) fn spoofed(headers: &HeaderMap, set: &[&str]) -> Vec<String> {
    let ours = headers.keys().filter(|name| plain(name).starts_with(OURS)).map(HeaderName::as_str);
    let mut all: Vec<String> = ours
        .chain([USER, ACCOUNT, REVISION])
        .filter(|name| !set.contains(name))
        .map(str::to_owned)
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Some servers read `_` in a name as `-`.
fn plain(name: &HeaderName) -> String {
    name.as_str().replace('_', "-")
}

/// Returns whether a credential may be two that a proxy has joined.
pub(super) fn joins_credentials(headers: &HeaderMap) -> bool {
    let values =
        ["authorization", "x-auth-token"].into_iter().flat_map(|name| headers.get_all(name));
    let mut bytes = values.flat_map(HeaderValue::as_bytes);
    bytes.any(|byte| *byte == b',')
}

/// Returns the address that a request came from to the proxy.
pub(super) fn address(peer: &Peer) -> Option<IpAddr> {
    match peer.address.as_ref()?.address.as_ref()? {
        Address::SocketAddress(socket) => socket.address.parse().ok(),
        _ => None,
    }
}
