//! The kind `export`: a trained model as a file that other runtimes read.

use crate::diag::codes;
use crate::nn::Architecture;
use crate::onnx::{self, Weights};
use crate::path;
use crate::stage::{CheckCx, Family, Input, Kind, Outputs, Port, Produced, Ref, RunCx, StageError, StageInfo};
use crate::types::ArtifactType;
use safetensors::{Dtype, SafeTensors};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Writes a trained model for other runtimes.
pub struct Export;

/// The fields of an `export` stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExportSpec {
    /// The trained model.
    pub model: Ref,
    /// The form of the file.
    #[serde(default)]
    pub format: Format,
}

/// The form of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// ONNX, opset 20: inputs are the encoded features by name, the output is called `output`, or `result` where a feature is called so.
    #[default]
    Onnx,
}

const PORT: &str = "file";
const FILE: &str = "model.onnx";

impl Kind for Export {
    type Spec = ExportSpec;

    const INFO: StageInfo = StageInfo {
        name: "export",
        family: Family::Deliver,
        version: 2,
        summary: "Writes a trained model as ONNX, for other runtimes",
        ports: &[Port {
            name: PORT,
            about: "`model.onnx`: inputs are the features as the encoder gives them, by name, `[batch, …]`; `output` is `[batch, outputs]`: logits, or standardised numbers. Its metadata has the target and its classes",
        }],
        example: r#"
[stage.onnx]
kind = "export"
model = "train.model"
format = "onnx"
"#,
        seeded: false,
        numeric: false,
    };

    fn check(spec: &ExportSpec, cx: &mut CheckCx<'_>) -> Outputs {
        if let Some(model) = cx.model(&spec.model, path!["model"])
            && !model.trained
        {
            cx.error(path!["model"], codes::UNTRAINED, format!("`{}` has no weights yet", spec.model))
                .from_stage(&spec.model, "described here")
                .hint("name the `model` of a `train` stage");
        }
        Outputs::one(PORT, ArtifactType::File)
    }

    fn run(spec: &ExportSpec, cx: &RunCx<'_>) -> Result<Produced, StageError> {
        let model = cx.input(&spec.model)?;
        let network = architecture(model)?;
        let bytes = onnx::export(&network, &weights(model)?).map_err(|refusal| {
            StageError::data(format!("the model cannot become ONNX: {refusal}"))
                .hint("`release` gives the model away as safetensors, with every layer")
                .at(path!["model"])
        })?;
        let path = cx.out(PORT)?.join(FILE);
        std::fs::write(&path, &bytes).map_err(|error| StageError::io("write", &path, &error))?;
        let size = crate::numbers::bytes(bytes.len() as u64);
        Ok(Produced::new(format!("ONNX, opset {} · {size}", onnx::OPSET)).port(PORT, ArtifactType::File))
    }
}

fn architecture(model: &Input) -> Result<Architecture, StageError> {
    let file = model.file("architecture.json").ok_or_else(|| StageError::bug("a model without its architecture"))?;
    let bytes = std::fs::read(&file.path).map_err(|error| StageError::io("read", &file.path, &error))?;
    serde_json::from_slice(&bytes).map_err(|error| StageError::bug(format!("architecture.json: {error}")))
}

/// The weights of a trained model that are numbers; counters of batches are not needed.
fn weights(model: &Input) -> Result<Weights, StageError> {
    let file = model.file("model.safetensors").ok_or_else(|| StageError::bug("a trained model without weights"))?;
    let bytes = std::fs::read(&file.path).map_err(|error| StageError::io("read", &file.path, &error))?;
    let damaged = |error: safetensors::SafeTensorError| {
        StageError::data(format!("`{}` is not as it was written: {error}", file.path.display()))
            .hint("run again with `--force` to make it anew")
    };
    let tensors = SafeTensors::deserialize(&bytes).map_err(damaged)?;
    let floats = tensors.tensors().into_iter().filter(|(_, view)| view.dtype() == Dtype::F32);
    Ok(floats
        .map(|(name, view)| {
            let dims = view.shape().iter().map(|size| *size as i64).collect();
            (name, (dims, view.data().to_vec()))
        })
        .collect())
}
