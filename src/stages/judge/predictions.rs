//! Tables of predictions.
//!
//! | target | `prediction` | probabilities |
//! |---|---|---|
//! | category | `str`, the class | `probability` of it, and `p_CLASS` for every class |
//! | binary | `bool`, whether yes is more probable | `probability` of yes |
//! | number | `f64` in the target's unit | none |
//! | labels | `bool` for each, called `prediction_LABEL` | `p_LABEL` for each |
//!
//! Where they are wanted, the logarithms of the odds, p / (1 - p), stand behind them: `logit` beside `probability`, `logit_CLASS` and
//! `logit_LABEL` beside the others.
//!
//! Of tokens there is a row for each sequence, with `tokens`, `bits_per_token` and `correct`, the share of right ones.

use super::forward::Answers;
use crate::frame;
use crate::metrics::{Judged, Outcome};
use crate::stage::StageError;
use crate::types::{Column as SchemaColumn, DType, Task};
use polars::prelude::*;

/// The columns that [`columns`] will make; without the classes' where these are not known.
pub(super) fn schema(task: &Task) -> Vec<SchemaColumn> {
    match task {
        Task::Category { classes } => {
            let mut columns =
                vec![SchemaColumn::new("prediction", DType::Str), SchemaColumn::new("probability", DType::F64)];
            columns.extend(classes.iter().flatten().map(|class| SchemaColumn::new(format!("p_{class}"), DType::F64)));
            columns
        }
        Task::Binary { .. } => {
            vec![SchemaColumn::new("prediction", DType::Bool), SchemaColumn::new("probability", DType::F64)]
        }
        Task::Number { .. } => vec![SchemaColumn::new("prediction", DType::F64)],
        Task::MultiLabel { labels } => {
            let said = labels.iter().map(|label| SchemaColumn::new(format!("prediction_{label}"), DType::Bool));
            let probabilities = labels.iter().map(|label| SchemaColumn::new(format!("p_{label}"), DType::F64));
            said.chain(probabilities).collect()
        }
        Task::NextToken { .. } | Task::MaskedToken { .. } => vec![
            SchemaColumn::new("tokens", DType::I64),
            SchemaColumn::new("bits_per_token", DType::F64),
            SchemaColumn::new("correct", DType::F64),
        ],
    }
}

/// Whether [`schema`] knows all columns.
pub(super) fn schema_is_complete(task: &Task) -> bool {
    !matches!(task, Task::Category { classes: None })
}

/// What was answered, as columns.
pub(super) fn columns(answers: &Answers, task: &Task) -> Vec<Column> {
    match (answers, task) {
        (Answers::Category { probabilities, classes: count, .. }, Task::Category { classes }) => {
            let names = classes.as_deref().unwrap_or_default();
            let rows = probabilities.chunks_exact((*count).max(1));
            let best: Vec<usize> = rows.map(best_of).collect();
            let texts: Vec<&str> = best.iter().map(|class| names[*class].as_str()).collect();
            let top: Vec<f64> =
                best.iter().enumerate().map(|(row, class)| probabilities[row * count + class]).collect();
            let mut columns = vec![Column::new("prediction".into(), texts), Column::new("probability".into(), top)];
            for (class, name) in names.iter().enumerate() {
                let one: Vec<f64> = probabilities.iter().skip(class).step_by((*count).max(1)).copied().collect();
                columns.push(Column::new(format!("p_{name}").into(), one));
            }
            columns
        }
        (Answers::Tokens { log_loss, tokens, correct }, _) => {
            let over = |values: &[f64]| -> Vec<Option<f64>> {
                values.iter().zip(tokens).map(|(value, count)| (*count > 0.0).then(|| value / count)).collect()
            };
            let bits: Vec<f64> = log_loss.iter().map(|nats| nats / std::f64::consts::LN_2).collect();
            vec![
                Column::new("tokens".into(), tokens.iter().map(|count| *count as i64).collect::<Vec<_>>()),
                Column::new("bits_per_token".into(), over(&bits)),
                Column::new("correct".into(), over(correct)),
            ]
        }
        (Answers::Binary { probabilities, .. }, _) => {
            let yes: Vec<bool> = probabilities.iter().map(|p| *p > 0.5).collect();
            vec![Column::new("prediction".into(), yes), Column::new("probability".into(), probabilities.as_slice())]
        }
        (Answers::MultiLabel { probabilities, labels: count, .. }, Task::MultiLabel { labels }) => {
            let of = |label: usize| probabilities.iter().skip(label).step_by(*count);
            let said = labels.iter().enumerate().map(|(at, label)| {
                Column::new(format!("prediction_{label}").into(), of(at).map(|p| *p > 0.5).collect::<Vec<bool>>())
            });
            let each = labels
                .iter()
                .enumerate()
                .map(|(at, label)| Column::new(format!("p_{label}").into(), of(at).copied().collect::<Vec<f64>>()));
            said.chain(each).collect()
        }
        (Answers::MultiLabel { probabilities: values, .. }, _)
        | (Answers::Number(values), _)
        | (Answers::Category { probabilities: values, .. }, _) => {
            vec![Column::new("prediction".into(), values.as_slice())]
        }
    }
}

