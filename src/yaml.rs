//! YAML (and JSON, which is YAML too) as a tree with its order kept; and back as JSON that readers of either take.

use saphyr::{LoadableYamlNode, ScalarOwned, YamlOwned};
use std::fmt::Write;

/// A value.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Yaml {
    /// Nothing.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// Text.
    Str(String),
    /// A list.
    List(Vec<Yaml>),
    /// A table, in the order of the text.
    Map(Vec<(String, Yaml)>),
}

impl Yaml {
    /// Reads the first document of a text; an empty text is null.
    ///
    /// # Errors
    /// What is wrong, with line and column.
    pub fn parse(text: &str) -> Result<Self, String> {
        let documents = YamlOwned::load_from_str(text).map_err(|error| {
            let place = error.marker();
            format!("{} (line {}, column {})", error.info(), place.line(), place.col() + 1)
        })?;
        documents.into_iter().next().map_or(Ok(Self::Null), convert)
    }

    /// The value of a table's key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The entries of a table; none of anything else.
    #[must_use]
    pub fn entries(&self) -> &[(String, Self)] {
        match self {
            Self::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none of anything else.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    /// The text of a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// Whether it is `true`.
    #[must_use]
    pub fn is_true(&self) -> bool {
        *self == Self::Bool(true)
    }

    /// The value that a path such as `train.layers[0]` leads to.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<&Self> {
        // A key may itself hold dots.
        if let Some(found) = self.get(path) {
            return Some(found);
        }
        let mut here = self;
        for part in path.split('.') {
            let (key, indices) = part.split_once('[').unwrap_or((part, ""));
            if !key.is_empty() {
                here = match here {
                    Self::List(items) => items.get(key.parse::<usize>().ok()?)?,
                    other => other.get(key)?,
                };
            }
            for index in indices.split('[').filter(|index| !index.is_empty()) {
                here = here.items().get(index.strip_suffix(']')?.trim().parse::<usize>().ok()?)?;
            }
        }
        Some(here)
    }

    /// A scalar as it stands in a text: `0.001`, `true`, `null`.
    #[must_use]
    pub fn plain(&self) -> Option<String> {
        Some(match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Float(value) => float(*value),
            Self::Str(text) => text.clone(),
            Self::List(_) | Self::Map(_) => return None,
        })
    }

    /// As JSON with two spaces a level, which is YAML too; ends with a line break.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, 0);
        out.push('\n');
        out
    }

    fn write(&self, out: &mut String, depth: usize) {
        let line = |out: &mut String, depth: usize| {
            let _ = write!(out, "\n{}", "  ".repeat(depth));
        };
        match self {
            Self::List(items) if !items.is_empty() => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { "," });
                    line(out, depth + 1);
                    item.write(out, depth + 1);
                }
                line(out, depth);
                out.push(']');
            }
            Self::Map(entries) if !entries.is_empty() => {
                out.push('{');
                for (at, (key, value)) in entries.iter().enumerate() {
                    out.push_str(if at == 0 { "" } else { "," });
                    line(out, depth + 1);
                    let _ = write!(out, "{}: ", serde_json::Value::from(key.as_str()));
                    value.write(out, depth + 1);
                }
                line(out, depth);
                out.push('}');
            }
            Self::List(_) => out.push_str("[]"),
            Self::Map(_) => out.push_str("{}"),
            Self::Str(text) => {
                let _ = write!(out, "{}", serde_json::Value::from(text.as_str()));
            }
            other => out.push_str(&other.plain().unwrap_or_default()),
        }
    }
}

