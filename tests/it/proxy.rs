//! A way to a server that can be cut, or go silent.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How the way is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// What is sent arrives.
    Open,
    /// Every connection ends at once, as with a server that is down.
    Cut,
    /// Connections stand, and nothing arrives, as with a server that is frozen.
    Silent,
}

/// Passes connections on to a server.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    way: watch::Sender<Way>,
}

impl Proxy {
    /// Stands before the server at `postgres://user@host:port`; returns the same address through the proxy.
    pub(crate) async fn before(server: &str) -> (Self, String) {
        let (head, behind) = server.rsplit_once('@').unwrap();
        let behind: Arc<str> = Arc::from(behind);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (way, seen) = watch::channel(Way::Open);
        tokio::spawn(async move {
            while let Ok((from, _)) = listener.accept().await {
                tokio::spawn(pass(from, Arc::clone(&behind), seen.clone()));
            }
        });
        (Self { address, way }, format!("{head}@{address}"))
    }

    pub(crate) fn set(&self, way: Way) {
        assert!(self.address.port() > 0);
        self.way.send_replace(way);
    }
}

async fn pass(from: TcpStream, behind: Arc<str>, mut way: watch::Receiver<Way>) {
    if way.wait_for(|way| *way != Way::Silent).await.is_err() || *way.borrow() == Way::Cut {
        return;
    }
    let Ok(to) = TcpStream::connect(&*behind).await else { return };
    let (mut there, mut back) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let now = *way.borrow_and_update();
        if now == Way::Cut {
            return;
        }
        // What was read is passed on before the way is looked at again: a silence loses nothing.
        let passed = tokio::select! {
            changed = way.changed() => match changed {
                Ok(()) => Ok(()),
                Err(_) => return,
            },
            ready = from.readable(), if now == Way::Open => match ready {
                Ok(()) => shift(&from, &to, &mut there).await,
                Err(error) => Err(error),
            },
            ready = to.readable(), if now == Way::Open => match ready {
                Ok(()) => shift(&to, &from, &mut back).await,
                Err(error) => Err(error),
            },
        };
        if passed.is_err() {
            return;
        }
    }
}

async fn shift(from: &TcpStream, to: &TcpStream, room: &mut [u8]) -> std::io::Result<()> {
    let count = match from.try_read(room) {
        Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
        Ok(count) => count,
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut rest = &room[..count];
    while !rest.is_empty() {
        to.writable().await?;
        match to.try_write(rest) {
            Ok(written) => rest = &rest[written..],
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
