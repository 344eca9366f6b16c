//! Sums of floats that do not depend on the order of addition: a superaccumulator.
//!
//! Every finite `f64` is a whole multiple of 2^-1074, so a sum of them is a whole number of such units. [`ExactSum`]
//! holds that number in 67 limbs of 32 bits kept in `i64`s (the "small superaccumulator" of R. M. Neal, *Fast exact
//! summation using small and large superaccumulators*, 2015), so additions need no carries for 2,048 terms. Adding is
//! exact, hence associative and commutative: chunks can be summed in parallel and merged in any order. Only
//! [`ExactSum::value`] rounds, once, half to even: the result is the correctly rounded sum.

/// Limbs: exponents go from 0 to 2,046, a limb every 32 of them, and room for carries above.
const LIMBS: usize = 67;
/// So many terms fit into a limb before its carry must be passed on: a term adds less than 2^53 to a limb.
const TERMS: u32 = 1 << 10;

const MANTISSA: u64 = (1 << 52) - 1;
const LOW: u64 = 0xffff_ffff;

/// A sum under way.
#[derive(Clone)]
pub struct ExactSum {
    limbs: [i64; LIMBS],
    /// Terms that may be added before carries are passed on.
    room: u32,
    /// Sum of the terms that are not finite; 0 where there are none.
    special: f64,
}

impl Default for ExactSum {
    fn default() -> Self {
        Self { limbs: [0; LIMBS], room: TERMS, special: 0.0 }
    }
}

impl ExactSum {
    /// Adds a term. Infinities and NaN make the sum what IEEE addition makes of them.
    pub fn add(&mut self, term: f64) {
        let bits = term.to_bits();
        let exponent = ((bits >> 52) & 0x7ff) as usize;
        let mut mantissa = bits & MANTISSA;
        let shift_exponent = match exponent {
            0x7ff => {
                self.special += term;
                return;
            }
            0 => 1,
            _ => {
                mantissa |= 1 << 52;
                exponent
            }
        };
        if self.room == 0 {
            self.carry();
        }
        self.room -= 1;
        let (limb, shift) = (shift_exponent >> 5, shift_exponent & 31);
        let low = ((mantissa << shift) & LOW).cast_signed();
        let high = (mantissa >> (32 - shift)).cast_signed();
        if bits >> 63 == 0 {
            self.limbs[limb] += low;
            self.limbs[limb + 1] += high;
        } else {
            self.limbs[limb] -= low;
            self.limbs[limb + 1] -= high;
        }
    }

    /// Adds another sum.
    pub fn merge(&mut self, mut other: Self) {
        self.carry();
        other.carry();
        for (limb, added) in self.limbs.iter_mut().zip(other.limbs) {
            *limb += added;
        }
        self.room -= 1;
        self.special += other.special;
    }

    /// Passes carries on: all limbs but the last come to lie in `0..2^32`.
    fn carry(&mut self) {
        let mut carry = 0_i64;
        for limb in &mut self.limbs[..LIMBS - 1] {
            let sum = *limb + carry;
            *limb = sum & LOW.cast_signed();
            carry = sum >> 32;
        }
        self.limbs[LIMBS - 1] += carry;
        self.room = TERMS;
    }

    /// The sum, rounded once; `0.0` for no terms.
    #[must_use]
    pub fn value(mut self) -> f64 {
        // The sum of special terms is NaN or an infinity where there was one.
        if self.special != 0.0 {
            return self.special;
        }
        self.carry();
        let negative = self.limbs[LIMBS - 1] < 0;
        if negative {
            self.limbs.iter_mut().for_each(|limb| *limb = -*limb);
            self.carry();
        }
        let magnitude = self.rounded();
        if negative { -magnitude } else { magnitude }
    }

    /// The value of non-negative, carried limbs: the whole number they make, times 2^-1075.
    fn rounded(&self) -> f64 {
        let Some(top) = self.limbs.iter().rposition(|limb| *limb != 0) else { return 0.0 };
        let highest = top * 32 + (63 - self.limbs[top].leading_zeros() as usize);
        if highest <= 53 {
            // No rounding: the lowest bit is never set, as no term has it.
            return f64::from_bits(self.bits(1, 53));
        }
        let shift = highest - 52;
        let mantissa = self.bits(shift, 53);
        let half = self.bits(shift - 1, 1) == 1;
        let sticky = half && (mantissa & 1 == 1 || self.any_below(shift - 1));
        if shift >= 0x7ff {
            return f64::INFINITY;
        }
        // A mantissa that rounds up to 2^53 carries into the exponent, which is right.
        f64::from_bits(((shift as u64) << 52) + (mantissa - (1 << 52)) + u64::from(sticky))
    }

    /// `count` bits (at most 63) from bit `from` on.
    fn bits(&self, from: usize, count: usize) -> u64 {
        let limb = |index: usize| self.limbs.get(index).map_or(0_u128, |limb| u128::from(limb.cast_unsigned()));
        let first = from / 32;
        let window = limb(first) | limb(first + 1) << 32 | limb(first + 2) << 64;
        ((window >> (from % 32)) as u64) & ((1 << count) - 1)
    }

    fn any_below(&self, bit: usize) -> bool {
        let (limb, rest) = (bit / 32, bit % 32);
        self.limbs[..limb].iter().any(|limb| *limb != 0) || self.limbs[limb] & ((1 << rest) - 1) != 0
    }
}