/// A number that every reader of YAML and JSON takes for a float: with a point, and a sign in its exponent.
fn float(value: f64) -> String {
    if value.is_nan() {
        return ".nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let size = value.abs();
    if size != 0.0 && !(1e-5..1e16).contains(&size) {
        let text = format!("{value:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let digits = if digits.contains('.') { digits.to_owned() } else { format!("{digits}.0") };
        let sign = if exponent.starts_with('-') { "" } else { "+" };
        return format!("{digits}e{sign}{exponent}");
    }
    if value.fract() == 0.0 { format!("{value:.1}") } else { value.to_string() }
}

fn convert(node: YamlOwned) -> Result<Yaml, String> {
    Ok(match node {
        YamlOwned::Value(scalar) => match scalar {
            ScalarOwned::Null => Yaml::Null,
            ScalarOwned::Boolean(value) => Yaml::Bool(value),
            ScalarOwned::Integer(value) => Yaml::Int(value),
            ScalarOwned::FloatingPoint(value) => Yaml::Float(value.into_inner()),
            ScalarOwned::String(text) => Yaml::Str(text),
        },
        YamlOwned::Representation(text, ..) => Yaml::Str(text),
        YamlOwned::Sequence(items) => Yaml::List(items.into_iter().map(convert).collect::<Result<_, _>>()?),
        YamlOwned::Mapping(entries) => {
            let mut table = Vec::new();
            let mut merged = Vec::new();
            for (key, value) in entries {
                let key = convert(key)?.plain().ok_or("a key that is a list or a table")?;
                let value = convert(value)?;
                if key == "<<" {
                    merged.push(value);
                } else {
                    table.push((key, value));
                }
            }
            merge(&mut table, merged);
            Yaml::Map(table)
        }
        YamlOwned::Tagged(_, node) => convert(*node)?,
        YamlOwned::Alias(_) => return Err("an alias to nothing".to_owned()),
        YamlOwned::BadValue => return Err("a value that its tag does not allow".to_owned()),
    })
}

/// `<<: *base`: what a table takes over from others, where it does not say something itself.
fn merge(table: &mut Vec<(String, Yaml)>, merged: Vec<Yaml>) {
    for source in merged {
        let sources = match source {
            Yaml::List(sources) => sources,
            other => vec![other],
        };
        for (key, value) in sources.into_iter().flat_map(|source| source.entries().to_vec()) {
            if !table.iter().any(|(known, _)| *known == key) {
                table.push((key, value));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_keeps_its_order_and_anchors_are_followed() {
        let text = "base: &b {lr: 1e-3, n: 3}\nz: 1\na:\n  <<: *b\n  n: 4\nlist: [yes, 0x10, '7', ~, 1.5]\n";
        let tree = Yaml::parse(text).unwrap();
        assert_eq!(tree.entries().iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["base", "z", "a", "list"]);
        assert_eq!(tree.at("a.n"), Some(&Yaml::Int(4)));
        assert_eq!(tree.at("a.lr"), Some(&Yaml::Float(0.001)));
        assert_eq!(tree.at("list[1]"), Some(&Yaml::Int(16)));
        // In YAML 1.2 `yes` is a text.
        assert_eq!(tree.at("list[0]"), Some(&Yaml::Str("yes".into())));
        assert_eq!(tree.at("list[2]"), Some(&Yaml::Str("7".into())));
        assert_eq!((tree.at("list[9]"), tree.at("a.x.y")), (None, None));
        assert_eq!(Yaml::parse(""), Ok(Yaml::Null));
        let wrong = Yaml::parse("a: 1\nb: 2: 3\n").unwrap_err();
        assert!(wrong.ends_with("(line 2, column 5)"), "{wrong}");
        assert!(Yaml::parse("a: [1").is_err());
    }

    #[test]
    fn what_is_written_reads_back() {
        let tree = Yaml::parse("a: {b: [1, 2.5, -0.0, 1e-7, 3.0e20, x, '1', null, true, []], 'k: \"q\"': {}}").unwrap();
        let text = tree.to_json();
        assert_eq!(Yaml::parse(&text), Ok(tree));
        assert!(text.contains("1.0e-7") && text.contains("3.0e+20"), "{text}");
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{text}");
    }
}
