//! Random choices of table stages: from the stage's seed alone.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

/// A number below `bound`, each equally likely: numbers from the incomplete last round are drawn again.
fn below(rng: &mut ChaCha8Rng, bound: u64) -> u64 {
    let rest = (u64::MAX % bound + 1) % bound;
    loop {
        let number = rng.next_u64();
        if number <= u64::MAX - rest {
            return number % bound;
        }
    }
}

/// Puts items into a random order (Fisher and Yates).
pub(super) fn shuffle<T>(items: &mut [T], rng: &mut ChaCha8Rng) {
    for at in (1..items.len()).rev() {
        let other = below(rng, at as u64 + 1);
        items.swap(at, usize::try_from(other).unwrap_or(at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::Seed;

    #[test]
    fn a_shuffle_is_fair_and_repeats() {
        let mut first = [0_usize; 4];
        for seed in 0..8000 {
            let mut items = [0, 1, 2, 3];
            shuffle(&mut items, &mut Seed::derive(seed, "test").rng("shuffle"));
            first[items[0]] += 1;
        }
        assert!(first.iter().all(|count| (1850..2150).contains(count)), "{first:?}");
        let once = |seed| {
            let mut items: Vec<u32> = (0..100).collect();
            shuffle(&mut items, &mut Seed::derive(seed, "test").rng("shuffle"));
            items
        };
        assert_eq!(once(1), once(1));
        assert_ne!(once(1), once(2));
    }
}
