//! One pass through the training data.

use super::super::tokens::Masker;
use super::batches::{self, Batch, Batches};
use super::course::Course;
use super::diverged::Diverged;
use super::loader::Loader;
use super::meter::{Made, Norms};
use super::precision::LOOKED_AT;
use super::step::Step;
use super::{augment, mixup, order, trace};
use crate::checkpoint::Keeper;
use crate::failure::Failure;
use crate::tensors::Dataset;
use kilter::env::Cancel;
use kilter::job::TrainJob;
use kilter::nn::schedule::At;
use tch::{Device, Tensor};

/// What an epoch works with. What changes is the [`Course`].
pub struct Trainer<'a> {
    /// The job.
    pub job: &'a TrainJob,
    /// The training data.
    pub data: &'a Dataset,
    /// How the loss of a step is computed.
    pub step: Step<'a>,
    /// Hides tokens, where those are to be guessed.
    pub masker: Option<Masker<'a>>,
    /// How many outputs a row has.
    pub outputs: i64,
    /// Where.
    pub device: Device,
    /// Set when the job is to stop.
    pub cancel: &'a Cancel,
}

/// What an epoch gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EpochResult {
    /// The mean training loss of its targets, while the weights changed.
    pub loss: f64,
    /// The learning rate of its last step.
    pub lr: f64,
}

