//! Which stages are wanted: targets, what they come from, and what is made anew although it is there.

use super::dag::Dag;
use crate::check::Checked;
use crate::diag::{did_you_mean, list};
use crate::manifest::Reference;
use std::collections::BTreeSet;

/// What a command was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Names of stages, or of modules for all of their stages; of a stage with axes all points, or those that have the
    /// values said. Empty: everything.
    pub targets: Vec<String>,
    /// Make the targets (without targets: every stage) anew although their results are there.
    pub force: bool,
}

impl Selection {
    /// These targets and what they come from.
    #[must_use]
    pub fn of<T: Into<String>>(targets: impl IntoIterator<Item = T>) -> Self {
        Self { targets: targets.into_iter().map(Into::into).collect(), force: false }
    }
}

/// A target that is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no stage `{name}`")]
pub struct UnknownTarget {
    /// The name.
    pub name: String,
    /// What to do.
    pub hint: String,
}

/// The stages of a selection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    /// By index, in topological order.
    pub stages: Vec<usize>,
    /// Those to make anew.
    pub forced: BTreeSet<usize>,
}

/// The stages that a selection means.
///
/// # Errors
/// When a target names no stage and no module.
pub fn select(checked: &Checked, dag: &Dag, selection: &Selection) -> Result<Selected, UnknownTarget> {
    let targets = named(checked, &selection.targets)?;
    let forced = if selection.force { targets.iter().copied().collect() } else { BTreeSet::new() };
    Ok(Selected { stages: dag.with_ancestors(&targets), forced })
}

/// The stages of these names, of modules all of theirs, in topological order. No name: every stage.
///
/// # Errors
/// When a name is that of no stage and no module.
pub fn named(checked: &Checked, targets: &[String]) -> Result<Vec<usize>, UnknownTarget> {
    let names: Vec<&str> = checked.stages.iter().map(|stage| stage.name.as_str()).collect();
    if targets.is_empty() {
        return Ok((0..names.len()).collect());
    }
    let mut found = BTreeSet::new();
    for target in targets {
        found.extend(matching(&names, target)?);
    }
    Ok(found.into_iter().collect())
}

fn matching(names: &[&str], target: &str) -> Result<Vec<usize>, UnknownTarget> {
    let of_module = format!("{}/", target.trim_end_matches('/'));
    let wanted = Reference::parse(target);
    let meant = |name: &&str| {
        **name == *target || name.starts_with(&of_module) || (wanted.port.is_none() && wanted.means(name))
    };
    let found: Vec<usize> = names.iter().enumerate().filter(|(_, name)| meant(name)).map(|(index, _)| index).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    Err(UnknownTarget { name: target.to_owned(), hint: instead(names, target) })
}

/// What to write in the place of a name that no stage has: of a stage with axes one of its values, else a name that is near.
#[must_use]
pub fn instead(names: &[&str], target: &str) -> String {
    let family = |name: &str| name.split('[').next().unwrap_or_default().to_owned();
    let wanted = family(target);
    if target.contains('[') {
        let points: Vec<&str> = names.iter().copied().filter(|name| family(name) == wanted).collect();
        if !points.is_empty() {
            return format!("there are {}", list(points, 8));
        }
    }
    let mut families: Vec<String> = names.iter().map(|name| family(name)).collect();
    let mut seen = BTreeSet::new();
    families.retain(|name| seen.insert(name.clone()));
    let names = || families.iter().map(String::as_str);
    did_you_mean(&wanted, names()).unwrap_or_else(|| format!("the stages are {}", list(names(), 12)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_stands_for_its_stages_and_a_wrong_name_is_corrected() {
        let names = ["raw", "clean/dedupe", "clean/sort", "cleaner", "train"];
        assert_eq!(matching(&names, "clean").unwrap(), [1, 2]);
        assert_eq!(matching(&names, "train").unwrap(), [4]);
        let points = ["fit[lr=0.1,seed=1]", "fit[lr=0.1,seed=2]", "fit[lr=1,seed=1]", "fitted"];
        assert_eq!(matching(&points, "fit").unwrap(), [0, 1, 2]);
        assert_eq!(matching(&points, "fit[lr=0.1]").unwrap(), [0, 1]);
        assert_eq!(matching(&points, "fit[seed=1,lr=1]").unwrap(), [2]);
        assert_eq!(
            matching(&points, "fit[lr=2]").unwrap_err().hint,
            "there are `fit[lr=0.1,seed=1]`, `fit[lr=0.1,seed=2]` and `fit[lr=1,seed=1]`"
        );
        assert_eq!(matching(&points, "fti").unwrap_err().hint, "did you mean `fit`?");
        assert_eq!(matching(&points, "other").unwrap_err().hint, "the stages are `fit` and `fitted`");
        assert!(matching(&points, "fit[fold=1]").is_err());
        assert_eq!(matching(&names, "trian").unwrap_err().hint, "did you mean `train`?");
        assert!(matching(&names, "x").unwrap_err().hint.starts_with("the stages are `raw`, "));
    }
}
