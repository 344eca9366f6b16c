//! What makes tokens of numbers, what tells tokens their places, and what makes one vector of them.

use super::Refusal;
use super::graph::Attribute;
use super::walk::{Flow, Site};
use crate::nn::layers::{NumericEmbedding, NumericEmbeddingKind, Pool, PoolOver, Position, PositionKind};
use std::f64::consts::TAU;

/// A vector for each number.
pub(super) fn numeric_embedding(
    site: &Site<'_>,
    spec: &NumericEmbedding,
    flow: &mut Flow<'_>,
) -> Result<String, Refusal> {
    let x = flow.graph.unsqueeze(site.input, &[2]);
    if spec.kind == NumericEmbeddingKind::Linear {
        let (weight, bias) = (site.weight("weight", flow)?, site.weight("bias", flow)?);
        let vectors = flow.graph.op("Mul", &[&x, &weight]);
        return Ok(flow.graph.op("Add", &[&vectors, &bias]));
    }
    let frequencies = site.weight("periodic.weight", flow)?;
    let (weight, bias) = (site.weight("linear.weight", flow)?, site.weight("linear.bias", flow)?);
    let graph = &mut flow.graph;
    let turn = graph.number(TAU);
    let rates = graph.op("Mul", &[&frequencies, &turn]);
    let angles = graph.op("Mul", &[&rates, &x]);
    let (cos, sin) = (graph.op("Cos", &[&angles]), graph.op("Sin", &[&angles]));
    let waves = graph.node("Concat", &[&cos, &sin], &[("axis", Attribute::Int(-1))]);
    let by_feature = graph.turn(&waves, &[1, 0, 2]);
    let vectors = graph.op("MatMul", &[&by_feature, &weight]);
    let vectors = graph.turn(&vectors, &[1, 0, 2]);
    let sum = graph.op("Add", &[&vectors, &bias]);
    Ok(graph.op("Relu", &[&sum]))
}

/// A vector for each place, added.
pub(super) fn position(site: &Site<'_>, spec: &Position, flow: &mut Flow<'_>) -> Result<String, Refusal> {
    let (seq, features) = (site.size(0)?, site.size(1)?);
    let places = match spec.kind {
        PositionKind::Learned => {
            let weight = site.weight("weight", flow)?;
            flow.graph.slice(&weight, 0, 0, seq)
        }
        PositionKind::Sinusoidal => flow.graph.constant(vec![seq, features], &waves(seq, features)),
    };
    Ok(flow.graph.op("Add", &[site.input, &places]))
}

/// Sines at the even features and cosines at the odd ones.
fn waves(seq: i64, features: i64) -> Vec<f32> {
    let pairs = features / 2;
    let rate = |pair: i64| (pair as f64 * (-2.0 / features as f64 * 10_000_f64.ln())).exp();
    let at = |place: i64| (0..pairs).map(move |pair| place as f64 * rate(pair));
    (0..seq).flat_map(at).flat_map(|angle| [angle.sin() as f32, angle.cos() as f32]).collect()
}

/// One vector for all tokens of a row.
pub(super) fn pool(site: &Site<'_>, spec: &Pool, flow: &mut Flow<'_>) -> Result<String, Refusal> {
    let x = site.input;
    Ok(match (spec.over, flow.mask.clone()) {
        (PoolOver::Cls, _) => one(x, 0, flow),
        (PoolOver::Last, None) => one(x, -1, flow),
        (PoolOver::Last, Some(mask)) => last(x, &mask, site.size(1)?, flow),
        (PoolOver::Mean, None) => flow.graph.reduce("ReduceMean", x, &[1], false),
        (PoolOver::Mean, Some(mask)) => {
            let factor = flow.factor(&mask);
            let tokens = flow.graph.op("Mul", &[x, &factor]);
            let sum = flow.graph.reduce("ReduceSum", &tokens, &[1], false);
            let count = flow.graph.reduce("ReduceSum", &factor, &[1], false);
            flow.graph.op("Div", &[&sum, &count])
        }
        (PoolOver::Max, None) => flow.graph.reduce("ReduceMax", x, &[1], false),
        (PoolOver::Max, Some(mask)) => {
            let mask = flow.graph.unsqueeze(&mask, &[2]);
            let nothing = flow.graph.number(f64::NEG_INFINITY);
            let tokens = flow.graph.op("Where", &[&mask, x, &nothing]);
            flow.graph.reduce("ReduceMax", &tokens, &[1], false)
        }
    })
}

/// The vector at one place of every row.
fn one(x: &str, place: i64, flow: &mut Flow<'_>) -> String {
    let place = flow.graph.int(place);
    flow.graph.node("Gather", &[x, &place], &[("axis", Attribute::Int(1))])
}

/// The vector of each row's last token.
fn last(x: &str, mask: &str, features: i64, flow: &mut Flow<'_>) -> String {
    let lengths = flow.lengths(mask);
    let graph = &mut flow.graph;
    let one = graph.int(1);
    let last = graph.op("Sub", &[&lengths, &one]);
    let last = graph.unsqueeze(&last, &[1, 2]);
    let width = graph.ints(&[1, 1, features]);
    let index = graph.op("Expand", &[&last, &width]);
    let found = graph.node("GatherElements", &[x, &index], &[("axis", Attribute::Int(1))]);
    graph.shaped(&found, &[-1, features])
}
