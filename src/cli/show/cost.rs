//! What a model costs: operations, and memory for a batch.

use crate::nn::{Architecture, Inferred, LayerRow};
use crate::numbers;

/// Bytes of a number in f32: a model does not say in how many bits it will be trained.
const FLOAT: u64 = 4;

/// `3.63 GFLOP`, in powers of 1000.
pub(super) fn flops(count: u64) -> String {
    let units = [(1e15, "PFLOP"), (1e12, "TFLOP"), (1e9, "GFLOP"), (1e6, "MFLOP"), (1e3, "kFLOP")];
    match units.into_iter().find(|(unit, _)| count as f64 >= *unit) {
        Some((unit, name)) => format!("{} {name}", numbers::number(count as f64 / unit)),
        None => format!("{count} FLOP"),
    }
}

/// The layers, each with whether it stays as it is while others train; those in a block do as the block does.
pub(super) fn layers<'a>(network: &Architecture, inferred: &'a Inferred) -> Vec<(&'a LayerRow, bool)> {
    let base = network.base.filter(|base| base.frozen);
    let mut own = 0;
    let mut frozen = |row: &LayerRow| {
        own += u64::from(row.tower.is_none() && row.depth == 0);
        base.is_some_and(|base| row.tower.is_some() || own <= base.layers)
    };
    inferred.rows.iter().map(|row| (row, frozen(row))).collect()
}

/// The bytes of a batch that a layer keeps for the backward pass.
pub(super) fn kept(row: &LayerRow, batch: u64) -> Option<u64> {
    row.activations?.checked_mul(batch)?.checked_mul(FLOAT)
}

/// Memory for a batch; `None` while a shape is not known. All numbers are in f32, as it says; what libtorch needs for itself and for
/// its working space comes on top. A frozen base keeps nothing for the backward pass, but its largest layer is computed all the same,
/// before anything is kept.
pub(super) fn memory(network: &Architecture, inferred: &Inferred, batch: u64) -> Option<String> {
    let sum = |of: &dyn Fn(&LayerRow) -> Option<u64>| {
        let trained = layers(network, inferred).into_iter().filter(|(row, frozen)| row.depth == 0 && !frozen);
        trained.map(|(row, _)| of(row)).try_fold(0_u64, |total, part| total.checked_add(part?))
    };
    let weights = inferred.parameters?.checked_mul(FLOAT)?;
    let trained = sum(&|row| row.parameters)?.checked_mul(FLOAT)?;
    let kept_in_all = sum(&|row| kept(row, batch))?;
    let largest = inferred.rows.iter().filter_map(|row| kept(row, batch)).max().unwrap_or(0);
    let activations = kept_in_all.max(largest);
    let to_train = weights.checked_add(trained.checked_mul(3)?)?.checked_add(activations)?;
    let size = numbers::bytes;
    Some(format!(
        "  a batch of {}, in f32\n    to predict  about {}: weights {}, the largest layer {}\n    \
         to train    about {}: weights {}, gradients {}, state of Adam {} (SGD with momentum {}), activations {}\n",
        numbers::count(batch),
        size(weights.checked_add(largest)?),
        size(weights),
        size(largest),
        size(to_train),
        size(weights),
        size(trained),
        size(trained.checked_mul(2)?),
        size(trained),
        size(activations),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{Base, Join};
    use crate::types::{FeatureType, Shape, TensorType};
    use serde_json::json;

    fn network(base: Option<Base>) -> Architecture {
        Architecture { base, ..of(&json!([{ "linear": 100 }, "relu", { "linear": 10 }])) }
    }

    fn of(layers: &serde_json::Value) -> Architecture {
        let shape = Shape::fixed(&[8]);
        let (name, dtype) = ("x".to_owned(), TensorType::F32);
        let input =
            FeatureType { name, shape, dtype, scale: None, cardinality: None, padding: None, columns: Vec::new() };
        let layers = serde_json::from_value(layers.clone()).expect("layers");
        Architecture::new(vec![input], Vec::new(), Join::Concat, layers, None).expect("sound")
    }

    #[test]
    fn operations_in_the_unit_that_fits() {
        assert_eq!(flops(3_628_146_688), "3.628 GFLOP");
        assert_eq!(flops(10), "10 FLOP");
    }

    #[test]
    fn memory_counts_what_trains() {
        let whole = network(None);
        // 900 and 1,010 parameters; 100 + 100 + 10 numbers of a row.
        let text = memory(&whole, &whole.infer(), 1000).expect("known");
        assert!(text.starts_with("  a batch of 1,000, in f32\n"), "{text}");
        assert!(text.contains("to predict  about 408 kB: weights 7.6 kB, the largest layer 400 kB"), "{text}");
        assert!(text.contains("gradients 7.6 kB, state of Adam 15.3 kB (SGD with momentum 7.6 kB)"), "{text}");
        assert!(text.contains("activations 840 kB"), "{text}");
        let head = network(Some(Base { layers: 2, frozen: true }));
        // The head keeps 10 numbers of a row, and the base computes 100 before: training takes no less than predicting.
        let text = memory(&head, &head.infer(), 1000).expect("known");
        assert!(text.contains("gradients 4.0 kB") && text.contains("activations 400 kB"), "{text}");
        assert!(text.contains("to train    about 420 kB"), "{text}");
    }

    #[test]
    fn what_is_in_a_frozen_block_is_frozen() {
        let layers = json!([{ "residual": [{ "linear": 8 }, "relu"] }, { "linear": 10 }]);
        let network = Architecture { base: Some(Base { layers: 1, frozen: true }), ..of(&layers) };
        let inferred = network.infer();
        let told: Vec<(usize, bool)> =
            super::layers(&network, &inferred).into_iter().map(|(row, frozen)| (row.depth, frozen)).collect();
        assert_eq!(told, [(0, true), (1, true), (1, true), (0, false)]);
    }
}
