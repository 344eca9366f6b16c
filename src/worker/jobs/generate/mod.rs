//! Goes on with sequences of tokens: the model is asked for the token after the last, which is added, and so on. What it has seen
//! is computed anew for every token; sequences that are longer than the model can see lose their beginning.

use super::Events;
use super::train::order;
use crate::failure::Failure;
use crate::network::{self, Start};
use crate::numerics;
use kilter::env::Cancel;
use kilter::job::{GenerateJob, Generated, JobResult, Sampling, WorkerEvent};
use kilter::stage::Seed;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor};

/// A network that does not train: features by name to outputs.
type Answer<'a> = &'a dyn Fn(&BTreeMap<String, Tensor>) -> Result<Tensor, Failure>;

/// A sequence under way.
struct Sequence {
    tokens: Vec<i64>,
    made: Generated,
    choices: ChaCha8Rng,
}

/// Writes a [`Generated`] for each prompt, in their order.
///
/// # Errors
/// When the files do not fit each other, libtorch fails, or the job is cancelled.
pub fn run(job: &GenerateJob, events: Events<'_>, cancel: &Cancel) -> Result<JobResult, Failure> {
    let device = numerics::apply(job.setting)?;
    let network = network::load(&job.architecture, Start::Weights(&job.weights), 0, device)?;
    let forward = |features: &BTreeMap<String, Tensor>| network.forward(features, false);
    let _no_grad = tch::no_grad_guard();
    let mut all: Vec<Generated> = Vec::with_capacity(job.prompts.len());
    for prompts in job.prompts.chunks(job.batch_size.max(1)) {
        let first = all.len();
        let mut batch: Vec<Sequence> = (first..)
            .zip(prompts)
            .map(|(row, prompt)| Sequence {
                tokens: prompt.clone(),
                made: Generated::default(),
                choices: Seed::derive(job.seed, &format!("row {row}")).rng("generate"),
            })
            .collect();
        go_on(job, &forward, device, &mut batch, cancel)?;
        all.extend(batch.into_iter().map(|sequence| sequence.made));
        events(WorkerEvent::Rows { done: all.len() as u64, total: job.prompts.len() as u64 });
    }
    let text = serde_json::to_vec(&all).map_err(|error| Failure::new(error.to_string()))?;
    std::fs::write(&job.out, text).map_err(|error| Failure::file("write", &job.out, error))?;
    let tokens: usize = all.iter().map(|made| made.tokens.len()).sum();
    Ok(JobResult {
        values: BTreeMap::from([("tokens".to_owned(), tokens as f64)]),
        environment: numerics::environment(job.setting),
        files: vec![job.out.clone()],
    })
}

fn go_on(
    job: &GenerateJob,
    forward: Answer<'_>,
    device: Device,
    batch: &mut [Sequence],
    cancel: &Cancel,
) -> Result<(), Failure> {
    for _ in 0..job.max_tokens {
        if cancel.is_set() {
            return Err(Failure::cancelled());
        }
        let mut open: Vec<&mut Sequence> = batch.iter_mut().filter(|sequence| !sequence.made.ended).collect();
        if open.is_empty() {
            return Ok(());
        }
        let logits = last_logits(job, forward, device, &open)?;
        for (sequence, mut logits) in open.iter_mut().zip(logits) {
            for id in &job.never {
                if let Some(logit) = usize::try_from(*id).ok().and_then(|id| logits.get_mut(id)) {
                    *logit = f64::NEG_INFINITY;
                }
            }
            let token = choose(&logits, job.sampling, &mut sequence.choices)? as i64;
            if Some(token) == job.end {
                sequence.made.ended = true;
            } else {
                sequence.tokens.push(token);
                sequence.made.tokens.push(token as u32);
            }
        }
    }
    Ok(())
}

/// The logits of the token after each sequence.
fn last_logits(
    job: &GenerateJob,
    forward: Answer<'_>,
    device: Device,
    open: &[&mut Sequence],
) -> Result<Vec<Vec<f64>>, Failure> {
    let seen: Vec<&[i64]> =
        open.iter().map(|sequence| &sequence.tokens[sequence.tokens.len().saturating_sub(job.context)..]).collect();
    let width = seen.iter().map(|tokens| tokens.len()).max().unwrap_or(0);
    // Shorter ones are filled up behind their end, where a model that only looks back does not see it.
    let filled: Vec<i64> = seen
        .iter()
        .flat_map(|tokens| tokens.iter().copied().chain(std::iter::repeat_n(job.pad, width - tokens.len())))
        .collect();
    let rows = seen.len() as i64;
    let input = Tensor::f_from_slice(&filled)?.f_view([rows, width as i64])?.f_to_device(device)?;
    let output = forward(&BTreeMap::from([(job.feature.clone(), input)]))?;
    let row = Tensor::f_arange(rows, (Kind::Int64, device))?;
    let last: Vec<i64> = seen.iter().map(|tokens| tokens.len() as i64 - 1).collect();
    let last = Tensor::f_from_slice(&last)?.f_to_device(device)?;
    let logits = output.f_index(&[Some(row), Some(last)])?.f_to_kind(Kind::Double)?.f_to_device(Device::Cpu)?;
    Ok(Vec::<Vec<f64>>::try_from(logits)?)
}

/// Chooses a token: the most probable one at temperature 0, the first of equals; else by chance, among the `top_k` most probable
/// (Fan et al., 2018) and of these those that first add up to `top_p` (Holtzman et al., 2020).
fn choose(logits: &[f64], sampling: Sampling, choices: &mut ChaCha8Rng) -> Result<usize, Failure> {
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

    /// A model that counts: after token `n` comes `n + 1`.
    fn counts(features: &BTreeMap<String, Tensor>) -> Result<Tensor, Failure> {
        let next = features["text"].f_add_scalar(1)?.f_clamp(0, 9)?;
        Ok(next.f_one_hot(10)?.f_to_kind(Kind::Float)?)
    }

    #[test]
    fn sequences_of_different_lengths_go_on_until_their_end() {
        let job = GenerateJob {
            setting: kilter::job::Setting {
                threads: 1,
                numerics: kilter::job::Numerics::Native,
                device: kilter::job::Device::Cpu,
            },
            architecture: "a".into(),
            weights: "b".into(),
            feature: "text".to_owned(),
            prompts: Vec::new(),
            sampling: sampling(0.0, None, None),
            max_tokens: 4,
            context: 2,
            end: Some(6),
            never: vec![0],
            pad: 0,
            batch_size: 8,
            seed: 7,
            out: "c".into(),
        };
        let sequence = |tokens: &[i64]| Sequence {
            tokens: tokens.to_vec(),
            made: Generated::default(),
            choices: order::generator(7, 1, "test"),
        };
        let mut batch = [sequence(&[1]), sequence(&[9, 9, 3])];
        go_on(&job, &counts, Device::Cpu, &mut batch, &Cancel::new()).expect("went on");
        assert_eq!(batch[0].made, Generated { tokens: vec![2, 3, 4, 5], ended: false });
        assert_eq!(batch[1].made, Generated { tokens: vec![4, 5], ended: true });
    }
}
