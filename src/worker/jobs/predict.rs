//! Computes a model's outputs for a dataset.

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
    let data = Dataset::open(&job.data, None, device)?;
    inputs::check(&data, "data", network.inputs())?;
    let mut outputs: Vec<Tensor> = Vec::new();
    let _no_grad = tch::no_grad_guard();
    let mut done: u64 = 0;
    for batch in batches::in_order(&data, job.batch_size) {
        let batch = batch?;
        if cancel.is_set() {
            return Err(Failure::cancelled());
        }
        let output = network.forward(&batch.features, false)?;
        done += batch.rows.unsigned_abs();
        outputs.push(output.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?);
        events(WorkerEvent::Rows { done, total: data.rows.unsigned_abs() });
    }
    let output = match outputs.as_slice() {
        [] => Tensor::f_zeros([0, network.outputs()], (Kind::Float, Device::Cpu))?,
        parts => Tensor::f_cat(parts, 0)?,
    };
    write(&job.out, &BTreeMap::from([("output".to_owned(), output)]))?;
    Ok(JobResult {
        values: BTreeMap::from([("rows".to_owned(), data.rows as f64)]),
        environment: numerics::environment(job.setting),
        files: vec![job.out.clone()],
    })
}
