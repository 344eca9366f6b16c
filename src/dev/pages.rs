//! The pages of the reference: kinds, layers, losses, metrics, diagnostics, keys.

use super::fields::{Fields, cell};
use super::schema::{common, definition_name, generator};
use crate::diag::codes::CODES;
use crate::metrics::METRICS;
use crate::nn::choice::Entry;
use crate::nn::losses::Loss;
use crate::nn::optim::Optimizer;
use crate::nn::schedule::Schedule;
use crate::nn::{LAYERS, LayerSpec};
use crate::plan::NOT_IN_KEY;
use crate::registry::STAGES;
use crate::stage::Family;
use serde_json::{Value, json};

/// The first line of every generated page.
pub(super) const NOTE: &str = "<!-- Generated from the code; `UPDATE=1 cargo test --test generated` writes it. -->\n";

/// Every stage kind, family by family.
pub(super) fn kinds() -> String {
    let mut generator = generator();
    let roots: Vec<Value> = STAGES.iter().map(|stage| stage.schema(&mut generator).to_value()).collect();
    let definitions = generator.take_definitions(true);
    let fields = Fields { definitions: &definitions };
    let mut out = format!(
        "{NOTE}# Stage kinds\n\nEvery stage has a `kind`, the kind's own fields, and these where it needs them:\n\n"
    );
    out += &fields.tables(&json!({ "type": "object", "properties": common() }));
    out += "\nA value can be a param, `\"${name}\"`. A *reference* names a stage's output: `\"stage.output\"`, or `\"stage\"` \
            where the stage has one output. A *file* is a path relative to the manifest's folder.\n\n| kind | |\n|---|---|\n";
    for stage in STAGES {
        let info = stage.info();
        out += &format!("| [`{0}`](#{0}) | {1} |\n", info.name, cell(info.summary));
    }
    let mut family = None;
    for (stage, root) in STAGES.iter().zip(&roots) {
        let info = stage.info();
        if family != Some(info.family) {
            family = Some(info.family);
            out += &format!("\n# {}\n", family_title(info.family));
        }
        out += &format!("\n## {}\n\n{}\n\n", info.name, info.summary);
        let root = definition_name(root).and_then(|name| definitions.get(name)).unwrap_or(root);
        let about = root.get("description").and_then(Value::as_str).unwrap_or_default().trim();
        if !about.is_empty() && about.trim_end_matches('.') != info.summary.trim_end_matches('.') {
            out += &format!("{about}\n\n");
        }
        out += &format!("```toml\n{}\n```\n\n", info.example.trim());
        out += &fields.tables(root);
        out += "\n| output | |\n|---|---|\n";
        for port in info.ports {
            out += &format!("| `{}` | {} |\n", port.name, cell(port.about));
        }
        out += &format!("\n{}\n", determinism(info.seeded, info.numeric));
    }
    out
}

fn family_title(family: Family) -> &'static str {
    match family {
        Family::Source => "Source: bring bytes in",
        Family::Table => "Table: work on rows and columns",
        Family::Text => "Text: take texts apart",
        Family::Encode => "Encode: turn tables into tensors",
        Family::Model => "Model: describe a network",
        Family::Train => "Train",
        Family::Judge => "Judge: measure and predict",
        Family::Deliver => "Deliver: give a model away",
        Family::Open => "Open: run any program",
    }
}

fn determinism(seeded: bool, numeric: bool) -> &'static str {
    match (seeded, numeric) {
        (true, true) => {
            "It makes random choices, from the seed in its key; its numbers come from libtorch, whose version is in its key."
        }
        (true, false) => "It makes random choices, from the seed in its key.",
        (false, true) => "Its numbers come from libtorch, whose version is in its key.",
        (false, false) => "It makes no random choices.",
    }
}

/// Every layer.
pub(super) fn layers() -> String {
    let mut generator = generator();
    let root = generator.subschema_for::<LayerSpec>().to_value();
    let definitions = generator.take_definitions(true);
    let root = definition_name(&root).and_then(|name| definitions.get(name)).unwrap_or(&root);
    let entries = root.get("anyOf").and_then(|forms| forms.get(1)?.get("properties")).unwrap_or(&Value::Null);
    let fields = Fields { definitions: &definitions };
    let mut out = format!(
        "{NOTE}# Layers\n\nA layer is its name (`\"relu\"`), or a table with its name as the only key \
         (`{{ linear = 10 }}`). Shapes are those of one row; the batch comes before them.\n\n| layer | | weights |\n|---|---|---|\n"
    );
    for layer in LAYERS {
        let weights = if layer.weights { "yes" } else { "" };
        out += &format!("| [`{0}`](#{0}) | {1} | {weights} |\n", layer.name, cell(layer.summary));
    }
    for layer in LAYERS {
        out += &format!("\n## {}\n\n{}\n\n", layer.name, layer.summary);
        if !layer.docs.trim().is_empty() {
            out += &format!("{}\n\n", layer.docs.trim());
        }
        out += &format!("```toml\n{}\n```\n", layer.example.trim());
        let table = entries.get(layer.name).map(|schema| fields.tables(schema)).unwrap_or_default();
        if !table.is_empty() {
            out += &format!("\n{table}");
        }
    }
    out
}

