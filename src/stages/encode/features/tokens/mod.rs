//! Texts as sequences of token ids, `[max_length]` of `i32`: cut where they are longer, filled up where they are shorter. Or
//! packed: all texts one after the other, cut into blocks, so that no place is wasted; then rows are blocks and no longer texts.
//!
//! For models that predict the next token the ids are also the target, moved by one place; see [`rows`].

mod rows;
#[cfg(test)]
mod tests;

pub use rows::TokenRows;

use super::FittedFeature;
use super::encoding::{Encoding, Fitted, Known, Training, float_type, list_hint};
use crate::diag::codes;
use crate::path;
use crate::stage::{CheckCx, Ref, StageError};
use crate::stages::encode::{Names, Target, Tensor, TensorData};
use crate::stages::text::{SpecialNames, TextTokenizer};
use crate::types::{ArtifactType, DType, Dim, FeatureType, Shape, TensorType, TokenizerType};
use polars::prelude::DataFrame;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Texts as token ids, as the manifest describes them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tokens {
    /// The columns. The texts of a row are one sequence, with the token for the end after each.
    #[serde(rename = "tokens")]
    pub columns: Names,
    /// The tokenizer.
    pub tokenizer: Ref,
    /// How texts become rows.
    #[serde(flatten)]
    pub layout: Layout,
}

/// How texts become rows of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// How many tokens a row has.
    pub max_length: u64,
    /// Which end of a longer text is cut off.
    pub truncate: End,
    /// Whether texts stand between the tokens for their beginning and end.
    pub special_tokens: bool,
    /// Whether texts follow one after the other.
    pub pack: bool,
}

/// An end of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Before its first token.
    Start,
    /// After its last.
    #[default]
    End,
}

/// Fitted texts: the tokenizer itself, so that a model needs nothing else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FittedTokens {
    /// The columns.
    pub columns: Vec<String>,
    /// The text of `tokenizer.json`.
    pub tokenizer: String,
    /// What its special tokens are for.
    pub special: SpecialNames,
    /// What it gives.
    pub ty: TokenizerType,
    /// How texts become rows.
    pub layout: Layout,
    /// Whether rows are one token longer, of which the model sees all but the last and is to predict all but the first.
    pub shift: bool,
}

impl Tokens {
    fn check_values(&self, name: &str, cx: &mut CheckCx<'_>) {
        let length = self.layout.max_length;
        if length == 0 || length > 1 << 20 {
            let message = format!("a sequence has from 1 to {} tokens, found {length}", 1 << 20);
            cx.error(path!["features", name, "max_length"], codes::OUT_OF_RANGE, message);
        }
    }

    /// The tokenizer's type, as far as it is known.
    fn ty(&self, name: &str, cx: &mut CheckCx<'_>) -> TokenizerType {
        let place = path!["features", name, "tokenizer"];
        match cx.input(&self.tokenizer) {
            ArtifactType::Tokenizer(ty) => *ty,
            ArtifactType::Unknown => TokenizerType::default(),
            other => {
                let found = other.name();
                cx.wrong_artifact(&self.tokenizer, place, "tokenizer", found);
                TokenizerType::default()
            }
        }
    }

    /// Reports a known tokenizer that has no token for filling up.
    fn check_pad(&self, name: &str, ty: TokenizerType, cx: &mut CheckCx<'_>) {
        if ty.vocabulary.is_some() && ty.special.pad.is_none() {
            let message = format!("`{}` has no token to fill sequences up with", self.tokenizer);
            cx.error(path!["features", name, "tokenizer"], codes::MISSING_FIELD, message)
                .label("without a `pad`")
                .from_stage(&self.tokenizer, "the tokenizer")
                .hint("special.pad = \"<pad>\" in that stage adds one");
        }
    }
}

/// The type of rows of tokens.
fn token_type(name: &str, length: u64, ty: TokenizerType) -> FeatureType {
    let vocabulary = ty.vocabulary.map_or_else(|| Dim::Named("vocabulary".to_owned()), Dim::Fixed);
    FeatureType {
        dtype: TensorType::I32,
        cardinality: Some(vocabulary),
        padding: ty.special.pad,
        ..float_type(name, Shape::fixed(&[length]))
    }
}

impl Encoding for Tokens {
    fn key(&self) -> &'static str {
        "tokens"
    }

    fn columns(&self) -> &Names {
        &self.columns
    }

    fn accepts(&self, dtype: &DType) -> bool {
        *dtype == DType::Str
    }

    fn wanted(&self, dtype: &DType) -> (&'static str, &'static str) {
        ("text", list_hint(dtype).unwrap_or("cast it to `str` in a `table` stage before"))
    }

    fn check(&self, name: &str, _: &Known<'_>, cx: &mut CheckCx<'_>) -> FeatureType {
        self.check_values(name, cx);
        let ty = self.ty(name, cx);
        self.check_pad(name, ty, cx);
        token_type(name, self.layout.max_length, ty)
    }

    fn fit(&self, name: &str, columns: Vec<String>, training: &Training<'_>) -> Result<FittedFeature, StageError> {
        let (text, special) = training
            .tokenizers
            .get(&self.tokenizer.0)
            .ok_or_else(|| StageError::bug(format!("the tokenizer of feature `{name}` was not prepared")))?;
        let tokenizer = parse(text, special)?;
        let ty = tokenizer.ty();
        if ty.special.pad.is_none() {
            return Err(StageError::data(format!("`{}` has no token to fill sequences up with", self.tokenizer))
                .hint("special.pad = \"<pad>\" in the `tokenizer` stage adds one")
                .at(path!["features", name, "tokenizer"]));
        }
        let shift = training.wanted.get(name).is_some_and(|target| matches!(target, Target::NextToken(_)));
        let (tokenizer, special, layout) = (text.clone(), special.clone(), self.layout);
        Ok(FittedFeature::Tokens(Box::new(FittedTokens { columns, tokenizer, special, ty, layout, shift })))
    }
}

fn parse(text: &str, special: &SpecialNames) -> Result<TextTokenizer, StageError> {
    TextTokenizer::parse(text, special)
        .map_err(|why| StageError::data(format!("the tokenizer that the encoder carries cannot be read: {why}")))
}

impl FittedTokens {
    /// The tokenizer.
    ///
    /// # Errors
    /// When the text that the encoder carries is damaged.
    pub fn tokenizer(&self) -> Result<TextTokenizer, StageError> {
        parse(&self.tokenizer, &self.special)
    }

    /// The rows of a table.
    ///
    /// # Errors
    /// When a text is null, or has no token; names the row.
    pub fn encode(&self, frame: &DataFrame) -> Result<TokenRows, StageError> {
        rows::encode(self, frame)
    }
}

impl Fitted for FittedTokens {
    fn columns(&self) -> Vec<&str> {
        self.columns.iter().map(String::as_str).collect()
    }

    fn accepts(&self, _: &str, dtype: &DType) -> bool {
        *dtype == DType::Str
    }

    fn becomes(&self) -> String {
        let tokens = crate::numbers::count(self.ty.vocabulary.unwrap_or(0));
        let how = if self.layout.pack { "packed into blocks of" } else { "up to" };
        format!("tokens of a vocabulary of {tokens}, {how} {}", self.layout.max_length)
    }

    fn ty(&self, name: &str) -> FeatureType {
        token_type(name, self.layout.max_length, self.ty)
    }

    fn apply(&self, _: &str, frame: &DataFrame) -> Result<Tensor, StageError> {
        let rows = self.encode(frame)?;
        Ok(Tensor::of_rows(rows.rows, &[self.layout.max_length], TensorData::I32(rows.tokens)))
    }
}
