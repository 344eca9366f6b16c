//! Convolutions and pools as ONNX operators.

use super::Refusal;
use super::graph::{Attribute, Graph};
use super::walk::{Flow, Site};
use crate::nn::Padding;
use crate::nn::layers::{AdaptivePool, AvgPool, Conv, ConvTranspose, MaxPool, Upsample, UpsampleMode};

pub(super) fn conv<const N: usize>(site: &Site<'_>, spec: &Conv<N>, flow: &mut Flow<'_>) -> Result<String, Refusal> {
    let (kernel, dilation) = (spec.kernel.signed(), spec.dilation.signed());
    let (begin, end): (Vec<i64>, Vec<i64>) = match spec.padding {
        Padding::Size(size) => (size.signed().to_vec(), size.signed().to_vec()),
        // As PyTorch: what cannot be halved is more at the end.
        Padding::Same => {
            (0..N).map(|axis| dilation[axis] * (kernel[axis] - 1)).map(|all| (all / 2, all - all / 2)).unzip()
        }
    };
    let attributes = [
        ("kernel_shape", Attribute::Ints(kernel.to_vec())),
        ("strides", Attribute::Ints(spec.stride.signed().to_vec())),
        ("pads", Attribute::Ints([begin, end].concat())),
        ("dilations", Attribute::Ints(dilation.to_vec())),
        ("group", Attribute::Int(spec.groups.cast_signed())),
    ];
    weighted("Conv", site, &attributes, flow)
}

pub(super) fn conv_transpose<const N: usize>(
    site: &Site<'_>,
    spec: &ConvTranspose<N>,
    flow: &mut Flow<'_>,
) -> Result<String, Refusal> {
    let (begin, stride) = (spec.padding.signed(), spec.stride.signed());
    let (mut end, mut added) = (begin, spec.output_padding.signed());
    // Runtimes add less than the stride; but what is added at the end may as well not be cut off there.
    for ((end, added), stride) in end.iter_mut().zip(&mut added).zip(stride) {
        if *added < stride {
            continue;
        }
        if *added > *end {
            let what = "has an `output_padding` that is not below its `stride` and above its `padding`";
            return Err(Refusal(format!("`conv_transpose{N}d` (`{}`) {what}, and no ONNX form", site.path)));
        }
        *end -= *added;
        *added = 0;
    }
    let attributes = [
        ("kernel_shape", Attribute::Ints(spec.kernel.signed().to_vec())),
        ("strides", Attribute::Ints(stride.to_vec())),
        ("pads", Attribute::Ints([begin, end].concat())),
        ("output_padding", Attribute::Ints(added.to_vec())),
        ("dilations", Attribute::Ints(spec.dilation.signed().to_vec())),
        ("group", Attribute::Int(spec.groups.cast_signed())),
    ];
    weighted("ConvTranspose", site, &attributes, flow)
}

