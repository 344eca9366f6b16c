//! `parallel`, and how results are joined.

use super::pass::Pass;
use super::sequence::Sequence;
use super::{Module, Site};
use kilter::nn::{Join, layers};
use tch::{TchError, Tensor, nn::Path};

pub(super) struct Parallel {
    branches: Vec<Sequence>,
    join: Join,
}

impl Parallel {
    pub fn new(spec: &layers::Parallel, site: &Site<'_>, vs: &Path<'_>) -> Result<Self, String> {
        let vs = vs.sub("branches");
        let branch = |(index, layers): (usize, &Vec<_>)| Sequence::new(layers, site.input, &vs.sub(index), site.shared);
        let branches = spec.branches.iter().enumerate().map(branch).collect::<Result<_, _>>()?;
        Ok(Self { branches, join: spec.join })
    }
}

impl Module for Parallel {
    fn forward(&self, x: Tensor, pass: &mut Pass) -> Result<Tensor, TchError> {
        let before = pass.mask.clone();
        let mut first = None;
        let mut results = Vec::with_capacity(self.branches.len());
        for branch in &self.branches {
            pass.mask.clone_from(&before);
            results.push(branch.forward(x.shallow_clone(), pass)?);
            first.get_or_insert_with(|| pass.mask.clone());
        }
        pass.mask = first.flatten();
        joined(&results, self.join)
    }

    fn goes_on(&self) -> bool {
        matches!(self.join, Join::Sum | Join::Product) && self.branches.iter().all(Sequence::goes_on)
    }
}

/// One result out of several.
pub(super) fn joined(results: &[Tensor], join: Join) -> Result<Tensor, TchError> {
    let Some((first, others)) = results.split_first() else {
        return Err(TchError::Shape("nothing to join".to_owned()));
    };
    let product = |x: Tensor, y: &Tensor| x.f_mul(y);
    match join {
        Join::Concat => Tensor::f_cat(results, 1),
        Join::Sum => others.iter().try_fold(first.shallow_clone(), |x, y| x.f_add(y)),
        Join::Product => others.iter().try_fold(first.shallow_clone(), product),
        Join::Dot => {
            let products = others.iter().try_fold(first.shallow_clone(), product)?;
            let products = if products.dim() == 1 { products.f_unsqueeze(1)? } else { products.f_flatten(1, -1)? };
            products.f_sum_dim_intlist([1_i64].as_slice(), true, None)
        }
    }
}
