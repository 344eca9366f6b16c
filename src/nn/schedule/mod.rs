//! Schedules: the learning rate as a function of how far training is. Pure numbers; the worker asks before each step.

use super::choice::{Problem, choice};

mod constant;
mod cosine;
mod linear;
mod one_cycle;
mod plateau;
mod step;

pub use constant::Constant;
pub use cosine::Cosine;
pub use linear::Linear;
pub use one_cycle::OneCycle;
pub use plateau::Plateau;
pub use step::Step;

choice! {
    /// A learning rate schedule, as the manifest writes it: a name, or a table of one entry.
    "a schedule" "schedule" Schedule {
        Constant(Constant),
        Step(Step),
        Cosine(Cosine),
        OneCycle(OneCycle),
        Linear(Linear),
        Plateau(Plateau),
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Self::Constant(Constant::default())
    }
}

/// How far training is, before a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct At {
    /// Steps done since the start.
    pub step: u64,
    /// Steps in an epoch; at least 1.
    pub steps_per_epoch: u64,
    /// Epochs in all, as if none were skipped by an early stop.
    pub epochs: u64,
}

impl At {
    /// Epochs done, with the fraction of the running one.
    #[must_use]
    pub fn epoch(self) -> f64 {
        self.step as f64 / self.steps_per_epoch.max(1) as f64
    }

    /// Whole epochs done.
    #[must_use]
    pub fn whole_epochs(self) -> u64 {
        self.step / self.steps_per_epoch.max(1)
    }

    /// Steps in all.
    #[must_use]
    pub fn steps(self) -> u64 {
        self.steps_per_epoch.saturating_mul(self.epochs)
    }

    /// The same place in a training of another number of epochs, where one is given.
    fn over(self, horizon: Option<u64>) -> Self {
        Self { epochs: horizon.unwrap_or(self.epochs), ..self }
    }
}

impl Schedule {
    /// Whether the number of epochs decides the rate of steps before the last one. A training with such a schedule cannot be
    /// extended: with more epochs it would have taken other steps from the beginning.
    #[must_use]
    pub fn ends_with_the_last_epoch(&self) -> bool {
        match self {
            Self::Constant(_) | Self::Step(_) | Self::Plateau(_) => false,
            Self::Cosine(_) | Self::OneCycle(_) | Self::Linear(_) => self.horizon().is_none(),
        }
    }

    /// The learning rate of the next step, for the rate `lr` that [`Schedule::base`] gives.
    #[must_use]
    pub fn lr(&self, lr: f64, at: At) -> f64 {
        match self {
            Self::Constant(spec) => spec.lr(lr, at),
            Self::Step(spec) => spec.lr(lr, at),
            Self::Cosine(spec) => spec.lr(lr, at),
            Self::OneCycle(spec) => spec.lr(lr, at),
            Self::Linear(spec) => spec.lr(lr, at),
            Self::Plateau(spec) => spec.lr(lr, at),
        }
    }

    /// The column of the history that it follows, where it follows one.
    #[must_use]
    pub fn metric(&self) -> Option<&str> {
        match self {
            Self::Plateau(spec) => Some(&spec.metric),
            _ => None,
        }
    }

    /// The rate that it falls to, where it names one.
    #[must_use]
    pub fn min_lr(&self) -> Option<f64> {
        match self {
            Self::Cosine(spec) => Some(spec.min_lr),
            Self::Linear(spec) => Some(spec.min_lr),
            Self::Plateau(spec) => Some(spec.min_lr),
            Self::Constant(_) | Self::Step(_) | Self::OneCycle(_) => None,
        }
    }

    /// Over how many epochs it rises first; 0 where it does not, or rises by itself.
    #[must_use]
    pub fn warmup_epochs(&self) -> f64 {
        match self {
            Self::Constant(spec) => spec.warmup_epochs,
            Self::Step(spec) => spec.warmup_epochs,
            Self::Cosine(spec) => spec.warmup_epochs,
            Self::OneCycle(_) => 0.0,
            Self::Linear(spec) => spec.warmup_epochs,
            Self::Plateau(spec) => spec.warmup_epochs,
        }
    }

    /// The number of epochs that it is made for, where it names one.
    #[must_use]
    pub fn horizon(&self) -> Option<u64> {
        match self {
            Self::Cosine(spec) => spec.horizon,
            Self::OneCycle(spec) => spec.horizon,
            Self::Linear(spec) => spec.horizon,
            Self::Constant(_) | Self::Step(_) | Self::Plateau(_) => None,
        }
    }

    /// The rate to begin from after epochs with these values of its [`Schedule::metric`]: the optimizer's, `lr`, where it
    /// follows none.
    #[must_use]
    pub fn base(&self, lr: f64, values: impl IntoIterator<Item = f64>) -> f64 {
        match self {
            Self::Plateau(spec) => spec.after(lr, values),
            _ => lr,
        }
    }
}

/// The factor of a linear warm-up over so many epochs: `1 / n, 2 / n, …, 1` over its `n` steps; 1 after it.
fn warm_up(warmup_epochs: f64, at: At) -> f64 {
    let steps = (warmup_epochs * at.steps_per_epoch as f64).round();
    if (at.step as f64) < steps { (at.step + 1) as f64 / steps } else { 1.0 }
}

