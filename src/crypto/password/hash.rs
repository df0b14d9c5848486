//! Argon2id, as PHC strings.
//!
//! What is hashed is not the password but its HMAC under a key that is not in the store, with the user's id: whoever reads the
//! store guesses nothing, and whoever writes it plants no password, neither a hash of his own making nor one moved from
//! another user's row (`edges.md` §5).

use std::fmt;
use std::sync::Arc;

use argon2::password_hash::Error as HashError;
use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordHasher as _, PasswordVerifier as _, Version,
};
use zeroize::Zeroizing;

use crate::crypto::KeyRing;
use crate::crypto::keys::mac;
use crate::crypto::secret::{NoRandomness, Redacted};
use crate::model::UserId;

/// The least that OWASP's page on storing passwords accepts: memory in KiB, and passes over it. One row is enough.
const FLOOR: [Cost; 5] = [
    Cost { memory_kib: 47_104, passes: 1 },
    Cost { memory_kib: 19_456, passes: 2 },
    Cost { memory_kib: 12_288, passes: 3 },
    Cost { memory_kib: 9_216, passes: 4 },
    Cost { memory_kib: 7_168, passes: 5 },
];

/// The most that is ever worked through.
const MOST: Cost = Cost { memory_kib: 1 << 20, passes: 64 };

/// What one hash costs, whoever makes it; on one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over that memory.
    pub passes: u32,
}

impl Default for Cost {
    fn default() -> Self {
        Self { memory_kib: 19_456, passes: 2 }
    }
}

/// Whoever guesses would guess too fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} KiB and {} passes are too cheap for whoever guesses: at least 47104 and 1, 19456 and 2, 12288 and 3, 9216 and 4, or \
     7168 and 5; `chancery hash-tune` proposes what suits this machine",
    .0.memory_kib,
    .0.passes
)]
pub struct TooCheap(Cost);

/// A hash could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Without a salt there is none.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// Most likely, the machine has no memory left.
    #[error("argon2: {0}")]
    Argon2(String),
}

impl Cost {
    /// Refuses what costs a guesser less than any row that is good enough.
    pub fn check(self) -> Result<(), TooCheap> {
        let enough = |row: &Self| self.memory_kib >= row.memory_kib && self.passes >= row.passes;
        if FLOOR.iter().any(enough) { Ok(()) } else { Err(TooCheap(self)) }
    }

    /// Returns the fewest passes that are enough with this memory; `None` where none are.
    pub(super) fn fewest_passes(memory_kib: u32) -> Option<u32> {
        FLOOR.iter().find(|row| memory_kib >= row.memory_kib).map(|row| row.passes)
    }

    pub(super) fn argon2(self) -> Result<Argon2<'static>, Broken> {
        let params = Params::new(self.memory_kib, self.passes, 1, None);
        let params = params.map_err(|error| Broken::Argon2(error.to_string()))?;
        Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }
}

/// What a password was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verified {
    /// Another than the kept one, or there is none.
    Wrong,
    /// The kept one.
    Right,
    /// The kept one, hashed at another cost than new ones are.
    Outdated,
}

/// Hashes passwords and holds them against hashes.
#[derive(Clone)]
pub struct Hasher {
    keys: Arc<KeyRing>,
    argon2: Argon2<'static>,
    /// Nobody's, of the same cost as everybody's: for whom there is nothing to hold a password against.
    nobody: Arc<PasswordHash>,
}

impl Hasher {
    /// Makes new hashes at this cost.
    pub fn new(
        keys: Arc<KeyRing>,
        cost: Cost,
        random: impl FnMut(&mut [u8]) -> Result<(), NoRandomness>,
    ) -> Result<Self, Broken> {
        let argon2 = cost.argon2()?;
        let salt = crate::crypto::secret::bytes::<16>(random)?;
        let nobody = argon2.hash_password_with_salt(&salt, &salt).map_err(broken)?;
        Ok(Self { keys, argon2, nobody: Arc::new(nobody) })
    }

    /// Returns what the store keeps of a user's password. It takes tens of milliseconds: call it on a [`super::Pool`].
    pub fn hash(
        &self,
        user: UserId,
        password: &str,
        random: impl FnMut(&mut [u8]) -> Result<(), NoRandomness>,
    ) -> Result<String, Broken> {
        let salt = crate::crypto::secret::bytes::<16>(random)?;
        let peppered = self.peppered(user, password);
        let hash = self.argon2.hash_password_with_salt(&*peppered, &salt).map_err(broken)?;
        Ok(hash.to_string())
    }

    /// Holds a password against what is kept for a user. With nothing kept it works as long for the same answer.
    pub fn verify(&self, user: UserId, password: &str, kept: Option<&str>) -> Verified {
        let kept = kept.and_then(|text| PasswordHash::new(text).ok()).filter(is_bearable);
        let found = kept.as_ref().map_or(&*self.nobody, |kept| kept);
        let right = self.argon2.verify_password(&*self.peppered(user, password), found).is_ok();
        match kept {
            Some(kept) if right && kept.params == self.nobody.params => Verified::Right,
            Some(_) if right => Verified::Outdated,
            Some(_) | None => Verified::Wrong,
        }
    }

