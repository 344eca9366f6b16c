//! The manifest's text.

use super::data::Data;
use super::guess::{Guess, Task};
use crate::numbers::{count, counted};
use std::fmt::Write;

/// A manifest that passes `kilter check` and runs as it is, with a word on every choice.
pub(super) fn text(name: &str, place: &str, data: &Data, guess: &Guess) -> String {
    let mut out = String::new();
    let head = [
        format!("# {}: predicts `{}` from {}.", name, guess.target, counted(guess.features(), "column")),
        "# Written by `kilter new`; everything below may be changed. Try".to_owned(),
        format!("#   kilter check {name}.toml          is it right? runs nothing"),
        format!("#   kilter run {name}.toml            does what has to be done"),
        format!("#   kilter plan {name}.toml --set epochs=50    what would run again, and why"),
        format!("#   kilter show {name}.toml evaluate  the results"),
    ];
    let _ = writeln!(out, "{}\n", head.join("\n"));
    let _ = writeln!(
        out,
        "[pipeline]\nname = \"{name}\"\nabout = {}\nedition = \"2026\"\nseed = 1                # every random choice comes from here\n",
        quoted(&format!("Predicts {} from {place}", guess.target))
    );
    out.push_str("[params]                # `--set NAME=VALUE` changes them for a run\nepochs = 30\nlr = 0.003\n\n");
    let _ = writeln!(out, "[stage.raw]\nkind = \"fetch\"\npath = {}\n", quoted(place));
    read(&mut out, data);
    let table = clean(&mut out, guess);
    split(&mut out, guess, table);
    encode(&mut out, guess);
    out.push_str(MODEL);
    train(&mut out, guess);
    evaluate(&mut out, guess);
    let _ = writeln!(out, "{}", RELEASE.replace("TITLE", name));
    out
}

const MODEL: &str = "\
# Two hidden layers. For your own network: kind = \"model\", layers = [{ linear = 64 }, \"relu\", { linear = \"classes\" }]
[stage.model]
use = \"std/tabular/mlp\"
data = \"encode.train\"
with = { hidden = 64 }

";

const RELEASE: &str = "\
# A folder with the model, its card, its licence and where it comes from:
# [stage.release]
# kind = \"release\"
# model = \"train.model\"
# evidence = [\"evaluate.metrics\"]
# license = \"Apache-2.0\"
# title = \"TITLE\"";

fn read(out: &mut String, data: &Data) {
    let _ = writeln!(out, "# {}, {}:", counted(data.rows, "row"), counted(data.columns.len(), "column"));
    for column in &data.columns {
        let mut facts = vec![column.dtype.to_string()];
        match column.distinct() {
            Some(distinct) => facts.push(format!("{} different", count(distinct as u64))),
            None => facts.push("many different".to_owned()),
        }
        if column.missing > 0 {
            facts.push(format!("{} missing", count(column.missing as u64)));
        }
        let _ = writeln!(out, "#   {}: {}", column.name.replace('\n', " "), facts.join(", "));
    }
    out.push_str("[stage.read]\nkind = \"read\"\nfrom = \"raw\"\n");
    if !data.named {
        let _ = writeln!(out, "format = \"{}\"", data.format.name());
    }
    out.push_str(&data.dialect);
    if !data.null_values.is_empty() {
        let _ = writeln!(out, "null_values = {}   # what stands for a missing value", names(&data.null_values));
    }
    out.push('\n');
}

/// The `clean` stage, where one is needed; gives the name of the table that goes on.
fn clean(out: &mut String, guess: &Guess) -> &'static str {
    if !guess.target_missing {
        return "read";
    }
    let filter = format!("\"{}\" IS NOT NULL", guess.target.replace('"', "\"\""));
    let _ = writeln!(
        out,
        "# Rows without a `{}` teach nothing.\n[stage.clean]\nkind = \"table\"\nfrom = \"read\"\nsteps = [\n  {{ filter = {} }},\n]\n",
        guess.target,
        literal(&filter)
    );
    "clean"
}

fn split(out: &mut String, guess: &Guess, table: &str) {
    out.push_str(
        "# Choices are made on `val`, and `test` is looked at once, by `evaluate`.\n[stage.split]\nkind = \"split\"\n",
    );
    let _ = writeln!(out, "from = \"{table}\"\nparts = {{ train = 0.7, val = 0.15, test = 0.15 }}");
    if guess.task != Task::Number {
        let _ = writeln!(out, "stratify = {}   # the same share of every class in every part", quoted(&guess.target));
    }
    out.push('\n');
}

