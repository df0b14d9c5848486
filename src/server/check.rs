//! Asks a server how it is, for containers whose probe is a command.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tonic::transport::Endpoint;
use tonic::{Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::outside::{NoTls, Secure};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// Nobody listens, or not in time.
    #[error("nobody answers at `{0}`")]
    Unreachable(SocketAddr, #[source] tonic::transport::Error),
    /// Who the server should be, or who we are.
    #[error(transparent)]
    Tls(#[from] NoTls),
    /// Somebody listens who does not know, or does not say.
    #[error("`{0}` answers {1}")]
    Refused(SocketAddr, String),
}

/// Returns the address at which a server that listens on `listen` is reached from its own machine.
pub fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// Returns whether `service` serves at `address`; the empty name is the whole server. In plain text, unless `secure`.
pub async fn check(
    address: SocketAddr,
    secure: Option<&Secure>,
    service: &str,
    patience: Duration,
) -> Result<bool, NoAnswer> {
    let unreachable = |error| NoAnswer::Unreachable(address, error);
    let scheme = if secure.is_some() { "https" } else { "http" };
    let endpoint = Endpoint::from_shared(format!("{scheme}://{address}"))
        .map_err(unreachable)?
        .connect_timeout(patience)
        .timeout(patience);
    let channel = match secure {
        Some(secure) => endpoint.connect_with_connector(secure.connector()?).await,
        None => endpoint.connect().await,
    };
    let channel = channel.map_err(unreachable)?;
    let request = Request::new(HealthCheckRequest { service: service.to_owned() });
    let refused = |status: Status| {
        NoAnswer::Refused(address, format!("{:?}: {}", status.code(), status.message()))
    };
    let reply = HealthClient::new(channel).check(request).await.map_err(refused)?;
    Ok(reply.into_inner().status() == ServingStatus::Serving)
}
