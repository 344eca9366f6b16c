//! The key of a stage: everything that decides its result, and nothing else.
//!
//! | enters | as | why |
//! |---|---|---|
//! | `format` | [`KEY_FORMAT`] | this table itself |
//! | `kind`, `version` | the kind's name and its implementation's version | the code |
//! | `spec` | the kind's fields with their defaults, as the canonical [`Tree`] | what the manifest says |
//! | … a reference in it | the content digest of the output that it names | early cut-off: who made the input, and how, does not matter |
//! | … a file in it | the path as written, and the content digest; for a pattern those of every file that it matches | programs see names; a fetched file keeps its own |
//! | `seed` | the seed's digest, for kinds that make random choices | it follows from the pipeline's seed and the stage's name |
//! | `environment` | libtorch's version and the device class, for kinds whose numbers come from libtorch | other versions round differently |
//!
//! | never enters | why |
//! |---|---|
//! | the stage's name and its references' names | a renamed stage has the same result (unless it is seeded) |
//! | `about`, `needs`, `retry`, `cache` | they do not change the bytes |
//! | absolute paths, times, hosts, user names, environment variables | they differ between machines |
//! | how many cores or workers there are | what depends on them must be a field (`threads`) |
//! | key order, comments, white space, where a value came from (`--set`, a param, a default) | the canonical tree has none of them |
//! | the pipeline's seed, for kinds that make no random choices | |
//!
//! One tree is built; the digest and the JSON that is kept beside the result are read from it in one traversal each,
//! with the same resolution of references and files, so `why` cannot show something else than what was hashed.

use crate::check::{CheckedStage, ResolvedRef};
use crate::digest::{Digest, Tree};
use crate::job;
use crate::stage::{Seed, StageInfo, StageResult, files, io_words};
use crate::store::{StatCache, Store, StoreError};
use crate::types::ArtifactType;
use rayon::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Raised when the table above changes: every result is then computed anew.
pub const KEY_FORMAT: u32 = 1;

/// A stage's key.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// What the index is asked with.
    pub digest: Digest,
    /// Everything that entered, for people; kept beside the result.
    pub json: Value,
    /// The workspace files that entered.
    pub files: Vec<UsedFiles>,
}

/// A path or pattern of workspace files in a stage's fields, and the files that it stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct UsedFiles {
    /// As it is written.
    pub text: String,
    /// Their places and the digests of their bytes.
    pub found: Vec<(PathBuf, Digest)>,
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
    /// The kind.
    pub info: StageInfo,
    /// The fields.
    pub tree: &'a Tree,
    /// What the references in them stand for.
    pub refs: &'a [ResolvedRef],
    /// The seed.
    pub seed: Seed,
    /// The folder that files are relative to.
    pub base: &'a Path,
}

impl<'a> KeyParts<'a> {
    /// The parts of a checked stage; `None` where its fields could not be decoded.
    #[must_use]
    pub fn of(stage: &'a CheckedStage) -> Option<Self> {
        let tree = stage.spec.as_ref()?.tree();
        Some(Self { info: stage.info?, tree, refs: &stage.refs, seed: stage.seed, base: &stage.base })
    }
}

/// With fewer files, sharing out the work takes longer than doing it.
const MANY_FILES: usize = 32;

/// What stands for a reference or a file: its digest, and how it is shown.
type Resolved = BTreeMap<(bool, String), (Digest, Value)>;

/// The key of a stage, given the results of the stages that it refers to.
///
/// # Errors
/// [`NoKey`], where a result is missing or a file cannot be read.
pub fn key(
    parts: KeyParts<'_>,
    store: &Store,
    result_of: &dyn Fn(usize) -> Option<Arc<StageResult>>,
) -> Result<Key, NoKey> {
    let mut resolved = resolve_refs(parts.refs, result_of)?;
    let files = resolve_files(parts, &store.stat_cache, &mut resolved)?;
    let tree = key_tree(parts);
    let mut hasher = blake3::Hasher::new_derive_key("kilter 2026 stage key");
    tree.encode(&mut hasher, &mut |node| match node {
        Tree::Ref(text) => lookup(&resolved, true, text).map(|(digest, _)| *digest),
        Tree::File(text) => lookup(&resolved, false, text).map(|(digest, _)| *digest),
        _ => Ok(Digest::of(b"")),
    })?;
    Ok(Key { digest: Digest::from_bytes(*hasher.finalize().as_bytes()), json: key_json(&tree, &resolved)?, files })
}

fn lookup<'a>(resolved: &'a Resolved, is_ref: bool, text: &str) -> Result<&'a (Digest, Value), NoKey> {
    let found = resolved.get(&(is_ref, text.to_owned()));
    found.ok_or_else(|| NoKey::Files(format!("`{text}` stands for nothing")))
}

