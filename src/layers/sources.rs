//! Where a request comes from, also behind proxies.
//!
//! `X-Forwarded-For` is believed as far as trusted proxies wrote it: the source is its rightmost hop that is none of them
//! (`edges.md` §5). What stands further left, anybody may have written.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use http::{HeaderMap, Request};
use tonic::body::Body;
use tonic::transport::server::TcpConnectInfo;

const FORWARDED: &str = "x-forwarded-for";

/// The proxies that are trusted to say for whom they ask.
#[derive(Debug, Clone, Default)]
pub struct Sources(Vec<Network>);

/// An address, or all that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    base: IpAddr,
    bits: u32,
}

/// A text that names no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither an address nor a network, such as `10.0.0.7` or `10.0.0.0/8`")]
pub struct BadNetwork(String);

impl FromStr for Network {
    type Err = BadNetwork;

    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let bad = || BadNetwork(text.to_owned());
        let (base, bits) = match text.split_once('/') {
            Some((base, bits)) => (base, Some(bits.parse::<u32>().map_err(|_| bad())?)),
            None => (text, None),
        };
        let base: IpAddr = base.parse().map_err(|_| bad())?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        if bits > most { Err(bad()) } else { Ok(Self { base, bits }) }
    }
}

impl Network {
    fn has(self, address: IpAddr) -> bool {
        let differ = match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                (base.to_bits() ^ address.to_bits()).leading_zeros()
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                (base.to_bits() ^ address.to_bits()).leading_zeros()
            }
            _ => return false,
        };
        differ >= self.bits
    }
}

impl Sources {
    /// Trusts proxies, each an address or a network.
    pub fn trusting(proxies: &[String]) -> Result<Self, BadNetwork> {
        proxies.iter().map(|text| text.parse()).collect::<Result<_, _>>().map(Self)
    }

    /// Says where a request comes from: an address without a port; empty where there is none.
    pub(super) fn of(&self, request: &Request<Body>) -> String {
        let info = request.extensions().get::<TcpConnectInfo>();
        let peer = info.and_then(|info| info.remote_addr).map(|peer| peer.ip().to_canonical());
        peer.map(|peer| self.before(peer, request.headers()).to_string()).unwrap_or_default()
    }

    /// Tells whether an address is that of a trusted proxy.
    pub(super) fn has(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.has(address))
    }

    /// Walks from the peer back to the first hop that is not trusted.
    pub fn before(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut from = peer;
        let values: Vec<&str> =
            headers.get_all(FORWARDED).iter().map(|value| value.to_str().unwrap_or("?")).collect();
        let hops = values.iter().rev().flat_map(|value| value.rsplit(','));
        for hop in hops {
            let trusted = self.has(from);
            // Whoever is trusted and yet writes no address is where the trail ends.
            let Some(before) = address(hop.trim()).filter(|_| trusted) else { break };
            from = before;
        }
        from
    }
}

fn address(hop: &str) -> Option<IpAddr> {
    let ip = hop.parse().or_else(|_| hop.parse().map(|socket: SocketAddr| socket.ip()));
    ip.ok().map(|ip: IpAddr| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn source(trusted: &[&str], peer: &str, forwarded: &[&'static str]) -> String {
        let trusted: Vec<String> = trusted.iter().map(|text| (*text).to_owned()).collect();
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED, HeaderValue::from_static(value));
        }
        let sources = Sources::trusting(&trusted).unwrap();
        sources.before(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn what_nobody_trusted_wrote_is_not_believed() {
        assert_eq!(source(&[], "192.0.2.1", &["198.51.100.9"]), "192.0.2.1");
        assert_eq!(source(&["10.0.0.0/8"], "192.0.2.1", &["198.51.100.9"]), "192.0.2.1");
        let trusted = ["10.0.0.0/8", "fd00::/8"];
        assert_eq!(source(&trusted, "10.1.2.3", &["198.51.100.9"]), "198.51.100.9");
        let spoofed = ["203.0.113.5, 198.51.100.9"];
        assert_eq!(source(&trusted, "10.1.2.3", &spoofed), "198.51.100.9");
    }

    #[test]
    fn the_rightmost_hop_that_is_no_proxy_is_the_source() {
        let trusted = ["10.0.0.0/8", "fd00::/8"];
        let chain = ["203.0.113.5, 198.51.100.9, 10.9.9.9"];
        assert_eq!(source(&trusted, "10.1.2.3", &chain), "198.51.100.9");
        let headers = ["203.0.113.5", "198.51.100.9:4711, [fd00::7]:80"];
        assert_eq!(source(&trusted, "fd00::1", &headers), "198.51.100.9");
        assert_eq!(source(&trusted, "10.1.2.3", &["::ffff:198.51.100.9"]), "198.51.100.9");
        assert_eq!(source(&trusted, "10.1.2.3", &["10.7.7.7"]), "10.7.7.7", "all are trusted");
    }

    #[test]
    fn the_trail_ends_where_no_address_is() {
        let trusted = ["10.0.0.0/8"];
        assert_eq!(source(&trusted, "10.1.2.3", &["198.51.100.9, unknown, 10.2.2.2"]), "10.2.2.2");
        assert_eq!(source(&trusted, "10.1.2.3", &[""]), "10.1.2.3");
        assert_eq!(source(&trusted, "10.1.2.3", &[]), "10.1.2.3");
    }

    #[test]
    fn a_network_is_its_first_bits() {
        let has = |network: &str, address: &str| {
            network.parse::<Network>().unwrap().has(address.parse().unwrap())
        };
        assert!(has("10.0.0.0/8", "10.255.0.1") && !has("10.0.0.0/8", "11.0.0.1"));
        assert!(has("0.0.0.0/0", "1.2.3.4") && !has("0.0.0.0/0", "::1"));
        assert!(has("::1", "::1") && !has("::1", "::2"));
        for bad in ["", "x", "10.0.0.0/33", "10.0.0.0/-1", "::/129", "10.0.0/8"] {
            assert_eq!(bad.parse::<Network>(), Err(BadNetwork(bad.to_owned())));
        }
    }
}
