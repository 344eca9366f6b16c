//! Takes tokenizers from files, whatever their form, and writes them as `tokenizer.json`.

mod json;
mod tiktoken;
mod vocab;

use super::spec::{TokenizerFormat, TokenizerSpec};
use crate::path;
use crate::stage::{InputFile, StageError};
use crate::stages::text::SpecialNames;

/// Reads a file: the text of a `tokenizer.json`, and its special tokens.
///
/// # Errors
/// When its format cannot be told, or it is not what its format says; names the line.
pub(super) fn load(spec: &TokenizerSpec, file: &InputFile) -> Result<(String, SpecialNames), StageError> {
    let format = spec.format.or_else(|| TokenizerFormat::of(&file.name)).ok_or_else(|| {
        StageError::data(format!("what sort of tokenizer `{}` is, its name does not tell", file.name))
            .hint("format = \"json\", \"vocab\" or \"tiktoken\"")
            .at(path!["load"])
    })?;
    let bytes = std::fs::read(&file.path).map_err(|error| StageError::io("read", &file.path, &error))?;
    let text = String::from_utf8(bytes).map_err(|_| broken(file, "it is no text in UTF-8"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    match format {
        TokenizerFormat::Json => json::load(text, spec),
        TokenizerFormat::Vocab => vocab::load(text, spec),
        TokenizerFormat::Tiktoken => tiktoken::load(text, spec),
    }
    .map_err(|why| broken(file, &why))
}

fn broken(file: &InputFile, why: &str) -> StageError {
    StageError::data(format!("`{}` is no tokenizer: {why}", file.name))
        .hint("`format` says what the file is where its name misleads; a `tokenizer` stage with `from` learns one instead")
        .at(path!["load"])
}
