//! Losses: what training makes small. One file each: fields, formula, and the targets it is for.

use super::choice::choice;
use crate::types::Task;

mod binary_cross_entropy;
mod class_weight;
mod cross_entropy;
mod focal;
mod huber;
mod l1;
mod mse;
mod positive_weight;
mod ranking;

pub use binary_cross_entropy::BinaryCrossEntropy;
pub use class_weight::ClassWeight;
pub use cross_entropy::CrossEntropy;
pub use focal::Focal;
pub use huber::Huber;
pub use l1::L1;
pub use mse::Mse;
pub use positive_weight::PositiveWeight;
pub use ranking::{Bpr, Ranking, SampledSoftmax};

choice! {
    /// A loss, as the manifest writes it: a name, or a table of one entry.
    "a loss" "loss" Loss {
        CrossEntropy(CrossEntropy),
        BinaryCrossEntropy(BinaryCrossEntropy),
        Mse(Mse),
        L1(L1),
        Huber(Huber),
        Focal(Focal),
        Bpr(Bpr),
        SampledSoftmax(SampledSoftmax),
    }
}

impl Loss {
    /// The tasks that it is for, by their names.
    #[must_use]
    pub fn tasks(&self) -> &'static [&'static str] {
        match self {
            Self::CrossEntropy(_) => &["category", "next_token", "masked_token"],
            Self::BinaryCrossEntropy(_) => &["binary", "multi_label"],
            Self::Mse(_) | Self::L1(_) | Self::Huber(_) => &["number"],
            Self::Focal(_) => &["category", "binary", "multi_label"],
            Self::Bpr(_) | Self::SampledSoftmax(_) => &["binary"],
        }
    }

    /// Whether it fits a target.
    #[must_use]
    pub fn fits(&self, task: &Task) -> bool {
        self.tasks().contains(&task.name())
    }

    /// The names of the losses that fit a target.
    #[must_use]
    pub fn fitting(task: &Task) -> Vec<&'static str> {
        match task {
            Task::Category { .. } => vec![CrossEntropy::ENTRY.name, Focal::ENTRY.name],
            Task::Binary { .. } => {
                vec![BinaryCrossEntropy::ENTRY.name, Focal::ENTRY.name, Bpr::ENTRY.name, SampledSoftmax::ENTRY.name]
            }
            Task::MultiLabel { .. } => vec![BinaryCrossEntropy::ENTRY.name, Focal::ENTRY.name],
            Task::NextToken { .. } | Task::MaskedToken { .. } => vec![CrossEntropy::ENTRY.name],
            Task::Number { .. } => vec![Mse::ENTRY.name, L1::ENTRY.name, Huber::ENTRY.name],
        }
    }

    /// The weights of classes, where there are any.
    #[must_use]
    pub fn class_weight(&self) -> Option<&ClassWeight> {
        match self {
            Self::CrossEntropy(spec) => spec.weight.as_ref(),
            Self::Focal(spec) => spec.weight.as_ref(),
            _ => None,
        }
    }

    /// How much positive rows count, where it says so.
    #[must_use]
    pub fn positive_weight(&self) -> Option<&PositiveWeight> {
        match self {
            Self::BinaryCrossEntropy(spec) => Some(&spec.pos_weight),
            _ => None,
        }
    }

    /// What it ranks, where it does.
    #[must_use]
    pub fn ranking(&self) -> Option<Ranking<'_>> {
        match self {
            Self::Bpr(spec) => Some(Ranking { items: &spec.items, negatives: spec.negatives }),
            Self::SampledSoftmax(spec) => Some(Ranking { items: &spec.items, negatives: spec.negatives }),
            _ => None,
        }
    }

    /// Of its fields, one that is set and has no meaning for a target that the loss fits.
    #[must_use]
    pub fn idle_field(&self, task: &Task) -> Option<&'static str> {
        match (self, task) {
            (Self::Focal(Focal { alpha: Some(_), .. }), Task::Category { .. }) => Some("alpha"),
            (Self::Focal(Focal { weight: Some(_), .. }), Task::Binary { .. } | Task::MultiLabel { .. }) => {
                Some("weight")
            }
            (Self::CrossEntropy(CrossEntropy { weight: Some(_), .. }), task) if task.is_tokens() => Some("weight"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Masking, SpecialIds};

    #[test]
    fn every_loss_is_among_those_that_fit_its_task() {
        let tasks = [
            Task::Category { classes: None },
            Task::Binary { positive: "yes".into() },
            Task::Number { mean: None, std: None },
            Task::MultiLabel { labels: vec!["a".into()] },
            Task::NextToken { vocabulary: None },
            Task::MaskedToken {
                vocabulary: None,
                masking: Masking { probability: 0.15, special: SpecialIds::default() },
            },
        ];
        for name in Loss::NAMES {
            let loss: Loss = serde_json::from_value(serde_json::json!(name)).expect("decodes");
            let fitting: Vec<_> = tasks.iter().filter(|task| loss.fits(task)).collect();
            assert_eq!(fitting.len(), loss.tasks().len(), "{name}");
            assert!(tasks.iter().all(|task| loss.fits(task) == Loss::fitting(task).contains(name)), "{name}");
            assert!(loss.problems().is_empty(), "{name}");
        }
    }
}
