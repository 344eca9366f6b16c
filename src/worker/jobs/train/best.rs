//! The weights of the best epoch so far, with its row of the history.

use crate::checkpoint::{Part, Stateful};
use crate::failure::Failure;
use crate::tensors::{Snapshot, Weights};
use std::collections::BTreeMap;

/// The best epoch so far, where its weights are wanted.
#[derive(Default)]
pub struct Best {
    found: Option<Found>,
}

struct Found {
    weights: Snapshot,
    values: BTreeMap<String, f64>,
}

impl Best {
    /// The weights as they are now are the best.
    pub fn take(&mut self, weights: &Weights, values: BTreeMap<String, f64>) {
        self.found = Some(Found { weights: weights.snapshot(), values });
    }

    /// Makes the weights the best ones, where there are any; gives that epoch's row.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn put_back(&self, weights: &Weights) -> Result<Option<BTreeMap<String, f64>>, Failure> {
        let Some(found) = &self.found else { return Ok(None) };
        weights.put_back(&found.weights)?;
        Ok(Some(found.values.clone()))
    }
}

impl Stateful for Best {
    fn save(&self, into: &mut Part) -> Result<(), Failure> {
        let Some(found) = &self.found else { return Ok(()) };
        found.weights.save(into)?;
        into.numbers("values", &found.values)
    }

    fn restore(&mut self, from: &Part) -> Result<(), Failure> {
        self.found = None;
        if !from.is_empty() {
            self.found = Some(Found { weights: Snapshot::of(from), values: from.get_numbers("values")? });
        }
        Ok(())
    }
}
