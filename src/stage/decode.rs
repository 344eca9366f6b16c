//! Decoding a stage's fields: every wrong value, unknown key and missing field is told, not the first alone.

use super::DecodeError;
use super::values::Fields;
use crate::digest::Segment;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::borrow::Cow;

/// Serde stops at the first error, so after one the value to blame is taken out and the rest is tried again: of a list
/// the item, of anything else the top-level field. What is wrong only because of that is not told.
pub(super) fn decode_fields<T: DeserializeOwned + JsonSchema>(
    fields: &Value,
    errors: &mut Vec<DecodeError>,
) -> Option<T> {
    let mut left = Left { fields: Cow::Borrowed(fields), taken: Vec::new(), items: Vec::new() };
    loop {
        let mut unknown = Vec::new();
        let (path, message) = match decode_once::<T>(&left.fields, &mut unknown) {
            Ok(value) => {
                errors.extend(unknown.iter().map(|path| DecodeError::UnknownField { path: left.original(path) }));
                return errors.is_empty().then_some(value);
            }
            Err(error) => error,
        };
        let original = left.original(&path);
        let consequence = left.items.iter().any(|(list, _)| list.starts_with(&original));
        match missing_field(&message) {
            Some(field) if path.is_empty() => {
                report_missing_keys::<T>(&left.fields, &field, &left.taken, errors);
                report_unknown_keys::<T>(&left.fields, errors);
                return None;
            }
            _ if consequence => {}
            Some(field) => errors.push(DecodeError::MissingField { path: original, field }),
            None => errors.push(DecodeError::Invalid { path: original, message }),
        }
        if consequence { left.take_field(&path)? } else { left.take(&path)? }
    }
}

/// The fields that are still to be decoded.
struct Left<'a> {
    fields: Cow<'a, Value>,
    /// Top-level fields that were taken out.
    taken: Vec<String>,
    /// List items that were taken out: the list, and the item's place in it, both as they were.
    items: Vec<(Vec<Segment>, usize)>,
}

impl Left<'_> {
    /// A path as it was before anything was taken out.
    fn original(&self, path: &[Segment]) -> Vec<Segment> {
        let mut out: Vec<Segment> = Vec::with_capacity(path.len());
        for segment in path {
            let segment = match segment {
                Segment::Key(_) => segment.clone(),
                Segment::Index(now) => {
                    let gone = self.items.iter().filter(|(list, _)| *list == out).map(|(_, index)| *index);
                    let mut gone: Vec<usize> = gone.collect();
                    gone.sort_unstable();
                    Segment::Index(gone.into_iter().fold(*now, |at, gone| if gone <= at { at + 1 } else { at }))
                }
            };
            out.push(segment);
        }
        out
    }

    /// Takes out what a path leads to: the innermost list item on it, or else the top-level field. `None`: nothing is left.
    fn take(&mut self, path: &[Segment]) -> Option<()> {
        let item = path.iter().rposition(|segment| matches!(segment, Segment::Index(_)));
        if let Some(at) = item
            && let Segment::Index(index) = path[at]
        {
            let original = self.original(&path[..=at]);
            let list = path[..at].iter().try_fold(self.fields.to_mut(), |value, segment| match segment {
                Segment::Key(key) => value.get_mut(key),
                Segment::Index(index) => value.get_mut(index),
            });
            let items = list.and_then(Value::as_array_mut).filter(|items| index < items.len());
            if let (Some(items), Some((Segment::Index(place), list))) = (items, original.split_last()) {
                items.remove(index);
                self.items.push((list.to_vec(), *place));
                return Some(());
            }
        }
        self.take_field(path)
    }

    fn take_field(&mut self, path: &[Segment]) -> Option<()> {
        let Some(Segment::Key(top)) = path.first() else { return None };
        self.fields.to_mut().as_object_mut()?.remove(top)?;
        self.taken.push(top.clone());
        Some(())
    }
}

