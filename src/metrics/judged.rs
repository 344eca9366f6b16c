//! What was predicted beside what was right.

use super::TaskKind;
use super::rank::descending;
use std::sync::OnceLock;

/// What was right and what was predicted, row by row.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// One of several classes.
    Category {
        /// The right class of every row.
        truth: Vec<usize>,
        /// The probability of every class, row after row.
        probabilities: Vec<f64>,
        /// How many classes there are.
        classes: usize,
    },
    /// Yes or no.
    Binary {
        /// Whether yes is right.
        truth: Vec<bool>,
        /// The probability of yes.
        probabilities: Vec<f64>,
    },
    /// A number.
    Number {
        /// The right number.
        truth: Vec<f64>,
        /// The predicted one.
        predicted: Vec<f64>,
    },
    /// Any of several labels.
    MultiLabel {
        /// Whether a row has each label, row after row.
        truth: Vec<bool>,
        /// The probability of each label, row after row.
        probabilities: Vec<f64>,
        /// How many labels there are.
        labels: usize,
    },
    /// Tokens of sequences, added up over each row.
    Tokens {
        /// Whether they were hidden, and not the next ones.
        hidden: bool,
        /// The sum of minus the logarithm of the probability of the right token, in nats.
        log_loss: Vec<f64>,
        /// How many tokens were to be predicted.
        tokens: Vec<f64>,
        /// How many of them were thought most probable.
        correct: Vec<f64>,
        /// How many characters of text they stand for.
        characters: Vec<f64>,
        /// How many of those the tokenizer does not know.
        unknown: Vec<f64>,
    },
    /// Rows of yes and no that are ranked against each other, list by list.
    Lists {
        /// The places, from 1, of the rows that are yes among the first of each list.
        places: Vec<Vec<usize>>,
        /// How many rows of each list are yes.
        yes: Vec<usize>,
        /// How many first ones there are.
        top: usize,
    },
}

/// An [`Outcome`], with what several metrics need of it computed once.
#[derive(Debug)]
pub struct Judged {
    outcome: Outcome,
    /// What rows are ranked by, laid out as the probabilities, in whose place they stand.
    scores: Option<Vec<f64>>,
    predicted: Vec<usize>,
    /// Per class: the rows by falling score.
    orders: Vec<OnceLock<Vec<u32>>>,
}

impl Judged {
    /// Takes an outcome; its lists must be equally long, class indices smaller than the number of classes.
    #[must_use]
    pub fn new(outcome: Outcome) -> Self {
        let (predicted, columns) = match &outcome {
            Outcome::Category { probabilities, classes, .. } => {
                (probabilities.chunks_exact((*classes).max(1)).map(argmax).collect(), *classes)
            }
            Outcome::Binary { probabilities, .. } => (probabilities.iter().map(|p| usize::from(*p > 0.5)).collect(), 1),
            _ => (Vec::new(), 0),
        };
        Self { outcome, scores: None, predicted, orders: (0..columns).map(|_| OnceLock::new()).collect() }
    }

    /// The same, whose rows are ranked by scores that grow with the probabilities: far from 0 scores differ that give one
    /// probability, 1. They are laid out as the probabilities.
    #[must_use]
    pub fn ranked_by(outcome: Outcome, scores: Vec<f64>) -> Self {
        Self { scores: Some(scores), ..Self::new(outcome) }
    }

    /// What was right and what was predicted.
    #[must_use]
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// The task.
    #[must_use]
    pub fn task(&self) -> TaskKind {
        match self.outcome {
            Outcome::Category { .. } => TaskKind::Category,
            Outcome::Binary { .. } | Outcome::Lists { .. } => TaskKind::Binary,
            Outcome::Number { .. } => TaskKind::Number,
            Outcome::MultiLabel { .. } => TaskKind::MultiLabel,
            Outcome::Tokens { hidden: true, .. } => TaskKind::MaskedToken,
            Outcome::Tokens { hidden: false, .. } => TaskKind::NextToken,
        }
    }

