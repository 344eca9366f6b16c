//! Loss and metrics on validation data.

use super::super::Forward;
use super::super::tokens::{self, Masker};
use super::batches;
use crate::failure::Failure;
use crate::losses::{Criterion, ranking};
use crate::tensors::Dataset;
use kilter::env::Cancel;
use kilter::types::Task;
use std::collections::BTreeMap;
use tch::{Kind, Tensor};

/// `val_loss` and what [`kilter::job::validation_metrics`] lists, over all rows.
///
/// # Errors
/// When libtorch fails or the job is cancelled.
pub fn validate(
    forward: Forward<'_>,
    data: &Dataset,
    criterion: &Criterion,
    task: &Task,
    masker: Option<&Masker<'_>>,
    batch_size: usize,
    cancel: &Cancel,
) -> Result<BTreeMap<String, f64>, Failure> {
    let _no_grad = tch::no_grad_guard();
    // Read at the end, so that a GPU is not waited for.
    let mut batches: Vec<Sums> = Vec::new();
    let mut choices = masker.map(Masker::unchanging);
    for batch in batches::ahead(data, batch_size)? {
        let mut batch = batch?;
        if cancel.is_set() {
            return Err(Failure::cancelled());
        }
        if let (Some(masker), Some(choices)) = (masker, &mut choices) {
            masker.hide(&mut batch, choices)?;
        }
        let target = batch.target()?;
        let output = criterion.output(forward, &batch.features, false)?;
        let mean_loss = criterion.mean(&output, target)?;
        let over = criterion.over(&output, target)?;
        let parts = match criterion.ranks() {
            true => ranking::right(&output, target)?.into(),
            false => task_sums(task, &output, target)?,
        };
        batches.push(Sums { rows: batch.rows, mean_loss, over, parts });
    }
    let (mut loss, mut over) = (0.0, 0.0);
    let mut rows = 0.0;
    let mut totals = [0.0; 3];
    for batch in &batches {
        rows += if task.is_tokens() { batch.parts[1].f_double_value(&[])? } else { batch.rows as f64 };
        let weight = batch.over.as_ref().map_or(Ok(batch.rows as f64), |over| over.f_double_value(&[]))?;
        over += weight;
        // What counts nothing adds nothing, also where it is no number.
        if weight > 0.0 {
            loss += batch.mean_loss.f_double_value(&[])? * weight;
        }
        for (total, part) in totals.iter_mut().zip(&batch.parts) {
            *total += part.f_double_value(&[])?;
        }
    }
    let rows = rows.max(1.0);
    let mut values = BTreeMap::from([("val_loss".to_owned(), if over > 0.0 { loss / over } else { 0.0 })]);
    match task {
        _ if criterion.ranks() => {
            values.insert("val_pair_accuracy".to_owned(), if totals[1] > 0.0 { totals[0] / totals[1] } else { 0.0 });
        }
        Task::NextToken { .. } | Task::MaskedToken { .. } => {
            let nats = totals[0] / rows;
            values.insert("val_accuracy".to_owned(), totals[2] / rows);
            values.insert("val_perplexity".to_owned(), nats.exp());
            values.insert("val_bits_per_token".to_owned(), nats / std::f64::consts::LN_2);
        }
        Task::Category { .. } | Task::Binary { .. } => {
            values.insert("val_accuracy".to_owned(), totals[0] / rows);
        }
        Task::Number { std, .. } => {
            // In the target's own unit, where the encoder standardised it.
            let unit = std.unwrap_or(1.0);
            values.insert("val_rmse".to_owned(), (totals[0] / rows).sqrt() * unit);
            values.insert("val_mae".to_owned(), totals[1] / rows * unit);
        }
        Task::MultiLabel { .. } => {
            let [right, claims, whole] = totals;
            let f1 = if claims > 0.0 { 2.0 * right / claims } else { 0.0 };
            values.insert("val_f1_micro".to_owned(), f1);
            values.insert("val_subset_accuracy".to_owned(), whole / rows);
        }
    }
    Ok(values)
}

