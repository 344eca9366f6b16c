//! A model's outputs for encoded rows, computed by the worker, and turned into probabilities or numbers here, in `f64`.

use crate::job::{Device, Job, JudgeTokens, Numerics, PredictJob, Setting, WorkerEvent};
use crate::metrics::{Judged, Outcome};
use crate::stage::{Input, Progress, RunCx, StageError};
use crate::stages::encode::read_tensor;
use crate::types::Task;
use std::path::Path;

/// How outputs are computed.
pub(super) struct Compute {
    pub batch_size: u64,
    pub threads: u64,
    pub numerics: Numerics,
    pub device: Device,
}

/// What a model says of some rows, in the terms of its target.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answers {
    /// Probabilities, row after row, of so many classes. The scores of these, of yes and of labels are the logarithms of the odds,
    /// p / (1 - p): far from 0 they differ where probabilities round to 1.
    Category { probabilities: Vec<f64>, scores: Vec<f64>, classes: usize },
    /// The probability of yes; its score is the network's output.
    Binary { probabilities: Vec<f64>, scores: Vec<f64> },
    /// The number in the target's unit.
    Number(Vec<f64>),
    /// The probability of each of so many labels, row after row.
    MultiLabel { probabilities: Vec<f64>, scores: Vec<f64>, labels: usize },
    /// Of the tokens of each row: the sum of minus the logarithm of their probabilities, how many there are, and how many were
    /// thought most probable.
    Tokens { log_loss: Vec<f64>, tokens: Vec<f64>, correct: Vec<f64> },
}

/// What a model is asked.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    /// The target's name.
    pub target: &'a str,
    /// What it is.
    pub task: &'a Task,
    /// What is hidden follows from it.
    pub seed: u64,
}

/// Runs the model over `data` (a `data.safetensors` of `rows` rows).
pub(super) fn answers(
    compute: &Compute,
    model: &Input,
    data: &Path,
    rows: usize,
    asked: Asked<'_>,
    cx: &RunCx<'_>,
) -> Result<Answers, StageError> {
    let task = asked.task;
    let outputs = if rows == 0 { Vec::new() } else { outputs(compute, model, data, rows, asked, cx)? };
    let width = outputs.len().checked_div(rows).unwrap_or_else(|| outputs_of(task));
    if width != outputs_of(task) || outputs.len() != rows * width {
        return Err(StageError::bug(format!("{} outputs for {rows} rows of a {} target", outputs.len(), task.name())));
    }
    if let Some(at) = outputs.iter().position(|value| !value.is_finite()) {
        return Err(StageError::data(format!("the model gives {} for row {}", outputs[at], at / width + 1))
            .note("rows are counted from 1")
            .hint("its weights have diverged: look at the training's loss, and train with a smaller learning rate"));
    }
    Ok(interpret(outputs, task))
}

fn outputs(
    compute: &Compute,
    model: &Input,
    data: &Path,
    rows: usize,
    asked: Asked<'_>,
    cx: &RunCx<'_>,
) -> Result<Vec<f64>, StageError> {
    let file = |name: &str| {
        let file = model.file(name).ok_or_else(|| StageError::bug(format!("a trained model without `{name}`")))?;
        Ok::<_, StageError>(file.path.clone())
    };
    let out = cx.scratch.join("output.safetensors");
    let job = PredictJob {
        setting: Setting {
            threads: usize::try_from(compute.threads).unwrap_or(1),
            numerics: compute.numerics,
            device: compute.device,
        },
        architecture: file("architecture.json")?,
        weights: file("model.safetensors")?,
        data: data.to_path_buf(),
        batch_size: usize::try_from(compute.batch_size).unwrap_or(usize::MAX),
        tokens: asked.task.is_tokens().then(|| JudgeTokens {
            target: asked.target.to_owned(),
            task: asked.task.clone(),
            seed: asked.seed,
        }),
        out: out.clone(),
    };
    cx.services.run_job(&Job::Predict(job), &mut |event| {
        if let WorkerEvent::Rows { done, total } = event {
            let detail = String::new();
            cx.services.progress(Progress { done: *done, total: Some(*total), unit: "row", detail });
        }
    })?;
    let (shape, values) = read_tensor(&out, "output")?;
    if shape.first() != Some(&rows) {
        return Err(StageError::bug(format!("outputs of shape {shape:?} for {rows} rows")));
    }
    Ok(values)
}

