//! Computes a model's outputs for a dataset.

use super::tokens::{self, Masker};
use super::{Events, inputs, train::batches};
use crate::failure::Failure;
use crate::network::{self, Start};
use crate::numerics;
use crate::tensors::{Dataset, write};
use kilter::env::Cancel;
use kilter::job::{JobResult, PredictJob, WorkerEvent};
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor};

/// Writes `output`, `[rows, outputs]`, in the order of the rows.
///
/// # Errors
/// When the files do not fit each other, libtorch fails, or the job is cancelled.
pub fn run(job: &PredictJob, events: Events<'_>, cancel: &Cancel) -> Result<JobResult, Failure> {
    let device = numerics::apply(job.setting)?;
    let network = network::load(&job.architecture, Start::Weights(&job.weights), 0, device)?;
    let judged = job.tokens.as_ref();
    let data = Dataset::open(&job.data, judged.map(|judged| judged.target.as_str()), device)?;
    let data = match judged {
        Some(judged) => tokens::with_target(data, &judged.task, &judged.target)?,
        None => data,
    };
    inputs::check(&data, "data", network.inputs())?;
    let masker = judged.and_then(|judged| Masker::new(&judged.task, &judged.target, judged.seed));
    let mut choices = masker.as_ref().map(Masker::unchanging);
    let rows =
        judged.map_or(job.batch_size, |judged| tokens::rows_at_once(&judged.task, network.outputs(), job.batch_size));
    let mut outputs: Vec<Tensor> = Vec::new();
    let _no_grad = tch::no_grad_guard();
    let mut done: u64 = 0;
    for batch in batches::ahead(&data, rows)? {
        let mut batch = batch?;
        if cancel.is_set() {
            return Err(Failure::cancelled());
        }
        if let (Some(masker), Some(choices)) = (&masker, &mut choices) {
            masker.hide(&mut batch, choices)?;
        }
        let mut output = network.forward(&batch.features, false)?;
        if judged.is_some() {
            output = tokens::sums(&output, batch.target()?)?;
        }
        done += batch.rows.unsigned_abs();
        outputs.push(output.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?);
        events(WorkerEvent::Rows { done, total: data.rows.unsigned_abs() });
    }
    let output = match outputs.as_slice() {
        [] => Tensor::f_zeros([0, if judged.is_some() { 3 } else { network.outputs() }], (Kind::Float, Device::Cpu))?,
        parts => Tensor::f_cat(parts, 0)?,
    };
    write(&job.out, &BTreeMap::from([("output".to_owned(), output)]))?;
    Ok(JobResult {
        values: BTreeMap::from([("rows".to_owned(), data.rows as f64)]),
        environment: numerics::environment(job.setting),
        files: vec![job.out.clone()],
    })
}
