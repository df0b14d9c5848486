//! The threads that hash: few, of low priority, and with a queue in which nobody stands in everybody's way (`edges.md` §5).
//!
//! Turns go round the tenants, and within a tenant round the sources, so that a storm from one place holds up that place.
//! Where the queue is full, whoever has most in it gives way. A thread is the permit: whoever stops waiting frees no
//! second hash to run beside the one that he left behind.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use futures::channel::oneshot;
use thread_priority::{ThreadPriority, ThreadPriorityValue};

use crate::model::AccountId;

/// Of a hundred: behind whatever answers questions, and not so far that nobody gets in on a busy machine.
const PRIORITY: u8 = 25;

/// There was no thread in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are waiting to be checked")]
pub struct Busy;

/// Whose turn a piece of work takes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lane {
    /// The account that is signed in to, or its tenant; `None` = it is not known.
    pub tenant: Option<AccountId>,
    /// Where the request comes from.
    pub source: String,
}

/// The threads and their queue. When the last copy is dropped, the threads end.
#[derive(Debug, Clone)]
pub struct Pool(Arc<Owner>);

#[derive(Debug)]
struct Owner {
    queue: Arc<Shared>,
    most: usize,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    work: Condvar,
}

struct Job {
    deadline: Instant,
    /// Does the work, unless nobody waits for it any more.
    run: Box<dyn FnOnce() + Send>,
    /// Tells whether somebody waits.
    wanted: Box<dyn Fn() -> bool + Send>,
}

/// Work of one tenant: its sources in the order of their turns.
#[derive(Default)]
struct Tenant {
    turns: VecDeque<String>,
    jobs: HashMap<String, VecDeque<Job>>,
}

#[derive(Default)]
struct Queue {
    turns: VecDeque<Option<AccountId>>,
    tenants: HashMap<Option<AccountId>, Tenant>,
    length: usize,
    closed: bool,
}

impl Pool {
    /// Starts threads before a queue of `most` places.
    pub fn start(threads: usize, most: usize) -> std::io::Result<Self> {
        let queue = Arc::<Shared>::default();
        let pool = Self(Arc::new(Owner { queue: Arc::clone(&queue), most }));
        for n in 0..threads.max(1) {
            let queue = Arc::clone(&queue);
            std::thread::Builder::new().name(format!("hash-{n}")).spawn(move || serve(&queue))?;
        }
        Ok(pool)
    }

    /// Does work on a thread of the pool, if one is free before `deadline`.
    pub async fn run<T: Send + 'static>(
        &self,
        lane: Lane,
        deadline: Instant,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let (done, answer) = oneshot::channel();
        let done = Arc::new(Mutex::new(Some(done)));
        let waits = Arc::clone(&done);
        let wanted = move || {
            let done = waits.lock().unwrap_or_else(PoisonError::into_inner);
            done.as_ref().is_some_and(|done| !done.is_canceled())
        };
        let run = move || {
            let result = work();
            let done = done.lock().unwrap_or_else(PoisonError::into_inner).take();
            // That nobody waits any more is nobody's loss.
            let _ = done.map(|done| done.send(result));
        };
        let job = Job { deadline, run: Box::new(run), wanted: Box::new(wanted) };
        let Owner { queue, most } = &*self.0;
        let pushed = {
            let mut queue = queue.lock();
            let pushed = queue.push(lane, job, *most);
            queue.told();
            pushed
        };
        pushed?;
        queue.work.notify_one();
        // Dropped unanswered: its time was over, or somebody else's turn came first.
        answer.await.map_err(|_| Busy)
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.queue.lock().closed = true;
        self.queue.work.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn serve(shared: &Shared) {
    let low = ThreadPriorityValue::try_from(PRIORITY).map(ThreadPriority::Crossplatform);
    if low.is_err() || low.is_ok_and(|low| low.set_for_current().is_err()) {
        tracing::warn!("a hashing thread has no lower priority than the others");
    }
    loop {
        let mut queue = shared.lock();
        let job = loop {
            match queue.pop() {
                Some(job) => {
                    queue.told();
                    break job;
                }
                None if queue.closed => return,
                None => queue = shared.work.wait(queue).unwrap_or_else(PoisonError::into_inner),
            }
        };
        drop(queue);
        if job.is_live() {
            // A bug in one piece of work must not take the thread from all others.
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job.run));
            if done.is_err() {
                tracing::error!("work on a password broke off");
            }
        }
    }
}

