//! The threads that answer: each has a runtime of its own, and the connections that were handed to it.
//!
//! What a request needs is nearly always in memory. Its answer is then made where its bytes arrive, and no other thread is woken
//! for it, which halves what it costs. What has to wait goes on behind: see [`Door`](crate::layers::Door).

use std::io;
use std::sync::Arc;
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// The threads that answer. They end when this is dropped, and with them what they are at.
#[derive(Debug)]
pub(super) struct Cores(Vec<Core>);

#[derive(Debug)]
struct Core {
    runtime: Handle,
    /// Held by each of its connections.
    held: Arc<()>,
    /// Dropped to end its thread, where it has one.
    _stop: Option<oneshot::Sender<()>>,
}

/// A connection's place on a thread. Leaving is dropping.
#[derive(Debug)]
pub(super) struct OnCore {
    _held: Arc<()>,
}

impl Cores {
    /// Starts so many; 0 = one for each processor.
    pub(super) fn start(count: usize) -> io::Result<Self> {
        let count = if count == 0 { thread::available_parallelism()?.get() } else { count };
        (0..count).map(|_| Core::start()).collect::<io::Result<_>>().map(Self)
    }

    /// Has all done by the runtime that this is called on.
    pub(super) fn here() -> Self {
        Self(vec![Core { runtime: Handle::current(), held: Arc::default(), _stop: None }])
    }

    /// Returns the runtime of each.
    pub(super) fn runtimes(&self) -> impl Iterator<Item = &Handle> {
        self.0.iter().map(|core| &core.runtime)
    }

    /// Chooses the one with the fewest connections, and takes a place there for another. Returns which it is, too.
    pub(super) fn take(&self) -> Option<(usize, Handle, OnCore)> {
        let fewest = |(_, core): &(usize, &Core)| Arc::strong_count(&core.held);
        let (nth, core) = self.0.iter().enumerate().min_by_key(fewest)?;
        Some((nth, core.runtime.clone(), OnCore { _held: Arc::clone(&core.held) }))
    }
}

impl Core {
    fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        thread::Builder::new().name("answering".to_owned()).spawn(move || {
            // Nobody sends anything: it ends when the other half is dropped.
            let _ = runtime.block_on(stopped);
        })?;
        Ok(Self { runtime: handle, held: Arc::default(), _stop: Some(stop) })
    }
}
