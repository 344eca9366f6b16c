//! `save`, `add`, `concat`.

use super::Module;
use super::attention::saved;
use super::pass::Pass;
use kilter::nn::layers;
use tch::{TchError, Tensor};

pub(super) struct Save {
    name: String,
}

impl Save {
    pub fn new(spec: &layers::Save) -> Self {
        Self { name: spec.name.clone() }
    }
}

impl Module for Save {
    fn forward(&self, x: Tensor, pass: &mut Pass) -> Result<Tensor, TchError> {
        pass.saved.insert(self.name.clone(), (x.shallow_clone(), pass.mask.clone()));
        Ok(x)
    }

    fn goes_on(&self) -> bool {
        true
    }
}

pub(super) struct Add {
    name: String,
}

impl Add {
    pub fn new(spec: &layers::Add) -> Self {
        Self { name: spec.name.clone() }
    }
}

impl Module for Add {
    fn forward(&self, x: Tensor, pass: &mut Pass) -> Result<Tensor, TchError> {
        x.f_add(&saved(pass, &self.name)?.0)
    }

    fn goes_on(&self) -> bool {
        true
    }
}

pub(super) struct Concat {
    name: String,
    dim: i64,
}

impl Concat {
    pub fn new(spec: &layers::Concat) -> Self {
        Self { name: spec.name.clone(), dim: spec.dim }
    }
}

impl Module for Concat {
    fn forward(&self, x: Tensor, pass: &mut Pass) -> Result<Tensor, TchError> {
        Tensor::f_cat(&[&x, &saved(pass, &self.name)?.0], self.dim)
    }

    fn goes_on(&self) -> bool {
        [-1, 2].contains(&self.dim)
    }
}