    /// How many rows there are; of lists how many lists.
    #[must_use]
    pub fn rows(&self) -> usize {
        match &self.outcome {
            Outcome::Category { truth, .. } => truth.len(),
            Outcome::Binary { truth, .. } => truth.len(),
            Outcome::Number { truth, .. } => truth.len(),
            Outcome::MultiLabel { truth, labels, .. } => truth.len().checked_div(*labels).unwrap_or(0),
            Outcome::Tokens { tokens, .. } => tokens.len(),
            Outcome::Lists { yes, .. } => yes.len(),
        }
    }

    /// How many classes there are; 2 for a binary task (no, yes), 0 for numbers, labels, tokens and lists.
    #[must_use]
    pub fn classes(&self) -> usize {
        match &self.outcome {
            Outcome::Category { classes, .. } => *classes,
            Outcome::Binary { .. } => 2,
            _ => 0,
        }
    }

    /// One label of several, as a task of yes and no; `None` where there is none of this number.
    #[must_use]
    pub fn label(&self, index: usize) -> Option<Self> {
        let Outcome::MultiLabel { truth, probabilities, labels } = &self.outcome else { return None };
        let of = |values: &[f64]| values.iter().skip(index).step_by(*labels).copied().collect();
        (index < *labels).then(|| {
            let truth = truth.iter().skip(index).step_by(*labels).copied().collect();
            let one = Self::new(Outcome::Binary { truth, probabilities: of(probabilities) });
            Self { scores: self.scores.as_deref().map(of), ..one }
        })
    }

    /// The right class of a row. 0 for numbers, labels, tokens and lists.
    #[must_use]
    pub fn truth(&self, row: usize) -> usize {
        match &self.outcome {
            Outcome::Category { truth, .. } => truth[row],
            Outcome::Binary { truth, .. } => usize::from(truth[row]),
            _ => 0,
        }
    }

    /// The predicted classes: the most probable one, the first of equals; yes where its probability is above 0.5.
    #[must_use]
    pub fn predicted(&self) -> &[usize] {
        &self.predicted
    }

    /// The probability that a row has a class; for binary tasks, class 1 is yes.
    #[must_use]
    pub fn probability(&self, row: usize, class: usize) -> f64 {
        match &self.outcome {
            Outcome::Category { probabilities, classes, .. } => probabilities[row * classes + class],
            Outcome::Binary { probabilities, .. } if class == 1 => probabilities[row],
            Outcome::Binary { probabilities, .. } => 1.0 - probabilities[row],
            _ => f64::NAN,
        }
    }

    /// What a row is ranked by among those that may have a class: a score where there are scores, else its probability.
    pub(super) fn score(&self, row: usize, class: usize) -> f64 {
        match (&self.scores, &self.outcome) {
            (Some(scores), Outcome::Category { classes, .. }) => scores[row * classes + class],
            (Some(scores), Outcome::Binary { .. }) if class == 1 => scores[row],
            (Some(scores), Outcome::Binary { .. }) => -scores[row],
            _ => self.probability(row, class),
        }
    }

    /// The rows by falling score of a class (of yes, for binary tasks); equal ones in row order.
    pub(super) fn order(&self, class: usize) -> &[u32] {
        let (place, class) = if matches!(self.outcome, Outcome::Binary { .. }) { (0, 1) } else { (class, class) };
        self.orders[place].get_or_init(|| {
            let scores: Vec<f64> = (0..self.rows()).map(|row| self.score(row, class)).collect();
            descending(&scores)
        })
    }
}

/// The index of the greatest, the first of equals.
fn argmax(values: &[f64]) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = index;
        }
    }
    best
}

/// The weighted mean of a value per row; `None` without weight.
pub(super) fn weighted_mean(weights: &[f64], value: impl Fn(usize) -> f64) -> Option<f64> {
    let mut sum = 0.0;
    let mut total = 0.0;
    for (row, weight) in weights.iter().enumerate().filter(|(_, weight)| **weight != 0.0) {
        sum += weight * value(row);
        total += weight;
    }
    (total > 0.0).then(|| sum / total)
}
