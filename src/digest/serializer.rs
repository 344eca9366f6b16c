//! From any value that serde can serialise to its canonical tree.

use super::{FILE_MARK, Fields, REF_MARK, Tree};
use serde::ser::{self, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// A value that has no canonical form.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct TreeError(String);

impl ser::Error for TreeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

pub(super) struct TreeSerializer;

/// Collects a sequence, or a tuple variant's fields under the variant's name.
pub(super) struct SeqBuilder {
    variant: Option<&'static str>,
    items: Vec<Tree>,
}

/// Collects a map or struct, or a struct variant's fields under the variant's name.
pub(super) struct MapBuilder {
    variant: Option<&'static str>,
    key: Option<String>,
    entries: BTreeMap<String, Tree>,
}

fn in_variant(variant: Option<&'static str>, tree: Tree) -> Tree {
    match variant {
        Some(name) => Tree::Map(Fields::from([(name.to_owned(), tree)])),
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
        Ok(in_variant(self.variant, Tree::Map(self.entries.into())))
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
                Ok(in_variant(self.variant, Tree::Map(self.entries.into())))
            }
        })*
    };
}
struct_builder!(SerializeStruct, SerializeStructVariant);
