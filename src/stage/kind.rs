//! Kinds, with and without their types.

use super::{CheckCx, Produced, RunCx, StageError, StageInfo};
use crate::digest::{Segment, Tree};
use crate::types::ArtifactType;
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use std::marker::PhantomData;
use std::path::PathBuf;

/// What a stage will output, in port order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outputs {
    /// Port names and types.
    pub ports: Vec<(String, ArtifactType)>,
    /// Where a port's file lies already, before anything ran (a fetched workspace file), so that what reads it can
    /// look inside while checking.
    pub files: Vec<(String, PathBuf)>,
}

impl Outputs {
    /// No output.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// One output.
    #[must_use]
    pub fn one(port: impl Into<String>, ty: ArtifactType) -> Self {
        Self::none().and(port, ty)
    }

    /// One output more.
    #[must_use]
    pub fn and(mut self, port: impl Into<String>, ty: ArtifactType) -> Self {
        self.ports.push((port.into(), ty));
        self
    }

    /// Says where a port's file lies already.
    #[must_use]
    pub fn lying_at(mut self, port: impl Into<String>, path: PathBuf) -> Self {
        self.files.push((port.into(), path));
        self
    }

    /// The type of a port.
    #[must_use]
    pub fn get(&self, port: &str) -> Option<&ArtifactType> {
        self.ports.iter().find(|(name, _)| name == port).map(|(_, ty)| ty)
    }
}

