//! `tokenizer.json` as Hugging Face's library writes it: the rules around each sort of vocabulary.

use super::spec::{Normalization, TokenizerModel};
use crate::stage::StageError;
use crate::stages::text::SpecialNames;
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What a `tokenizer.json` holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Form {
    version: &'static str,
    truncation: Option<Value>,
    padding: Option<Value>,
    pub added_tokens: Vec<AddedToken>,
    pub normalizer: Option<Value>,
    pub pre_tokenizer: Option<Value>,
    pub post_processor: Option<Value>,
    pub decoder: Option<Value>,
    pub model: Model,
}

/// A token that texts are never split into by the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AddedToken {
    pub id: u32,
    pub content: String,
    single_word: bool,
    lstrip: bool,
    rstrip: bool,
    normalized: bool,
    special: bool,
}

/// A vocabulary with what its sort of model needs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type")]
pub(super) enum Model {
    #[serde(rename = "BPE")]
    Bpe {
        dropout: Option<f32>,
        unk_token: Option<String>,
        continuing_subword_prefix: Option<String>,
        end_of_word_suffix: Option<String>,
        fuse_unk: bool,
        byte_fallback: bool,
        ignore_merges: bool,
        vocab: Vocabulary,
        merges: Vec<(String, String)>,
    },
    WordPiece {
        unk_token: String,
        continuing_subword_prefix: &'static str,
        max_input_chars_per_word: usize,
        vocab: Vocabulary,
    },
    Unigram {
        unk_id: Option<usize>,
        vocab: Vec<(String, f64)>,
        byte_fallback: bool,
    },
}

/// Tokens with their ids, ascending; written as a table from token to id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Vocabulary(pub Vec<(String, u32)>);

impl Vocabulary {
    /// Tokens whose ids are their places.
    pub fn of(tokens: Vec<String>) -> Self {
        Self(tokens.into_iter().zip(0..).collect())
    }
}

impl Serialize for Vocabulary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        self.0.iter().try_for_each(|(token, id)| map.serialize_entry(token, id))?;
        map.end()
    }
}

impl AddedToken {
    /// A special token.
    pub fn special(content: impl Into<String>, id: u32) -> Self {
        let content = content.into();
        Self { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }
    }
}

impl Model {
    /// Byte pairs.
    pub fn bpe(vocab: Vocabulary, merges: Vec<(String, String)>, unk: Option<String>) -> Self {
        Self::Bpe {
            dropout: None,
            unk_token: unk,
            continuing_subword_prefix: None,
            end_of_word_suffix: None,
            fuse_unk: false,
            byte_fallback: false,
            ignore_merges: false,
            vocab,
            merges,
        }
    }

    /// The same, but that a piece which is a token as a whole stays whole, whether or not pairs lead to it.
    pub fn whole_pieces_first(mut self) -> Self {
        if let Self::Bpe { ignore_merges, .. } = &mut self {
            *ignore_merges = true;
        }
        self
    }

    /// Word pieces.
    pub fn word_piece(vocab: Vocabulary, unk: String) -> Self {
        Self::WordPiece { unk_token: unk, continuing_subword_prefix: "##", max_input_chars_per_word: 100, vocab }
    }
}

/// How texts are treated before and after the model.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rules {
    pub normalizer: Option<Value>,
    pub pre_tokenizer: Option<Value>,
    pub decoder: Option<Value>,
}

impl Rules {
    /// The rules of what is learnt.
    pub fn of(model: TokenizerModel, lowercase: bool, normalize: Option<Normalization>) -> Self {
        let (pre_tokenizer, decoder) = match model {
            TokenizerModel::WordPiece => (json!({ "type": "BertPreTokenizer" }), word_pieces()),
            TokenizerModel::ByteLevelBpe => (bytes(true), bytes(true)),
            TokenizerModel::Bpe => {
                let marks = json!({ "type": "Punctuation", "behavior": "Isolated" });
                (json!({ "type": "Sequence", "pretokenizers": [spaces(), marks] }), spaces())
            }
            TokenizerModel::Unigram => (spaces(), spaces()),
            TokenizerModel::Characters => (Value::Null, json!({ "type": "Fuse" })),
        };
        let form = normalize.map(unicode);
        let lower = match model {
            TokenizerModel::WordPiece => Some(bert(lowercase)),
            _ => lowercase.then(|| json!({ "type": "Lowercase" })),
        };
        Self {
            normalizer: sequence(form.into_iter().chain(lower).collect()),
            pre_tokenizer: Some(pre_tokenizer).filter(|value| !value.is_null()),
            decoder: Some(decoder),
        }
    }