/// Every missing field of the top level, from the schema; serde told of the first alone. Those that were taken out are not missing.
fn report_missing_keys<T: JsonSchema>(fields: &Value, first: &str, removed: &[String], errors: &mut Vec<DecodeError>) {
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
fn report_unknown_keys<T: JsonSchema>(fields: &Value, errors: &mut Vec<DecodeError>) {
    let schema = schemars::schema_for!(T);
    let Some(known) = schema.get("properties").and_then(|known| known.as_object()) else { return };
    let Some(table) = fields.as_object() else { return };
    for key in table.keys().filter(|key| !known.contains_key(*key)) {
        errors.push(DecodeError::UnknownField { path: vec![key.into()] });
    }
}

fn decode_once<T: DeserializeOwned>(
    fields: &Value,
    unknown: &mut Vec<Vec<Segment>>,
) -> Result<T, (Vec<Segment>, String)> {
    let mut note = |path: serde_ignored::Path<'_>| unknown.push(ignored_path(&path));
    let mut track = serde_path_to_error::Track::new();
    let inner = serde_path_to_error::Deserializer::new(Fields(fields), &mut track);
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its errors matter")]
    struct Spec {
        name: String,
        layers: Vec<Layer>,
        shape: Option<[u32; 2]>,
    }

    #[derive(Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    #[expect(dead_code, reason = "only its errors matter")]
    enum Layer {
        Relu,
        Linear { out: u32 },
    }

    /// Path and first words of everything that is wrong.
    fn wrong(fields: Value) -> Vec<String> {
        let mut errors = Vec::new();
        decode_fields::<Spec>(&fields, &mut errors);
        let show = |error: &DecodeError| match error {
            DecodeError::UnknownField { path } => format!("{} unknown", crate::digest::dotted(path)),
            DecodeError::MissingField { path, field } => format!("{} needs {field}", crate::digest::dotted(path)),
            DecodeError::Invalid { path, message } => {
                let words: Vec<&str> = message.split([' ', ':']).take(2).collect();
                format!("{} {}", crate::digest::dotted(path), words.join(" "))
            }
        };
        // In which order fields are visited depends on a feature of serde_json that other crates turn on.
        let mut shown: Vec<String> = errors.iter().map(show).collect();
        shown.sort();
        shown
    }

    #[test]
    fn every_wrong_item_is_told_at_its_own_place() {
        let layers = json!(["rellu", "relu", { "linear": { "out": "x" } }, { "linear": {} }, { "liner": 1 }, "relu"]);
        assert_eq!(
            wrong(json!({ "name": 3, "layers": layers })),
            [
                "layers[0] unknown variant",
                "layers[2].linear.out invalid type",
                "layers[3].linear needs out",
                "layers[4] unknown variant",
                "name invalid type",
            ]
        );
    }

    #[test]
    fn a_list_is_no_table() {
        let layers = json!([{ "linear": [3] }, { "linear": { "out": 3 } }, ["relu"]]);
        let wrong = wrong(json!({ "name": "a", "layers": layers, "shape": [1, 2] }));
        assert_eq!(wrong, ["layers[0].linear invalid type", "layers[2] invalid type"]);

        #[derive(Deserialize, JsonSchema)]
        #[expect(dead_code, reason = "only its errors matter")]
        struct Sorted {
            sort: Sort,
        }
        #[derive(Deserialize, JsonSchema)]
        #[expect(dead_code, reason = "only its errors matter")]
        struct Sort {
            by: String,
        }
        let mut errors = Vec::new();
        assert!(decode_fields::<Sorted>(&json!({ "sort": ["a"] }), &mut errors).is_none());
        let message = "invalid type: sequence, expected struct Sort".to_owned();
        assert_eq!(errors, [DecodeError::Invalid { path: vec!["sort".into()], message }]);
    }

    #[test]
    fn what_follows_from_taking_something_out_is_not_told() {
        assert_eq!(wrong(json!({ "name": "a", "layers": [], "shape": [1, "x"] })), ["shape[1] invalid type"]);
        assert_eq!(wrong(json!({ "name": 1, "nmae": "a" })), [" needs layers", "name invalid type", "nmae unknown"]);
        assert_eq!(wrong(json!({ "layers": "relu" })), [" needs name", "layers invalid type"]);
    }
}
