//! The model card: `README.md` of a bundle, with the front matter that model hubs read.

use super::provenance::sources;
use super::release::ReleaseSpec;
use crate::diag::toml_key;
use crate::numbers::{bytes, count, counted};
use crate::stage::Ancestor;
use crate::stages::encode::{Encoder, FittedFeature};
use crate::stages::judge::MetricsFile;
use crate::types::{ModelType, Task};
use std::collections::BTreeMap;
use std::fmt::Write;

/// What a card is written of.
pub(super) struct Card<'a> {
    pub spec: &'a ReleaseSpec,
    pub title: &'a str,
    pub license: &'a str,
    pub license_name: &'a str,
    pub model: &'a ModelType,
    pub encoder: &'a Encoder,
    /// The evaluations, by reference.
    pub evidence: &'a [(String, MetricsFile)],
    pub ancestors: &'a [Ancestor],
    /// The size of the weights in bytes.
    pub weights: u64,
}

impl Card<'_> {
    /// The card as Markdown.
    pub fn markdown(&self) -> String {
        let sections = [
            self.front_matter(),
            format!("# {}\n", self.title),
            self.about(),
            self.use_section(),
            self.intended(),
            self.model_section(),
            self.data(),
            self.metrics(),
            self.license_section(),
        ];
        sections.into_iter().filter(|section| !section.is_empty()).collect::<Vec<_>>().join("\n")
    }

    fn front_matter(&self) -> String {
        let mut out = String::from("---\n");
        // Hubs know licences by the lower-case identifier.
        let _ = writeln!(out, "license: {}", yaml(&self.license.to_lowercase()));
        out.push_str("library_name: kilter\ntags:\n- kilter\n- safetensors\n");
        if let Some(target) = &self.model.target {
            let _ = writeln!(out, "- {}", pipeline_tag(&target.task));
        }
        if !self.spec.datasets.is_empty() {
            out.push_str("datasets:\n");
            for dataset in &self.spec.datasets {
                let _ = writeln!(out, "- {}", yaml(&dataset.name));
            }
        }
        out.push_str("---\n");
        out
    }

    fn about(&self) -> String {
        match &self.spec.description {
            Some(description) => format!("{description}\n"),
            None => String::new(),
        }
    }

    fn use_section(&self) -> String {
        format!(
            "## How to use

Check what you received, in this folder:

```sh
sha256sum -c {sums}
```

To predict for the rows of a table, put this folder as `model/` and your rows as `rows.csv`, with the columns listed below,
beside this manifest, `use.toml`:

```toml
[pipeline]
name = \"use\"

[stage.model]
kind = \"bundle\"
files = \"model/*\"

[stage.rows]
kind = \"fetch\"
path = \"rows.csv\"

[stage.table]
kind = \"read\"
from = \"rows\"
format = \"csv\"
{types}
[stage.predict]
kind = \"predict\"
model = \"model\"
data = \"table\"
```

```sh
kilter run use.toml
kilter show use.toml predict
```

The weights are plain [safetensors](https://huggingface.co/docs/safetensors); their names follow PyTorch, and `config.json`
describes the network and how raw columns become its inputs.
",
            sums = super::checksums::SUMS_FILE,
            types = self.times()
        )
    }

    /// The types of dates and times, which are texts in a csv file until somebody says what they are.
    fn times(&self) -> String {
        let of_model = self.model.inputs.iter().filter_map(|input| self.encoder.features.get(&input.name));
        let times = of_model.filter_map(|feature| match feature {
            FittedFeature::Time(time) => Some(&time.columns),
            _ => None,
        });
        let types: BTreeMap<&str, &str> =
            times.flatten().map(|column| (column.name.as_str(), column.least_type())).collect();
        if types.is_empty() {
            return String::new();
        }
        let types: Vec<String> = types.iter().map(|(name, ty)| format!("{} = \"{ty}\"", toml_key(name))).collect();
        format!("types = {{ {} }}   # or what they were in training: `date`, `time` or `datetime`\n", types.join(", "))
    }

    fn intended(&self) -> String {
        let mut out = String::from("## Intended use\n\n");
        match (&self.spec.intended_use, &self.model.target) {
            (Some(text), _) => out.push_str(text),
            (None, Some(target)) => {
                let _ = write!(
                    out,
                    "Predicting `{}` from data like the training data. Nothing was stated about other uses.",
                    target.name
                );
            }
            (None, None) => out.push_str("Not stated."),
        }
        out.push('\n');
        if let Some(limits) = &self.spec.limitations {
            let _ = write!(out, "\n## Limitations\n\n{limits}\n");
        }
        out
    }

    fn model_section(&self) -> String {
        let parameters = self.model.parameters.map(|n| format!("{} parameters in ", count(n))).unwrap_or_default();
        let mut out = format!(
            "## Model\n\n{parameters}{} with weights, {} of 32-bit floats.\n\n| input | columns | becomes |\n|---|---|---|\n",
            counted(usize::try_from(self.model.layers).unwrap_or(usize::MAX), "layer"),
            bytes(self.weights)
        );
        for input in &self.model.inputs {
            let Some(feature) = self.encoder.features.get(&input.name) else { continue };
            let _ =
                writeln!(out, "| {} | {} | {} |", cell(&input.name), cell(&columns(feature)), cell(&feature.becomes()));
        }
        if let Some(target) = &self.model.target {
            let _ = write!(out, "\nIt predicts `{}`: {}.\n", target.name, predicts(&target.task));
        }
        out
    }

    fn data(&self) -> String {
        let mut out = String::from("## Data\n\n");
        if self.spec.datasets.is_empty() {
            out.push_str("No statement of the training data was given.\n");
        } else {
            out.push_str("| data | licence | source |\n|---|---|---|\n");
            for dataset in &self.spec.datasets {
                let _ = writeln!(
                    out,
                    "| {} | {} | {} |",
                    cell(&dataset.name),
                    cell(dataset.license.as_deref().unwrap_or("not stated")),
                    cell(dataset.source.as_deref().unwrap_or("not stated"))
                );
            }
        }
        let fetched = sources(self.ancestors);
        if !fetched.is_empty() {
            out.push_str("\nThe pipeline fetched, and checked by their digests:\n\n");
            for source in fetched {
                let _ = writeln!(out, "- {source}");
            }
        }
        out.push_str("\n`provenance.json` names every input and stage by its digest.\n");
        out
    }

    fn metrics(&self) -> String {
        let mut out = String::from("## Metrics\n\n");
        if self.evidence.is_empty() {
            out.push_str("No evaluation was given as evidence.\n");
        }
        for (name, file) in self.evidence {
            if self.evidence.len() > 1 {
                let _ = write!(out, "### {name}\n\n");
            }
            if file.rows > 0 {
                let _ = write!(
                    out,
                    "On {} that it was judged on, predicting `{}`:\n\n",
                    counted(usize::try_from(file.rows).unwrap_or(usize::MAX), "row"),
                    file.target
                );
            }
            out.push_str("| metric | value | 95 % confidence interval | better |\n|---|---|---|---|\n");
            for metric in file.metrics.values() {
                let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), crate::numbers::number);
                let interval = match (metric.low, metric.high) {
                    (Some(low), Some(high)) => format!("{}–{}", number(Some(low)), number(Some(high))),
                    _ => "–".to_owned(),
                };
                let better = match metric.higher_is_better {
                    Some(true) => "higher",
                    Some(false) => "lower",
                    None => "–",
                };
                let _ = writeln!(out, "| {} | {} | {interval} | {better} |", cell(&metric.title), number(metric.value));
            }
            for gate in &file.gates {
                let _ = write!(out, "\nGate: {}.\n", crate::stages::judge::gate_words(gate));
            }
            out.push('\n');
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
        out
    }

    fn license_section(&self) -> String {
        let authors = match self.spec.authors.as_slice() {
            [] => String::new(),
            authors => format!(" © {}.", authors.join(", ")),
        };
        format!("## Licence\n\n{} (`{}`); the text is in `LICENSE`.{authors}\n", self.license_name, self.license)
    }
}

