//! One layer of a manifest: a name, or a table with one key. The list at the end of the file is all there are.

use super::layer::{Content, InferCx, Layer, LayerInfo, ShapeError, Short, Signal};
use super::layers::{
    AvgPool, BatchNorm, Conv, Dropout, Embedding, Flatten, Gelu, GlobalAvgPool, LayerNorm, Linear, MaxPool, Recurrent,
    Relu, Reshape, Residual, Sigmoid, Softmax, Tanh,
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
        let takes_indices =
            matches!(self, Self::Embedding(_) | Self::Flatten(_) | Self::Reshape(_) | Self::Residual(_));
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

    /// Whether it works element by element or row by row, so that every input keeps its shape.
    #[must_use]
    pub fn keeps_shape(&self) -> bool {
        match self {
            Self::BatchNorm(_)
            | Self::LayerNorm(_)
            | Self::Dropout(_)
            | Self::Relu(_)
            | Self::Gelu(_)
            | Self::Tanh(_)
            | Self::Sigmoid(_)
            | Self::Softmax(_) => true,
            Self::Linear(_)
            | Self::Conv1d(_)
            | Self::Conv2d(_)
            | Self::MaxPool1d(_)
            | Self::MaxPool2d(_)
            | Self::AvgPool1d(_)
            | Self::AvgPool2d(_)
            | Self::GlobalAvgPool(_)
            | Self::Flatten(_)
            | Self::Reshape(_)
            | Self::Embedding(_)
            | Self::Residual(_)
            | Self::Rnn(_)
            | Self::Lstm(_)
            | Self::Gru(_) => false,
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
            let message =
                format!("E0135: a layer is one name, but `{second}` follows `{name}`; write it in a table of its own");
            return Err(de::Error::custom(message));
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
    MaxPool1d(MaxPool<1>) = "max_pool1d";
    MaxPool2d(MaxPool<2>) = "max_pool2d";
    AvgPool1d(AvgPool<1>) = "avg_pool1d";
    AvgPool2d(AvgPool<2>) = "avg_pool2d";
    GlobalAvgPool(GlobalAvgPool) = "global_avg_pool";
    BatchNorm(BatchNorm) = "batch_norm";
    LayerNorm(LayerNorm) = "layer_norm";
    Dropout(Dropout) = "dropout";
    Flatten(Flatten) = "flatten";
    Reshape(Reshape) = "reshape";
    Relu(Relu) = "relu";
    Gelu(Gelu) = "gelu";
    Tanh(Tanh) = "tanh";
    Sigmoid(Sigmoid) = "sigmoid";
    Softmax(Softmax) = "softmax";
    Embedding(Embedding) = "embedding";
    Residual(Residual) = "residual";
    Rnn(Recurrent<1>) = "rnn";
    Lstm(Recurrent<4>) = "lstm";
    Gru(Recurrent<3>) = "gru";
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn error(value: serde_json::Value) -> (String, String) {
        let error = serde_path_to_error::deserialize::<_, Vec<LayerSpec>>(value).expect_err("not a layer");
        (error.path().to_string(), error.inner().to_string())
    }

    #[test]
    fn every_layer_has_docs_and_an_example_that_decodes_to_it() {
        for info in LAYERS {
            let text = format!("layer = {}", info.example);
            let table: toml::Table = text.parse().unwrap_or_else(|error| panic!("{}: {error}", info.name));
            let layer: LayerSpec =
                table["layer"].clone().try_into().unwrap_or_else(|error| panic!("{}: {error}", info.name));
            assert_eq!(layer.name(), info.name);
            assert_eq!(layer.info(), *info);
            let json = serde_json::to_value(&layer).expect("json");
            assert_eq!(serde_json::from_value::<LayerSpec>(json.clone()).expect(info.name), layer, "{json}");
            assert!(info.summary.ends_with('.') && info.docs.ends_with('.'), "{}", info.name);
        }
    }

    #[test]
    fn short_and_long_forms_are_one_layer_with_its_defaults_written() {
        let read = |value| serde_json::from_value::<LayerSpec>(value).expect("a layer");
        let canonical = |value| serde_json::to_value(read(value)).expect("json");
        assert_eq!(canonical(json!("relu")), json!("relu"));
        assert_eq!(canonical(json!({ "linear": 10 })), json!({ "linear": { "out": 10, "in": null, "bias": true } }));
        assert_eq!(read(json!({ "max_pool2d": [2, 2] })), read(json!({ "max_pool2d": { "kernel": 2 } })));
        assert_eq!(read(json!("batch_norm")), read(json!({ "batch_norm": { "eps": 1e-5 } })));
        assert_eq!(read(json!({ "residual": ["relu"] })), read(json!({ "residual": { "layers": ["relu"] } })));
        assert_eq!(
            read(json!({ "conv2d": { "out": 8, "kernel": 3, "stride": [2, 1] } })).text(),
            "conv2d 8, kernel 3, stride 2 x 1"
        );
    }

    #[test]
    fn mistakes_name_the_place_and_the_way_out() {
        assert_eq!(
            error(json!(["relu", "rleu"])),
            ("[1]".to_owned(), "unknown layer `rleu`; did you mean `relu`?".to_owned())
        );
        let (path, message) = error(json!([{ "convd2": { "out": 3 } }]));
        assert_eq!((path.as_str(), message.as_str()), ("[0]", "unknown layer `convd2`; did you mean `conv2d`?"));
        assert!(
            error(json!(["attention"])).1.starts_with("unknown layer `attention`; the layers are `linear`, `conv1d`,")
        );
        assert_eq!(error(json!(["linear"])).1, "E0134: linear needs its fields, as in `{ linear = 10 }`");
        assert_eq!(error(json!([{ "linear": { "out": "clases" } }])).0, "[0].linear.out");
        assert_eq!(
            error(json!([{ "conv2d": 32 }])).1,
            "invalid type: integer `32`, expected a value as in `{ conv2d = { out = 32, kernel = 3, padding = 1 } }`"
        );
        let two = error(json!([{ "linear": 3, "relu": {} }]));
        assert_eq!(two.1, "E0135: a layer is one name, but `relu` follows `linear`; write it in a table of its own");
        assert_eq!(error(json!([{ "residual": ["relu", "gleu"] }])).0, "[0].residual[1]");
        assert_eq!(error(json!([{ "conv2d": { "out": 8 } }])).1, "missing field `kernel`");
    }
}
