//! Reads losses back from the device now and then, watches that they are numbers, and tells how far training is.

use super::super::Events;
use super::diverged::Diverged;
use super::trace::Trace;
use crate::checkpoint::{Part, Stateful};
use crate::failure::Failure;
use crate::shim::Optimizer;
use kilter::job::WorkerEvent;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tch::{Device, Tensor};

/// How often losses are read and told, at most. It is a matter of display: no result depends on it.
const PERIOD: Duration = Duration::from_millis(100);

/// The norms of a step's gradients, on the device.
pub struct Norms {
    /// Of all together.
    pub all: Tensor,
    /// Of each parameter.
    pub parameters: Option<Tensor>,
}

impl Norms {
    /// Those of the gradients as they are, before a step bounds and forgets them; of each parameter too, where `each` says so.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn of(optimizer: &Optimizer, each: bool) -> Result<Self, Failure> {
        let parameters = each.then(|| optimizer.gradient_norms()).transpose()?;
        Ok(Self { all: optimizer.gradient_norm()?, parameters })
    }
}

/// What there is to say of a step that was made.
pub struct Made<'a> {
    /// Its mean loss.
    pub loss: &'a Tensor,
    /// The norms of its gradients, where they are to be traced.
    pub norms: Option<Norms>,
    /// How many rows it had.
    pub rows: i64,
    /// How much its mean is over, where that is not its rows: [`crate::losses::Criterion::targets`]; on the device.
    pub targets: Option<Tensor>,
    /// Its learning rate.
    pub lr: f64,
}

/// A step whose numbers have not been read.
struct Pending {
    loss: Tensor,
    norm: Option<Tensor>,
    by_parameter: Option<Tensor>,
    rows: i64,
    targets: Option<Tensor>,
    lr: f64,
}

/// The losses of an epoch.
pub struct Meter {
    epoch: u64,
    steps: u64,
    step: u64,
    pending: Vec<Pending>,
    /// The layer of each parameter.
    pub layers: Vec<String>,
    /// The loss of the first step of all, once it is known.
    pub first: Option<f64>,
    /// The step that went wrong, once one did.
    pub diverged: Option<Diverged>,
    trace: Trace,
    told: Instant,
    /// The sum of the losses of all targets, and how many those are.
    sum: f64,
    targets: f64,
    lr: f64,
}

impl Meter {
    /// A meter for an epoch (from 1) that begins after `step` of `steps` in all.
    pub fn new(epoch: u64, step: u64, steps: u64) -> Self {
        let (pending, trace, told) = (Vec::new(), Trace::default(), Instant::now());
        let (layers, first, diverged) = (Vec::new(), None, None);
        Self { epoch, steps, step, pending, layers, first, diverged, trace, told, sum: 0.0, targets: 0.0, lr: 0.0 }
    }

    /// A meter for the next epoch, which begins after `step` steps.
    #[must_use]
    pub fn next(&mut self, epoch: u64, step: u64, steps: u64) -> Self {
        Self { layers: std::mem::take(&mut self.layers), first: self.first, ..Self::new(epoch, step, steps) }
    }

    /// Notes a step.
    ///
    /// # Errors
    /// When a loss since the last look was no finite number.
    pub fn note(&mut self, made: Made<'_>, events: Events<'_>) -> Result<(), Failure> {
        self.step += 1;
        self.lr = made.lr;
        let (norm, by_parameter) = made.norms.map_or((None, None), |norms| (Some(norms.all), norms.parameters));
        let (loss, rows, targets) = (made.loss.f_detach()?, made.rows, made.targets);
        self.pending.push(Pending { loss, norm, by_parameter, rows, targets, lr: made.lr });
        if self.told.elapsed() < PERIOD { Ok(()) } else { self.look(events) }
    }

    /// The mean loss of the epoch's targets, and the rate of its last step.
    ///
    /// # Errors
    /// When a loss was no finite number.
    pub fn finish(&mut self, events: Events<'_>) -> Result<(f64, f64), Failure> {
        self.look(events)?;
        Ok((mean(self.sum, self.targets), self.lr))
    }

