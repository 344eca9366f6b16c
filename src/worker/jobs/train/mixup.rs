//! Mixes the rows of a batch with each other: Zhang et al., mixup: Beyond Empirical Risk Minimization (2018).

use super::order::permutation;
use crate::failure::Failure;
use crate::tensors::moved;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use std::collections::BTreeMap;
use tch::{Kind, Tensor};

/// What the rows of a batch were mixed with.
pub struct Mix {
    /// How much of each row is its own; the rest is the other's.
    pub share: f64,
    /// The targets of the others.
    pub target: Tensor,
}

/// Mixes every feature of a batch in place; gives the share, which is drawn from Beta(alpha, alpha) for `0 < alpha <= 1`, and
/// the targets of the rows that were mixed in.
///
/// # Errors
/// What libtorch says.
pub fn mix(
    alpha: f64,
    rng: &mut ChaCha8Rng,
    features: &mut BTreeMap<String, Tensor>,
    target: &Tensor,
) -> Result<Mix, Failure> {
    let share = beta(alpha, rng);
    let others = moved(Tensor::f_from_slice(&permutation(target.size()[0], rng))?, target.device())?;
    for feature in features.values_mut() {
        let own = feature.f_to_kind(Kind::Float)?;
        *feature = own.f_index_select(0, &others)?.f_lerp(&own, share)?;
    }
    Ok(Mix { share, target: target.f_index_select(0, &others)? })
}

/// A number drawn from Beta(alpha, alpha), by Jöhnk's method: x / (x + y) of x = u^(1 / alpha) and y = v^(1 / alpha), where
/// x + y is at most 1.
fn beta(alpha: f64, rng: &mut ChaCha8Rng) -> f64 {
    loop {
        let (x, y) = (uniform(rng).powf(1.0 / alpha), uniform(rng).powf(1.0 / alpha));
        if x + y > 0.0 && x + y <= 1.0 {
            return x / (x + y);
        }
    }
}

/// Above 0 and at most 1.
fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    ((rng.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::super::order::generator;
    use super::*;

    #[test]
    fn shares_are_drawn_from_beta() {
        for alpha in [0.2, 1.0] {
            let mut rng = generator(7, 1, "augment");
            let drawn: Vec<f64> = (0..20_000).map(|_| beta(alpha, &mut rng)).collect();
            let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
            let variance = drawn.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / drawn.len() as f64;
            // Of Beta(a, a) the mean is 1/2 and the variance 1 / (4 (2 a + 1)).
            let expected = 1.0 / (4.0 * (2.0 * alpha + 1.0));
            assert!((mean - 0.5).abs() < 0.01 && (variance - expected).abs() < 0.005, "{alpha}: {mean}, {variance}");
        }
    }

    #[test]
    fn a_row_is_its_own_and_anothers_by_the_share() {
        let rows = Tensor::from_slice2(&[[0_u8, 10], [100, 20], [200, 30]]);
        let mut features = BTreeMap::from([("x".to_owned(), rows.shallow_clone())]);
        let target = Tensor::from_slice(&[0_i64, 1, 2]);
        let mix = mix(0.5, &mut generator(7, 1, "augment"), &mut features, &target).expect("mixed");
        let expected = rows.to_kind(Kind::Float) * mix.share
            + rows.index_select(0, &mix.target).to_kind(Kind::Float) * (1.0 - mix.share);
        assert!((&features["x"] - expected).abs().max().double_value(&[]) < 1e-4);
    }
}