fn outputs_of(task: &Task) -> usize {
    match task {
        Task::Category { classes } => classes.as_ref().map_or(0, Vec::len),
        Task::Binary { .. } | Task::Number { .. } => 1,
        Task::MultiLabel { labels } => labels.len(),
        Task::NextToken { .. } | Task::MaskedToken { .. } => 3,
    }
}

fn interpret(outputs: Vec<f64>, task: &Task) -> Answers {
    match task {
        Task::Category { .. } => {
            let classes = outputs_of(task);
            let rows = || outputs.chunks(classes.max(1));
            let (probabilities, scores) = (rows().flat_map(softmax).collect(), rows().flat_map(log_odds).collect());
            Answers::Category { probabilities, scores, classes }
        }
        Task::Binary { .. } => {
            Answers::Binary { probabilities: outputs.iter().copied().map(sigmoid).collect(), scores: outputs }
        }
        Task::MultiLabel { labels } => {
            let probabilities = outputs.iter().copied().map(sigmoid).collect();
            Answers::MultiLabel { probabilities, scores: outputs, labels: labels.len() }
        }
        Task::Number { mean, std } => {
            let (mean, std) = (mean.unwrap_or(0.0), std.unwrap_or(1.0));
            Answers::Number(outputs.into_iter().map(|value| value * std + mean).collect())
        }
        Task::NextToken { .. } | Task::MaskedToken { .. } => {
            let column = |place: usize| outputs.iter().skip(place).step_by(3).copied().collect();
            Answers::Tokens { log_loss: column(0), tokens: column(1), correct: column(2) }
        }
    }
}

