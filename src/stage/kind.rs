//! Kinds, with and without their types.

use super::decode::decode_fields;
use super::remembered::Remembered;
use super::{CheckCx, Input, InputTypes, Plan, Produced, Reads, RunCx, Seed, Series, StageError, StageInfo};
use crate::digest::{Segment, Tree};
use crate::types::ArtifactType;
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::path::PathBuf;

/// The files of a stage's ports: name and place, by port.
pub type PortFiles = BTreeMap<String, Vec<(String, PathBuf)>>;

/// What a stage will output, in port order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outputs {
    /// Port names and types.
    pub ports: Vec<(String, ArtifactType)>,
    /// Where a port's files lie already, before anything ran (fetched workspace files), so that what reads them can
    /// look inside while checking.
    pub files: PortFiles,
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
    pub fn lying_at(self, port: impl Into<String>, path: PathBuf) -> Self {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        self.lying(port, vec![(name, path)])
    }

    /// Says where a port's files lie already, each with the name that it will have.
    #[must_use]
    pub fn lying(mut self, port: impl Into<String>, files: Vec<(String, PathBuf)>) -> Self {
        self.files.entry(port.into()).or_default().extend(files);
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

    /// Which columns of its table inputs the stage reads. `run` will see those and no others, so this is more than a
    /// promise; whatever else these tables hold does not enter the key. It is asked with the inputs' real types.
    fn reads(_spec: &Self::Spec, _inputs: &InputTypes<'_>) -> Reads {
        Reads::everything()
    }

    /// The same of a table that is not kept, where of its own columns only these are used: what its plan then reads of its
    /// inputs. Where there are none, only the number of its rows is.
    fn reads_for(_spec: &Self::Spec, _inputs: &InputTypes<'_>, _columns: &[String]) -> Reads {
        Reads::everything()
    }

    /// Names in the result that follow from references, such as those of ports. They enter the key; how a reference is
    /// written does not.
    fn names(_spec: &Self::Spec) -> Vec<String> {
        Vec::new()
    }

    /// Whether the result tells where it comes from: the stage's name, its references as written, and
    /// [`Services::provenance`](super::Services::provenance). All of that enters the key then.
    const TELLS_ORIGIN: bool = false;

    /// Does the work: reads inputs, writes every port's files under [`RunCx::out`].
    ///
    /// # Errors
    /// A [`StageError`] that says what happened to what, and what to do.
    fn run(spec: &Self::Spec, cx: &RunCx<'_>) -> Result<Produced, StageError>;

    /// For how many seconds a result of something outside, which no digest stands for, is believed. After that the next
    /// run makes it anew under the same key; where it comes out the same, nothing after it reruns.
    fn refresh(_spec: &Self::Spec) -> Option<u64> {
        None
    }

    /// Whether [`Kind::check`] looks at nothing but the fields and the types of its inputs, and takes its time: then what it found
    /// stands as long as these are the same.
    const CHECKS_BY_TYPES: bool = false;

    /// Whether the tables that it takes need not be kept: it reads them through [`crate::frame`] alone, which computes them
    /// then.
    const TAKES_VIEWS: bool = false;

    /// Whether the stage's one table is not kept but computed by each stage that uses it, from [`Kind::plan`].
    fn is_view(_spec: &Self::Spec) -> bool {
        false
    }

    /// Whether the stage makes random choices that derive from its seed: of kinds that make none unless some field asks for one,
    /// so that the key of a stage without that field does not depend on the seed.
    fn seeded(_spec: &Self::Spec) -> bool {
        Self::INFO.seeded
    }

    /// The plan of its table, given its inputs and its seed; only of a kind that can be a view.
    ///
    /// # Errors
    /// When an input cannot be opened.
    fn plan(_spec: &Self::Spec, _inputs: &BTreeMap<String, Input>, _seed: Seed) -> Result<Plan, StageError> {
        Err(StageError::bug("this kind is no view"))
    }

    /// How its work is a part of longer work. The result must be the same bits however often it was interrupted and taken up
    /// again, and whatever it goes on from: see [`RunCx::onward`].
    fn series(_spec: &Self::Spec) -> Option<Series> {
        None
    }

    /// Whether the same inputs give the same bits again, with any number of threads (for a numeric kind: on one class of
    /// device). The lock records it, and `verify` holds the stage to it.
    fn bitwise(_spec: &Self::Spec) -> bool {
        true
    }
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

    /// See [`Kind::reads`].
    fn reads(&self, inputs: &InputTypes<'_>) -> Reads;

    /// See [`Kind::reads_for`].
    fn reads_for(&self, inputs: &InputTypes<'_>, columns: &[String]) -> Reads;

    /// See [`Kind::names`].
    fn names(&self) -> Vec<String>;

    /// See [`Kind::TELLS_ORIGIN`].
    fn tells_origin(&self) -> bool;

    /// See [`Kind::run`].
    ///
    /// # Errors
    /// See [`Kind::run`].
    fn run(&self, cx: &RunCx<'_>) -> Result<Produced, StageError>;

    /// See [`Kind::refresh`].
    fn refresh(&self) -> Option<u64>;

    /// See [`Kind::series`].
    fn series(&self) -> Option<Series>;

    /// See [`Kind::bitwise`].
    fn bitwise(&self) -> bool;

    /// See [`Kind::CHECKS_BY_TYPES`].
    fn checks_by_types(&self) -> bool;

    /// See [`Kind::TAKES_VIEWS`].
    fn takes_views(&self) -> bool;

    /// See [`Kind::is_view`].
    fn is_view(&self) -> bool;

    /// See [`Kind::seeded`].
    fn seeded(&self) -> bool;

    /// See [`Kind::plan`].
    ///
    /// # Errors
    /// See [`Kind::plan`].
    fn plan(&self, inputs: &BTreeMap<String, Input>, seed: Seed) -> Result<Plan, StageError>;
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
    remembered: Remembered,
}

impl<K: Kind> Decoded<K> {
    /// What is read; other stages are not asked as often as one whose table is not kept.
    fn read(&self, inputs: &InputTypes<'_>, wanted: Option<&[String]>, find: impl FnOnce() -> Reads) -> Reads {
        match K::is_view(&self.spec) {
            true => self.remembered.reads(inputs, wanted, find),
            false => find(),
        }
    }
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

    fn reads(&self, inputs: &InputTypes<'_>) -> Reads {
        self.read(inputs, None, || K::reads(&self.spec, inputs))
    }

    fn reads_for(&self, inputs: &InputTypes<'_>, columns: &[String]) -> Reads {
        self.read(inputs, Some(columns), || K::reads_for(&self.spec, inputs, columns))
    }

    fn names(&self) -> Vec<String> {
        K::names(&self.spec)
    }

    fn tells_origin(&self) -> bool {
        K::TELLS_ORIGIN
    }

    fn run(&self, cx: &RunCx<'_>) -> Result<Produced, StageError> {
        K::run(&self.spec, cx)
    }

    fn refresh(&self) -> Option<u64> {
        K::refresh(&self.spec)
    }

    fn series(&self) -> Option<Series> {
        K::series(&self.spec)
    }

    fn bitwise(&self) -> bool {
        K::bitwise(&self.spec)
    }

    fn checks_by_types(&self) -> bool {
        K::CHECKS_BY_TYPES
    }

    fn takes_views(&self) -> bool {
        K::TAKES_VIEWS
    }

    fn is_view(&self) -> bool {
        K::is_view(&self.spec)
    }

    fn seeded(&self) -> bool {
        K::seeded(&self.spec)
    }

    fn plan(&self, inputs: &BTreeMap<String, Input>, seed: Seed) -> Result<Plan, StageError> {
        K::plan(&self.spec, inputs, seed)
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
            Ok(tree) => {
                Some(Box::new(Decoded::<K> { spec, tree, remembered: Remembered::default() }) as Box<dyn StageSpec>)
            }
            Err(error) => {
                errors.push(DecodeError::Invalid { path: Vec::new(), message: error.to_string() });
                None
            }
        });
        (decoded, errors)
    }
}
