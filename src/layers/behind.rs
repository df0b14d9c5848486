//! What a request waits for, it waits for elsewhere.
//!
//! It is read where its bytes arrive, on a thread that answers, and the first step of its work is taken there. Mostly that is all
//! there is to do, since what it needs is in memory. Work that has to wait, for the store or for others, goes on where there are
//! more threads (`edges.md` §7): what answers at once never stands in line behind it.

use std::fmt;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// What a request has to do.
pub(super) type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Work whose first step is done here, and what is left of it on a runtime behind, which from the beginning is the one that owns
/// whatever the work sets in motion. It ends where nobody waits for it any more.
pub struct Doing<T> {
    stage: Stage<T>,
    behind: Handle,
    arrived: Arrived,
}

/// Whether all of a request has arrived; until then it is the sender that is waited for, and that is done here.
#[derive(Debug, Clone, Default)]
pub(super) struct Arrived(Arc<AtomicBool>);

impl Arrived {
    /// It has.
    pub(super) fn tell(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Tells whether it has.
    pub(super) fn has(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

enum Stage<T> {
    Here(Work<T>),
    Behind(JoinHandle<T>),
    /// The runtime behind has ended, and soon this does.
    Over,
}

impl<T> fmt::Debug for Doing<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doing").finish_non_exhaustive()
    }
}

impl<T> Doing<T> {
    pub(super) const fn new(work: Work<T>, behind: Handle, arrived: Arrived) -> Self {
        Self { stage: Stage::Here(work), behind, arrived }
    }
}

impl<T: Send + 'static> Future for Doing<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let Self { stage, behind, arrived } = &mut *self;
        if let Stage::Here(work) = stage {
            let on = behind.enter();
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(done);
            }
            drop(on);
            if !arrived.has() {
                return Poll::Pending;
            }
            let Stage::Here(waits) = std::mem::replace(stage, Stage::Over) else {
                return Poll::Pending;
            };
            *stage = Stage::Behind(behind.spawn(waits));
        }
        let Stage::Behind(task) = stage else { return Poll::Pending };
        match ready!(Pin::new(task).poll(context)) {
            Ok(done) => Poll::Ready(done),
            Err(ended) => {
                // A task that has ended may not be asked again.
                *stage = Stage::Over;
                if let Ok(panic) = ended.try_into_panic() {
                    resume_unwind(panic);
                }
                Poll::Pending
            }
        }
    }
}

impl<T> Drop for Doing<T> {
    fn drop(&mut self) {
        if let Stage::Behind(task) = &self.stage {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use tokio::sync::oneshot;

    use super::*;

    fn name() -> String {
        thread::current().name().unwrap_or_default().to_owned()
    }

    #[test]
    fn what_waits_goes_on_behind_and_what_does_not_stays() {
        let here = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let behind = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("behind")
            .build()
            .unwrap();
        let handle = behind.handle().clone();
        let (tell, told) = oneshot::channel::<()>();
        here.block_on(async {
            let mine = name();
            let arrived = Arrived::default();
            let doing = |work| Doing::new(work, handle.clone(), arrived.clone());
            assert_eq!(doing(Box::pin(async { name() })).await, mine);
            // The sender is waited for here.
            let sending = async {
                tokio::task::yield_now().await;
                name()
            };
            assert_eq!(doing(Box::pin(sending)).await, mine);
            arrived.tell();
            let waits = async {
                // What it sets in motion belongs there from the beginning.
                let set_in_motion = tokio::spawn(async { name() });
                told.await.unwrap();
                (name(), set_in_motion.await.unwrap())
            };
            let telling = async { tell.send(()).unwrap() };
            let (names, ()) = futures::future::join(
                Doing::new(Box::pin(waits), handle.clone(), arrived),
                telling,
            )
            .await;
            assert_eq!(names, ("behind".to_owned(), "behind".to_owned()));
        });
    }

    #[tokio::test]
    async fn where_the_runtime_behind_has_ended_nothing_is_answered_and_nothing_breaks() {
        let behind = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let arrived = Arrived::default();
        arrived.tell();
        let work = Box::pin(std::future::pending::<()>());
        let mut waiting = Doing::new(work, behind.handle().clone(), arrived);
        behind.shutdown_background();
        for _ in 0..3 {
            assert!(futures::future::poll_immediate(&mut waiting).await.is_none());
        }
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_any_more_ends() {
        let (held, mut dropped) = oneshot::channel::<()>();
        let work = async move {
            let _held = held;
            std::future::pending::<()>().await;
        };
        let arrived = Arrived::default();
        arrived.tell();
        let mut waiting = Doing::new(Box::pin(work), Handle::current(), arrived);
        assert!(futures::future::poll_immediate(&mut waiting).await.is_none());
        assert!(dropped.try_recv().is_err());
        drop(waiting);
        assert!(dropped.await.is_err());
    }
}
