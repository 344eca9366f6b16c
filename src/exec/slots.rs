//! What running stages share: CPU cores, GPUs and memory.

use crate::check::CheckedStage;
use crate::digest::Tree;
use crate::job::DeviceChoice;
use crate::numbers::{bytes, count};

/// What a stage takes while it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Need {
    /// CPU cores: its thread budget.
    pub(super) cpus: usize,
    /// GPUs.
    pub(super) gpus: usize,
    /// The one GPU that it must be, by its place among all.
    pub(super) gpu: Option<usize>,
    /// Memory in bytes.
    pub(super) memory: u64,
}

impl Need {
    /// What a stage takes while it runs. CPU cores: what it says it needs, else its field `threads`, else one; never more
    /// than there are. Where it computes on a GPU without saying how many it needs, that is one; `cuda:1` is that one.
    pub(super) fn of(stage: &CheckedStage, slots: &Slots) -> Self {
        let field = |name: &str| match stage.spec.as_ref()?.tree() {
            Tree::Map(fields) => fields.get(name),
            _ => None,
        };
        let threads = || match field("threads")? {
            Tree::Int(threads) => usize::try_from(*threads).ok(),
            _ => None,
        };
        let size = |number: Option<u32>| number.and_then(|number| usize::try_from(number).ok());
        let needs = &stage.common.needs;
        let device = match field("device") {
            Some(Tree::Str(device)) => DeviceChoice::read(device),
            _ => None,
        };
        let (on_gpu, gpu) = match device {
            None | Some(DeviceChoice::Cpu) => (false, None),
            Some(DeviceChoice::Cuda) => (true, None),
            Some(DeviceChoice::CudaAt(place)) => (true, usize::try_from(place).ok()),
        };
        let cpus = size(needs.cpus).or_else(threads).unwrap_or(1);
        Self {
            cpus: cpus.clamp(1, slots.cpus),
            gpus: match gpu {
                Some(_) => 1,
                None => size(needs.gpus).unwrap_or(usize::from(on_gpu).min(slots.gpus())),
            },
            gpu,
            memory: needs.memory.unwrap_or(0),
        }
    }

    /// Whether it takes anything of what `lacking` lacks.
    pub(super) fn touches(&self, lacking: &Need) -> bool {
        (self.cpus > 0 && lacking.cpus > 0)
            || (self.gpus > 0 && lacking.gpus > 0)
            || (self.memory > 0 && lacking.memory > 0)
    }

    /// Both together.
    pub(super) fn and(self, other: Need) -> Need {
        Need {
            cpus: self.cpus.saturating_add(other.cpus),
            gpus: self.gpus.saturating_add(other.gpus),
            gpu: self.gpu.or(other.gpu),
            memory: self.memory.saturating_add(other.memory),
        }
    }
}

/// What a running stage holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) need: Need,
    /// Its GPUs, by name.
    pub(super) gpus: Vec<String>,
}

/// What there is in all, and what of it is free.
#[derive(Debug)]
pub(super) struct Slots {
    cpus: usize,
    gpus: Vec<String>,
    memory: u64,
    free: Need,
    free_gpus: Vec<String>,
}

impl Slots {
    /// So many cores, these GPUs, so many bytes; without a number of bytes memory is not counted.
    pub(super) fn new(cpus: usize, gpus: &[String], memory: Option<u64>) -> Self {
        let (cpus, memory) = (cpus.max(1), memory.unwrap_or(u64::MAX));
        let free = Need { cpus, gpus: gpus.len(), gpu: None, memory };
        Self { cpus, gpus: gpus.to_vec(), memory, free, free_gpus: gpus.to_vec() }
    }

    /// How many GPUs there are in all.
    fn gpus(&self) -> usize {
        self.gpus.len()
    }

    /// Why this can never be granted here, in words.
    pub(super) fn refuses(&self, need: &Need) -> Option<String> {
        let there = if self.gpus.is_empty() { "none".to_owned() } else { count(self.gpus.len() as u64) };
        if let Some(place) = need.gpu.filter(|place| *place >= self.gpus.len()) {
            return Some(format!("it computes on `cuda:{place}`, and of GPUs this machine has {there}"));
        }
        if need.gpus > self.gpus.len() {
            let plural = if need.gpus == 1 { "" } else { "s" };
            return Some(format!("it needs {} GPU{plural}, and this machine has {there}", count(need.gpus as u64)));
        }
        let (needed, there) = (bytes(need.memory), bytes(self.memory));
        (need.memory > self.memory).then(|| format!("it needs {needed} of memory, and this machine has {there}"))
    }

