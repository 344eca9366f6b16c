//! A failed stage, in the words of an event.

use crate::check::Checked;
use crate::diag::{Diagnostics, Format, render};
use crate::event::Failure;
use crate::numbers;
use crate::stage::{ErrorKind, GateResult, StageError, StageResult, tells_of_a_full_disk};
use crate::store::{Layout, StoreError};

/// Why a stage has no result.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The stage itself.
    Stage(StageError),
    /// The store or `out/`.
    Store(StoreError),
    /// The late check, with the inputs' real types.
    Mistakes(Diagnostics),
    /// Its key or its result is not the locked one.
    OffLock(StageError),
}

impl From<StageError> for Trouble {
    fn from(error: StageError) -> Self {
        Self::Stage(error)
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Trouble {
    /// `interrupted`, and what is kept of the work.
    pub(super) fn why_cancelled(&self) -> String {
        let notes = match self {
            Self::Stage(error) => error.notes.as_slice(),
            _ => &[],
        };
        std::iter::once("interrupted").chain(notes.iter().map(String::as_str)).collect::<Vec<_>>().join("; ")
    }

    pub(super) fn is_cancelled(&self) -> bool {
        match self {
            Self::Stage(error) => error.kind == ErrorKind::Cancelled,
            Self::Store(_) | Self::Mistakes(_) | Self::OffLock(_) => false,
        }
    }

    /// Whether the surroundings are to blame: the store, or a disk that filled up while a stage wrote its outputs.
    pub(super) fn is_store(&self) -> bool {
        match self {
            Self::Stage(error) => error.kind == ErrorKind::File && tells_of_a_full_disk(&error.message),
            Self::Store(error) => !error.is_of_files(),
            Self::Mistakes(_) | Self::OffLock(_) => false,
        }
    }

    pub(super) fn is_off_lock(&self) -> bool {
        matches!(self, Self::OffLock(_))
    }

    /// Whether trying again can help.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Stage(error) if matches!(error.kind, ErrorKind::Network | ErrorKind::Process))
    }

    pub(super) fn is_bug(&self) -> bool {
        matches!(self, Self::Stage(error) if error.kind == ErrorKind::Bug)
    }
}

/// The failure of stage `index` in words.
pub(super) fn describe(trouble: &Trouble, checked: &Checked, index: usize, layout: &Layout) -> Failure {
    match trouble {
        Trouble::Stage(error) => stage_error(error, checked, index, layout),
        Trouble::OffLock(error) => Failure { refused: true, ..stage_error(error, checked, index, layout) },
        Trouble::Store(error) => Failure { message: error.to_string(), hints: error.hints(), ..Failure::default() },
        Trouble::Mistakes(found) => Failure {
            message: "its inputs, now that they are there, do not fit what the manifest says".to_owned(),
            diagnostics: Some(render(found, &checked.sources, Format::Human { color: false, width: 100 })),
            ..Failure::default()
        },
    }
}

fn stage_error(error: &StageError, checked: &Checked, index: usize, layout: &Layout) -> Failure {
    let entry = checked.stages.get(index).and_then(|stage| checked.manifest.stages.get(stage.entry));
    let place = error.at.as_ref().zip(entry);
    let place = place.map(|(path, entry)| checked.sources.place(entry.value_span(&checked.sources, path)));
    Failure {
        message: error.message.clone(),
        notes: error.notes.clone(),
        hints: error.hints.clone(),
        place,
        log: error.log.as_ref().map(|log| layout.shown(log)),
        ..Failure::default()
    }
}

/// The failure of a stage whose result does not meet its demands. `named` names the stage on a command line.
pub(super) fn broken_gates(named: &str, result: &StageResult, cached: bool) -> Failure {
    let gates: Vec<String> = result.broken_gates().map(demand).collect();
    let plural = if gates.len() == 1 { "a gate does" } else { "gates do" };
    Failure {
        message: format!("{plural} not hold: {}", gates.join("; ")),
        notes: if cached { vec!["the result is cached, and so is this verdict".to_owned()] } else { Vec::new() },
        hints: vec![format!("`kilter show {named}` shows the result, which is kept; what depends on it does not run")],
        ..Failure::default()
    }
}

/// `accuracy is 0.91, at least 0.928 is required`
#[must_use]
pub fn demand(gate: &GateResult) -> String {
    let values: Vec<f64> = [Some(gate.value), gate.min, gate.max].into_iter().flatten().collect();
    // Counts of rows are whole, and said so.
    let whole = values.iter().all(|value| value.fract() == 0.0);
    let digits = numbers::digits_apart(&values);
    let number = |value: f64| match digits {
        _ if whole && value.abs() < 1000.0 => value.to_string(),
        Some(digits) => format!("{value:.digits$}"),
        None => numbers::number(value),
    };
    let bounds: Vec<String> = [(gate.min, "at least"), (gate.max, "at most")]
        .iter()
        .filter_map(|(bound, words)| bound.map(|bound| format!("{words} {}", number(bound))))
        .collect();
    format!("{} is {}, {} is required", gate.metric, number(gate.value), bounds.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_that_is_missed_narrowly_shows_by_how_much() {
        let missed = |value, min| {
            demand(&GateResult { metric: "accuracy".to_owned(), value, min: Some(min), max: None, holds: false })
        };
        assert_eq!(missed(0.9648, 0.965), "accuracy is 0.9648, at least 0.9650 is required");
        assert_eq!(missed(0.91, 0.928), "accuracy is 0.910, at least 0.928 is required");
        assert_eq!(missed(299.0, 300.0), "accuracy is 299, at least 300 is required");
    }
}
