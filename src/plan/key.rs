//! The key of a stage: everything that decides its result, and nothing else.
//!
//! | enters | as | why |
//! |---|---|---|
//! | `format` | [`KEY_FORMAT`] | this table itself |
//! | `kind`, `version` | the kind's name and its implementation's version | the code |
//! | `spec` | the kind's fields with their defaults, as the canonical [`Tree`] | what the manifest says |
//! | … a reference in it | the content digest of the output that it names; of a table, of the columns that the stage reads ([`Reads`](crate::stage::Reads)) | early cut-off: who made the input, and how, does not matter, nor what is not read of it |
//! | … to a table that is not kept | the tree of the stage that would make it, with what of *its* inputs is read for the columns that are read | nothing else of what is behind it is read |
//! | … a file in it | the path as written, and the content digest; for a pattern those of every file that it matches | programs see names; a fetched file keeps its own |
//! | `names` | names in the result that follow from references: the ports of `encode` | they are part of it |
//! | `origin` | for kinds whose result tells where it comes from (`release`): names, kinds and keys of all stages before, and how references are written | its provenance is part of it |
//! | `seed` | the seed's digest, for stages that make random choices | it follows from the pipeline's seed and the stage's name |
//! | `environment` | libtorch's version and the device class, for kinds whose numbers come from libtorch | other versions round differently |
//!
//! | never enters | why |
//! |---|---|
//! | the stage's name and its references' names | a renamed stage has the same result (unless it is seeded, or tells its origin) |
//! | the fields of [`NOT_IN_KEY`] | the reasons stand there |
//! | absolute paths, times, hosts, user names, environment variables | they differ between machines |
//! | which of several GPUs computes (`cuda:1`) | they give the same numbers |
//! | how many cores or workers there are | what depends on them must be a field (`threads`) |
//! | key order, comments, white space, where a value came from (`--set`, a param, a default) | the canonical tree has none of them |
//! | the pipeline's seed, for stages that make no random choices | |
//!
//! One tree is built; the digest and the JSON that is kept beside the result are read from it in one traversal each,
//! with the same resolution of references and files, so `why` cannot show something else than what was hashed.

use super::resolved::{Content, Resolved, as_json, encode};
use super::taken::{Taken, take};
use crate::check::{CheckedStage, ResolvedRef};
use crate::digest::{Digest, Tree};
use crate::job;
use crate::stage::{Seed, StageResult, StageSpec};
use crate::store::{NoFiles, StatCache, Store, StoreError, UsedFiles};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Raised when the table above changes: every result is then computed anew.
pub const KEY_FORMAT: u32 = 3;

/// The fields that do not enter a key, each with its reason: those that every stage may carry, and those of one kind, with its
/// name before them. Every other field of every kind does; a test changes each.
pub const NOT_IN_KEY: &[(&str, &str)] = &[
    ("about", "a note for the manifest's readers"),
    (
        "needs",
        "where and when a stage runs does not change its bytes; what does is a field of the kind, such as `threads`",
    ),
    ("retry", "an attempt that failed leaves nothing behind"),
    ("cache", "says whether a result is looked for, not which"),
    ("tolerance", "says what is made of a difference when the stage is run again, not what it gives"),
    ("matrix", "each of its values stands in the field that it is for, and in the seed of the stage that it makes"),
    ("database.ssl_mode", "how a server is reached does not change what it answers"),
    ("database.ssl_root_cert", "who is trusted to name a server does not change what it answers"),
    ("exec.timeout", "a program that it stops leaves no result, and any other writes the same"),
    ("train.checkpoint_every", "a training that goes on from a checkpoint ends with the same bits"),
];

/// A stage's key.
#[derive(Clone, Debug)]
pub struct Key {
    /// What the index is asked with.
    pub digest: Digest,
    /// The workspace files that entered.
    pub files: Vec<Arc<UsedFiles>>,
    /// Where its inputs come from, where its kind tells that.
    pub origin: Option<Digest>,
    /// What it has in common with all stages of its [`Series`](crate::stage::Series): the key without the fields in which they differ.
    pub series: Option<Digest>,
    resolved: Resolved,
}

impl Key {
    /// The inputs that entered, and all of them that the stage may be given.
    pub(super) fn inputs(&self) -> impl Iterator<Item = &Taken> {
        self.resolved.inputs()
    }

    /// What entered of the input of this reference.
    #[must_use]
    pub fn input(&self, reference: &str) -> Option<&Taken> {
        self.resolved.input(reference)
    }

    /// Everything that entered, for people; kept beside the result. `stage` is the one whose key it is, `stages` are all up to it:
    /// what their fields say is not held here a second time.
    #[must_use]
    pub fn json(&self, stage: &CheckedStage, stages: &[CheckedStage]) -> Value {
        let parts = KeyParts::of(stage, stages).map(|parts| KeyParts { origin: self.origin, ..parts });
        parts.map_or(Value::Null, |parts| as_json(&key_tree(parts), &self.resolved, stages))
    }
}

/// Why a stage has no key (yet).
#[derive(Debug)]
pub enum NoKey {
    /// The results of these stages (by index) are not known.
    Waits(Vec<usize>),
    /// A workspace file cannot be read.
    File(StoreError),
    /// A pattern matches no file (any more), or cannot be looked for; in words.
    Files(String),
}

