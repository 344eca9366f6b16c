//! Each layer as ONNX operators.

use super::graph::{Attribute, Graph};
use super::{Refusal, Weights, is_indices, recurrent, sizes};
use crate::nn::layers::{Approximate, AvgPool, BatchNorm, Conv, LayerNorm, MaxPool, Residual};
use crate::nn::{InferCx, LayerSpec, Padding, Signal};

/// Layers one after another: the value they give, and its shape. Their weights lie under `path`.
pub(super) fn walk(
    specs: &[LayerSpec],
    path: &str,
    input: &str,
    signal: &Signal,
    weights: &Weights,
    graph: &mut Graph,
) -> Result<(String, Signal), Refusal> {
    let (mut value, mut before) = (input.to_owned(), signal.clone());
    for (index, spec) in specs.iter().enumerate() {
        let after = spec.infer_next(&before, &InferCx::default()).map_err(|error| Refusal(error.message))?;
        let site = Site { path: format!("{path}.{index}"), input: &value, before: &before, after: &after, weights };
        value = site.layer(spec, graph)?;
        before = after;
    }
    Ok((value, before))
}

/// The first of these layers that has no ONNX form: its path and name.
pub(super) fn first_without(specs: &[LayerSpec], path: &str) -> Option<(String, &'static str)> {
    specs.iter().enumerate().find_map(|(index, spec)| {
        let path = format!("{path}.{index}");
        match spec {
            LayerSpec::Residual(block) => first_without(&block.layers, &format!("{path}.layers"))
                .or_else(|| first_without(&block.shortcut, &format!("{path}.shortcut"))),
            other => (!has_form(other)).then(|| (path, other.name())),
        }
    })
}

fn has_form(spec: &LayerSpec) -> bool {
    matches!(
        spec,
        LayerSpec::Linear(_)
            | LayerSpec::Conv1d(_)
            | LayerSpec::Conv2d(_)
            | LayerSpec::MaxPool1d(_)
            | LayerSpec::MaxPool2d(_)
            | LayerSpec::AvgPool1d(_)
            | LayerSpec::AvgPool2d(_)
            | LayerSpec::GlobalAvgPool(_)
            | LayerSpec::BatchNorm(_)
            | LayerSpec::LayerNorm(_)
            | LayerSpec::Dropout(_)
            | LayerSpec::Flatten(_)
            | LayerSpec::Reshape(_)
            | LayerSpec::Relu(_)
            | LayerSpec::Gelu(_)
            | LayerSpec::Tanh(_)
            | LayerSpec::Sigmoid(_)
            | LayerSpec::Softmax(_)
            | LayerSpec::Embedding(_)
            | LayerSpec::Residual(_)
            | LayerSpec::Rnn(_)
            | LayerSpec::Lstm(_)
            | LayerSpec::Gru(_)
    )
}

/// A layer at its place.
pub(super) struct Site<'a> {
    /// Where its weights lie: `layers.3`.
    pub path: String,
    /// The value that it takes.
    pub input: &'a str,
    pub before: &'a Signal,
    pub after: &'a Signal,
    pub weights: &'a Weights,
}

