//! Every sort of tokenizer on real texts: the same bytes again, texts that come back, and what may be wrong.

use super::Tokenizer;
use crate::stage::testing::Bench;
use crate::stage::{Produced, StageError};
use crate::stages::table::testing::{findings, table_input};
use crate::stages::text::{SpecialNames, TextTokenizer};
use crate::types::ArtifactType;
use polars::prelude::*;
use std::path::Path;

/// The guide's paragraphs, and some Chinese.
fn texts() -> Vec<String> {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide");
    let mut pages: Vec<_> = std::fs::read_dir(guide).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.sort();
    let mut texts: Vec<String> = Vec::new();
    for page in pages {
        let text = std::fs::read_to_string(page).unwrap();
        texts.extend(text.split("\n\n").map(str::to_owned));
    }
    texts.extend(
        ["床前明月光，疑是地上霜。", "舉頭望明月，低頭思故鄉。", "春眠不覺曉，處處聞啼鳥。"].map(str::to_owned),
    );
    texts
}

fn bench(texts: &[String]) -> Bench {
    let mut bench = Bench::default();
    table_input(&mut bench, "t", df!["text" => texts].unwrap());
    bench
}

const MODELS: [&str; 5] = ["bpe", "byte_level_bpe", "word_piece", "unigram", "characters"];

fn fields(model: &str) -> String {
    let size = if model == "characters" { "" } else { "vocab_size = 1500" };
    format!("from = \"t\"\ncolumns = [\"text\"]\nmodel = \"{model}\"\n{size}")
}

fn trained(bench: &Bench, model: &str) -> (Produced, Vec<(String, Vec<u8>)>) {
    let produced = bench.run::<Tokenizer>(&fields(model)).unwrap_or_else(|error| panic!("{model}: {}", error.message));
    (produced, bench.output("tokenizer"))
}

fn read(files: &[(String, Vec<u8>)]) -> TextTokenizer {
    let text = |name: &str| {
        let (_, bytes) = files.iter().find(|(file, _)| file == name).unwrap();
        String::from_utf8(bytes.clone()).unwrap()
    };
    let special: SpecialNames = serde_json::from_str(&text("special_tokens_map.json")).unwrap();
    TextTokenizer::parse(&text("tokenizer.json"), &special).unwrap()
}

#[test]
fn training_again_gives_the_same_bytes_at_any_number_of_threads() {
    let texts = texts();
    let mut turned = texts.clone();
    turned.reverse();
    for model in MODELS {
        let wanted = trained(&bench(&texts), model).1;
        for (threads, texts) in [(1, &texts), (2, &texts), (8, &turned), (3, &turned)] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let found = pool.install(|| trained(&bench(texts), model).1);
            assert!(found == wanted, "{model} with {threads} threads");
        }
    }
}

#[test]
fn what_was_learnt_is_covered_and_comes_back() {
    let texts = texts();
    let bench = bench(&texts);
    for model in MODELS {
        let (produced, files) = trained(&bench, model);
        let metric = |name: &str| produced.metrics[name];
        assert_eq!(metric("coverage"), 1.0, "{model}");
        assert!(metric("fertility") >= 1.0 && metric("characters_per_token") >= 0.7, "{model}: {:?}", produced.metrics);
        if model != "characters" {
            assert!(
                metric("vocabulary") <= 1500.0 && metric("characters_per_token") > 1.5,
                "{model}: {:?}",
                produced.metrics
            );
        }
        let tokenizer = read(&files);
        let special = tokenizer.special();
        assert!(special.pad.is_some() && special.bos.is_some() && special.eos.is_some() && special.mask.is_some());
        assert_eq!(special.unk.is_none(), model == "byte_level_bpe");
        let text = "A stage reads what it declares, and 7 tables.";
        let ids: Vec<u32> = tokenizer.encode(text).unwrap().into_iter().map(|token| token.id).collect();
        assert_eq!(tokenizer.decode(&ids).unwrap(), text, "{model}");
    }
}

#[test]
fn a_text_that_holds_a_special_token_is_a_text() {
    let bench = bench(&texts());
    for model in MODELS {
        let tokenizer = read(&trained(&bench, model).1);
        let special = tokenizer.special();
        let forbidden = special.all();
        for text in ["the end</s> of it <pad>", "[CLS] a [MASK] b [SEP]", "what is <unk>?"] {
            let tokens = tokenizer.encode(text).unwrap();
            assert!(tokens.iter().all(|token| !forbidden.contains(&u64::from(token.id))), "{model}: {text}");
        }
    }
}

