//! The late check: right before a stage runs, with the real types of its inputs.

use super::checked::{Checked, CheckedStage};
use super::place::place_all;
use super::waves::run_check;
use crate::diag::Diagnostics;
use crate::stage::{CheckInput, Outputs};
use std::collections::BTreeMap;

/// Checks one stage again with what its inputs turned out to be, by reference text.
pub fn recheck(
    stage: &CheckedStage,
    inputs: &BTreeMap<String, CheckInput>,
    checked: &Checked,
) -> (Outputs, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    let (Some(spec), Some(entry)) = (&stage.spec, checked.manifest.stages.get(stage.entry)) else {
        return (Outputs::none(), diagnostics);
    };
    let (outputs, findings) = run_check(spec.as_ref(), inputs, &stage.base, &checked.workspace);
    place_all(findings, entry, &checked.manifest, &checked.sources, &mut diagnostics);
    diagnostics.sort();
    (outputs, diagnostics)
}
