//! Sums of floats that do not depend on the order of addition.
//!
//! Every finite `f64` is a whole multiple of 2^-1074, so a sum of them is a whole number of such units. [`ExactSum`] holds
//! that number: in an `i128` whose unit is a power of two that fits the first term, so that terms up to 36 powers of two
//! smaller or larger than it are added by a shift and an addition; and where terms do not fit into that, or the `i128` is
//! full, in a superaccumulator beside it (`limbs`). Adding is exact, hence associative and commutative: pieces can be
//! summed in parallel and merged in any order, and many terms at once are added in blocks first (`blocks`). Only
//! [`ExactSum::value`] rounds, once, half to even: the result is the correctly rounded sum.

mod blocks;
mod limbs;
mod sliding;

pub use sliding::SlidingSum;

use limbs::Limbs;

/// So far above its unit a term may lie: its 53 bits and a sign then leave room to add.
const REACH: u16 = 72;

/// The unit of a sum without terms: no exponent is within reach of it.
const NONE: u16 = 1 << 15;

/// A finite term: `mantissa * 2^(exponent - 1075)`, the exponent from 1 to 2,046.
#[derive(Clone, Copy)]
struct Term {
    negative: bool,
    mantissa: u64,
    exponent: u16,
}

impl Term {
    /// `None` for infinities and NaN.
    #[inline(always)]
    fn of(value: f64) -> Option<Self> {
        let bits = value.to_bits();
        let (field, fraction) = (((bits >> 52) & 0x7ff) as u16, bits & ((1 << 52) - 1));
        let negative = bits >> 63 == 1;
        match field {
            0x7ff => None,
            0 => Some(Self { negative, mantissa: fraction, exponent: 1 }),
            _ => Some(Self { negative, mantissa: fraction | 1 << 52, exponent: field }),
        }
    }

    /// The term in these units; `None` where it is no whole number of them, or too large.
    #[inline(always)]
    fn in_units(self, unit: u16) -> Option<i128> {
        let shift = self.exponent.wrapping_sub(unit);
        (shift <= REACH).then(|| self.signed(i128::from(self.mantissa) << shift))
    }

    /// The same for a term that lies below the unit, but has zeros there.
    fn in_larger_units(self, unit: u16) -> Option<i128> {
        let below = u32::from(unit.checked_sub(self.exponent)?);
        (below <= self.mantissa.trailing_zeros()).then(|| self.signed(i128::from(self.mantissa >> below)))
    }

    #[inline(always)]
    fn signed(self, magnitude: i128) -> i128 {
        if self.negative { -magnitude } else { magnitude }
    }
}

/// A sum under way.
#[derive(Clone)]
pub struct ExactSum {
    /// What fits, in units of 2^(unit - 1075).
    near: i128,
    unit: u16,
    /// What does not fit.
    far: Option<Box<Limbs>>,
}

impl Default for ExactSum {
    fn default() -> Self {
        Self { near: 0, unit: NONE, far: None }
    }
}

impl ExactSum {
    /// Adds a term. Infinities and NaN make the sum what IEEE addition makes of them.
    #[inline(always)]
    pub fn add(&mut self, value: f64) {
        if let Some(term) = Term::of(value)
            && let Some(units) = term.in_units(self.unit)
            && let Some(sum) = self.near.checked_add(units)
        {
            self.near = sum;
        } else {
            self.add_rare(value);
        }
    }

    #[cold]
    #[inline(never)]
    fn add_rare(&mut self, value: f64) {
        let Some(term) = Term::of(value) else { return self.far().add_special(value) };
        if term.mantissa == 0 {
            return;
        }
        if self.unit == NONE {
            self.unit = term.exponent.saturating_sub(REACH / 2).max(1);
        }
        match term.in_units(self.unit).or_else(|| term.in_larger_units(self.unit)) {
            Some(units) => self.add_units(units),
            None => self.far().add(term),
        }
    }

    fn add_units(&mut self, units: i128) {
        self.near = self.near.checked_add(units).unwrap_or_else(|| {
            let (near, unit) = (self.near, self.unit);
            self.far().add_whole(near, unit);
            units
        });
    }

    fn far(&mut self) -> &mut Limbs {
        self.far.get_or_insert_default()
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &Self) {
        if self.unit == NONE {
            self.unit = other.unit;
        }
        if self.unit == other.unit {
            self.add_units(other.near);
        } else if other.near != 0 {
            self.far().add_whole(other.near, other.unit);
        }
        if let Some(far) = &other.far {
            self.far().merge(far);
        }
    }

    /// The sum, rounded once; `0.0` for no terms.
    #[must_use]
    pub fn value(&self) -> f64 {
        // Neither the power of two nor the result is subnormal or overflows: multiplying is exact.
        if self.far.is_none() && (54..1900).contains(&self.unit) {
            return self.near as f64 * f64::from_bits(u64::from(self.unit - 52) << 52);
        }
        let mut sum = self.far.as_deref().cloned().unwrap_or_default();
        if self.unit != NONE {
            sum.add_whole(self.near, self.unit);
        }
        sum.value()
    }

    /// The sum as terms that become smaller and smaller: 159 bits of it.
    pub(super) fn parts(&self) -> [f64; 3] {
        let mut rest = self.clone();
        [(); 3].map(|()| {
            let part = rest.value();
            rest.add(-part);
            part
        })
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

    /// Terms of one size, with some of any other among them.
    fn terms() -> impl Strategy<Value = f64> {
        prop_oneof![20 => -1e12_f64..1e12, 1 => any::<f64>().prop_filter("finite", |term| term.is_finite())]
    }

    proptest! {
        #[test]
        fn two_terms_are_what_ieee_says(a in any::<f64>(), b in any::<f64>()) {
            let (exact, native) = (exact_sum([a, b]), a + b);
            prop_assert!(exact == native || (exact.is_nan() && native.is_nan()), "{a} + {b}: {exact} {native}");
        }

        #[test]
        fn order_and_chunks_do_not_count(mut terms in prop::collection::vec(terms(), 0..3000), cut in 0_usize..3000) {
            let whole = exact_sum(terms.iter().copied());
            let cut = cut.min(terms.len());
            let mut first = ExactSum::default();
            first.extend(terms[cut..].iter().copied());
            let mut second = ExactSum::default();
            second.extend(terms[..cut].iter().copied());
            first.merge(&second);
            prop_assert_eq!(whole.to_bits(), first.value().to_bits());
            terms.sort_by(f64::total_cmp);
            prop_assert_eq!(whole.to_bits(), exact_sum(terms).to_bits());
        }

        /// Both ways of holding a sum hold the same.
        #[test]
        fn limbs_alone_agree(terms in prop::collection::vec(terms(), 0..300)) {
            let mut alone = Limbs::default();
            terms.iter().filter_map(|term| Term::of(*term)).for_each(|term| alone.add(term));
            prop_assert_eq!(alone.value().to_bits(), exact_sum(terms).to_bits());
        }
    }

    #[test]
    fn a_full_sum_goes_on_beside() {
        let mut sum = ExactSum::default();
        sum.add(1.0);
        let large = 2_f64.powi(36);
        sum.extend(std::iter::repeat_n(large, 10));
        for _ in 0..60 {
            let again = sum.clone();
            sum.merge(&again);
        }
        assert_eq!(sum.value(), (1.0 + 10.0 * large) * 2_f64.powi(60));
        sum.extend([-(10.0 * large) * 2_f64.powi(60), 1e-300]);
        assert_eq!(sum.value(), 2_f64.powi(60));
        assert_eq!(sum.parts(), [2_f64.powi(60), 1e-300, 0.0]);
    }
}
