//! The JSON schema of whole manifests, for editors: `#:schema docs/schema/kilter.schema.json` in a file's first line.
//!
//! A stage's fields depend on its `kind`, so each kind's own schema stands behind an `if`. Everywhere a value may
//! also be a param, `"${name}"`, whatever its type.

use crate::registry::STAGES;
use crate::stage::Stage;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

/// Any text that holds a param.
const PARAM: &str = r"\$\{";

/// Names of stages, params, inputs and outputs.
const NAME: &str = "^[A-Za-z][A-Za-z0-9_-]*$";

/// The schema of manifests and modules.
#[must_use]
pub fn manifest_schema() -> Value {
    let (kinds, mut definitions) = kinds();
    let names: Vec<&str> = STAGES.iter().map(|stage| stage.info().name).collect();
    let branches: Vec<Value> = kinds
        .iter()
        .map(|(name, _)| {
            json!({
                "if": { "properties": { "kind": { "const": name } }, "required": ["kind"] },
                "then": { "$ref": format!("#/definitions/stage_{name}") },
            })
        })
        .chain([json!({ "if": { "required": ["use"], "not": { "required": ["kind"] } }, "then": { "$ref": "#/definitions/stage_use" } })])
        .collect();
    for (name, fields) in kinds {
        definitions.insert(format!("stage_{name}"), fields);
    }
    definitions.insert("stage_use".to_owned(), use_of_module());
    definitions.insert(
        "stage".to_owned(),
        json!({
            "type": "object",
            "properties": {
                "kind": { "description": "What the stage does.", "enum": names },
                "use": { "description": "A module that stands here.", "type": "string" },
            },
            "anyOf": [{ "required": ["kind"] }, { "required": ["use"] }],
            "allOf": branches,
        }),
    );
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "kilter manifest",
        "description": "A machine-learning pipeline, or a module of one.",
        "type": "object",
        "additionalProperties": false,
        "required": ["pipeline"],
        "properties": envelope(),
        "definitions": definitions,
    })
}

/// Every kind's schema, with the fields that every stage may carry, and the definitions that they use.
fn kinds() -> (Vec<(&'static str, Value)>, Map<String, Value>) {
    let mut generator = generator();
    let roots: Vec<(&dyn Stage, Value)> =
        STAGES.iter().map(|stage| (*stage, stage.schema(&mut generator).to_value())).collect();
    let mut definitions = generator.take_definitions(true);
    let taken: Vec<(&dyn Stage, Value)> = roots
        .into_iter()
        .map(|(stage, root)| (stage, definition_name(&root).and_then(|name| definitions.remove(name)).unwrap_or(root)))
        .collect();
    definitions.values_mut().for_each(admit_params);
    let kinds = taken.into_iter().map(|(stage, mut fields)| {
        admit_params(&mut fields);
        (stage.info().name, with_common(stage, fields))
    });
    (kinds.collect(), definitions)
}

/// A generator of the draft that editors of TOML understand.
pub(super) fn generator() -> SchemaGenerator {
    SchemaSettings::draft07().into_generator()
}

/// `X` for `{"$ref": "#/definitions/X"}`.
pub(super) fn definition_name(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()?.rsplit('/').next()
}

/// A kind's fields, closed, with `kind` and the fields of every stage.
fn with_common(stage: &dyn Stage, mut fields: Value) -> Value {
    let info = stage.info();
    let Some(table) = fields.as_object_mut() else { return fields };
    // At its root a stage is a table, never a param.
    table.insert("type".to_owned(), json!("object"));
    table.remove("pattern");
    table.remove("title");
    table.insert("description".to_owned(), json!(info.summary));
    table.insert("additionalProperties".to_owned(), json!(false));
    let properties = table.entry("properties").or_insert_with(|| json!({}));
    if let Some(properties) = properties.as_object_mut() {
        properties.insert("kind".to_owned(), json!({ "const": info.name, "description": info.summary }));
        properties.extend(common().into_iter().map(|(name, mut schema)| {
            admit_params(&mut schema);
            (name, schema)
        }));
    }
    fields
}

/// The fields that every stage may carry.
pub(super) fn common() -> Map<String, Value> {
    let number = |about: &str, least: u64| json!({ "description": about, "type": ["integer", "string"], "minimum": least, "pattern": PARAM });
    let needs = json!({
        "description": "What the stage needs of a machine.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "cpus": number("CPU cores.", 1),
            "gpus": number("GPUs.", 0),
            "memory": { "description": "Memory, such as `8GiB`: stages run side by side only as far as there is enough for all.", "type": "string" },
            "time": { "description": "The longest an attempt may take, such as `2h`; it is stopped then.", "type": "string" },
        },
    });
    let retry = json!({
        "description": "Trying again after a failure that may pass.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "attempts": number("How many times it is tried in all.", 1),
            "backoff": { "description": "The pause before the second attempt, such as `5s`; doubled before each further one. 2 s unless said otherwise.", "type": "string" },
        },
    });
    let cache = json!({
        "description": "Whether the result may be taken from the store; true unless said otherwise.",
        "type": "boolean",
    });
    let about = json!({ "description": "What the stage is for.", "type": "string" });
    let matrix = json!({
        "description": "Axes: the stage is made once for every combination of their values, and `${axis}` is the value in it. Stages that take its result get the axes too.",
        "type": "object",
        "additionalProperties": { "type": ["array", "string"], "items": { "type": ["number", "string", "boolean"] }, "minItems": 1 },
    });
    [
        ("about", about),
        ("needs", needs),
        ("retry", retry),
        ("cache", cache),
        ("tolerance", tolerance()),
        ("matrix", matrix),
    ]
    .into_iter()
    .map(|(name, schema)| (name.to_owned(), schema))
    .collect()
}

