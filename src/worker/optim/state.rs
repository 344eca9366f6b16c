//! An optimizer's part of a checkpoint: `SLOT/PARAMETER` tensors by number, as the shim counts them.

use crate::checkpoint::{Part, Stateful};
use crate::failure::Failure;
use crate::shim::Optimizer;
use tch::Tensor;

impl Optimizer {
    /// Every state tensor with its name in a checkpoint.
    fn tensors(&self) -> Result<Vec<(String, Tensor)>, Failure> {
        let mut all = Vec::new();
        for slot in 0..self.slots() {
            for param in 0.. {
                let Some(tensor) = self.state(slot, param)? else { break };
                all.push((format!("{slot}/{param}"), tensor));
            }
        }
        Ok(all)
    }
}

impl Stateful for Optimizer {
    fn save(&self, into: &mut Part) -> Result<(), Failure> {
        into.value("started", &self.is_started())?;
        self.tensors()?.iter().try_for_each(|(name, tensor)| into.tensor(name, tensor))
    }

    fn restore(&mut self, from: &Part) -> Result<(), Failure> {
        self.set_started(from.get("started")?);
        self.tensors()?.iter().try_for_each(|(name, tensor)| from.copy_into(name, tensor))
    }
}

#[cfg(test)]
mod tests {
    use super::super::build;
    use super::*;
    use crate::shim::Parameter;
    use tch::Kind;

    /// Steps on two parameters of which the second gets no gradient in the first step.
    fn steps(optimizer: &mut Optimizer, params: &[Tensor], range: std::ops::Range<i64>) {
        for step in range {
            let mut loss = (&params[0] * &params[0] * (step + 1)).sum(Kind::Float);
            if step > 0 {
                loss += (&params[1] - 3.0).square().sum(Kind::Float);
            }
            loss.backward();
            optimizer.step(0.1, None).expect("stepped");
        }
    }

    /// A vector and a matrix.
    fn params() -> [Tensor; 2] {
        let made =
            [Tensor::from_slice(&[1.0_f32, -2.0, 0.3]), Tensor::from_slice2(&[[0.1_f32, 0.2, 0.7], [0.3, -0.1, 0.4]])];
        made.map(|tensor| tensor.set_requires_grad(true))
    }

    #[test]
    fn every_rule_goes_on_bit_for_bit_after_any_step() {
        let rules = [
            serde_json::json!({ "sgd": { "lr": 0.1 } }),
            serde_json::json!({ "sgd": { "lr": 0.1, "momentum": 0.9, "dampening": 0.3 } }),
            serde_json::json!({ "adam": { "lr": 0.1 } }),
            serde_json::json!({ "adamw": { "lr": 0.1, "weight_decay": 0.1 } }),
            serde_json::json!({ "rmsprop": { "lr": 0.1, "momentum": 0.5, "centered": true } }),
            serde_json::json!({ "muon": { "lr": 0.1 } }),
        ];
        for rule in rules {
            let spec = serde_json::from_value(rule.clone()).expect("a rule");
            let straight = params();
            steps(&mut build(&spec, &straight.each_ref().map(Parameter::plain)).expect("built"), &straight, 0..6);
            for cut in 0..6 {
                let halves = params();
                let own = || halves.each_ref().map(Parameter::plain);
                let (mut first, mut part) = (build(&spec, &own()).expect("built"), Part::default());
                steps(&mut first, &halves, 0..cut);
                first.save(&mut part).expect("saved");
                let mut second = build(&spec, &own()).expect("built");
                second.restore(&part).expect("restored");
                steps(&mut second, &halves, cut..6);
                for (a, b) in straight.iter().zip(&halves) {
                    assert_eq!(a.detach(), b.detach(), "{rule}, cut at {cut}");
                }
            }
        }
    }
}
