//! Losses on tensors: the twins of `nn/losses`.

mod focal;
pub mod ranking;

use crate::failure::Failure;
use crate::jobs::{Forward, tokens};
use kilter::nn::losses::{ClassWeight, Loss, PositiveWeight};
use kilter::types::Task;
use ranking::Ranking;
use std::collections::BTreeMap;
use tch::{Device, Kind, Reduction, Tensor};

/// A loss with what it needs besides outputs and targets, on the job's device.
pub struct Criterion {
    loss: Loss,
    /// Class weights, or the weights of positive rows, of one label or of each.
    weight: Option<Tensor>,
    /// What is compared with what, where it ranks.
    ranking: Option<Ranking>,
}

impl Criterion {
    /// The loss of a spec. `target` is the training data's, from which balanced weights are counted.
    ///
    /// # Errors
    /// When there are weights of more or fewer labels than the target has, and what libtorch says of that.
    pub fn new(spec: &Loss, task: &Task, target: &Tensor, device: Device) -> Result<Self, Failure> {
        let weight = match spec.positive_weight() {
            Some(weight) => positive_weights(weight, target, device)?,
            None => class_weights(spec, target, task, device)?,
        };
        let ranking =
            spec.ranking().map(|ranking| Ranking { items: ranking.items.to_vec(), negatives: ranking.negatives });
        Ok(Self { loss: spec.clone(), weight, ranking })
    }

    /// What the network gives for a batch, as [`Criterion::mean`] takes it: `[rows, outputs]`, of tokens
    /// `[rows, places, outputs]`, or of rankings `[rows, 1 + others]`.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn output(
        &self,
        forward: Forward<'_>,
        features: &BTreeMap<String, Tensor>,
        train: bool,
    ) -> Result<Tensor, Failure> {
        match &self.ranking {
            Some(ranking) => ranking.scores(forward, features, train),
            None => forward(features, train),
        }
    }

    /// Whether it ranks.
    pub fn ranks(&self) -> bool {
        self.ranking.is_some()
    }

    /// The mean loss of a batch: `output` is what [`Criterion::output`] gives, `target` `[rows]`, or `[rows, labels]`; of tokens
    /// `[rows, places]`, and the mean is taken over the places that have a target.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn mean(&self, output: &Tensor, target: &Tensor) -> Result<Tensor, Failure> {
        let weight = self.weight.as_ref();
        Ok(match &self.loss {
            Loss::CrossEntropy(spec) if output.dim() == 3 => tokens::mean_loss(output, target, spec.label_smoothing)?,
            Loss::CrossEntropy(_) if weight.is_some() => self.part(output, target, target)?,
            Loss::CrossEntropy(spec) => {
                output.f_cross_entropy_loss(target, weight, Reduction::Mean, -100, spec.label_smoothing)?
            }
            Loss::Focal(spec) => focal::mean(spec, output, target, weight)?,
            Loss::BinaryCrossEntropy(_) => {
                like(output, target)?.f_binary_cross_entropy_with_logits(target, None, weight, Reduction::Mean)?
            }
            Loss::Mse(_) => output.f_squeeze_dim(-1)?.f_mse_loss(target, Reduction::Mean)?,
            Loss::L1(_) => output.f_squeeze_dim(-1)?.f_l1_loss(target, Reduction::Mean)?,
            Loss::Bpr(_) => ranking::bpr(output, target)?,
            Loss::SampledSoftmax(spec) => ranking::softmax(output, target, spec.temperature)?,
            Loss::Huber(spec) => output.f_squeeze_dim(-1)?.f_huber_loss(target, Reduction::Mean, spec.delta)?,
        })
    }
}

