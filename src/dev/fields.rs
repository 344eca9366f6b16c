//! A type's fields as a table of Markdown, from its JSON schema.

use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Types that have a page or a word of their own: the schema's name, and how a table writes it.
const NAMED: &[(&str, &str)] = &[
    ("Ref", "reference"),
    ("FilePath", "file"),
    ("DeclaredFile", "file"),
    ("DType", "column type"),
    ("Layer", "[layer](layers.md)"),
    ("Loss", "[loss](losses.md#losses)"),
    ("Optimizer", "[optimizer](losses.md#optimizers)"),
    ("Schedule", "[schedule](losses.md#schedules)"),
];

/// Schemas and what their references mean.
pub(super) struct Fields<'a> {
    /// The definitions, by name.
    pub(super) definitions: &'a Map<String, Value>,
}

impl Fields<'_> {
    /// The table of an object's fields, and after it the tables that it mentions. Empty where it has no fields.
    pub(super) fn tables(&self, schema: &Value) -> String {
        let mut mentioned = Vec::new();
        let mut out = self.table(schema, &mut mentioned);
        let mut done = BTreeSet::new();
        while let Some(name) = mentioned.pop() {
            let Some(inner) = self.definitions.get(&name).filter(|_| done.insert(name.clone())) else { continue };
            let mut further = Vec::new();
            let table = self.table(inner, &mut further);
            if !table.is_empty() {
                let about = sentence(inner);
                out += &format!("\n`{}`: {about}\n\n{table}", plain(&name));
            }
            mentioned.extend(further.into_iter().rev());
        }
        out
    }

    fn table(&self, schema: &Value, mentioned: &mut Vec<String>) -> String {
        let schema = self.object(schema);
        let required: Vec<&str> =
            schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let own = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
        let mut rows: Vec<(&String, &Value, String)> =
            own.map(|(name, field)| (name, field, self.about(field))).collect();
        rows.sort_by_key(|(name, ..)| (!required.contains(&name.as_str()), (*name).clone()));
        rows.extend(variants(schema).map(|(variant, name, field)| {
            let about = sentence(variant);
            (name, field, if about.is_empty() { self.about(field) } else { about })
        }));
        if rows.is_empty() {
            return String::new();
        }
        let mut out = "| field | value | |\n|---|---|---|\n".to_owned();
        for (name, field, about) in rows {
            let need = match field.get("default") {
                _ if required.contains(&name.as_str()) => "**needed.** ".to_owned(),
                Some(Value::Null) | None => String::new(),
                Some(Value::Array(list)) if list.is_empty() => String::new(),
                Some(Value::Object(table)) if table.is_empty() => String::new(),
                Some(default) => format!("Default `{default}`. "),
            };
            let words = self.words(field, mentioned);
            out += &format!("| `{name}` | {} | {need}{} |\n", cell(&words), cell(&about));
        }
        out
    }

    /// The object behind references and alternatives.
    fn object<'a>(&'a self, schema: &'a Value) -> &'a Value {
        if let Some(inner) = super::schema::definition_name(schema).and_then(|name| self.definitions.get(name)) {
            return self.object(inner);
        }
        if schema.get("properties").is_some() || variants(schema).count() > 1 {
            return schema;
        }
        alternatives(schema)
            .map(|inner| self.object(inner))
            .find(|inner| inner.get("properties").is_some())
            .unwrap_or(schema)
    }

    fn about(&self, field: &Value) -> String {
        let own = sentence(field);
        if !own.is_empty() {
            return own;
        }
        super::schema::definition_name(field)
            .and_then(|name| self.definitions.get(name))
            .map(sentence)
            .unwrap_or_default()
    }

    /// What may stand there, in words.
    fn words(&self, schema: &Value, mentioned: &mut Vec<String>) -> String {
        if let Some(name) = super::schema::definition_name(schema) {
            return self.reference(name, mentioned);
        }
        if let Some(only) = schema.get("const") {
            return format!("`{only}`");
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            return values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ");
        }
        for key in ["anyOf", "oneOf", "allOf"] {
            if let Some(list) = schema.get(key).and_then(Value::as_array) {
                let mut words: Vec<String> = Vec::new();
                for inner in list {
                    let text = self.words(inner, mentioned);
                    if !text.is_empty() && !words.contains(&text) {
                        words.push(text);
                    }
                }
                return words.join(" or ");
            }
        }
        let types: Vec<&str> = match schema.get("type") {
            Some(Value::String(ty)) => vec![ty],
            Some(Value::Array(types)) => types.iter().filter_map(Value::as_str).collect(),
            _ => return "anything".to_owned(),
        };
        let words = types.into_iter().filter(|ty| *ty != "null").map(|ty| self.simple(ty, schema, mentioned));
        words.collect::<Vec<_>>().join(" or ")
    }

    fn simple(&self, ty: &str, schema: &Value, mentioned: &mut Vec<String>) -> String {
        match ty {
            "string" => "text".to_owned(),
            "boolean" => "`true` or `false`".to_owned(),
            "array" => match schema.get("items") {
                Some(Value::Array(list)) => {
                    let words: Vec<String> = list.iter().map(|inner| self.words(inner, mentioned)).collect();
                    format!("list of {}", words.join(", "))
                }
                Some(inner) => format!("list of {}", self.words(inner, mentioned)),
                None => "list".to_owned(),
            },
            "object" => match schema.get("additionalProperties") {
                Some(inner) if inner.is_object() => format!("table of {} by name", self.words(inner, mentioned)),
                _ => match schema.get("properties").and_then(Value::as_object) {
                    Some(known) if !known.is_empty() => {
                        let names: Vec<String> = known.keys().map(|name| format!("`{name}`")).collect();
                        format!("table with {}", names.join(", "))
                    }
                    _ => "table".to_owned(),
                },
            },
            number => bounded(number, schema),
        }
    }

    fn reference(&self, name: &str, mentioned: &mut Vec<String>) -> String {
        if let Some((_, word)) = NAMED.iter().find(|(known, _)| *known == plain(name)) {
            return (*word).to_owned();
        }
        let Some(definition) = self.definitions.get(name) else { return format!("`{name}`") };
        if definition.get("properties").is_some() || variants(definition).count() > 1 {
            mentioned.push(name.to_owned());
            let words = alternatives(definition).filter(|inner| inner.get("properties").is_none());
            let words = words.map(|inner| self.words(inner, mentioned));
            return words.chain([format!("`{}`", plain(name))]).collect::<Vec<_>>().join(" or ");
        }
        self.words(definition, mentioned)
    }
}

