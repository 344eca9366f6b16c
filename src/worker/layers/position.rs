//! `position`.

use super::pass::Pass;
use super::table::Table;
use super::{Module, Site, init, int};
use kilter::nn::init::{Init, Normal};
use kilter::nn::layers::{self, PositionKind};
use tch::nn::Path;
use tch::{Device, Kind, TchError, Tensor};

pub(super) enum Position {
    Learned(Tensor),
    Sinusoidal(Table),
}

impl Position {
    pub fn new(spec: &layers::Position, site: &Site<'_>, vs: &Path<'_>) -> Result<Self, String> {
        let features = site.input_size(1)?;
        if spec.kind == PositionKind::Sinusoidal {
            return Ok(Self::Sinusoidal(Table::new(0, move |places| waves(places, features))));
        }
        let count = int(spec.places(site.input).ok_or("the number of places is not known")?)?;
        let usual = Init::Normal(Normal { mean: 0.0, std: 0.02 });
        let start = spec.init.as_ref().unwrap_or(&usual);
        // To optimizers they are the embedding of places that they are elsewhere.
        let vs = vs.set_group(init::EMBEDDING);
        init::declared(&vs, "weight", &[count, features], start).map(Self::Learned)
    }
}

/// Sines at the even features and cosines at the odd ones, `[places, features]`.
fn waves(places: i64, features: i64) -> Result<Tensor, TchError> {
    let double = (Kind::Double, Device::Cpu);
    let rates =
        Tensor::f_arange(features / 2, double)?.f_mul_scalar(-2.0 / features as f64 * 10_000_f64.ln())?.f_exp()?;
    let angles = Tensor::f_arange(places, double)?.f_outer(&rates)?;
    Tensor::f_stack(&[angles.f_sin()?, angles.f_cos()?], -1)?.f_flatten(1, -1)
}

impl Module for Position {
    fn forward(&self, x: Tensor, pass: &mut Pass) -> Result<Tensor, TchError> {
        let tokens = x.size().get(1).copied().unwrap_or(0);
        let seq = pass.past.as_ref().map_or(tokens, |past| past.width(tokens));
        let vectors = match self {
            Self::Sinusoidal(table) => table.rows(seq, &x)?,
            Self::Learned(weight) => {
                let places = weight.size()[0];
                if seq > places {
                    let message =
                        format!("a sequence of {seq} is longer than the {places} places that `position` knows");
                    return Err(TchError::Shape(message));
                }
                weight.f_narrow(0, 0, seq)?
            }
        };
        match &pass.past {
            None => x.f_add(&vectors),
            Some(past) => {
                let places = past.places(tokens, x.device())?.f_flatten(0, -1)?;
                x.f_add(&vectors.f_index_select(0, &places)?.f_view_as(&x)?)
            }
        }
    }

    fn goes_on(&self) -> bool {
        true
    }
}