/// The sum of some terms from which terms are taken out again: exact as well, so that it does not tell what went before.
#[derive(Clone, Default)]
pub struct SlidingSum {
    finite: ExactSum,
    count: usize,
    /// How many terms are infinite, which cannot be subtracted: above and below, and NaN.
    special: [usize; 3],
}

impl SlidingSum {
    /// Adds a term.
    pub fn add(&mut self, term: f64) {
        self.count += 1;
        match special(term) {
            Some(kind) => self.special[kind] += 1,
            None => self.finite.add(term),
        }
    }

    /// Takes out a term that was added.
    pub fn remove(&mut self, term: f64) {
        self.count -= 1;
        match special(term) {
            Some(kind) => self.special[kind] -= 1,
            None => self.finite.add(-term),
        }
    }

    /// How many terms there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The sum, rounded once.
    #[must_use]
    pub fn value(&self) -> f64 {
        match self.special {
            [0, 0, 0] => self.finite.clone().value(),
            [_, 0, 0] => f64::INFINITY,
            [0, _, 0] => f64::NEG_INFINITY,
            _ => f64::NAN,
        }
    }
}

fn special(term: f64) -> Option<usize> {
    match term {
        _ if term.is_nan() => Some(2),
        f64::INFINITY => Some(0),
        f64::NEG_INFINITY => Some(1),
        _ => None,
    }
}

impl Extend<f64> for ExactSum {
    fn extend<I: IntoIterator<Item = f64>>(&mut self, terms: I) {
        for term in terms {
            self.add(term);
        }
    }
}

/// The correctly rounded sum of some terms.
#[must_use]
pub fn exact_sum(terms: impl IntoIterator<Item = f64>) -> f64 {
    let mut sum = ExactSum::default();
    sum.extend(terms);
    sum.value()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn small_sums_are_right() {
        assert_eq!(exact_sum([]).to_bits(), 0);
        assert_eq!(exact_sum([0.1; 10]), 1.0);
        assert_eq!(exact_sum([1e308, 1e308, -1e308, -1e308, 3.5]), 3.5);
        assert_eq!(exact_sum([1e16, 1.0, -1e16]), 1.0);
        assert_eq!(exact_sum([f64::MIN_POSITIVE / 8.0; 3]), f64::MIN_POSITIVE / 8.0 * 3.0);
        assert_eq!(exact_sum([f64::MAX, f64::MAX]), f64::INFINITY);
        assert_eq!(exact_sum([f64::MIN, f64::MIN]), f64::NEG_INFINITY);
        assert!(exact_sum([f64::INFINITY, f64::NEG_INFINITY]).is_nan());
        assert_eq!(exact_sum([f64::INFINITY, -5.0]), f64::INFINITY);
        assert!(exact_sum([f64::NAN, 1.0]).is_nan());
        assert_eq!(exact_sum([-2.5, 1.0]), -1.5);
        assert_eq!(exact_sum([5e-324, -5e-324]).to_bits(), 0);
        assert_eq!(exact_sum([5e-324, 5e-324]), 1e-323);
    }

    #[test]
    fn ties_round_to_even() {
        let ulp = f64::EPSILON;
        assert_eq!(exact_sum([1.0, ulp / 2.0]), 1.0);
        assert_eq!(exact_sum([1.0 + ulp, ulp / 2.0]), 1.0 + 2.0 * ulp);
        assert_eq!(exact_sum([1.0, ulp / 2.0, 1e-300]), 1.0 + ulp);
        assert_eq!(exact_sum([2.0 - ulp, ulp / 2.0]), 2.0);
    }

    #[test]
    fn what_was_taken_out_leaves_nothing_behind() {
        let terms = [1e300, f64::NAN, 0.1, f64::INFINITY, -1e-300, f64::NEG_INFINITY, 0.2];
        let mut sum = SlidingSum::default();
        terms.iter().for_each(|term| sum.add(*term));
        assert!(sum.value().is_nan());
        [f64::NAN, f64::NEG_INFINITY].iter().for_each(|term| sum.remove(*term));
        assert_eq!(sum.value(), f64::INFINITY);
        [f64::INFINITY, 1e300, -1e-300].iter().for_each(|term| sum.remove(*term));
        assert_eq!((sum.value(), sum.count()), (exact_sum([0.1, 0.2]), 2));
    }

    proptest! {
        #[test]
        fn two_terms_are_what_ieee_says(a in any::<f64>(), b in any::<f64>()) {
            let (exact, native) = (exact_sum([a, b]), a + b);
            prop_assert!(exact == native || (exact.is_nan() && native.is_nan()), "{a} + {b}: {exact} {native}");
        }

        #[test]
        fn order_and_chunks_do_not_count(mut terms in prop::collection::vec(-1e12_f64..1e12, 0..5000), cut in 0_usize..5000) {
            let whole = exact_sum(terms.iter().copied());
            let cut = cut.min(terms.len());
            let mut first = ExactSum::default();
            first.extend(terms[cut..].iter().copied());
            let mut second = ExactSum::default();
            second.extend(terms[..cut].iter().copied());
            first.merge(second);
            prop_assert_eq!(whole.to_bits(), first.value().to_bits());
            terms.sort_by(f64::total_cmp);
            prop_assert_eq!(whole.to_bits(), exact_sum(terms).to_bits());
        }
    }
}
