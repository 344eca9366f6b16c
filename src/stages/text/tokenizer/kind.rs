//! The kind `tokenizer`: what it will output, and its run.

use super::measure::measure;
use super::spec::{TokenizerFormat, TokenizerModel, TokenizerSpec};
use super::texts::Texts;
use super::{load, train};
use crate::diag::codes;
use crate::frame;
use crate::numbers::{count, number};
use crate::path;
use crate::stage::{
    CheckCx, Family, InputTypes, Kind, Outputs, Port, Produced, Reads, Ref, RunCx, StageError, StageInfo,
};
use crate::stages::encode::{Names, check_names, write_json};
use crate::stages::text::tokens::{SPECIAL_FILE, TOKENIZER_FILE};
use crate::stages::text::{SpecialNames, TextTokenizer};
use crate::types::{ArtifactType, DType, TableSchema, TokenizerType};
use std::collections::BTreeMap;

/// Learns a vocabulary from texts, or takes one from a file.
pub struct Tokenizer;

const PORT: &str = "tokenizer";

impl Kind for Tokenizer {
    type Spec = TokenizerSpec;

    const INFO: StageInfo = StageInfo {
        name: "tokenizer",
        family: Family::Text,
        version: 4,
        summary: "Trains or loads a tokenizer: a Hugging Face `tokenizer.json`",
        ports: &[Port {
            name: PORT,
            about: "`tokenizer.json` and `special_tokens_map.json`; its metrics are `vocabulary`, and on the texts of `from` `coverage`, `word_coverage`, `fertility` and `characters_per_token`",
        }],
        example: r#"
[stage.tok]
kind = "tokenizer"
from = "split.train"
columns = ["review"]
model = "word_piece"
vocab_size = 8000
lowercase = true
"#,
        seeded: false,
        numeric: false,
    };

    const TAKES_VIEWS: bool = true;

    fn check(spec: &TokenizerSpec, cx: &mut CheckCx<'_>) -> Outputs {
        match (&spec.load, spec.model) {
            (None, None) => {
                cx.error(path!["model"], codes::MISSING_FIELD, "neither `model` nor `load` says what the tokenizer is")
                    .at_key()
                    .hint(
                        "model = \"byte_level_bpe\" learns one from the texts of `from`; load = \"STAGE\" takes a file",
                    );
            }
            (Some(_), Some(_)) => {
                cx.error(path!["model"], codes::CONFLICT, "a tokenizer is learnt or loaded, and here it is both")
                    .label("what would be learnt")
                    .related(path!["load"], "what would be loaded")
                    .hint("leave one of them out");
            }
            (None, Some(model)) => check_learnt(spec, model, cx),
            (Some(file), None) => check_loaded(spec, file, cx),
        }
        if let Some(from) = &spec.from {
            check_texts(spec, from, cx);
        }
        Outputs::one(PORT, ArtifactType::Tokenizer(TokenizerType::default()))
    }

    fn reads(spec: &TokenizerSpec, inputs: &InputTypes<'_>) -> Reads {
        let Some(from) = &spec.from else { return Reads::everything() };
        let Some(ArtifactType::Table(table)) = inputs.get(from.0.as_str()) else { return Reads::everything() };
        let all: Vec<&str> = table.names().collect();
        let mut columns: Vec<String> = spec.columns.select(&all).into_iter().map(str::to_owned).collect();
        columns.sort();
        Reads::everything().only(from, columns)
    }

    fn run(spec: &TokenizerSpec, cx: &RunCx<'_>) -> Result<Produced, StageError> {
        let frame = spec.from.as_ref().map(|from| frame::read_table(cx.input(from)?)).transpose()?;
        let columns = match &frame {
            Some(frame) => {
                let names: Vec<&str> = frame.get_column_names().into_iter().map(|name| name.as_str()).collect();
                let mut columns = spec.columns.resolve(PORT, &names)?;
                columns.sort();
                columns
            }
            None => Vec::new(),
        };
        let texts = frame.as_ref().map(|frame| Texts::of(frame, &columns)).transpose()?;
        let (json, special) = match (&spec.load, spec.model, &texts) {
            (Some(file), ..) => load::load(spec, cx.input_file(file)?)?,
            (None, Some(model), Some(texts)) => train::train(spec, model, texts, cx)?,
            _ => return Err(StageError::bug("a tokenizer of nothing")),
        };
        let tokenizer = TextTokenizer::parse(&json, &special).map_err(|why| unreadable(spec, &why))?;
        let mut metrics = BTreeMap::from([("vocabulary".to_owned(), tokenizer.ty().vocabulary.unwrap_or(0) as f64)]);
        if let Some(texts) = &texts {
            let counts = measure(texts, &tokenizer)?;
            not_padding(&special, counts.padding)?;
            metrics.extend(counts.metrics());
        }
        let out = cx.out(PORT)?;
        let path = out.join(TOKENIZER_FILE);
        std::fs::write(&path, json).map_err(|error| StageError::io("write", &path, &error))?;
        write_json(&special, &out.join(SPECIAL_FILE))?;
        let mut produced = Produced::new(summary(&metrics)).port(PORT, ArtifactType::Tokenizer(tokenizer.ty()));
        produced.metrics = metrics;
        Ok(produced)
    }
}