impl Job {
    fn is_live(&self) -> bool {
        Instant::now() < self.deadline && (self.wanted)()
    }
}

impl Queue {
    /// Shows how many wait.
    fn told(&self) {
        let waiting = u32::try_from(self.length).unwrap_or(u32::MAX);
        metrics::gauge!("chancery_password_queue").set(waiting);
    }

    fn push(&mut self, lane: Lane, job: Job, most: usize) -> Result<(), Busy> {
        if self.length >= most {
            self.sweep();
        }
        if self.length >= most {
            self.make_room(&lane)?;
        }
        let tenant = self.tenants.entry(lane.tenant).or_default();
        if tenant.jobs.is_empty() {
            self.turns.push_back(lane.tenant);
        }
        let jobs = tenant.jobs.entry(lane.source.clone()).or_default();
        if jobs.is_empty() {
            tenant.turns.push_back(lane.source);
        }
        jobs.push_back(job);
        self.length += 1;
        Ok(())
    }

    /// Takes the next: of the tenant whose turn it is, of the source whose turn it is there.
    fn pop(&mut self) -> Option<Job> {
        let id = self.turns.pop_front()?;
        let tenant = self.tenants.get_mut(&id)?;
        let source = tenant.turns.pop_front()?;
        let jobs = tenant.jobs.get_mut(&source)?;
        let job = jobs.pop_front();
        if jobs.is_empty() {
            tenant.jobs.remove(&source);
        } else {
            tenant.turns.push_back(source);
        }
        if tenant.jobs.is_empty() {
            self.tenants.remove(&id);
        } else {
            self.turns.push_back(id);
        }
        self.length = self.length.saturating_sub(1);
        job
    }

    /// Drops what came last from the source that has most waiting, unless that is the one that comes now.
    fn make_room(&mut self, newcomer: &Lane) -> Result<(), Busy> {
        let lengths = self.tenants.iter().flat_map(|(id, tenant)| {
            tenant.jobs.iter().map(move |(source, jobs)| (jobs.len(), *id, source))
        });
        let Some((length, id, source)) = lengths.max_by_key(|(length, ..)| *length) else {
            return Err(Busy);
        };
        let own = self.tenants.get(&newcomer.tenant).and_then(|own| own.jobs.get(&newcomer.source));
        if own.map_or(0, VecDeque::len) + 1 >= length {
            return Err(Busy);
        }
        let source = source.clone();
        let jobs = self.tenants.get_mut(&id).and_then(|tenant| tenant.jobs.get_mut(&source));
        // It has more than one, so that no turn is left without work.
        if jobs.and_then(VecDeque::pop_back).is_some() {
            self.length = self.length.saturating_sub(1);
        }
        Ok(())
    }

    /// Drops what nobody waits for any more.
    fn sweep(&mut self) {
        let mut length = 0;
        self.tenants.retain(|_, tenant| {
            tenant.jobs.retain(|_, jobs| {
                jobs.retain(Job::is_live);
                length += jobs.len();
                !jobs.is_empty()
            });
            let Tenant { turns, jobs } = tenant;
            turns.retain(|source| jobs.contains_key(source));
            !jobs.is_empty()
        });
        let tenants = &self.tenants;
        self.turns.retain(|id| tenants.contains_key(id));
        self.length = length;
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("length", &self.length).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use futures::executor::block_on;
    use futures::future::join_all;

    use super::*;
    use crate::model::SystemClock;

    fn later() -> Instant {
        Instant::now() + Duration::from_mins(1)
    }

    fn lane(tenant: Option<AccountId>, source: &str) -> Lane {
        Lane { tenant, source: source.to_owned() }
    }

    /// Puts work on a pool's one thread that ends when the sender is dropped, and waits until it has begun.
    fn block(pool: &Pool) -> mpsc::Sender<()> {
        let (release, released) = mpsc::channel::<()>();
        let (tell, begun) = mpsc::channel();
        let pool = pool.clone();
        std::thread::spawn(move || {
            let work = move || {
                tell.send(()).unwrap();
                let _ = released.recv();
            };
            block_on(pool.run(lane(None, "blocker"), later(), work))
        });
        begun.recv().unwrap();
        release
    }

    #[test]
    fn work_is_done_and_answered() {
        let pool = Pool::start(2, 64).unwrap();
        let all = (0..50).map(|n| pool.run(lane(None, "here"), later(), move || n * n));
        let squares: Result<Vec<i32>, Busy> = block_on(join_all(all)).into_iter().collect();
        assert_eq!(squares.unwrap(), (0..50).map(|n| n * n).collect::<Vec<_>>());
    }

    /// Whoever asks what is permitted does not wait for those who sign in.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_that_hashes_steps_back_before_all_others() {
        let nice = || {
            let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
            // The name, which may hold blanks, ends with the last parenthesis; 17 fields on stands the nice value.
            let nice = stat.rsplit(')').next().unwrap().split_whitespace().nth(16);
            nice.unwrap().parse::<i32>().unwrap()
        };
        let pool = Pool::start(1, 64).unwrap();
        let there = block_on(pool.run(lane(None, "here"), later(), nice)).unwrap();
        assert!(there >= nice() + 5, "{there}");
    }

