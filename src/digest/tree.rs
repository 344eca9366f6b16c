//! The canonical tree, and its encoding.

use super::serializer::{TreeError, TreeSerializer};
use super::{Digest, Fields, Segment};
use serde::ser::Serialize;

/// A canonical value: what serde sees of a spec, with references and files marked.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// No value.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer of any width.
    Int(i128),
    /// A floating-point number.
    Float(f64),
    /// A string.
    Str(String),
    /// A list.
    Seq(Vec<Tree>),
    /// A map or struct, sorted by key.
    Map(Fields),
    /// A reference to another stage's output, as written (`"split.train"`).
    Ref(String),
    /// A file of the workspace, as written.
    File(String),
}

impl Tree {
    /// The canonical tree of a value.
    ///
    /// # Errors
    /// When a map has a key that is not a string, a number or a bool, or a value is raw bytes.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, TreeError> {
        value.serialize(TreeSerializer)
    }

    /// Calls `visit` with the path and text of every [`Tree::Ref`], in order.
    pub fn visit_refs(&self, visit: &mut dyn FnMut(&[Segment], &str)) {
        self.walk(&mut Vec::new(), &mut |path, node| {
            if let Tree::Ref(text) = node {
                visit(path, text);
            }
        });
    }

    /// Calls `visit` with the path and text of every [`Tree::File`], in order.
    pub fn visit_files(&self, visit: &mut dyn FnMut(&[Segment], &str)) {
        self.walk(&mut Vec::new(), &mut |path, node| {
            if let Tree::File(text) = node {
                visit(path, text);
            }
        });
    }

    /// Whether a reference or a file can be in it: everything else need not be visited.
    fn may_hold_marks(&self) -> bool {
        matches!(self, Tree::Ref(_) | Tree::File(_) | Tree::Seq(_) | Tree::Map(_))
    }

    /// Visits every reference and file, and what holds them.
    fn walk(&self, path: &mut Vec<Segment>, visit: &mut dyn FnMut(&[Segment], &Tree)) {
        visit(path, self);
        match self {
            Tree::Seq(items) => {
                for (index, item) in items.iter().enumerate().filter(|(_, item)| item.may_hold_marks()) {
                    path.push(Segment::Index(index));
                    item.walk(path, visit);
                    path.pop();
                }
            }
            Tree::Map(entries) => {
                for (key, item) in entries.iter().filter(|(_, item)| item.may_hold_marks()) {
                    path.push(Segment::Key(key.clone()));
                    item.walk(path, visit);
                    path.pop();
                }
            }
            _ => {}
        }
    }

    /// Feeds the encoding (see the module's table) to `hasher`; `resolve` gives the content digest of references and files.
    ///
    /// # Errors
    /// Whatever `resolve` answers for a reference or file that has no digest yet.
    pub fn encode<E>(
        &self,
        hasher: &mut blake3::Hasher,
        resolve: &mut dyn FnMut(&Tree) -> Result<Digest, E>,
    ) -> Result<(), E> {
        match self {
            Tree::Null => {
                hasher.update(&[0]);
            }
            Tree::Bool(value) => {
                hasher.update(&[1, u8::from(*value)]);
            }
            Tree::Int(value) => {
                hasher.update(&[2]).update(&value.to_le_bytes());
            }
            Tree::Float(value) => {
                hasher.update(&[3]).update(&canonical_bits(*value).to_le_bytes());
            }
            Tree::Str(text) => {
                hasher.update(&[4]);
                encode_str(hasher, text);
            }
            Tree::Seq(items) => {
                hasher.update(&[5]).update(&(items.len() as u64).to_le_bytes());
                for item in items {
                    item.encode(hasher, resolve)?;
                }
            }
            Tree::Map(entries) => {
                hasher.update(&[6]).update(&(entries.len() as u64).to_le_bytes());
                for (key, item) in entries {
                    encode_str(hasher, key);
                    item.encode(hasher, resolve)?;
                }
            }
            Tree::Ref(_) => {
                hasher.update(&[7]).update(resolve(self)?.as_bytes());
            }
            Tree::File(_) => {
                hasher.update(&[8]).update(resolve(self)?.as_bytes());
            }
        }
        Ok(())
    }

    /// The digest of a tree without references or files; those enter by their text.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut hasher = blake3::Hasher::new();
        let mut by_text = |node: &Tree| -> Result<Digest, std::convert::Infallible> {
            match node {
                Tree::Ref(text) | Tree::File(text) => Ok(Digest::of(text.as_bytes())),
                _ => Ok(Digest::of(b"")),
            }
        };
        match self.encode(&mut hasher, &mut by_text) {
            Ok(()) => Digest::from_bytes(*hasher.finalize().as_bytes()),
            Err(never) => match never {},
        }
    }

    /// The tree as JSON, for people and for the record beside a result. References and files appear as their text.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value;
        match self {
            Tree::Null => Value::Null,
            Tree::Bool(value) => Value::Bool(*value),
            Tree::Int(value) => i64::try_from(*value)
                .map(Value::from)
                .or_else(|_| u64::try_from(*value).map(Value::from))
                .unwrap_or_else(|_| Value::String(value.to_string())),
            Tree::Float(value) => {
                serde_json::Number::from_f64(*value).map_or_else(|| Value::String(value.to_string()), Value::Number)
            }
            Tree::Str(text) | Tree::Ref(text) | Tree::File(text) => Value::String(text.clone()),
            Tree::Seq(items) => Value::Array(items.iter().map(Tree::to_json).collect()),
            Tree::Map(entries) => {
                Value::Object(entries.iter().map(|(key, item)| (key.clone(), item.to_json())).collect())
            }
        }
    }
}

fn encode_str(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
}

fn canonical_bits(value: f64) -> u64 {
    if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() }
}
