//! The fitted encoder: everything that turns raw rows into tensors, as one versioned JSON file.

use super::features::{Tokenizers, Training};
use super::spec::EncodeSpec;
use super::{Encoded, FittedFeature, FittedTarget, FittedTokens, Target, Tensor, TensorData};
use crate::stage::{Input, Ref, StageError};
use crate::types::{DatasetType, TargetType, Task};
use polars::prelude::DataFrame;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The version of `encoder.json`. Raised when its form changes so that an older kilter would misread it.
pub const ENCODER_VERSION: u32 = 2;
/// The file's name in `encoder`, `dataset` and `model` artefacts.
pub const ENCODER_FILE: &str = "encoder.json";

/// Fitted preprocessing. [`Encoder::apply`] needs nothing else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Encoder {
    /// [`ENCODER_VERSION`] of the kilter that wrote it.
    pub version: u32,
    /// The features by name.
    pub features: BTreeMap<String, FittedFeature>,
    /// The targets by column; the columns are not needed for prediction.
    #[serde(alias = "target", deserialize_with = "targets")]
    pub targets: Vec<FittedTarget>,
}

/// What is said of a training table without rows.
pub(super) fn no_rows(table: &Ref) -> String {
    format!("`{table}` has no rows, so nothing can be learnt from it")
}

/// What to do about it.
pub(super) const NO_ROWS_HINT: &str =
    "look at what makes it: its file has column names alone, or a filter or split leaves no row for it";

impl Encoder {
    /// Fits every feature and the target on the training table, where no feature needs a tokenizer.
    ///
    /// # Errors
    /// When a column is missing or holds what cannot be encoded; names column and row.
    pub fn fit(spec: &EncodeSpec, frame: &DataFrame) -> Result<Self, StageError> {
        Self::fit_with(spec, frame, &Tokenizers::new())
    }

    /// Fits every feature and the target on the training table, with the tokenizers that features name.
    ///
    /// # Errors
    /// When a column is missing or holds what cannot be encoded; names column and row.
    pub fn fit_with(spec: &EncodeSpec, frame: &DataFrame, tokenizers: &Tokenizers) -> Result<Self, StageError> {
        if frame.height() == 0 {
            return Err(StageError::data(no_rows(&spec.fit)).hint(NO_ROWS_HINT).at(vec!["fit".into()]));
        }
        let mut targets: Vec<FittedTarget> = spec
            .target
            .iter()
            .filter(|(_, target)| !target.is_tokens())
            .map(|(column, target)| {
                target.fit(column, frame).map_err(|failure| failure.at(vec!["target".into(), column.into()]))
            })
            .collect::<Result<_, StageError>>()?;
        let training = Training { frame, targets: &targets, wanted: &spec.target, tokenizers };
        let features: BTreeMap<String, FittedFeature> = spec
            .features
            .iter()
            .map(|(name, feature)| {
                let fitted = feature.fit(name, &training).map_err(|failure| at_feature(failure, name))?;
                Ok((name.clone(), fitted))
            })
            .collect::<Result<_, StageError>>()?;
        for (name, target) in spec.target.iter().filter(|(_, target)| target.is_tokens()) {
            targets.push(token_target(name, target, &features)?);
        }
        targets.sort_by(|a, b| a.column.cmp(&b.column));
        Ok(Self { version: ENCODER_VERSION, features, targets })
    }

    /// Encodes the table that it was fitted on; `table` names it in messages. What would show a row its own target, as
    /// the mean target of its category would, is worked out from other rows.
    ///
    /// # Errors
    /// As [`Encoder::apply`].
    pub fn apply_training(&self, frame: &DataFrame, table: &str) -> Result<Encoded, StageError> {
        let (wanted, tokenizers) = (BTreeMap::new(), Tokenizers::new());
        let training = Training { frame, targets: &self.targets, wanted: &wanted, tokenizers: &tokenizers };
        self.encode(frame, table, true, |name, feature| feature.apply_training(name, &training))
    }

    /// Encodes a table; `table` names it in messages. The target is encoded where `with_target` asks for it.
    ///
    /// # Errors
    /// When a column is missing or holds what cannot be encoded; names column and row.
    pub fn apply(&self, frame: &DataFrame, table: &str, with_target: bool) -> Result<Encoded, StageError> {
        self.encode(frame, table, with_target, |name, feature| feature.apply(name, frame))
    }

    fn encode(
        &self,
        frame: &DataFrame,
        table: &str,
        with_target: bool,
        apply: impl Fn(&str, &FittedFeature) -> Result<Tensor, StageError>,
    ) -> Result<Encoded, StageError> {
        let mut encoded = Encoded { with_target, rows: frame.height(), ..Encoded::default() };
        for (name, feature) in &self.features {
            let wrong =
                |failure| at_feature(failure, name).note(format!("while `{table}` was encoded as feature `{name}`"));
            let tensor = match feature {
                FittedFeature::Tokens(tokens) => encoded.tokens(name, tokens, frame),
                _ => apply(name, feature),
            };
            encoded.features.insert(name.clone(), tensor.map_err(wrong)?);
        }
        for target in self.targets.iter().filter(|target| with_target && !target.task.is_tokens()) {
            let tensor = target
                .apply(frame, table)
                .map_err(|failure| failure.at(vec!["target".into(), target.column.as_str().into()]))?;
            encoded.targets.insert(target.column.clone(), tensor);
        }
        Ok(encoded)
    }

