//! One layer of a manifest: a name, or a table with one key. The list at the end of the file is all there are.

use super::layer::{Content, InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use super::layers::{
    AdaptiveAvgPool, AdaptiveMaxPool, Add, AvgPool, BatchNorm, Concat, Conv, ConvTranspose, Dropout, Elu, Embedding,
    Flatten, Gelu, GlobalAvgPool, GroupNorm, Hardsigmoid, Hardswish, LayerNorm, LeakyRelu, Linear, MaxPool, Mish,
    MultiHeadAttention, NumericEmbedding, Parallel, Pool, Position, Prelu, Recurrent, Relu, Reshape, Residual, RmsNorm,
    Save, Selu, Sigmoid, Silu, Softmax, Softplus, SqueezeExcite, Tanh, TransformerDecoder, TransformerEncoder,
    Transpose, Upsample,
};
use crate::diag::{codes, did_you_mean, list};
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

macro_rules! layers {
    ($($variant:ident($spec:ty) = $name:literal;)*) => {
        /// One layer, as a manifest and `architecture.json` write it: `"relu"`, or `{ linear = 10 }`.
        #[derive(Clone, Debug, PartialEq)]
        pub enum LayerSpec {
            $(#[doc = concat!("`", $name, "`")] $variant($spec),)*
        }

        /// What is known of every layer, in the order of the reference.
        pub const LAYERS: &[LayerInfo] = &[$(<$spec as Layer>::INFO),*];

        impl LayerSpec {
            /// What is known of this layer without a manifest.
            #[must_use]
            pub fn info(&self) -> LayerInfo {
                match self { $(Self::$variant(_) => <$spec as Layer>::INFO,)* }
            }

            /// The layer with everything filled in that follows from its input and the target: widths, counts.
            #[must_use]
            pub fn resolved(&self, input: &Signal, cx: &InferCx) -> Self {
                match self { $(Self::$variant(layer) => Self::$variant(layer.resolved(input, cx)),)* }
            }

            /// How many parameters it trains; `None` while a dimension is not known.
            #[must_use]
            pub fn parameters(&self, input: &Signal, cx: &InferCx) -> Option<u64> {
                match self { $(Self::$variant(layer) => layer.parameters(input, cx),)* }
            }

            /// How many floating-point operations a row takes on its way forward; `None` while a dimension is not known.
            #[must_use]
            pub fn flops(&self, input: &Signal, cx: &InferCx) -> Option<u64> {
                match self { $(Self::$variant(layer) => layer.flops(input, cx),)* }
            }

            /// How many numbers of a row are kept for the backward pass; `None` while a dimension is not known.
            #[must_use]
            pub fn activations(&self, input: &Signal, cx: &InferCx) -> Option<u64> {
                match self { $(Self::$variant(layer) => layer.activations(input, cx),)* }
            }

            fn describe(&self) -> String {
                match self { $(Self::$variant(layer) => layer.describe(),)* }
            }

            fn infer_any(&self, input: &Signal, cx: &InferCx) -> Result<Signal, ShapeError> {
                match self { $(Self::$variant(layer) => layer.infer(input, cx),)* }
            }

            fn from_name<E: de::Error>(name: &str) -> Result<Self, E> {
                match name {
                    $($name => <$spec as Layer>::from_short(Short::Bare)
                        .map(Self::$variant)
                        .ok_or_else(|| needs_fields(&<$spec as Layer>::INFO)),)*
                    _ => Err(E::custom(unknown_layer(name))),
                }
            }

            fn from_entry<'de, A: MapAccess<'de>>(name: &str, map: &mut A) -> Result<Self, A::Error> {
                match name {
                    $($name => map.next_value_seed(Form::<$spec>(PhantomData)).map(Self::$variant),)*
                    _ => Err(de::Error::custom(unknown_layer(name))),
                }
            }
        }

        impl Serialize for LayerSpec {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self { $(Self::$variant(layer) => write_layer($name, layer, serializer),)* }
            }
        }

        fn entry_schemas(generator: &mut schemars::SchemaGenerator) -> serde_json::Map<String, serde_json::Value> {
            let mut entries = serde_json::Map::new();
            $(entries.insert($name.to_owned(), entry_schema::<$spec>(generator));)*
            entries
        }

        fn bare_names() -> Vec<&'static str> {
            let mut names = Vec::new();
            $(if <$spec as Layer>::from_short(Short::Bare).is_some() {
                names.push($name);
            })*
            names
        }
    };
}