/// Refuses a token for padding that texts are made of: what is padding is not looked at, wherever it stands.
fn not_padding(special: &SpecialNames, times: u64) -> Result<(), StageError> {
    let Some(pad) = special.pad.as_deref().filter(|_| times > 0) else { return Ok(()) };
    let times = if times == 1 { "once".to_owned() } else { format!("{} times", count(times)) };
    Err(StageError::data(format!("`{pad}` is the token for padding, and the texts have it {times}"))
        .note("no model would see it there, nor know where a text ends")
        .hint("special = { pad = \"<pad>\" }, or another that no text has")
        .at(path!["special", "pad"]))
}

fn unreadable(spec: &TokenizerSpec, why: &str) -> StageError {
    match spec.load {
        None => StageError::bug(format!("the tokenizer that was learnt cannot be read: {why}")),
        Some(_) if spec.pattern.is_some() => StageError::data(format!("`pattern` splits no texts: {why}"))
            .hint("it is a regular expression, or one of \"gpt2\", \"cl100k\", \"o200k\" and \"qwen\"")
            .at(path!["pattern"]),
        Some(_) => StageError::data(format!("the file is no tokenizer: {why}"))
            .hint(
                "`format` says what the file is where its name misleads; with `from` and `model` one is learnt instead",
            )
            .at(path!["load"]),
    }
}

fn check_learnt(spec: &TokenizerSpec, model: TokenizerModel, cx: &mut CheckCx<'_>) {
    if spec.from.is_none() {
        cx.error(path!["from"], codes::MISSING_FIELD, "`from` is missing: the table whose texts are learnt from")
            .at_key()
            .hint("from = \"split.train\", and columns = [\"text\"]");
    }
    let special = spec.special.names().or(model.special()).tokens().len() as u64;
    let (least, what) = match model {
        TokenizerModel::ByteLevelBpe => (special + 256, "the 256 bytes and the special tokens"),
        _ => (special + 1, "the special tokens and a character"),
    };
    if let Some(size) = spec.vocab_size.filter(|size| *size < least || *size > 10_000_000) {
        let message = format!("`vocab_size` is at least {least}, {what}, and at most 10,000,000; found {size}");
        cx.error(path!["vocab_size"], codes::OUT_OF_RANGE, message);
    }
    for (key, value) in [("min_frequency", spec.min_frequency), ("limit_alphabet", spec.limit_alphabet)] {
        if value == Some(0) {
            cx.error(path![key], codes::OUT_OF_RANGE, format!("`{key}` is at least 1, found 0"));
        }
    }
    let alphabet = matches!(model, TokenizerModel::Bpe | TokenizerModel::WordPiece);
    let stray = [
        ("format", spec.format.is_some(), "it is for files, with `load`"),
        ("pattern", spec.pattern.is_some(), "it is for `.tiktoken` files, with `load`"),
        ("limit_alphabet", spec.limit_alphabet.is_some() && !alphabet, "it is for `bpe` and `word_piece`"),
        (
            "min_frequency",
            spec.min_frequency.is_some() && model == TokenizerModel::Unigram,
            "`unigram` weighs pieces by their probability",
        ),
    ];
    for (key, _, why) in stray.into_iter().filter(|(_, given, _)| *given) {
        let message = format!("`{key}` does not go with model = \"{}\"", model.name());
        cx.error(path![key], codes::CONFLICT, message).label(why);
    }
    check_special(spec, model.special(), cx);
}