/// The columns that [`logits`] will make; without the classes' where these are not known.
pub(super) fn logits_schema(task: &Task) -> Vec<SchemaColumn> {
    let of = |names: &[String]| -> Vec<SchemaColumn> {
        names.iter().map(|name| SchemaColumn::new(format!("logit_{name}"), DType::F64)).collect()
    };
    let logit = || vec![SchemaColumn::new("logit", DType::F64)];
    match task {
        Task::Category { classes } => [logit(), of(classes.as_deref().unwrap_or_default())].concat(),
        Task::Binary { .. } => logit(),
        Task::MultiLabel { labels } => of(labels),
        Task::Number { .. } | Task::NextToken { .. } | Task::MaskedToken { .. } => Vec::new(),
    }
}

/// The logarithms of the odds of what was answered, as columns.
pub(super) fn logits(answers: &Answers, task: &Task) -> Vec<Column> {
    let each = |names: &[String], scores: &[f64]| -> Vec<Column> {
        let of = |at: usize| scores.iter().skip(at).step_by(names.len().max(1)).copied().collect::<Vec<f64>>();
        names.iter().enumerate().map(|(at, name)| Column::new(format!("logit_{name}").into(), of(at))).collect()
    };
    match (answers, task) {
        (Answers::Category { probabilities, scores, classes: count }, Task::Category { classes }) => {
            let rows = probabilities.chunks_exact((*count).max(1)).zip(scores.chunks_exact((*count).max(1)));
            let top: Vec<f64> = rows.map(|(probabilities, scores)| scores[best_of(probabilities)]).collect();
            let mut columns = vec![Column::new("logit".into(), top)];
            columns.extend(each(classes.as_deref().unwrap_or_default(), scores));
            columns
        }
        (Answers::Binary { scores, .. }, _) => vec![Column::new("logit".into(), scores.as_slice())],
        (Answers::MultiLabel { scores, .. }, Task::MultiLabel { labels }) => each(labels, scores),
        _ => Vec::new(),
    }
}

/// The first of the greatest.
fn best_of(row: &[f64]) -> usize {
    let mut best = 0;
    for (class, p) in row.iter().enumerate() {
        if *p > row[best] {
            best = class;
        }
    }
    best
}