impl LayerSpec {
    /// Its name in a manifest.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.info().name
    }

    /// What it gives for an input. An input dimension that is not known is no mistake.
    ///
    /// # Errors
    /// When the input cannot go through it whatever the unknown dimensions turn out to be.
    pub fn infer(&self, input: &Signal, cx: &InferCx) -> Result<Signal, ShapeError> {
        let takes_indices = matches!(
            self,
            Self::Embedding(_)
                | Self::Flatten(_)
                | Self::Reshape(_)
                | Self::Residual(_)
                | Self::Parallel(_)
                | Self::Save(_)
        );
        if matches!(input.content, Content::Indices(_)) && !takes_indices {
            let name = self.name();
            return Err(ShapeError::new(
                codes::NEEDS_INDICES,
                format!("{name} takes numbers but receives category indices"),
            )
            .label("receives indices")
            .hint("begin with `{ embedding = 16 }`, which turns an index into a vector of numbers"));
        }
        self.infer_any(input, cx)
    }

    /// As [`LayerSpec::infer`], with what was saved before still saved: what the next layer receives.
    ///
    /// # Errors
    /// As [`LayerSpec::infer`].
    pub fn infer_next(&self, input: &Signal, cx: &InferCx) -> Result<Signal, ShapeError> {
        let mut output = self.infer(input, cx)?;
        output.keep_saved(input);
        Ok(output)
    }

    /// Whether it works element by element or row by row, so that every input keeps its shape.
    #[must_use]
    pub fn keeps_shape(&self) -> bool {
        match self {
            Self::BatchNorm(_)
            | Self::LayerNorm(_)
            | Self::RmsNorm(_)
            | Self::GroupNorm(_)
            | Self::SqueezeExcite(_)
            | Self::Position(_)
            | Self::MultiHeadAttention(_)
            | Self::TransformerEncoder(_)
            | Self::TransformerDecoder(_)
            | Self::Save(_)
            | Self::Add(_)
            | Self::Dropout(_)
            | Self::Relu(_)
            | Self::LeakyRelu(_)
            | Self::Prelu(_)
            | Self::Elu(_)
            | Self::Selu(_)
            | Self::Gelu(_)
            | Self::Silu(_)
            | Self::Mish(_)
            | Self::Hardswish(_)
            | Self::Hardsigmoid(_)
            | Self::Softplus(_)
            | Self::Tanh(_)
            | Self::Sigmoid(_)
            | Self::Softmax(_) => true,
            Self::Linear(_)
            | Self::Conv1d(_)
            | Self::Conv2d(_)
            | Self::ConvTranspose1d(_)
            | Self::ConvTranspose2d(_)
            | Self::AdaptiveAvgPool1d(_)
            | Self::AdaptiveAvgPool2d(_)
            | Self::AdaptiveMaxPool1d(_)
            | Self::AdaptiveMaxPool2d(_)
            | Self::MaxPool1d(_)
            | Self::MaxPool2d(_)
            | Self::AvgPool1d(_)
            | Self::AvgPool2d(_)
            | Self::GlobalAvgPool(_)
            | Self::Upsample(_)
            | Self::Flatten(_)
            | Self::Reshape(_)
            | Self::Transpose(_)
            | Self::Embedding(_)
            | Self::NumericEmbedding(_)
            | Self::Pool(_)
            | Self::Residual(_)
            | Self::Parallel(_)
            | Self::Concat(_)
            | Self::Rnn(_)
            | Self::Lstm(_)
            | Self::Gru(_) => false,
        }
    }

    /// The lists of layers that it consists of.
    #[must_use]
    pub fn inner(&self) -> Vec<&[LayerSpec]> {
        match self {
            Self::Residual(block) => vec![&block.layers, &block.shortcut],
            Self::Parallel(block) => block.branches.iter().map(Vec::as_slice).collect(),
            _ => Vec::new(),
        }
    }

    /// The layer in a few words, for lists: `conv2d 64, kernel 3, padding 1`.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{} {}", self.name(), self.describe()).trim_end().to_owned()
    }
}

