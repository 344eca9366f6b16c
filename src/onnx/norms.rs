//! Norms as ONNX operators.

use super::graph::Attribute;
use super::walk::{Flow, Site};
use super::{Refusal, sizes};
use crate::nn::layers::{BatchNorm, GroupNorm, LayerNorm, RmsNorm};

pub(super) fn batch_norm(site: &Site<'_>, spec: &BatchNorm, flow: &mut Flow<'_>) -> Result<String, Refusal> {
    let (mean, var) = (site.weight("running_mean", flow)?, site.weight("running_var", flow)?);
    let channels = site.size(0)?;
    let mut or_all = |name: &str, value: f32| match site.optional(name, flow)? {
        Some(name) => Ok(name),
        None => Ok(all(&[channels], value, flow)),
    };
    let (weight, bias) = (or_all("weight", 1.0)?, or_all("bias", 0.0)?);
    let inputs = [site.input, &weight, &bias, &mean, &var];
    Ok(flow.graph.node("BatchNormalization", &inputs, &[("epsilon", Attribute::Float(spec.eps))]))
}

pub(super) fn layer_norm(site: &Site<'_>, spec: &LayerNorm, flow: &mut Flow<'_>) -> Result<String, Refusal> {
    let dims = spec.normalized(site.before).len();
    let all_sizes = sizes(site.before)?;
    let shape: Vec<i64> = all_sizes[all_sizes.len() - dims..].iter().map(|size| size.cast_signed()).collect();
    let weight = match site.optional("weight", flow)? {
        Some(name) => name,
        None => all(&shape, 1.0, flow),
    };
    let bias = site.optional("bias", flow)?;
    Ok(normalised(site.input, &weight, bias.as_deref(), (-(dims as i64), spec.eps), flow))
}

/// A layer norm from an axis on.
pub(super) fn normalised(
    x: &str,
    weight: &str,
    bias: Option<&str>,
    (axis, eps): (i64, f64),
    flow: &mut Flow<'_>,
) -> String {
    let inputs: Vec<&str> = [x, weight].into_iter().chain(bias).collect();
    let attributes = [("axis", Attribute::Int(axis)), ("epsilon", Attribute::Float(eps))];
    flow.graph.node("LayerNormalization", &inputs, &attributes)
}

pub(super) fn rms_norm(site: &Site<'_>, spec: &RmsNorm, flow: &mut Flow<'_>) -> Result<String, Refusal> {
    let weight = site.optional("weight", flow)?;
    let graph = &mut flow.graph;
    let squares = graph.op("Mul", &[site.input, site.input]);
    let mean = graph.reduce("ReduceMean", &squares, &[-1], true);
    let eps = graph.number(spec.eps.unwrap_or(f64::from(f32::EPSILON)));
    let mean = graph.op("Add", &[&mean, &eps]);
    let root = graph.op("Sqrt", &[&mean]);
    let divided = graph.op("Div", &[site.input, &root]);
    Ok(match weight {
        Some(weight) => graph.op("Mul", &[&divided, &weight]),
        None => divided,
    })
}

/// Each group as a channel of an instance norm; then weights and biases for each channel.
pub(super) fn group_norm(site: &Site<'_>, spec: &GroupNorm, flow: &mut Flow<'_>) -> Result<String, Refusal> {
    let groups = spec.groups.cast_signed();
    let (ones, zeros) = (all(&[groups], 1.0, flow), all(&[groups], 0.0, flow));
    let beside = flow.graph.shaped(site.input, &[0, groups, -1]);
    let epsilon = [("epsilon", Attribute::Float(spec.eps))];
    let normalised = flow.graph.node("InstanceNormalization", &[&beside, &ones, &zeros], &epsilon);
    let sizes: Vec<i64> = sizes(site.before)?.into_iter().map(u64::cast_signed).collect();
    let mut value = flow.graph.shaped(&normalised, &[&[-1], sizes.as_slice()].concat());
    // Of channels, the first dimension: over all places behind them.
    let channels: Vec<i64> = std::iter::once(-1).chain(sizes.iter().skip(1).map(|_| 1)).collect();
    for (name, op) in [("weight", "Mul"), ("bias", "Add")] {
        if let Some(each) = site.optional(name, flow)? {
            let each = flow.graph.shaped(&each, &channels);
            value = flow.graph.op(op, &[&value, &each]);
        }
    }
    Ok(value)
}

/// Numbers that are all the same.
fn all(dims: &[i64], value: f32, flow: &mut Flow<'_>) -> String {
    let count = dims.iter().product::<i64>().unsigned_abs() as usize;
    flow.graph.constant(dims.to_vec(), &vec![value; count])
}