#[test]
fn padding_that_texts_are_made_of_is_refused() {
    let bench = bench(&["snake_case and _".to_owned(), "word after word".to_owned()]);
    let failure = |model: &str, pad: &str| {
        let fields =
            format!("from = \"t\"\ncolumns = [\"text\"]\nmodel = \"{model}\"\nspecial = {{ pad = \"{pad}\" }}");
        bench.run::<Tokenizer>(&fields).err().map(|failure| failure.message)
    };
    let said = failure("characters", "_").expect("refused");
    assert_eq!(said, "`_` is the token for padding, and the texts have it 2 times");
    let said = failure("word_piece", "after").expect("refused");
    assert_eq!(said, "`after` is the token for padding, and the texts have it once");
    assert_eq!(failure("characters", "~"), None);
}

#[test]
fn spans_lead_back_to_the_text() {
    let bench = bench(&texts());
    let text = "naïve 明月 stage";
    for model in MODELS {
        let tokens = read(&trained(&bench, model).1).encode(text).unwrap();
        assert!(tokens.iter().all(|token| token.start <= token.end && token.end <= text.len()), "{model}: {tokens:?}");
        assert_eq!(tokens.last().unwrap().end, text.len(), "{model}");
    }
}

fn load(name: &str, bytes: &[u8], more: &str) -> Result<(Produced, TextTokenizer), StageError> {
    let mut bench = Bench::default();
    bench.input("raw", ArtifactType::File, &[(name, bytes)]);
    let produced = bench.run::<Tokenizer>(&format!("load = \"raw\"\n{more}"))?;
    Ok((produced, read(&bench.output("tokenizer"))))
}

fn pieces(tokenizer: &TextTokenizer, text: &str) -> Vec<u32> {
    tokenizer.encode(text).unwrap().into_iter().map(|token| token.id).collect()
}

#[test]
fn a_vocabulary_of_bert_is_taken_as_it_is() {
    let vocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nplay\n##ing\n##ed\n!\n你\n好\n";
    let (produced, tokenizer) = load("vocab.txt", vocab.as_bytes(), "").unwrap();
    assert_eq!(produced.metrics["vocabulary"], 11.0);
    assert_eq!(pieces(&tokenizer, "Playing played! 你好 xyz"), [5, 6, 5, 7, 8, 9, 10, 1]);
    assert_eq!(tokenizer.special().mask, Some(4));
    let (_, cased) = load("vocab.txt", format!("{vocab}Play\n").as_bytes(), "").unwrap();
    assert_eq!(pieces(&cased, "Playing play"), [11, 6, 5]);
    let (_, told) = load("vocab.txt", vocab.as_bytes(), "lowercase = false").unwrap();
    assert_eq!(pieces(&told, "Playing play"), [1, 5]);
}

#[test]
fn a_tokenizer_json_stays_what_it_is_and_gains_what_it_lacks() {
    let (_, files) = trained(&bench(&texts()), "byte_level_bpe");
    let json = &files.iter().find(|(name, _)| name == "tokenizer.json").unwrap().1;
    let (_, loaded) = load("tokenizer.json", json, "").unwrap();
    let own = read(&files);
    assert_eq!(pieces(&loaded, "a stage, 明月"), pieces(&own, "a stage, 明月"));
    assert_eq!((loaded.special(), loaded.ty()), (own.special(), own.ty()));
    let (_, more) = load("tokenizer.json", json, "special = { mask = \"<hidden>\" }").unwrap();
    assert_eq!(more.special().mask, own.ty().vocabulary);
    assert_eq!(more.ty().vocabulary, own.ty().vocabulary.map(|size| size + 1));
}

#[test]
fn what_a_tokenizer_leaves_out_is_not_covered() {
    let model =
        serde_json::json!({ "type": "BPE", "unk_token": null, "vocab": { "a": 0, "b": 1, " ": 2 }, "merges": [] });
    let form =
        serde_json::json!({ "version": "1.0", "added_tokens": [], "decoder": { "type": "Fuse" }, "model": model });
    let mut bench = bench(&["ab éa".to_owned(), "bü".to_owned(), " b ".to_owned()]);
    bench.input("raw", ArtifactType::File, &[("tokenizer.json", form.to_string().as_bytes())]);
    let produced = bench.run::<Tokenizer>("load = \"raw\"\nfrom = \"t\"\ncolumns = [\"text\"]").unwrap();
    // Two of seven characters, in two of four words.
    assert_eq!(produced.metrics["coverage"], 1.0 - 2.0 / 7.0);
    assert_eq!(produced.metrics["word_coverage"], 0.5);
}

