//! The kind `bundle`: reads a released folder back as a trained model, after checking every file against `SHA256SUMS`.

use super::checksums::{SUMS_FILE, parse_sums, sha256_of};
use super::config::{BundleConfig, CONFIG_FILE};
use crate::diag::codes;
use crate::path;
use crate::stage::{CheckCx, Family, FilePath, Kind, Outputs, Port, Produced, RunCx, StageError, StageInfo, files};
use crate::stages::encode::write_json;
use crate::types::{ArtifactType, ModelType};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Reads a released model.
pub struct Bundle;

/// The fields of a `bundle` stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BundleSpec {
    /// The files of a release in the workspace, as a pattern: `"model/*"`.
    pub files: FilePath,
}

const PORT: &str = "model";
const WEIGHTS_FILE: &str = "model.safetensors";

impl Kind for Bundle {
    type Spec = BundleSpec;

    const INFO: StageInfo = StageInfo {
        name: "bundle",
        family: Family::Deliver,
        version: 1,
        summary: "Reads a released model back, after checking its files",
        ports: &[Port { name: PORT, about: "the trained model with its encoder, as `train` would give it" }],
        example: r#"
[stage.model]
kind = "bundle"
files = "model/*"
"#,
        seeded: false,
        numeric: false,
    };

    fn check(spec: &BundleSpec, cx: &mut CheckCx<'_>) -> Outputs {
        let unknown = Outputs::one(PORT, ArtifactType::Unknown);
        let Some(found) = cx.workspace_files(&spec.files, path!["files"]) else { return unknown };
        if let Some(missing) = NEEDED.iter().find(|needed| place(&found, needed).is_none()) {
            cx.error(path!["files"], codes::NO_FILE, format!("`{}` names no `{missing}`", spec.files))
                .label("not all of a release")
                .hint("a bundle is the folder that a `release` stage wrote: \"model/*\"");
            return unknown;
        }
        match place(&found, CONFIG_FILE).map(BundleConfig::read) {
            Some(Ok(config)) => Outputs::one(PORT, ArtifactType::Model(model_type(&config))),
            Some(Err(failure)) => {
                let finding = cx.error(path!["files"], codes::BAD_DATA, failure.message);
                finding.label("not a release");
                for hint in failure.hints {
                    finding.hint(hint);
                }
                unknown
            }
            None => unknown,
        }
    }

    fn run(spec: &BundleSpec, cx: &RunCx<'_>) -> Result<Produced, StageError> {
        let found = files::expand(cx.base, &spec.files.0)
            .map_err(|error| StageError::io("list", Path::new(&spec.files.0), &error).at(path!["files"]))?;
        verify(&found)?;
        let lacking = |name: &str| StageError::data(format!("`{}` names no `{name}`", spec.files)).at(path!["files"]);
        let config = BundleConfig::read(place(&found, CONFIG_FILE).ok_or_else(|| lacking(CONFIG_FILE))?)?;
        let weights = place(&found, WEIGHTS_FILE).ok_or_else(|| lacking(WEIGHTS_FILE))?;
        let out = cx.out(PORT)?;
        write_json(&config.architecture, &out.join("architecture.json"))?;
        config.encoder.write(&out)?;
        super::release::copy(weights, &out.join(WEIGHTS_FILE))?;
        let summary = format!("{}, {} · {} files as released", config.title, config.license, found.len());
        Ok(Produced::new(summary).port(PORT, ArtifactType::Model(model_type(&config))))
    }
}

/// The files without which there is no model.
const NEEDED: [&str; 3] = [CONFIG_FILE, WEIGHTS_FILE, SUMS_FILE];

/// Files of the workspace: path and place.
type Found = [(String, PathBuf)];

fn place<'a>(found: &'a Found, name: &str) -> Option<&'a Path> {
    found.iter().find(|(path, _)| path.rsplit('/').next() == Some(name)).map(|(_, place)| place.as_path())
}

fn model_type(config: &BundleConfig) -> ModelType {
    ModelType { layers: config.layers, parameters: config.parameters, ..config.architecture.model_type(true) }
}

/// Compares every file that `SHA256SUMS` lists.
fn verify(found: &Found) -> Result<(), StageError> {
    let sums = place(found, SUMS_FILE)
        .ok_or_else(|| StageError::data(format!("the bundle has no `{SUMS_FILE}`")).at(path!["files"]))?;
    let text = std::fs::read_to_string(sums).map_err(|error| StageError::io("read", sums, &error))?;
    let listed = parse_sums(&text).map_err(|line| {
        StageError::data(format!("`{SUMS_FILE}` has a line that is no sum: `{line}`")).at(path!["files"])
    })?;
    for needed in [CONFIG_FILE, WEIGHTS_FILE] {
        if !listed.iter().any(|(name, _)| name == needed) {
            return Err(StageError::data(format!("`{SUMS_FILE}` does not list `{needed}`")).at(path!["files"]));
        }
    }
    for (name, sum) in listed {
        let path = place(found, &name)
            .ok_or_else(|| StageError::data(format!("the bundle's `{name}` is missing")).at(path!["files"]))?;
        let now = sha256_of(path)?;
        if now != sum {
            return Err(StageError::data(format!("`{name}` is not the file that was released"))
                .note(format!("{SUMS_FILE} has {sum}"))
                .note(format!("the file has  {now}"))
                .hint("get the release again; nothing of it was used")
                .at(path!["files"]));
        }
    }
    Ok(())
}
