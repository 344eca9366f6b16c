//! From two results of a stage to a verdict.

use super::compare::{Compared, Shown, compare};
use super::given::Held;
use super::verdict::{Off, OutputDifference, Parting, Verdict, Within};
use crate::check::CheckedStage;
use crate::digest::Digest;
use crate::frame::compare as tables;
use crate::job::{LIBTORCH, TRACE};
use crate::lock::{Claim, Record, fact_changes};
use crate::manifest::Tolerance;
use crate::numbers;
use crate::stage::{Input, StageError};
use crate::types::ArtifactType;
use std::collections::{BTreeMap, BTreeSet};

/// What is known of the first of two results.
pub(super) struct Before<'a> {
    /// The digests of its outputs.
    pub(super) digests: BTreeMap<String, Digest>,
    pub(super) metrics: BTreeMap<String, f64>,
    pub(super) environment: BTreeMap<String, String>,
    /// Itself, where its bytes are at hand.
    pub(super) held: Option<Held<'a>>,
    /// What it claims.
    pub(super) claim: Claim,
}

impl<'a> Before<'a> {
    /// What the lock says of a stage, and its result where the store has it.
    pub(super) fn locked(record: &Record, held: Option<Held<'a>>) -> Self {
        Self {
            digests: record.outputs.iter().map(|(port, output)| (port.clone(), output.digest)).collect(),
            metrics: record.metrics.clone(),
            environment: record.environment.clone(),
            held,
            claim: record.determinism.clone(),
        }
    }

    /// A result that was just made.
    pub(super) fn made(stage: &CheckedStage, held: Held<'a>) -> Self {
        let result = &held.result;
        Self {
            digests: result.outputs.iter().map(|(port, made)| (port.clone(), made.digest)).collect(),
            metrics: result.metrics.clone(),
            environment: result.environment.clone(),
            claim: Claim::of(stage, &result.environment),
            held: Some(held),
        }
    }

    fn input(&self, port: &str) -> Option<Input> {
        let held = self.held.as_ref()?;
        Some(held.store.input(held.result.outputs.get(port)?))
    }
}

/// Compares what a stage gave before with what it gave now.
///
/// # Errors
/// When a stored artefact cannot be read.
pub(super) fn judge(stage: &CheckedStage, before: &Before<'_>, now: &Held<'_>) -> Result<Verdict, StageError> {
    let mut off = Off::default();
    let mut within = Vec::new();
    // What is allowed of metrics that lie in an output which is within its tolerance.
    let mut admitted: Vec<Tolerance> = Vec::new();
    let ports: BTreeSet<&String> = before.digests.keys().chain(now.result.outputs.keys()).collect();
    for port in ports {
        let made = now.result.outputs.get(port);
        if before.digests.get(port) == made.map(|made| &made.digest) {
            continue;
        }
        let artifact = made.map_or_else(|| "output".to_owned(), |made| made.ty.name().to_owned());
        let tolerance = stage.common.tolerance.of(port);
        let shown = match (before.digests.get(port), made, before.input(port)) {
            (None, ..) => Shown::Added,
            (_, None, _) => Shown::Removed,
            (Some(digest), Some(made), None) => {
                Shown::DigestsAlone { before: digest.short(), now: made.digest.short() }
            }
            (_, Some(made), Some(old)) => match compare(port, &old, &now.store.input(made), tolerance)? {
                Compared::Within { tolerance, largest } => {
                    admitted.extend((made.ty == ArtifactType::Metrics).then_some(tolerance));
                    within.push(Within { output: port.clone(), tolerance, largest });
                    continue;
                }
                Compared::Differs(shown) => *shown,
            },
        };
        off.outputs.push(OutputDifference { output: port.clone(), artifact, tolerance, shown });
    }
    if off.outputs.is_empty() {
        return Ok(Verdict::InKilter { within });
    }
    // What is a picture of numbers says nothing of those that differ.
    within.retain(|within| within.largest.is_some());
    off.within = within;
    off.parting = parting(before, now)?;
    off.metrics = metrics(&before.metrics, &now.result.metrics, &admitted);
    off.environment = fact_changes(&before.environment, &now.result.environment);
    off.advice = advice(stage, before, now, &off);
    Ok(Verdict::OffKilter(Box::new(off)))
}

/// The step at which two trainings part, where both have a trace.
fn parting(before: &Before<'_>, now: &Held<'_>) -> Result<Option<Parting>, StageError> {
    let (Some(old), Some(new)) = (before.input(TRACE), now.result.outputs.get(TRACE)) else { return Ok(None) };
    let new = now.store.input(new);
    let difference = tables::compare(&old, &new, None, &|_| true)?;
    let Some(first) = difference.first() else { return Ok(None) };
    let cells = |table: &Input, row: u64| -> Result<BTreeMap<String, String>, StageError> {
        Ok(tables::row(table, row)?.into_iter().collect())
    };
    let (mut one, mut other) = (cells(&old, first.row)?, cells(&new, first.row)?);
    let after = match first.row.checked_sub(1) {
        Some(row) => cells(&old, row)?.remove("step"),
        None => None,
    };
    let mut pair = |name: &str| (one.remove(name).unwrap_or_default(), other.remove(name).unwrap_or_default());
    let (loss, grad_norm) = (pair("loss"), pair("grad_norm"));
    Ok(Some(Parting { after, step: pair("step").0, loss, grad_norm }))
}