fn unknown_layer(name: &str) -> String {
    let names = || LAYERS.iter().map(|layer| layer.name);
    match did_you_mean(name, names()) {
        Some(hint) => format!("unknown layer `{name}`; {hint}"),
        None => format!("unknown layer `{name}`; the layers are {}", list(names(), LAYERS.len())),
    }
}

fn needs_fields<E: de::Error>(info: &LayerInfo) -> E {
    E::custom(format!("E0134: {} needs its fields, as in `{}`", info.name, info.example))
}

/// A name where nothing is left to say, else a table with one key; every default is written.
fn write_layer<L: Layer, S: Serializer>(name: &str, layer: &L, serializer: S) -> Result<S::Ok, S::Error> {
    let only_name = size_of::<L>() == 0;
    if only_name {
        return serializer.serialize_str(name);
    }
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(name, layer)?;
    map.end()
}

fn entry_schema<L: Layer>(generator: &mut schemars::SchemaGenerator) -> serde_json::Value {
    let mut table = L::json_schema(generator);
    table.insert("description".to_owned(), L::INFO.summary.into());
    let mut forms = L::short_schemas(generator);
    if forms.is_empty() {
        return table.into();
    }
    forms.push(table);
    serde_json::json!({ "description": L::INFO.summary, "anyOf": forms })
}

impl<'de> Deserialize<'de> for LayerSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LayerVisitor)
    }
}

struct LayerVisitor;

