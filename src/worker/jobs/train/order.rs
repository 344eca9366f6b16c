//! Random choices of training: from a counter-based generator keyed by the job's seed, the epoch and the purpose, so
//! that an epoch's choices do not depend on the epochs before it, nor on libtorch.

use kilter::stage::Seed;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

/// The generator of one purpose in one epoch.
pub fn generator(seed: u64, epoch: u64, purpose: &str) -> ChaCha8Rng {
    Seed::derive(seed, &format!("epoch {epoch}")).rng(purpose)
}

/// The number that libtorch's own generators (dropout) are seeded with for an epoch.
pub fn torch_seed(seed: u64, epoch: u64) -> u64 {
    Seed::derive(seed, &format!("epoch {epoch}")).number("libtorch")
}

/// A number below `bound`, by multiplication: its bias is below `bound / 2^64`.
pub fn below(rng: &mut impl Rng, bound: u64) -> u64 {
    ((u128::from(rng.next_u64()) * u128::from(bound)) >> 64) as u64
}

/// A number from 0 up to, and never, 1, of 53 random bits.
pub fn fraction(rng: &mut impl Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// The rows `0..rows` in the order of an epoch.
pub fn shuffled(rows: i64, seed: u64, epoch: u64) -> Vec<i64> {
    permutation(rows, &mut generator(seed, epoch, "order"))
}

/// The rows `0..rows` in an order that is drawn (Fisher and Yates).
pub fn permutation(rows: i64, rng: &mut impl Rng) -> Vec<i64> {
    let mut order: Vec<i64> = (0..rows).collect();
    for last in (1..order.len()).rev() {
        let other = below(rng, last as u64 + 1) as usize;
        order.swap(last, other);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epochs_order_is_a_permutation_of_its_own() {
        let first = shuffled(1000, 7, 1);
        assert_eq!(first, shuffled(1000, 7, 1));
        assert_ne!(first, shuffled(1000, 7, 2));
        assert_ne!(first, shuffled(1000, 8, 1));
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<_>>());
        assert!(first.iter().zip(&sorted).filter(|(a, b)| a == b).count() < 20);
    }
}