/// How far outputs may differ when a stage is run again.
fn tolerance() -> Value {
    let bound =
        |about: &str| json!({ "description": about, "type": ["number", "string"], "minimum": 0, "pattern": PARAM });
    let bounds = json!({
        "rtol": bound("Relative to the locked number."),
        "atol": bound("Absolute."),
    });
    json!({
        "description": "How far outputs may differ when `verify` runs the stage again: `{ rtol = 1e-5 }`, or by output, `{ model = { rtol = 1e-5 } }`.",
        "type": "object",
        "properties": bounds,
        "additionalProperties": { "description": "For this output.", "type": "object", "additionalProperties": false, "properties": bounds },
    })
}

/// A stage that uses a module.
fn use_of_module() -> Value {
    let mut properties = common();
    properties.values_mut().for_each(admit_params);
    let module = "A module: `std/…` of the standard library, or `./file.toml`.";
    properties.insert("use".to_owned(), json!({ "description": module, "type": "string" }));
    let with = json!({ "description": "Values for the module's params.", "type": "object" });
    properties.insert("with".to_owned(), with);
    json!({
        "description": "A module that stands here: its stages become `NAME/…`. Other keys are its inputs.",
        "type": "object",
        "required": ["use"],
        "properties": properties,
        "additionalProperties": { "description": "An input of the module: `stage.port`.", "type": "string" },
    })
}

/// Everything outside of the stages.
fn envelope() -> Value {
    let names = json!({ "pattern": NAME });
    json!({
        "pipeline": {
            "description": "The pipeline's name, and what holds for all of it.",
            "type": "object",
            "additionalProperties": false,
            "required": ["name"],
            "properties": {
                "name": { "description": "Names the folder of its results.", "type": "string", "pattern": NAME },
                "about": { "description": "What it is for.", "type": "string" },
                "edition": { "description": "The version of the language.", "enum": crate::manifest::EDITIONS },
                "seed": {
                    "description": "Every random choice derives from it and the stage's name.",
                    "type": "integer",
                    "minimum": 0,
                },
            },
        },
        "params": {
            "description": "Values that `--set NAME=VALUE` can replace, and `${NAME}` stands for.",
            "type": "object",
            "propertyNames": names,
            "additionalProperties": { "anyOf": [{ "type": ["boolean", "number", "string", "array"] }, param()] },
        },
        "inputs": {
            "description": "What a module takes: an artefact type by name.",
            "type": "object",
            "propertyNames": names,
            "additionalProperties": short_or_long("type", &json!({ "enum": crate::manifest::ARTIFACTS })),
        },
        "outputs": {
            "description": "What a module gives: an output of one of its stages by name.",
            "type": "object",
            "propertyNames": names,
            "additionalProperties": short_or_long("from", &json!({ "type": "string" })),
        },
        "stage": {
            "description": "The stages by name.",
            "type": "object",
            "propertyNames": names,
            "additionalProperties": { "$ref": "#/definitions/stage" },
        },
    })
}

/// The long form of a param.
fn param() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "type": { "description": "Its type.", "enum": crate::manifest::ParamType::names().collect::<Vec<_>>() },
            "default": { "description": "Its value where none is set; without it one must be." },
            "min": { "description": "The least value.", "type": "number" },
            "max": { "description": "The greatest value.", "type": "number" },
            "choices": { "description": "The values that are allowed.", "type": "array" },
            "about": { "description": "What it is for.", "type": "string" },
        },
    })
}