/// What a schema lets one choose from.
fn alternatives(schema: &Value) -> impl Iterator<Item = &Value> {
    ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|key| schema.get(key)?.as_array()).flatten()
}

/// The alternatives that are tables of one key, as an enum's variants are: the table, its key, the key's value.
fn variants(schema: &Value) -> impl Iterator<Item = (&Value, &String, &Value)> {
    alternatives(schema).filter_map(|inner| {
        let mut known = inner.get("properties")?.as_object()?.iter();
        let (name, value) = known.next()?;
        known.next().is_none().then_some((inner, name, value))
    })
}

/// `integer, at least 1`
fn bounded(ty: &str, schema: &Value) -> String {
    let word = if ty == "integer" { "integer" } else { "number" };
    let at = |key: &str| schema.get(key).filter(|value| value.is_number());
    let bounds = [
        at("exclusiveMinimum").map(|least| format!("above {least}")),
        at("minimum").map(|least| format!("at least {least}")),
        at("exclusiveMaximum").map(|most| format!("below {most}")),
        at("maximum").map(|most| format!("at most {most}")),
    ];
    let bounds: Vec<String> = bounds.into_iter().flatten().collect();
    if bounds.is_empty() { word.to_owned() } else { format!("{word}, {}", bounds.join(", ")) }
}

/// A definition's name without the number that tells it from others of that name.
fn plain(name: &str) -> &str {
    name.trim_end_matches(|c: char| c.is_ascii_digit())
}

/// A schema's description in one line.
fn sentence(schema: &Value) -> String {
    let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text in a cell of a table.
pub(super) fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_become_rows_with_the_needed_ones_first() {
        let definitions = json!({
            "Inner2": { "description": "How.", "type": "object", "properties": { "n": { "type": "integer", "minimum": 1 } } },
        });
        let schema = json!({
            "type": "object",
            "required": ["z"],
            "properties": {
                "a": { "type": ["string", "null"], "description": "A | text.\nOn two lines." },
                "b": { "$ref": "#/definitions/Inner2" },
                "c": { "type": "array", "items": { "$ref": "#/definitions/Ref" } },
                "z": { "enum": ["x", "y"] },
            },
        });
        let fields = Fields { definitions: definitions.as_object().expect("a table") };
        let lines: Vec<String> = fields.tables(&schema).lines().map(str::to_owned).collect();
        assert_eq!(lines[2], "| `z` | `\"x\"`, `\"y\"` | **needed.**  |");
        assert_eq!(lines[3], "| `a` | text | A \\| text. On two lines. |");
        assert_eq!(lines[4], "| `b` | `Inner` | How. |");
        assert_eq!(lines[5], "| `c` | list of reference |  |");
        assert_eq!(lines[7], "`Inner`: How.");
        assert_eq!(lines[11], "| `n` | integer, at least 1 |  |");
    }

    #[test]
    fn an_enums_variants_become_rows_of_a_table_of_their_own() {
        let definitions = json!({
            "Step": { "description": "A step.", "oneOf": [
                { "const": "dedupe" },
                { "description": "Keeps rows.", "type": "object", "properties": { "filter": { "type": "string" } } },
                { "description": "Orders rows.", "type": "object", "properties": { "sort": { "type": "integer" } } },
            ] },
        });
        let schema =
            json!({ "properties": { "steps": { "type": "array", "items": { "$ref": "#/definitions/Step" } } } });
        let fields = Fields { definitions: definitions.as_object().expect("a table") };
        let lines: Vec<String> = fields.tables(&schema).lines().map(str::to_owned).collect();
        assert_eq!(lines[2], "| `steps` | list of `\"dedupe\"` or `Step` |  |");
        assert_eq!(lines[4], "`Step`: A step.");
        assert_eq!(lines[8], "| `filter` | text | Keeps rows. |");
        assert_eq!(lines[9], "| `sort` | integer | Orders rows. |");
    }
}
