//! What a name on the command line means: a stage, a stage's output, or an output of a module.

use super::CommandError;
use crate::check::Checked;
use crate::diag::list;
use crate::manifest::Reference;
use crate::plan::instead;

/// The stage and the output that a name means: `split`, `split.train`, and `model.model` for a module's output.
pub(super) fn stage(checked: &Checked, name: &str) -> Result<(String, Option<String>), CommandError> {
    let known = |stage: &str| checked.find(stage).is_some();
    if known(name) {
        return Ok((name.to_owned(), None));
    }
    let (stage, port) = name.rsplit_once('.').map_or((name, None), |(stage, port)| (stage, Some(port)));
    if known(stage) {
        return Ok((stage.to_owned(), port.map(str::to_owned)));
    }
    if let Some((index, port)) = checked.named(name) {
        return Ok((checked.stages[index].name.clone(), port));
    }
    let points = points(checked, name);
    if let [only] = points.as_slice() {
        return Ok((only.clone(), Reference::parse(name).port.map(str::to_owned)));
    }
    if !points.is_empty() {
        let error = CommandError::usage(format!("`{name}` is {} stages", points.len()));
        return Err(error.hint(format!("ask for one of them: {}", list(points.iter().map(String::as_str), 8))));
    }
    let names = || checked.stages.iter().map(|stage| stage.name.as_str());
    let inner: Vec<&str> = names().filter(|inner| inner.starts_with(&format!("{stage}/"))).collect();
    let (message, hint) = match inner.as_slice() {
        [] => {
            let all: Vec<&str> = names().collect();
            (format!("there is no stage `{stage}`"), instead(&all, stage))
        }
        inner => {
            let inner = list(inner.iter().copied(), 8);
            (format!("`{stage}` is a module"), format!("ask for one of its stages: {inner}"))
        }
    };
    Err(CommandError::usage(message).hint(hint))
}

/// The stages that a name means: one, or the points of one; none where it means nothing.
pub(super) fn meant(checked: &Checked, name: &str) -> Vec<usize> {
    match stage(checked, name) {
        Ok((stage, _)) => checked.find(&stage).into_iter().collect(),
        Err(_) => points(checked, name).iter().filter_map(|stage| checked.find(stage)).collect(),
    }
}

/// The points of a stage with axes that have the values said.
pub(super) fn points(checked: &Checked, name: &str) -> Vec<String> {
    let wanted = Reference::parse(name);
    checked
        .stages
        .iter()
        .map(|stage| stage.name.as_str())
        .filter(|stage| wanted.means(stage))
        .map(str::to_owned)
        .collect()
}
