//! `pool`.

use super::Module;
use super::pass::{Pass, at};
use kilter::nn::layers::{self, PoolOver};
use tch::{TchError, Tensor};

pub(super) struct Pool {
    over: PoolOver,
}

impl Pool {
    pub fn new(spec: &layers::Pool) -> Self {
        Self { over: spec.over }
    }
}

impl Module for Pool {
    fn forward(&self, x: Tensor, pass: &mut Pass) -> Result<Tensor, TchError> {
        let tokens = [1_i64].as_slice();
        match (self.over, &pass.mask) {
            (PoolOver::Cls, _) => x.f_select(1, 0),
            (PoolOver::Last, None) => x.f_select(1, -1),
            (PoolOver::Last, Some(mask)) => at(&x, &mask.lengths()?.f_sub_scalar(1)?),
            (PoolOver::Mean, None) => x.f_mean_dim(tokens, false, None),
            (PoolOver::Mean, Some(mask)) => {
                let factor = mask.factor(&x)?;
                let sum = x.f_mul(&factor)?.f_sum_dim_intlist(tokens, false, None)?;
                sum.f_div(&factor.f_sum_dim_intlist(tokens, false, None)?)
            }
            (PoolOver::Max, None) => x.f_amax(tokens, false),
            (PoolOver::Max, Some(mask)) => {
                let nothing = mask.tokens().f_logical_not()?.f_unsqueeze(-1)?;
                x.f_masked_fill(&nothing, f64::NEG_INFINITY)?.f_amax(tokens, false)
            }
        }
    }
}