impl Site<'_> {
    /// One of its weights.
    pub fn weight(&self, name: &str, graph: &mut Graph) -> Result<String, Refusal> {
        graph.weight(&format!("{}.{name}", self.path), self.weights)
    }

    /// One of its weights, where it has it.
    fn optional(&self, name: &str, graph: &mut Graph) -> Result<Option<String>, Refusal> {
        self.weights.contains_key(&format!("{}.{name}", self.path)).then(|| self.weight(name, graph)).transpose()
    }

    fn layer(&self, spec: &LayerSpec, graph: &mut Graph) -> Result<String, Refusal> {
        let x = self.input;
        Ok(match spec {
            LayerSpec::Linear(_) => self.linear(graph)?,
            LayerSpec::Conv1d(spec) => self.conv(spec, graph)?,
            LayerSpec::Conv2d(spec) => self.conv(spec, graph)?,
            LayerSpec::MaxPool1d(spec) => self.max_pool(spec, graph),
            LayerSpec::MaxPool2d(spec) => self.max_pool(spec, graph),
            LayerSpec::AvgPool1d(spec) => self.avg_pool(spec, graph),
            LayerSpec::AvgPool2d(spec) => self.avg_pool(spec, graph),
            LayerSpec::GlobalAvgPool(_) => {
                let axes = graph.ints(&(2..=self.before.shape.rank() as i64).collect::<Vec<_>>());
                graph.node("ReduceMean", &[x, &axes], &[("keepdims", Attribute::Int(0))])
            }
            LayerSpec::BatchNorm(spec) => self.batch_norm(spec, graph)?,
            LayerSpec::LayerNorm(spec) => self.layer_norm(spec, graph)?,
            LayerSpec::Dropout(_) => x.to_owned(),
            LayerSpec::Flatten(_) | LayerSpec::Reshape(_) => reshape(x, &sizes(self.after)?, graph),
            LayerSpec::Relu(_) => graph.node("Relu", &[x], &[]),
            LayerSpec::Gelu(spec) => {
                let approximate = match spec.approximate {
                    Approximate::None => "none",
                    Approximate::Tanh => "tanh",
                };
                graph.node("Gelu", &[x], &[("approximate", Attribute::Text(approximate))])
            }
            LayerSpec::Tanh(_) => graph.node("Tanh", &[x], &[]),
            LayerSpec::Sigmoid(_) => graph.node("Sigmoid", &[x], &[]),
            LayerSpec::Softmax(spec) => graph.node("Softmax", &[x], &[("axis", Attribute::Int(spec.dim))]),
            LayerSpec::Embedding(_) => {
                let table = self.weight("weight", graph)?;
                graph.node("Gather", &[&table, x], &[("axis", Attribute::Int(0))])
            }
            LayerSpec::Residual(spec) => self.residual(spec, graph)?,
            LayerSpec::Rnn(spec) => recurrent::build(self, spec, graph)?,
            LayerSpec::Lstm(spec) => recurrent::build(self, spec, graph)?,
            LayerSpec::Gru(spec) => recurrent::build(self, spec, graph)?,
            #[allow(unreachable_patterns, reason = "layers that have no form are refused by name")]
            other => return Err(Refusal(format!("the layer `{}` has no ONNX form", other.name()))),
        })
    }

    /// `x Wᵀ + b` over the last dimension.
    fn linear(&self, graph: &mut Graph) -> Result<String, Refusal> {
        let (weight, bias) = (self.weight("weight", graph)?, self.optional("bias", graph)?);
        if self.before.shape.rank() == 1 {
            let inputs: Vec<&str> = [self.input, &weight].into_iter().chain(bias.as_deref()).collect();
            return Ok(graph.node("Gemm", &inputs, &[("transB", Attribute::Int(1))]));
        }
        let turned = graph.node("Transpose", &[&weight], &[("perm", Attribute::Ints(vec![1, 0]))]);
        let product = graph.node("MatMul", &[self.input, &turned], &[]);
        Ok(match bias {
            Some(bias) => graph.node("Add", &[&product, &bias], &[]),
            None => product,
        })
    }

    fn conv<const N: usize>(&self, spec: &Conv<N>, graph: &mut Graph) -> Result<String, Refusal> {
        let (weight, bias) = (self.weight("weight", graph)?, self.optional("bias", graph)?);
        let inputs: Vec<&str> = [self.input, &weight].into_iter().chain(bias.as_deref()).collect();
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
        Ok(graph.node("Conv", &inputs, &attributes))
    }

    fn max_pool<const N: usize>(&self, spec: &MaxPool<N>, graph: &mut Graph) -> String {
        let padding = spec.padding.signed();
        let attributes = [
            ("kernel_shape", Attribute::Ints(spec.kernel.signed().to_vec())),
            ("strides", Attribute::Ints(spec.stride.unwrap_or(spec.kernel).signed().to_vec())),
            ("pads", Attribute::Ints([padding, padding].concat())),
            ("dilations", Attribute::Ints(spec.dilation.signed().to_vec())),
        ];
        graph.node("MaxPool", &[self.input], &attributes)
    }

    fn avg_pool<const N: usize>(&self, spec: &AvgPool<N>, graph: &mut Graph) -> String {
        let padding = spec.padding.signed();
        let attributes = [
            ("kernel_shape", Attribute::Ints(spec.kernel.signed().to_vec())),
            ("strides", Attribute::Ints(spec.stride.unwrap_or(spec.kernel).signed().to_vec())),
            ("pads", Attribute::Ints([padding, padding].concat())),
            ("count_include_pad", Attribute::Int(i64::from(spec.count_include_pad))),
        ];
        graph.node("AveragePool", &[self.input], &attributes)
    }

    fn batch_norm(&self, spec: &BatchNorm, graph: &mut Graph) -> Result<String, Refusal> {
        let (mean, var) = (self.weight("running_mean", graph)?, self.weight("running_var", graph)?);
        let channels = sizes(self.before)?.first().copied().unwrap_or_default();
        let mut or_all = |name: &str, value: f32| match self.optional(name, graph)? {
            Some(name) => Ok(name),
            None => Ok(self.all(name, channels, value, graph)),
        };
        let (weight, bias) = (or_all("weight", 1.0)?, or_all("bias", 0.0)?);
        let inputs = [self.input, &weight, &bias, &mean, &var];
        Ok(graph.node("BatchNormalization", &inputs, &[("epsilon", Attribute::Float(spec.eps))]))
    }

    fn layer_norm(&self, spec: &LayerNorm, graph: &mut Graph) -> Result<String, Refusal> {
        let dims = spec.normalized(self.before).len();
        let shape: Vec<u64> = sizes(self.before)?.into_iter().rev().take(dims).rev().collect();
        let weight = match self.optional("weight", graph)? {
            Some(name) => name,
            None => {
                let (name, count) = (format!("{}.weight", self.path), shape.iter().product::<u64>());
                let dims = shape.iter().map(|size| size.cast_signed()).collect();
                graph.floats(&name, dims, &vec![1.0; usize::try_from(count).unwrap_or_default()])
            }
        };
        let bias = self.optional("bias", graph)?;
        let inputs: Vec<&str> = [self.input, &weight].into_iter().chain(bias.as_deref()).collect();
        let attributes = [("axis", Attribute::Int(-(dims as i64))), ("epsilon", Attribute::Float(spec.eps))];
        Ok(graph.node("LayerNormalization", &inputs, &attributes))
    }

    /// A vector of one value.
    fn all(&self, name: &str, count: u64, value: f32, graph: &mut Graph) -> String {
        let values = vec![value; usize::try_from(count).unwrap_or_default()];
        graph.floats(&format!("{}.{name}", self.path), vec![count.cast_signed()], &values)
    }

    fn residual(&self, spec: &Residual, graph: &mut Graph) -> Result<String, Refusal> {
        if is_indices(self.before) && spec.shortcut.is_empty() {
            return Err(Refusal("a residual block of indices has no ONNX form".to_owned()));
        }
        let mut part = |name: &str, specs: &[LayerSpec]| {
            walk(specs, &format!("{}.{name}", self.path), self.input, self.before, self.weights, graph)
        };
        let ((body, _), (short, _)) = (part("layers", &spec.layers)?, part("shortcut", &spec.shortcut)?);
        Ok(graph.node("Add", &[&body, &short], &[]))
    }
}

/// The rows in this shape.
pub(super) fn reshape(value: &str, sizes: &[u64], graph: &mut Graph) -> String {
    let shape: Vec<i64> = std::iter::once(-1).chain(sizes.iter().map(|size| size.cast_signed())).collect();
    let shape = graph.ints(&shape);
    graph.node("Reshape", &[value, &shape], &[])
}
