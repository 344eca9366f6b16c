//! Rows of tokens: cut, filled up, moved by one, packed; and what may be wrong.

use super::rows::NO_TARGET;
use super::{FittedTokens, TokenRows};
use crate::diag::codes;
use crate::stage::testing::fields;
use crate::stage::{CheckCx, CheckInput, Finding, Kind};
use crate::stages::encode::features::Tokenizers;
use crate::stages::encode::{Encode, EncodeSpec, Encoder, TensorData};
use crate::stages::text::SpecialNames;
use crate::types::{ArtifactType, Column as Col, DType, Dim, SpecialIds, TableSchema, TokenizerType};
use polars::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;

/// A tokenizer of characters: special ones from 0 to 4, then `a` is 5, `b` 6, …
fn tokenizer() -> (String, SpecialNames) {
    let special = SpecialNames::angled(true);
    let letters = ('a'..='z').map(|letter| letter.to_string());
    let vocab: serde_json::Map<String, serde_json::Value> =
        special.tokens().into_iter().chain(letters).zip(0..).map(|(token, id)| (token, id.into())).collect();
    let text = serde_json::json!({
        "version": "1.0", "added_tokens": [], "decoder": { "type": "Fuse" },
        "model": { "type": "BPE", "unk_token": "<unk>", "vocab": vocab, "merges": [] },
    });
    (text.to_string(), special)
}

const PAD: i32 = 0;
const UNK: i32 = 1;
const BOS: i32 = 2;
const EOS: i32 = 3;

fn encoder(more: &str, texts: &[&str]) -> Encoder {
    let spec: EncodeSpec = serde_json::from_value(fields(&format!("fit = \"t\"\n{more}"))).unwrap();
    let tokenizers = Tokenizers::from([("tok".to_owned(), tokenizer())]);
    Encoder::fit_with(&spec, &df!["text" => texts].unwrap(), &tokenizers).unwrap()
}

fn fitted(more: &str, target: &str) -> FittedTokens {
    let feature = format!("features.text = {{ tokens = \"text\", tokenizer = \"tok\", {more} }}\n{target}");
    encoder(&feature, &["a"]).tokens("text").unwrap().clone()
}

fn rows(more: &str, target: &str, texts: &[&str]) -> TokenRows {
    fitted(more, target).encode(&df!["text" => texts].unwrap()).unwrap()
}

#[test]
fn texts_are_cut_at_either_end_and_filled_up() {
    let texts = ["ab", "abcdef"];
    assert_eq!(rows("max_length = 4", "", &texts).tokens, [BOS, 5, 6, EOS, BOS, 5, 6, EOS]);
    assert_eq!(rows("max_length = 4, truncate = \"start\"", "", &texts).tokens, [BOS, 5, 6, EOS, BOS, 9, 10, EOS]);
    assert_eq!(rows("max_length = 5", "", &["a", "ab"]).tokens, [BOS, 5, EOS, PAD, PAD, BOS, 5, 6, EOS, PAD]);
    assert_eq!(rows("max_length = 3, special_tokens = false", "", &["a", "abcd"]).tokens, [5, PAD, PAD, 5, 6, 7]);
    assert_eq!(rows("max_length = 3", "", &["", "é"]).tokens, [BOS, EOS, PAD, BOS, UNK, EOS]);
    assert_eq!(rows("max_length = 1", "", &["abc"]).tokens, [BOS], "no room for more");
}

#[test]
fn the_next_token_is_the_target_and_padding_is_none() {
    let made = rows("max_length = 4", "target.text = \"next_token\"", &["ab", "abcdef"]);
    assert_eq!(made.tokens, [BOS, 5, 6, PAD, BOS, 5, 6, 7]);
    assert_eq!(made.targets, [5, 6, EOS, NO_TARGET, 5, 6, 7, 8]);
    assert_eq!(made.characters, [2, 0, 4, 0]);
    let unknown = rows("max_length = 6", "target.text = \"next_token\"", &["a é"]);
    assert_eq!(unknown.targets, [5, UNK, UNK, EOS, NO_TARGET, NO_TARGET]);
    assert_eq!(unknown.characters, [3, 2]);
}

