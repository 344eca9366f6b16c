//! Which values of a column are frequent enough to be categories of their own.

use super::Unseen;
use crate::diag::codes;
use crate::path;
use crate::stage::CheckCx;
use serde::Serialize;
use std::collections::BTreeMap;

/// Bounds on the values that are categories of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Floor {
    /// Rarer values count as unknown.
    pub min_count: Option<u64>,
    /// The same as a share of the training rows.
    pub min_frequency: Option<f64>,
    /// At most so many categories for a column, the one for unknown values among them.
    pub max_categories: Option<u64>,
}

impl Floor {
    pub(super) fn check(&self, name: &str, unknown: Unseen, cx: &mut CheckCx<'_>) {
        let given = [
            ("min_count", self.min_count.is_some_and(|count| count > 1)),
            ("min_frequency", self.min_frequency.is_some()),
            ("max_categories", self.max_categories.is_some()),
        ];
        if let Some((key, _)) = given.iter().find(|(_, given)| *given && unknown == Unseen::Error) {
            cx.error(path!["features", name, *key], codes::CONFLICT, format!("`{key}` needs `unknown = \"other\"`"))
                .label("rarer values have no place to go")
                .hint("add unknown = \"other\"");
        }
        if let Some(share) = self.min_frequency.filter(|share| !(*share > 0.0 && *share < 1.0)) {
            let message = format!("min_frequency is a share of the rows between 0 and 1, found {share}");
            cx.error(path!["features", name, "min_frequency"], codes::OUT_OF_RANGE, message)
                .hint("for a number of rows there is `min_count`");
        }
        if let Some(most) = self.max_categories.filter(|most| *most < 2) {
            let message = format!("max_categories is at least 2, found {most}");
            cx.error(path!["features", name, "max_categories"], codes::OUT_OF_RANGE, message)
                .label("one of them is for unknown values");
        }
    }

    /// The frequent ones of sorted values; of equally frequent values the later stay, as scikit-learn has it.
    pub(super) fn keep(&self, values: Vec<String>, counts: &BTreeMap<String, u64>, rows: usize) -> Vec<String> {
        let count = |value: &String| counts.get(value).copied().unwrap_or(0);
        let share = self.min_frequency.unwrap_or(0.0) * rows as f64;
        let frequent = |value: &String| count(value) >= self.min_count.unwrap_or(1) && count(value) as f64 >= share;
        let mut values: Vec<String> = values.into_iter().filter(frequent).collect();
        let most = self.max_categories.map_or(usize::MAX, |most| usize::try_from(most - 1).unwrap_or(usize::MAX));
        if values.len() > most {
            let mut order: Vec<usize> = (0..values.len()).collect();
            order.sort_by_key(|index| count(&values[*index]));
            let mut kept = order.split_off(order.len() - most);
            kept.sort_unstable();
            values = kept.into_iter().map(|index| std::mem::take(&mut values[index])).collect();
        }
        values
    }
}
