//! Everything that changes while a training runs. Its components are what a checkpoint holds, and so what the next step depends
//! on besides the job, the data and the seed.

use super::average::Average;
use super::best::Best;
use super::early_stop::Watch;
use super::loader::Loader;
use super::meter::Meter;
use super::order;
use super::precision::LossScale;
use super::record::Record;
use super::replay::Replay;
use crate::checkpoint::{Kept, Part, Position, State, Stateful};
use crate::failure::Failure;
use crate::numerics::{self, Generators};
use crate::shim::Optimizer;
use crate::tensors::Weights;
use kilter::job::{TrainJob, WorkerEvent};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::time::Duration;

/// A training under way.
pub struct Course<'a> {
    job: &'a TrainJob,
    /// Where it is.
    pub at: Position,
    /// The network's weights and buffers.
    pub weights: Weights,
    /// The optimizer, with its state.
    pub optimizer: Optimizer,
    /// The losses of the epoch under way.
    pub meter: Meter,
    /// What augmentation draws from in the epoch under way.
    pub choices: Choices,
    /// libtorch's own generators, which dropout draws from.
    generators: Generators,
    /// The average of the weights, where one is wanted.
    pub average: Option<Average>,
    /// How much the loss is scaled, where it is: on the device.
    pub scale: Option<LossScale>,
    /// In how many parts steps are computed, where memory decided that.
    pub parts: Option<Parts>,
    /// When to stop early.
    pub watch: Option<Watch<'a>>,
    /// The best epoch's weights, where they are wanted.
    pub best: Best,
    /// What was told.
    pub record: Record<'a>,
    /// The batches of the epoch after the one under way, and its number: part of no state, because they follow from it. It goes
    /// before the data does.
    pub ahead: Option<(u64, Loader)>,
    /// How long batches were waited for.
    pub waited: Duration,
    /// Replays steps, where that is wanted; part of no state, because replayed steps are like others.
    pub replay: Option<Replay>,
}

/// The generator of augmentation.
pub struct Choices(pub ChaCha8Rng);

/// In how many parts a step is computed: part of the state where memory decided it, because a machine that has less or more of it
/// now would go on with other bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts(pub u64);

impl<'a> Course<'a> {
    /// A training at its beginning.
    pub fn new(
        job: &'a TrainJob,
        weights: Weights,
        optimizer: Optimizer,
        generators: Generators,
        record: Record<'a>,
    ) -> Self {
        let average = job.ema.map(|spec| Average::new(spec, &weights));
        Self {
            job,
            average,
            scale: None,
            parts: None,
            at: Position { epoch: 1, batch: 0, step: 0, stopped: false },
            weights,
            optimizer,
            meter: Meter::new(1, 0, 0),
            choices: Choices(order::generator(job.seed, 1, "augment")),
            generators,
            watch: job.early_stop.as_ref().map(Watch::new),
            best: Best::default(),
            record,
            ahead: None,
            waited: Duration::ZERO,
            replay: None,
        }
    }

    /// Every component, by the name of its part. What is added to training and changes from step to step is added here.
    fn components(&mut self) -> Vec<(&'static str, &mut dyn Stateful)> {
        let mut components: Vec<(&'static str, &mut dyn Stateful)> = vec![
            ("weights", &mut self.weights),
            ("optimizer", &mut self.optimizer),
            ("average", &mut self.average),
            ("loss_scale", &mut self.scale),
            ("accumulate", &mut self.parts),
            ("early_stop", &mut self.watch),
            ("best", &mut self.best),
            ("record", &mut self.record),
        ];
        // Each epoch begins with these anew, whatever they were.
        if self.at.batch > 0 {
            components.extend([
                ("meter", &mut self.meter as &mut dyn Stateful),
                ("choices", &mut self.choices),
                ("libtorch", &mut self.generators),
            ]);
        }
        components
    }

    /// Begins the epoch that comes next, unless it is under way.
    pub fn begin_epoch(&mut self, steps_per_epoch: u64) {
        if self.at.batch == 0 {
            numerics::seed(order::torch_seed(self.job.seed, self.at.epoch));
            self.choices = Choices(order::generator(self.job.seed, self.at.epoch, "augment"));
            self.meter = self.meter.next(self.at.epoch, self.at.step, steps_per_epoch * self.job.epochs);
        }
    }

    /// The rate that the schedule begins from in this epoch: the optimizer's, or what a schedule that follows a metric made of
    /// it.
    pub fn base_lr(&self) -> f64 {
        let schedule = &self.job.schedule;
        let values = schedule.metric().into_iter().flat_map(|name| self.record.values(name));
        schedule.base(self.job.optimizer.lr(), values)
    }

    /// Puts the average in the place of the weights, where there is one, and the weights in its place; a second time it puts
    /// them back.
    pub fn exchange_average(&mut self) -> Result<(), Failure> {
        match &mut self.average {
            Some(average) => average.exchange(&self.weights),
            None => Ok(()),
        }
    }

    /// Ends the epoch under way.
    pub fn end_epoch(&mut self) {
        self.at.epoch += 1;
        self.at.batch = 0;
    }

