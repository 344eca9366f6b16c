//! The mutation test of keys: changes every field of every kind, one by one, and sees the key change; what may be changed
//! without it stands in [`NOT_IN_KEY`]. A field of the schema that `tests/keys.toml` does not hold fails the test.

use crate::sandbox::Sandbox;
use kilter::check::ResolvedRef;
use kilter::digest::{Digest, Segment, dotted};
use kilter::manifest::COMMON_FIELDS;
use kilter::plan::{KeyParts, NOT_IN_KEY, key};
use kilter::registry;
use kilter::stage::{ArtifactRecord, Seed, Stage, StageResult, StageSpec};
use kilter::store::{Store, Workspace};
use kilter::types::ArtifactType;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// Stages with all fields, by kind.
fn samples() -> BTreeMap<String, Vec<Value>> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keys.toml")).expect("samples");
    let table: toml::Table = text.parse().expect("TOML");
    serde_json::from_value(serde_json::to_value(table).expect("JSON")).expect("stages by kind")
}

/// Makes keys of fields, in a workspace that has every file and with inputs that have every output.
struct Keys {
    sandbox: Sandbox,
    store: Store,
}

impl Keys {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let store = Store::open(&Workspace::at(&sandbox.path("")).expect("a workspace"));
        Self { sandbox, store }
    }

    /// The key of a stage with these fields; `None` where they cannot be read.
    fn of(&self, kind: &dyn Stage, fields: &Value, seed: u64) -> Option<Digest> {
        let (Some(spec), errors) = kind.decode(fields) else { return None };
        errors.is_empty().then(|| self.of_spec(spec.as_ref(), seed))
    }

    fn of_spec(&self, spec: &dyn StageSpec, seed: u64) -> Digest {
        let mut refs = Vec::new();
        spec.tree().visit_refs(&mut |path, text| {
            let stage = refs.len();
            refs.push(ResolvedRef { path: path.to_vec(), text: text.to_owned(), stage, port: "out".to_owned() });
        });
        spec.tree().visit_files(&mut |_, text| self.sandbox.write(&text.replace('*', "a"), text));
        let parts = KeyParts {
            spec,
            refs: &refs,
            seed: Seed::derive(seed, "s"),
            base: &self.sandbox.path(""),
            origin: None,
            stages: &[],
        };
        let result_of = |stage: usize| Some(Arc::new(result(&refs[stage].text)));
        key(parts, &self.store, &result_of).expect("a key").digest
    }
}

/// A result whose content is its name.
fn result(name: &str) -> StageResult {
    let artifact = ArtifactRecord {
        ty: ArtifactType::File,
        digest: Digest::of(name.as_bytes()),
        columns: Vec::new(),
        files: Vec::new(),
    };
    serde_json::from_value(json!({
        "kind": "", "version": 1, "outputs": { "out": artifact }, "summary": "", "metrics": {}, "gates": [], "seconds": 0.0,
        "made": 0, "environment": {}, "key": null,
    }))
    .expect("a result")
}

/// The schema of a kind's fields.
struct Schema {
    root: Value,
    definitions: Map<String, Value>,
}

/// A place in a sample, and the words that the schema allows there.
struct Site {
    path: Vec<Segment>,
    words: Vec<Value>,
    /// Whether keys can be chosen freely there.
    is_map: bool,
}

impl Schema {
    fn of(kind: &dyn Stage) -> Self {
        let mut generator = schemars::SchemaGenerator::default();
        let root = kind.schema(&mut generator).to_value();
        Self { root, definitions: generator.take_definitions(true) }
    }