impl Criterion {
    /// What some rows add to the mean loss of all: the parts of a batch add up to its mean. With smoothed labels rows of a class
    /// that is to count nothing still add something, so that the sum of class weights is that of all.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn part(&self, output: &Tensor, target: &Tensor, whole: &Tensor) -> Result<Tensor, Failure> {
        if let (Loss::CrossEntropy(spec), Some(weight)) = (&self.loss, &self.weight) {
            let sum = output.f_cross_entropy_loss(target, Some(weight), Reduction::Sum, -100, spec.label_smoothing)?;
            return weighted_mean(&sum, &sum_of_weights(weight, whole)?);
        }
        Ok(self.mean(output, target)?.f_mul(&self.share(target, whole)?)?)
    }

    /// How much the mean loss of some rows is over, where that is not their number: the places of tokens that have a target, the
    /// weights of rows where classes have weights, and where it ranks the rows that are yes.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn targets(&self, target: &Tensor) -> Result<Option<Tensor>, Failure> {
        match &self.weight {
            Some(weight) if self.loss.class_weight().is_some() => sum_of_weights(weight, target).map(Some),
            _ if tokens::are_targets(&self.loss, target) => tokens::count(target).map(Some),
            _ if self.ranks() => Ok(Some(target.f_sum(Kind::Float)?)),
            _ => Ok(None),
        }
    }

    /// The same where their outputs are at hand: `bpr` is over pairs, of which a row that is yes has fewer where others have
    /// its item.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn over(&self, output: &Tensor, target: &Tensor) -> Result<Option<Tensor>, Failure> {
        if let Loss::Bpr(_) = self.loss {
            let [_, pairs] = ranking::right(output, target)?;
            return Ok(Some(pairs));
        }
        self.targets(target)
    }

    /// The factor by which the mean loss of some rows enters that of all: their part of what that is over; 0 where it is over
    /// nothing.
    ///
    /// # Errors
    /// What libtorch says.
    fn share(&self, part: &Tensor, whole: &Tensor) -> Result<Tensor, Failure> {
        let rows = |target: &Tensor| target.size().first().copied().unwrap_or(0);
        match (self.targets(part)?, self.targets(whole)?) {
            (Some(part), Some(whole)) => weighted_mean(&part, &whole),
            _ => Ok(Tensor::from(rows(part) as f32 / rows(whole).max(1) as f32)),
        }
    }
}

/// The weights of rows, added up.
fn sum_of_weights(weight: &Tensor, target: &Tensor) -> Result<Tensor, Failure> {
    Ok(weight.f_index_select(0, target)?.f_sum(Kind::Float)?)
}

/// A weighted sum by the sum of its weights; 0 where that is 0, as for tokens without a target. PyTorch's mean is no number then,
/// and a training would end by a batch, or a part of one, of classes that are to count nothing.
fn weighted_mean(sum: &Tensor, weights: &Tensor) -> Result<Tensor, Failure> {
    let nothing = weights.f_eq(0.0)?.f_to_kind(weights.kind())?;
    let counts = nothing.f_neg()?.f_add_scalar(1.0)?;
    Ok(sum.f_mul(&counts)?.f_div(&weights.f_add(&nothing)?)?)
}

/// The output in the shape of the target: without its one column, where the target has none.
fn like(output: &Tensor, target: &Tensor) -> Result<Tensor, Failure> {
    Ok(if target.dim() == 1 { output.f_squeeze_dim(-1)? } else { output.shallow_clone() })
}

/// The weight of every class, in their order.
fn class_weights(spec: &Loss, target: &Tensor, task: &Task, device: Device) -> Result<Option<Tensor>, Failure> {
    let weights = match (spec.class_weight(), task) {
        (Some(ClassWeight::Balanced), _) => balanced(target, task)?,
        (Some(ClassWeight::Given(weights)), Task::Category { classes: Some(classes) }) => {
            let values: Vec<f32> =
                classes.iter().map(|class| weights.get(class).map_or(1.0, |weight| *weight as f32)).collect();
            Tensor::f_from_slice(&values)?
        }
        _ => return Ok(None),
    };
    Ok(Some(weights.f_to_device(device)?))
}

/// `rows / (classes * rows of the class)`; 0 for a class without rows.
fn balanced(target: &Tensor, task: &Task) -> Result<Tensor, Failure> {
    let known = match task {
        Task::Category { classes: Some(classes) } => classes.len() as i64,
        _ => 0,
    };
    let counts = target.f_to_device(Device::Cpu)?.f_bincount::<Tensor>(None, known)?.f_to_kind(Kind::Double)?;
    let classes = counts.numel() as f64;
    let weights = counts.f_reciprocal()?.f_mul_scalar(target.numel() as f64 / classes)?;
    Ok(weights.f_nan_to_num(0.0, 0.0, 0.0)?.f_to_kind(Kind::Float)?)
}