/// What a batch gives.
struct Sums {
    rows: i64,
    mean_loss: Tensor,
    /// How much that is over, where it is not the rows.
    over: Option<Tensor>,
    /// See [`task_sums`].
    parts: Vec<Tensor>,
}

/// How many rows are right; or the sums of squared and absolute errors; or of labels: how many were rightly said, how many
/// were said and how many are, and how many rows are right in all of them; or of tokens the log loss, how many there are, and
/// how many are right.
fn task_sums(task: &Task, output: &Tensor, target: &Tensor) -> Result<Vec<Tensor>, Failure> {
    Ok(match task {
        Task::NextToken { .. } | Task::MaskedToken { .. } => {
            let sums = tokens::sums(output, target)?.f_sum_dim_intlist([0_i64].as_slice(), false, Kind::Double)?;
            sums.f_unbind(0)?
        }
        Task::Category { .. } => {
            vec![output.f_argmax(-1, false)?.f_eq_tensor(target)?.f_sum(Kind::Int64)?]
        }
        Task::Binary { .. } => {
            let said = output.f_squeeze_dim(-1)?.f_gt(0.0)?;
            vec![said.f_eq_tensor(&target.f_gt(0.5)?)?.f_sum(Kind::Int64)?]
        }
        Task::Number { .. } => {
            let error = output.f_squeeze_dim(-1)?.f_sub(target)?;
            vec![error.f_square()?.f_sum(Kind::Double)?, error.f_abs()?.f_sum(Kind::Double)?]
        }
        Task::MultiLabel { .. } => {
            let (said, are) = (output.f_gt(0.0)?, target.f_gt(0.5)?);
            let claims = said.f_sum(Kind::Int64)?.f_add(&are.f_sum(Kind::Int64)?)?;
            let whole = said.f_eq_tensor(&are)?.f_all_dim(-1, false)?.f_sum(Kind::Int64)?;
            vec![said.f_logical_and(&are)?.f_sum(Kind::Int64)?, claims, whole]
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    /// The network gives back its feature, so that outputs are as written.
    fn values_by(
        batch_size: usize,
        task: &Task,
        loss: serde_json::Value,
        output: &Tensor,
        target: Tensor,
    ) -> BTreeMap<String, f64> {
        let data = Dataset::of(BTreeMap::from([("x".to_owned(), output.shallow_clone())]), Some(target));
        let data = data.expect("dataset");
        let loss = serde_json::from_value(loss).expect("decodes");
        let target = data.target.as_ref().expect("target");
        let criterion = Criterion::new(&loss, task, target, Device::Cpu).expect("made");
        let forward = |features: &BTreeMap<String, Tensor>, _: bool| Ok(features["x"].shallow_clone());
        validate(&forward, &data, &criterion, task, None, batch_size, &Cancel::new()).expect("validated")
    }

    fn values(task: &Task, loss: &str, output: &Tensor, target: Tensor) -> BTreeMap<String, f64> {
        values_by(2, task, serde_json::json!(loss), output, target)
    }

    #[test]
    fn accuracy_counts_the_largest_logit() {
        let output = Tensor::from_slice2(&[[2.0_f32, 1.0], [0.0, 1.0], [3.0, 0.0]]);
        let task = Task::Category { classes: Some(vec!["a".into(), "b".into()]) };
        let got = values(&task, "cross_entropy", &output, Tensor::from_slice(&[0_i64, 1, 1]));
        assert_eq!(got["val_accuracy"], 2.0 / 3.0);
        // (log(1 + e^-1) * 2 + log(1 + e^3)) / 3
        assert!((got["val_loss"] - 1.225_037).abs() < 1e-5, "{got:?}");
    }

    #[test]
    fn the_loss_with_class_weights_does_not_depend_on_the_batches() {
        let output = Tensor::from_slice2(&[[2.0_f32, 1.0], [0.0, 1.0], [3.0, 0.0]]);
        let task = Task::Category { classes: Some(vec!["a".into(), "b".into()]) };
        for (weight, expected) in [
            // (3 log(1 + e^-1) + 3 log(1 + e) + 1 log(1 + e^3)) / 7
            (serde_json::json!({ "a": 3.0 }), 1.132_594),
            // The last batch, of two and of one, counts nothing.
            (serde_json::json!({ "b": 0.0 }), 0.813_262),
        ] {
            let loss = serde_json::json!({ "cross_entropy": { "weight": weight } });
            for batch_size in [1, 2, 3] {
                let target = Tensor::from_slice(&[0_i64, 0, 1]);
                let found = values_by(batch_size, &task, loss.clone(), &output, target)["val_loss"];
                assert!((found - expected).abs() < 1e-5, "{weight}, {batch_size}: {found}");
            }
        }
    }

    #[test]
    fn losses_that_rank_count_rows_that_are_yes_and_their_pairs() {
        let numbers = |values: &[f32]| Tensor::from_slice(values);
        let features =
            BTreeMap::from([("item".to_owned(), numbers(&[1.0, 2.0, 3.0])), ("user".to_owned(), numbers(&[0.0; 3]))]);
        // The second batch of two is a row that is no, without a pair.
        let data = Dataset::of(features, Some(numbers(&[1.0, 1.0, 0.0]))).expect("dataset");
        let task = Task::Binary { positive: "yes".into() };
        let forward = |features: &BTreeMap<String, Tensor>, _: bool| {
            Ok((&features["item"] + &features["user"]).to_kind(Kind::BFloat16).unsqueeze(1))
        };
        for name in ["bpr", "sampled_softmax"] {
            let spec = serde_json::json!({ name: { "items": ["item"], "negatives": 1 } });
            let spec = serde_json::from_value(spec).expect("decodes");
            let target = data.target.as_ref().expect("target");
            let criterion = Criterion::new(&spec, &task, target, Device::Cpu).expect("made");
            let found = validate(&forward, &data, &criterion, &task, None, 2, &Cancel::new()).expect("validated");
            // log(1 + e) and log(1 + e^-1).
            let expected = f64::midpoint(1.313_262, 0.313_262);
            assert!((found["val_loss"] - expected).abs() < 1e-5, "{name}: {found:?}");
        }
    }

    #[test]
    fn a_logit_above_zero_says_yes() {
        let output = Tensor::from_slice2(&[[0.5_f32], [-0.5], [2.0]]);
        let task = Task::Binary { positive: "yes".into() };
        let got = values(&task, "binary_cross_entropy", &output, Tensor::from_slice(&[1.0_f32, 1.0, 1.0]));
        assert_eq!(got["val_accuracy"], 2.0 / 3.0);
    }

    #[test]
    fn labels_are_counted_each_and_by_row() {
        let output = Tensor::from_slice2(&[[0.5_f32, -0.5], [2.0, 1.0], [-1.0, -1.0]]);
        let target = Tensor::from_slice2(&[[1.0_f32, 0.0], [1.0, 0.0], [0.0, 1.0]]);
        let task = Task::MultiLabel { labels: vec!["a".into(), "b".into()] };
        let got = values(&task, "binary_cross_entropy", &output, target);
        // Two said rightly, three said, three are.
        assert_eq!((got["val_f1_micro"], got["val_subset_accuracy"]), (2.0 * 2.0 / 6.0, 1.0 / 3.0));
    }

    #[test]
    fn errors_of_numbers_are_in_the_targets_unit() {
        let output = Tensor::from_slice2(&[[1.0_f32], [2.0], [-1.0]]);
        let task = Task::Number { mean: Some(5.0), std: Some(10.0) };
        let got = values(&task, "mse", &output, Tensor::from_slice(&[0.0_f32, 2.0, 1.0]));
        assert!((got["val_rmse"] - 10.0 * (5.0_f64 / 3.0).sqrt()).abs() < 1e-6);
        assert!((got["val_mae"] - 10.0).abs() < 1e-6);
        assert!((got["val_loss"] - 5.0 / 3.0).abs() < 1e-6);
    }
}