    /// What a schema stands for, references and alternatives taken apart; each with a name of its own.
    fn flat<'a>(&'a self, name: &str, schema: &'a Value, out: &mut Vec<(String, &'a Value)>) {
        if let Some(inner) = schema.get("$ref").and_then(Value::as_str).and_then(|text| text.rsplit('/').next())
            && let Some(definition) = self.definitions.get(inner)
        {
            self.flat(inner, definition, out);
        }
        for key in ["anyOf", "oneOf", "allOf"] {
            for (index, inner) in schema.get(key).and_then(Value::as_array).into_iter().flatten().enumerate() {
                self.flat(&format!("{name}/{index}"), inner, out);
            }
        }
        out.push((name.to_owned(), schema));
    }

    /// Every field that can be written, as `Type.field`.
    fn fields(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut open = vec![("fields".to_owned(), &self.root)];
        let mut seen = BTreeSet::new();
        while let Some((name, schema)) = open.pop() {
            let mut flat = Vec::new();
            self.flat(&name, schema, &mut flat);
            for (name, schema) in flat {
                if !seen.insert(name.clone()) {
                    continue;
                }
                for (field, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
                    found.insert(format!("{name}.{field}"));
                    open.push((format!("{name}.{field}"), inner));
                }
                for key in ["items", "additionalProperties"] {
                    open.extend(schema.get(key).map(|inner| (format!("{name}.{key}"), inner)));
                }
            }
        }
        found
    }

    /// Walks over a sample: notes the fields that it holds, and every place in it.
    fn walk(
        &self,
        name: &str,
        schema: &Value,
        value: &Value,
        path: &[Segment],
        held: &mut BTreeSet<String>,
        sites: &mut Vec<Site>,
    ) {
        let mut flat = Vec::new();
        self.flat(name, schema, &mut flat);
        let mut words: Vec<Value> = Vec::new();
        for (_, schema) in &flat {
            words.extend(schema.get("const").cloned());
            words.extend(schema.get("enum").and_then(Value::as_array).into_iter().flatten().cloned());
        }
        let mut is_map = false;
        let below = |step: Segment| [path, &[step]].concat();
        match value {
            Value::Object(entries) => {
                for (key, value) in entries {
                    for (name, schema) in &flat {
                        if let Some(inner) = schema.get("properties").and_then(|fields| fields.get(key)) {
                            let field = format!("{name}.{key}");
                            held.insert(field.clone());
                            self.walk(&field, inner, value, &below(key.into()), held, sites);
                        } else if let Some(inner) = schema.get("additionalProperties").filter(|inner| inner.is_object())
                        {
                            is_map = true;
                            self.walk(
                                &format!("{name}.additionalProperties"),
                                inner,
                                value,
                                &below(key.into()),
                                held,
                                sites,
                            );
                        }
                    }
                }
            }
            Value::Array(items) => {
                for (name, schema) in &flat {
                    let Some(inner) = schema.get("items") else { continue };
                    for (index, value) in items.iter().enumerate() {
                        self.walk(&format!("{name}.items"), inner, value, &below(index.into()), held, sites);
                    }
                }
            }
            _ => {}
        }
        sites.push(Site { path: path.to_vec(), words, is_map });
    }
}

/// Other values that could stand at a place.
fn others(value: &Value, site: &Site) -> Vec<Value> {
    let mut out: Vec<Value> = site.words.iter().filter(|word| *word != value).cloned().collect();
    match value {
        Value::Bool(value) => out.push(json!(!value)),
        Value::Number(number) if number.is_f64() => {
            let number = number.as_f64().expect("a float");
            out.extend([json!(number / 2.0), json!(number * 2.0 + 0.125)]);
        }
        Value::Number(number) => {
            let number = number.as_i64().expect("an integer");
            out.extend([json!(number + 1), json!(number - 1)]);
        }
        Value::String(text) => {
            let (head, _) = text.split_at(text.len() - text.chars().last().map_or(0, char::len_utf8));
            out.extend(
                [format!("{text}x"), format!("{head}a"), format!("{head}b"), text.replace('9', "8")].map(Value::from),
            );
            out.extend(["i32", "str", ",", "!"].map(Value::from));
        }
        Value::Array(items) => {
            out.push(Value::Array(items[..items.len().saturating_sub(1)].to_vec()));
            out.push(Value::Array(items.iter().chain(items.last()).cloned().collect()));
        }
        Value::Object(entries) if site.is_map => {
            let renamed = entries.iter().map(|(key, value)| (format!("{key}x"), value.clone()));
            out.push(Value::Object(renamed.collect()));
            out.push(json!({}));
        }
        _ => {}
    }
    // A name is short for the name with an empty table, and a layer's only field for the table with it.
    let only = value.as_object().filter(|table| table.len() == 1).and_then(|table| table.values().next());
    out.retain(|other| other != value && Some(other) != only);
    out.retain(|other| !other.as_str().is_some_and(|name| *value == json!({ name: {} })));
    out
}

fn at<'a>(value: &'a mut Value, path: &[Segment]) -> &'a mut Value {
    path.iter().fold(value, |value, step| match step {
        Segment::Key(key) => &mut value[key.as_str()],
        Segment::Index(index) => &mut value[*index],
    })
}

