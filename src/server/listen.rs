//! Taking connections: not too many from one source, none that stays silent, and all of them gone when time is up.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::net::{self, IpAddr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Request;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::server::TlsStream;
use tonic::body::Body;
use tonic::transport::server::{Connected, TcpConnectInfo};

use super::cores::{Cores, OnCore};
use super::phase::{Phase, Phases};
use super::tls::{self, Tls};
use crate::layers::Peer;

/// How long to wait when the system gives no connection: it has no file descriptor left, most likely.
const RECOVER: Duration = Duration::from_millis(100);

/// One listener and what it demands.
#[derive(Debug)]
pub(super) struct Listening {
    /// Where.
    pub(super) listener: TcpListener,
    /// How the figures call it.
    pub(super) name: &'static str,
    /// The phase at which it takes no more.
    pub(super) until: Phase,
    /// Connections at once from one source.
    pub(super) per_source: usize,
    /// How long a connection may be silent at first, and its handshake may last.
    pub(super) first_byte: Duration,
    /// How it is encrypted; `None` = not at all.
    pub(super) tls: Option<Arc<Tls>>,
}

/// Takes connections in a task of its own, until the listener's phase is reached or nobody receives them. Each goes to one of
/// `cores`, in the order of which what receives them is returned.
pub(super) fn connections(
    listening: Listening,
    cores: Arc<Cores>,
    phases: Phases,
) -> Vec<mpsc::Receiver<Conn>> {
    let (found, taken) = cores.runtimes().map(|_| mpsc::channel(64)).unzip();
    tokio::spawn(async move {
        let until = phases.clone().reached(listening.until);
        tokio::select! {
            () = until => {}
            () = take(&listening, &cores, &phases, found) => {}
        }
    });
    taken
}

async fn take(
    listening: &Listening,
    cores: &Cores,
    phases: &Phases,
    found: Vec<mpsc::Sender<Conn>>,
) {
    let sources = Sources { name: listening.name, most: listening.per_source, ..Sources::new() };
    // Those that have not said anything yet; dropped, and so closed, with the listener.
    let mut silent = JoinSet::new();
    while !found.iter().any(mpsc::Sender::is_closed) {
        while silent.try_join_next().is_some() {}
        let (io, peer) = match listening.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "no connection could be taken");
                tokio::time::sleep(RECOVER).await;
                continue;
            }
        };
        let Some(place) = sources.take(peer.ip()) else {
            refused("source");
            continue;
        };
        let Some((nth, runtime, core)) = cores.take() else { return };
        let Some(found) = found.get(nth).cloned() else { return };
        let (patience, tls, phases) = (listening.first_byte, listening.tls.clone(), phases.clone());
        let place = (place, core);
        let beginning = async move {
            match tokio::time::timeout(patience, begun(io, tls)).await {
                Ok(Ok(Some(io))) => drop(found.send(Conn::new(io, peer, place, phases)).await),
                Ok(Ok(None)) => {}
                Ok(Err(error)) => {
                    // Whoever it was, it is told by the alert that was sent.
                    tracing::debug!(%error, %peer, "a connection did not begin");
                    refused("handshake");
                }
                Err(_) => refused("silent"),
            }
        };
        silent.spawn_on(beginning, &runtime);
    }
}

impl Listening {
    /// Takes a connection that belongs to no runtime yet.
    async fn accept(&self) -> io::Result<(net::TcpStream, SocketAddr)> {
        let (io, peer) = self.listener.accept().await?;
        // Answers are small: waiting to fill a packet costs two thirds of the throughput.
        let _ = io.set_nodelay(true);
        Ok((io.into_std()?, peer))
    }
}

/// Waits for the first byte, and does the handshake where there is to be one; `None` for whoever has gone.
async fn begun(io: net::TcpStream, tls: Option<Arc<Tls>>) -> io::Result<Option<Io>> {
    // From here on it belongs to the runtime that this runs on.
    let io = TcpStream::from_std(io)?;
    // Looked at and not taken: that a socket *may* be readable is not enough.
    let Ok(1..) = io.peek(&mut [0]).await else { return Ok(None) };
    Ok(Some(match tls {
        None => Io::Plain(io),
        Some(tls) => Io::Encrypted(Box::new(tls.accept(io).await?)),
    }))
}

fn refused(why: &'static str) {
    metrics::counter!("chancery_connections_refused_total", "why" => why).increment(1);
}

/// How many connections each source has.
#[derive(Debug, Clone)]
struct Sources {
    name: &'static str,
    most: usize,
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A connection's place among those of its source. Leaving is dropping.
#[derive(Debug)]
struct Place {
    sources: Sources,
    source: IpAddr,
}

impl Sources {
    fn new() -> Self {
        Self { name: "", most: 0, open: Arc::default() }
    }