    #[test]
    fn turns_go_round_tenants_and_sources() {
        let pool = Pool::start(1, 64).unwrap();
        let release = block(&pool);
        let [one, other] = [(); 2].map(|()| Some(AccountId::new(&SystemClock)));
        let done = Arc::new(Mutex::new(Vec::new()));
        let put = |tenant, source: &'static str, name: &'static str| {
            let done = Arc::clone(&done);
            pool.run(lane(tenant, source), later(), move || done.lock().unwrap().push(name))
        };
        let all = [
            put(one, "a", "1"),
            put(one, "a", "2"),
            put(one, "a", "3"),
            put(one, "b", "4"),
            put(other, "a", "5"),
            put(other, "a", "6"),
        ];
        let mut all = Box::pin(join_all(all));
        // Once polled, all of them stand in the queue.
        assert!(block_on(futures::future::poll_immediate(&mut all)).is_none());
        drop(release);
        block_on(all);
        assert_eq!(*done.lock().unwrap(), ["1", "5", "4", "6", "2", "3"]);
    }

    #[test]
    fn in_a_full_queue_whoever_has_most_gives_way() {
        let pool = Pool::start(1, 4).unwrap();
        let release = block(&pool);
        let mut flood: Vec<_> =
            (0..4).map(|_| Box::pin(pool.run(lane(None, "flood"), later(), || ()))).collect();
        for one in &mut flood {
            assert!(block_on(futures::future::poll_immediate(one)).is_none());
        }
        assert_eq!(block_on(pool.run(lane(None, "flood"), later(), || ())), Err(Busy));
        let mut guest = Box::pin(pool.run(lane(None, "guest"), later(), || "in"));
        assert!(block_on(futures::future::poll_immediate(&mut guest)).is_none());
        drop(release);
        assert_eq!(block_on(guest), Ok("in"));
        let flood = block_on(join_all(flood));
        assert_eq!(flood, [Ok(()), Ok(()), Ok(()), Err(Busy)]);
    }

    #[test]
    fn what_is_late_or_not_waited_for_is_not_done() {
        let pool = Pool::start(1, 2).unwrap();
        let release = block(&pool);
        let done = Arc::new(Mutex::new(0));
        let work = || {
            let done = Arc::clone(&done);
            move || *done.lock().unwrap() += 1
        };
        let mut late = Box::pin(pool.run(lane(None, "a"), Instant::now(), work()));
        assert!(block_on(futures::future::poll_immediate(&mut late)).is_none());
        let mut gone = Box::pin(pool.run(lane(None, "a"), later(), work()));
        assert!(block_on(futures::future::poll_immediate(&mut gone)).is_none());
        drop(gone);
        // The queue is full of what nobody waits for: there is room.
        let mut last = Box::pin(pool.run(lane(None, "a"), later(), work()));
        assert!(block_on(futures::future::poll_immediate(&mut last)).is_none());
        drop(release);
        assert_eq!(block_on(last), Ok(()));
        assert_eq!(block_on(late), Err(Busy));
        assert_eq!(*done.lock().unwrap(), 1);
    }

    #[test]
    fn what_panics_ends_nobody_elses_work() {
        let pool = Pool::start(1, 4).unwrap();
        let broken = block_on(pool.run(lane(None, "a"), later(), || panic!("a bug")));
        assert_eq!(broken, Err::<(), _>(Busy));
        assert_eq!(block_on(pool.run(lane(None, "a"), later(), || 7)), Ok(7));
    }
}
