//! What is said of language models: perplexity, bits a token, bits a character, and how many tokens were right.

use super::{Judged, Method, Metric, Outcome, TaskKind};

/// `exp` of the mean log loss.
pub(super) const PERPLEXITY: Metric = Metric {
    name: "perplexity",
    title: "perplexity",
    about: "Between how many tokens the model is in doubt, so to speak: e to the mean of minus the logarithm of the probability of the right token. It depends on the tokenizer.",
    formula: "exp(-mean(ln p(right token)))",
    range: (1.0, f64::INFINITY),
    higher_is_better: false,
    tasks: &[TaskKind::NextToken, TaskKind::MaskedToken],
    compute: perplexity,
    method: Method::Bootstrap,
};

/// The mean log loss to base 2.
pub(super) const BITS_PER_TOKEN: Metric = Metric {
    name: "bits_per_token",
    title: "bits per token",
    about: "The mean of minus the logarithm to base 2 of the probability of the right token. It depends on the tokenizer.",
    formula: "-mean(log2 p(right token))",
    range: (0.0, f64::INFINITY),
    compute: bits_per_token,
    ..PERPLEXITY
};

/// The log loss of all tokens to base 2, by characters.
pub(super) const BITS_PER_CHARACTER: Metric = Metric {
    name: "bits_per_character",
    title: "bits per character",
    about: "How many bits the model needs for a character of text: it can be compared between tokenizers and with compressors. A character that the tokenizer does not know is paid for with 20.08 bits more, as one of 1,112,064 of Unicode; the tokens for the beginning and end of texts are paid for too, and count as no character.",
    formula: "(-sum(log2 p(right token)) + 20.08 * unknown characters) / characters",
    range: (0.0, f64::INFINITY),
    tasks: &[TaskKind::NextToken],
    compute: bits_per_character,
    ..PERPLEXITY
};

/// The share of right tokens.
pub(super) const TOKEN_ACCURACY: Metric = Metric {
    name: "token_accuracy",
    title: "token accuracy",
    about: "The share of tokens that the model thinks most probable and that are right.",
    formula: "right tokens / tokens",
    range: (0.0, 1.0),
    higher_is_better: true,
    compute: token_accuracy,
    ..PERPLEXITY
};

/// Bits of one of all characters of Unicode: log2(1,112,064).
const UNKNOWN_BITS: f64 = 20.084_808_4;

/// Weighted sums over rows of two numbers, and one by the other.
fn ratio(weights: &[f64], above: &[f64], below: &[f64]) -> Option<f64> {
    let sum = |values: &[f64]| weights.iter().zip(values).map(|(weight, value)| weight * value).sum::<f64>();
    let total = sum(below);
    (total > 0.0).then(|| sum(above) / total)
}

fn nats_per_token(judged: &Judged, weights: &[f64]) -> Option<f64> {
    let Outcome::Tokens { log_loss, tokens, .. } = judged.outcome() else { return None };
    ratio(weights, log_loss, tokens)
}

fn perplexity(judged: &Judged, weights: &[f64]) -> Option<f64> {
    nats_per_token(judged, weights).map(f64::exp)
}

fn bits_per_token(judged: &Judged, weights: &[f64]) -> Option<f64> {
    nats_per_token(judged, weights).map(|nats| nats / std::f64::consts::LN_2)
}

fn bits_per_character(judged: &Judged, weights: &[f64]) -> Option<f64> {
    let Outcome::Tokens { log_loss, characters, unknown, .. } = judged.outcome() else { return None };
    let bits: Vec<f64> = log_loss
        .iter()
        .zip(unknown)
        .map(|(nats, unknown)| nats / std::f64::consts::LN_2 + unknown * UNKNOWN_BITS)
        .collect();
    ratio(weights, &bits, characters)
}

fn token_accuracy(judged: &Judged, weights: &[f64]) -> Option<f64> {
    let Outcome::Tokens { correct, tokens, .. } = judged.outcome() else { return None };
    ratio(weights, correct, tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uniform_model_has_as_many_choices_as_tokens() {
        let nats = 8.0_f64.ln();
        let judged = Judged::new(Outcome::Tokens {
            hidden: false,
            log_loss: vec![3.0 * nats, nats],
            tokens: vec![3.0, 1.0],
            correct: vec![1.0, 1.0],
            characters: vec![6.0, 2.0],
            unknown: vec![0.0, 1.0],
        });
        let near = |metric: &Metric, wanted: f64| {
            let found = metric.value(&judged).unwrap();
            assert!((found - wanted).abs() < 1e-9, "{}: {found}", metric.name);
        };
        near(&PERPLEXITY, 8.0);
        near(&BITS_PER_TOKEN, 3.0);
        near(&BITS_PER_CHARACTER, (4.0 * 3.0 + UNKNOWN_BITS) / 8.0);
        near(&TOKEN_ACCURACY, 0.5);
        assert!((UNKNOWN_BITS - 1_112_064_f64.log2()).abs() < 1e-6);
        let none = Judged::new(Outcome::Tokens {
            hidden: false,
            log_loss: vec![0.0],
            tokens: vec![0.0],
            correct: vec![0.0],
            characters: vec![0.0],
            unknown: vec![0.0],
        });
        assert_eq!(PERPLEXITY.value(&none), None);
    }
}
