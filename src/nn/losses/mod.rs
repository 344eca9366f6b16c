//! Losses: what training makes small. One file each: fields, formula, and the targets it is for.

use super::choice::choice;
use crate::types::Task;

mod binary_cross_entropy;
mod cross_entropy;
mod huber;
mod l1;
mod mse;

pub use binary_cross_entropy::BinaryCrossEntropy;
pub use cross_entropy::{ClassWeight, CrossEntropy};
pub use huber::Huber;
pub use l1::L1;
pub use mse::Mse;

choice! {
    /// A loss, as the manifest writes it: a name, or a table of one entry.
    "a loss" "loss" Loss {
        CrossEntropy(CrossEntropy),
        BinaryCrossEntropy(BinaryCrossEntropy),
        Mse(Mse),
        L1(L1),
        Huber(Huber),
    }
}

impl Loss {
    /// The task that it is for: `category`, `binary` or `number`.
    #[must_use]
    pub fn task(&self) -> &'static str {
        match self {
            Self::CrossEntropy(_) => "category",
            Self::BinaryCrossEntropy(_) => "binary",
            Self::Mse(_) | Self::L1(_) | Self::Huber(_) => "number",
        }
    }

    /// Whether it fits a target.
    #[must_use]
    pub fn fits(&self, task: &Task) -> bool {
        self.task() == task.name() || (matches!(self, Self::CrossEntropy(_)) && task.is_tokens())
    }

    /// The names of the losses that fit a target.
    #[must_use]
    pub fn fitting(task: &Task) -> Vec<&'static str> {
        match task {
            Task::Category { .. } => vec![CrossEntropy::ENTRY.name],
            Task::Binary { .. } => vec![BinaryCrossEntropy::ENTRY.name],
            Task::NextToken { .. } | Task::MaskedToken { .. } => vec![CrossEntropy::ENTRY.name],
            Task::Number { .. } => vec![Mse::ENTRY.name, L1::ENTRY.name, Huber::ENTRY.name],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_loss_is_among_those_that_fit_its_task() {
        let tasks = [
            Task::Category { classes: None },
            Task::Binary { positive: "yes".into() },
            Task::Number { mean: None, std: None },
        ];
        for name in Loss::NAMES {
            let loss: Loss = serde_json::from_value(serde_json::json!(name)).expect("decodes");
            let fitting: Vec<_> = tasks.iter().filter(|task| loss.fits(task)).collect();
            assert_eq!(fitting.len(), 1, "{name}");
            assert!(Loss::fitting(fitting[0]).contains(name), "{name}");
            assert!(loss.problems().is_empty(), "{name}");
        }
    }
}