    fn take(&self, peer: IpAddr) -> Option<Place> {
        let source = source(peer);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(source).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        metrics::gauge!("chancery_connections", "listener" => self.name).increment(1);
        Some(Place { sources: self.clone(), source })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.sources.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.source) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&self.source);
            }
        }
        metrics::gauge!("chancery_connections", "listener" => self.sources.name).decrement(1);
    }
}

/// Returns what counts as one source: an address, or a /64 of IPv6, since whoever has one has all of it.
pub(super) fn source(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)))
        }
    }
}

/// What a connection is made of.
enum Io {
    Plain(TcpStream),
    Encrypted(Box<TlsStream<TcpStream>>),
}

impl Io {
    fn local_addr(&self) -> Option<SocketAddr> {
        let io = match self {
            Self::Plain(io) => io,
            Self::Encrypted(io) => io.get_ref().0,
        };
        io.local_addr().ok()
    }
}

/// What is known of a connection.
#[derive(Debug, Clone)]
pub(super) struct ConnInfo {
    tcp: TcpConnectInfo,
    peer: Option<Peer>,
}

impl ConnInfo {
    /// Puts what is known where those who ask look for it: the address, and who the certificate says it is.
    pub(super) fn tell(mut request: Request<Body>) -> Request<Body> {
        if let Some(Self { tcp, peer }) = request.extensions_mut().remove::<Self>() {
            request.extensions_mut().insert(tcp);
            if let Some(peer) = peer {
                request.extensions_mut().insert(peer);
            }
        }
        request
    }
}

/// A connection that ends when the server is dead, whatever is under way on it.
pub(super) struct Conn {
    io: Io,
    peer: SocketAddr,
    dead: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    _places: Places,
}

/// A connection's place among those of its source, and on the thread that answers it.
type Places = (Place, OnCore);

impl Conn {
    fn new(io: Io, peer: SocketAddr, places: Places, phases: Phases) -> Self {
        Self { io, peer, dead: Some(Box::pin(phases.reached(Phase::Dead))), _places: places }
    }

    /// Fails instead of waiting, once the server is dead. Asked only where there would be a wait, so that it costs
    /// a busy connection nothing.
    fn or_dead<T>(
        &mut self,
        context: &mut Context<'_>,
        done: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if done.is_ready() {
            return done;
        }
        if let Some(dead) = &mut self.dead {
            if dead.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            self.dead = None;
        }
        Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()))
    }
}

impl std::fmt::Debug for Conn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conn").field("peer", &self.peer).finish_non_exhaustive()
    }
}

impl Connected for Conn {
    type ConnectInfo = ConnInfo;

    fn connect_info(&self) -> ConnInfo {
        let (local_addr, remote_addr) = (self.io.local_addr(), Some(self.peer));
        let peer = match &self.io {
            Io::Plain(_) => None,
            Io::Encrypted(io) => tls::peer(io),
        };
        ConnInfo { tcp: TcpConnectInfo { local_addr, remote_addr }, peer }
    }
}

impl AsyncRead for Conn {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let done = match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_read(context, buffer),
            Io::Encrypted(io) => Pin::new(io).poll_read(context, buffer),
        };
        self.or_dead(context, done)
    }
}

impl AsyncWrite for Conn {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let done = match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_write(context, bytes),
            Io::Encrypted(io) => Pin::new(io).poll_write(context, bytes),
        };
        self.or_dead(context, done)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_write_vectored(context, slices),
            Io::Encrypted(io) => Pin::new(io).poll_write_vectored(context, slices),
        };
        self.or_dead(context, done)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.io {
            Io::Plain(io) => io.is_write_vectored(),
            Io::Encrypted(io) => io.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_flush(context),
            Io::Encrypted(io) => Pin::new(io).poll_flush(context),
        };
        self.or_dead(context, done)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_shutdown(context),
            Io::Encrypted(io) => Pin::new(io).poll_shutdown(context),
        };
        self.or_dead(context, done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_an_address_or_a_64() {
        let read = |text: &str| source(text.parse().unwrap());
        assert_eq!(read("::ffff:10.0.0.1"), read("10.0.0.1"));
        assert_eq!(read("2001:db8:1:2::7"), read("2001:db8:1:2:ffff::"));
        assert_ne!(read("2001:db8:1:2::7"), read("2001:db8:1:3::7"));
    }

    #[test]
    fn a_source_gets_its_places_back() {
        let sources = Sources { most: 2, ..Sources::new() };
        let peer: IpAddr = "10.0.0.1".parse().unwrap();
        let held = [sources.take(peer), sources.take(peer)];
        assert!(held.iter().all(Option::is_some));
        assert!(sources.take(peer).is_none());
        assert!(sources.take("10.0.0.2".parse().unwrap()).is_some(), "another source has its own");
        drop(held);
        assert!(sources.take(peer).is_some());
        assert!(sources.open.lock().unwrap().is_empty(), "who is gone is forgotten");
    }
}
