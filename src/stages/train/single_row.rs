//! Batches of a single row, and parts of them, from which a batch norm cannot learn. Told before the first epoch: the row that is left over comes at its
//! end.

use super::spec::TrainSpec;
use crate::diag::codes;
use crate::job::Accumulate;
use crate::nn::{Architecture, infer};
use crate::numbers::count;
use crate::path;
use crate::stage::CheckCx;
use crate::types::{DatasetType, Dim, ModelType};

/// Where an epoch has a single row to learn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Single {
    /// Batches are one row.
    Batch,
    /// The last batch is.
    LeftOver,
    /// A part of a batch of so many rows is.
    Part(u64),
}

/// Reports that a batch, or a part of one, has one row and the network a batch norm over one value of each.
pub(super) fn check(spec: &TrainSpec, model: &ModelType, data: &DatasetType, cx: &mut CheckCx<'_>) {
    let parts = match spec.accumulate {
        Accumulate::Parts(parts) => parts,
        Accumulate::Auto => 1,
    };
    let Some(rows) = data.rows else { return };
    let Some(single) = single(spec.batch_size, rows, spec.drop_last, parts) else { return };
    if !has_narrow_batch_norm(model) {
        return;
    }
    let (field, found, hint) = match single {
        Single::Batch => (
            "batch_size",
            "batch_size is 1".to_owned(),
            "take larger batches, or `layer_norm`, which looks at a row alone",
        ),
        Single::LeftOver => (
            "batch_size",
            format!("{} rows in batches of {} leave one over", count(rows), count(spec.batch_size)),
            "drop_last = true leaves it out; or take another batch_size",
        ),
        Single::Part(batch) => (
            "accumulate",
            format!("{} rows in {} parts have one of a single row", count(batch), count(parts)),
            "take fewer parts, or another batch_size; a batch norm sees a part at a time",
        ),
    };
    let message = format!("`batch_norm` compares the rows of a batch, and {found}");
    cx.error(path![field], codes::OUT_OF_RANGE, message).from_stage(&spec.data, "the rows come from here").hint(hint);
}

/// Whether an epoch has a batch of one row, or a batch that is computed in parts of which one has one row.
fn single(batch_size: u64, rows: u64, drop_last: bool, parts: u64) -> Option<Single> {
    let left = rows.checked_rem(batch_size)?;
    let left = if drop_last { 0 } else { left };
    let full = if rows >= batch_size { batch_size } else { 0 };
    match (batch_size, left) {
        (1, _) => Some(Single::Batch),
        (_, 1) => Some(Single::LeftOver),
        _ => [full, left].into_iter().find(|batch| has_part_of_one(*batch, parts)).map(Single::Part),
    }
}

/// As the worker takes a batch apart: all parts have the same size, but for the last.
fn has_part_of_one(batch: u64, parts: u64) -> bool {
    let size = batch.div_ceil(parts.max(1)).max(1);
    size < batch && (size == 1 || batch % size == 1)
}

/// Whether a batch norm that learns has one value of each channel in a row.
fn has_narrow_batch_norm(model: &ModelType) -> bool {
    let network = model.network.clone().and_then(|network| serde_json::from_value::<Architecture>(network).ok());
    let Some(network) = network.filter(|network| network.base.is_none_or(|base| !base.frozen)) else { return false };
    let (inputs, target) = (&network.inputs, network.target.as_ref());
    let inferred = infer(inputs, &network.towers, network.join, &network.layers, target);
    let one_each = |shape: &[Dim]| shape.iter().skip(1).all(|dim| dim.size() == Some(1));
    inferred.rows.iter().any(|row| row.text.starts_with("batch_norm") && one_each(&row.output.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Join;
    use crate::types::{FeatureType, Shape, TensorType};
    use serde_json::json;

    fn model(layers: serde_json::Value) -> ModelType {
        let feature = FeatureType {
            name: "x".to_owned(),
            shape: Shape::fixed(&[4, 3, 3]),
            dtype: TensorType::F32,
            scale: None,
            cardinality: None,
            padding: None,
            columns: Vec::new(),
        };
        let network = Architecture {
            inputs: vec![feature],
            towers: Vec::new(),
            join: Join::default(),
            layers: serde_json::from_value(layers).expect("layers"),
            output: Shape::fixed(&[2]),
            target: None,
            base: None,
        };
        ModelType {
            inputs: Vec::new(),
            output: Shape::fixed(&[2]),
            target: None,
            layers: 1,
            parameters: None,
            trained: false,
            network: serde_json::to_value(network).ok(),
        }
    }

    #[test]
    fn an_epoch_has_a_batch_of_one_row_where_one_is_left_over() {
        assert_eq!(single(1, 10, true, 1), Some(Single::Batch));
        assert_eq!(single(9, 10, false, 1), Some(Single::LeftOver));
        assert_eq!(single(64, 1, false, 1), Some(Single::LeftOver));
        for (batch_size, rows, drop_last) in [(9, 10, true), (8, 10, false), (0, 10, false)] {
            assert_eq!(single(batch_size, rows, drop_last, 1), None, "{batch_size}");
        }
    }

    #[test]
    fn a_batch_in_parts_has_one_of_a_single_row_where_they_do_not_come_out_even() {
        // 3, 3 and 1; in the last batch 2 and 1; each for itself; of all rows at once 2, 2 and 1.
        assert_eq!(single(7, 42, false, 3), Some(Single::Part(7)));
        assert_eq!(single(8, 11, false, 2), Some(Single::Part(3)));
        assert_eq!(single(8, 16, false, 8), Some(Single::Part(8)));
        assert_eq!(single(64, 5, false, 3), Some(Single::Part(5)));
        // 4, 4 and 2; the last batch left out; a batch of two rows that parts leave whole.
        for (batch_size, rows, drop_last, parts) in [(10, 40, false, 3), (8, 11, true, 2), (10, 12, false, 1)] {
            assert_eq!(single(batch_size, rows, drop_last, parts), None, "{batch_size} {rows}");
        }
    }

    #[test]
    fn a_batch_norm_over_places_has_enough_in_one_row() {
        assert!(!has_narrow_batch_norm(&model(json!(["batch_norm", "flatten", { "linear": 2 }]))));
        assert!(!has_narrow_batch_norm(&model(json!(["flatten", "layer_norm", { "linear": 2 }]))));
        assert!(has_narrow_batch_norm(&model(json!(["flatten", "batch_norm", { "linear": 2 }]))));
        let pooled = json!(["global_avg_pool", { "residual": [{ "linear": 4 }, "batch_norm"] }, { "linear": 2 }]);
        assert!(has_narrow_batch_norm(&model(pooled)));
    }
}