/// Two roles that must be told apart have two tokens; `usual` are those of roles that are not named.
fn check_special(spec: &TokenizerSpec, usual: SpecialNames, cx: &mut CheckCx<'_>) {
    let given = spec.special.names();
    let (named, all) = (given.roles(), given.clone().or(usual));
    for (index, (role, token)) in named.into_iter().enumerate() {
        let Some(token) = token else { continue };
        let place = path!["special", role];
        if token.is_empty() {
            cx.error(place, codes::OUT_OF_RANGE, format!("`special.{role}` is empty"));
            continue;
        }
        // Of two that are named the second is told.
        let told_here = |at: usize| at != index && (at < index || named[at].1.is_none());
        let mut others = all.roles().into_iter().enumerate().filter(|(at, _)| told_here(*at)).map(|(_, other)| other);
        let may_share = |other: &str| matches!((role, other), ("bos", "eos") | ("eos", "bos"));
        let same = others.find(|(other, text)| *text == Some(token) && !may_share(other));
        if let Some((other, _)) = same {
            cx.error(place, codes::CONFLICT, format!("`special.{role}` is `{token}`, and so is `special.{other}`"))
                .label("one token for two things that have to be told apart")
                .hint("only `bos` and `eos` may be one token");
        }
    }
}

fn check_loaded(spec: &TokenizerSpec, file: &Ref, cx: &mut CheckCx<'_>) {
    match cx.input(file) {
        ArtifactType::File | ArtifactType::Unknown => {}
        other => {
            let found = other.name();
            cx.wrong_artifact(file, path!["load"], "file", found);
        }
    }
    let name = cx.files(file).and_then(|files| Some(files.first()?.0.clone()));
    let format = spec.format.or_else(|| TokenizerFormat::of(name.as_deref()?));
    if let Some(name) = name.filter(|_| format.is_none()) {
        cx.error(
            path!["load"],
            codes::MISSING_FIELD,
            format!("what sort of tokenizer `{name}` is, its name does not tell"),
        )
        .hint("format = \"json\", \"vocab\" or \"tiktoken\"");
    }
    let vocab = format.is_none_or(|format| format == TokenizerFormat::Vocab);
    let tiktoken = format.is_none_or(|format| format == TokenizerFormat::Tiktoken);
    let stray = [
        ("vocab_size", spec.vocab_size.is_some(), "a file has the tokens that it has"),
        ("min_frequency", spec.min_frequency.is_some(), "it is for what is learnt"),
        ("limit_alphabet", spec.limit_alphabet.is_some(), "it is for what is learnt"),
        ("normalize", spec.normalize.is_some(), "a file has its own rules"),
        ("lowercase", spec.lowercase.is_some() && !vocab, "a file has its own rules, but for a `vocab.txt`"),
        ("pattern", spec.pattern.is_some() && !tiktoken, "it is for `.tiktoken` files"),
    ];
    for (key, _, why) in stray.into_iter().filter(|(_, given, _)| *given) {
        cx.error(path![key], codes::CONFLICT, format!("`{key}` does not go with `load`")).label(why);
    }
    check_special(spec, SpecialNames::default(), cx);
}

fn check_texts(spec: &TokenizerSpec, from: &Ref, cx: &mut CheckCx<'_>) {
    let Some(schema) = cx.table(from, path!["from"]) else { return };
    if spec.columns == Names::default() {
        cx.error(path!["columns"], codes::MISSING_FIELD, "`columns` is missing: the columns of text")
            .at_key()
            .hint("columns = [\"text\"]");
        return;
    }
    let Some(selected) = check_names(&spec.columns, &schema, from, &path!["columns"], cx) else { return };
    let wrong = |schema: &TableSchema| {
        let texts = |dtype: &DType| matches!(dtype, DType::Str | DType::Unknown);
        schema.columns.iter().find(|column| selected.contains(&column.name) && !texts(&column.dtype)).cloned()
    };
    if let Some(column) = wrong(&schema) {
        cx.error(
            path!["columns"],
            codes::COLUMN_TYPE,
            format!("column `{}` is {}, not text", column.name, column.dtype),
        )
        .label("tokens are made of text")
        .from_stage(from, "the column comes from here")
        .hint("cast it to `str` in a `table` stage before");
    }
}

/// `8,000 tokens · coverage 0.999 · 1.31 tokens a word`
fn summary(metrics: &BTreeMap<String, f64>) -> String {
    let value = |name: &str| metrics.get(name).copied();
    let mut parts = vec![format!("{} tokens", count(value("vocabulary").unwrap_or(0.0) as u64))];
    parts.extend(value("coverage").map(|share| format!("coverage {}", number(share))));
    parts.extend(value("fertility").map(|tokens| format!("{} tokens a word", number(tokens))));
    parts.join(" · ")
}