/// The metrics that differ, and by more than one of these tolerances admits.
fn metrics(
    before: &BTreeMap<String, f64>,
    now: &BTreeMap<String, f64>,
    admitted: &[Tolerance],
) -> Vec<(String, Option<f64>, Option<f64>)> {
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let pair = |name: &String| (before.get(name).copied(), now.get(name).copied());
    let same = |pair: (Option<f64>, Option<f64>)| match pair {
        (Some(a), Some(b)) => numbers::same(a, b) || admitted.iter().any(|tolerance| tolerance.admits(a, b)),
        (a, b) => a.is_none() && b.is_none(),
    };
    let differing = names.into_iter().filter(|name| !same(pair(name)));
    differing.map(|name| (name.clone(), pair(name).0, pair(name).1)).collect()
}

/// What may be behind a difference, as far as the stage and the environments tell.
fn advice(stage: &CheckedStage, before: &Before<'_>, now: &Held<'_>, off: &Off) -> Vec<String> {
    let changed = |name: &str| off.environment.iter().find(|fact| fact.name == name);
    let mut advice = Vec::new();
    match &before.claim {
        Claim::OnDevice(_) => {
            if let Some(elsewhere) = before.claim.elsewhere(&off.environment) {
                advice.push(elsewhere);
                advice.push(
                    "`numerics = \"portable\"` gives the same bits on both, or declare a `tolerance` for the output".to_owned(),
                );
            } else if changed("libtorch").is_some() {
                advice.push(format!("its numbers come from libtorch, which is another: {LIBTORCH} now"));
            }
        }
        Claim::NotBitwise => advice.push(
            "`float_sums = \"fast\"` adds in an order that follows the threads; `\"exact\"` gives the same bits, or declare a `tolerance`"
                .to_owned(),
        ),
        Claim::Bitwise if stage.kind == "exec" => advice.push(
            "what a program writes must follow from its inputs: look for times, random numbers, names of folders, and the number of cores"
                .to_owned(),
        ),
        Claim::Bitwise | Claim::WithinTolerance => {}
    }
    let unseen = off.outputs.iter().filter(|output| matches!(output.shown, Shown::DigestsAlone { .. }));
    let tolerances: Vec<_> = unseen.map(|output| stage.common.tolerance.of(&output.output)).collect();
    if !tolerances.is_empty() {
        advice.push("the store does not have the locked bytes, so there is nothing to show; where they were made it can be shown".to_owned());
    }
    let declared: Vec<Tolerance> = tolerances.into_iter().flatten().collect();
    if !declared.is_empty() {
        let metrics = match metrics_within(&before.metrics, &now.result.metrics, &declared) {
            Some(true) => ": its metrics are",
            Some(false) => ": its metrics are not",
            None => "",
        };
        advice.push(format!("whether it is within its `tolerance` cannot be told without the locked bytes{metrics}"));
    }
    advice
}

/// Whether the metrics are within each of these tolerances; `None` where there is none to compare.
fn metrics_within(
    before: &BTreeMap<String, f64>,
    now: &BTreeMap<String, f64>,
    tolerances: &[Tolerance],
) -> Option<bool> {
    let pairs = before.iter().map(|(name, locked)| Some((*locked, *now.get(name)?)));
    let pairs: Vec<(f64, f64)> = pairs.collect::<Option<_>>()?;
    let within = |(locked, now): &(f64, f64)| tolerances.iter().all(|tolerance| tolerance.admits(*locked, *now));
    (!pairs.is_empty()).then(|| pairs.iter().all(within))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_within_where_every_one_is_by_every_tolerance() {
        let metrics =
            |values: &[(&str, f64)]| values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        let (locked, near) = (metrics(&[("a", 1.0), ("b", 0.5)]), metrics(&[("a", 1.01), ("b", 0.5), ("c", 9.0)]));
        let (loose, strict) = (Tolerance { rtol: 0.1, atol: 0.0 }, Tolerance { rtol: 1e-3, atol: 0.0 });
        assert_eq!(metrics_within(&locked, &near, &[loose]), Some(true));
        assert_eq!(metrics_within(&locked, &near, &[loose, strict]), Some(false));
        assert_eq!(metrics_within(&locked, &metrics(&[("a", 1.0)]), &[loose]), None);
        assert_eq!(metrics_within(&metrics(&[]), &near, &[loose]), None);
    }

    #[test]
    fn metrics_that_differ_are_named_with_both_values() {
        let before = BTreeMap::from([("a".to_owned(), 1.0), ("b".to_owned(), f64::NAN), ("c".to_owned(), 3.0)]);
        let now = BTreeMap::from([("a".to_owned(), 1.5), ("b".to_owned(), -f64::NAN)]);
        let gone = ("c".into(), Some(3.0), None);
        assert_eq!(metrics(&before, &now, &[]), [("a".into(), Some(1.0), Some(1.5)), gone.clone()]);
        assert_eq!(metrics(&before, &now, &[Tolerance { rtol: 0.5, atol: 0.0 }]), [gone]);
    }
}