/// Losses, optimizers and schedules.
pub(super) fn losses() -> String {
    let mut out = format!(
        "{NOTE}# Losses, optimizers, schedules\n\nEach is its name (`loss = \"mse\"`) with every default, or a table with \
         its name as the only key (`loss.cross_entropy = {{ label_smoothing = 0.1 }}`).\n"
    );
    out += &choices("Losses", Loss::ENTRIES);
    out += &choices("Optimizers", Optimizer::ENTRIES);
    out += &choices("Schedules", Schedule::ENTRIES);
    out
}

fn choices(title: &str, entries: &[Entry]) -> String {
    let mut generator = generator();
    let schemas: Vec<Value> = entries.iter().map(|entry| (entry.schema)(&mut generator).to_value()).collect();
    let definitions = generator.take_definitions(true);
    let fields = Fields { definitions: &definitions };
    let mut out = format!("\n# {title}\n");
    for (entry, schema) in entries.iter().zip(&schemas) {
        out += &format!("\n## {}\n\n{}\n\n", entry.name, entry.summary);
        if !entry.formula.is_empty() {
            out += &format!("```text\n{}\n```\n\n", entry.formula.trim());
        }
        if !entry.source.is_empty() {
            out += &format!("After {}.\n\n", entry.source.trim_end_matches('.'));
        }
        out += &format!("```toml\n{}\n```\n", entry.example.trim());
        let table = fields.tables(schema);
        if !table.is_empty() {
            out += &format!("\n{table}");
        }
    }
    out
}

/// Every metric.
pub(super) fn metrics() -> String {
    let mut out = format!(
        "{NOTE}# Metrics\n\nFor `metrics` and `require` of an [`evaluate`](kinds.md#evaluate) stage. Definitions, names and corner cases \
         are those of scikit-learn; metrics of rankings say theirs.\n\n| metric | for | range | better |\n|---|---|---|---|\n"
    );
    for metric in METRICS {
        let tasks: Vec<&str> = metric.tasks.iter().map(|task| task.name()).collect();
        let bound = |value: f64| match value {
            f64::INFINITY => "∞".to_owned(),
            f64::NEG_INFINITY => "−∞".to_owned(),
            value => format!("{value}"),
        };
        let range = format!("{} to {}", bound(metric.range.0), bound(metric.range.1));
        let better = if metric.higher_is_better { "more" } else { "less" };
        out += &format!("| [`{0}`](#{0}) | {1} | {range} | {better} |\n", metric.name, tasks.join(", "));
    }
    for metric in METRICS {
        let formula = metric.formula.trim();
        out += &format!("\n## {}\n\n**{}.** {}\n\n```text\n{formula}\n```\n", metric.name, metric.title, metric.about);
    }
    out
}

/// Every diagnostic code.
pub(super) fn diagnostics() -> String {
    let groups = [
        ("E01", "The language"),
        ("E02", "Names, files, columns"),
        ("E03", "Models and shapes"),
        ("E04", "The kinds' own rules"),
        ("W05", "Warnings"),
    ];
    let mut out = format!(
        "{NOTE}# Diagnostics\n\n`kilter check` finds these before anything runs; errors begin with `E`, warnings with `W`. \
         Each is shown at its place in the manifest.\n"
    );
    for (prefix, title) in groups {
        out += &format!("\n## {title}\n\n| code | | |\n|---|---|---|\n");
        for code in CODES.iter().filter(|code| code.id.starts_with(prefix)) {
            out += &format!("| `{}` | {} | {} |\n", code.id, cell(code.title), cell(code.explain));
        }
    }
    out
}

/// What of a stage's fields does not enter its key.
pub(super) fn keys() -> String {
    let mut out = format!(
        "{NOTE}# Keys\n\nA stage's [key](../guide/caching.md) holds every field of its kind, with params filled in and defaults made \
         explicit. These alone are left out, because nothing in a result follows from them:\n\n| field | of | why |\n|---|---|---|\n"
    );
    for (field, why) in NOT_IN_KEY {
        let (kind, field) = match field.split_once('.') {
            Some((kind, field)) => (format!("[`{kind}`](kinds.md#{kind})"), field),
            None => ("every kind".to_owned(), *field),
        };
        out += &format!("| `{field}` | {kind} | {} |\n", cell(why));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_in_a_group() {
        let page = diagnostics();
        for code in CODES {
            assert!(page.contains(&format!("| `{}` |", code.id)), "{code} is in no group");
        }
    }
}
