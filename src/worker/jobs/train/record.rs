//! What was told of a training that becomes an output: the rows of its trace and of its history. A checkpoint holds them, and a
//! training that goes on from it tells them again, so that whoever listens hears the whole.

use super::super::Events;
use crate::checkpoint::{Part, Stateful};
use crate::failure::Failure;
use kilter::job::WorkerEvent;
use std::collections::BTreeMap;
use tch::Tensor;

/// Rows of the trace, by column.
#[derive(Default)]
struct Rows {
    step: Vec<i64>,
    epoch: Vec<i64>,
    loss: Vec<f32>,
    /// NaN where it is not finite.
    grad_norm: Vec<f32>,
    /// Eight bytes each.
    digest: Vec<u8>,
}

/// The norms of the gradients of layers at a step.
struct Gradients {
    epoch: u64,
    step: u64,
    norms: BTreeMap<String, Option<f32>>,
}

/// Tells events, and keeps those that become outputs.
pub struct Record<'a> {
    events: Events<'a>,
    /// Epochs in all.
    epochs: u64,
    trace: Rows,
    gradients: Vec<Gradients>,
    history: Vec<BTreeMap<String, f64>>,
    /// Whether it was told that the history has a value that is no finite number.
    warned: bool,
}

impl<'a> Record<'a> {
    /// Nothing told yet, of a training of so many epochs.
    pub fn new(events: Events<'a>, epochs: u64) -> Self {
        Self { events, epochs, trace: Rows::default(), gradients: Vec::new(), history: Vec::new(), warned: false }
    }

    /// Tells an event.
    pub fn tell(&mut self, event: WorkerEvent) {
        if let WorkerEvent::Trace { epoch, step, loss, grad_norm, digest } = &event {
            self.trace.step.push(step.cast_signed());
            self.trace.epoch.push(epoch.cast_signed());
            self.trace.loss.push(*loss);
            self.trace.grad_norm.push(grad_norm.unwrap_or(f32::NAN));
            self.trace.digest.extend(u64::from_str_radix(digest, 16).unwrap_or_default().to_be_bytes());
        }
        if let WorkerEvent::Gradients { epoch, step, norms } = &event {
            self.gradients.push(Gradients { epoch: *epoch, step: *step, norms: norms.clone() });
        }
        (self.events)(event);
    }

    /// The values of a column of the history, epoch by epoch.
    pub fn values<'b>(&'b self, name: &'b str) -> impl Iterator<Item = f64> + 'b {
        self.history.iter().filter_map(move |values| values.get(name).copied())
    }

    /// The loss of the first step, once it was told.
    pub fn first_loss(&self) -> Option<f64> {
        self.trace.loss.first().copied().map(f64::from)
    }

    /// Tells the end of the next epoch, with its row of the history. What is no finite number is kept for whoever follows it, and
    /// left out of what is told.
    pub fn end_epoch(&mut self, values: BTreeMap<String, f64>) {
        let epoch = self.history.len() as u64 + 1;
        if let Some((name, value)) = values.iter().find(|(_, value)| !value.is_finite())
            && !self.warned
        {
            self.warned = true;
            let message = format!(
                "`{name}` is no finite number after epoch {epoch} ({value}), and the history is empty there: look for huge values in the validation data"
            );
            (self.events)(WorkerEvent::Warning { message });
        }
        self.history.push(values.clone());
        (self.events)(WorkerEvent::Epoch { epoch, epochs: self.epochs, values: finite(values) });
    }

    /// The last row of the history; empty before the first epoch's end.
    pub fn last(&self) -> BTreeMap<String, f64> {
        self.history.last().cloned().unwrap_or_default()
    }

    /// How many epochs are done.
    pub fn epochs(&self) -> u64 {
        self.history.len() as u64
    }

    fn tell_again(&mut self) {
        let rows = &self.trace;
        for (at, digest) in rows.digest.chunks_exact(8).enumerate() {
            let digest = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            let (epoch, step) = (rows.epoch[at].cast_unsigned(), rows.step[at].cast_unsigned());
            let grad_norm = Some(rows.grad_norm[at]).filter(|norm| norm.is_finite());
            (self.events)(WorkerEvent::Trace { epoch, step, loss: rows.loss[at], grad_norm, digest });
        }
        for Gradients { epoch, step, norms } in &self.gradients {
            (self.events)(WorkerEvent::Gradients { epoch: *epoch, step: *step, norms: norms.clone() });
        }
        for (epoch, values) in (1..).zip(&self.history) {
            (self.events)(WorkerEvent::Epoch { epoch, epochs: self.epochs, values: finite(values.clone()) });
        }
    }
}

/// The finite ones: JSON, in which they are told, has no other numbers.
pub fn finite(mut values: BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    values.retain(|_, value| value.is_finite());
    values
}

impl Record<'_> {
    /// Rows of numbers beside the names of their columns; NaN where one is not finite.
    fn save_gradients(&self, into: &mut Part) -> Result<(), Failure> {
        let Some(first) = self.gradients.first() else { return Ok(()) };
        into.value("gradients.layers", &first.norms.keys().collect::<Vec<_>>())?;
        let column =
            |of: fn(&Gradients) -> u64| self.gradients.iter().map(|row| of(row).cast_signed()).collect::<Vec<i64>>();
        into.fixed_tensor("gradients.step", &Tensor::f_from_slice(&column(|row| row.step))?)?;
        into.fixed_tensor("gradients.epoch", &Tensor::f_from_slice(&column(|row| row.epoch))?)?;
        let norms = self.gradients.iter().flat_map(|row| row.norms.values().map(|norm| norm.unwrap_or(f32::NAN)));
        into.fixed_tensor("gradients.norms", &Tensor::f_from_slice(&norms.collect::<Vec<f32>>())?)
    }
}

