//! What a checkpoint holds.

use crate::failure::Failure;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use tch::{Device, Tensor};

/// What has a part in checkpoints.
pub trait Stateful {
    /// Adds all that changes to a part.
    ///
    /// # Errors
    /// What libtorch says.
    fn save(&self, into: &mut Part) -> Result<(), Failure>;

    /// Becomes what a part says.
    ///
    /// # Errors
    /// When the part lacks something, or has another shape.
    fn restore(&mut self, from: &Part) -> Result<(), Failure>;
}

/// What is there sometimes: an empty part stands for nothing.
impl<T: Stateful> Stateful for Option<T> {
    fn save(&self, into: &mut Part) -> Result<(), Failure> {
        self.as_ref().map_or(Ok(()), |inner| inner.save(into))
    }

    fn restore(&mut self, from: &Part) -> Result<(), Failure> {
        self.as_mut().map_or(Ok(()), |inner| inner.restore(from))
    }
}

/// Where a training is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The epoch under way, from 1; behind the last where all are done.
    pub epoch: u64,
    /// Batches of it that are done.
    pub batch: u64,
    /// Optimizer steps since the start.
    pub step: u64,
    /// An early stop ended the training.
    pub stopped: bool,
}

/// The part of one component.
#[derive(Debug, Default)]
pub struct Part {
    /// Tensors on the CPU, by name.
    pub tensors: BTreeMap<String, Tensor>,
    /// Values, by name.
    pub values: BTreeMap<String, Value>,
}

impl Part {
    /// Adds a copy of a tensor.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn tensor(&mut self, name: impl Into<String>, tensor: &Tensor) -> Result<(), Failure> {
        let copy = tch::no_grad(|| -> Result<Tensor, Failure> {
            let mut copy = Tensor::f_empty(tensor.size(), (tensor.kind(), Device::Cpu))?;
            copy.f_copy_(&tensor.f_detach()?)?;
            Ok(copy)
        })?;
        self.tensors.insert(name.into(), copy);
        Ok(())
    }

    /// Adds a tensor that nobody will change, without a copy.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn fixed_tensor(&mut self, name: impl Into<String>, tensor: &Tensor) -> Result<(), Failure> {
        self.tensors.insert(name.into(), tensor.f_detach()?.f_to_device(Device::Cpu)?.f_contiguous()?);
        Ok(())
    }

    /// Adds a value.
    ///
    /// # Errors
    /// When it is no JSON value.
    pub fn value(&mut self, name: impl Into<String>, value: &impl Serialize) -> Result<(), Failure> {
        let value = serde_json::to_value(value).map_err(|error| Failure::new(format!("the checkpoint: {error}")))?;
        self.values.insert(name.into(), value);
        Ok(())
    }

    /// Adds a number that comes back bit for bit, whatever it is.
    ///
    /// # Errors
    /// Never.
    pub fn number(&mut self, name: impl Into<String>, value: f64) -> Result<(), Failure> {
        self.value(name, &value.to_bits())
    }

    /// Adds numbers by name.
    ///
    /// # Errors
    /// Never.
    pub fn numbers(&mut self, name: impl Into<String>, values: &BTreeMap<String, f64>) -> Result<(), Failure> {
        let bits: BTreeMap<&String, u64> = values.iter().map(|(name, value)| (name, value.to_bits())).collect();
        self.value(name, &bits)
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty() && self.values.is_empty()
    }

    /// A tensor. It shares the memory of a file, so what is to outlive the state must be a copy.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn get_tensor(&self, name: &str) -> Result<&Tensor, Failure> {
        self.tensors.get(name).ok_or_else(|| lacks(name))
    }

    /// Copies a tensor into one of the same shape, wherever that is.
    ///
    /// # Errors
    /// When there is none of this name, or it has another shape or type.
    pub fn copy_into(&self, name: &str, target: &Tensor) -> Result<(), Failure> {
        let stored = self.get_tensor(name)?;
        if stored.size() != target.size() || stored.kind() != target.kind() {
            let text = |tensor: &Tensor| format!("{:?} {:?}", tensor.kind(), tensor.size());
            return Err(Failure::new(format!("`{name}` is {}, expected {}", text(stored), text(target))));
        }
        tch::no_grad(|| Ok(target.shallow_clone().f_copy_(stored)?))
    }

    /// A value.
    ///
    /// # Errors
    /// When there is none of this name and type.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<T, Failure> {
        let value = self.values.get(name).ok_or_else(|| lacks(name))?;
        T::deserialize(value).map_err(|error| Failure::new(format!("`{name}` of a checkpoint: {error}")))
    }

    /// A number.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn get_number(&self, name: &str) -> Result<f64, Failure> {
        self.get(name).map(f64::from_bits)
    }

    /// Numbers by name.
    ///
    /// # Errors
    /// When there are none of this name.
    pub fn get_numbers(&self, name: &str) -> Result<BTreeMap<String, f64>, Failure> {
        let bits: BTreeMap<String, u64> = self.get(name)?;
        Ok(bits.into_iter().map(|(name, value)| (name, f64::from_bits(value))).collect())
    }
}

fn lacks(name: &str) -> Failure {
    Failure::new(format!("the checkpoint lacks `{name}`"))
}

/// All that changes while a job runs, at one moment.
#[derive(Debug)]
pub struct State {
    /// Where the training is.
    pub at: Position,
    /// What its numbers depend on besides the job: of another processor or device no checkpoint is taken.
    pub environment: BTreeMap<String, String>,
    /// The components' parts; empty ones are left out.
    pub parts: BTreeMap<String, Part>,
}