/// The columns `row` (from 0) and, but for tokens, `target` of an evaluation; of labels `target_LABEL` for each.
pub(super) fn row_and_target(judged: &Judged, task: &Task) -> Vec<Column> {
    let rows: Vec<i64> = (0..judged.rows() as i64).collect();
    let rows = Column::new("row".into(), rows);
    if let (Outcome::MultiLabel { truth, labels: count, .. }, Task::MultiLabel { labels }) = (judged.outcome(), task) {
        let one = |(at, label): (usize, &String)| {
            let has: Vec<bool> = truth.iter().skip(at).step_by(*count).copied().collect();
            Column::new(format!("target_{label}").into(), has)
        };
        return std::iter::once(rows).chain(labels.iter().enumerate().map(one)).collect();
    }
    let target = match (judged.outcome(), task) {
        (Outcome::Category { truth, .. }, Task::Category { classes: Some(classes) }) => {
            let texts: Vec<&str> = truth.iter().map(|class| classes[*class].as_str()).collect();
            Column::new("target".into(), texts)
        }
        (Outcome::Category { truth, .. }, _) => {
            Column::new("target".into(), truth.iter().map(|class| *class as i64).collect::<Vec<_>>())
        }
        (Outcome::Binary { truth, .. } | Outcome::MultiLabel { truth, .. }, _) => {
            Column::new("target".into(), truth.as_slice())
        }
        (Outcome::Number { truth, .. }, _) => Column::new("target".into(), truth.as_slice()),
        (Outcome::Tokens { .. } | Outcome::Lists { .. }, _) => return vec![rows],
    };
    vec![rows, target]
}

/// The columns that [`row_and_target`] will make.
pub(super) fn row_and_target_schema(task: &Task) -> Vec<SchemaColumn> {
    let target = |dtype| vec![SchemaColumn::new("target", dtype)];
    let targets = match task {
        Task::Category { .. } => target(DType::Str),
        Task::Binary { .. } => target(DType::Bool),
        Task::Number { .. } => target(DType::F64),
        Task::MultiLabel { labels } => {
            labels.iter().map(|label| SchemaColumn::new(format!("target_{label}"), DType::Bool)).collect()
        }
        Task::NextToken { .. } | Task::MaskedToken { .. } => Vec::new(),
    };
    std::iter::once(SchemaColumn::new("row", DType::I64)).chain(targets).collect()
}

/// Columns of one height as a frame.
pub(super) fn frame_of(rows: usize, columns: Vec<Column>) -> Result<DataFrame, StageError> {
    DataFrame::new(rows, columns).map_err(|error| frame::failed("make the table of predictions", &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_are_those_that_were_promised() {
        let category = Task::Category { classes: Some(vec!["a".to_owned(), "b".to_owned()]) };
        let answers = Answers::Category {
            probabilities: vec![0.3, 0.7, 0.5, 0.5],
            scores: vec![-0.8, 0.8, 0.0, 0.0],
            classes: 2,
        };
        let binary = Task::Binary { positive: "1".to_owned() };
        let labels = Task::MultiLabel { labels: vec!["a".to_owned(), "b".to_owned()] };
        let number = Task::Number { mean: None, std: None };
        for (answers, task) in [
            (answers, &category),
            (Answers::Binary { probabilities: vec![0.5, 0.51], scores: vec![0.0, 0.04] }, &binary),
            (Answers::Number(vec![1.0, 2.0]), &number),
            (
                Answers::MultiLabel {
                    probabilities: vec![0.3, 0.7, 0.5, 0.6],
                    scores: vec![-0.8, 0.8, 0.0, 0.4],
                    labels: 2,
                },
                &labels,
            ),
        ] {
            let frame = frame_of(2, columns(&answers, task)).unwrap();
            assert_eq!(frame::schema_of(&frame).columns, schema(task));
            let odds = frame_of(2, logits(&answers, task)).unwrap();
            assert_eq!(frame::schema_of(&odds).columns, logits_schema(task));
            let width = if matches!(task, Task::MultiLabel { .. }) { 2 } else { 1 };
            let right = frame_of(2, row_and_target(&answers.judged(&vec![1.0; 2 * width], task), task)).unwrap();
            assert_eq!(frame::schema_of(&right).columns, row_and_target_schema(task));
            println!("{frame}");
        }
    }
}