    /// The rules of a `vocab.txt`.
    pub fn bert(lowercase: bool) -> Self {
        Self::of(TokenizerModel::WordPiece, lowercase, None)
    }

    /// The rules of byte pairs after a split by a regular expression.
    pub fn split(pattern: &str, normalize: Option<Normalization>) -> Self {
        let split = json!({
            "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false,
        });
        Self {
            normalizer: normalize.map(unicode),
            pre_tokenizer: Some(json!({ "type": "Sequence", "pretokenizers": [split, bytes(false)] })),
            decoder: Some(bytes(false)),
        }
    }

    /// A `tokenizer.json` with these rules. Special tokens stand in the vocabulary.
    pub fn form(self, model: Model, special: &SpecialNames, ids: impl Fn(&str) -> Option<u32>) -> Form {
        let tokens = special.tokens();
        let known = tokens.iter().filter_map(|token| Some(AddedToken::special(token.clone(), ids(token)?)));
        let mut added_tokens: Vec<AddedToken> = known.collect();
        added_tokens.sort_by_key(|token| token.id);
        let post_processor = matches!(model, Model::WordPiece { .. }).then(|| around(special, &ids)).flatten();
        let Self { normalizer, pre_tokenizer, decoder } = self;
        Form {
            version: "1.0",
            truncation: None,
            padding: None,
            added_tokens,
            normalizer,
            pre_tokenizer,
            post_processor,
            decoder,
            model,
        }
    }
}

impl Form {
    /// As text: the same form is the same bytes.
    pub fn text(&self) -> Result<String, StageError> {
        serde_json::to_string(self).map_err(|error| StageError::bug(error.to_string()))
    }
}

fn sequence(mut parts: Vec<Value>) -> Option<Value> {
    match parts.len() {
        0 | 1 => parts.pop(),
        _ => Some(json!({ "type": "Sequence", "normalizers": parts })),
    }
}

fn unicode(form: Normalization) -> Value {
    match form {
        Normalization::Nfc => json!({ "type": "NFC" }),
        Normalization::Nfd => json!({ "type": "NFD" }),
        Normalization::Nfkc => json!({ "type": "NFKC" }),
        Normalization::Nfkd => json!({ "type": "NFKD" }),
    }
}

fn bert(lowercase: bool) -> Value {
    json!({
        "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null,
        "lowercase": lowercase,
    })
}

fn word_pieces() -> Value {
    json!({ "type": "WordPiece", "prefix": "##", "cleanup": true })
}

fn bytes(use_regex: bool) -> Value {
    json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": use_regex })
}

fn spaces() -> Value {
    json!({ "type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true })
}

/// `[CLS] text [SEP]`, for whoever uses the file elsewhere; here `encode` puts special tokens around texts itself.
fn around(special: &SpecialNames, ids: impl Fn(&str) -> Option<u32>) -> Option<Value> {
    let (bos, eos) = (special.bos.as_deref()?, special.eos.as_deref()?);
    let token = |name: &str, segment: u8| json!({ "SpecialToken": { "id": name, "type_id": segment } });
    let text = |name: &str, segment: u8| json!({ "Sequence": { "id": name, "type_id": segment } });
    let entry = |name: &str| Some(json!({ "id": name, "ids": [ids(name)?], "tokens": [name] }));
    Some(json!({
        "type": "TemplateProcessing",
        "single": [token(bos, 0), text("A", 0), token(eos, 0)],
        "pair": [token(bos, 0), text("A", 0), token(eos, 0), text("B", 1), token(eos, 1)],
        "special_tokens": { bos: entry(bos)?, eos: entry(eos)? },
    }))
}