    /// Reads what has not been read. When that happens changes no result: steps are added one after the other.
    ///
    /// # Errors
    /// When a loss was no finite number.
    pub fn look(&mut self, events: Events<'_>) -> Result<(), Failure> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let pending = &self.pending;
        let numbers = |of: fn(&Pending) -> Option<&Tensor>| read(&pending.iter().filter_map(of).collect::<Vec<_>>());
        let values = numbers(|step| Some(&step.loss))?;
        let mut norms = numbers(|step| step.norm.as_ref())?.into_iter();
        let mut counts = numbers(|step| step.targets.as_ref())?.into_iter();
        let by_parameter: Vec<&Tensor> = pending.iter().filter_map(|step| step.by_parameter.as_ref()).collect();
        let mut by_parameter = read_rows(&by_parameter)?.into_iter();
        let first = self.step - pending.len() as u64 + 1;
        let (mut sum, mut targets) = (0.0, 0.0);
        for ((step, value), seen) in (first..).zip(&values).zip(pending) {
            if step == 1 {
                self.first = Some(f64::from(*value));
            }
            let diverged =
                Diverged { loss: f64::from(*value), first: self.first, epoch: self.epoch, step, lr: seen.lr };
            if diverged.is_so() {
                self.diverged = Some(diverged);
                return Err(diverged.failure());
            }
            let norm = seen.norm.as_ref().and_then(|_| norms.next());
            if let Some(values) = seen.by_parameter.as_ref().and_then(|_| by_parameter.next()) {
                events(gradients(self.epoch, step, &self.layers, &values));
            }
            if let Some(row) = self.trace.note(self.epoch, step, *value, norm) {
                events(row);
            }
            let count = seen.targets.as_ref().and_then(|_| counts.next()).map_or(seen.rows as f64, f64::from);
            sum += f64::from(*value) * count;
            targets += count;
            self.sum += f64::from(*value) * count;
            self.targets += count;
        }
        let rows: i64 = pending.iter().map(|step| step.rows).sum();
        self.pending.clear();
        let seconds = self.told.elapsed().as_secs_f64();
        self.told = Instant::now();
        events(WorkerEvent::Step {
            epoch: self.epoch,
            step: self.step,
            steps: self.steps,
            loss: mean(sum, targets),
            rows_per_second: rows as f64 / seconds.max(1e-9),
        });
        Ok(())
    }
}

/// 0 over nothing. Weights of rows may be far below 1.
fn mean(sum: f64, over: f64) -> f64 {
    if over > 0.0 { sum / over } else { 0.0 }
}

/// After a [`Meter::look`]: what is not read has no place in a checkpoint.
impl Stateful for Meter {
    fn save(&self, into: &mut Part) -> Result<(), Failure> {
        self.trace.save(into)?;
        into.number("sum", self.sum)?;
        into.number("targets", self.targets)?;
        into.number("lr", self.lr)
    }

    fn restore(&mut self, from: &Part) -> Result<(), Failure> {
        self.trace.restore(from)?;
        self.sum = from.get_number("sum")?;
        self.targets = from.get_number("targets")?;
        self.lr = from.get_number("lr")?;
        Ok(())
    }
}

/// Numbers of a tensor each, read back from the device at once.
fn read(tensors: &[&Tensor]) -> Result<Vec<f32>, Failure> {
    if tensors.is_empty() {
        return Ok(Vec::new());
    }
    Ok(Vec::<f32>::try_from(Tensor::f_stack(tensors, 0)?.f_to_device(Device::Cpu)?)?)
}

/// The rows of tensors of one length, read back from the device at once.
fn read_rows(tensors: &[&Tensor]) -> Result<Vec<Vec<f32>>, Failure> {
    if tensors.is_empty() {
        return Ok(Vec::new());
    }
    Ok(Vec::<Vec<f32>>::try_from(Tensor::f_stack(tensors, 0)?.f_to_device(Device::Cpu)?)?)
}

