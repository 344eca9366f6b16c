//! What every layer states without a tensor: its manifest form, its shape rule, its number of parameters, its docs.

use crate::diag::{Code, codes};
use crate::digest::Segment;
use crate::types::{Dim, FeatureType, Shape, TensorType};
use serde::de::SeqAccess;
use serde::{Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;

/// What is known of a layer without a manifest; the reference is generated from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LayerInfo {
    /// The name in a manifest.
    pub name: &'static str,
    /// One sentence for lists and editor completion.
    pub summary: &'static str,
    /// Formula, shapes, and what to know, in Markdown.
    pub docs: &'static str,
    /// A layer as it would stand in a manifest; a test decodes it.
    pub example: &'static str,
    /// Whether it has parameters to train (a residual block has those of its layers).
    pub weights: bool,
}

/// What flows from layer to layer: a shape without the batch, whether its elements are numbers or indices, which of its
/// places are padding, and what was saved on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// The shape of one row.
    pub shape: Shape,
    /// What its elements are.
    pub content: Content,
    /// The index that tokens are filled up with, while the first dimension is that of the tokens: a mask of the
    /// places that are none goes along, for attention, recurrent layers and pools over tokens.
    pub padding: Option<u64>,
    /// What `{ save = "NAME" }` kept before this place.
    pub saved: Saved,
}

/// Signals by the names under which they were saved.
pub type Saved = BTreeMap<String, Signal>;

/// What a signal's elements are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// `f32` numbers.
    Numbers,
    /// `i64` indices below the cardinality, which only an embedding takes.
    Indices(Dim),
}

impl Signal {
    /// Numbers of this shape.
    #[must_use]
    pub fn numbers(shape: Shape) -> Self {
        Self { shape, content: Content::Numbers, padding: None, saved: Saved::new() }
    }

    /// What a feature feeds into a network: `u8` features come as numbers, divided by their scale.
    #[must_use]
    pub fn of(feature: &FeatureType) -> Self {
        let content = match feature.dtype {
            TensorType::U8 | TensorType::F32 => Content::Numbers,
            TensorType::I32 | TensorType::I64 => Content::Indices(feature.cardinality.clone().unwrap_or(Dim::Unknown)),
        };
        Self { shape: feature.shape.clone(), content, padding: feature.padding, saved: Saved::new() }
    }

    /// What a layer does not save anew stays saved.
    pub(crate) fn keep_saved(&mut self, before: &Self) {
        for (name, kept) in &before.saved {
            self.saved.entry(name.clone()).or_insert_with(|| kept.clone());
        }
    }

    /// The same content in another shape, whose first dimension is not that of tokens.
    #[must_use]
    pub fn with_shape(&self, shape: Shape) -> Self {
        Self { shape, content: self.content.clone(), padding: None, saved: Saved::new() }
    }

    /// Numbers at the same tokens, `width` of them at each.
    #[must_use]
    pub fn at_each_place(&self, width: Dim) -> Self {
        let places = self.shape.0.len().saturating_sub(1);
        let shape = Shape([&self.shape.0[..places], &[width]].concat());
        Self { padding: self.padding, ..Self::numbers(shape) }
    }
}

/// What a layer may know besides its input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InferCx {
    /// How many outputs the target asks for, which is what `"classes"` stands for; `None` for data without a target.
    pub outputs: Option<Dim>,
    /// The length of the vectors of the network's first embedding, and how many there are: what a tied layer shares.
    pub embedding: Option<(u64, Dim)>,
}

/// A layer that cannot take its input: what a diagnostic needs, with paths relative to the layer.
#[derive(Clone, Debug, PartialEq)]
pub struct ShapeError {
    /// Its code.
    pub code: Code,
    /// The field to blame, below the layer's name: `["in"]`.
    pub field: Vec<Segment>,
    /// One line: what is wrong.
    pub message: String,
    /// The words at the place.
    pub label: String,
    /// What to do.
    pub hints: Vec<String>,
    /// The layer that gives the shape, and the words for it; `None` where it is the network's input.
    pub given_by: Option<(Vec<Segment>, String)>,
    /// The shape to go on with, where the mistake leaves no doubt about it.
    pub recover: Option<Shape>,
}

