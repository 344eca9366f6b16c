//! The trace of a training: every few steps the loss and the norm of the gradients, and a digest of all losses since the
//! row before. Where two runs part can be read from it.

use crate::checkpoint::{Part, Stateful};
use crate::failure::Failure;
use kilter::job::WorkerEvent;

/// The first steps are traced each: most runs that part do so early.
const FIRST: u64 = 10;
/// After them one of so many.
const EVERY: u64 = 10;

/// Whether a step (from 1) gets a row. The last of an epoch does, so that no loss is without one.
pub fn is_traced(step: u64, steps_per_epoch: u64) -> bool {
    step <= FIRST || step.is_multiple_of(EVERY) || (steps_per_epoch > 0 && step.is_multiple_of(steps_per_epoch))
}

/// What was seen since the last row: the bits of numbers, and not a digest under way, so that a checkpoint can hold it.
#[derive(Default)]
pub struct Trace {
    seen: Vec<u32>,
}

impl Trace {
    /// Notes the loss of a step; gives a row where the norm of its gradients is known.
    pub fn note(&mut self, epoch: u64, step: u64, loss: f32, norm: Option<f32>) -> Option<WorkerEvent> {
        self.seen.push(loss.to_bits());
        let norm = norm?;
        self.seen.push(norm.to_bits());
        let bytes: Vec<u8> = self.seen.drain(..).flat_map(u32::to_le_bytes).collect();
        let digest = blake3::hash(&bytes).to_hex()[..16].to_owned();
        let grad_norm = norm.is_finite().then_some(norm);
        Some(WorkerEvent::Trace { epoch, step, loss, grad_norm, digest })
    }
}

impl Stateful for Trace {
    fn save(&self, into: &mut Part) -> Result<(), Failure> {
        into.value("seen", &self.seen)
    }

    fn restore(&mut self, from: &Part) -> Result<(), Failure> {
        self.seen = from.get("seen")?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_steps_every_tenth_and_the_last_of_an_epoch_are_traced() {
        let traced: Vec<u64> = (1..=48).filter(|step| is_traced(*step, 24)).collect();
        assert_eq!(traced, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 24, 30, 40, 48]);
    }

    #[test]
    fn a_row_tells_of_every_loss_since_the_one_before() {
        let rows = |losses: [f32; 3]| {
            let mut trace = Trace::default();
            assert_eq!(trace.note(1, 11, losses[0], None), None);
            [trace.note(1, 12, losses[1], Some(2.0)), trace.note(1, 13, losses[2], Some(f32::INFINITY))]
        };
        let (one, other) = (rows([1.0, 2.0, 3.0]), rows([1.5, 2.0, 3.0]));
        assert_ne!(one[0], other[0]);
        assert_eq!(one[1], other[1]);
        assert!(matches!(&one[1], Some(WorkerEvent::Trace { step: 13, grad_norm: None, .. })));
    }
}
