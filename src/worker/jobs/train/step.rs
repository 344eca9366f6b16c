//! The loss of one step and its gradients: at once or in parts, mixed or not, in as many bits as are wanted.

use super::super::Forward;
use super::batches::Batch;
use super::precision::{Casting, LossScale};
use crate::failure::Failure;
use crate::losses::Criterion;
use tch::Tensor;

/// How the loss of a step is computed.
pub struct Step<'a> {
    pub forward: Forward<'a>,
    pub criterion: &'a Criterion,
    pub casting: Casting,
    /// In how many parts; at least 1.
    pub parts: u64,
}

impl Step<'_> {
    /// The mean loss of a batch, on the device; its gradients, scaled where there is a scale, are added to those of the
    /// parameters.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn loss_and_gradients(&self, batch: &Batch, scale: Option<&LossScale>) -> Result<Tensor, Failure> {
        let rows = batch.rows.unsigned_abs().div_ceil(self.parts.max(1)).max(1).cast_signed();
        if rows >= batch.rows {
            let loss = self.casting.within(|| self.loss(batch, None))?;
            scaled(&loss, scale)?.f_backward()?;
            return Ok(loss.f_detach()?);
        }
        let mut total: Option<Tensor> = None;
        let mut at = 0;
        while at < batch.rows {
            let part = batch.narrow(at, rows.min(batch.rows - at))?;
            let loss = self.casting.within(|| self.loss(&part, Some(batch)))?;
            scaled(&loss, scale)?.f_backward()?;
            let loss = loss.f_detach()?;
            total = Some(match total {
                Some(total) => total.f_add(&loss)?,
                None => loss,
            });
            at += part.rows;
        }
        total.ok_or_else(|| Failure::new("a batch without rows"))
    }

    /// The mean loss of a batch; of a part of a whole one its share of the whole's mean, so that the parts' add up to it.
    fn loss(&self, batch: &Batch, whole: Option<&Batch>) -> Result<Tensor, Failure> {
        let output = self.criterion.output(self.forward, &batch.features, true)?;
        let mean = |target: &Tensor, of: Option<&Tensor>| -> Result<Tensor, Failure> {
            match of {
                Some(whole) => self.criterion.part(&output, target, whole),
                None => self.criterion.mean(&output, target),
            }
        };
        let own = mean(batch.target()?, whole.map(Batch::target).transpose()?)?;
        let Some(mix) = &batch.mix else { return Ok(own) };
        let other = mean(&mix.target, whole.and_then(|whole| whole.mix.as_ref()).map(|mix| &mix.target))?;
        Ok(own.f_mul_scalar(mix.share)?.f_add(&other.f_mul_scalar(1.0 - mix.share)?)?)
    }
}

fn scaled(loss: &Tensor, scale: Option<&LossScale>) -> Result<Tensor, Failure> {
    scale.map_or_else(|| Ok(loss.shallow_clone()), |scale| scale.times(loss))
}

#[cfg(test)]
mod tests {
    use super::super::mixup::Mix;
    use super::*;
    use kilter::job::Precision;
    use kilter::types::Task;
    use std::collections::BTreeMap;
    use tch::{Device, Kind};

    /// The loss and the gradients of a linear model in so many parts.
    fn in_parts(parts: u64, loss: serde_json::Value, mixed: bool) -> (f64, Vec<f32>) {
        let rows = 10;
        let features = Tensor::arange(rows * 3, (Kind::Float, Device::Cpu)).view([rows, 3]).sin();
        let weight = Tensor::arange(6, (Kind::Float, Device::Cpu)).view([3, 2]).cos().set_requires_grad(true);
        let target = Tensor::from_slice(&[0_i64, 1, 1, 1, 1, 1, 1, 0, 1, 1]);
        let task = Task::Category { classes: Some(vec!["a".into(), "b".into()]) };
        let spec = serde_json::from_value(loss).expect("a loss");
        let criterion = Criterion::new(&spec, &task, &target, Device::Cpu).expect("made");
        let forward = |features: &BTreeMap<String, Tensor>, _: bool| Ok(features["x"].f_matmul(&weight)?);
        let mix = mixed.then(|| Mix { share: 0.75, target: target.flip([0]) });
        let batch = Batch { features: BTreeMap::from([("x".to_owned(), features)]), target: Some(target), rows, mix };
        let casting = Casting::new(Precision::F32, Device::Cpu);
        let step = Step { forward: &forward, criterion: &criterion, casting, parts };
        let loss = step.loss_and_gradients(&batch, None).expect("computed").double_value(&[]);
        (loss, Vec::try_from(weight.grad().view(-1)).expect("floats"))
    }

    #[test]
    fn parts_add_up_to_the_whole_also_with_weights_and_mixed() {
        for loss in [
            serde_json::json!("cross_entropy"),
            serde_json::json!({ "cross_entropy": { "weight": "balanced" } }),
            // Of some parts all rows count nothing.
            serde_json::json!({ "cross_entropy": { "weight": { "a": 0.0 }, "label_smoothing": 0.1 } }),
            serde_json::json!({ "focal": { "weight": { "a": 0.0 } } }),
        ] {
            for mixed in [false, true] {
                let whole = in_parts(1, loss.clone(), mixed);
                for parts in [2, 3, 4, 10] {
                    let found = in_parts(parts, loss.clone(), mixed);
                    assert!((found.0 - whole.0).abs() < 1e-6, "{parts}: {} {}", found.0, whole.0);
                    let far = found.1.iter().zip(&whole.1).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                    assert!(far < 1e-6, "{parts}: {far}");
                }
            }
        }
    }

    /// The loss and the gradients of a model of tokens in so many parts; places without a target are spread unevenly.
    fn tokens_in_parts(parts: u64) -> (f64, Vec<f32>) {
        let features = Tensor::arange(10 * 4 * 3, (Kind::Float, Device::Cpu)).view([10, 4, 3]).sin();
        let weight = Tensor::arange(6, (Kind::Float, Device::Cpu)).view([3, 2]).cos().set_requires_grad(true);
        let target: Vec<i32> = (0..40).map(|place| if place * place % 7 < 3 { -100 } else { place % 2 }).collect();
        let target = Tensor::from_slice(&target).view([10, 4]);
        let task = Task::NextToken { vocabulary: Some(2) };
        let spec = serde_json::from_value(serde_json::json!("cross_entropy")).expect("a loss");
        let criterion = Criterion::new(&spec, &task, &target, Device::Cpu).expect("made");
        let forward = |features: &BTreeMap<String, Tensor>, _: bool| Ok(features["x"].f_matmul(&weight)?);
        let features = BTreeMap::from([("x".to_owned(), features)]);
        let batch = Batch { features, target: Some(target), rows: 10, mix: None };
        let step = Step {
            forward: &forward,
            criterion: &criterion,
            casting: Casting::new(Precision::F32, Device::Cpu),
            parts,
        };
        let loss = step.loss_and_gradients(&batch, None).expect("computed").double_value(&[]);
        (loss, Vec::try_from(weight.grad().view(-1)).expect("floats"))
    }

    #[test]
    fn parts_of_tokens_count_by_their_targets() {
        let whole = tokens_in_parts(1);
        for parts in [2, 3, 10] {
            let found = tokens_in_parts(parts);
            assert!((found.0 - whole.0).abs() < 1e-6, "{parts}: {} {}", found.0, whole.0);
            let far = found.1.iter().zip(&whole.1).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(far < 1e-6, "{parts}: {far}");
        }
    }
}
