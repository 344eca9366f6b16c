//! TOML values that know where they were written, and the lookup of a key path in them.
//!
//! A [`Node`] is what the rest of `manifest/` works on: spans stand beside the values, never inside the typed specs.

use crate::digest::Segment;
use crate::span::Span;

/// A value, its place, and what was put into it.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where the value stands. Of a table with a header it is the header.
    pub span: Span,
    /// Where its key stands, for a table's entries.
    pub key: Option<Span>,
    /// The value.
    pub data: Data,
    /// The params that gave this value or parts of it.
    pub origin: Option<Box<Origin>>,
}

/// A TOML value. Dates are kept as their text.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// `true` or `false`.
    Bool(bool),
    /// An integer that fits into `i64` or `u64`.
    Int(i128),
    /// A finite number.
    Float(f64),
    /// Text, with escapes resolved and params filled in.
    Str(String),
    /// A date, a time or both, as written.
    Date(String),
    /// A list.
    List(Vec<Node>),
    /// A table, in the order of the text.
    Table(Vec<(String, Node)>),
    /// Nothing, after a mistake that was reported, or where a module's param has no value yet.
    Missing,
}

/// Which params a value came from.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The params, in the order they appear.
    pub params: Vec<ParamUse>,
    /// For text with params inside: which bytes of the value came from which bytes of the text.
    pub pieces: Vec<Piece>,
}

/// One use of a param.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParamUse {
    /// Its name in the file that uses it.
    pub name: String,
    /// The name of the `--set` that its value came from, if it came from one.
    pub set: Option<String>,
    /// Where its value was written.
    pub value: Span,
}

/// A run of bytes of a value, and the bytes of the text that it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Bytes of the value.
    pub value: std::ops::Range<usize>,
    /// Bytes of the text before params were filled in.
    pub text: std::ops::Range<usize>,
    /// Whether it is a param's value.
    pub param: bool,
}

/// What [`Node::locate`] found.
#[derive(Clone, Copy, Debug)]
pub struct Located<'a> {
    /// The deepest node on the way.
    pub node: &'a Node,
    /// Whether the whole path was found.
    pub exact: bool,
}

impl PartialEq for Node {
    /// Values are equal wherever they were written.
    fn eq(&self, other: &Self) -> bool {
        self.data == other.data
    }
}

impl Node {
    /// A value at a place.
    #[must_use]
    pub fn new(span: Span, data: Data) -> Self {
        Self { span, key: None, data, origin: None }
    }

