//! How far the server is with stopping, and waiting for it to get there.

use tokio::sync::watch;

/// The steps of stopping, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// It serves.
    Serving,
    /// It still serves, but says that it does not, so that nobody new is sent here.
    Draining,
    /// It takes no new connection, and ends those that it has when what they are at is done.
    Closing,
    /// Whatever is open is dropped.
    Dead,
}

/// Somebody's view of how far stopping is.
#[derive(Debug, Clone)]
pub(super) struct Phases(watch::Receiver<Phase>);

impl Phases {
    /// Makes the one that tells and those that listen.
    pub(super) fn channel() -> (watch::Sender<Phase>, Self) {
        let (tell, listen) = watch::channel(Phase::Serving);
        (tell, Self(listen))
    }

    /// Waits until stopping is as far as `phase`. If nobody is left to tell, it is.
    pub(super) async fn reached(mut self, phase: Phase) {
        // Fails only when the teller is gone.
        let _ = self.0.wait_for(|now| *now >= phase).await;
    }
}
