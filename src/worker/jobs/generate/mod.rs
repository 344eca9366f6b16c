//! Goes on with sequences of tokens: the model is asked for the token after the last, which is added, and so on.

mod choose;
mod reader;

use super::Events;
use crate::failure::Failure;
use crate::network::{self, Start};
use crate::numerics;
use choose::choose;
use kilter::env::Cancel;
use kilter::job::{GenerateJob, Generated, JobResult, WorkerEvent};
use kilter::stage::Seed;
use rand_chacha::ChaCha8Rng;
use reader::{Model, Reader};
use std::collections::BTreeMap;
use tch::Device;

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
        go_on(job, &network, device, &mut batch, cancel)?;
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
    model: &dyn Model,
    device: Device,
    batch: &mut [Sequence],
    cancel: &Cancel,
) -> Result<(), Failure> {
    let mut reader = Reader::new(job, model, device);
    for _ in 0..job.max_tokens {
        if cancel.is_set() {
            return Err(Failure::cancelled());
        }
        let open: Vec<(usize, &[i64])> = batch
            .iter()
            .enumerate()
            .filter(|(_, sequence)| !sequence.made.ended)
            .map(|(row, sequence)| (row, sequence.tokens.as_slice()))
            .collect();
        if open.is_empty() {
            return Ok(());
        }
        for (row, mut logits) in reader.logits(&open)? {
            for id in &job.never {
                if let Some(logit) = usize::try_from(*id).ok().and_then(|id| logits.get_mut(id)) {
                    *logit = f64::NEG_INFINITY;
                }
            }
            let sequence = &mut batch[row];
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::train::order;
    use crate::layers::{Network, Past};
    use crate::numerics::seeded;
    use kilter::job::{Numerics, Sampling, Setting};
    use kilter::nn::{Architecture, Join};
    use kilter::types::{Dim, FeatureType, Shape, TensorType};
    use serde_json::json;
    use tch::nn::VarStore;
    use tch::{Kind, Tensor};

    fn job(sampling: Sampling, max_tokens: u64, context: usize) -> GenerateJob {
        GenerateJob {
            setting: Setting { threads: 1, numerics: Numerics::Native, device: kilter::job::Device::Cpu },
            architecture: "a".into(),
            weights: "b".into(),
            feature: "text".to_owned(),
            prompts: Vec::new(),
            sampling,
            max_tokens,
            context,
            end: Some(6),
            never: vec![0],
            pad: 0,
            batch_size: 8,
            seed: 7,
            out: "c".into(),
        }
    }

    fn sequence(tokens: &[i64]) -> Sequence {
        let choices = order::generator(7, tokens.len() as u64, "test");
        Sequence { tokens: tokens.to_vec(), made: Generated::default(), choices }
    }

    /// After token `n` comes `n + 1`.
    struct Counts;

    impl Model for Counts {
        fn whole(&self, tokens: &Tensor, _: &str) -> Result<Tensor, Failure> {
            Ok(tokens.f_add_scalar(1)?.f_clamp(0, 9)?.f_one_hot(10)?.f_to_kind(Kind::Float)?)
        }

        fn goes_on(&self) -> bool {
            false
        }

        fn go_on(&self, _: &Tensor, _: &[i64], _: Past) -> Result<(Tensor, Past), Failure> {
            Err(Failure::new("is not asked"))
        }
    }

    #[test]
    fn sequences_of_different_lengths_go_on_until_their_end() {
        let job = job(Sampling { temperature: 0.0, top_k: None, top_p: None }, 4, 2);
        let mut batch = [sequence(&[1]), sequence(&[9, 9, 3])];
        go_on(&job, &Counts, Device::Cpu, &mut batch, &Cancel::new()).expect("went on");
        assert_eq!(batch[0].made, Generated { tokens: vec![2, 3, 4, 5], ended: false });
        assert_eq!(batch[1].made, Generated { tokens: vec![4, 5], ended: true });
    }

    /// A network of random weights, asked for whole sequences or not; it notes how many tokens it was given.
    struct Drawn {
        network: Network,
        _store: VarStore,
        whole: bool,
        given: std::cell::Cell<usize>,
    }

    impl Drawn {
        fn new(layers: &serde_json::Value, whole: bool) -> Self {
            let input = FeatureType {
                name: "text".into(),
                shape: Shape::fixed(&[12]),
                dtype: TensorType::I64,
                scale: None,
                cardinality: Some(Dim::Fixed(11)),
                padding: Some(0),
                columns: Vec::new(),
            };
            let mut all = vec![json!({ "embedding": 8 })];
            all.extend(layers.as_array().expect("a list").iter().cloned());
            all.push(json!({ "linear": 11 }));
            let layers = serde_json::from_value(json!(all)).expect("layers");
            let described = Architecture::new(vec![input], Vec::new(), Join::Concat, layers, None).expect("sound");
            let store = VarStore::new(Device::Cpu);
            let turn = seeded(3);
            let network = Network::build(&described, &store.root()).expect("built");
            drop(turn);
            Self { network, _store: store, whole, given: std::cell::Cell::default() }
        }

        /// What it makes of three beginnings, and how many tokens it was given for it.
        fn texts(&self, temperature: f64) -> (Vec<Generated>, usize) {
            let _no_grad = tch::no_grad_guard();
            let job = job(Sampling { temperature, top_k: None, top_p: None }, 14, 12);
            let mut batch = [sequence(&[1]), sequence(&[9, 2, 3, 7, 5]), sequence(&[4, 4])];
            go_on(&job, self, Device::Cpu, &mut batch, &Cancel::new()).expect("went on");
            (batch.into_iter().map(|sequence| sequence.made).collect(), self.given.get())
        }
    }

    impl Model for Drawn {
        fn whole(&self, tokens: &Tensor, feature: &str) -> Result<Tensor, Failure> {
            self.given.set(self.given.get() + tokens.numel());
            Ok(self.network.forward(&BTreeMap::from([(feature.to_owned(), tokens.shallow_clone())]), false)?)
        }

        fn goes_on(&self) -> bool {
            !self.whole && self.network.goes_on()
        }

        fn go_on(&self, tokens: &Tensor, new: &[i64], past: Past) -> Result<(Tensor, Past), Failure> {
            self.given.set(self.given.get() + tokens.numel());
            Ok(self.network.go_on(tokens, new, past)?)
        }
    }

    #[test]
    fn what_was_seen_need_not_be_computed_anew() {
        let block = |more: serde_json::Value| {
            let mut spec = json!({ "layers": 2, "heads": 2, "causal": true, "dropout": 0.0 });
            spec.as_object_mut().expect("a map").extend(more.as_object().expect("a map").clone());
            json!({ "transformer_encoder": spec })
        };
        for layers in [
            json!([{ "position": { "kind": "learned" } }, block(json!({ "norm": "pre" })), "layer_norm"]),
            json!([{ "position": { "kind": "sinusoidal" } }, block(json!({}))]),
            json!([block(json!({ "rotary": true }))]),
            json!([block(json!({ "heads": 4, "kv_heads": 2, "rotary": true, "norm": "pre" }))]),
            json!([{ "residual": [{ "multi_head_attention": { "heads": 2, "causal": true, "rotary": true } }] }, "rms_norm"]),
            json!([{ "lstm": { "hidden": 8, "layers": 2, "output": "sequence" } }]),
            json!([{ "gru": { "hidden": 8, "output": "sequence" } }, "gelu"]),
            json!([{ "rnn": { "hidden": 8, "output": "sequence" } }, { "save": "x" }, { "linear": 8 }, { "add": "x" }]),
        ] {
            for temperature in [0.0, 1.0] {
                let (texts, given) = Drawn::new(&layers, false).texts(temperature);
                let (wanted, all) = Drawn::new(&layers, true).texts(temperature);
                assert_eq!(texts, wanted, "{layers}");
                assert!(given < all, "{layers}: {given} of {all} tokens");
            }
        }
    }

    #[test]
    fn logits_are_those_of_the_whole_sequence() {
        let layers =
            json!([{ "position": "learned" }, { "transformer_encoder": { "layers": 2, "heads": 2, "causal": true } }]);
        let _no_grad = tch::no_grad_guard();
        let model = Drawn::new(&layers, false);
        let tokens = Tensor::from_slice(&[1_i64, 5, 2, 8, 3, 3, 9, 4, 10, 7]).view([2, 5]);
        let whole = model.whole(&tokens, "text").expect("computed");
        let (mut past, mut parts) = (Past::new(2), Vec::new());
        for (from, count) in [(0, 2), (2, 1), (3, 2)] {
            let part = model.go_on(&tokens.narrow(1, from, count), &[count; 2], past).expect("computed");
            parts.push(part.0);
            past = part.1;
        }
        let far = (Tensor::cat(&parts, 1) - whole).abs().max().double_value(&[]);
        assert!(far < 1e-5, "{far}");
    }

    #[test]
    fn a_layer_that_looks_at_the_whole_sequence_says_so() {
        for (layers, goes_on) in [
            (json!([{ "transformer_encoder": { "layers": 1, "heads": 2, "causal": true } }]), true),
            (json!([{ "transformer_encoder": { "layers": 1, "heads": 2 } }]), false),
            (json!([{ "lstm": { "hidden": 8, "output": "sequence", "bidirectional": true } }]), false),
            (json!([{ "layer_norm": { "dims": 2 } }]), false),
            (json!(["transpose", { "conv1d": { "out": 8, "kernel": 3, "padding": 1 } }, "transpose"]), false),
        ] {
            assert_eq!(Drawn::new(&layers, false).goes_on(), goes_on, "{layers}");
        }
    }
}
