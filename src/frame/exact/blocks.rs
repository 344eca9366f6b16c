//! Many terms at once. A block of terms of like size is cut into two slices: of each term what it has above a power of two, and what it
//! has below. The terms of a slice are whole numbers of one unit, and together small enough for 53 bits, so plain additions of them
//! are exact, in any order; and the block comes to two terms. (Slices by adding and subtracting a large number are from S. M. Rump,
//! T. Ogita, S. Oishi, Accurate floating-point summation, part I, SIAM J. Sci. Comput. 31, 2008.) Where a block's terms differ too much
//! in size, they are added one by one.

use super::{ExactSum, NONE, REACH};
use std::ops::Range;
use wide::f64x4;

/// So many sums go on beside each other.
const LANES: usize = 4;

/// Terms of a block: 2^9, so that 44 bits of each leave room for their sum.
const BLOCK: usize = 1 << 9;

/// Biased exponents of a block's largest term for which the numbers that cut the slices, and their units, are ordinary ones.
const ORDINARY: Range<u64> = 200..1900;

impl ExactSum {
    /// Adds terms, with the same result as one by one.
    pub fn add_all(&mut self, terms: &[f64]) {
        let (blocks, rest) = terms.as_chunks::<BLOCK>();
        for block in blocks {
            if !self.add_block(block.as_chunks::<LANES>().0) {
                self.extend(block.iter().copied());
            }
        }
        self.extend(rest.iter().copied());
    }

    /// Adds a block; says whether it could.
    fn add_block(&mut self, block: &[[f64; LANES]]) -> bool {
        let exponent = largest(block);
        if !ORDINARY.contains(&exponent) {
            return false;
        }
        let Some(sums) = sums(block, exponent) else { return false };
        if self.unit == NONE {
            // The unit of the lower slice.
            self.unit = u16::try_from(exponent).unwrap_or(NONE) - REACH / 2;
        }
        self.extend(sums);
        true
    }
}

/// The biased exponent of the largest term, of infinities 2,047. NaN may be passed over: it has no slices.
fn largest(block: &[[f64; LANES]]) -> u64 {
    let mut largest = f64x4::ZERO;
    for terms in block {
        largest = f64x4::new(*terms).abs().fast_max(largest);
    }
    largest.to_array().into_iter().fold(0.0, f64::max).to_bits() >> 52
}

/// The sums of both slices, where the largest term has this exponent; `None` where a term has bits below them.
fn sums(block: &[[f64; LANES]], exponent: u64) -> Option<[f64; 2]> {
    // With 2^e the power of two of the largest term: the last bits of these are 2^(e-43) and 2^(e-88), to which adding them rounds.
    let (above, below) = (f64x4::splat(cut(exponent + 9)), f64x4::splat(cut(exponent - 36)));
    let [mut upper, mut lower, mut left] = [f64x4::ZERO; 3];
    for terms in block {
        let terms = f64x4::new(*terms);
        let high = (terms + above) - above;
        let rest = terms - high;
        let low = (rest + below) - below;
        upper += high;
        lower += low;
        left |= rest - low;
    }
    let left = left.to_array().into_iter().fold(0, |all, left| all | left.to_bits());
    // Nothing is left but zeros, of either sign.
    (left << 1 == 0).then(|| [upper, lower].map(|sums| sums.to_array().into_iter().sum()))
}

/// 1.5 times the power of two with this biased exponent: what is small beside it neither comes to the next power nor to the one before.
fn cut(exponent: u64) -> f64 {
    f64::from_bits(exponent << 52 | 1 << 51)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn both(terms: &[f64]) -> [u64; 2] {
        let (mut blocks, mut single) = (ExactSum::default(), ExactSum::default());
        blocks.add_all(terms);
        single.extend(terms.iter().copied());
        [blocks.value(), single.value()].map(f64::to_bits)
    }

    fn block(terms: &[f64]) -> bool {
        let terms: Vec<f64> = terms.iter().copied().cycle().take(BLOCK).collect();
        let [blocks, single] = both(&terms);
        assert_eq!(blocks, single, "{terms:?}");
        ExactSum::default().add_block(terms.as_chunks().0)
    }

    #[test]
    fn blocks_are_for_terms_of_like_size() {
        assert!(block(&[0.1, -0.7, 1234.5, 0.0, -0.0]));
        assert!(block(&[f64::MAX / 1e200]));
        assert!(block(&[1.0 + f64::EPSILON, 2.0_f64.powi(-36) * (1.0 + f64::EPSILON)]));
        assert!(block(&[1.0, 2.0_f64.powi(-80)]), "a small term with few bits");
        assert!(!block(&[1.0 + f64::EPSILON, 2.0_f64.powi(-37) * (1.0 + f64::EPSILON)]));
        assert!(!block(&[1.0, f64::NAN]));
        assert!(!block(&[f64::NAN]));
        assert!(!block(&[1.0, f64::INFINITY, f64::NEG_INFINITY]));
        assert!(!block(&[0.0, -0.0]));
        assert!(!block(&[f64::MAX]));
        assert!(!block(&[f64::MIN_POSITIVE, 5e-324]));
    }

    #[test]
    fn the_largest_sums_have_room() {
        let most = 2.0 - f64::EPSILON;
        assert!(block(&[most]));
        assert!(block(&[-most]));
        assert!(block(&[most, most, most, -2.0_f64.powi(-36) * most]));
    }

    proptest! {
        #[test]
        fn they_come_to_the_same(
            mut terms in prop::collection::vec(-1.0_f64..1.0, 0..3000),
            scale in -300_i32..300,
            spread in 0_i32..60,
            odd in prop::collection::vec((any::<f64>(), 0_usize..3000), 0..3),
        ) {
            for (at, term) in terms.iter_mut().enumerate() {
                *term *= 2.0_f64.powi(scale + (at as i32 * 7) % (spread + 1));
            }
            for (odd, at) in odd {
                if let Some(term) = terms.get_mut(at) {
                    *term = odd;
                }
            }
            let [blocks, single] = both(&terms);
            let nan = |bits| f64::from_bits(bits).is_nan();
            prop_assert!(blocks == single || nan(blocks) && nan(single));
        }
    }
}