    fn peppered(&self, user: UserId, password: &str) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(mac(&self.keys.password, &[user.0.as_bytes(), password.as_bytes()]))
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hasher").field(&Redacted).finish()
    }
}

/// Refuses a hash that would take all memory or all day: none of ours does.
fn is_bearable(kept: &PasswordHash) -> bool {
    let params = Params::try_from(kept);
    params.is_ok_and(|params| params.m_cost() <= MOST.memory_kib && params.t_cost() <= MOST.passes)
}

fn broken(error: HashError) -> Broken {
    Broken::Argon2(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::secret::system;
    use crate::model::SystemClock;

    /// Far below the floor: these tests are about what is kept, not about how hard it is to guess.
    const CHEAP: Cost = Cost { memory_kib: 16, passes: 1 };

    fn hasher(seed: u8, cost: Cost) -> Hasher {
        Hasher::new(Arc::new(KeyRing::from_master(&[seed; 32])), cost, system).unwrap()
    }

    #[test]
    fn every_row_of_the_floor_is_enough_and_nothing_below_one() {
        for row in FLOOR {
            assert_eq!(row.check(), Ok(()));
            assert!(Cost { memory_kib: row.memory_kib - 1, ..row }.check().is_err());
            assert!(Cost { passes: row.passes - 1, ..row }.check().is_err());
            assert_eq!(Cost::fewest_passes(row.memory_kib), Some(row.passes));
        }
        assert!(Cost { memory_kib: 7_167, passes: 1_000 }.check().is_err());
        assert_eq!(Cost::default().check(), Ok(()));
        assert_eq!(Cost::fewest_passes(7_167), None);
    }

    #[test]
    fn a_password_is_known_again_and_no_other() {
        let (hasher, user) = (hasher(1, CHEAP), UserId::new(&SystemClock));
        let long = "x".repeat(1024);
        for password in ["correct horse", "", "пароль ☂", long.as_str()] {
            let kept = hasher.hash(user, password, system).unwrap();
            assert!(kept.starts_with("$argon2id$v=19$m=16,t=1,p=1$"), "{kept}");
            assert_eq!(hasher.verify(user, password, Some(&kept)), Verified::Right);
            for other in [format!("{password} "), format!("{password}x"), "Correct horse".into()] {
                assert_eq!(hasher.verify(user, &other, Some(&kept)), Verified::Wrong);
            }
        }
        assert_eq!(hasher.verify(user, "correct horse", None), Verified::Wrong);
        assert_eq!(hasher.verify(user, "correct horse", Some("no hash")), Verified::Wrong);
    }

    #[test]
    fn equal_passwords_are_kept_differently() {
        let (hasher, user) = (hasher(1, CHEAP), UserId::new(&SystemClock));
        let [one, other] = [(); 2].map(|()| hasher.hash(user, "correct horse", system).unwrap());
        assert_ne!(one, other);
    }

    #[test]
    fn a_hash_of_another_user_or_another_key_is_worth_nothing() {
        let (own, user) = (hasher(1, CHEAP), UserId::new(&SystemClock));
        let kept = own.hash(user, "correct horse", system).unwrap();
        let other = UserId::new(&SystemClock);
        assert_eq!(own.verify(other, "correct horse", Some(&kept)), Verified::Wrong);
        let planted = CHEAP.argon2().unwrap();
        let planted = planted.hash_password_with_salt(b"correct horse", &[7; 16]).unwrap();
        let planted = planted.to_string();
        assert_eq!(own.verify(user, "correct horse", Some(&planted)), Verified::Wrong);
        let elsewhere = hasher(2, CHEAP);
        assert_eq!(elsewhere.verify(user, "correct horse", Some(&kept)), Verified::Wrong);
    }

    #[test]
    fn a_hash_of_another_cost_is_good_and_told_to_be_outdated() {
        let user = UserId::new(&SystemClock);
        let kept = hasher(1, CHEAP).hash(user, "correct horse", system).unwrap();
        let dearer = hasher(1, Cost { passes: 2, ..CHEAP });
        assert_eq!(dearer.verify(user, "correct horse", Some(&kept)), Verified::Outdated);
        assert_eq!(dearer.verify(user, "correct hors", Some(&kept)), Verified::Wrong);
    }

    #[test]
    fn no_chance_no_hash_and_debug_shows_nothing() {
        let none = |_: &mut [u8]| Err(NoRandomness);
        let hasher = hasher(1, CHEAP);
        assert!(hasher.hash(UserId::new(&SystemClock), "x", none).is_err());
        assert_eq!(format!("{hasher:?}"), "Hasher([redacted])");
    }
}