    /// The entry of a table.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.entries().iter().find(|(key, _)| key == name).map(|(_, node)| node)
    }

    /// The entries of a table; none for anything else.
    #[must_use]
    pub fn entries(&self) -> &[(String, Node)] {
        if let Data::Table(entries) = &self.data { entries } else { &[] }
    }

    /// Takes an entry out of a table.
    pub fn take(&mut self, name: &str) -> Option<Node> {
        let Data::Table(entries) = &mut self.data else { return None };
        let at = entries.iter().position(|(key, _)| key == name)?;
        Some(entries.remove(at).1)
    }

    /// The text of a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Data::Str(text) = &self.data { Some(text) } else { None }
    }

    /// The place of the key, or else of the value.
    #[must_use]
    pub fn key_or_value(&self) -> Span {
        self.key.unwrap_or(self.span)
    }

    /// What it is, with an article: `a string`, `an integer`.
    #[must_use]
    pub fn what(&self) -> &'static str {
        match self.data {
            Data::Bool(_) => "a boolean",
            Data::Int(_) => "an integer",
            Data::Float(_) => "a float",
            Data::Str(_) => "a string",
            Data::Date(_) => "a date",
            Data::List(_) => "a list",
            Data::Table(_) => "a table",
            Data::Missing => "nothing",
        }
    }

    /// Follows a path as far as it goes. A step through a table with one entry may be left out, because serde's
    /// paths leave out the names of enum variants: `layers[0].kernel` finds `layers[0].conv2d.kernel`. And a path may have the
    /// name of a list that the text leaves out, where a list is short for a table: `residual.layers[1]` finds the
    /// second of `residual = [ … ]`.
    #[must_use]
    pub fn locate(&self, path: &[Segment]) -> Located<'_> {
        let mut node = self;
        for (place, segment) in path.iter().enumerate() {
            match node.step(segment) {
                Some(next) => node = next,
                None if node.is_short_for(&path[place..]) => {}
                None => return Located { node, exact: false },
            }
        }
        Located { node, exact: true }
    }

    /// Whether it is a list, and the path goes on with the name of a list and one of its items.
    fn is_short_for(&self, path: &[Segment]) -> bool {
        matches!((&self.data, path), (Data::List(_), [Segment::Key(_), Segment::Index(_), ..]))
    }

    /// A path as the text has it: with the steps that [`Node::locate`] supplied.
    #[must_use]
    pub fn real_path(&self, path: &[Segment]) -> Vec<Segment> {
        let mut node = Some(self);
        let mut out = Vec::with_capacity(path.len());
        for segment in path {
            let left_out = match (segment, node.map(|node| &node.data)) {
                (Segment::Key(key), Some(Data::Table(entries))) => match entries.as_slice() {
                    [(name, only)] if name != key && only.get(key).is_some() => Some(name),
                    _ => None,
                },
                _ => None,
            };
            out.extend(left_out.map(Segment::from));
            out.push(segment.clone());
            node = node.and_then(|node| node.step(segment));
        }
        out
    }

    /// The value at a path that leaves out no step.
    pub fn at_mut(&mut self, path: &[Segment]) -> Option<&mut Node> {
        path.iter().try_fold(self, |node, segment| match (segment, &mut node.data) {
            (Segment::Index(index), Data::List(items)) => items.get_mut(*index),
            (Segment::Key(key), Data::Table(entries)) => {
                entries.iter_mut().find(|(name, _)| name == key).map(|(_, node)| node)
            }
            _ => None,
        })
    }

    fn step(&self, segment: &Segment) -> Option<&Node> {
        match (segment, &self.data) {
            (Segment::Index(index), Data::List(items)) => items.get(*index),
            (Segment::Key(key), Data::Table(entries)) => match (self.get(key), entries.as_slice()) {
                (Some(node), _) => Some(node),
                (None, [(_, only)]) => only.get(key),
                (None, _) => None,
            },
            _ => None,
        }
    }

    /// The value as JSON; entries and items that are [`Data::Missing`] are left out.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value;
        match &self.data {
            Data::Bool(value) => Value::Bool(*value),
            Data::Int(value) => int_to_json(*value),
            Data::Float(value) => serde_json::Number::from_f64(*value).map_or(Value::Null, Value::Number),
            Data::Str(text) | Data::Date(text) => Value::String(text.clone()),
            Data::List(items) => Value::Array(items.iter().map(Node::to_json).collect()),
            Data::Table(entries) => {
                let present = entries.iter().filter(|(_, node)| node.data != Data::Missing);
                Value::Object(present.map(|(key, node)| (key.clone(), node.to_json())).collect())
            }
            Data::Missing => Value::Null,
        }
    }

    /// Whether a mistake left a hole in it.
    #[must_use]
    pub fn has_holes(&self) -> bool {
        match &self.data {
            Data::Missing => true,
            Data::List(items) => items.iter().any(Node::has_holes),
            Data::Table(entries) => entries.iter().any(|(_, node)| node.has_holes()),
            _ => false,
        }
    }

    /// Calls `visit` with the path and node of every value in it, itself first.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&[Segment], &'a Node)) {
        self.walk_from(&mut Vec::new(), visit);
    }

    fn walk_from<'a>(&'a self, path: &mut Vec<Segment>, visit: &mut dyn FnMut(&[Segment], &'a Node)) {
        visit(path, self);
        match &self.data {
            Data::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    path.push(Segment::Index(index));
                    item.walk_from(path, visit);
                    path.pop();
                }
            }
            Data::Table(entries) => {
                for (key, item) in entries {
                    path.push(Segment::Key(key.clone()));
                    item.walk_from(path, visit);
                    path.pop();
                }
            }
            _ => {}
        }
    }

    /// The value as it would be written: `0.001`, `"adam"`, `[1, 2]`.
    #[must_use]
    pub fn show(&self) -> String {
        match &self.data {
            Data::Str(text) => format!("{text:?}"),
            Data::List(items) => format!("[{}]", items.iter().map(Node::show).collect::<Vec<_>>().join(", ")),
            Data::Table(entries) => {
                let entries: Vec<_> = entries.iter().map(|(key, node)| format!("{key} = {}", node.show())).collect();
                format!("{{ {} }}", entries.join(", "))
            }
            _ => self.plain(),
        }
    }

    /// The value as it is put into a longer text: strings without quotes.
    #[must_use]
    pub fn plain(&self) -> String {
        match &self.data {
            Data::Bool(value) => value.to_string(),
            Data::Int(value) => value.to_string(),
            Data::Float(value) => format!("{value:?}"),
            Data::Str(text) | Data::Date(text) => text.clone(),
            Data::Missing => String::new(),
            Data::List(_) | Data::Table(_) => self.show(),
        }
    }
}

fn int_to_json(value: i128) -> serde_json::Value {
    match (i64::try_from(value), u64::try_from(value)) {
        (Ok(value), _) => value.into(),
        (_, Ok(value)) => value.into(),
        _ => serde_json::Value::Null,
    }
}