    /// Whether there are epochs to run.
    pub fn goes_on(&self) -> bool {
        self.at.epoch <= self.job.epochs && !self.at.stopped
    }

    /// Becomes what a state says, which was taken in a training of `steps_per_epoch` like this one.
    ///
    /// # Errors
    /// When it is of another training.
    pub fn restore(&mut self, state: &State, steps_per_epoch: u64) -> Result<(), Failure> {
        self.at = state.at;
        self.meter = self.meter.next(self.at.epoch, self.at.step, steps_per_epoch * self.job.epochs);
        self.choices = Choices(order::generator(self.job.seed, self.at.epoch, "augment"));
        let nothing = Part::default();
        for (name, component) in self.components() {
            let part = state.parts.get(name).unwrap_or(&nothing);
            component.restore(part).map_err(|failure| {
                Failure::new(format!("a checkpoint does not fit this training: {name}: {failure}"))
                    .hint("`kilter run --force` trains anew")
            })?;
        }
        self.meter.first = self.record.first_loss();
        Ok(())
    }
}

impl Kept for Course<'_> {
    fn step(&self) -> u64 {
        self.at.step
    }

    /// Losses that were not read are read for it.
    fn state(&mut self) -> Result<State, Failure> {
        self.meter.look(&mut |event| self.record.tell(event))?;
        let (at, environment) = (self.at, numerics::environment(self.job.setting));
        let mut parts = BTreeMap::new();
        for (name, component) in self.components() {
            let mut part = Part::default();
            component.save(&mut part)?;
            if !part.is_empty() {
                parts.insert(name.to_owned(), part);
            }
        }
        Ok(State { at, environment, parts })
    }

    fn tell(&mut self, event: WorkerEvent) {
        self.record.tell(event);
    }
}

impl Stateful for Choices {
    fn save(&self, into: &mut Part) -> Result<(), Failure> {
        // JSON's integers have 64 bits; so many words are not drawn in an epoch.
        into.value("words", &(self.0.get_word_pos() as u64))
    }

    fn restore(&mut self, from: &Part) -> Result<(), Failure> {
        self.0.set_word_pos(u128::from(from.get::<u64>("words")?));
        Ok(())
    }
}

impl Stateful for Parts {
    fn save(&self, into: &mut Part) -> Result<(), Failure> {
        into.value("parts", &self.0)
    }

    /// States of before did not say it.
    fn restore(&mut self, from: &Part) -> Result<(), Failure> {
        if !from.is_empty() {
            self.0 = from.get("parts")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim;
    use rand_chacha::rand_core::Rng;
    use serde_json::json;
    use tch::Device;
    use tch::nn::VarStore;

    fn job() -> TrainJob {
        let told = json!({
            "setting": { "threads": 1, "numerics": "native", "device": "cpu" }, "architecture": "a", "data": "b",
            "target": "t", "task": { "task": "number" }, "loss": "mse", "optimizer": { "sgd": { "lr": 0.1 } },
            "schedule": "constant", "epochs": 2, "batch_size": 8, "shuffle": true, "drop_last": false,
            "accumulate": "auto", "precision": "f32", "deterministic": true, "gradient_norms": false, "seed": 7,
            "out": "c",
        });
        serde_json::from_value(told).expect("a job")
    }

    #[test]
    fn a_training_goes_on_in_as_many_parts_as_it_began() {
        let job = job();
        let mut events = |_| {};
        let weights = Weights::of(&VarStore::new(Device::Cpu));
        let optimizer = optim::build(&job.optimizer, &[]).expect("an optimizer");
        let record = Record::new(&mut events, job.epochs);
        let mut course = Course::new(&job, weights, optimizer, Generators::of(Device::Cpu), record);
        course.record.tell(WorkerEvent::Trace {
            epoch: 1,
            step: 1,
            loss: 0.5,
            grad_norm: None,
            digest: "0".repeat(16),
        });
        course.parts = Some(Parts(4));
        let mut state = course.state().expect("a state");
        let mut restored = |state: &State| {
            // What fits today.
            course.parts = Some(Parts(1));
            course.restore(state, 4).expect("restored");
            course.parts
        };
        assert_eq!(restored(&state), Some(Parts(4)));
        state.parts.remove("accumulate");
        assert_eq!(restored(&state), Some(Parts(1)));
    }

    #[test]
    fn a_generator_goes_on_where_it_was_also_within_a_block() {
        for drawn in [0, 1, 2, 7, 8, 63, 64, 65, 1000] {
            let mut choices = Choices(order::generator(7, 3, "augment"));
            for _ in 0..drawn {
                choices.0.next_u64();
            }
            let mut part = Part::default();
            choices.save(&mut part).expect("saved");
            let mut other = Choices(order::generator(7, 3, "augment"));
            other.restore(&part).expect("restored");
            for _ in 0..100 {
                assert_eq!(choices.0.next_u64(), other.0.next_u64(), "after {drawn}");
            }
            assert_eq!(choices.0.next_u32(), other.0.next_u32());
        }
    }
}