/// The rate of a schedule that falls after its warm-up: `fall` gives it for the part of the steps after that, between 0 and 1.
fn falling(lr: f64, warmup_epochs: f64, at: At, fall: impl FnOnce(f64) -> f64) -> f64 {
    let warm = (warmup_epochs * at.steps_per_epoch as f64).round();
    if (at.step as f64) < warm {
        return lr * warm_up(warmup_epochs, at);
    }
    let rest = (at.steps() as f64 - warm).max(1.0);
    fall(((at.step as f64 - warm) / rest).clamp(0.0, 1.0))
}

/// A schedule for no epoch.
fn horizon_problem(horizon: Option<u64>) -> Option<Problem> {
    Problem::unless(horizon != Some(0), "horizon", || "horizon is at least 1 epoch, found 0".to_owned())
}

/// From `from` to `to` along half a cosine, for `part` between 0 and 1.
fn half_cosine(from: f64, to: f64, part: f64) -> f64 {
    to + (from - to) * (1.0 + (std::f64::consts::PI * part.clamp(0.0, 1.0)).cos()) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten steps an epoch, four epochs.
    fn at(step: u64) -> At {
        At { step, steps_per_epoch: 10, epochs: 4 }
    }

    fn table(schedule: &str, steps: &[u64]) -> Vec<f64> {
        let table: toml::Table = schedule.parse().expect("toml");
        let schedule: Schedule =
            serde_json::from_value(serde_json::to_value(&table["schedule"]).expect("json")).expect("decodes");
        assert!(schedule.problems().is_empty());
        steps.iter().map(|step| (schedule.lr(0.1, at(*step)) * 1e6).round() / 1e6).collect()
    }

    #[test]
    fn constant_stays_after_its_warm_up() {
        assert_eq!(table("schedule = 'constant'", &[0, 17, 39]), [0.1, 0.1, 0.1]);
        assert_eq!(table("schedule.constant.warmup_epochs = 0.5", &[0, 1, 4, 5]), [0.02, 0.04, 0.1, 0.1]);
    }

    #[test]
    fn step_falls_by_gamma_every_so_many_epochs() {
        assert_eq!(table("schedule.step = { step_size = 2, gamma = 0.5 }", &[0, 19, 20, 39]), [0.1, 0.1, 0.05, 0.05]);
    }

    #[test]
    fn cosine_ends_near_its_least_and_warms_up_first() {
        // As torch.optim.lr_scheduler.CosineAnnealingLR(T_max=40) stepped every batch.
        assert_eq!(table("schedule = 'cosine'", &[0, 10, 20, 30]), [0.1, 0.085355, 0.05, 0.014645]);
        assert_eq!(
            table("schedule.cosine = { warmup_epochs = 1, min_lr = 0.01 }", &[0, 9, 10, 25, 40]),
            [0.01, 0.1, 0.1, 0.055, 0.01]
        );
    }

    #[test]
    fn linear_falls_evenly_after_its_warm_up() {
        // As torch.optim.lr_scheduler.LinearLR(start_factor=1, end_factor=0, total_iters=40) stepped every batch.
        assert_eq!(table("schedule = 'linear'", &[0, 10, 20, 39]), [0.1, 0.075, 0.05, 0.0025]);
        assert_eq!(
            table("schedule.linear = { warmup_epochs = 1, min_lr = 0.01 }", &[0, 9, 10, 25, 40]),
            [0.01, 0.1, 0.1, 0.055, 0.01]
        );
    }

    #[test]
    fn with_a_horizon_the_number_of_epochs_says_nothing() {
        for name in ["cosine", "linear", "one_cycle"] {
            let of = |text: &str| -> Schedule { serde_json::from_str(text).expect("decodes") };
            let open = of(&format!("\"{name}\""));
            let fixed = of(&format!("{{\"{name}\": {{\"horizon\": 4}}}}"));
            assert!(open.ends_with_the_last_epoch() && !fixed.ends_with_the_last_epoch(), "{name}");
            for step in 0..40 {
                for epochs in [1, 2, 4, 9] {
                    assert_eq!(fixed.lr(0.1, At { epochs, ..at(step) }), open.lr(0.1, at(step)), "{name} {step}");
                }
            }
            // Behind it the rate stays where it ended.
            let last = fixed.lr(0.1, At { epochs: 9, ..at(40) });
            assert!(last < 0.001 && fixed.lr(0.1, At { epochs: 9, ..at(89) }) == last, "{name}: {last}");
            let none = of(&format!("{{\"{name}\": {{\"horizon\": 0}}}}"));
            assert_eq!(none.problems()[0].message, "horizon is at least 1 epoch, found 0");
        }
    }

    #[test]
    fn one_cycle_rises_and_falls() {
        // As torch.optim.lr_scheduler.OneCycleLR(max_lr=0.1, total_steps=40).
        assert_eq!(table("schedule = 'one_cycle'", &[0, 5, 11, 25, 39]), [0.004, 0.045169, 0.1, 0.05, 0.0]);
    }

    #[test]
    fn one_cycle_with_its_peak_in_the_last_step_falls_a_part_of_the_way() {
        // The peak is at 38.6 of the steps to 39: two fifths of the fall. PyTorch is at the end of it then.
        assert_eq!(table("schedule.one_cycle.pct_start = 0.99", &[39]), [0.065451]);
    }
}