/// How much positive rows count, for all labels or for each; `None` where that is 1, which saves a multiplication per row.
fn positive_weights(weight: &PositiveWeight, target: &Tensor, device: Device) -> Result<Option<Tensor>, Failure> {
    let labels = target.size().get(1).map_or(1, |labels| *labels as usize);
    if let Some(why) = weight.misfit(labels) {
        return Err(Failure::new(why).hint("give it a number for each label, in their order, or one for all"));
    }
    #[expect(clippy::float_cmp, reason = "exactly 1 is the default")]
    let weights = match weight {
        PositiveWeight::All(weight) if *weight == 1.0 => return Ok(None),
        PositiveWeight::All(weight) => Tensor::f_from_slice(&[*weight])?,
        PositiveWeight::Each(weights) => Tensor::f_from_slice(weights)?,
        PositiveWeight::Balanced => balanced_labels(target)?,
    };
    Ok(Some(weights.f_to_kind(Kind::Float)?.f_to_device(device)?))
}

/// `negatives / positives` of every label; 1 for one that all rows have, or none has.
fn balanced_labels(target: &Tensor) -> Result<Tensor, Failure> {
    let rows = target.size().first().map_or(0.0, |rows| *rows as f64);
    let target = if target.dim() == 1 { target.f_unsqueeze(1)? } else { target.shallow_clone() };
    let positives = target.f_sum_dim_intlist([0_i64].as_slice(), false, Kind::Double)?;
    let alike = positives.f_eq(0.0)?.f_logical_or(&positives.f_eq(rows)?)?;
    Ok(positives.f_neg()?.f_add_scalar(rows)?.f_div(&positives)?.f_masked_fill(&alike, 1.0)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loss(json: serde_json::Value) -> Loss {
        serde_json::from_value(json).expect("decodes")
    }

    fn mean(json: serde_json::Value, output: &Tensor, target: &Tensor) -> f64 {
        let task = match output.size()[1] {
            1 => Task::Binary { positive: "yes".into() },
            _ => Task::Category { classes: Some(vec!["a".into(), "b".into(), "c".into()]) },
        };
        let criterion = Criterion::new(&loss(json), &task, target, Device::Cpu).expect("made");
        (criterion.mean(output, target).expect("computed").double_value(&[]) * 1e4).round() / 1e4
    }

    // The numbers are those of torch 2.11.0 in Python.
    #[test]
    fn losses_are_pytorchs() {
        let logits = Tensor::from_slice2(&[[1.0_f32, 2.0, 0.5], [0.1, -0.4, 3.0]]);
        let classes = Tensor::from_slice(&[1_i64, 0]);
        assert_eq!(mean(serde_json::json!("cross_entropy"), &logits, &classes), 1.7245);
        assert_eq!(mean(serde_json::json!({ "cross_entropy": { "label_smoothing": 0.1 } }), &logits, &classes), 1.7262);
        let given = serde_json::json!({ "cross_entropy": { "weight": { "b": 2.0, "c": 3.0 } } });
        assert_eq!(mean(given, &logits, &classes), 1.3045);
        assert_eq!(mean(serde_json::json!("focal"), &logits, &classes), 1.3773);
        let given = serde_json::json!({ "focal": { "weight": { "b": 2.0, "c": 3.0 } } });
        assert_eq!(mean(given, &logits, &classes), 0.9396);
        let (output, yes) = (Tensor::from_slice2(&[[0.5_f32], [-1.0]]), Tensor::from_slice(&[1.0_f32, 1.0]));
        assert_eq!(mean(serde_json::json!("binary_cross_entropy"), &output, &yes), 0.8937);
        assert_eq!(mean(serde_json::json!({ "binary_cross_entropy": { "pos_weight": 3.0 } }), &output, &yes), 2.681);
        assert_eq!(mean(serde_json::json!("focal"), &output, &yes), 0.3847);
        let one = Tensor::from_slice(&[1.0_f32, 0.0]);
        assert_eq!(mean(serde_json::json!({ "focal": { "alpha": 0.25 } }), &output, &one), 0.0169);
        let labels = Tensor::from_slice2(&[[0.5_f32, -1.0, 2.0], [0.0, 1.0, -1.0]]);
        let has = Tensor::from_slice2(&[[1.0_f32, 0.0, 1.0], [1.0, 1.0, 0.0]]);
        assert_eq!(mean(serde_json::json!("binary_cross_entropy"), &labels, &has), 0.3723);
        let weighted = |weights| serde_json::json!({ "binary_cross_entropy": { "pos_weight": weights } });
        assert_eq!(mean(weighted(serde_json::json!([1.0, 2.0, 3.0])), &labels, &has), 0.4668);
        assert_eq!(mean(weighted(serde_json::json!(3.0)), &labels, &has), 0.9081);
        let target = Tensor::from_slice(&[0.0_f32, 2.0]);
        assert_eq!(mean(serde_json::json!("mse"), &output, &target), 4.625);
        assert_eq!(mean(serde_json::json!("l1"), &output, &target), 1.75);
        assert_eq!(mean(serde_json::json!({ "huber": { "delta": 1.0 } }), &output, &target), 1.3125);
    }

    #[test]
    fn rows_of_classes_that_count_nothing_have_a_loss_and_gradients_of_0() {
        let task = Task::Category { classes: Some(vec!["a".into(), "b".into(), "c".into()]) };
        let classes = Tensor::from_slice(&[1_i64, 1]);
        for name in ["cross_entropy", "focal"] {
            let fields = match name {
                "focal" => serde_json::json!({ "weight": { "b": 0.0 } }),
                _ => serde_json::json!({ "weight": { "b": 0.0 }, "label_smoothing": 0.1 }),
            };
            let criterion =
                Criterion::new(&loss(serde_json::json!({ name: fields })), &task, &classes, Device::Cpu).expect("made");
            let logits = Tensor::from_slice2(&[[1.0_f32, 2.0, 0.5], [0.1, -0.4, 3.0]]).set_requires_grad(true);
            let mean = criterion.mean(&logits, &classes).expect("computed");
            mean.backward();
            assert_eq!(mean.double_value(&[]), 0.0, "{name}");
            assert_eq!(logits.grad().abs().max().double_value(&[]), 0.0, "{name}");
        }
    }

    #[test]
    fn balanced_weights_make_yes_and_no_count_alike_for_each_label() {
        let has = Tensor::from_slice2(&[
            [1.0_f32, 1.0, 1.0, 0.0],
            [0.0, 1.0, 1.0, 0.0],
            [0.0, 1.0, 1.0, 0.0],
            [0.0, 0.0, 1.0, 0.0],
        ]);
        let weights = |weight: serde_json::Value, target: &Tensor| {
            let weight = serde_json::from_value(weight).expect("decodes");
            positive_weights(&weight, target, Device::Cpu)
        };
        let floats = |found: Result<Option<Tensor>, Failure>| {
            found.expect("made").map(|weights| Vec::<f32>::try_from(&weights).expect("floats"))
        };
        let balanced = || serde_json::json!("balanced");
        assert_eq!(floats(weights(balanced(), &has)), Some(vec![3.0, 1.0 / 3.0, 1.0, 1.0]));
        assert_eq!(floats(weights(balanced(), &Tensor::from_slice(&[1.0_f32, 0.0, 0.0]))), Some(vec![2.0]));
        assert_eq!(floats(weights(serde_json::json!(1.0), &has)), None);
        let failure = weights(serde_json::json!([1.0, 2.0]), &has).expect_err("two of four");
        assert_eq!(failure.message, "pos_weight is a list of 2, and the number of labels is 4");
    }

    #[test]
    fn balanced_weights_make_classes_count_alike() {
        let task = Task::Category { classes: Some(vec!["a".into(), "b".into(), "never".into()]) };
        let weights = balanced(&Tensor::from_slice(&[0_i64, 0, 0, 1]), &task).expect("counted");
        let weights = Vec::<f32>::try_from(&weights).expect("floats");
        assert_eq!(weights, [4.0 / 9.0, 4.0 / 3.0, 0.0]);
    }
}