#[test]
fn every_field_of_every_kind_is_in_the_key() {
    let (samples, keys) = (samples(), Keys::new());
    let mut wrong = Vec::new();
    let mut changed = 0;
    for kind in registry::STAGES.iter().copied() {
        let name = kind.info().name;
        let schema = Schema::of(kind);
        let mut held = BTreeSet::new();
        for sample in samples.get(name).unwrap_or_else(|| panic!("tests/keys.toml has no `[[{name}]]`")) {
            let base = keys.of(kind, sample, 7).unwrap_or_else(|| panic!("`[[{name}]]` cannot be read: {sample}"));
            let mut sites = Vec::new();
            schema.walk("fields", &schema.root, sample, &[], &mut held, &mut sites);
            let mut done: BTreeMap<String, usize> = BTreeMap::new();
            for site in &sites {
                let place = dotted(&site.path);
                let value = at(&mut sample.clone(), &site.path).clone();
                // What holds other places is tried by them, and a word that has no alternative cannot be tried.
                let by_others =
                    value.is_object() && !site.is_map || value.as_array().is_some_and(|items| !items.is_empty());
                let fixed = site.words.len() == 1 && site.words[0] == value;
                let free = NOT_IN_KEY.iter().any(|(field, _)| *field == format!("{name}.{place}"));
                let count = done.entry(place.clone()).or_insert(usize::from(by_others || fixed));
                for other in others(&value, site) {
                    let mut fields = sample.clone();
                    *at(&mut fields, &site.path) = other.clone();
                    let Some(now) = keys.of(kind, &fields, 7) else { continue };
                    *count += 1;
                    changed += 1;
                    if free != (now == base) {
                        let not = if free { "must not change the key, and does" } else { "does not change the key" };
                        wrong.push(format!("{name}: {place}: {value} -> {other} {not}"));
                    }
                }
            }
            // A word that fits nothing else beside it is tried where it stands in a neighbour: `features.a.encode` in `features.b`.
            let like = |place: &str| -> Option<(String, String)> {
                let mut parts: Vec<&str> = place.split('.').collect();
                let field = parts.pop()?;
                parts.pop()?;
                Some((parts.join("."), field.to_owned()))
            };
            let tried: BTreeSet<_> =
                done.iter().filter(|(_, count)| **count > 0).filter_map(|(place, _)| like(place)).collect();
            wrong.extend(
                done.iter()
                    .filter(|(place, count)| **count == 0 && like(place).is_none_or(|like| !tried.contains(&like)))
                    .map(|(place, _)| format!("{name}: no other value was found for {place}, so it was not tried")),
            );
        }
        wrong.extend(
            schema.fields().difference(&held).map(|field| format!("{name}: {field} is not in tests/keys.toml")),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(changed > 500, "{changed} changes were tried");
}

#[test]
fn the_seed_and_the_environment_are_in_the_key_of_kinds_that_depend_on_them() {
    let (samples, keys) = (samples(), Keys::new());
    for kind in registry::STAGES.iter().copied() {
        let (info, sample) = (kind.info(), &samples[kind.info().name][0]);
        let seeds = keys.of(kind, sample, 7) != keys.of(kind, sample, 8);
        let makes_choices = kind.decode(sample).0.expect("decoded").seeded();
        assert_eq!(seeds, makes_choices, "the seed and `{}`", info.name);
        assert!(makes_choices || !info.seeded, "{}", info.name);
    }
}

#[test]
fn what_is_not_in_a_key_is_on_the_list_with_its_reason() {
    let listed: Vec<&str> = NOT_IN_KEY.iter().map(|(field, _)| *field).filter(|field| !field.contains('.')).collect();
    assert_eq!(listed, COMMON_FIELDS, "the fields that every stage may carry, and no others");
    assert!(NOT_IN_KEY.iter().all(|(_, reason)| reason.len() > 20));
    let manifest = |extra: &str| {
        format!(
            "[pipeline]\nname = \"p\"\nedition = \"2026\"\n[stage.a]\nkind = \"fetch\"\npath = \"a.csv\"\n{extra}\n"
        )
    };
    let key = |extra: &str| {
        let sandbox = Sandbox::with_manifest(&manifest(extra)).file("a.csv", "a\n1\n");
        sandbox.kilter(&["plan", "pipeline.toml", "--json"]).success().json()["stages"][0]["key"].clone()
    };
    let base = key("");
    assert!(base.is_string());
    for (field, value) in [
        ("about", "\"x\""),
        ("needs", "{ cpus = 1, memory = \"1GiB\", time = \"2h\" }"),
        ("retry", "{ attempts = 3 }"),
        ("cache", "false"),
        ("tolerance", "{ rtol = 1e-5 }"),
    ] {
        assert!(listed.contains(&field));
        assert_eq!(key(&format!("{field} = {value}")), base, "{field}");
    }
    // A list of values makes a stage for each; what enters its key is the value, where it is for.
    let made = |values: &str| {
        let text = manifest(&format!("matrix.path = {values}")).replace("path = \"a.csv\"", "path = \"${path}\"");
        let sandbox = Sandbox::with_manifest(&text).file("a.csv", "a\n1\n").file("b.csv", "a\n2\n");
        sandbox.kilter(&["plan", "pipeline.toml", "--json"]).success().json()["stages"].clone()
    };
    assert_eq!(made("[\"b.csv\", \"a.csv\"]")[1]["key"], base);
    assert_ne!(made("[\"b.csv\"]")[0]["key"], base);
}

/// `encode` calls its outputs after its references, so a key that does not know them would give outputs of old names.
#[test]
fn outputs_that_are_called_after_references_follow_a_renamed_stage() {
    let manifest = |name: &str| {
        format!(
            "[pipeline]\nname = \"p\"\nedition = \"2026\"\n[stage.raw]\nkind = \"fetch\"\npath = \"penguins.csv\"\n\
             [stage.{name}]\nkind = \"read\"\nfrom = \"raw\"\nnull_values = [\"NA\"]\n\
             [stage.encode]\nkind = \"encode\"\nfit = \"{name}\"\nfeatures.year = \"numeric\"\ntarget.species = \"category\"\n"
        )
    };
    let sandbox = Sandbox::with_manifest(&manifest("clean")).data("penguins.csv");
    sandbox.run(&[]).success();
    assert!(sandbox.path("out/p/encode/clean").is_dir());
    sandbox.write("pipeline.toml", manifest("tidy"));
    let plan = sandbox.kilter(&["plan", "pipeline.toml", "--json"]).success().json();
    let decision = |stage: usize| plan["stages"][stage]["decision"].as_str().map(str::to_owned);
    assert_eq!((decision(1), decision(2)), (Some("cached".into()), Some("run".into())), "{plan}");
    assert!(plan["stages"][2]["reasons"][0].as_str().is_some_and(|reason| reason.contains("other names")), "{plan}");
    sandbox.run(&[]).success();
    assert!(sandbox.path("out/p/encode/tidy").is_dir());
}

/// The columns that each stage reads are shown, and `why` says what changed in them and what changed beside them.
#[test]
fn what_is_read_is_shown_and_what_changed_is_named() {
    let manifest = "[pipeline]\nname = \"p\"\nedition = \"2026\"\n[stage.raw]\nkind = \"fetch\"\npath = \"t.csv\"\n\
        [stage.t]\nkind = \"read\"\nfrom = \"raw\"\n\
        [stage.q]\nkind = \"sql\"\ninputs = { t = \"t\" }\nquery = \"SELECT a, b FROM t WHERE b > 1\"\n";
    let sandbox = Sandbox::with_manifest(manifest).file("t.csv", "a,b,note\n1,2,x\n3,4,y\n5,4,z\n");
    sandbox.run(&[]).success();
    let explained = sandbox.kilter(&["plan", "pipeline.toml", "--explain"]).success();
    explained.prints("reads       t  2 of 3 columns: a, b");
    let json = sandbox.kilter(&["plan", "pipeline.toml", "--explain", "--json"]).success().json();
    assert_eq!(
        json["stages"][2]["reads"][0],
        json!({ "input": "t", "artifact": "table", "columns": ["a", "b"], "of": 3 })
    );

    // A column that is not read: nothing but the table itself is made anew.
    sandbox.write("t.csv", "a,extra,b,note\n1,7,2,x\n3,8,4,y\n5,9,4,other\n");
    sandbox.run(&[]).success().says("1 cached");
    let why = sandbox.kilter(&["why", "pipeline.toml", "q"]).success();
    why.prints("It would not run").prints("t changed, but nothing that is read of it: `note` changed, `extra` is new");

    // One that is read, in one row.
    sandbox.write("t.csv", "a,extra,b,note\n1,7,2,x\n3,8,5,y\n5,9,4,other\n");
    sandbox.kilter(&["run", "pipeline.toml", "t"]).success();
    sandbox.kilter(&["why", "pipeline.toml", "q"]).success().prints("t changed: column `b`, 1 of 3 rows differ");
    sandbox.kilter(&["plan", "pipeline.toml"]).success().prints("t changed: column `b`");
    sandbox.write("t.csv", "a,extra,b,note\n3,8,4,y\n1,7,2,x\n5,9,4,other\n");
    sandbox.kilter(&["run", "pipeline.toml", "t"]).success();
    let why = sandbox.kilter(&["why", "pipeline.toml", "q"]).success();
    why.prints("t changed: columns `a` and `b`, the same rows in another order\n");
    sandbox.write("t.csv", "a,extra,b,note\n1,7,2,x\n3,8,4,y\n5,9,4,other\n8,8,8,x\n");
    sandbox.kilter(&["run", "pipeline.toml", "t"]).success();
    sandbox.kilter(&["why", "pipeline.toml", "q"]).success().prints("t changed: 3 -> 4 rows, 1 row new");
}