fn weighted(
    op: &str,
    site: &Site<'_>,
    attributes: &[(&str, Attribute<'_>)],
    flow: &mut Flow<'_>,
) -> Result<String, Refusal> {
    let (weight, bias) = (site.weight("weight", flow)?, site.optional("bias", flow)?);
    let inputs: Vec<&str> = [site.input, &weight].into_iter().chain(bias.as_deref()).collect();
    Ok(flow.graph.node(op, &inputs, attributes))
}

/// How much is added at the end of each dimension for all windows to be whole: the padding, or more where what is left over is a window
/// too. Runtimes do not agree on how many windows they round up to, so that none is asked to.
fn ends<const N: usize>(
    site: &Site<'_>,
    [kernel, stride, padding, dilation]: [[i64; N]; 4],
) -> Result<[i64; N], Refusal> {
    let mut ends = padding;
    let sizes = super::sizes(site.after)?;
    for (axis, (end, places)) in ends.iter_mut().zip(sizes.into_iter().skip(1)).enumerate() {
        let extent = dilation[axis] * (kernel[axis] - 1) + 1;
        let reached = (places.cast_signed() - 1) * stride[axis] + extent - padding[axis];
        *end = (*end).max(reached - site.size(axis + 1)?);
    }
    Ok(ends)
}

pub(super) fn max_pool<const N: usize>(
    site: &Site<'_>,
    spec: &MaxPool<N>,
    flow: &mut Flow<'_>,
) -> Result<String, Refusal> {
    let (kernel, padding, dilation) = (spec.kernel.signed(), spec.padding.signed(), spec.dilation.signed());
    let stride = spec.stride.unwrap_or(spec.kernel).signed();
    let (mut begin, mut ends) = (padding, ends(site, [kernel, stride, padding, dilation])?);
    let mut x = site.input.to_owned();
    // Runtimes add less than the kernel, its dilation not counted.
    if ends.iter().zip(kernel).any(|(end, kernel)| *end >= kernel) {
        let never = flow.graph.number(f64::NEG_INFINITY);
        x = padded(&x, [begin, ends], &[&never], &mut flow.graph);
        (begin, ends) = ([0; N], [0; N]);
    }
    let attributes = [
        ("kernel_shape", Attribute::Ints(kernel.to_vec())),
        ("strides", Attribute::Ints(stride.to_vec())),
        ("pads", Attribute::Ints([begin, ends].concat())),
        ("dilations", Attribute::Ints(dilation.to_vec())),
    ];
    Ok(flow.graph.node("MaxPool", &[&x], &attributes))
}

pub(super) fn avg_pool<const N: usize>(
    site: &Site<'_>,
    spec: &AvgPool<N>,
    flow: &mut Flow<'_>,
) -> Result<String, Refusal> {
    let (kernel, mut begin) = (spec.kernel.signed(), spec.padding.signed());
    let stride = spec.stride.unwrap_or(spec.kernel).signed();
    let mut ends = ends(site, [kernel, stride, begin, [1; N]])?;
    let (mut x, mut counted) = (site.input.to_owned(), spec.count_include_pad);
    // Padding counts then, and what is beyond it does not: so the padding becomes a part of the input.
    if counted && ends != begin {
        x = padded(&x, [begin; 2], &[], &mut flow.graph);
        ends.iter_mut().zip(begin).for_each(|(end, padding)| *end -= padding);
        (begin, counted) = ([0; N], false);
    }
    let attributes = [
        ("kernel_shape", Attribute::Ints(kernel.to_vec())),
        ("strides", Attribute::Ints(stride.to_vec())),
        ("pads", Attribute::Ints([begin, ends].concat())),
        ("count_include_pad", Attribute::Int(i64::from(counted))),
    ];
    Ok(flow.graph.node("AveragePool", &[&x], &attributes))
}

/// So many places more at the beginnings and the ends of the dimensions behind the channels, which hold a value, or else zeros.
fn padded<const N: usize>(x: &str, [begin, end]: [[i64; N]; 2], value: &[&str], graph: &mut Graph) -> String {
    if begin == [0; N] && end == [0; N] {
        return x.to_owned();
    }
    let none: &[i64] = &[0, 0];
    let places = graph.ints(&[none, &begin, none, &end].concat());
    let inputs: Vec<&str> = [x, &places].into_iter().chain(value.iter().copied()).collect();
    graph.op("Pad", &inputs)
}

/// To the sizes that come out, along all dimensions behind the channels.
pub(super) fn upsample(site: &Site<'_>, spec: &Upsample, flow: &mut Flow<'_>) -> Result<String, Refusal> {
    let size: Vec<i64> = super::sizes(site.after)?.into_iter().skip(1).map(u64::cast_signed).collect();
    if spec.mode == UpsampleMode::Nearest {
        return repeated(site, spec, &size, &mut flow.graph);
    }
    let attributes = [
        ("axes", Attribute::Ints((2..2 + size.len() as i64).collect())),
        (
            "coordinate_transformation_mode",
            Attribute::Text(if spec.align_corners { "align_corners" } else { "half_pixel" }),
        ),
        ("mode", Attribute::Text("linear")),
    ];
    let size = flow.graph.ints(&size);
    // Between the value and its sizes stand what they are a part of, and how many times as many: both are left out.
    Ok(flow.graph.node("Resize", &[site.input, "", "", &size], &attributes))
}

/// The values of the places that lie there, by their numbers: a runtime that looks for them itself finds others where the place is the
/// edge between two, which rounding decides.
fn repeated(site: &Site<'_>, spec: &Upsample, size: &[i64], graph: &mut Graph) -> Result<String, Refusal> {
    let mut value = site.input.to_owned();
    for (axis, places) in size.iter().enumerate() {
        let factor = spec.scale_factor.map(|factor| factor.0[axis]);
        let nearest = nearest(site.size(axis + 1)?, *places, factor);
        let nearest = graph.ints(&nearest);
        value = graph.node("Gather", &[&value, &nearest], &[("axis", Attribute::Int(axis as i64 + 2))]);
    }
    Ok(value)
}

/// Which of `length` places lies at each of `places`, as libtorch finds it, in 32 bits.
fn nearest(length: i64, places: i64, factor: Option<u64>) -> Vec<i64> {
    let scale = factor.map_or(length as f32 / places as f32, |factor| (1.0 / factor as f64) as f32);
    (0..places).map(|place| ((place as f32 * scale) as i64).min(length - 1)).collect()
}

/// Two convolutions over what is left of an image that is one place.
pub(super) fn squeeze_excite(site: &Site<'_>, flow: &mut Flow<'_>) -> Result<String, Refusal> {
    let places: Vec<i64> = (2..=site.before.shape.rank() as i64).collect();
    let means = flow.graph.reduce("ReduceMean", site.input, &places, true);
    let product = |name: &str, x: &str, flow: &mut Flow<'_>| {
        let weight = site.weight(&format!("{name}.weight"), flow)?;
        let bias = site.weight(&format!("{name}.bias"), flow)?;
        Ok::<_, Refusal>(flow.graph.op("Conv", &[x, &weight, &bias]))
    };
    let middle = product("fc1", &means, flow)?;
    let middle = flow.graph.op("Relu", &[&middle]);
    let gate = product("fc2", &middle, flow)?;
    let gate = flow.graph.op("Sigmoid", &[&gate]);
    Ok(flow.graph.op("Mul", &[site.input, &gate]))
}

/// Dimension by dimension: a mean of means over a rectangle is its mean, a largest of largest its largest.
pub(super) fn adaptive_pool<const N: usize, const MAX: bool>(
    site: &Site<'_>,
    spec: &AdaptivePool<N, MAX>,
    flow: &mut Flow<'_>,
) -> Result<String, Refusal> {
    let mut value = site.input.to_owned();
    for (axis, out) in spec.size.signed().into_iter().enumerate() {
        let length = site.size(axis + 1)?;
        value = pooled::<MAX>(&value, axis as i64 + 2, length, out, &mut flow.graph);
    }
    Ok(value)
}

/// Along one dimension: windows from `⌊i length / out⌋` to `⌈(i + 1) length / out⌉`.
fn pooled<const MAX: bool>(value: &str, axis: i64, length: i64, out: i64, graph: &mut Graph) -> String {
    let op = if MAX { "ReduceMax" } else { "ReduceMean" };
    let windows = (0..out).map(|index| (index * length / out, ((index + 1) * length + out - 1) / out));
    let parts: Vec<String> = windows
        .map(|(from, to)| {
            let part = graph.slice(value, axis, from, to);
            graph.reduce(op, &part, &[axis], true)
        })
        .collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    graph.node("Concat", &parts, &[("axis", Attribute::Int(axis))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_place_is_libtorchs() {
        assert_eq!(nearest(3, 6, Some(2)), [0, 0, 1, 1, 2, 2]);
        assert_eq!(nearest(5, 3, None), [0, 1, 3]);
        // torch.nn.Upsample(12) finds 9 · 20 / 12 = 15, where onnxruntime's `Resize` finds 14.
        assert_eq!(nearest(20, 12, None), [0, 1, 3, 5, 6, 8, 10, 11, 13, 15, 16, 18]);
        // And of 41 times as many the 42nd is the first still: 41 · (1 / 41) is less than 1 in 32 bits.
        assert_eq!(nearest(2, 82, Some(41))[41], 0);
    }
}