/// The norms of parameters as those of their layers.
fn gradients(epoch: u64, step: u64, layers: &[String], norms: &[f32]) -> WorkerEvent {
    let mut squares: BTreeMap<String, f64> = BTreeMap::new();
    for (layer, norm) in layers.iter().zip(norms) {
        *squares.entry(layer.clone()).or_default() += f64::from(*norm).powi(2);
    }
    let norm = |square: f64| Some(square.sqrt() as f32).filter(|norm| norm.is_finite());
    WorkerEvent::Gradients { epoch, step, norms: squares.into_iter().map(|(layer, sum)| (layer, norm(sum))).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(loss: &Tensor, rows: i64, lr: f64) -> Made<'_> {
        Made { loss, norms: None, rows, targets: None, lr }
    }

    #[test]
    fn the_mean_of_tokens_counts_those_that_have_a_target() {
        let mut told = Vec::new();
        let mut events = |event| told.push(event);
        let mut meter = Meter::new(1, 0, 3);
        // Each of two rows.
        for (loss, targets) in [(1.0_f32, 6.0_f32), (5.0, 2.0), (9.0, 0.0)] {
            let targets = Some(Tensor::from(targets));
            meter.note(Made { targets, ..made(&Tensor::from(loss), 2, 0.1) }, &mut events).expect("finite");
        }
        assert_eq!(meter.finish(&mut events).expect("finite"), (2.0, 0.1));
        assert!(matches!(told.last(), Some(WorkerEvent::Step { loss, .. }) if *loss == 2.0));
    }

    #[test]
    fn the_mean_of_rows_with_weights_counts_by_them() {
        let mut events = |_| {};
        let mut meter = Meter::new(1, 0, 3);
        for (loss, weights) in [(1.0_f32, 0.25_f32), (5.0, 0.125), (0.0, 0.0)] {
            let targets = Some(Tensor::from(weights));
            meter.note(Made { targets, ..made(&Tensor::from(loss), 2, 0.1) }, &mut events).expect("finite");
        }
        assert_eq!(meter.finish(&mut events).expect("finite").0, (0.25 + 0.625) / 0.375);
        assert_eq!(Meter::new(1, 0, 3).finish(&mut events).expect("finite").0, 0.0);
    }

    #[test]
    fn the_mean_counts_rows_and_not_steps() {
        let mut told = Vec::new();
        let mut events = |event| told.push(event);
        let mut meter = Meter::new(2, 10, 20);
        meter.note(made(&Tensor::from(1.0_f32), 3, 0.2), &mut events).expect("finite");
        meter.note(made(&Tensor::from(5.0_f32), 1, 0.1), &mut events).expect("finite");
        assert_eq!(meter.finish(&mut events).expect("finite"), (2.0, 0.1));
        assert!(
            matches!(told.as_slice(), [WorkerEvent::Step { epoch: 2, step: 12, steps: 20, loss, .. }] if *loss == 2.0)
        );
    }

    #[test]
    fn when_losses_are_read_changes_no_bit() {
        let losses = [0.1_f32, 3.7e4, 1.9e-9, 0.3, 2.2e5, 7.7e-4];
        let run = |looks: &[usize]| {
            let mut rows = Vec::new();
            let mut events = |event| {
                if matches!(event, WorkerEvent::Trace { .. }) {
                    rows.push(event);
                }
            };
            let mut meter = Meter::new(1, 0, 6);
            for (at, loss) in losses.iter().enumerate() {
                let norms = (at % 3 == 2).then(|| Norms { all: Tensor::from(*loss), parameters: None });
                let targets = Some(Tensor::from(3.0 + at as f32));
                meter.note(Made { norms, targets, ..made(&Tensor::from(*loss), 7, 0.1) }, &mut events).expect("finite");
                if looks.contains(&at) {
                    meter.look(&mut events).expect("finite");
                    // As a checkpoint would.
                    let mut part = Part::default();
                    meter.save(&mut part).expect("saved");
                    let mut other = Meter::new(1, at as u64 + 1, 6);
                    other.restore(&part).expect("restored");
                    meter = other;
                }
            }
            let (loss, _) = meter.finish(&mut events).expect("finite");
            (loss.to_bits(), rows)
        };
        let whole = run(&[]);
        assert_eq!(whole.1.len(), 2);
        for looks in [&[0_usize][..], &[1, 2], &[3, 4], &[0, 1, 2, 3, 4, 5]] {
            assert_eq!(run(looks), whole, "{looks:?}");
        }
    }

    #[test]
    fn a_loss_far_above_the_first_is_told_whenever_it_is_looked_at() {
        for looks in [false, true] {
            let mut events = |_| {};
            let mut meter = Meter::new(1, 0, 20);
            let mut note = |(loss, lr): (f32, f64)| -> Result<(), Failure> {
                meter.note(made(&Tensor::from(loss), 4, lr), &mut events)?;
                if looks { meter.look(&mut events) } else { Ok(()) }
            };
            // The rate is that of the step, whatever it was when somebody looked.
            let seen = [(2.0_f32, 0.1), (1e6, 0.3), (3e6, 0.5), (1e3, 0.7)].into_iter().try_for_each(&mut note);
            let failure = seen.and_then(|()| meter.finish(&mut events).map(drop)).expect_err("exploded");
            assert_eq!(
                failure.message,
                "the loss has exploded from 2 to 3e6 in epoch 1, at step 3 (learning rate 0.5)"
            );
        }
    }

    #[test]
    fn a_loss_that_is_no_number_is_told_with_its_step() {
        let mut events = |_| {};
        let mut meter = Meter::new(1, 0, 20);
        meter.note(made(&Tensor::from(1.0_f32), 4, 0.5), &mut events).expect("finite");
        meter.note(made(&Tensor::from(f32::NAN), 4, 0.5), &mut events).expect("not looked at yet");
        let failure = meter.finish(&mut events).expect_err("NaN");
        assert_eq!(failure.message, "the loss is NaN in epoch 1, at step 2 (learning rate 0.5)");
        assert_eq!(meter.diverged.map(|diverged| diverged.step), Some(2));
    }
}
