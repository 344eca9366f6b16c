//! Field values that may be written in more than one way: window sizes, padding, widths.

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// One number per spatial dimension; a single number stands for all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size<const N: usize>(pub [u64; N]);

impl<const N: usize> Size<N> {
    /// The same number in every dimension.
    #[must_use]
    pub const fn all(value: u64) -> Self {
        Self([value; N])
    }

    /// Whether every number is `value`.
    #[must_use]
    pub fn is_all(&self, value: u64) -> bool {
        self.0.iter().all(|size| *size == value)
    }

    /// The numbers as libtorch takes them.
    #[must_use]
    pub fn signed(&self) -> [i64; N] {
        self.0.map(|size| i64::try_from(size).unwrap_or(i64::MAX))
    }
}

impl<const N: usize> fmt::Display for Size<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_all(self.0[0]) {
            return write!(f, "{}", self.0[0]);
        }
        let sizes: Vec<String> = self.0.iter().map(u64::to_string).collect();
        f.write_str(&sizes.join(" x "))
    }
}

impl<const N: usize> Serialize for Size<N> {
    /// One number where all are equal, else a list: the same for both ways of writing.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.is_all(self.0[0]) { serializer.serialize_u64(self.0[0]) } else { serializer.collect_seq(self.0) }
    }
}

struct SizeVisitor<const N: usize>;

impl<'de, const N: usize> Visitor<'de> for SizeVisitor<N> {
    type Value = Size<N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if N == 1 { f.write_str("a whole number") } else { write!(f, "a whole number or a list of {N} whole numbers") }
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Size::all(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Self::Value, E> {
        let size = u64::try_from(value).map_err(|_| E::invalid_value(de::Unexpected::Signed(value), &self))?;
        Ok(Size::all(size))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut sizes = [0; N];
        for (index, size) in sizes.iter_mut().enumerate() {
            *size = list.next_element()?.ok_or_else(|| de::Error::invalid_length(index, &self))?;
        }
        if list.next_element::<de::IgnoredAny>()?.is_some() {
            return Err(de::Error::invalid_length(N + 1, &self));
        }
        Ok(Size(sizes))
    }
}

impl<'de, const N: usize> Deserialize<'de> for Size<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SizeVisitor)
    }
}

impl<const N: usize> schemars::JsonSchema for Size<N> {
    fn schema_name() -> Cow<'static, str> {
        format!("Size{N}").into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let number = schemars::json_schema!({ "type": "integer", "minimum": 0 });
        if N == 1 {
            return number;
        }
        schemars::json_schema!({
            "anyOf": [number, { "type": "array", "items": { "type": "integer", "minimum": 0 }, "minItems": N, "maxItems": N }],
        })
    }
}

/// How much is added at each side before a window slides over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding<const N: usize> {
    /// So many zeros at both sides.
    Size(Size<N>),
    /// As many as leave the size unchanged; for stride 1.
    Same,
}

impl<const N: usize> Default for Padding<N> {
    fn default() -> Self {
        Self::Size(Size::all(0))
    }
}

impl<const N: usize> fmt::Display for Padding<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size(size) => size.fmt(f),
            Self::Same => f.write_str("same"),
        }
    }
}

impl<const N: usize> Serialize for Padding<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Size(size) => size.serialize(serializer),
            Self::Same => serializer.serialize_str("same"),
        }
    }
}

struct PaddingVisitor<const N: usize>;

impl<'de, const N: usize> Visitor<'de> for PaddingVisitor<N> {
    type Value = Padding<N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SizeVisitor::<N>.expecting(f)?;
        f.write_str(", \"same\" or \"valid\"")
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Padding::Size(Size::all(value)))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Self::Value, E> {
        SizeVisitor.visit_i64(value).map(Padding::Size)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        match text {
            "same" => Ok(Padding::Same),
            "valid" => Ok(Padding::default()),
            _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        SizeVisitor.visit_seq(list).map(Padding::Size)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Padding<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PaddingVisitor)
    }
}

impl<const N: usize> schemars::JsonSchema for Padding<N> {
    fn schema_name() -> Cow<'static, str> {
        format!("Padding{N}").into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let size = Size::<N>::json_schema(generator);
        schemars::json_schema!({ "anyOf": [size, { "enum": ["same", "valid"] }] })
    }
}

/// A number of outputs, or `"classes"`: as many as the target asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// So many.
    Fixed(u64),
    /// One per class; 1 for a binary target or a number.
    Classes,
}

impl fmt::Display for Width {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(width) => write!(f, "{width}"),
            Self::Classes => f.write_str("classes"),
        }
    }
}

impl Serialize for Width {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Fixed(width) => serializer.serialize_u64(*width),
            Self::Classes => serializer.serialize_str("classes"),
        }
    }
}

struct WidthVisitor;

impl Visitor<'_> for WidthVisitor {
    type Value = Width;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number or \"classes\"")
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Width, E> {
        Ok(Width::Fixed(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Width, E> {
        let width = u64::try_from(value).map_err(|_| E::invalid_value(de::Unexpected::Signed(value), &self))?;
        Ok(Width::Fixed(width))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Width, E> {
        if text == "classes" { Ok(Width::Classes) } else { Err(E::invalid_value(de::Unexpected::Str(text), &self)) }
    }
}

impl<'de> Deserialize<'de> for Width {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WidthVisitor)
    }
}

impl schemars::JsonSchema for Width {
    fn schema_name() -> Cow<'static, str> {
        "Width".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "anyOf": [{ "type": "integer", "minimum": 1 }, { "const": "classes" }] })
    }
}

/// The default of switches that are on.
pub(crate) fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_number_and_an_even_list_are_the_same_size() {
        let short: Size<2> = serde_json::from_value(json!(3)).expect("a size");
        let long: Size<2> = serde_json::from_value(json!([3, 3])).expect("a size");
        assert_eq!(short, long);
        assert_eq!(serde_json::to_value(long).expect("json"), json!(3));
        let odd: Size<2> = serde_json::from_value(json!([3, 5])).expect("a size");
        assert_eq!(serde_json::to_value(odd).expect("json"), json!([3, 5]));
        assert_eq!(odd.to_string(), "3 x 5");
    }

    #[test]
    fn wrong_sizes_say_what_is_expected() {
        let error = |value| serde_json::from_value::<Size<2>>(value).expect_err("not a size").to_string();
        assert_eq!(error(json!([1, 2, 3])), "invalid length 3, expected a whole number or a list of 2 whole numbers");
        assert_eq!(
            error(json!(-1)),
            "invalid value: integer `-1`, expected a whole number or a list of 2 whole numbers"
        );
        let padding = serde_json::from_value::<Padding<1>>(json!("full")).expect_err("not a padding").to_string();
        assert_eq!(padding, "invalid value: string \"full\", expected a whole number, \"same\" or \"valid\"");
    }
}
