//! `pick`: some values of a settings file, as a file of their own. What uses it reruns only when one of them changes.

use crate::diag::codes;
use crate::path;
use crate::stage::{CheckCx, Family, FilePath, Kind, Outputs, Port, Produced, RunCx, StageError, StageInfo};
use crate::types::ArtifactType;
use crate::yaml::Yaml;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Some values of a file, and nothing else of it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Spec {
    /// The workspace file: YAML or JSON.
    pub file: FilePath,
    /// The values to pick: `train.lr` is `lr` in the table `train`; a table is picked whole.
    pub keys: Vec<String>,
}

/// The kind.
pub struct Pick;

impl Kind for Pick {
    type Spec = Spec;

    const INFO: StageInfo = StageInfo {
        name: "pick",
        family: Family::Source,
        version: 1,
        summary: "Some values of a YAML or JSON file, as a file of their own.",
        ports: &[Port {
            name: "file",
            about: "a file of the same name with these values alone, as JSON (which is YAML too)",
        }],
        example: r#"[stage.settings]
kind = "pick"
file = "params.yaml"
keys = ["train.lr", "train.epochs"]
"#,
        seeded: false,
        numeric: false,
    };

    fn check(spec: &Spec, cx: &mut CheckCx<'_>) -> Outputs {
        if spec.keys.is_empty() {
            cx.error(path!["keys"], codes::OUT_OF_RANGE, "no value is picked").label("an empty list");
        }
        let found = cx.workspace_files(&spec.file, path!["file"]).unwrap_or_default();
        if let [(_, place)] = found.as_slice()
            && place.is_file()
        {
            match read(place, &spec.file.0) {
                Ok(tree) => {
                    for (index, key) in spec.keys.iter().enumerate().filter(|(_, key)| tree.at(key).is_none()) {
                        cx.error(
                            path!["keys", index],
                            codes::UNKNOWN_VALUE,
                            format!("`{}` has no `{key}`", spec.file.0),
                        )
                        .label("no such value")
                        .maybe_hint(crate::diag::did_you_mean(key, paths(&tree).iter().map(String::as_str)));
                    }
                }
                Err(error) => {
                    cx.error(path!["file"], codes::UNKNOWN_VALUE, error.message).label("cannot be read");
                }
            }
        }
        Outputs::one("file", ArtifactType::File)
    }

    fn run(spec: &Spec, cx: &RunCx<'_>) -> Result<Produced, StageError> {
        let place = cx.base.join(&spec.file.0);
        let tree = read(&place, &spec.file.0)?;
        let mut picked = Yaml::Map(Vec::new());
        for (index, key) in spec.keys.iter().enumerate() {
            let value = tree.at(key).ok_or_else(|| {
                StageError::data(format!("`{}` has no `{key}`", spec.file.0)).at(path!["keys", index])
            })?;
            put(&mut picked, &key.split('.').collect::<Vec<_>>(), value.clone());
        }
        let to = cx.out("file")?.join(place.file_name().unwrap_or_default());
        std::fs::write(&to, picked.to_json()).map_err(|error| StageError::io("write", &to, &error))?;
        let mut produced = Produced::default().port("file", ArtifactType::File);
        let shown: Vec<String> = spec.keys.iter().take(4).map(|key| said(key, tree.at(key))).collect();
        let more = if spec.keys.len() > shown.len() { ", …" } else { "" };
        produced.summary = format!("{}{more}", shown.join(", "));
        Ok(produced)
    }
}

/// Reads the file at `place`, which the manifest calls `name`.
fn read(place: &Path, name: &str) -> Result<Yaml, StageError> {
    let text = std::fs::read_to_string(place).map_err(|error| StageError::io("read", place, &error))?;
    Yaml::parse(&text).map_err(|why| StageError::data(format!("`{name}` is not YAML: {why}")))
}

/// `train.lr 0.001`
fn said(key: &str, value: Option<&Yaml>) -> String {
    match value.and_then(Yaml::plain) {
        Some(text) => format!("{key} {text}"),
        None => key.to_owned(),
    }
}

/// Puts a value under a path, beside what is there.
fn put(tree: &mut Yaml, path: &[&str], value: Yaml) {
    let Yaml::Map(entries) = tree else { return };
    let Some((first, rest)) = path.split_first() else { return };
    let at = entries.iter().position(|(key, _)| key == first).unwrap_or_else(|| {
        entries.push(((*first).to_owned(), Yaml::Map(Vec::new())));
        entries.len() - 1
    });
    if rest.is_empty() {
        entries[at].1 = value;
    } else {
        put(&mut entries[at].1, rest, value);
    }
}

/// The path of every value, for suggestions.
fn paths(tree: &Yaml) -> Vec<String> {
    let mut found = Vec::new();
    for (key, value) in tree.entries() {
        found.push(key.clone());
        found.extend(paths(value).into_iter().map(|inner| format!("{key}.{inner}")));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::testing::Bench;

    const FILE: &str = "train:\n  lr: 0.001   # small\n  layers: [8, 4]\nseed: 7\nother: x\n";

    fn picked(bench: &Bench, text: &str) -> String {
        bench.file("conf/params.yaml", text);
        bench.run::<Pick>("file = \"conf/params.yaml\"\nkeys = [\"train.lr\", \"seed\"]").expect("runs");
        let mut files = bench.output("file");
        assert_eq!(files[0].0, "params.yaml");
        String::from_utf8(files.remove(0).1).expect("text")
    }

    #[test]
    fn only_what_was_picked_counts() {
        let first = picked(&Bench::default(), FILE);
        assert_eq!(first, "{\n  \"train\": {\n    \"lr\": 0.001\n  },\n  \"seed\": 7\n}\n");
        let other = FILE.replace("other: x", "other: y # comment").replace("[8, 4]", "[1]");
        assert_eq!(picked(&Bench::default(), &other), first);
        assert_ne!(picked(&Bench::default(), &FILE.replace("seed: 7", "seed: 8")), first);
    }

    #[test]
    fn a_value_that_is_not_there_is_named() {
        let bench = Bench::default();
        bench.file("params.yaml", FILE);
        let (_, findings) = bench.check::<Pick>("file = \"params.yaml\"\nkeys = [\"train.rl\", \"train.layers[1]\"]");
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].diagnostic.message, "`params.yaml` has no `train.rl`");
        assert_eq!(findings[0].diagnostic.hints, ["did you mean `train.lr`?"]);
    }
}
