//! Steps that a GPU is asked for as a whole: one is recorded as a CUDA graph, and others of its shape are replays of it. So a small
//! step does not wait for the processor to ask for each of its operators.

use super::batches::Batch;
use super::meter::Norms;
use super::precision::LossScale;
use super::step::Step;
use crate::failure::Failure;
use crate::shim::{Graph, Optimizer};
use kilter::job::{Clip, TrainJob};
use tch::{Device, Tensor};

/// So many steps are made the usual way before one is recorded: libraries choose and allocate in the first.
const BEFORE: u64 = 3;

/// Replays steps, once one is recorded.
pub struct Replay {
    device: Device,
    clip: Option<Clip>,
    /// Whether the norms of each parameter's gradients are told.
    each: bool,
    /// How many steps were made the usual way.
    made: u64,
    recorded: Option<Recorded>,
}

/// A step whose batch, loss and norms lie at fixed places. The norms are part of every step, because a step that is asked for in
/// the usual way, to be traced, takes as long as several that are replayed.
struct Recorded {
    graph: Graph,
    batch: Batch,
    loss: Tensor,
    norms: Norms,
}

impl Replay {
    /// For a job that wants it, on a GPU. The optimizer's rate goes to the device, because a recorded number would never change.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn new(job: &TrainJob, device: Device, optimizer: &mut Optimizer) -> Result<Option<Self>, Failure> {
        if !job.graph || device == Device::Cpu {
            return Ok(None);
        }
        optimizer.keep_rate_on_device()?;
        Ok(Some(Self { device, clip: job.clip, each: job.gradient_norms, made: 0, recorded: None }))
    }

    /// Makes a step with the optimizer's rate, and gives its loss, with the norms where it is traced; `None` where it has to be made
    /// the usual way.
    ///
    /// # Errors
    /// When a step cannot be recorded, or libtorch fails.
    pub fn step(
        &mut self,
        step: &Step<'_>,
        batch: &Batch,
        optimizer: &mut Optimizer,
        scale: Option<&mut LossScale>,
        traced: bool,
    ) -> Result<Option<(Tensor, Option<Norms>)>, Failure> {
        if self.made < BEFORE || !optimizer.is_started() {
            self.made += 1;
            return Ok(None);
        }
        let recorded = match self.recorded.take() {
            Some(recorded) => recorded,
            None => self.record(step, batch, optimizer, scale)?,
        };
        let fits = recorded.takes(batch)?;
        let given = match fits {
            true => {
                recorded.graph.replay()?;
                let norms = traced.then(|| recorded.norms()).transpose()?;
                Some((apart(&recorded.loss)?, norms))
            }
            false => None,
        };
        self.recorded = Some(recorded);
        Ok(given)
    }

    fn record(
        &self,
        step: &Step<'_>,
        batch: &Batch,
        optimizer: &mut Optimizer,
        scale: Option<&mut LossScale>,
    ) -> Result<Recorded, Failure> {
        let batch = batch.copied()?;
        let recorded = Graph::record(self.device, || {
            let loss = step.loss_and_gradients(&batch, scale.as_deref())?;
            if let Some(scale) = scale {
                scale.unscale(optimizer)?;
            }
            let norms = Norms::of(optimizer, self.each)?;
            optimizer.guard(&loss)?;
            // The rate is on the device.
            optimizer.step(0.0, self.clip)?;
            Ok((loss, norms))
        });
        let (graph, (loss, norms)) = recorded.map_err(|failure| {
            Failure::new(format!("a step of this training cannot be recorded: {}", failure.message))
                .hint("leave `graph` out: steps are then asked for operator by operator")
        })?;
        Ok(Recorded { graph, batch, loss, norms })
    }
}

/// A number in memory of its own, which the next replay does not overwrite.
fn apart(tensor: &Tensor) -> Result<Tensor, Failure> {
    Ok(tensor.f_add_scalar(0.0)?)
}

impl Recorded {
    /// The norms of the step that was replayed last.
    fn norms(&self) -> Result<Norms, Failure> {
        let parameters = self.norms.parameters.as_ref().map(apart).transpose()?;
        Ok(Norms { all: apart(&self.norms.all)?, parameters })
    }

    /// Takes a batch over; says whether it has the recorded shape.
    fn takes(&self, batch: &Batch) -> Result<bool, Failure> {
        let pairs = || {
            let features = self.batch.features.iter().map(|(name, to)| (Some(to), batch.features.get(name)));
            features.chain([(self.batch.target.as_ref(), batch.target.as_ref())])
        };
        let alike = |(to, from): (Option<&Tensor>, Option<&Tensor>)| match (to, from) {
            (Some(to), Some(from)) => to.size() == from.size() && to.kind() == from.kind(),
            (None, None) => true,
            _ => false,
        };
        if !pairs().all(alike) {
            return Ok(false);
        }
        for (to, from) in pairs() {
            if let (Some(to), Some(from)) = (to, from) {
                to.shallow_clone().f_copy_(from)?;
            }
        }
        Ok(true)
    }
}