    /// What of a need is not free; nothing where it can be granted now.
    pub(super) fn lacking(&self, need: &Need) -> Option<Need> {
        let lacking = Need {
            cpus: need.cpus.saturating_sub(self.free.cpus),
            gpus: match self.pinned(need) {
                Some(name) => usize::from(!self.free_gpus.contains(name)),
                None => need.gpus.saturating_sub(self.free.gpus),
            },
            gpu: None,
            memory: need.memory.saturating_sub(self.free.memory),
        };
        (lacking != Need::default()).then_some(lacking)
    }

    /// The name of the one GPU that it must be.
    fn pinned(&self, need: &Need) -> Option<&String> {
        self.gpus.get(need.gpu?)
    }

    /// Whether no core is free, so that nothing can be granted.
    pub(super) fn is_full(&self) -> bool {
        self.free.cpus == 0
    }

    /// Grants what is free.
    pub(super) fn take(&mut self, need: Need) -> Grant {
        self.free.cpus = self.free.cpus.saturating_sub(need.cpus);
        self.free.gpus = self.free.gpus.saturating_sub(need.gpus);
        self.free.memory = self.free.memory.saturating_sub(need.memory);
        let gpus = match self.pinned(&need).cloned() {
            Some(name) => {
                self.free_gpus.retain(|free| *free != name);
                vec![name]
            }
            None => self.free_gpus.drain(..need.gpus.min(self.free_gpus.len())).collect(),
        };
        Grant { need, gpus }
    }

    /// Takes back what was granted.
    pub(super) fn give(&mut self, grant: Grant) {
        self.free.cpus += grant.need.cpus;
        self.free.gpus += grant.need.gpus;
        self.free.memory = self.free.memory.saturating_add(grant.need.memory).min(self.memory);
        self.free_gpus.extend(grant.gpus);
        self.free_gpus.sort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(cpus: usize, gpus: usize, memory: u64) -> Need {
        Need { cpus, gpus, gpu: None, memory }
    }

    #[test]
    fn a_stage_that_names_its_gpu_gets_that_one_and_waits_for_it() {
        let mut slots = Slots::new(4, &["0".into(), "1".into()], None);
        let second = Need { gpu: Some(1), ..need(1, 1, 0) };
        let held = slots.take(second);
        assert_eq!(held.gpus, ["1"]);
        assert_eq!(slots.lacking(&second).map(|lacking| lacking.gpus), Some(1));
        assert_eq!(slots.lacking(&need(1, 1, 0)), None);
        slots.give(held);
        assert_eq!(slots.lacking(&second), None);
        assert_eq!(
            slots.refuses(&Need { gpu: Some(2), ..second }).unwrap(),
            "it computes on `cuda:2`, and of GPUs this machine has 2"
        );
    }

    #[test]
    fn what_is_taken_comes_back_and_each_gpu_has_one_user() {
        let mut slots = Slots::new(4, &["0".into(), "1".into()], Some(100));
        let one = slots.take(need(1, 1, 60));
        assert_eq!(one.gpus, ["0"]);
        assert_eq!(slots.lacking(&need(1, 0, 60)), Some(need(0, 0, 20)));
        let two = slots.take(need(3, 1, 40));
        assert_eq!(two.gpus, ["1"]);
        assert!(slots.is_full());
        slots.give(one);
        assert_eq!(slots.lacking(&need(1, 1, 60)), None);
        slots.give(two);
        assert_eq!(slots.take(need(4, 2, 100)).gpus, ["0", "1"]);
    }

    #[test]
    fn what_the_machine_does_not_have_is_refused_in_words() {
        let slots = Slots::new(2, &[], Some(8_000_000_000));
        assert_eq!(slots.refuses(&need(2, 0, 8_000_000_000)), None);
        assert_eq!(slots.refuses(&need(1, 2, 0)).unwrap(), "it needs 2 GPUs, and this machine has none");
        assert_eq!(
            slots.refuses(&need(1, 0, 16_000_000_000)).unwrap(),
            "it needs 16.0 GB of memory, and this machine has 8.0 GB"
        );
        assert_eq!(Slots::new(2, &[], None).refuses(&need(1, 0, u64::MAX)), None);
    }
}
