//! A sum of floats of any size: a superaccumulator.
//!
//! The sum is a whole number of units of 2^-1075, held in 67 limbs of 32 bits kept in `i64`s (the "small superaccumulator" of
//! R. M. Neal, *Fast exact summation using small and large superaccumulators*, 2015), so additions need no carries for
//! 1,024 terms.

use super::Term;

/// Limbs: exponents go from 0 to 2,046, a limb every 32 of them, and room for carries above.
const LIMBS: usize = 67;
/// So many terms fit into a limb before its carry must be passed on: a term adds less than 2^53 to a limb.
const TERMS: u32 = 1 << 10;

const LOW: u64 = 0xffff_ffff;

/// A sum under way.
#[derive(Clone)]
pub(super) struct Limbs {
    limbs: [i64; LIMBS],
    /// Terms that may be added before carries are passed on.
    room: u32,
    /// Sum of the terms that are not finite; 0 where there are none.
    special: f64,
}

impl Default for Limbs {
    fn default() -> Self {
        Self { limbs: [0; LIMBS], room: TERMS, special: 0.0 }
    }
}

impl Limbs {
    /// Adds what is infinite or NaN: the sum becomes what IEEE addition makes of it.
    pub(super) fn add_special(&mut self, term: f64) {
        self.special += term;
    }

    /// Adds a finite term.
    pub(super) fn add(&mut self, term: Term) {
        if self.room == 0 {
            self.carry();
        }
        self.room -= 1;
        let (limb, shift) = (usize::from(term.exponent >> 5), term.exponent & 31);
        let low = ((term.mantissa << shift) & LOW).cast_signed();
        let high = (term.mantissa >> (32 - shift)).cast_signed();
        if term.negative {
            self.limbs[limb] -= low;
            self.limbs[limb + 1] -= high;
        } else {
            self.limbs[limb] += low;
            self.limbs[limb + 1] += high;
        }
    }

    /// Adds `value * 2^(exponent - 1075)`.
    pub(super) fn add_whole(&mut self, value: i128, exponent: u16) {
        if self.room < 8 {
            self.carry();
        }
        self.room -= 4;
        let (mut limb, shift) = (usize::from(exponent >> 5), exponent & 31);
        let mut rest = value.unsigned_abs();
        let mut carried = 0_u64;
        while rest != 0 || carried != 0 {
            let piece = ((rest & u128::from(LOW)) as u64) << shift;
            let digit = ((piece & LOW) + carried).cast_signed();
            self.limbs[limb] += if value < 0 { -digit } else { digit };
            carried = piece >> 32;
            rest >>= 32;
            limb += 1;
        }
    }

    /// Adds another sum.
    pub(super) fn merge(&mut self, other: &Self) {
        self.carry();
        let mut other = other.clone();
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
    pub(super) fn value(mut self) -> f64 {
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
