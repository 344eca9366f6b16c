//! A learning rate that rises to a peak and falls to almost nothing.

use super::{At, half_cosine, horizon_problem};
use crate::nn::choice::{Entry, Problem};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One rise to the optimizer's rate and one fall to almost nothing, both along half a cosine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct OneCycle {
    /// The part of the steps that the rise takes.
    pub pct_start: f64,
    /// The rate begins at the optimizer's rate divided by this.
    pub div_factor: f64,
    /// The rate ends at where it began, divided by this.
    pub final_div_factor: f64,
    /// The number of epochs that it is made for; that of the training where it is left away. With it a training of fewer epochs
    /// can be extended, and after it the rate stays at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub horizon: Option<u64>,
}

impl Default for OneCycle {
    fn default() -> Self {
        Self { pct_start: 0.3, div_factor: 25.0, final_div_factor: 10_000.0, horizon: None }
    }
}

impl OneCycle {
    /// What the reference says.
    pub const ENTRY: Entry = Entry {
        name: "one_cycle",
        summary: "One rise to the optimizer's rate and one fall to almost nothing: few epochs suffice with a high rate.",
        formula: "half a cosine from lr / div_factor to lr over the first pct_start of the steps, then half a cosine down to lr / div_factor / final_div_factor",
        source: "as torch.optim.lr_scheduler.OneCycleLR(cycle_momentum=False), except where less than one step follows the peak ((1 - pct_start) · steps < 1): then the last step goes only that part of the way down; Smith and Topin, Super-Convergence (2018)",
        example: "schedule.one_cycle = { pct_start = 0.2 }",
        schema: |generator| generator.subschema_for::<OneCycle>(),
    };

    pub(super) fn lr(&self, lr: f64, at: At) -> f64 {
        let at = at.over(self.horizon);
        let first = lr / self.div_factor;
        let last_step = at.steps() as f64 - 1.0;
        let peak = self.pct_start * at.steps() as f64 - 1.0;
        let step = at.step as f64;
        if step <= peak {
            half_cosine(first, lr, if peak > 0.0 { step / peak } else { 1.0 })
        } else {
            half_cosine(lr, first / self.final_div_factor, (step - peak) / (last_step - peak).max(1.0))
        }
    }

    pub(super) fn problems(&self) -> Vec<Problem> {
        let part = self.pct_start;
        let (first, last) = (self.div_factor, self.final_div_factor);
        [
            Problem::unless((0.0..=1.0).contains(&part), "pct_start", || {
                format!("pct_start is between 0 and 1, found {part}")
            }),
            Problem::unless(first >= 1.0 && first.is_finite(), "div_factor", || {
                format!("div_factor is at least 1, found {first}")
            }),
            Problem::unless(last >= 1.0 && last.is_finite(), "final_div_factor", || {
                format!("final_div_factor is at least 1, found {last}")
            }),
            horizon_problem(self.horizon),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}