#[test]
fn what_the_rules_make_one_with_its_letter_is_covered() {
    let texts =
        ["cafe\u{301} noir, cafe\u{301}", "\u{1112}\u{1161}\u{11ab} \u{1112}\u{1161}\u{11ab}"].map(str::to_owned);
    for model in ["bpe", "byte_level_bpe", "characters"] {
        let composed = format!("{}\nnormalize = \"nfc\"", fields(model));
        let produced = bench(&texts).run::<Tokenizer>(&composed).unwrap();
        assert_eq!(produced.metrics["coverage"], 1.0, "{model}");
    }
}

#[test]
fn byte_ranks_join_what_has_the_lowest_rank() {
    use base64::Engine;
    let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let mut lines: Vec<String> = (0..=255_u8).map(|byte| encode(&[byte])).collect();
    lines.extend(["bc", "ab", "abc", " d", "abcd"].map(|token| encode(token.as_bytes())));
    let text: String = lines.iter().zip(0..).map(|(token, rank)| format!("{token} {rank}\n")).collect();
    let (produced, tokenizer) = load("small.tiktoken", text.as_bytes(), "pattern = \"gpt2\"").unwrap();
    // "bc" comes before "ab", so "abc" is a + bc.
    assert_eq!(pieces(&tokenizer, "abc"), [258]);
    assert_eq!(pieces(&tokenizer, "ab"), [257]);
    assert_eq!(pieces(&tokenizer, "abcd d"), [260, 259]);
    assert_eq!(produced.metrics["vocabulary"], 262.0, "with <|endoftext|>");
    assert_eq!(tokenizer.special().eos, Some(261));
    let failure = load("small.tiktoken", text.as_bytes(), "").unwrap_err();
    assert!(failure.message.contains("`pattern` has to say how texts are split"), "{}", failure.message);
}

/// A `.tiktoken` file of the single bytes and some more tokens, from 256 on.
fn ranks(more: &[&str]) -> String {
    use base64::Engine;
    let single = (0..=255_u8).map(|byte| vec![byte]);
    let all = single.chain(more.iter().map(|token| token.as_bytes().to_vec()));
    let encode = |bytes: &Vec<u8>| base64::engine::general_purpose::STANDARD.encode(bytes);
    all.zip(0..).map(|(token, rank)| format!("{} {rank}\n", encode(&token))).collect()
}

#[test]
fn a_piece_that_is_a_token_stays_whole_though_no_pairs_lead_to_it() {
    // "bc" is joined first, which leaves a + bc + d; tiktoken looks for the whole piece before.
    let (_, tokenizer) =
        load("x.tiktoken", ranks(&["bc", "ab", "cd", "abcd"]).as_bytes(), "pattern = \"gpt2\"").unwrap();
    assert_eq!(pieces(&tokenizer, "abcd"), [259]);
    assert_eq!(pieces(&tokenizer, "abcde"), [97, 256, 100, 101]);
}

#[test]
fn patterns_split_as_their_makers_do() {
    let file = ranks(&["\n ", "\n  ", "\u{e9}"]);
    let of = |name: &str| load("x.tiktoken", file.as_bytes(), &format!("pattern = \"{name}\"")).unwrap().1;
    // What tiktoken 0.14 gives: of cl100k alone white space at the end is one piece, with its line breaks.
    assert_eq!(pieces(&of("cl100k"), "a\n  "), [97, 257]);
    assert_eq!(pieces(&of("cl100k"), "a\n  b"), [97, 10, 32, 32, 98]);
    assert_eq!(pieces(&of("o200k"), "a\n  "), [97, 10, 32, 32]);
    // Qwen composes letters and their marks first, OpenAI does not.
    assert_eq!(pieces(&of("qwen"), "e\u{301}"), [258]);
    assert_eq!(pieces(&of("cl100k"), "e\u{301}"), [101, 0xcc, 0x81]);
}

