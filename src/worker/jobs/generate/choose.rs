//! Which token follows, by a model's logits.

use crate::failure::Failure;
use crate::jobs::train::order;
use kilter::job::Sampling;
use rand_chacha::ChaCha8Rng;

/// Chooses a token: the most probable one at temperature 0, the first of equals; else by chance, among the `top_k` most probable
/// (Fan et al., 2018) and of these those that first add up to `top_p` (Holtzman et al., 2020).
///
/// # Errors
/// When a logit is no number, or every token is forbidden.
pub fn choose(logits: &[f64], sampling: Sampling, choices: &mut ChaCha8Rng) -> Result<usize, Failure> {
    if let Some(at) = logits.iter().position(|logit| logit.is_nan() || *logit == f64::INFINITY) {
        return Err(Failure::new(format!("the model gives {} for token {at}", logits[at]))
            .hint("its weights have diverged: look at the training's loss, and train with a smaller learning rate"));
    }
    let mut order: Vec<usize> = (0..logits.len()).filter(|token| logits[*token].is_finite()).collect();
    order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b)));
    let best = *order.first().ok_or_else(|| Failure::new("every token is forbidden"))?;
    if sampling.temperature <= 0.0 {
        return Ok(best);
    }
    if let Some(most) = sampling.top_k {
        order.truncate(usize::try_from(most).unwrap_or(usize::MAX).max(1));
    }
    let weight = |token: &usize| ((logits[*token] - logits[best]) / sampling.temperature).exp();
    let weights: Vec<f64> = order.iter().map(weight).collect();
    let mut total: f64 = weights.iter().sum();
    if let Some(share) = sampling.top_p {
        let mut sum = 0.0;
        let kept = weights.iter().position(|weight| {
            sum += weight;
            sum >= share * total
        });
        order.truncate(kept.map_or(order.len(), |last| last + 1));
        total = weights[..order.len()].iter().sum();
    }
    let mut drawn = order::fraction(choices) * total;
    for (token, weight) in order.iter().zip(&weights) {
        drawn -= weight;
        if drawn < 0.0 {
            return Ok(*token);
        }
    }
    Ok(order.last().copied().unwrap_or(best))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampling(temperature: f64, top_k: Option<u64>, top_p: Option<f64>) -> Sampling {
        Sampling { temperature, top_k, top_p }
    }

    fn often(logits: &[f64], sampling: Sampling) -> Vec<f64> {
        let mut choices = order::generator(7, 1, "test");
        let mut counts = vec![0.0; logits.len()];
        for _ in 0..20_000 {
            counts[choose(logits, sampling, &mut choices).expect("chosen")] += 1.0 / 20_000.0;
        }
        counts
    }

    #[test]
    fn choices_follow_the_probabilities() {
        let logits = [0.5_f64, 0.3, 0.2].map(f64::ln);
        let near = |found: Vec<f64>, wanted: [f64; 3]| {
            assert!(found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 0.02), "{found:?} {wanted:?}");
        };
        near(often(&logits, sampling(1.0, None, None)), [0.5, 0.3, 0.2]);
        // 0.5^2 : 0.3^2 : 0.2^2
        near(often(&logits, sampling(0.5, None, None)), [0.658, 0.237, 0.105]);
        near(often(&logits, sampling(1.0, Some(2), None)), [0.625, 0.375, 0.0]);
        near(often(&logits, sampling(1.0, None, Some(0.7))), [0.625, 0.375, 0.0]);
        near(often(&logits, sampling(1.0, None, Some(0.5))), [1.0, 0.0, 0.0]);
        near(often(&logits, sampling(0.0, None, None)), [1.0, 0.0, 0.0]);
        assert_eq!(
            choose(&[1.0, 1.0], sampling(0.0, None, None), &mut order::generator(1, 1, "t")).expect("chosen"),
            0
        );
    }

    #[test]
    fn what_is_forbidden_or_no_number_is_not_chosen() {
        let mut choices = order::generator(7, 1, "test");
        let only = choose(&[f64::NEG_INFINITY, -3.0], sampling(1.0, None, None), &mut choices);
        assert_eq!(only.expect("chosen"), 1);
        let nan = choose(&[0.0, f64::NAN], sampling(1.0, None, None), &mut choices).expect_err("NaN");
        assert_eq!(nan.message, "the model gives NaN for token 1");
    }
}
