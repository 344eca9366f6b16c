//! What a manifest may say of an `exec` stage.

use crate::stage::{FilePath, Limit, Ref};
use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeStruct, SerializeTuple};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// A program, and what it reads and writes.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Spec {
    /// The program and its arguments, each a word of its own; there is no shell. `{inputs.NAME}` stands for the path of
    /// an input (its file, or its folder where it has several), `{outputs.NAME}` for the path of an output,
    /// `{threads}` for the number of cores that the stage may use. Where an input is a list, `{inputs.NAME}` as a whole
    /// word becomes one word for each of its paths, in the order of the list; inside a longer text they stand with spaces
    /// between them. `{{word}}` stands for the text `{word}`; other
    /// braces are left alone.
    pub command: Vec<String>,
    /// Outputs of other stages that the program reads, by the name that the command uses. They lie in `inputs/NAME/`, or
    /// where a table with `from` and `at` says: a file (a table, metrics) at exactly that path, a folder's files in it.
    /// A list takes several outputs, and of a stage with axes the results at all values; each of them lies in a folder of
    /// its own, by its number in the list: `inputs/NAME/1/`, `inputs/NAME/2/`; `01` where there are ten or more.
    #[serde(default)]
    pub inputs: BTreeMap<String, InputSpec>,
    /// Workspace files that the program needs, itself among them where it is a script; patterns such as `lib/**/*.py`
    /// are allowed. They lie under the path that they have from the manifest's folder.
    #[serde(default)]
    pub files: Vec<DeclaredFile>,
    /// What the program writes, by the name of the output: a path, or a table with `path` and `type`.
    #[serde(default)]
    pub outputs: BTreeMap<String, OutputSpec>,
    /// Environment variables. The same placeholders as in `command` are allowed. Of its surroundings the program sees `PATH`
    /// alone; `HOME` and `TMPDIR` are a scratch folder, `LANG` is `C.UTF-8`, `TZ` is `UTC`.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// How long the program may run: `"90s"`, `"10m"`, `"2h"`, or a number of seconds. It is stopped then, with all that
    /// it started. Not part of the stage's key: it does not change what the program writes.
    // Left out of the canonical form, and so out of the key.
    #[serde(default, skip_serializing)]
    pub timeout: Option<Limit>,
}

/// A workspace file of a program. In the key its path stands beside its content, as the program opens it by that path.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct DeclaredFile(pub FilePath);

impl Serialize for DeclaredFile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut pair = serializer.serialize_tuple(2)?;
        pair.serialize_element(&self.0.0)?;
        pair.serialize_element(&self.0)?;
        pair.end()
    }
}

/// One input of a program.
#[derive(Clone, Debug)]
pub struct InputSpec {
    /// What it is.
    pub from: Taken,
    /// Where the program finds it; `None` for `inputs/NAME/`.
    pub at: Option<String>,
}

/// What one input takes.
#[derive(Clone, Debug)]
pub enum Taken {
    /// One output.
    One(Ref),
    /// Several, or one at all values of its stage's axes.
    All(Vec<Ref>),
}

impl Serialize for Taken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::One(from) => from.serialize(serializer),
            Self::All(all) => all.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Taken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = Taken;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an output of another stage, or a list of them")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Taken, E> {
                Ok(Taken::One(Ref(text.to_owned())))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Taken, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(Taken::All)
            }
        }
        deserializer.deserialize_any(Form)
    }
}

impl JsonSchema for Taken {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ExecTaken".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let one = generator.subschema_for::<Ref>();
        schemars::json_schema!({
            "description": "An output of another stage, or a list of them.",
            "anyOf": [one.clone(), { "type": "array", "items": one }],
        })
    }
}

impl Serialize for InputSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(at) = &self.at else { return self.from.serialize(serializer) };
        let mut placed = serializer.serialize_struct("InputSpec", 2)?;
        placed.serialize_field("from", &self.from)?;
        placed.serialize_field("at", at)?;
        placed.end()
    }
}

/// An input with the place where the program finds it.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "ExecInput")]
struct LongInput {
    /// The output of another stage, or a list of them.
    from: Taken,
    /// Where the program finds it, from the folder that it starts in.
    at: Option<String>,
}

impl<'de> Deserialize<'de> for InputSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = InputSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an output of another stage, a list of them, or a table with `from` and `at`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<InputSpec, E> {
                Ok(InputSpec { from: Taken::One(Ref(text.to_owned())), at: None })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<InputSpec, A::Error> {
                let all = Vec::deserialize(SeqAccessDeserializer::new(list))?;
                Ok(InputSpec { from: Taken::All(all), at: None })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<InputSpec, A::Error> {
                let LongInput { from, at } = LongInput::deserialize(MapAccessDeserializer::new(map))?;
                if let (Taken::All(_), None) = (&from, &at) {
                    // Its canonical form would be the list alone, whose references lie at other paths than these.
                    return Err(de::Error::custom("a list without `at` is written without `from`"));
                }
                Ok(InputSpec { from, at })
            }
        }
        deserializer.deserialize_any(Form)
    }
}

