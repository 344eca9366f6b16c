//! The texts that become of tokens.

use super::*;
use crate::stages::text::SpecialNames;
use serde_json::json;

/// A tokenizer of these tokens behind the special ones, which are 0 to 4.
fn tokenizer(own: &[&str], mut model: serde_json::Value, decoder: serde_json::Value) -> TextTokenizer {
    let special = SpecialNames::angled(true);
    let tokens = special.tokens().into_iter().chain(own.iter().map(|token| (*token).to_owned()));
    let vocab: serde_json::Map<String, serde_json::Value> =
        tokens.zip(0_u32..).map(|(token, id)| (token, id.into())).collect();
    model["vocab"] = vocab.into();
    model["unk_token"] = "<unk>".into();
    let text = json!({ "version": "1.0", "added_tokens": [], "decoder": decoder, "model": model });
    TextTokenizer::parse(&text.to_string(), &special).unwrap()
}

#[test]
fn a_word_that_goes_on_with_an_unknown_one_is_written_behind_it() {
    let spec: GenerateSpec = serde_json::from_value(json!({ "model": "m" })).unwrap();
    let model = json!({ "type": "WordPiece", "continuing_subword_prefix": "##", "max_input_chars_per_word": 9 });
    let decoder = json!({ "type": "WordPiece", "prefix": "##", "cleanup": true });
    let tokenizer = tokenizer(&["a", "##b"], model, decoder);
    let mut texts = Texts::default();
    for (prompt, ids, tokens) in [("ü", [2, 1], [6, 5]), ("", [2, 2], [5, 6]), ("a", [2, 5], [6, 5])] {
        let made = Generated { tokens: tokens.to_vec(), ended: false };
        let ids = if prompt.is_empty() { &ids[..1] } else { &ids[..] };
        texts.add(&spec, prompt.to_owned(), ids, &made, &tokenizer).unwrap();
    }
    assert_eq!(texts.text, ["üb a", "ab", "ab a"]);
}

#[test]
fn tokens_behind_a_stop_are_not_counted() {
    let spec: GenerateSpec = serde_json::from_value(json!({ "model": "m", "stop": ["x", " "] })).unwrap();
    let model = json!({ "type": "BPE", "merges": [["b", " "]] });
    let tokenizer = tokenizer(&["a", "b", " ", "b "], model, json!({ "type": "Fuse" }));
    let mut texts = Texts::default();
    for tokens in [vec![6, 6, 7, 5, 5], vec![6, 8, 5], vec![7, 5], vec![6, 6]] {
        texts.add(&spec, "a".to_owned(), &[5], &Generated { tokens, ended: false }, &tokenizer).unwrap();
    }
    assert_eq!(texts.text, ["abb", "abb", "a", "abb"]);
    assert_eq!(texts.tokens, [2, 2, 0, 2], "one of which a part is kept counts");
    assert_eq!(texts.ended, [true, true, true, false]);
}