    /// The feature of token ids, where there is one.
    #[must_use]
    pub fn tokens(&self, name: &str) -> Option<&FittedTokens> {
        match self.features.get(name) {
            Some(FittedFeature::Tokens(tokens)) => Some(tokens),
            _ => None,
        }
    }

    /// The type of the datasets that it makes.
    #[must_use]
    pub fn dataset_type(&self, rows: Option<u64>, with_target: bool) -> DatasetType {
        let targets = self.targets.iter().filter(|_| with_target);
        DatasetType {
            features: self.features.iter().map(|(name, feature)| feature.ty(name)).collect(),
            targets: targets
                .map(|target| TargetType { name: target.column.clone(), task: target.task.clone() })
                .collect(),
            rows,
            complete: true,
        }
    }

    /// Every column that the features read, each with the feature that reads it.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &str, &FittedFeature)> {
        self.features.iter().flat_map(|(name, feature)| {
            feature.columns().into_iter().map(move |column| (column, name.as_str(), feature))
        })
    }

    /// Writes `encoder.json` into a folder.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), StageError> {
        write_json(self, &folder.join(ENCODER_FILE))
    }

    /// Reads `encoder.json` of an `encoder`, `dataset` or `model` artefact.
    ///
    /// # Errors
    /// When it is missing, damaged, or of a newer version.
    pub fn of(artefact: &Input) -> Result<Self, StageError> {
        let file = artefact.file(ENCODER_FILE);
        let file = file.ok_or_else(|| StageError::bug(format!("an artefact without `{ENCODER_FILE}`")))?;
        Self::read(&file.path)
    }

    /// Reads an `encoder.json`.
    ///
    /// # Errors
    /// When it is missing, damaged, or of a newer version.
    pub fn read(path: &Path) -> Result<Self, StageError> {
        let text = std::fs::read_to_string(path).map_err(|error| StageError::io("read", path, &error))?;
        let encoder: Self = serde_json::from_str(&text)
            .map_err(|error| StageError::data(format!("`{}` is not an encoder: {error}", path.display())))?;
        if encoder.version > ENCODER_VERSION {
            return Err(StageError::data(format!(
                "`{}` has version {}, but this kilter knows encoders up to version {ENCODER_VERSION}",
                path.display(),
                encoder.version
            ))
            .hint("use a newer kilter"));
        }
        Ok(encoder)
    }
}

impl Encoded {
    /// Encodes texts as tokens: notes how many rows there are, and the next tokens, where those are predicted.
    fn tokens(&mut self, name: &str, tokens: &FittedTokens, frame: &DataFrame) -> Result<Tensor, StageError> {
        let made = tokens.encode(frame)?;
        let row = [tokens.layout.max_length];
        self.rows = made.rows;
        if tokens.shift && self.with_target {
            self.targets.insert(name.to_owned(), Tensor::of_rows(made.rows, &row, TensorData::I32(made.targets)));
            self.characters.insert(name.to_owned(), Tensor::of_rows(made.rows, &[2], TensorData::I64(made.characters)));
        }
        Ok(Tensor::of_rows(made.rows, &row, TensorData::I32(made.tokens)))
    }
}

/// A target that is made of the tokens of a feature.
fn token_target(
    name: &str,
    target: &Target,
    features: &BTreeMap<String, FittedFeature>,
) -> Result<FittedTarget, StageError> {
    let Some(FittedFeature::Tokens(tokens)) = features.get(name) else {
        return Err(StageError::bug(format!("the target `{name}` is no feature of tokens")));
    };
    let task = target.task(tokens.ty);
    if let Task::MaskedToken { masking, .. } = &task
        && masking.special.mask.is_none()
    {
        return Err(StageError::data("the tokenizer has no token to hide others behind")
            .hint("special.mask = \"<mask>\" in the `tokenizer` stage adds one")
            .at(vec!["target".into(), name.into()]));
    }
    Ok(FittedTarget { column: name.to_owned(), task, negative: None })
}

/// Targets as a list; encoders of version 1 hold one or none.
fn targets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<FittedTarget>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Targets {
        Many(Vec<FittedTarget>),
        One(FittedTarget),
        None,
    }
    Ok(match Targets::deserialize(deserializer)? {
        Targets::Many(targets) => targets,
        Targets::One(target) => vec![target],
        Targets::None => Vec::new(),
    })
}

fn at_feature(failure: StageError, name: &str) -> StageError {
    if failure.at.is_some() { failure } else { failure.at(vec!["features".into(), name.into()]) }
}

/// Writes a value as indented JSON with a final line end.
///
/// # Errors
/// When the file cannot be written.
pub fn write_json<T: Serialize>(value: &T, path: &Path) -> Result<(), StageError> {
    let mut text = serde_json::to_string_pretty(value).map_err(|error| StageError::bug(error.to_string()))?;
    text.push('\n');
    std::fs::write(path, text).map_err(|error| StageError::io("write", path, &error))
}
