//! Passwords: what a new one must be, what is kept of it, and the threads on which that is worked out (`model.md` §9).

mod blocklist;
mod counter;
mod hash;
mod policy;
mod pool;
mod tune;

pub use blocklist::{Blocklist, Unreadable};
pub use counter::Counter;
pub use hash::{Broken, Cost, Hasher, TooCheap, Verified};
pub use policy::{LONGEST, SHORTEST, Weak, check};
pub use pool::{Busy, Lane, Pool};
pub use tune::propose;