fn read_gradients(from: &Part) -> Result<Vec<Gradients>, Failure> {
    if !from.values.contains_key("gradients.layers") {
        return Ok(Vec::new());
    }
    let layers: Vec<String> = from.get("gradients.layers")?;
    let steps: Vec<i64> = Vec::try_from(from.get_tensor("gradients.step")?)?;
    let epochs: Vec<i64> = Vec::try_from(from.get_tensor("gradients.epoch")?)?;
    let norms: Vec<f32> = Vec::try_from(from.get_tensor("gradients.norms")?)?;
    let rows = steps.iter().zip(epochs).zip(norms.chunks_exact(layers.len().max(1)));
    let row = |((step, epoch), norms): ((&i64, i64), &[f32])| Gradients {
        epoch: epoch.cast_unsigned(),
        step: step.cast_unsigned(),
        norms: layers
            .iter()
            .cloned()
            .zip(norms.iter().map(|norm| Some(*norm).filter(|norm| norm.is_finite())))
            .collect(),
    };
    Ok(rows.map(row).collect())
}

impl Stateful for Record<'_> {
    fn save(&self, into: &mut Part) -> Result<(), Failure> {
        let rows = &self.trace;
        into.fixed_tensor("trace.step", &Tensor::f_from_slice(&rows.step)?)?;
        into.fixed_tensor("trace.epoch", &Tensor::f_from_slice(&rows.epoch)?)?;
        into.fixed_tensor("trace.loss", &Tensor::f_from_slice(&rows.loss)?)?;
        into.fixed_tensor("trace.grad_norm", &Tensor::f_from_slice(&rows.grad_norm)?)?;
        into.fixed_tensor("trace.digest", &Tensor::f_from_slice(&rows.digest)?)?;
        self.save_gradients(into)?;
        into.value("epochs", &self.history.len())?;
        (1..)
            .zip(&self.history)
            .try_for_each(|(epoch, values): (u64, _)| into.numbers(format!("epoch {epoch}"), values))
    }

    fn restore(&mut self, from: &Part) -> Result<(), Failure> {
        self.trace = Rows {
            step: Vec::try_from(from.get_tensor("trace.step")?)?,
            epoch: Vec::try_from(from.get_tensor("trace.epoch")?)?,
            loss: Vec::try_from(from.get_tensor("trace.loss")?)?,
            grad_norm: Vec::try_from(from.get_tensor("trace.grad_norm")?)?,
            digest: Vec::try_from(from.get_tensor("trace.digest")?)?,
        };
        let count = self.trace.step.len();
        let lengths = [self.trace.epoch.len(), self.trace.loss.len(), self.trace.grad_norm.len()];
        if lengths != [count; 3] || self.trace.digest.len() != count * 8 {
            return Err(Failure::new("the trace of a checkpoint has columns of different lengths"));
        }
        self.gradients = read_gradients(from)?;
        let epochs: u64 = from.get("epochs")?;
        self.history =
            (1..=epochs).map(|epoch| from.get_numbers(&format!("epoch {epoch}"))).collect::<Result<_, _>>()?;
        self.tell_again();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_told_again_after_a_restore() {
        let (mut first, mut again) = (Vec::new(), Vec::new());
        let mut part = Part::default();
        {
            let mut events = |event| first.push(event);
            let mut record = Record::new(&mut events, 3);
            for (step, grad_norm) in [(1, Some(0.1_f32)), (2, None)] {
                let digest = format!("{:016x}", 0x00ab_cdef_0123_4567_u64 + step);
                record.tell(WorkerEvent::Trace { epoch: 1, step, loss: 0.3, grad_norm, digest });
            }
            for step in [1, 2] {
                let norms = BTreeMap::from([("layers.0".to_owned(), Some(0.1)), ("layers.2".to_owned(), None)]);
                record.tell(WorkerEvent::Gradients { epoch: 1, step, norms });
            }
            record.end_epoch(BTreeMap::from([("loss".to_owned(), 0.1 + 0.2), ("lr".to_owned(), 1e-300)]));
            record.save(&mut part).expect("saved");
        }
        let mut events = |event| again.push(event);
        let mut record = Record::new(&mut events, 3);
        record.restore(&part).expect("restored");
        assert_eq!((record.epochs(), record.last()["loss"].to_bits()), (1, (0.1_f64 + 0.2).to_bits()));
        assert_eq!(first, again);
    }

    #[test]
    fn what_json_has_no_number_for_is_told_once_and_followed_all_the_same() {
        let mut told = Vec::new();
        let mut events = |event| told.push(event);
        let mut record = Record::new(&mut events, 2);
        for _ in 0..2 {
            let row = [("loss", 0.5), ("val_loss", f64::INFINITY)].map(|(name, value)| (name.to_owned(), value));
            record.end_epoch(BTreeMap::from(row));
        }
        assert_eq!(record.values("val_loss").collect::<Vec<_>>(), [f64::INFINITY; 2]);
        let words = "`val_loss` is no finite number after epoch 1 (inf), and the history is empty there: look for huge values in the validation data";
        assert!(matches!(&told[0], WorkerEvent::Warning { message } if message == words), "{told:?}");
        let only = BTreeMap::from([("loss".to_owned(), 0.5)]);
        let row = |epoch| WorkerEvent::Epoch { epoch, epochs: 2, values: only.clone() };
        assert_eq!(told[1..], [row(1), row(2)]);
    }
}