impl<'de> Visitor<'de> for LayerVisitor {
    type Value = LayerSpec;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a layer, as in `\"relu\"` or `{ linear = 10 }`")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<LayerSpec, E> {
        LayerSpec::from_name(name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LayerSpec, A::Error> {
        let Some(name) = map.next_key::<String>()? else {
            return Err(de::Error::invalid_length(0, &self));
        };
        let layer = LayerSpec::from_entry(&name, &mut map)?;
        if let Some(second) = map.next_key::<String>()? {
            // What is no layer is meant as a field of this one.
            let remedy = match LAYERS.iter().any(|layer| layer.name == second) {
                true => "write it in a table of its own".to_owned(),
                false => format!("its fields stand in its own table: `{{ {name} = {{ … }} }}`"),
            };
            return Err(de::Error::custom(format!(
                "E0135: a layer is one name, but `{second}` follows `{name}`; {remedy}"
            )));
        }
        Ok(layer)
    }
}

/// Reads a layer's value in any of its forms.
struct Form<L>(PhantomData<L>);

impl<'de, L: Layer> DeserializeSeed<'de> for Form<L> {
    type Value = L;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<L, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<L: Layer> Form<L> {
    fn short<E: de::Error>(self, short: Short, found: de::Unexpected<'_>) -> Result<L, E> {
        L::from_short(short).ok_or_else(|| E::invalid_type(found, &self))
    }
}

impl<'de, L: Layer> Visitor<'de> for Form<L> {
    type Value = L;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a value as in `{}`", L::INFO.example)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<L, E> {
        self.short(Short::Int(value), de::Unexpected::Unsigned(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<L, E> {
        match u64::try_from(value) {
            Ok(value) => self.visit_u64(value),
            Err(_) => Err(E::invalid_value(de::Unexpected::Signed(value), &self)),
        }
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<L, E> {
        self.short(Short::Float(value), de::Unexpected::Float(value))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<L, E> {
        self.short(Short::Text(text.to_owned()), de::Unexpected::Str(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<L, A::Error> {
        L::from_list(list).unwrap_or_else(|| Err(de::Error::invalid_type(de::Unexpected::Seq, &self)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<L, A::Error> {
        L::deserialize(de::value::MapAccessDeserializer::new(map))
    }
}

impl schemars::JsonSchema for LayerSpec {
    fn schema_name() -> Cow<'static, str> {
        "Layer".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A layer: its name, or a table with its name as the only key.",
            "anyOf": [
                { "enum": bare_names() },
                {
                    "type": "object",
                    "properties": entry_schemas(generator),
                    "additionalProperties": false,
                    "minProperties": 1,
                    "maxProperties": 1,
                },
            ],
        })
    }
}

layers! {
    Linear(Linear) = "linear";
    Conv1d(Conv<1>) = "conv1d";
    Conv2d(Conv<2>) = "conv2d";
    ConvTranspose1d(ConvTranspose<1>) = "conv_transpose1d";
    ConvTranspose2d(ConvTranspose<2>) = "conv_transpose2d";
    MaxPool1d(MaxPool<1>) = "max_pool1d";
    MaxPool2d(MaxPool<2>) = "max_pool2d";
    AvgPool1d(AvgPool<1>) = "avg_pool1d";
    AvgPool2d(AvgPool<2>) = "avg_pool2d";
    AdaptiveAvgPool1d(AdaptiveAvgPool<1>) = "adaptive_avg_pool1d";
    AdaptiveAvgPool2d(AdaptiveAvgPool<2>) = "adaptive_avg_pool2d";
    AdaptiveMaxPool1d(AdaptiveMaxPool<1>) = "adaptive_max_pool1d";
    AdaptiveMaxPool2d(AdaptiveMaxPool<2>) = "adaptive_max_pool2d";
    GlobalAvgPool(GlobalAvgPool) = "global_avg_pool";
    Upsample(Upsample) = "upsample";
    BatchNorm(BatchNorm) = "batch_norm";
    LayerNorm(LayerNorm) = "layer_norm";
    RmsNorm(RmsNorm) = "rms_norm";
    GroupNorm(GroupNorm) = "group_norm";
    SqueezeExcite(SqueezeExcite) = "squeeze_excite";
    Dropout(Dropout) = "dropout";
    Flatten(Flatten) = "flatten";
    Reshape(Reshape) = "reshape";
    Transpose(Transpose) = "transpose";
    Relu(Relu) = "relu";
    LeakyRelu(LeakyRelu) = "leaky_relu";
    Prelu(Prelu) = "prelu";
    Elu(Elu) = "elu";
    Selu(Selu) = "selu";
    Gelu(Gelu) = "gelu";
    Silu(Silu) = "silu";
    Mish(Mish) = "mish";
    Hardswish(Hardswish) = "hardswish";
    Hardsigmoid(Hardsigmoid) = "hardsigmoid";
    Softplus(Softplus) = "softplus";
    Tanh(Tanh) = "tanh";
    Sigmoid(Sigmoid) = "sigmoid";
    Softmax(Softmax) = "softmax";
    Embedding(Embedding) = "embedding";
    NumericEmbedding(NumericEmbedding) = "numeric_embedding";
    Position(Position) = "position";
    MultiHeadAttention(MultiHeadAttention) = "multi_head_attention";
    TransformerEncoder(TransformerEncoder) = "transformer_encoder";
    TransformerDecoder(TransformerDecoder) = "transformer_decoder";
    Pool(Pool) = "pool";
    Residual(Residual) = "residual";
    Parallel(Parallel) = "parallel";
    Save(Save) = "save";
    Add(Add) = "add";
    Concat(Concat) = "concat";
    Rnn(Recurrent<1>) = "rnn";
    Lstm(Recurrent<4>) = "lstm";
    Gru(Recurrent<3>) = "gru";
}

#[cfg(test)]
mod tests;
