//! What every secret needs: chance that may fail, a comparison that tells no time, a word in its place.

use std::fmt;

use hmac::digest::CtOutput;
use sha2::Sha256;

/// The machine gave no random bytes. Nothing was made; there is no weaker source to fall back on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct NoRandomness;

/// Fills `bytes` from the operating system's generator: the random source of everything that ships.
pub fn system(bytes: &mut [u8]) -> Result<(), NoRandomness> {
    getrandom::fill(bytes).map_err(|_| NoRandomness)
}

/// Returns `N` bytes of `random`.
pub fn bytes<const N: usize>(
    mut random: impl FnMut(&mut [u8]) -> Result<(), NoRandomness>,
) -> Result<[u8; N], NoRandomness> {
    let mut drawn = [0; N];
    random(&mut drawn)?;
    Ok(drawn)
}

/// Tells whether two hashes are equal, in a time that does not depend on where they differ.
pub fn same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    CtOutput::<Sha256>::new((*one).into()) == CtOutput::<Sha256>::new((*other).into())
}

/// Stands where a secret would be printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Redacted;

impl fmt::Display for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl fmt::Debug for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn two_draws_differ_and_a_failing_source_fails_the_draw() {
        assert_ne!(bytes::<32>(system).unwrap(), bytes::<32>(system).unwrap());
        assert_eq!(bytes::<32>(|_| Err(NoRandomness)), Err(NoRandomness));
    }

    proptest! {
        #[test]
        fn same_means_equal(one: [u8; 32], other: [u8; 32], bit in 0_usize..256) {
            prop_assert!(same(&one, &one));
            prop_assert_eq!(same(&one, &other), one == other);
            let mut flipped = one;
            flipped[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!same(&one, &flipped));
        }
    }
}
