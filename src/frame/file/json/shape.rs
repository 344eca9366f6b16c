//! What all values of a JSON column have in common, told from every one of them.

use super::super::width::MOST_COLUMNS;
use super::value::Json;
use polars::prelude::{DataType, Field};

/// The type of the values at one place.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    /// Nothing but nulls so far.
    Null,
    Bool,
    /// Whole numbers, the least and the largest.
    Whole(i128, i128),
    Float,
    Text,
    List(Box<Shape>),
    Object(Vec<(String, Shape)>),
}

/// Two values at one place that have no type in common.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Conflict {
    /// Where: `a.b[]`.
    pub(super) place: String,
    /// What was there before.
    pub(super) before: &'static str,
    /// What is there now.
    pub(super) now: &'static str,
}

impl Shape {
    pub(super) fn of(value: &Json) -> Result<Self, Conflict> {
        Ok(match value {
            Json::Null => Self::Null,
            Json::Bool(_) => Self::Bool,
            Json::Whole(value) => Self::Whole(*value, *value),
            Json::Float(_) => Self::Float,
            Json::Text(_) => Self::Text,
            Json::List(items) => {
                let mut inner = Self::Null;
                for item in items {
                    inner.join(Self::of(item).map_err(|conflict| conflict.below("[]"))?).map_err(|c| c.below("[]"))?;
                }
                Self::List(Box::new(inner))
            }
            Json::Object(fields) => {
                let shaped = fields.iter().map(|(key, value)| {
                    Self::of(value).map(|shape| (key.clone(), shape)).map_err(|conflict| conflict.below(key))
                });
                Self::Object(shaped.collect::<Result<_, _>>()?)
            }
        })
    }

    /// Widens it to what holds the other too. Keys come in the order in which they first appear.
    pub(super) fn join(&mut self, other: Self) -> Result<(), Conflict> {
        match (&mut *self, other) {
            (_, Self::Null) => Ok(()),
            (Self::Null, other) => {
                *self = other;
                Ok(())
            }
            (Self::Whole(least, most), Self::Whole(low, high)) => {
                (*least, *most) = ((*least).min(low), (*most).max(high));
                Ok(())
            }
            (Self::Whole(..) | Self::Float, Self::Whole(..) | Self::Float) => {
                *self = Self::Float;
                Ok(())
            }
            (Self::List(inner), Self::List(other)) => inner.join(*other).map_err(|conflict| conflict.below("[]")),
            (Self::Object(fields), Self::Object(others)) => {
                // Most objects have their keys in one order: each is looked for behind the one before.
                let mut next = 0;
                for (key, other) in others {
                    // Far too many keys take no more time: they are refused in the end.
                    if fields.len() > MOST_COLUMNS {
                        return Ok(());
                    }
                    let follows = fields.get(next).is_some_and(|(name, _)| *name == key);
                    let found = if follows { Some(next) } else { fields.iter().position(|(name, _)| *name == key) };
                    next = found.unwrap_or(fields.len()) + 1;
                    match found {
                        Some(at) => fields[at].1.join(other).map_err(|conflict| conflict.below(&key))?,
                        None => fields.push((key, other)),
                    }
                }
                Ok(())
            }
            (same, other) if *same == other => Ok(()),
            (before, now) => Err(Conflict { place: String::new(), before: before.what(), now: now.what() }),
        }
    }

    /// The column's type. Where nothing is known it is text.
    pub(super) fn dtype(&self) -> DataType {
        match self {
            Self::Null | Self::Text => DataType::String,
            Self::Bool => DataType::Boolean,
            Self::Whole(least, most) if i64::try_from(*least).is_ok() && i64::try_from(*most).is_ok() => {
                DataType::Int64
            }
            Self::Whole(least, most) if u64::try_from(*least).is_ok() && u64::try_from(*most).is_ok() => {
                DataType::UInt64
            }
            Self::Whole(..) => DataType::Int128,
            Self::Float => DataType::Float64,
            Self::List(inner) => DataType::List(Box::new(inner.dtype())),
            // An object that never holds a key is no struct: its text says what it is.
            Self::Object(fields) if fields.is_empty() => DataType::String,
            Self::Object(fields) => DataType::Struct(
                fields.iter().map(|(name, shape)| Field::new(name.as_str().into(), shape.dtype())).collect(),
            ),
        }
    }

    fn what(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Whole(..) | Self::Float => "a number",
            Self::Text => "a text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

impl Conflict {
    /// The same, seen from one level higher.
    pub(super) fn below(mut self, key: &str) -> Self {
        let dot = if self.place.is_empty() || self.place.starts_with('[') { "" } else { "." };
        self.place = format!("{key}{dot}{}", self.place);
        self
    }

    /// The column that it is in.
    pub(super) fn column(&self) -> &str {
        self.place.split(['.', '[']).next().unwrap_or(&self.place)
    }
}