/// `exp(x_i) / sum(exp(x_j))`, shifted by the greatest so that nothing overflows.
fn softmax(logits: &[f64]) -> Vec<f64> {
    let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = logits.iter().map(|logit| (logit - most).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// `x_i - log(sum(exp(x_j)))` over the others: the logarithm of the odds of each class against the rest. It keeps growing where the
/// probability has become 1.
fn log_odds(logits: &[f64]) -> Vec<f64> {
    let top = (0..logits.len()).fold(0, |top, class| if logits[class] > logits[top] { class } else { top });
    let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let others = || logits.iter().enumerate().filter(|(class, _)| *class != top).map(|(_, logit)| *logit);
    let second = others().fold(f64::NEG_INFINITY, f64::max);
    let rest = second + others().map(|logit| (logit - second).exp()).sum::<f64>().ln();
    // Of all but the greatest the others hold the greatest, so that nothing is lost in the difference.
    let all: f64 = logits.iter().map(|logit| (logit - most).exp()).sum();
    let one = |(class, logit): (usize, &f64)| match class == top {
        true => most - rest,
        false => logit - most - (all - (logit - most).exp()).ln(),
    };
    logits.iter().enumerate().map(one).collect()
}

/// `1 / (1 + exp(-x))`, from the side that does not overflow.
fn sigmoid(logit: f64) -> f64 {
    if logit >= 0.0 {
        1.0 / (1.0 + (-logit).exp())
    } else {
        let power = logit.exp();
        power / (1.0 + power)
    }
}

impl Answers {
    /// Beside what is right, as the dataset stores it: class indices, 0 and 1, or standardised numbers; of next tokens the
    /// characters that they stand for, and those of them that are unknown, row by row.
    pub(super) fn judged(self, target: &[f64], task: &Task) -> Judged {
        let yes = || target.iter().map(|yes| *yes > 0.5).collect();
        match self {
            Self::Category { probabilities, scores, classes } => {
                let truth = target.iter().map(|class| *class as usize).collect();
                Judged::ranked_by(Outcome::Category { truth, probabilities, classes }, scores)
            }
            Self::Binary { probabilities, scores } => {
                Judged::ranked_by(Outcome::Binary { truth: yes(), probabilities }, scores)
            }
            Self::MultiLabel { probabilities, scores, labels } => {
                Judged::ranked_by(Outcome::MultiLabel { truth: yes(), probabilities, labels }, scores)
            }
            Self::Number(predicted) => {
                let (mean, std) = match task {
                    Task::Number { mean, std } => (mean.unwrap_or(0.0), std.unwrap_or(1.0)),
                    _ => (0.0, 1.0),
                };
                let truth = target.iter().map(|value| value * std + mean).collect();
                Judged::new(Outcome::Number { truth, predicted })
            }
            Self::Tokens { log_loss, tokens, correct } => {
                let column = |place: usize| target.iter().skip(place).step_by(2).copied().collect();
                let hidden = matches!(task, Task::MaskedToken { .. });
                let (characters, unknown) = (column(0), column(1));
                Judged::new(Outcome::Tokens { hidden, log_loss, tokens, correct, characters, unknown })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_of_extreme_logits_are_finite() {
        assert_eq!(softmax(&[1000.0, 1000.0]), [0.5, 0.5]);
        assert_eq!(softmax(&[-1e30, 0.0]), [0.0, 1.0]);
        assert_eq!((sigmoid(-800.0), sigmoid(0.0), sigmoid(800.0)), (0.0, 0.5, 1.0));
    }

    #[test]
    fn rows_are_ranked_also_where_their_probabilities_are_all_1() {
        let task = Task::Binary { positive: "1".to_owned() };
        let answers = interpret(vec![90.0, 80.0, 70.0, 60.0], &task);
        assert!(matches!(&answers, Answers::Binary { probabilities, .. } if *probabilities == [1.0; 4]));
        let area = |judged: &Judged| crate::metrics::metric("roc_auc").unwrap().value(judged);
        assert_eq!(area(&answers.judged(&[1.0, 1.0, 0.0, 0.0], &task)), Some(1.0));
        let labels = Task::MultiLabel { labels: vec!["a".to_owned(), "b".to_owned()] };
        let answers = interpret(vec![90.0, 60.0, 80.0, 70.0], &labels);
        assert_eq!(area(&answers.judged(&[1.0, 0.0, 0.0, 1.0], &labels)), Some(1.0));
        let classes = Task::Category { classes: Some(["a", "b", "c"].map(str::to_owned).to_vec()) };
        let answers = interpret(vec![0.0, 0.0, 90.0, 0.0, 0.0, 80.0, 9.0, 0.0, 70.0, 0.0, 9.0, 70.0], &classes);
        assert_eq!(area(&answers.judged(&[2.0, 2.0, 0.0, 1.0], &classes)), Some(1.0));
    }

    #[test]
    fn log_odds_are_those_of_the_probabilities_and_go_on_where_these_end() {
        for logits in [[0.3, -1.2, 2.0], [1.0, 1.0, -4.0]] {
            for (p, score) in softmax(&logits).into_iter().zip(log_odds(&logits)) {
                assert!((score - (p / (1.0 - p)).ln()).abs() < 1e-12, "{logits:?}: {score}");
            }
        }
        assert_eq!(log_odds(&[900.0, 0.0]), [900.0, -900.0]);
        assert_eq!(log_odds(&[5.0]), [f64::INFINITY]);
    }

    #[test]
    fn numbers_return_to_their_unit() {
        let task = Task::Number { mean: Some(10.0), std: Some(2.0) };
        assert_eq!(interpret(vec![1.5], &task), Answers::Number(vec![13.0]));
        let judged = Answers::Number(vec![13.0]).judged(&[-1.0], &task);
        assert_eq!(judged.outcome(), &Outcome::Number { truth: vec![8.0], predicted: vec![13.0] });
    }
}
