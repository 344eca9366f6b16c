//! Reads losses back from the device now and then, watches that they are numbers, and tells how far training is.

use super::super::Events;
use super::diverged::Diverged;
use super::trace::Trace;
use crate::checkpoint::{Part, Stateful};
use crate::failure::Failure;
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

/// The losses of an epoch.
pub struct Meter {
    epoch: u64,
    steps: u64,
    step: u64,
    /// Losses that have not been read, with the norm of their gradients and those of each parameter where they are wanted, and
    /// their rows.
    pending: Vec<(Tensor, Option<Tensor>, Option<Tensor>, i64)>,
    /// The layer of each parameter.
    pub layers: Vec<String>,
    /// The loss of the first step of all, once it is known.
    pub first: Option<f64>,
    /// The step that went wrong, once one did.
    pub diverged: Option<Diverged>,
    trace: Trace,
    told: Instant,
    sum: f64,
    rows: i64,
    lr: f64,
}

impl Meter {
    /// A meter for an epoch (from 1) that begins after `step` of `steps` in all.
    pub fn new(epoch: u64, step: u64, steps: u64) -> Self {
        let (pending, trace, told) = (Vec::new(), Trace::default(), Instant::now());
        let (layers, first, diverged) = (Vec::new(), None, None);
        Self { epoch, steps, step, pending, layers, first, diverged, trace, told, sum: 0.0, rows: 0, lr: 0.0 }
    }

    /// A meter for the next epoch, which begins after `step` steps.
    #[must_use]
    pub fn next(&mut self, epoch: u64, step: u64, steps: u64) -> Self {
        Self { layers: std::mem::take(&mut self.layers), first: self.first, ..Self::new(epoch, step, steps) }
    }

    /// Notes the loss of a step that was made with the rate `lr`, and the norm of its gradients where it is to be traced.
    ///
    /// # Errors
    /// When a loss since the last look was no finite number.
    pub fn note(
        &mut self,
        loss: &Tensor,
        norm: Option<Norms>,
        rows: i64,
        lr: f64,
        events: Events<'_>,
    ) -> Result<(), Failure> {
        self.step += 1;
        self.lr = lr;
        let (norm, layers) = norm.map_or((None, None), |norms| (Some(norms.all), norms.parameters));
        self.pending.push((loss.f_detach()?, norm, layers, rows));
        if self.told.elapsed() < PERIOD { Ok(()) } else { self.look(events) }
    }

    /// The mean loss of the epoch's rows, and the rate of its last step.
    ///
    /// # Errors
    /// When a loss was no finite number.
    pub fn finish(&mut self, events: Events<'_>) -> Result<(f64, f64), Failure> {
        self.look(events)?;
        Ok((self.sum / self.rows.max(1) as f64, self.lr))
    }

    /// Reads what has not been read. When that happens changes no result: rows are added one step after the other.
    ///
    /// # Errors
    /// When a loss was no finite number.
    pub fn look(&mut self, events: Events<'_>) -> Result<(), Failure> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let losses: Vec<&Tensor> = self.pending.iter().map(|(loss, ..)| loss).collect();
        let values = read(&losses)?;
        let norms: Vec<&Tensor> = self.pending.iter().filter_map(|(_, norm, ..)| norm.as_ref()).collect();
        let mut norms = read(&norms)?.into_iter();
        let by_layer: Vec<&Tensor> = self.pending.iter().filter_map(|(_, _, layers, _)| layers.as_ref()).collect();
        let mut by_layer = read_rows(&by_layer)?.into_iter();
        let first = self.step - self.pending.len() as u64 + 1;
        let (mut sum, mut rows) = (0.0, 0);
        for ((step, value), (_, norm, layers, count)) in (first..).zip(&values).zip(&self.pending) {
            if step == 1 {
                self.first = Some(f64::from(*value));
            }
            let diverged =
                Diverged { loss: f64::from(*value), first: self.first, epoch: self.epoch, step, lr: self.lr };
            if diverged.is_so() {
                self.diverged = Some(diverged);
                return Err(diverged.failure());
            }
            let norm = norm.as_ref().and_then(|_| norms.next());
            if let Some(values) = layers.as_ref().and_then(|_| by_layer.next()) {
                events(gradients(self.epoch, step, &self.layers, &values));
            }
            if let Some(row) = self.trace.note(self.epoch, step, *value, norm) {
                events(row);
            }
            let of_rows = f64::from(*value) * *count as f64;
            sum += of_rows;
            self.sum += of_rows;
            rows += count;
        }
        self.pending.clear();
        self.rows += rows;
        let seconds = self.told.elapsed().as_secs_f64();
        self.told = Instant::now();
        events(WorkerEvent::Step {
            epoch: self.epoch,
            step: self.step,
            steps: self.steps,
            loss: sum / rows.max(1) as f64,
            rows_per_second: rows as f64 / seconds.max(1e-9),
        });
        Ok(())
    }
}

/// After a [`Meter::look`]: what is not read has no place in a checkpoint.
impl Stateful for Meter {
    fn save(&self, into: &mut Part) -> Result<(), Failure> {
        self.trace.save(into)?;
        into.number("sum", self.sum)?;
        into.value("rows", &self.rows)?;
        into.number("lr", self.lr)
    }

    fn restore(&mut self, from: &Part) -> Result<(), Failure> {
        self.trace.restore(from)?;
        self.sum = from.get_number("sum")?;
        self.rows = from.get("rows")?;
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

    #[test]
    fn the_mean_counts_rows_and_not_steps() {
        let mut told = Vec::new();
        let mut events = |event| told.push(event);
        let mut meter = Meter::new(2, 10, 20);
        meter.note(&Tensor::from(1.0_f32), None, 3, 0.2, &mut events).expect("finite");
        meter.note(&Tensor::from(5.0_f32), None, 1, 0.1, &mut events).expect("finite");
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
                let norm = (at % 3 == 2).then(|| Norms { all: Tensor::from(*loss), parameters: None });
                meter.note(&Tensor::from(*loss), norm, 7, 0.1, &mut events).expect("finite");
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
            let mut note = |loss: f32| -> Result<(), Failure> {
                meter.note(&Tensor::from(loss), None, 4, 0.5, &mut events)?;
                if looks { meter.look(&mut events) } else { Ok(()) }
            };
            let seen = [2.0_f32, 1e6, 3e6, 1e3].into_iter().try_for_each(&mut note);
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
        meter.note(&Tensor::from(1.0_f32), None, 4, 0.5, &mut events).expect("finite");
        meter.note(&Tensor::from(f32::NAN), None, 4, 0.5, &mut events).expect("not looked at yet");
        let failure = meter.finish(&mut events).expect_err("NaN");
        assert_eq!(failure.message, "the loss is NaN in epoch 1, at step 2 (learning rate 0.5)");
        assert_eq!(meter.diverged.map(|diverged| diverged.step), Some(2));
    }
}
