//! Which keys may stand at a path of a kind's fields, read from the kind's JSON schema.

use crate::digest::Segment;
use crate::stage::Stage;
use serde_json::{Map, Value};

/// The schema of one kind's fields.
pub(super) struct FieldSchema {
    root: Value,
    definitions: Map<String, Value>,
}

/// A key that may stand somewhere.
pub(super) struct Field {
    pub(super) name: String,
    /// Its documentation.
    pub(super) about: Option<String>,
}

/// Definitions refer to each other; deeper than this they go round.
const DEPTH: usize = 16;

impl FieldSchema {
    pub(super) fn of(stage: &dyn Stage) -> Self {
        let mut generator = schemars::SchemaGenerator::default();
        let root = stage.schema(&mut generator).to_value();
        Self { root, definitions: generator.take_definitions(true) }
    }

    /// The keys that may stand in the table at a path, sorted.
    pub(super) fn fields(&self, path: &[Segment]) -> Vec<Field> {
        let mut fields: Vec<Field> = self.at(path).into_iter().flat_map(properties).collect();
        fields.sort_by(|a, b| a.name.cmp(&b.name));
        fields.dedup_by(|a, b| a.name == b.name);
        fields
    }

    /// The names that may stand as a text at a path, in the order of the documentation.
    pub(super) fn names(&self, path: &[Segment]) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for schema in self.at(path) {
            let listed = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
            for name in schema.get("const").into_iter().chain(listed).filter_map(Value::as_str) {
                if !found.iter().any(|other| other == name) {
                    found.push(name.to_owned());
                }
            }
        }
        found
    }

    /// What may stand at a path: every plain schema.
    fn at(&self, path: &[Segment]) -> Vec<&Value> {
        let mut here = Vec::new();
        self.flatten(&self.root, DEPTH, &mut here);
        for segment in path {
            let mut next = Vec::new();
            for schema in here {
                if let Some(inner) = step(schema, segment) {
                    self.flatten(inner, DEPTH, &mut next);
                }
            }
            here = next;
        }
        here
    }

    /// Every plain object schema that a schema stands for: references followed, alternatives taken apart.
    fn flatten<'a>(&'a self, schema: &'a Value, depth: usize, out: &mut Vec<&'a Value>) {
        let Some(next) = depth.checked_sub(1) else { return };
        let target = schema.get("$ref").and_then(Value::as_str);
        let target = target.and_then(|target| self.definitions.get(target.rsplit('/').next()?));
        if let Some(target) = target {
            self.flatten(target, next, out);
        }
        for of in ["oneOf", "anyOf", "allOf"] {
            for inner in schema.get(of).and_then(Value::as_array).into_iter().flatten() {
                self.flatten(inner, next, out);
            }
        }
        out.push(schema);
    }
}

fn step<'a>(schema: &'a Value, segment: &Segment) -> Option<&'a Value> {
    match segment {
        Segment::Key(key) => {
            let known = schema.get("properties").and_then(|known| known.get(key));
            known.or_else(|| schema.get("additionalProperties"))
        }
        Segment::Index(index) => {
            let fixed = schema.get("prefixItems").and_then(|items| items.get(index));
            fixed.or_else(|| schema.get("items"))
        }
    }
}

fn properties(schema: &Value) -> impl Iterator<Item = Field> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten().map(|(name, schema)| {
        let about = schema.get("description").and_then(Value::as_str).map(str::to_owned);
        Field { name: name.clone(), about }
    })
}
