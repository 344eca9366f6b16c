//! A model's layers with their shapes, parameters, operations and memory; a dataset's tensors.

use super::{View, cost};
use crate::cli::CommandError;
use crate::nn::Architecture;
use crate::numbers;
use crate::report::{Align, Table};
use crate::stage::ArtifactRecord;
use crate::types::{DatasetType, FeatureType, TargetType, Task, TensorType};

/// The file of a model that describes its layers.
const ARCHITECTURE: &str = "architecture.json";

pub(super) fn text(artifact: &ArtifactRecord, view: View<'_>) -> Result<String, CommandError> {
    let input = view.store.input(artifact);
    let damaged = |why: &str| CommandError::environment(format!("the stored model cannot be read: {why}"));
    let file = input.file(ARCHITECTURE).ok_or_else(|| damaged("it has no architecture.json"))?;
    let text = std::fs::read(&file.path).map_err(|error| CommandError::io("read", &file.path, &error))?;
    let network: Architecture = serde_json::from_slice(&text).map_err(|error| damaged(&error.to_string()))?;
    let inferred = network.infer();
    let paint = view.output.out;
    let right = [Align::Left, Align::Left, Align::Right, Align::Right, Align::Right];
    let mut table = Table::new(["layer", "gives", "parameters", "forward, a row", "kept, a batch"]).align(&right);
    let batch = view.batch;
    for feature in &network.inputs {
        table.row([paint.dim(format!("input {}", feature.name)), feature.shape.to_string()]);
    }
    let mut tower = None;
    for (row, frozen) in cost::layers(&network, &inferred) {
        if row.tower != tower {
            tower.clone_from(&row.tower);
            table.row([paint.dim(tower.as_ref().map_or("joined".to_owned(), |name| format!("tower {name}")))]);
        }
        let indent = "  ".repeat(row.depth + usize::from(row.tower.is_some()));
        let parameters = match row.parameters {
            Some(0) => String::new(),
            Some(count) => numbers::count(count),
            None => "?".to_owned(),
        };
        let operations = row.flops.filter(|flops| *flops > 0).map_or_else(String::new, cost::flops);
        let kept = cost::kept(row, batch).filter(|bytes| *bytes > 0 && !frozen);
        let kept = kept.map_or_else(String::new, numbers::bytes);
        let text = format!("{indent}{}{}", row.text, if frozen && row.depth == 0 { ", frozen" } else { "" });
        table.row([text, row.output.to_string(), parameters, operations, kept]);
    }
    if let Some(total) = inferred.parameters {
        let operations = inferred.flops().map_or_else(String::new, cost::flops);
        table.row([paint.dim("in all"), String::new(), numbers::count(total), operations, String::new()]);
    }
    let memory = cost::memory(&network, &inferred, batch).map_or_else(String::new, |text| format!("\n{text}"));
    let target = network.target.as_ref().map(|target| format!("\n  predicts {}\n", target_text(target)));
    let target = target.unwrap_or_default();
    Ok(format!("\n{}{memory}{target}", table.render(view.output.width, 2, paint)))
}

pub(super) fn dataset(dataset: &DatasetType, view: View<'_>) -> String {
    let mut table = Table::new(["feature", "shape", "stored as"]);
    for feature in &dataset.features {
        table.row([feature.name.clone(), feature.shape.to_string(), stored(feature)]);
    }
    let targets: String = dataset.targets.iter().map(|target| format!("\n  target {}", target_text(target))).collect();
    let end = if targets.is_empty() { "" } else { "\n" };
    format!("\n{}{targets}{end}", table.render(view.output.width, 2, view.output.out))
}

fn stored(feature: &FeatureType) -> String {
    let dtype = match feature.dtype {
        TensorType::U8 => "u8",
        TensorType::F32 => "f32",
        TensorType::I32 => "i32",
        TensorType::I64 => "i64",
    };
    match (&feature.scale, &feature.cardinality) {
        (Some(scale), _) => format!("{dtype}, divided by {scale}"),
        (_, Some(cardinality)) if feature.dtype == TensorType::I32 => format!("{dtype}, {cardinality} tokens"),
        (_, Some(cardinality)) => format!("{dtype}, {cardinality} categories"),
        _ => dtype.to_owned(),
    }
}

/// `species: one of Adelie, Chinstrap, Gentoo`
fn target_text(target: &TargetType) -> String {
    match &target.task {
        Task::Category { classes: Some(classes) } if classes.len() <= 12 => {
            format!("{}: one of {}", target.name, classes.join(", "))
        }
        Task::Category { classes: Some(classes) } => format!("{}: one of {} classes", target.name, classes.len()),
        Task::Category { classes: None } => format!("{}: a category", target.name),
        Task::Binary { positive } => format!("{}: whether it is {positive}", target.name),
        Task::Number { mean: Some(mean), std: Some(std) } => {
            format!(
                "{}: a number, mean {}, standard deviation {}",
                target.name,
                numbers::number(*mean),
                numbers::number(*std)
            )
        }
        Task::Number { .. } => format!("{}: a number", target.name),
        Task::MultiLabel { labels } if labels.len() <= 12 => format!("{}: any of {}", target.name, labels.join(", ")),
        Task::MultiLabel { labels } => format!("{}: any of {} labels", target.name, labels.len()),
        Task::NextToken { .. } => format!("{}: the token that comes next", target.name),
        Task::MaskedToken { masking, .. } => {
            format!(
                "{}: tokens that are hidden, {} % of them",
                target.name,
                numbers::number(masking.probability * 100.0)
            )
        }
    }
}