fn short_or_long(field: &str, value: &Value) -> Value {
    let long = json!({
        "type": "object",
        "additionalProperties": false,
        "required": [field],
        "properties": { field: value, "about": { "description": "What it is for.", "type": "string" } },
    });
    json!({ "anyOf": [value, long] })
}

/// Lets every value inside a schema also be a param, takes out what TOML cannot write (null), and closes tables.
fn admit_params(schema: &mut Value) {
    let Some(table) = schema.as_object_mut() else { return };
    for key in ["properties", "definitions", "patternProperties"] {
        if let Some(inner) = table.get_mut(key).and_then(Value::as_object_mut) {
            inner.values_mut().for_each(admit_params);
        }
    }
    for key in ["items", "additionalProperties"] {
        match table.get_mut(key) {
            Some(Value::Array(list)) => list.iter_mut().for_each(admit_params),
            Some(inner) => admit_params(inner),
            None => {}
        }
    }
    // A text with a param in it fits several alternatives, so "exactly one" would refuse it.
    if let Some(one) = table.remove("oneOf") {
        table.entry("anyOf").or_insert(one);
    }
    for key in ["anyOf", "allOf"] {
        if let Some(list) = table.get_mut(key).and_then(Value::as_array_mut) {
            list.retain(|inner| inner.get("type") != Some(&json!("null")));
            list.iter_mut().for_each(admit_params);
        }
    }
    close(table);
    admit_param(table);
}

/// A table with known fields has no others.
fn close(table: &mut Map<String, Value>) {
    let composed = ["anyOf", "allOf", "additionalProperties"].iter().any(|key| table.contains_key(*key));
    if table.contains_key("properties") && !composed {
        table.insert("additionalProperties".to_owned(), json!(false));
    }
}

fn admit_param(table: &mut Map<String, Value>) {
    if table.get("format").is_some() {
        table.remove("format");
    }
    if let Some(allowed) = table.remove("enum").or_else(|| table.remove("const").map(|only| json!([only]))) {
        table.remove("type");
        let either = json!([{ "enum": allowed }, { "type": "string", "pattern": PARAM }]);
        table.entry("anyOf").or_insert(either);
        return;
    }
    let types: Vec<Value> = match table.get("type") {
        Some(Value::Array(types)) => types.iter().filter(|ty| **ty != json!("null")).cloned().collect(),
        Some(ty) => vec![ty.clone()],
        None => return,
    };
    let text = json!("string");
    if types.contains(&text) {
        if let Some(Value::String(pattern)) = table.get("pattern") {
            let pattern = format!("(?:{pattern})|{PARAM}");
            table.insert("pattern".to_owned(), json!(pattern));
        }
        table.insert("type".to_owned(), if types.len() == 1 { text } else { Value::Array(types) });
        return;
    }
    let types: Vec<Value> = types.into_iter().chain([text]).collect();
    table.insert("type".to_owned(), Value::Array(types));
    table.insert("pattern".to_owned(), json!(PARAM));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_may_be_a_param() {
        let mut schema = json!({
            "type": "object",
            "properties": {
                "a": { "type": ["integer", "null"], "format": "uint64", "minimum": 1 },
                "b": { "enum": ["x", "y"] },
                "c": { "type": "string", "pattern": "^x$" },
                "d": { "anyOf": [{ "type": "boolean" }, { "type": "null" }] },
                "e": { "type": "string" },
            },
        });
        admit_params(&mut schema);
        let fields = &schema["properties"];
        assert_eq!(fields["a"], json!({ "type": ["integer", "string"], "minimum": 1, "pattern": PARAM }));
        assert_eq!(fields["b"]["anyOf"][1], json!({ "type": "string", "pattern": PARAM }));
        assert_eq!(fields["c"]["pattern"], json!(r"(?:^x$)|\$\{"));
        assert_eq!(fields["d"]["anyOf"], json!([{ "type": ["boolean", "string"], "pattern": PARAM }]));
        assert_eq!(fields["e"], json!({ "type": "string" }));
        assert_eq!(schema["additionalProperties"], json!(false));
    }

    #[test]
    fn the_common_fields_are_those_of_the_language() {
        let common = common();
        let mut known: Vec<&str> = crate::manifest::COMMON_FIELDS.to_vec();
        known.sort_unstable();
        let mut named: Vec<&str> = common.keys().map(String::as_str).collect();
        named.sort_unstable();
        assert_eq!(named, known);
    }
}
