//! What a hash may cost on this machine.

use std::time::{Duration, Instant};

use super::hash::{Broken, Cost};

/// Memory that is tried, in KiB, most first: memory costs whoever guesses with better machines more than passes do.
const MEMORY: [u32; 8] = [262_144, 131_072, 65_536, 47_104, 19_456, 12_288, 9_216, 7_168];
/// Each is timed so often, and the shortest time counts: whatever else the machine did only made it longer.
const TIMES: usize = 3;

/// Proposes the dearest hash that is done within `target`, and says how long it takes. If even the cheapest that is
/// good enough takes longer, that one.
pub fn propose(target: Duration) -> Result<(Cost, Duration), Broken> {
    let mut cheapest: Option<(Cost, Duration)> = None;
    for memory_kib in MEMORY {
        let Some(passes) = Cost::fewest_passes(memory_kib) else { continue };
        let cost = Cost { memory_kib, passes };
        let took = time(cost)?;
        if took <= target {
            let more = u32::try_from(target.as_nanos() / took.as_nanos().max(1)).unwrap_or(1);
            let cost = Cost { passes: passes.saturating_mul(more.max(1)), ..cost };
            return Ok((cost, time(cost)?));
        }
        if cheapest.is_none_or(|(_, least)| took < least) {
            cheapest = Some((cost, took));
        }
    }
    cheapest.ok_or_else(|| Broken::Argon2("nothing was timed".to_owned()))
}

fn time(cost: Cost) -> Result<Duration, Broken> {
    let argon2 = cost.argon2()?;
    let mut least = Duration::MAX;
    for _ in 0..TIMES {
        let began = Instant::now();
        argon2
            .hash_password_into(&[1; 32], &[2; 16], &mut [0; 32])
            .map_err(|error| Broken::Argon2(error.to_string()))?;
        least = least.min(began.elapsed());
    }
    Ok(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_proposed_is_good_enough_however_little_time_there_is() {
        let (cost, took) = propose(Duration::from_nanos(1)).unwrap();
        assert_eq!(cost.check(), Ok(()));
        assert!(took > Duration::from_nanos(1));
    }
}
