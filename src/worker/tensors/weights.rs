//! A network's weights: names, loading, saving, and a copy to come back to.

use super::file::{TensorFile, write};
use crate::checkpoint::{Part, Stateful};
use crate::failure::Failure;
use crate::shim;
use std::collections::BTreeMap;
use std::path::Path;
use tch::nn::VarStore;
use tch::{Kind, Tensor};

/// The parameters and buffers of a network, sorted by name; they share the network's storage.
pub struct Weights(BTreeMap<String, Tensor>);

impl Weights {
    /// Those of a variable store.
    pub fn of(store: &VarStore) -> Self {
        Self(store.variables().into_iter().collect())
    }

    /// Them with their names, in the order of these.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Tensor)> {
        self.0.iter()
    }

    /// The first that are no finite numbers; `None` where all are.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn not_finite(&self) -> Result<Option<&String>, Failure> {
        for (name, tensor) in &self.0 {
            if tensor.kind() == Kind::Float && tensor.f_isfinite()?.f_all()?.f_int64_value(&[])? == 0 {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    /// Lays convolution kernels out with their channels last, which convolutions on the CPU are faster with.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn channels_last(&self) -> Result<(), Failure> {
        self.0.values().try_for_each(shim::channels_last)
    }

    /// Takes the values of a file.
    ///
    /// # Errors
    /// When a name is missing on either side, or a shape differs.
    pub fn load(&self, path: &Path) -> Result<(), Failure> {
        self.load_part(path, |_| true)
    }

    /// Takes the values of a file for the weights whose names are among the wanted ones.
    ///
    /// # Errors
    /// When a wanted name is missing on either side, or a shape differs.
    pub fn load_part(&self, path: &Path, wanted: impl Fn(&str) -> bool) -> Result<(), Failure> {
        let file = TensorFile::open(path)?;
        let has = |name: &String| self.0.contains_key(name) && wanted(name);
        if let Some(extra) = file.tensors().keys().find(|name| !has(name)) {
            return Err(of_another(path, &format!("the network has no weights `{extra}`")));
        }
        for (name, tensor) in self.0.iter().filter(|(name, _)| wanted(name)) {
            let stored = file
                .tensors()
                .get(name)
                .ok_or_else(|| of_another(path, &format!("the weights `{name}` are missing")))?;
            if stored.size() != tensor.size() {
                let text = format!("`{name}` has shape {:?}, expected {:?}", stored.size(), tensor.size());
                return Err(of_another(path, &text));
            }
            tch::no_grad(|| tensor.shallow_clone().f_copy_(stored))?;
        }
        Ok(())
    }

    /// Writes them.
    ///
    /// # Errors
    /// When one of them is not finite, or the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), Failure> {
        if let Some(name) = self.not_finite()? {
            return Err(Failure::new(format!("the weights `{name}` are no longer finite numbers"))
                .hint("a lower learning rate, or `clip = { norm = 1.0 }`, keeps them in bounds"));
        }
        write(path, &self.0)
    }

    /// A copy of the values as they are now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(tch::no_grad(|| self.0.iter().map(|(name, tensor)| (name.clone(), tensor.copy())).collect()))
    }

    /// Goes back to a copy.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn put_back(&self, snapshot: &Snapshot) -> Result<(), Failure> {
        for (name, value) in &snapshot.0 {
            if let Some(tensor) = self.0.get(name) {
                tch::no_grad(|| tensor.shallow_clone().f_copy_(value))?;
            }
        }
        Ok(())
    }
}

/// A file whose tensors are not those of the network.
fn of_another(path: &Path, what: &str) -> Failure {
    Failure::file("use", path, what).hint(
        "they are the weights of another architecture: take those of the model that is asked for, or train it anew",
    )
}

impl Stateful for Weights {
    fn save(&self, into: &mut Part) -> Result<(), Failure> {
        self.0.iter().try_for_each(|(name, tensor)| into.tensor(name, tensor))
    }

    fn restore(&mut self, from: &Part) -> Result<(), Failure> {
        self.0.iter().try_for_each(|(name, tensor)| from.copy_into(name, tensor))
    }
}

/// Values of weights at some time; they do not change.
pub struct Snapshot(BTreeMap<String, Tensor>);

impl Snapshot {
    /// Adds them to a part of a checkpoint.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn save(&self, into: &mut Part) -> Result<(), Failure> {
        self.0.iter().try_for_each(|(name, tensor)| into.fixed_tensor(name, tensor))
    }

    /// Those of a part of a checkpoint.
    pub fn of(part: &Part) -> Self {
        // A part shares the memory of its file.
        Self(part.tensors.iter().map(|(name, tensor)| (name.clone(), tensor.copy())).collect())
    }
}
