//! Batches of a single row, from which a batch norm cannot learn. Told before the first epoch: the row that is left over comes at its
//! end.

use super::spec::TrainSpec;
use crate::diag::codes;
use crate::nn::{Architecture, infer};
use crate::numbers::count;
use crate::path;
use crate::stage::CheckCx;
use crate::types::{DatasetType, Dim, ModelType};

/// Reports that a batch has one row and the network a batch norm over one value of each.
pub(super) fn check(spec: &TrainSpec, model: &ModelType, data: &DatasetType, cx: &mut CheckCx<'_>) {
    let Some(rows) = data.rows.filter(|rows| leaves_one(spec.batch_size, *rows, spec.drop_last)) else { return };
    if !has_narrow_batch_norm(model) {
        return;
    }
    let (found, hint) = match spec.batch_size {
        1 => ("batch_size is 1".to_owned(), "take larger batches, or `layer_norm`, which looks at a row alone"),
        batch => (
            format!("{} rows in batches of {} leave one over", count(rows), count(batch)),
            "drop_last = true leaves it out; or take another batch_size",
        ),
    };
    let message = format!("`batch_norm` compares the rows of a batch, and {found}");
    cx.error(path!["batch_size"], codes::OUT_OF_RANGE, message)
        .from_stage(&spec.data, "the rows come from here")
        .hint(hint);
}

/// Whether an epoch has a batch of one row.
fn leaves_one(batch_size: u64, rows: u64, drop_last: bool) -> bool {
    batch_size == 1 || (!drop_last && rows.checked_rem(batch_size) == Some(1))
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
        assert!(leaves_one(1, 10, true) && leaves_one(9, 10, false) && leaves_one(64, 1, false));
        assert!(!leaves_one(9, 10, true) && !leaves_one(8, 10, false) && !leaves_one(0, 10, false));
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
