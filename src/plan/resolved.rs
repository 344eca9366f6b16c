//! What stands for the references and files of a stage, for its key's digest and for people.

use super::key::NoKey;
use super::taken::Taken;
use crate::check::CheckedStage;
use crate::digest::{Digest, Tree};
use crate::store::UsedFiles;
use serde_json::{Value, json};
use std::sync::Arc;

/// What stands for a reference or a file.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Input(Taken),
    File(Arc<UsedFiles>),
}

/// What stands for the references and files of a stage, by whether it is a reference and its text; sorted by these.
#[derive(Clone, Debug, Default)]
pub(super) struct Resolved(Vec<((bool, String), Content)>);

impl Resolved {
    pub(super) fn insert(&mut self, is_reference: bool, text: &str, content: Content) {
        let key = (is_reference, text.to_owned());
        match self.0.binary_search_by(|(known, _)| known.cmp(&key)) {
            Ok(at) => self.0[at].1 = content,
            Err(at) => self.0.insert(at, (key, content)),
        }
    }

    fn get(&self, is_reference: bool, text: &str) -> Option<&Content> {
        let found = |((kind, known), _): &((bool, String), Content)| (*kind, known.as_str()).cmp(&(is_reference, text));
        self.0.binary_search_by(found).ok().map(|at| &self.0[at].1)
    }

    /// The inputs, by the text of their references.
    pub(super) fn inputs(&self) -> impl Iterator<Item = &Taken> {
        self.0.iter().filter_map(|(_, content)| match content {
            Content::Input(taken) => Some(taken),
            Content::File(_) => None,
        })
    }

    /// The input of a reference.
    pub(super) fn input(&self, reference: &str) -> Option<&Taken> {
        match self.get(true, reference)? {
            Content::Input(taken) => Some(taken),
            Content::File(_) => None,
        }
    }

    /// What stands for a node of a tree; `None` where it is neither a reference nor a file.
    fn lookup(&self, node: &Tree) -> Option<&Content> {
        match node {
            Tree::Ref(text) => self.get(true, text),
            Tree::File(text) => self.get(false, text),
            _ => None,
        }
    }
}

/// The digest of a tree.
pub(super) fn encode(tree: &Tree, purpose: &str, resolved: &Resolved) -> Result<Digest, NoKey> {
    let mut hasher = blake3::Hasher::new_derive_key(purpose);
    tree.encode(&mut hasher, &mut |node| match resolved.lookup(node) {
        Some(Content::Input(taken)) => Ok(taken.digest),
        Some(Content::File(used)) => Ok(used.digest),
        None => Err(NoKey::Files("a reference or file stands for nothing".to_owned())),
    })?;
    Ok(Digest::from_bytes(*hasher.finalize().as_bytes()))
}

/// The same tree for people. `stages` are those that the inputs come from.
pub(super) fn as_json(tree: &Tree, resolved: &Resolved, stages: &[CheckedStage]) -> Value {
    let inner = |item: &Tree| as_json(item, resolved, stages);
    match (resolved.lookup(tree), tree) {
        (Some(Content::Input(taken)), _) => taken.json(stages),
        (Some(Content::File(used)), _) => files_json(used),
        (None, Tree::Seq(items)) => Value::Array(items.iter().map(inner).collect()),
        (None, Tree::Map(entries)) => {
            Value::Object(entries.iter().map(|(name, item)| (name.clone(), inner(item))).collect())
        }
        (None, other) => other.to_json(),
    }
}

fn files_json(used: &UsedFiles) -> Value {
    let files = used.found.iter().map(|file| (file.name.clone(), json!(file.digest)));
    json!({ "file": used.text, "digest": used.digest, "files": files.collect::<serde_json::Map<_, _>>() })
}