impl JsonSchema for InputSpec {
    fn schema_name() -> Cow<'static, str> {
        "ExecInputForm".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let (one, long) = (generator.subschema_for::<Ref>(), generator.subschema_for::<LongInput>());
        schemars::json_schema!({
            "description": "An output of another stage, a list of them, or a table with `from` and `at`.",
            "anyOf": [one.clone(), { "type": "array", "items": one }, long],
        })
    }
}

/// One output of a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OutputSpec {
    /// Where the program writes it, from the folder that it starts in.
    pub path: String,
    /// What it is.
    #[serde(rename = "type")]
    pub ty: OutputType,
}

/// What a program writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutputType {
    /// One file.
    #[default]
    File,
    /// A folder of files.
    Dir,
    /// A table: `.parquet`, `.csv`, `.tsv`, `.jsonl` or `.arrow`.
    Table,
    /// A JSON object of numbers.
    Metrics,
}

/// An output with its type.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "ExecOutput")]
struct LongOutput {
    /// Where the program writes it, from the folder that it starts in.
    path: String,
    /// What it is: `file`, `dir`, `table` (parquet, csv, tsv, json lines, arrow) or `metrics` (a JSON object of numbers).
    #[serde(rename = "type", default)]
    ty: Option<OutputType>,
}

impl LongOutput {
    fn finish(self) -> OutputSpec {
        let implied = if self.path.ends_with('/') { OutputType::Dir } else { OutputType::File };
        OutputSpec { ty: self.ty.unwrap_or(implied), path: self.path }
    }
}

impl<'de> Deserialize<'de> for OutputSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = OutputSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, or a table with `path` and `type`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<OutputSpec, E> {
                Ok(LongOutput { path: text.to_owned(), ty: None }.finish())
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OutputSpec, A::Error> {
                LongOutput::deserialize(MapAccessDeserializer::new(map)).map(LongOutput::finish)
            }
        }
        deserializer.deserialize_any(Form)
    }
}

impl JsonSchema for OutputSpec {
    fn schema_name() -> Cow<'static, str> {
        "ExecOutputForm".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let long = generator.subschema_for::<LongOutput>();
        schemars::json_schema!({
            "description": "A path (a folder with a slash at its end), or a table with `path` and `type`.",
            "anyOf": [{ "type": "string" }, long],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    #[test]
    fn both_forms_of_an_output_are_read() {
        let read = |value| from_value::<OutputSpec>(value).unwrap();
        let file = OutputSpec { path: "a.bin".to_owned(), ty: OutputType::File };
        assert_eq!(read(json!("a.bin")), file);
        assert_eq!(read(json!({ "path": "a.bin" })), file);
        assert_eq!(read(json!("plots/")).ty, OutputType::Dir);
        assert_eq!(read(json!({ "path": "a.csv", "type": "table" })).ty, OutputType::Table);
        let error = from_value::<OutputSpec>(json!(3)).unwrap_err().to_string();
        assert!(error.contains("a path, or a table with `path` and `type`"), "{error}");
    }

    #[test]
    fn every_form_of_an_input_is_read_and_written_alike() {
        let again = |value: serde_json::Value| {
            serde_json::to_value(from_value::<InputSpec>(value).map_err(|error| error.to_string())?)
                .map_err(|error| error.to_string())
        };
        for form in
            [json!("a.b"), json!(["a", "b"]), json!({ "from": "a", "at": "x" }), json!({ "from": ["a"], "at": "x" })]
        {
            assert_eq!(again(form.clone()), Ok(form));
        }
        assert_eq!(again(json!({ "from": "a" })), Ok(json!("a")));
        assert!(again(json!({ "from": ["a"] })).is_err_and(|error| error.contains("without `from`")));
        assert!(again(json!(3)).is_err_and(|error| error.contains("a list of them, or a table")));
    }

    #[test]
    fn times_are_read() {
        let read = |value| from_value::<Limit>(value).map(|limit| limit.0.as_secs_f64());
        assert_eq!(read(json!("90s")).unwrap(), 90.0);
        assert_eq!(read(json!("10 m")).unwrap(), 600.0);
        assert_eq!(read(json!("250ms")).unwrap(), 0.25);
        assert_eq!(read(json!(3)).unwrap(), 3.0);
        assert!(read(json!("soon")).is_err() && read(json!(0)).is_err() && read(json!(-1)).is_err());
    }
}
