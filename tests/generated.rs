//! Generated files are current (`UPDATE=1` rewrites them), and the JSON schema of manifests takes right ones and refuses
//! wrong ones, at the place that is wrong.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by a panic")]

use regex::Regex;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn generated_files_are_current() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut stale = Vec::new();
    for file in kilter::dev::generated() {
        let path = root().join(file.path);
        if fs::read_to_string(&path).is_ok_and(|text| text == file.text) {
            continue;
        }
        if update {
            fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
            fs::write(&path, &file.text).expect("writable");
        } else {
            stale.push(file.path);
        }
    }
    assert!(stale.is_empty(), "these are not what the code says; `UPDATE=1 cargo test --test generated`: {stale:?}");
}

fn manifests(folder: &str) -> Vec<(PathBuf, String)> {
    let Ok(entries) = fs::read_dir(root().join(folder)) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    found.sort();
    let mut out = Vec::new();
    for path in found {
        if path.is_dir() {
            let below = path.strip_prefix(root()).expect("inside").to_string_lossy().into_owned();
            out.extend(manifests(&below));
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            let text = fs::read_to_string(&path).expect("readable");
            out.push((path, text));
        }
    }
    out
}

fn read(text: &str) -> Value {
    let table: toml::Table = text.parse().expect("TOML");
    serde_json::to_value(table).expect("JSON")
}

#[test]
fn the_schema_takes_every_pipeline_module_and_example() {
    let schema = kilter::dev::manifest_schema();
    let samples = ["pipelines", "stdlib", "tests/schema/valid"].iter().flat_map(|folder| manifests(folder));
    let mut seen = 0;
    for (path, text) in samples {
        let wrong = Check::new(&schema).check(&read(&text));
        assert!(wrong.is_empty(), "{}: {wrong:#?}", path.display());
        seen += 1;
    }
    assert!(seen >= 4, "only {seen} manifests were found");
    for stage in kilter::registry::STAGES {
        let text = format!("[pipeline]\nname = \"example\"\n{}", stage.info().example);
        let wrong = Check::new(&schema).check(&read(&text));
        assert!(wrong.is_empty(), "example of {}: {wrong:#?}", stage.info().name);
    }
}

#[test]
fn the_schema_refuses_wrong_manifests_where_they_are_wrong() {
    let schema = kilter::dev::manifest_schema();
    let samples = manifests("tests/schema/invalid");
    assert!(samples.len() >= 10, "only {} samples", samples.len());
    for (path, text) in samples {
        let place =
            text.lines().next().and_then(|line| line.strip_prefix("# wrong at ")).expect("`# wrong at /…` first");
        let wrong = Check::new(&schema).check(&read(&text));
        assert!(wrong.iter().any(|found| found.starts_with(&format!("{place}:"))), "{}: {wrong:#?}", path.display());
        let around = place.rsplit_once('/').map_or("", |(around, _)| around);
        assert!(wrong.iter().all(|found| found.starts_with(around)), "{}: {wrong:#?}", path.display());
    }
}

#[test]
fn every_reference_in_the_schema_leads_somewhere() {
    let schema = kilter::dev::manifest_schema();
    let text = schema.to_string();
    let reference = Regex::new(r##""\$ref":"#/definitions/([^"]+)""##).expect("a pattern");
    for found in reference.captures_iter(&text) {
        assert!(schema["definitions"].get(&found[1]).is_some(), "{}", &found[0]);
    }
}

/// The part of JSON Schema (draft 7) that our schema uses. An unknown keyword is an error of the schema, so that
/// nothing in it goes unread.
struct Check<'a> {
    schema: &'a Value,
}

const READ: &[&str] = &[
    "$ref",
    "$schema",
    "additionalProperties",
    "allOf",
    "anyOf",
    "const",
    "default",
    "definitions",
    "description",
    "else",
    "enum",
    "examples",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "if",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "not",
    "pattern",
    "properties",
    "propertyNames",
    "required",
    "then",
    "title",
    "type",
    "uniqueItems",
    "writeOnly",
];

impl<'a> Check<'a> {
    fn new(schema: &'a Value) -> Self {
        Self { schema }
    }

    /// What is wrong, each as `/place: why`.
    fn check(&self, instance: &Value) -> Vec<String> {
        let mut wrong = Vec::new();
        self.at(self.schema, instance, "", &mut wrong);
        wrong
    }

    fn fits(&self, schema: &Value, instance: &Value) -> bool {
        let mut wrong = Vec::new();
        self.at(schema, instance, "", &mut wrong);
        wrong.is_empty()
    }