/// The table of this module, as a tree.
fn key_tree(parts: KeyParts<'_>) -> Tree {
    let text = |text: &str| Tree::Str(text.to_owned());
    let mut entries = BTreeMap::from([
        ("format".to_owned(), Tree::Int(i128::from(KEY_FORMAT))),
        ("kind".to_owned(), text(parts.info.name)),
        ("version".to_owned(), Tree::Int(i128::from(parts.info.version))),
        ("spec".to_owned(), parts.tree.clone()),
    ]);
    if parts.info.seeded {
        entries.insert("seed".to_owned(), Tree::Str(parts.seed.digest().to_string()));
    }
    if parts.info.numeric {
        let device = match parts.tree {
            Tree::Map(fields) => fields.get("device").cloned(),
            _ => None,
        };
        let environment = [
            ("libtorch".to_owned(), text(job::LIBTORCH)),
            ("device".to_owned(), device.unwrap_or_else(|| text("cpu"))),
        ];
        entries.insert("environment".to_owned(), Tree::Map(environment.into()));
    }
    Tree::Map(entries)
}

fn key_json(tree: &Tree, resolved: &Resolved) -> Result<Value, NoKey> {
    Ok(match tree {
        Tree::Ref(text) => lookup(resolved, true, text)?.1.clone(),
        Tree::File(text) => lookup(resolved, false, text)?.1.clone(),
        Tree::Seq(items) => Value::Array(items.iter().map(|item| key_json(item, resolved)).collect::<Result<_, _>>()?),
        Tree::Map(entries) => {
            let entries = entries.iter().map(|(name, item)| Ok((name.clone(), key_json(item, resolved)?)));
            Value::Object(entries.collect::<Result<_, NoKey>>()?)
        }
        other => other.to_json(),
    })
}

fn resolve_refs(
    refs: &[ResolvedRef],
    result_of: &dyn Fn(usize) -> Option<Arc<StageResult>>,
) -> Result<Resolved, NoKey> {
    let mut resolved = Resolved::new();
    let mut waits = Vec::new();
    for reference in refs {
        let result = result_of(reference.stage);
        let Some(artifact) = result.as_ref().and_then(|result| result.outputs.get(&reference.port)) else {
            waits.push(reference.stage);
            continue;
        };
        let mut shown = json!({ "ref": reference.text, "digest": artifact.digest });
        if let ArtifactType::Table(schema) = &artifact.ty {
            shown["rows"] = json!(schema.rows);
            shown["columns"] = json!(schema.columns.len());
        }
        resolved.insert((true, reference.text.clone()), (artifact.digest, shown));
    }
    if waits.is_empty() {
        return Ok(resolved);
    }
    waits.sort_unstable();
    waits.dedup();
    Err(NoKey::Waits(waits))
}

/// The workspace files of a stage, as they are now.
///
/// # Errors
/// [`NoKey`], where one cannot be read or a pattern matches nothing.
pub fn used_files(parts: KeyParts<'_>, store: &Store) -> Result<Vec<UsedFiles>, NoKey> {
    resolve_files(parts, &store.stat_cache, &mut Resolved::new())
}

fn resolve_files(parts: KeyParts<'_>, cache: &StatCache, resolved: &mut Resolved) -> Result<Vec<UsedFiles>, NoKey> {
    let mut used = Vec::new();
    let mut texts = Vec::new();
    parts.tree.visit_files(&mut |_, text| texts.push(text.to_owned()));
    texts.sort();
    texts.dedup();
    for text in texts {
        let found = files::expand(parts.base, &text)
            .map_err(|error| NoKey::Files(format!("the files `{text}` cannot be looked for: {}", io_words(&error))))?;
        if found.is_empty() {
            return Err(NoKey::Files(format!("no file matches `{text}`")));
        }
        let mut hasher = blake3::Hasher::new_derive_key("kilter 2026 workspace file");
        let mut digests = serde_json::Map::new();
        let mut places = Vec::with_capacity(found.len());
        let hash = |(_, path): &(String, PathBuf)| cache.digest(path).map_err(NoKey::File);
        let hashed: Vec<_> = match found.len() {
            0..MANY_FILES => found.iter().map(hash).collect::<Result<_, _>>()?,
            _ => found.par_iter().map(hash).collect::<Result<_, _>>()?,
        };
        for ((name, path), (digest, _)) in found.into_iter().zip(hashed) {
            hasher.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes()).update(digest.as_bytes());
            digests.insert(name, json!(digest));
            places.push((path, digest));
        }
        let digest = Digest::from_bytes(*hasher.finalize().as_bytes());
        let shown = json!({ "file": text, "digest": digest, "files": digests });
        used.push(UsedFiles { text: text.clone(), found: places });
        resolved.insert((false, text), (digest, shown));
    }
    Ok(used)
}