fn pipeline_tag(task: &Task) -> &'static str {
    match task {
        Task::Category { .. } | Task::Binary { .. } | Task::MultiLabel { .. } => "classification",
        Task::NextToken { .. } => "text-generation",
        Task::MaskedToken { .. } => "fill-mask",
        Task::Number { .. } => "regression",
    }
}

fn predicts(task: &Task) -> String {
    match task {
        Task::Category { classes: Some(classes) } => {
            format!("one of {} classes, {}", classes.len(), quoted(classes))
        }
        Task::Category { classes: None } => "one of several classes".to_owned(),
        Task::Binary { positive } => format!("whether it is `{positive}`"),
        Task::Number { .. } => "a number".to_owned(),
        Task::MultiLabel { labels } => format!("any of {} labels, {}", labels.len(), quoted(labels)),
        Task::NextToken { .. } => "the token that comes next".to_owned(),
        Task::MaskedToken { .. } => "tokens that are hidden".to_owned(),
    }
}

/// The first names, and how many more there are.
fn quoted(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(20).map(|name| format!("`{name}`")).collect();
    let rest = names.len().saturating_sub(20);
    let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("{}{rest}", shown.join(", "))
}

fn columns(feature: &FittedFeature) -> String {
    let columns = feature.columns();
    match columns.as_slice() {
        [first, .., last] if columns.len() > 8 => format!("`{first}` … `{last}`, {} columns", columns.len()),
        few => few.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    }
}

/// Text for a table's cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// Text as a YAML scalar: JSON strings are YAML strings.
fn yaml(text: &str) -> String {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'))
        && text.starts_with(|c: char| c.is_ascii_alphabetic());
    if plain { text.to_owned() } else { serde_json::Value::String(text.to_owned()).to_string() }
}
