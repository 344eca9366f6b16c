//! `foreach` and `matrix`: one definition, several stages.

use super::ImportError;
use super::template::{Context, in_text};
use crate::yaml::Yaml;
use std::collections::BTreeSet;

/// A stage's name, its definition, and the values that it can name.
pub(super) type Opened = (String, Yaml, Context);

/// The stages that a definition stands for. Those of one name are one.
pub(super) fn opened(name: &str, definition: &Yaml, context: &Context) -> Result<Vec<Opened>, ImportError> {
    let mut stages = if let Some(each) = definition.get("foreach") {
        foreach(name, each, definition, context)?
    } else if let Some(axes) = definition.get("matrix") {
        matrix(name, axes, definition, context)?
    } else {
        vec![(name.to_owned(), definition.clone(), context.clone())]
    };
    let mut names = BTreeSet::new();
    stages.retain(|(name, ..)| names.insert(name.clone()));
    Ok(stages)
}

fn foreach(name: &str, each: &Yaml, definition: &Yaml, context: &Context) -> Result<Vec<Opened>, ImportError> {
    let what = format!("stage `{name}`, foreach");
    let inner = definition.get("do").ok_or_else(|| ImportError::new(format!("{what}: there is no `do`")))?;
    let stage = |key: &str, values: Vec<(&str, Yaml)>| {
        let values = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        (format!("{name}@{key}"), inner.clone(), context.with(values))
    };
    match context.value(each, &what)? {
        Yaml::List(items) => {
            // They are named by their values; as soon as one is a table or a list, all by their numbers.
            let is_plain = items.iter().all(|item| item.plain().is_some());
            let named = items.into_iter().enumerate().map(|(at, item)| {
                let key = in_text(&item).filter(|_| is_plain).unwrap_or_else(|| at.to_string());
                stage(&key, vec![("item", item)])
            });
            Ok(named.collect())
        }
        Yaml::Map(entries) => Ok(entries
            .into_iter()
            .map(|(key, item)| stage(&key, vec![("item", item), ("key", Yaml::Str(key.clone()))]))
            .collect()),
        other => Err(ImportError::new(format!("{what}: expected a list or a table, found {}", other.to_json().trim()))),
    }
}

/// A value on each axis, and what the name is made of.
type Point = (Vec<(String, Yaml)>, Vec<String>);

fn matrix(name: &str, axes: &Yaml, definition: &Yaml, context: &Context) -> Result<Vec<Opened>, ImportError> {
    let what = format!("stage `{name}`, matrix");
    let Yaml::Map(axes) = context.value(axes, &what)? else {
        return Err(ImportError::expected(&what, "a table of lists", axes));
    };
    let mut points: Vec<Point> = vec![Point::default()];
    for (axis, values) in &axes {
        let values = match values {
            Yaml::List(values) => values.clone(),
            // Of a table the names.
            Yaml::Map(entries) => entries.iter().map(|(key, _)| Yaml::Str(key.clone())).collect(),
            other => return Err(ImportError::expected(&format!("{what}, {axis}"), "a list", other)),
        };
        let longer = |(point, words): &Point| -> Vec<Point> {
            let with = |(at, value): (usize, &Yaml)| {
                let word = in_text(value).unwrap_or_else(|| format!("{axis}{at}"));
                ([point.as_slice(), &[(axis.clone(), value.clone())]].concat(), [words.as_slice(), &[word]].concat())
            };
            values.iter().enumerate().map(with).collect()
        };
        points = points.iter().flat_map(longer).collect();
    }
    let stages = points.into_iter().map(|(point, words)| {
        let key = words.join("-");
        let values = vec![("item".to_owned(), Yaml::Map(point)), ("key".to_owned(), Yaml::Str(key.clone()))];
        (format!("{name}@{key}"), definition.clone(), context.with(values))
    });
    Ok(stages.collect())
}
