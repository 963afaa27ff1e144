//! Small random numbers, so that checks do not march in step. Nothing secret depends on them.

use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::time::Duration;

/// Marsaglia's xorshift64.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    /// Different for different `seed`s.
    pub(super) fn new(seed: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        seed.hash(&mut hasher);
        // Zero would stay zero for ever.
        Self(hasher.finish().max(1))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Anything from nothing to `limit`, both included.
    pub(super) fn up_to(&mut self, limit: Duration) -> Duration {
        let nanos = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX - 1);
        Duration::from_nanos(self.next() % nanos.saturating_add(1).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_within_the_limit_and_cover_it() {
        let limit = Duration::from_millis(100);
        for seed in 0..20 {
            let mut random = Random::new(seed);
            let numbers: Vec<_> = (0..200).map(|_| random.up_to(limit)).collect();
            assert!(numbers.iter().all(|&n| n <= limit));
            assert!(numbers.iter().any(|&n| n < limit / 10));
            assert!(numbers.iter().any(|&n| n > limit / 10 * 9));
        }
        assert_eq!(Random::new(1).up_to(Duration::ZERO), Duration::ZERO);
        assert!(Random::new(1).up_to(Duration::MAX) <= Duration::MAX);
    }

    #[test]
    fn other_seeds_give_other_numbers() {
        let first = |seed: u64| Random::new(seed).up_to(Duration::from_secs(1));
        assert_ne!(first(1), first(2));
        assert_eq!(first(3), first(3));
    }
}