/// The targets and the characters of a text, by a tokenizer whose form is changed.
fn counted(text: &str, change: impl Fn(&mut serde_json::Value)) -> (Vec<i32>, Vec<i64>) {
    let (form, special) = tokenizer();
    let mut form: serde_json::Value = serde_json::from_str(&form).unwrap();
    change(&mut form);
    let tokenizers = Tokenizers::from([("tok".to_owned(), (form.to_string(), special))]);
    let feature = "features.text = { tokens = \"text\", tokenizer = \"tok\", max_length = 5 }";
    let spec = fields(&format!("fit = \"t\"\n{feature}\ntarget.text = \"next_token\""));
    let spec: EncodeSpec = serde_json::from_value(spec).unwrap();
    let frame = df!["text" => [text]].unwrap();
    let encoder = Encoder::fit_with(&spec, &frame, &tokenizers).unwrap();
    let made = encoder.tokens("text").unwrap().encode(&frame).unwrap();
    (made.targets, made.characters)
}

#[test]
fn a_space_before_an_unknown_token_is_none_of_the_unknown() {
    let (targets, characters) =
        counted("a éb", |form| form["pre_tokenizer"] = serde_json::json!({ "type": "WhitespaceSplit" }));
    assert_eq!(targets, [5, UNK, 6, EOS, NO_TARGET]);
    assert_eq!(characters, [4, 1]);
}

#[test]
fn characters_that_a_tokenizer_leaves_out_are_unknown() {
    let (targets, characters) = counted("aéé bü", |form| form["model"]["unk_token"] = serde_json::Value::Null);
    assert_eq!(targets, [5, 6, EOS, NO_TARGET, NO_TARGET]);
    assert_eq!(characters, [6, 3]);
}

#[test]
fn packed_texts_are_one_stream_of_which_every_token_is_predicted_once() {
    let texts = ["abc", "", "de"];
    let made = rows("max_length = 4, pack = true", "target.text = \"next_token\"", &texts);
    // <s> a b c </s> <s> </s> <s> d e </s>
    assert_eq!(made.tokens, [BOS, 5, 6, 7, EOS, BOS, EOS, BOS, 8, 9, PAD, PAD]);
    assert_eq!(made.targets, [5, 6, 7, EOS, BOS, EOS, BOS, 8, 9, EOS, NO_TARGET, NO_TARGET]);
    assert_eq!((made.rows, made.characters), (3, vec![3, 0, 1, 0, 1, 0]));
    let blocks = rows("max_length = 4, pack = true", "target.text = \"masked_token\"", &texts);
    assert_eq!((blocks.rows, blocks.targets), (3, Vec::new()));
    assert_eq!(blocks.tokens, [BOS, 5, 6, 7, EOS, BOS, EOS, BOS, 8, 9, EOS, PAD]);
    let long: Vec<String> = (0..1000).map(|row| "abc".repeat(row % 7)).collect();
    let long: Vec<&str> = long.iter().map(String::as_str).collect();
    let made = rows("max_length = 16, pack = true", "target.text = \"next_token\"", &long);
    let targets = made.targets.iter().filter(|target| **target != NO_TARGET).count();
    assert_eq!(targets, long.iter().map(|text| text.len() + 2).sum::<usize>() - 1);
    let characters: i64 = made.characters.iter().step_by(2).sum();
    assert_eq!(characters as usize, long.iter().map(|text| text.len()).sum::<usize>());
}

#[test]
fn several_columns_are_one_sequence() {
    let feature = "features.text = { tokens = [\"a\", \"b\"], tokenizer = \"tok\", max_length = 8 }";
    let spec: EncodeSpec = serde_json::from_value(fields(&format!("fit = \"t\"\n{feature}"))).unwrap();
    let frame = df!["a" => ["x"], "b" => ["yz"]].unwrap();
    let tokenizers = Tokenizers::from([("tok".to_owned(), tokenizer())]);
    let encoder = Encoder::fit_with(&spec, &frame, &tokenizers).unwrap();
    let encoded = encoder.apply(&frame, "t", true).unwrap();
    assert_eq!(encoded.features["text"].data, TensorData::I32(vec![BOS, 28, EOS, 29, 30, EOS, PAD, PAD]));
}