/// A stage kind: its spec, check and run, in one file.
pub trait Kind: Send + Sync + 'static {
    /// The fields, as the manifest writes them. No `flatten`, no `untagged`, no `skip_serializing_if`:
    /// messages, keys and the schema come from this type.
    type Spec: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static;

    /// What is known without a manifest.
    const INFO: StageInfo;

    /// What the stage will output. Reports mistakes to `cx` and goes on with `Unknown` types after them. It is called
    /// before a run with what is known then, and again right before `run` with the inputs' real types.
    fn check(spec: &Self::Spec, cx: &mut CheckCx<'_>) -> Outputs;

    /// Does the work: reads inputs, writes every port's files under [`RunCx::out`].
    ///
    /// # Errors
    /// A [`StageError`] that says what happened to what, and what to do.
    fn run(spec: &Self::Spec, cx: &RunCx<'_>) -> Result<Produced, StageError>;
}

/// A mistake in a stage's fields, found while decoding them.
#[derive(Clone, Debug, PartialEq)]
pub enum DecodeError {
    /// A key that the kind does not have; the candidates are the fields that may stand there.
    UnknownField {
        /// The path to the key.
        path: Vec<Segment>,
    },
    /// A field that must be there.
    MissingField {
        /// The path to the table that lacks it.
        path: Vec<Segment>,
        /// Its name.
        field: String,
    },
    /// A value of the wrong type or form.
    Invalid {
        /// The path to the value.
        path: Vec<Segment>,
        /// What serde said.
        message: String,
    },
}

/// A kind without its types, as the registry lists it.
pub trait Stage: Send + Sync {
    /// What is known without a manifest.
    fn info(&self) -> StageInfo;

    /// The JSON schema of the fields.
    fn schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema;

    /// Decodes a stage's own fields. Gives every unknown key and as many wrong values as can be told apart.
    fn decode(&self, fields: &serde_json::Value) -> (Option<Box<dyn StageSpec>>, Vec<DecodeError>);
}

/// The decoded fields of one stage.
pub trait StageSpec: Send + Sync {
    /// What is known of the kind.
    fn info(&self) -> StageInfo;

    /// The canonical form, from which references, files and the key are read.
    fn tree(&self) -> &Tree;

    /// See [`Kind::check`].
    fn check(&self, cx: &mut CheckCx<'_>) -> Outputs;

    /// See [`Kind::run`].
    ///
    /// # Errors
    /// See [`Kind::run`].
    fn run(&self, cx: &RunCx<'_>) -> Result<Produced, StageError>;
}

/// Makes a registry entry of a [`Kind`].
pub struct Erased<K>(PhantomData<K>);

impl<K> Erased<K> {
    /// The entry.
    pub const NEW: Self = Self(PhantomData);
}

struct Decoded<K: Kind> {
    spec: K::Spec,
    tree: Tree,
}

impl<K: Kind> StageSpec for Decoded<K> {
    fn info(&self) -> StageInfo {
        K::INFO
    }

    fn tree(&self) -> &Tree {
        &self.tree
    }

    fn check(&self, cx: &mut CheckCx<'_>) -> Outputs {
        K::check(&self.spec, cx)
    }

    fn run(&self, cx: &RunCx<'_>) -> Result<Produced, StageError> {
        K::run(&self.spec, cx)
    }
}

impl<K: Kind> Stage for Erased<K> {
    fn info(&self) -> StageInfo {
        K::INFO
    }

    fn schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<K::Spec>()
    }

    fn decode(&self, fields: &serde_json::Value) -> (Option<Box<dyn StageSpec>>, Vec<DecodeError>) {
        let mut errors = Vec::new();
        let spec: Option<K::Spec> = decode_fields(fields, &mut errors);
        let decoded = spec.and_then(|spec| match Tree::of(&spec) {
            Ok(tree) => Some(Box::new(Decoded::<K> { spec, tree }) as Box<dyn StageSpec>),
            Err(error) => {
                errors.push(DecodeError::Invalid { path: Vec::new(), message: error.to_string() });
                None
            }
        });
        (decoded, errors)
    }
}

/// Serde stops at the first error, so after one the blamed top-level field is taken out and the rest is tried again:
/// every wrong field is reported once. Missing fields that were taken out by us are not reported.
fn decode_fields<T: DeserializeOwned + JsonSchema>(
    fields: &serde_json::Value,
    errors: &mut Vec<DecodeError>,
) -> Option<T> {
    let mut fields = std::borrow::Cow::Borrowed(fields);
    let mut removed: Vec<String> = Vec::new();
    loop {
        let mut unknown = Vec::new();
        match decode_once::<T>(&fields, &mut unknown) {
            Ok(value) => {
                errors.extend(unknown.into_iter().map(|path| DecodeError::UnknownField { path }));
                return errors.is_empty().then_some(value);
            }
            Err((path, message)) => {
                if let Some(field) = missing_field(&message) {
                    if path.is_empty() {
                        report_missing_keys::<T>(&fields, &field, &removed, errors);
                    } else {
                        errors.push(DecodeError::MissingField { path, field });
                    }
                    report_unknown_keys::<T>(&fields, errors);
                    return None;
                }
                let top = match path.first() {
                    Some(Segment::Key(key)) => key.clone(),
                    _ => {
                        errors.push(DecodeError::Invalid { path, message });
                        return None;
                    }
                };
                errors.push(DecodeError::Invalid { path, message });
                let taken = fields.to_mut().as_object_mut().and_then(|table| table.remove(&top));
                if taken.is_none() {
                    return None;
                }
                removed.push(top);
            }
        }
    }
}

/// Every missing field of the top level, from the schema; serde told of the first alone. Those that were taken out are not missing.
fn report_missing_keys<T: JsonSchema>(
    fields: &serde_json::Value,
    first: &str,
    removed: &[String],
    errors: &mut Vec<DecodeError>,
) {
    let schema = schemars::schema_for!(T);
    let required = schema.get("required").and_then(|names| names.as_array()).into_iter().flatten();
    let mut names: Vec<&str> = required.filter_map(|name| name.as_str()).collect();
    if !names.contains(&first) {
        names.push(first);
    }
    for name in names.into_iter().filter(|name| fields.get(name).is_none() && !removed.iter().any(|gone| gone == name))
    {
        errors.push(DecodeError::MissingField { path: Vec::new(), field: name.to_owned() });
    }
}

/// Unknown keys of the top level, from the schema: used where decoding broke off before serde could tell.
fn report_unknown_keys<T: JsonSchema>(fields: &serde_json::Value, errors: &mut Vec<DecodeError>) {
    let schema = schemars::schema_for!(T);
    let Some(known) = schema.get("properties").and_then(|known| known.as_object()) else { return };
    let Some(table) = fields.as_object() else { return };
    for key in table.keys().filter(|key| !known.contains_key(*key)) {
        errors.push(DecodeError::UnknownField { path: vec![key.into()] });
    }
}

fn decode_once<T: DeserializeOwned>(
    fields: &serde_json::Value,
    unknown: &mut Vec<Vec<Segment>>,
) -> Result<T, (Vec<Segment>, String)> {
    let mut note = |path: serde_ignored::Path<'_>| unknown.push(ignored_path(&path));
    let mut track = serde_path_to_error::Track::new();
    let inner = serde_path_to_error::Deserializer::new(fields, &mut track);
    let result = T::deserialize(serde_ignored::Deserializer::new(inner, &mut note));
    result.map_err(|error| (error_path(&track.path()), error.to_string()))
}

/// serde writes "missing field `x`".
fn missing_field(message: &str) -> Option<String> {
    message.strip_prefix("missing field `")?.split('`').next().map(str::to_owned)
}

fn error_path(path: &serde_path_to_error::Path) -> Vec<Segment> {
    use serde_path_to_error::Segment as S;
    path.iter()
        .filter_map(|segment| match segment {
            S::Seq { index } => Some(Segment::Index(*index)),
            S::Map { key } => Some(Segment::Key(key.clone())),
            S::Enum { variant } => Some(Segment::Key(variant.clone())),
            S::Unknown => None,
        })
        .collect()
}

fn ignored_path(path: &serde_ignored::Path<'_>) -> Vec<Segment> {
    use serde_ignored::Path as P;
    match path {
        P::Root => Vec::new(),
        P::Seq { parent, index } => [ignored_path(parent), vec![Segment::Index(*index)]].concat(),
        P::Map { parent, key } => [ignored_path(parent), vec![Segment::Key(key.clone())]].concat(),
        P::Some { parent } | P::NewtypeStruct { parent } | P::NewtypeVariant { parent } => ignored_path(parent),
    }
}
