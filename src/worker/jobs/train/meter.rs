//! Reads losses back from the device now and then, watches that they are numbers, and tells how far training is.

use super::super::Events;
use super::trace::Trace;
use crate::failure::Failure;
use kilter::job::WorkerEvent;
use std::time::{Duration, Instant};
use tch::{Device, Tensor};

/// How often losses are read and told, at most. It is a matter of display: no result depends on it.
const PERIOD: Duration = Duration::from_millis(100);

/// The losses of an epoch.
pub struct Meter<'a> {
    events: Events<'a>,
    epoch: u64,
    steps: u64,
    step: u64,
    /// Losses that have not been read, with the norm of their gradients where it is wanted, and their rows.
    pending: Vec<(Tensor, Option<Tensor>, i64)>,
    trace: Trace,
    told: Instant,
    sum: f64,
    rows: i64,
}

impl<'a> Meter<'a> {
    /// A meter for an epoch (from 1) that begins after `step` of `steps` in all.
    pub fn new(events: Events<'a>, epoch: u64, step: u64, steps: u64) -> Self {
        let trace = Trace::default();
        Self { events, epoch, steps, step, pending: Vec::new(), trace, told: Instant::now(), sum: 0.0, rows: 0 }
    }

    /// Notes the loss of a step that was made with the rate `lr`, and the norm of its gradients where it is to be traced.
    ///
    /// # Errors
    /// When a loss since the last look was no finite number.
    pub fn note(&mut self, loss: &Tensor, norm: Option<Tensor>, rows: i64, lr: f64) -> Result<(), Failure> {
        self.step += 1;
        self.pending.push((loss.f_detach()?, norm, rows));
        if self.told.elapsed() < PERIOD { Ok(()) } else { self.look(lr) }
    }

    /// The mean loss of the epoch's rows, after its last step.
    ///
    /// # Errors
    /// When a loss was no finite number.
    pub fn finish(mut self, lr: f64) -> Result<f64, Failure> {
        self.look(lr)?;
        Ok(self.sum / self.rows.max(1) as f64)
    }

    fn look(&mut self, lr: f64) -> Result<(), Failure> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let losses: Vec<&Tensor> = self.pending.iter().map(|(loss, ..)| loss).collect();
        let values = read(&losses)?;
        let norms: Vec<&Tensor> = self.pending.iter().filter_map(|(_, norm, _)| norm.as_ref()).collect();
        let mut norms = read(&norms)?.into_iter();
        let first = self.step - self.pending.len() as u64 + 1;
        let (mut sum, mut rows) = (0.0, 0);
        for ((step, value), (_, norm, count)) in (first..).zip(&values).zip(&self.pending) {
            if !value.is_finite() {
                return Err(not_finite(*value, self.epoch, step, lr));
            }
            let norm = norm.as_ref().and_then(|_| norms.next());
            if let Some(row) = self.trace.note(self.epoch, step, *value, norm) {
                (self.events)(row);
            }
            sum += f64::from(*value) * *count as f64;
            rows += count;
        }
        self.pending.clear();
        self.sum += sum;
        self.rows += rows;
        let seconds = self.told.elapsed().as_secs_f64();
        self.told = Instant::now();
        (self.events)(WorkerEvent::Step {
            epoch: self.epoch,
            step: self.step,
            steps: self.steps,
            loss: sum / rows.max(1) as f64,
            rows_per_second: rows as f64 / seconds.max(1e-9),
        });
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

fn not_finite(value: f32, epoch: u64, step: u64, lr: f64) -> Failure {
    let what = if value.is_nan() { "NaN" } else { "infinite" };
    Failure::new(format!("the loss is {what} in epoch {epoch}, at step {step} (learning rate {})", four_digits(lr)))
        .hint("try a learning rate ten times lower, or a schedule with `warmup_epochs`")
        .hint("`clip = { norm = 1.0 }` bounds the gradients")
        .hint("if it happens in the first steps, look for infinite or huge numbers among the features")
}

/// `0.001`, `0.0009877`, `1.11e11`: the shortest form of the number with four digits.
fn four_digits(value: f64) -> String {
    match format!("{value:.3e}").parse::<f64>() {
        Ok(short) if (1e-5..1e5).contains(&short) => short.to_string(),
        Ok(short) => format!("{short:e}"),
        Err(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_counts_rows_and_not_steps() {
        let mut told = Vec::new();
        let mut events = |event| told.push(event);
        let mut meter = Meter::new(&mut events, 2, 10, 20);
        meter.note(&Tensor::from(1.0_f32), None, 3, 0.1).expect("finite");
        meter.note(&Tensor::from(5.0_f32), None, 1, 0.1).expect("finite");
        assert_eq!(meter.finish(0.1).expect("finite"), 2.0);
        assert!(
            matches!(told.as_slice(), [WorkerEvent::Step { epoch: 2, step: 12, steps: 20, loss, .. }] if *loss == 2.0)
        );
    }

    #[test]
    fn a_loss_that_is_no_number_names_its_step_and_what_to_try() {
        let mut events = |_| {};
        let mut meter = Meter::new(&mut events, 1, 0, 20);
        meter.note(&Tensor::from(1.0_f32), None, 4, 0.5).expect("finite");
        meter.note(&Tensor::from(f32::NAN), None, 4, 0.5).expect("not looked at yet");
        let failure = meter.finish(0.5).expect_err("NaN");
        assert_eq!(failure.message, "the loss is NaN in epoch 1, at step 2 (learning rate 0.5)");
        assert_eq!(failure.hints.len(), 3);
        assert_eq!([0.001, 0.000_987_654, 1e30, 1.11e-7].map(four_digits), ["0.001", "0.0009877", "1e30", "1.11e-7"]);
    }
}