#[test]
fn broken_files_are_named_with_the_line() {
    let says = |name: &str, bytes: &[u8], words: &str| {
        let failure = load(name, bytes, "").unwrap_err();
        assert!(failure.message.contains(words), "{}", failure.message);
        assert!(!failure.hints.is_empty());
    };
    says("tokenizer.json", b"{\"model\": ", "`tokenizer.json` is no tokenizer: it is not JSON");
    says("tokenizer.json", b"{\"model\": {}}", "it has no `model.vocab`");
    says("tokenizer.json", br#"{"added_tokens": [], "model": {"type": "Odd", "vocab": {"a": 0}}}"#, "is no tokenizer");
    says("vocab.txt", b"[UNK]\na\na\n", "line 3 has `a` again, after line 2");
    says("vocab.txt", b"[UNK]\n\na\n", "line 2 is empty");
    says("vocab.txt", b"a\nb\n", "it has no `[UNK]`");
    says("vocab.txt", b"\xff\xfe", "it is no text in UTF-8");
    let full = br#"{"added_tokens": [], "model": {"type": "WordLevel", "unk_token": "a", "vocab": {"a": 4294967295}}}"#;
    let failure = load("tokenizer.json", full, "special = { pad = \"<pad>\" }").unwrap_err();
    assert!(failure.message.contains("its ids leave no room for another token"), "{}", failure.message);
    let rules = br#"{"added_tokens": [], "normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}, "model": {"type": "WordLevel", "unk_token": "a", "vocab": {"a": 0}}}"#;
    says("tokenizer.json", rules, "its rules cannot be read");
    let last = ranks(&[]).replace("/w== 255\n", "/w== 4294967295\n");
    let failure = load("x.tiktoken", last.as_bytes(), "pattern = \"gpt2\"").unwrap_err();
    assert!(failure.message.contains("its ranks leave no room for another token"), "{}", failure.message);
    let failure = load("x.tiktoken", ranks(&[]).as_bytes(), "pattern = \"(\"").unwrap_err();
    assert!(failure.message.starts_with("`pattern` splits no texts: "), "{}", failure.message);
    says("x.tiktoken", b"AA== 0\nnot a line\n", "line 2 is not a token in base64 and its rank");
    says("x.tiktoken", b"AA== 0\nAQ== 0\n", "two tokens have the rank 0");
    says("x.tiktoken", b"AA== 0\n", "255 of the 256 single bytes are no tokens");
    says("x.model", b"?", "its name does not tell");
}

#[test]
fn texts_without_a_word_and_vocabularies_without_room_are_refused() {
    let empty = bench(&[String::new(), "   ".to_owned()]);
    for model in ["bpe", "word_piece"] {
        let failure = empty.run::<Tokenizer>(&fields(model)).unwrap_err();
        assert_eq!(failure.message, "the texts are all empty: there is nothing to learn a vocabulary from", "{model}");
    }
    for model in ["bpe", "unigram", "word_piece"] {
        let small = fields(model).replace("1500", "40");
        let failure = bench(&texts()).run::<Tokenizer>(&small).unwrap_err();
        assert!(failure.message.starts_with("`vocab_size` is 40, but "), "{model}: {}", failure.message);
    }
}

#[test]
fn fields_that_do_not_go_together_are_told() {
    let bench = bench(&texts());
    let told =
        |fields: &str| findings::<Tokenizer>(&bench, fields).into_iter().map(|(code, _)| code).collect::<Vec<_>>();
    assert_eq!(told(&fields("bpe")), Vec::<String>::new());
    assert_eq!(told("from = \"t\"\ncolumns = [\"text\"]"), ["E0134"]);
    assert_eq!(told("from = \"t\"\ncolumns = [\"txt\"]\nmodel = \"bpe\""), ["E0213"]);
    assert_eq!(told("from = \"t\"\ncolumns = [\"text\"]\nmodel = \"byte_level_bpe\"\nvocab_size = 200"), ["E0136"]);
    assert_eq!(
        told("from = \"t\"\ncolumns = [\"text\"]\nmodel = \"bpe\"\nspecial = { pad = \"x\", eos = \"x\" }"),
        ["E0135"]
    );
    assert_eq!(told("from = \"t\"\ncolumns = [\"text\"]\nmodel = \"unigram\"\nmin_frequency = 3"), ["E0135"]);
}
