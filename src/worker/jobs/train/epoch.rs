//! One pass through the training data.

use super::super::tokens::Masker;
use super::super::{Events, Forward};
use super::batches::{self, Batch};
use super::meter::Meter;
use super::{augment, order, trace};
use crate::failure::Failure;
use crate::losses::Criterion;
use crate::numerics;
use crate::shim::Optimizer;
use crate::tensors::Dataset;
use kilter::env::Cancel;
use kilter::job::TrainJob;
use kilter::nn::schedule::At;
use tch::Tensor;

/// What an epoch works with.
pub struct Trainer<'a> {
    /// The job.
    pub job: &'a TrainJob,
    /// The training data.
    pub data: &'a Dataset,
    /// The network.
    pub forward: Forward<'a>,
    /// The loss.
    pub criterion: &'a Criterion,
    /// Hides tokens, where those are to be guessed.
    pub masker: Option<Masker<'a>>,
    /// How many outputs a row has.
    pub outputs: i64,
    /// The optimizer, with its state.
    pub optimizer: Optimizer,
    /// Set when the job is to stop.
    pub cancel: &'a Cancel,
}

/// What an epoch gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EpochResult {
    /// The mean training loss of its rows, while the weights changed.
    pub loss: f64,
    /// The learning rate of its last step.
    pub lr: f64,
}

impl Trainer<'_> {
    /// How many steps an epoch has.
    pub fn steps_per_epoch(&self) -> u64 {
        batches::count(self.data.rows, self.job.batch_size, self.job.drop_last)
    }

    /// Runs an epoch, counted from 1. Its choices depend on the seed and its number alone.
    ///
    /// # Errors
    /// When the loss is no longer a finite number, libtorch fails, or the job is cancelled.
    pub fn epoch(&mut self, epoch: u64, events: Events<'_>) -> Result<EpochResult, Failure> {
        let job = self.job;
        numerics::seed(order::torch_seed(job.seed, epoch));
        let mut choices = order::generator(job.seed, epoch, "augment");
        let mut batches = batches::in_order(self.data, job.batch_size).drop_last(job.drop_last);
        if job.shuffle {
            batches = batches.ordered(&order::shuffled(self.data.rows, job.seed, epoch))?;
        }
        let mut at = self.start_of(epoch);
        let mut meter = Meter::new(events, epoch, at.step, at.steps());
        let mut lr = job.optimizer.lr();
        for batch in batches {
            let mut batch = batch?;
            if self.cancel.is_set() {
                return Err(Failure::cancelled());
            }
            if let Some(augment) = job.augment {
                augment::apply(augment, &mut choices, &mut batch.features)?;
            }
            if let Some(masker) = &self.masker {
                masker.hide(&mut batch, &mut masker.choices(epoch, at.step))?;
            }
            lr = job.schedule.lr(job.optimizer.lr(), at);
            let (loss, norm) = self.step(&batch, lr, trace::is_traced(at.step + 1, at.steps_per_epoch))?;
            meter.note(&loss, norm, batch.rows, lr)?;
            at.step += 1;
        }
        Ok(EpochResult { loss: meter.finish(lr)?, lr })
    }

    fn start_of(&self, epoch: u64) -> At {
        let steps_per_epoch = self.steps_per_epoch();
        At { step: (epoch - 1) * steps_per_epoch, steps_per_epoch, epochs: self.job.epochs }
    }

    /// Forward, loss, backward, step. The loss stays on the device, and so does the gradients' norm, where it is wanted.
    fn step(&mut self, batch: &Batch, lr: f64, traced: bool) -> Result<(Tensor, Option<Tensor>), Failure> {
        let output = (self.forward)(&batch.features, true)?;
        let loss = self.criterion.mean(&output, batch.target()?)?;
        loss.f_backward()?;
        let norm = traced.then(|| self.optimizer.gradient_norm()).transpose()?;
        self.optimizer.step(lr, self.job.clip)?;
        Ok((loss, norm))
    }
}