impl ShapeError {
    /// A mistake at the layer as a whole.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            field: Vec::new(),
            message: message.into(),
            label: String::new(),
            hints: Vec::new(),
            given_by: None,
            recover: None,
        }
    }

    /// Blames a field.
    #[must_use]
    pub fn at(mut self, field: &str) -> Self {
        self.field = vec![field.into()];
        self
    }

    /// The words at the place.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Self {
        self.label = text.into();
        self
    }

    /// Something to do about it.
    #[must_use]
    pub fn hint(mut self, text: impl Into<String>) -> Self {
        self.hints.push(text.into());
        self
    }

    /// The shape to go on with.
    #[must_use]
    pub fn recover(mut self, shape: Shape) -> Self {
        self.recover = Some(shape);
        self
    }

    /// The same mistake, seen from the table that holds the layer under `prefix`.
    #[must_use]
    pub(crate) fn nest(mut self, prefix: &[Segment]) -> Self {
        self.field = [prefix, &self.field].concat();
        if let Some((path, _)) = &mut self.given_by {
            *path = [prefix, path].concat();
        }
        self
    }

    /// A layer that needs another number of dimensions: `wanted` says which, as in `[channels, height, width]`.
    #[must_use]
    pub(crate) fn rank(layer: &str, wanted: &str, input: &Shape) -> Self {
        Self::new(codes::RANK, format!("{layer} takes [batch, {wanted}] but receives {input}"))
            .label(format!("receives {input}"))
    }

    /// A number that must be at least 1.
    #[must_use]
    pub(crate) fn zero(layer: &str, field: &str) -> Self {
        Self::new(codes::OUT_OF_RANGE, format!("`{field}` of {layer} must be at least 1")).at(field).label("is 0")
    }
}

/// A layer's value where it is not a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Short {
    /// The bare name: `"relu"`.
    Bare,
    /// A whole number: `{ linear = 10 }`.
    Int(u64),
    /// A number: `{ dropout = 0.25 }`.
    Float(f64),
    /// A string: `{ linear = "classes" }`.
    Text(String),
}

/// One layer's spec. Its fields are its long form, read by serde; the other methods are its rules.
///
/// Every layer here has a twin of the same name in the worker, which builds the tensors.
pub trait Layer: Serialize + DeserializeOwned + schemars::JsonSchema + Clone + PartialEq {
    /// What is known of it without a manifest.
    const INFO: LayerInfo;

    /// The layer from a short form; `None` where it has none of that type.
    fn from_short(short: Short) -> Option<Self>;

    /// The layer from a list; `None` where it has no such form.
    fn from_list<'de, A: SeqAccess<'de>>(list: A) -> Option<Result<Self, A::Error>> {
        drop(list);
        None
    }

    /// The JSON schemas of its short forms, the bare name left out.
    fn short_schemas(_: &mut schemars::SchemaGenerator) -> Vec<schemars::Schema> {
        Vec::new()
    }

    /// The shape and content that it gives. An input dimension that is not known is no mistake.
    ///
    /// # Errors
    /// When the input cannot go through the layer whatever the unknown dimensions turn out to be.
    fn infer(&self, input: &Signal, cx: &InferCx) -> Result<Signal, ShapeError>;

    /// How many parameters it trains; `None` while a dimension is not known.
    fn parameters(&self, input: &Signal, cx: &InferCx) -> Option<u64> {
        let _ = (input, cx);
        Some(0)
    }

    /// How many floating-point operations its forward pass takes for one row, counted as PyTorch's `FlopCounterMode` does:
    /// matrix products, convolutions and attention, a multiplication with an addition being two; recurrent layers by their matrix
    /// products. `None` while a dimension is not known.
    fn flops(&self, input: &Signal, cx: &InferCx) -> Option<u64> {
        let _ = (input, cx);
        Some(0)
    }

    /// How many numbers of one row it keeps for the backward pass, its output counted; `None` while a dimension is not known.
    fn activations(&self, input: &Signal, cx: &InferCx) -> Option<u64> {
        self.infer(input, cx).ok()?.shape.elements()
    }

    /// The layer with everything filled in that follows from its input and the target.
    #[must_use]
    fn resolved(&self, input: &Signal, cx: &InferCx) -> Self {
        let _ = (input, cx);
        self.clone()
    }

    /// What distinguishes it from its kind, for lists: `64, kernel 3, padding 1`.
    fn describe(&self) -> String {
        String::new()
    }
}
