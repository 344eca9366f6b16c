//! Content digests, and the canonical form from which every key is made.
//!
//! # The canonical form
//!
//! A value is serialised by serde into a [`Tree`] and the tree is encoded into bytes, which BLAKE3 hashes:
//!
//! | node | encoding |
//! |---|---|
//! | null | `0x00` |
//! | bool | `0x01`, then `0` or `1` |
//! | integer | `0x02`, then 16 bytes, two's complement, little endian (every width encodes alike) |
//! | float | `0x03`, then the 8 bytes of the `f64`, little endian; `-0.0` is written as `0.0`, every NaN as one NaN |
//! | string | `0x04`, length as `u64`, UTF-8 bytes |
//! | sequence | `0x05`, length as `u64`, items |
//! | map | `0x06`, length as `u64`, then key (as string) and value, sorted by key |
//! | input reference | `0x07`, then the 32 bytes of the input's **content** digest |
//! | workspace file | `0x08`, then the 32 bytes of the file's content digest |
//!
//! So key order, white space and the names of upstream stages never enter, and an integer given where a float is
//! meant enters as whatever type the field has. Struct fields enter under their names, enum variants as a map of one
//! entry (or a string, for unit variants). A map entry whose value is null (a field that is `None`) does not enter, so a
//! kind can gain an optional field without losing its cached results.
//!
//! [`Ref`](crate::stage::Ref) and [`FilePath`](crate::stage::FilePath) mark themselves by the newtype names
//! [`REF_MARK`] and [`FILE_MARK`]; no other type may use those names.

use serde::ser::{self, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Newtype name under which a reference to another stage's output serialises.
pub const REF_MARK: &str = "kilter::Ref";
/// Newtype name under which a workspace file serialises.
pub const FILE_MARK: &str = "kilter::File";

/// A BLAKE3 digest, 32 bytes, written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of some bytes in memory.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The digest with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first 12 hexadecimal digits, for people.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string()[..12].to_owned()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", self.short())
    }
}

/// A text that is not 64 hexadecimal digits.
#[derive(Debug, thiserror::Error)]
#[error("expected 64 hexadecimal digits, found `{0}`")]
pub struct ParseDigestError(String);

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseDigestError(text.to_owned());
        let bytes = text.as_bytes();
        if bytes.len() != 64 || !bytes.iter().all(u8::is_ascii_hexdigit) {
            return Err(error());
        }
        let mut out = [0; 32];
        for (index, slot) in out.iter_mut().enumerate() {
            *slot = u8::from_str_radix(&text[index * 2..index * 2 + 2], 16).map_err(|_| error())?;
        }
        Ok(Self(out))
    }
}

impl Serialize for Digest {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

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
    Map(BTreeMap<String, Tree>),
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