    fn at(&self, schema: &Value, instance: &Value, place: &str, wrong: &mut Vec<String>) {
        let keywords = match schema {
            Value::Bool(true) => return,
            Value::Bool(false) => return wrong.push(format!("{place}: nothing may stand here")),
            Value::Object(keywords) => keywords,
            other => panic!("no schema: {other}"),
        };
        if let Some(target) = keywords.get("$ref").and_then(Value::as_str) {
            let target = self.schema.pointer(target.trim_start_matches('#')).expect("the reference leads somewhere");
            return self.at(target, instance, place, wrong);
        }
        for keyword in keywords.keys() {
            assert!(READ.contains(&keyword.as_str()), "the schema uses `{keyword}`, which this check does not read");
        }
        self.value(schema, instance, place, wrong);
        self.combinations(schema, instance, place, wrong);
        if let Value::Object(table) = instance {
            self.table(schema, table, place, wrong);
        }
        if let Value::Array(list) = instance {
            self.list(schema, list, place, wrong);
        }
    }

    fn value(&self, schema: &Value, instance: &Value, place: &str, wrong: &mut Vec<String>) {
        let types: Vec<&str> = match &schema["type"] {
            Value::String(ty) => vec![ty],
            Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        if !types.is_empty() && !types.iter().any(|ty| is(ty, instance)) {
            wrong.push(format!("{place}: {instance} is not {}", types.join(" or ")));
        }
        if schema.get("const").is_some_and(|only| only != instance)
            || schema["enum"].as_array().is_some_and(|allowed| !allowed.contains(instance))
        {
            wrong.push(format!("{place}: {instance} is not among what is allowed"));
        }
        if let Some(number) = instance.as_f64() {
            let bound = |key: &str| schema[key].as_f64();
            let out = bound("minimum").is_some_and(|least| number < least)
                || bound("maximum").is_some_and(|most| number > most)
                || bound("exclusiveMinimum").is_some_and(|least| number <= least)
                || bound("exclusiveMaximum").is_some_and(|most| number >= most);
            if out {
                wrong.push(format!("{place}: {instance} is out of range"));
            }
        }
        if let (Some(text), Some(pattern)) = (instance.as_str(), schema["pattern"].as_str())
            && !Regex::new(pattern).expect("a pattern").is_match(text)
        {
            wrong.push(format!("{place}: `{text}` does not match {pattern}"));
        }
    }

    fn combinations(&self, schema: &Value, instance: &Value, place: &str, wrong: &mut Vec<String>) {
        for inner in schema["allOf"].as_array().into_iter().flatten() {
            self.at(inner, instance, place, wrong);
        }
        if let Some(list) = schema["anyOf"].as_array()
            && !list.iter().any(|inner| self.fits(inner, instance))
        {
            wrong.push(format!("{place}: {instance} fits no alternative"));
        }
        if schema.get("not").is_some_and(|inner| self.fits(inner, instance)) {
            wrong.push(format!("{place}: {instance} is what it must not be"));
        }
        if let Some(condition) = schema.get("if") {
            let branch = if self.fits(condition, instance) { schema.get("then") } else { schema.get("else") };
            if let Some(branch) = branch {
                self.at(branch, instance, place, wrong);
            }
        }
    }

    fn table(&self, schema: &Value, table: &serde_json::Map<String, Value>, place: &str, wrong: &mut Vec<String>) {
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !table.contains_key(name) {
                wrong.push(format!("{place}: `{name}` is missing"));
            }
        }
        let size = table.len() as u64;
        if schema["minProperties"].as_u64().is_some_and(|least| size < least)
            || schema["maxProperties"].as_u64().is_some_and(|most| size > most)
        {
            wrong.push(format!("{place}: {size} keys"));
        }
        for (name, value) in table {
            let inner = format!("{place}/{name}");
            if let Some(names) = schema.get("propertyNames")
                && !self.fits(names, &Value::String(name.clone()))
            {
                wrong.push(format!("{inner}: not a name that may stand here"));
            }
            if let Some(known) = schema["properties"].get(name) {
                self.at(known, value, &inner, wrong);
            } else if let Some(others) = schema.get("additionalProperties") {
                self.at(others, value, &inner, wrong);
            }
        }
    }

    fn list(&self, schema: &Value, list: &[Value], place: &str, wrong: &mut Vec<String>) {
        let size = list.len() as u64;
        if schema["minItems"].as_u64().is_some_and(|least| size < least)
            || schema["maxItems"].as_u64().is_some_and(|most| size > most)
        {
            wrong.push(format!("{place}: {size} items"));
        }
        for (index, value) in list.iter().enumerate() {
            let inner = format!("{place}/{index}");
            match schema.get("items") {
                Some(Value::Array(fixed)) => {
                    if let Some(item) = fixed.get(index) {
                        self.at(item, value, &inner, wrong);
                    }
                }
                Some(items) => self.at(items, value, &inner, wrong),
                None => {}
            }
        }
    }
}

fn is(ty: &str, instance: &Value) -> bool {
    match ty {
        "null" => instance.is_null(),
        "boolean" => instance.is_boolean(),
        "integer" => instance.is_i64() || instance.is_u64() || instance.as_f64().is_some_and(|f| f.fract() == 0.0),
        "number" => instance.is_number(),
        "string" => instance.is_string(),
        "array" => instance.is_array(),
        "object" => instance.is_object(),
        other => panic!("unknown type {other}"),
    }
}