/// What a key is made of.
#[derive(Clone, Copy)]
pub struct KeyParts<'a> {
    /// The kind and the fields.
    pub spec: &'a dyn StageSpec,
    /// What the references in them stand for.
    pub refs: &'a [ResolvedRef],
    /// The seed.
    pub seed: Seed,
    /// The folder that files are relative to.
    pub base: &'a Path,
    /// Where its inputs come from, for kinds that tell it: see [`origin_of`](super::origin_of).
    pub origin: Option<Digest>,
    /// The stages that the references are to, by index.
    pub stages: &'a [CheckedStage],
}

impl<'a> KeyParts<'a> {
    /// The parts of a checked stage, of those of `stages`; `None` where its fields could not be decoded.
    #[must_use]
    pub fn of(stage: &'a CheckedStage, stages: &'a [CheckedStage]) -> Option<Self> {
        let spec = stage.spec.as_deref()?;
        Some(Self { spec, refs: &stage.refs, seed: stage.seed, base: &stage.base, origin: None, stages })
    }
}

/// The key of a stage, given the results of the stages that it refers to.
///
/// # Errors
/// [`NoKey`], where a result is missing or a file cannot be read.
pub fn key(
    parts: KeyParts<'_>,
    store: &Store,
    result_of: &dyn Fn(usize) -> Option<Arc<StageResult>>,
) -> Result<Key, NoKey> {
    let mut resolved = take(parts, None, result_of)?;
    let files = resolve_files(parts, &store.stat_cache, &mut resolved)?;
    let tree = key_tree(parts);
    let digest = encode(&tree, "kilter 2026 stage key", &resolved)?;
    let series = parts.spec.series().map(|series| without(&tree, series.free));
    let series = series.map(|tree| encode(&tree, "kilter 2026 stage series", &resolved)).transpose()?;
    Ok(Key { digest, files, origin: parts.origin, series, resolved })
}

/// A key's tree without some of the stage's fields.
fn without(tree: &Tree, fields: &[&str]) -> Tree {
    let mut tree = tree.clone();
    if let Tree::Map(entries) = &mut tree
        && let Some(Tree::Map(spec)) = entries.get_mut("spec")
    {
        spec.retain(|name| !fields.contains(&name));
    }
    tree
}

/// The table of this module, as a tree.
pub(super) fn key_tree(parts: KeyParts<'_>) -> Tree {
    let info = parts.spec.info();
    let mut fields = parts.spec.tree().clone();
    let device = if info.numeric { by_class(&mut fields) } else { "cpu" };
    let text = |text: &str| Tree::Str(text.to_owned());
    let mut entries = BTreeMap::from([
        ("format".to_owned(), Tree::Int(i128::from(KEY_FORMAT))),
        ("kind".to_owned(), text(info.name)),
        ("version".to_owned(), Tree::Int(i128::from(info.version))),
        ("spec".to_owned(), fields),
    ]);
    let names = parts.spec.names();
    if !names.is_empty() {
        entries.insert("names".to_owned(), Tree::Seq(names.into_iter().map(Tree::Str).collect()));
    }
    if let Some(origin) = parts.origin {
        entries.insert("origin".to_owned(), text(&origin.to_string()));
    }
    if parts.spec.seeded() {
        entries.insert("seed".to_owned(), Tree::Str(parts.seed.digest().to_string()));
    }
    if info.numeric {
        let environment = [("libtorch".to_owned(), text(job::LIBTORCH)), ("device".to_owned(), text(device))];
        entries.insert("environment".to_owned(), Tree::Map(environment.into()));
    }
    Tree::Map(entries.into())
}

/// Puts the class of the device in its place, and gives it: which of several GPUs computes does not change a result.
fn by_class(fields: &mut Tree) -> &'static str {
    let Tree::Map(fields) = fields else { return "cpu" };
    match fields.get_mut("device") {
        Some(Tree::Str(device)) => {
            let class = job::DeviceChoice::read(device).map_or("cpu", job::DeviceChoice::class);
            *device = class.to_owned();
            class
        }
        _ => "cpu",
    }
}

/// The workspace files of a stage, as they are now.
///
/// # Errors
/// [`NoKey`], where one cannot be read or a pattern matches nothing.
pub fn used_files(parts: KeyParts<'_>, store: &Store) -> Result<Vec<Arc<UsedFiles>>, NoKey> {
    resolve_files(parts, &store.stat_cache, &mut Resolved::default())
}

fn resolve_files(
    parts: KeyParts<'_>,
    cache: &StatCache,
    resolved: &mut Resolved,
) -> Result<Vec<Arc<UsedFiles>>, NoKey> {
    let mut texts = Vec::new();
    parts.spec.tree().visit_files(&mut |_, text| texts.push(text.to_owned()));
    texts.sort();
    texts.dedup();
    let mut all = Vec::with_capacity(texts.len());
    for text in texts {
        let used = cache.used(parts.base, &text).map_err(|error| match error {
            NoFiles::Store(error) => NoKey::File(error),
            NoFiles::Words(words) => NoKey::Files(words),
        })?;
        all.push(Arc::clone(&used));
        resolved.insert(false, &text, Content::File(used));
    }
    Ok(all)
}
