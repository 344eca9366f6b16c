//! An exponential moving average of the weights, as torch.optim.swa_utils.get_ema_multi_avg_fn with buffers.

use crate::checkpoint::{Part, Stateful};
use crate::failure::Failure;
use crate::shim;
use crate::tensors::Weights;
use kilter::job::Ema;
use std::collections::BTreeMap;
use tch::Tensor;

/// The average so far.
pub struct Average {
    decay: f64,
    /// By the name of the weights.
    values: BTreeMap<String, Tensor>,
    /// Whether a step was averaged: the first begins the average.
    begun: bool,
}

impl Average {
    /// Nothing averaged yet.
    pub fn new(spec: Ema, weights: &Weights) -> Self {
        let values = weights.iter().map(|(name, tensor)| (name.clone(), tensor.detach().copy())).collect();
        Self { decay: spec.decay, values, begun: false }
    }

    /// Takes the weights after a step in.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn take(&mut self, weights: &Weights) -> Result<(), Failure> {
        let (mut averages, mut now) = (Vec::new(), Vec::new());
        for ((_, average), (_, weight)) in self.values.iter().zip(weights.iter()) {
            if average.is_floating_point() && self.begun {
                averages.push(average);
                now.push(weight);
            } else {
                tch::no_grad(|| average.shallow_clone().f_copy_(weight))?;
            }
        }
        self.begun = true;
        shim::lerp(&averages, &now, 1.0 - self.decay)
    }

    /// Exchanges the average and the weights.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn exchange(&mut self, weights: &Weights) -> Result<(), Failure> {
        for ((_, average), (_, weight)) in self.values.iter_mut().zip(weights.iter()) {
            tch::no_grad(|| -> Result<(), Failure> {
                let kept = weight.detach().copy();
                weight.shallow_clone().f_copy_(average)?;
                average.f_copy_(&kept)?;
                Ok(())
            })?;
        }
        Ok(())
    }
}

impl Stateful for Average {
    fn save(&self, into: &mut Part) -> Result<(), Failure> {
        into.value("begun", &self.begun)?;
        self.values.iter().try_for_each(|(name, value)| into.tensor(name, value))
    }

    fn restore(&mut self, from: &Part) -> Result<(), Failure> {
        self.begun = from.get("begun")?;
        self.values.iter().try_for_each(|(name, value)| from.copy_into(name, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, nn::Init, nn::VarStore};

    #[test]
    fn the_first_step_begins_it_and_each_moves_it() {
        let store = VarStore::new(Device::Cpu);
        let weight = store.root().var("w", &[2], Init::Const(0.0));
        let weights = Weights::of(&store);
        let set = |value: f64| drop(tch::no_grad(|| weight.shallow_clone().fill_(value)));
        let mut average = Average::new(Ema { decay: 0.9 }, &weights);
        for value in [1.0, 2.0, 4.0] {
            set(value);
            average.take(&weights).expect("taken");
        }
        let mut part = Part::default();
        average.save(&mut part).expect("saved");
        average.exchange(&weights).expect("exchanged");
        // 1, then 0.9 + 0.2, then 0.99 + 0.4.
        assert!((weight.double_value(&[0]) - 1.39).abs() < 1e-6);
        average.exchange(&weights).expect("exchanged");
        assert_eq!(weight.double_value(&[0]), 4.0);
        let mut other = Average::new(Ema { decay: 0.9 }, &weights);
        other.restore(&part).expect("restored");
        other.exchange(&weights).expect("exchanged");
        assert!((weight.double_value(&[1]) - 1.39).abs() < 1e-6);
    }
}