fn encode(out: &mut String, guess: &Guess) {
    out.push_str("# Means, deviations and categories are learnt from the training part alone.\n[stage.encode]\nkind = \"encode\"\n");
    out.push_str("fit = \"split.train\"\napply = [\"split.val\", \"split.test\"]\n");
    if !guess.numeric.is_empty() {
        let impute = if guess.impute { ", impute = \"mean\"" } else { "" };
        let _ = writeln!(out, "features.numbers = {{ numeric = {}{impute} }}", names(&guess.numeric));
    }
    if !guess.category.is_empty() {
        let _ = writeln!(out, "features.categories = {{ category = {}, unknown = \"other\" }}", names(&guess.category));
    }
    for (index, (name, analyzer)) in guess.words.iter().enumerate() {
        let number = if index == 0 { String::new() } else { format!("_{}", index + 1) };
        let _ = writeln!(out, "features.words{number} = {{ text = {}{analyzer} }}", quoted(name));
    }
    for (name, why) in &guess.left_out {
        let _ = writeln!(out, "# left out: `{}` {why}", name.replace('\n', " "));
    }
    let task = match &guess.task {
        Task::Category => "\"category\"".to_owned(),
        Task::Binary(None) => "\"binary\"".to_owned(),
        Task::Binary(Some(positive)) => format!("{{ binary = {{ positive = {} }} }}", quoted(positive)),
        Task::Number => "\"number\"".to_owned(),
    };
    let _ = writeln!(out, "target.{} = {task}\n", key(&guess.target));
}

fn train(out: &mut String, guess: &Guess) {
    let loss = match guess.task {
        Task::Category => "cross_entropy",
        Task::Binary(_) => "binary_cross_entropy",
        Task::Number => "mse",
    };
    let _ = writeln!(
        out,
        "[stage.train]\nkind = \"train\"\nmodel = \"model.model\"\ndata = \"encode.train\"\nvalidate = \"encode.val\"\n\
         loss = \"{loss}\"\noptimizer.adam = {{ lr = \"${{lr}}\" }}\nearly_stop = {{ metric = \"val_loss\", patience = 10 }}\n\
         epochs = \"${{epochs}}\"\nbatch_size = 32\n"
    );
}

fn evaluate(out: &mut String, guess: &Guess) {
    let (metrics, gate) = match guess.task {
        Task::Category => ("[\"accuracy\", \"f1_macro\", \"log_loss\"]", "require.accuracy = { min = 0.9 }"),
        Task::Binary(_) => ("[\"accuracy\", \"roc_auc\", \"log_loss\"]", "require.roc_auc = { min = 0.8 }"),
        Task::Number => ("[\"mae\", \"rmse\", \"r2\"]", "require.r2 = { min = 0.5 }"),
    };
    let _ = writeln!(
        out,
        "[stage.evaluate]\nkind = \"evaluate\"\nmodel = \"train.model\"\ndata = \"encode.test\"\nmetrics = {metrics}\n\
         # {gate}   # a gate: the run fails where it does not hold\n"
    );
}

/// A TOML list of strings.
fn names(names: &[String]) -> String {
    format!("[{}]", names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", "))
}

/// A TOML key, quoted where it must be.
pub(super) fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if bare { name.to_owned() } else { quoted(name) }
}

/// A TOML string; a dollar sign before a brace is doubled, as it would begin a param.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.replace("${", "$${").chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A TOML literal string where that reads better.
fn literal(text: &str) -> String {
    if text.contains(|c: char| c == '\'' || c.is_control()) || text.contains("${") {
        quoted(text)
    } else {
        format!("'{text}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strange_names_survive() {
        let name = "a \"b\" \\ ${c}\n";
        let document = format!("{} = {}", key(name), quoted(name));
        let table: toml::Table = document.parse().expect("toml");
        assert_eq!(table.get("a \"b\" \\ $${c}\n").and_then(|value| value.as_str()), Some("a \"b\" \\ $${c}\n"));
        assert_eq!(key("body_mass-g"), "body_mass-g");
    }
}
