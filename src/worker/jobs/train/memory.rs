//! What fits into a GPU's memory: found by trying the forward and backward pass of a batch, or of parts of it.

use super::batches::{self, Batch};
use super::step::Step;
use crate::failure::Failure;
use crate::shim::Optimizer;
use crate::tensors::{Dataset, Weights};
use kilter::job::{Accumulate, TrainJob};
use tch::Device;

/// Whether memory decides in how many parts a step is computed. That of a processor is not refused; who takes too much of it is
/// killed.
pub fn decides(job: &TrainJob, device: Device) -> bool {
    job.accumulate == Accumulate::Auto && device != Device::Cpu
}

/// What trying needs.
pub struct Trial<'a> {
    pub job: &'a TrainJob,
    pub data: &'a Dataset,
    pub step: &'a Step<'a>,
}

impl Trial<'_> {
    /// In how many parts a step is computed: as many as the job says, or as have to be to fit, the least power of two. The
    /// weights and buffers are as before then.
    ///
    /// # Errors
    /// When not even a row at a time fits, or libtorch fails otherwise.
    pub fn parts(&self, device: Device, weights: &Weights, optimizer: &mut Optimizer) -> Result<u64, Failure> {
        match self.job.accumulate {
            Accumulate::Parts(parts) => return Ok(parts),
            Accumulate::Auto if !decides(self.job, device) => return Ok(1),
            Accumulate::Auto => {}
        }
        let before = weights.snapshot();
        let mut parts = 1;
        let rows = self.job.batch_size as u64;
        let found = loop {
            match self.fits(self.job.batch_size, parts, optimizer) {
                Err(failure) if failure.is_out_of_memory() && parts < rows => parts = (2 * parts).min(rows),
                Err(failure) => break Err(failure),
                Ok(()) => break Ok(parts),
            }
        };
        weights.put_back(&before)?;
        found
    }

    /// The failure of a training that ran out of memory, with what would fit.
    pub fn advice(&self, failure: Failure, optimizer: &mut Optimizer) -> Failure {
        let rows = self.job.batch_size.min(usize::try_from(self.data.rows).unwrap_or(usize::MAX));
        let mut parts = 2;
        optimizer.forget();
        while parts <= rows {
            match self.fits(rows / parts, 1, optimizer) {
                Err(tried) if tried.is_out_of_memory() => parts *= 2,
                Err(_) => return failure,
                Ok(()) => {
                    let message = format!("the GPU is out of memory with a batch of {rows} rows");
                    return Failure { message: format!("{message}: {}", failure.message), hints: Vec::new() }
                        .hint(format!("`batch_size = {}` fits", rows / parts))
                        .hint(format!("or `accumulate = {parts}` (or \"auto\"): the same step, computed in parts"));
                }
            }
        }
        failure.hint("not even a row at a time fits: the network needs a larger GPU")
    }

    /// Whether the passes over so many rows fit, in so many parts.
    fn fits(&self, rows: usize, parts: u64, optimizer: &mut Optimizer) -> Result<(), Failure> {
        let batch: Option<Result<Batch, Failure>> = batches::in_order(self.data, rows).next();
        let Some(batch) = batch.transpose()? else { return Ok(()) };
        let Step { forward, criterion, casting, .. } = *self.step;
        let outcome = Step { forward, criterion, casting, parts }.loss_and_gradients(&batch, None).map(drop);
        optimizer.forget();
        outcome
    }
}