    fn walk(&self, path: &mut Vec<Segment>, visit: &mut dyn FnMut(&[Segment], &Tree)) {
        visit(path, self);
        match self {
            Tree::Seq(items) => {
                for (index, item) in items.iter().enumerate() {
                    path.push(Segment::Index(index));
                    item.walk(path, visit);
                    path.pop();
                }
            }
            Tree::Map(entries) => {
                for (key, item) in entries {
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
            Ok(()) => Digest(*hasher.finalize().as_bytes()),
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
    if value.is_nan() {
        f64::NAN.to_bits()
    } else if value == 0.0 {
        0
    } else {
        value.to_bits()
    }
}

/// One step from a table to a value inside it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// A table's key.
    Key(String),
    /// A list's index, from 0.
    Index(usize),
}

impl From<&str> for Segment {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<&String> for Segment {
    fn from(key: &String) -> Self {
        Self::Key(key.clone())
    }
}

impl From<String> for Segment {
    fn from(key: String) -> Self {
        Self::Key(key)
    }
}

impl From<usize> for Segment {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// A key path as people write it: `optimizer.adam.lr`, `layers[3].linear`.
#[must_use]
pub fn dotted(path: &[Segment]) -> String {
    let mut out = String::new();
    for segment in path {
        match segment {
            Segment::Key(key) => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(key);
            }
            Segment::Index(index) => out.push_str(&format!("[{index}]")),
        }
    }
    out
}

/// A value that has no canonical form.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TreeError(String);

impl ser::Error for TreeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

struct TreeSerializer;

/// Collects a sequence, or a tuple variant's fields under the variant's name.
struct SeqBuilder {
    variant: Option<&'static str>,
    items: Vec<Tree>,
}

/// Collects a map or struct, or a struct variant's fields under the variant's name.
struct MapBuilder {
    variant: Option<&'static str>,
    key: Option<String>,
    entries: BTreeMap<String, Tree>,
}

fn in_variant(variant: Option<&'static str>, tree: Tree) -> Tree {
    match variant {
        Some(name) => Tree::Map(BTreeMap::from([(name.to_owned(), tree)])),
        None => tree,
    }
}

macro_rules! integers {
    ($($method:ident: $ty:ty),*) => {
        $(fn $method(self, value: $ty) -> Result<Tree, TreeError> { Ok(Tree::Int(i128::from(value))) })*
    };
}

impl ser::Serializer for TreeSerializer {
    type Ok = Tree;
    type Error = TreeError;
    type SerializeSeq = SeqBuilder;
    type SerializeTuple = SeqBuilder;
    type SerializeTupleStruct = SeqBuilder;
    type SerializeTupleVariant = SeqBuilder;
    type SerializeMap = MapBuilder;
    type SerializeStruct = MapBuilder;
    type SerializeStructVariant = MapBuilder;

    integers!(serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128);
    integers!(serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64);

    fn serialize_bool(self, value: bool) -> Result<Tree, TreeError> {
        Ok(Tree::Bool(value))
    }

    fn serialize_f32(self, value: f32) -> Result<Tree, TreeError> {
        Ok(Tree::Float(f64::from(value)))
    }

    fn serialize_f64(self, value: f64) -> Result<Tree, TreeError> {
        Ok(Tree::Float(value))
    }

    fn serialize_char(self, value: char) -> Result<Tree, TreeError> {
        Ok(Tree::Str(value.to_string()))
    }

    fn serialize_str(self, value: &str) -> Result<Tree, TreeError> {
        Ok(Tree::Str(value.to_owned()))
    }

    fn serialize_bytes(self, _value: &[u8]) -> Result<Tree, TreeError> {
        Err(ser::Error::custom("raw bytes have no canonical form; use a digest"))
    }

    fn serialize_none(self) -> Result<Tree, TreeError> {
        Ok(Tree::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Tree, TreeError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Tree, TreeError> {
        Ok(Tree::Null)
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<Tree, TreeError> {
        Ok(Tree::Null)
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<Tree, TreeError> {
        Ok(Tree::Str(variant.to_owned()))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<Tree, TreeError> {
        let tree = value.serialize(TreeSerializer)?;
        match (name, tree) {
            (REF_MARK, Tree::Str(text)) => Ok(Tree::Ref(text)),
            (FILE_MARK, Tree::Str(text)) => Ok(Tree::File(text)),
            (_, tree) => Ok(tree),
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Tree, TreeError> {
        Ok(in_variant(Some(variant), value.serialize(TreeSerializer)?))
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<SeqBuilder, TreeError> {
        Ok(SeqBuilder { variant: None, items: Vec::with_capacity(len.unwrap_or(0)) })
    }

    fn serialize_tuple(self, len: usize) -> Result<SeqBuilder, TreeError> {
        self.serialize_seq(Some(len))
    }

    fn serialize_tuple_struct(self, _name: &'static str, len: usize) -> Result<SeqBuilder, TreeError> {
        self.serialize_seq(Some(len))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<SeqBuilder, TreeError> {
        Ok(SeqBuilder { variant: Some(variant), items: Vec::with_capacity(len) })
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<MapBuilder, TreeError> {
        Ok(MapBuilder { variant: None, key: None, entries: BTreeMap::new() })
    }

    fn serialize_struct(self, _name: &'static str, len: usize) -> Result<MapBuilder, TreeError> {
        self.serialize_map(Some(len))
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<MapBuilder, TreeError> {
        Ok(MapBuilder { variant: Some(variant), key: None, entries: BTreeMap::new() })
    }
}

impl SeqBuilder {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), TreeError> {
        self.items.push(value.serialize(TreeSerializer)?);
        Ok(())
    }

    fn finish(self) -> Tree {
        in_variant(self.variant, Tree::Seq(self.items))
    }
}

macro_rules! seq_builder {
    ($($trait:ident :: $method:ident),*) => {
        $(impl ser::$trait for SeqBuilder {
            type Ok = Tree;
            type Error = TreeError;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), TreeError> { self.push(value) }
            fn end(self) -> Result<Tree, TreeError> { Ok(self.finish()) }
        })*
    };
}
seq_builder!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

impl MapBuilder {
    fn insert<T: Serialize + ?Sized>(&mut self, key: String, value: &T) -> Result<(), TreeError> {
        match value.serialize(TreeSerializer)? {
            Tree::Null => {}
            tree => {
                self.entries.insert(key, tree);
            }
        }
        Ok(())
    }
}

impl ser::SerializeMap for MapBuilder {
    type Ok = Tree;
    type Error = TreeError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), TreeError> {
        self.key = Some(match key.serialize(TreeSerializer)? {
            Tree::Str(text) => text,
            Tree::Int(value) => value.to_string(),
            Tree::Bool(value) => value.to_string(),
            other => return Err(ser::Error::custom(format!("a map key must be a string, found {other:?}"))),
        });
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), TreeError> {
        let key = self.key.take().ok_or_else(|| ser::Error::custom("a map value came without its key"))?;
        self.insert(key, value)
    }

    fn end(self) -> Result<Tree, TreeError> {
        Ok(in_variant(self.variant, Tree::Map(self.entries)))
    }
}

macro_rules! struct_builder {
    ($($trait:ident),*) => {
        $(impl ser::$trait for MapBuilder {
            type Ok = Tree;
            type Error = TreeError;
            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), TreeError> {
                self.insert(key.to_owned(), value)
            }
            fn end(self) -> Result<Tree, TreeError> {
                Ok(in_variant(self.variant, Tree::Map(self.entries)))
            }
        })*
    };
}
struct_builder!(SerializeStruct, SerializeStructVariant);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_order_does_not_count_and_values_do() {
        let digest = |text: &str| Tree::of(&text.parse::<toml::Table>().expect("toml")).expect("tree").digest();
        assert_eq!(digest("a = 1\nb = 2.5"), digest("b = 2.5\n\n# note\na = 1"));
        assert_ne!(digest("a = 1"), digest("a = 2"));
        assert_ne!(digest("a = 1"), digest("a = 1.0"));
        assert_ne!(digest("a = ['b', 'c']"), digest("a = ['bc']"));
    }

    #[test]
    fn a_digest_reads_back_what_it_writes() {
        let digest = Digest::of(b"kilter");
        assert_eq!(digest.to_string().parse::<Digest>().expect("parses"), digest);
        assert!("xyz".parse::<Digest>().is_err());
    }

    #[test]
    fn both_zeros_and_all_nans_encode_alike() {
        assert_eq!(Tree::Float(0.0).digest(), Tree::Float(-0.0).digest());
        assert_eq!(Tree::Float(f64::NAN).digest(), Tree::Float(-f64::NAN).digest());
    }

    #[test]
    fn paths_read_as_people_write_them() {
        assert_eq!(dotted(&["layers".into(), 3.into(), "linear".into()]), "layers[3].linear");
    }
}