impl Trainer<'_> {
    /// How many steps an epoch has.
    pub fn steps_per_epoch(&self) -> u64 {
        batches::count(self.data.rows, self.job.batch_size, self.job.drop_last)
    }

    /// Runs the epoch that is next, or what is left of it. Its choices depend on the seed and its number alone.
    ///
    /// # Errors
    /// When the loss is no longer a finite number, libtorch fails, or the job is cancelled.
    pub fn epoch(&self, course: &mut Course<'_>, mut keeper: Option<&mut Keeper>) -> Result<EpochResult, Failure> {
        course.begin_epoch(self.steps_per_epoch());
        let begun = course.at.step - course.at.batch;
        let outcome = self.batches(course, &mut keeper);
        let outcome = outcome.and_then(|()| course.meter.finish(&mut |event| course.record.tell(event)));
        match (outcome, course.meter.diverged) {
            (Ok((loss, lr)), _) => Ok(EpochResult { loss, lr }),
            (Err(_), Some(diverged)) => Err(self.explain(&diverged, diverged.step - begun - 1, course)?),
            (Err(failure), None) => Err(failure),
        }
    }

    /// The batches of an epoch that are left.
    fn batches(&self, course: &mut Course<'_>, keeper: &mut Option<&mut Keeper>) -> Result<(), Failure> {
        let base_lr = course.base_lr();
        let mut batches = self.ahead(course)?;
        let waited = course.waited;
        while let Some(batch) = batches.next() {
            let mut batch = batch?;
            course.waited = waited + batches.waited();
            if self.cancel.is_set() {
                return Err(Failure::cancelled());
            }
            self.vary(course, &mut batch)?;
            self.step(course, &batch, base_lr)?;
            if let Some(keeper) = keeper {
                keeper.consider(course)?;
            }
        }
        Ok(())
    }

    /// The batches of the epoch under way that are left. Where a thread gathers them it begins with the next epoch's first ones
    /// already while this one is computed.
    fn ahead(&self, course: &mut Course<'_>) -> Result<Batches<'_>, Failure> {
        let (job, at) = (self.job, course.at);
        if self.data.home() != Device::Cpu || !(job.shuffle || self.data.is_put_together()) {
            return Ok(self.order(at.epoch)?.from_batch(at.batch));
        }
        let loader = match course.ahead.take() {
            Some((epoch, loader)) if epoch == at.epoch && at.batch == 0 => loader,
            _ => self.loader(at.epoch, at.batch)?,
        };
        if at.epoch < job.epochs {
            course.ahead = Some((at.epoch + 1, self.loader(at.epoch + 1, 0)?));
        }
        let batches = batches::in_order(self.data, job.batch_size).drop_last(job.drop_last);
        Ok(batches.from_batch(at.batch).loaded(loader))
    }

    /// Begins to gather an epoch's batches from one of them on.
    fn loader(&self, epoch: u64, batch: u64) -> Result<Loader, Failure> {
        let (rows, seed, size) = (self.data.rows, self.job.seed, self.job.batch_size.max(1));
        let used = if self.job.drop_last { self.steps_per_epoch() as usize * size } else { usize::MAX };
        let shuffle = self.job.shuffle;
        let order = move || {
            let order = if shuffle { order::shuffled(rows, seed, epoch) } else { (0..rows).collect() };
            let done = (batch as usize).saturating_mul(size);
            order.into_iter().take(used).skip(done).collect()
        };
        Loader::start(self.data, order, size)
    }

    /// The batches of an epoch, in its order.
    fn order(&self, epoch: u64) -> Result<Batches<'_>, Failure> {
        let job = self.job;
        let batches = batches::in_order(self.data, job.batch_size).drop_last(job.drop_last);
        if job.shuffle { batches.ordered(&order::shuffled(self.data.rows, job.seed, epoch)) } else { Ok(batches) }
    }

    /// Varies images, mixes rows, and hides tokens.
    fn vary(&self, course: &mut Course<'_>, batch: &mut Batch) -> Result<(), Failure> {
        if let Some(augment) = self.job.augment {
            augment::apply(augment, &mut course.choices.0, &mut batch.features)?;
            if augment.mixup > 0.0 {
                let target = batch.target()?.shallow_clone();
                batch.mix = Some(mixup::mix(augment.mixup, &mut course.choices.0, &mut batch.features, &target)?);
            }
        }
        if let Some(masker) = &self.masker {
            masker.hide(batch, &mut masker.choices(course.at.epoch, course.at.batch))?;
        }
        Ok(())
    }

    /// Why the batch of this number in the epoch gave a loss that cannot be gone on from.
    fn explain(&self, diverged: &Diverged, batch: u64, course: &Course<'_>) -> Result<Failure, Failure> {
        let mut batches = self.order(diverged.epoch)?.from_batch(batch);
        let rows = batches.next_rows();
        let Some(batch) = batches.next() else { return Ok(diverged.failure()) };
        Ok(diverged.explained(&batch?, &rows, &course.weights, self.step.forward, self.job.clip.is_some()))
    }

    /// Loss, gradients, step. The loss stays on the device, and so do the gradients' norms, where they are wanted.
    fn step(&self, course: &mut Course<'_>, batch: &Batch, base_lr: f64) -> Result<(), Failure> {
        let job = self.job;
        let at = At { step: course.at.step, steps_per_epoch: self.steps_per_epoch(), epochs: job.epochs };
        let lr = job.schedule.lr(base_lr, at);
        let traced = trace::is_traced(at.step + 1, at.steps_per_epoch);
        let replayed = match &mut course.replay {
            Some(replay) => {
                course.optimizer.set_rate(lr)?;
                replay.step(&self.step, batch, &mut course.optimizer, course.scale.as_mut(), traced)?
            }
            None => None,
        };
        let (loss, norms, is_sound) = match replayed {
            Some((loss, norms)) => (loss, norms, true),
            None => self.usual_step(course, batch, lr, traced)?,
        };
        if let Some(average) = &mut course.average {
            average.take(&course.weights)?;
        }
        course.at.step += 1;
        course.at.batch += 1;
        let targets = self.step.criterion.targets(batch.target()?)?;
        let made = Made { loss: &loss, norms, rows: batch.rows, targets, lr };
        course.meter.note(made, &mut |event| course.record.tell(event))?;
        // A step that was not made is told of before there is another.
        if !is_sound {
            course.meter.look(&mut |event| course.record.tell(event))?;
        }
        self.look_at_scale(course)
    }

    /// Now and then, at the same steps every time, looks whether there is a scale to go on with.
    fn look_at_scale(&self, course: &mut Course<'_>) -> Result<(), Failure> {
        let is_due = course.at.step.is_multiple_of(LOOKED_AT) || course.at.batch == self.steps_per_epoch();
        let Some(scale) = course.scale.as_ref().filter(|_| is_due) else { return Ok(()) };
        // A loss that is no number has no scale either, and is told of first.
        course.meter.look(&mut |event| course.record.tell(event))?;
        scale.check()
    }

    /// Whether a step waits for its loss, so that none is made from one that is no number: on a processor, where that costs nothing,
    /// and by rules that no tensor on the device can hold back. Their state decays with every step, whatever the gradients are.
    fn waits(&self) -> bool {
        self.device == Device::Cpu || !self.job.optimizer.is_fused()
    }

    /// A step that is asked for operator by operator: its loss, the norms where they are wanted, and whether the loss is a number.
    fn usual_step(
        &self,
        course: &mut Course<'_>,
        batch: &Batch,
        lr: f64,
        traced: bool,
    ) -> Result<(Tensor, Option<Norms>, bool), Failure> {
        let loss = self.step.loss_and_gradients(batch, course.scale.as_ref())?;
        let is_sound = !self.waits() || loss.f_double_value(&[])?.is_finite();
        if let Some(scale) = &mut course.scale
            && is_sound
        {
            scale.unscale(&mut course.optimizer)?;
        }
        let norms = traced.then(|| Norms::of(&course.optimizer, self.job.gradient_norms)).transpose()?;
        if is_sound {
            course.optimizer.guard(&loss)?;
            course.optimizer.step(lr, self.job.clip)?;
        } else {
            course.optimizer.forget();
        }
        Ok((loss, norms, is_sound))
    }
}