#[test]
fn the_encoder_carries_its_tokenizer_and_reads_back() {
    let feature =
        "features.text = { tokens = \"text\", tokenizer = \"tok\", max_length = 4 }\ntarget.text = \"next_token\"";
    let own = encoder(feature, &["ab"]);
    let text = serde_json::to_string(&own).unwrap();
    let read: Encoder = serde_json::from_str(&text).unwrap();
    assert_eq!(read, own);
    let frame = df!["text" => ["b"]].unwrap();
    assert_eq!(read.apply(&frame, "t", false).unwrap().features, own.apply(&frame, "t", false).unwrap().features);
    let ty = own.dataset_type(Some(1), true);
    assert_eq!((ty.features[0].cardinality.clone(), ty.features[0].padding), (Some(Dim::Fixed(31)), Some(0)));
}

#[test]
fn empty_and_missing_texts_name_their_row() {
    let frame = df!["text" => ["a", ""]].unwrap();
    let failure = fitted("max_length = 4, special_tokens = false", "").encode(&frame).unwrap_err();
    assert_eq!(failure.message, "the text of row 2 has no token");
    let fitted = fitted("max_length = 4, special_tokens = false", "target.text = \"next_token\"");
    let failure = fitted.encode(&df!["text" => ["ab", "c"]].unwrap()).unwrap_err();
    assert_eq!(failure.message, "the text of row 2 has no two tokens, so that there is none to predict");
    let failure = fitted.encode(&df!["text" => [Some("ab"), None]].unwrap()).unwrap_err();
    assert_eq!(failure.message, "column `text` is null in row 2");
}

fn check(more: &str, special: SpecialIds) -> (Vec<Finding>, Option<TableSchema>) {
    let table = TableSchema::new(vec![Col::new("text", DType::Str), Col::new("n", DType::I64)]);
    let tokenizer = ArtifactType::Tokenizer(TokenizerType { vocabulary: Some(31), special });
    let inputs = BTreeMap::from([
        ("t".to_owned(), CheckInput { ty: ArtifactType::Table(table.clone()), files: None }),
        ("tok".to_owned(), CheckInput { ty: tokenizer, files: None }),
    ]);
    let mut cx = CheckCx::new(&inputs, Path::new("."), Path::new("."));
    let spec: EncodeSpec = serde_json::from_value(fields(&format!("fit = \"t\"\n{more}"))).unwrap();
    Encode::check(&spec, &mut cx);
    (cx.finish(), Some(table))
}

#[test]
fn what_cannot_be_is_told_before_anything_runs() {
    let all = SpecialIds { pad: Some(0), unk: Some(1), bos: Some(2), eos: Some(3), mask: Some(4) };
    let told = |more: &str, special: SpecialIds| -> Vec<&'static str> {
        check(more, special).0.iter().map(|finding| finding.diagnostic.code.id).collect()
    };
    let tokens = "features.text = { tokens = \"text\", tokenizer = \"tok\", max_length = 8 }\n";
    let packed = tokens.replace("8 }", "8, pack = true }");
    assert_eq!(told(tokens, all), Vec::<&str>::new());
    assert_eq!(told(&format!("{packed}target.text = \"next_token\""), all), Vec::<&str>::new());
    assert_eq!(told(&format!("{packed}features.n = \"numeric\""), all), [codes::CONFLICT.id]);
    assert_eq!(told(&format!("{packed}target.n = \"number\""), all), [codes::CONFLICT.id]);
    assert_eq!(told(&format!("{tokens}target.n = \"next_token\""), all), [codes::UNKNOWN_FEATURE.id]);
    assert_eq!(told(&tokens.replace("8 }", "0 }"), all), [codes::OUT_OF_RANGE.id]);
    assert_eq!(told(&tokens.replace("\"text\",", "\"n\","), all), [codes::COLUMN_TYPE.id]);
    assert_eq!(told(&tokens.replace("\"tok\"", "\"t\""), all), [codes::WRONG_ARTIFACT.id]);
    assert_eq!(told(tokens, SpecialIds { pad: None, ..all }), [codes::MISSING_FIELD.id]);
    let masked = format!("{tokens}target.text = \"masked_token\"");
    assert_eq!(told(&masked, all), Vec::<&str>::new());
    assert_eq!(told(&masked, SpecialIds { mask: None, ..all }), [codes::MISSING_FIELD.id]);
    let all_masked = format!("{tokens}target.text = {{ masked_token = {{ probability = 1.5 }} }}");
    assert_eq!(told(&all_masked, all), [codes::OUT_OF_RANGE.id]);
}
