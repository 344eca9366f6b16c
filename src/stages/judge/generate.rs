//! The kind `generate`: a language model goes on with texts.

#[cfg(test)]
mod tests;

use super::compatible::check_trained;
use super::evaluate::{check_compute, default_threads};
use crate::diag::{codes, did_you_mean};
use crate::frame;
use crate::job::{DeviceChoice, GenerateJob, Generated, Job, Numerics, Sampling, Setting, WorkerEvent};
use crate::numbers::counted;
use crate::path;
use crate::stage::{
    CheckCx, Family, Input, InputTypes, Kind, Outputs, Port, Produced, Progress, Reads, Ref, RunCx, StageError,
    StageInfo,
};
use crate::stages::encode::{Encoder, FittedTokens, column};
use crate::stages::text::TextTokenizer;
use crate::types::{ArtifactType, Column, DType, Lookup, ModelType, TableSchema, Task};
use polars::prelude::{Column as PolarsColumn, DataFrame};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Lets a language model go on with texts.
pub struct Generate;

/// The fields of a `generate` stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GenerateSpec {
    /// The trained model: one that was made for the target `next_token`.
    pub model: Ref,
    /// The texts to go on with; an empty one begins from nothing.
    pub prompts: Option<Vec<String>>,
    /// Or a table that holds them.
    pub from: Option<Ref>,
    /// The table's column of prompts.
    pub column: Option<String>,
    /// How many texts are made of each prompt.
    #[serde(default = "one")]
    pub samples: u64,
    /// How many tokens are added at most.
    #[serde(default = "usual_tokens")]
    pub max_tokens: u64,
    /// What the logits are divided by before a token is drawn: below 1 the probable become more so. 0 takes the most probable
    /// token each time.
    #[serde(default = "usual_temperature")]
    pub temperature: f64,
    /// Only so many of the most probable tokens are drawn from.
    pub top_k: Option<u64>,
    /// Only the most probable tokens whose probabilities add up to this are drawn from.
    pub top_p: Option<f64>,
    /// Where one of these appears in what was added, the text ends before it. It also ends where the model says so.
    #[serde(default)]
    pub stop: Vec<String>,
    /// Texts that are made at a time.
    #[serde(default = "usual_batch")]
    pub batch_size: u64,
    /// Compute threads. It is part of the numbers, because it decides the order of additions.
    #[serde(default = "default_threads")]
    pub threads: u64,
    /// `native`: fastest here, bit-identical on the same class of processor; `portable`: pinned to AVX2, bit-identical on
    /// any x86-64 that has it.
    #[serde(default)]
    pub numerics: Numerics,
    /// `auto` (a GPU where there is one), `cpu`, `cuda`, or one GPU of several: `cuda:1`.
    #[serde(default)]
    pub device: DeviceChoice,
}

fn one() -> u64 {
    1
}

fn usual_tokens() -> u64 {
    64
}

fn usual_temperature() -> f64 {
    1.0
}

fn usual_batch() -> u64 {
    32
}

const PORT: &str = "table";

impl Kind for Generate {
    type Spec = GenerateSpec;

    const INFO: StageInfo = StageInfo {
        name: "generate",
        family: Family::Judge,
        version: 3,
        summary: "Goes on with texts by a trained language model",
        ports: &[Port {
            name: PORT,
            about: "a row for each text: `prompt`, `text` (the prompt and what was added), `tokens` (how many were added, those that `stop` cut off not counted) and `ended` (whether the model or `stop` ended it, and not `max_tokens`)",
        }],
        example: r#"
[stage.poems]
kind = "generate"
model = "train.model"
prompts = ["春", "秋"]
temperature = 0.8
top_k = 50
max_tokens = 48
"#,
        seeded: true,
        numeric: true,
    };

    const TAKES_VIEWS: bool = true;

    fn check(spec: &GenerateSpec, cx: &mut CheckCx<'_>) -> Outputs {
        if let Some(model) = cx.model(&spec.model, path!["model"]) {
            check_trained(model, &spec.model, cx);
            check_model(spec, model, cx);
        }
        let prompts = check_prompts(spec, cx);
        check_sampling(spec, cx);
        check_compute(spec.batch_size, spec.threads, cx);
        let rows = prompts.and_then(|prompts| prompts.checked_mul(spec.samples));
        let columns = [("prompt", DType::Str), ("text", DType::Str), ("tokens", DType::I64), ("ended", DType::Bool)];
        let mut schema = TableSchema::new(columns.map(|(name, dtype)| Column::new(name, dtype)).to_vec());
        schema.rows = rows;
        Outputs::one(PORT, ArtifactType::Table(schema))
    }

    fn reads(spec: &GenerateSpec, _: &InputTypes<'_>) -> Reads {
        match (&spec.from, &spec.column) {
            (Some(from), Some(column)) => Reads::everything().only(from, vec![column.clone()]),
            _ => Reads::everything(),
        }
    }

    fn run(spec: &GenerateSpec, cx: &RunCx<'_>) -> Result<Produced, StageError> {
        let model = cx.input(&spec.model)?;
        let encoder = Encoder::of(model)?;
        let (feature, tokens) = feature(model, &encoder)?;
        let tokenizer = tokens.tokenizer()?;
        let mut prompts = Vec::new();
        for text in texts(spec, cx)? {
            let ids = begin(&text, tokens, &tokenizer)?;
            prompts.extend(std::iter::repeat_n((text, ids), usize::try_from(spec.samples).unwrap_or(usize::MAX)));
        }
        let ids = prompts.iter().map(|(_, ids)| ids.clone()).collect();
        let made = if prompts.is_empty() { Vec::new() } else { ask(spec, model, feature, tokens, ids, cx)? };
        let mut table = Texts::default();
        for ((prompt, ids), made) in prompts.into_iter().zip(made) {
            table.add(spec, prompt, &ids, &made, &tokenizer)?;
        }
        let rows = table.prompt.len();
        let summary = format!("{}, {} tokens", counted(rows, "text"), table.tokens.iter().sum::<i64>());
        frame::write_table(cx, PORT, table.frame()?, Produced::new(summary))
    }
}

/// The columns of the result.
#[derive(Default)]
struct Texts {
    prompt: Vec<String>,
    text: Vec<String>,
    tokens: Vec<i64>,
    ended: Vec<bool>,
}

impl Texts {
    fn add(
        &mut self,
        spec: &GenerateSpec,
        prompt: String,
        ids: &[i64],
        made: &Generated,
        tokenizer: &TextTokenizer,
    ) -> Result<(), StageError> {
        // What stands before an empty prompt is no text either.
        let ids = if prompt.is_empty() { &ids[..0] } else { ids };
        let before: Vec<u32> = ids.iter().map(|id| *id as u32).collect();
        let added = added(&before, &made.tokens, tokenizer)?;
        let stop = spec.stop.iter().filter_map(|stop| added.find(stop.as_str())).min();
        let kept = stop.map_or(added.as_str(), |at| &added[..at]);
        let tokens = match stop {
            Some(_) => tokens_of(kept, &before, &made.tokens, tokenizer)?,
            None => made.tokens.len(),
        };
        self.text.push(format!("{prompt}{kept}"));
        self.prompt.push(prompt);
        self.tokens.push(tokens as i64);
        self.ended.push(made.ended || stop.is_some());
        Ok(())
    }

    fn frame(self) -> Result<DataFrame, StageError> {
        let rows = self.prompt.len();
        let columns = vec![
            PolarsColumn::new("prompt".into(), self.prompt),
            PolarsColumn::new("text".into(), self.text),
            PolarsColumn::new("tokens".into(), self.tokens),
            PolarsColumn::new("ended".into(), self.ended),
        ];
        DataFrame::new(rows, columns).map_err(|error| frame::failed("make the table of texts", &error))
    }
}

/// The text of tokens that stand behind others.
fn added(before: &[u32], made: &[u32], tokenizer: &TextTokenizer) -> Result<String, StageError> {
    // With special ones: a word that goes on with an unknown one is none that begins a text.
    let whole = tokenizer.decode_all(&[before, made].concat())?;
    let begun = tokenizer.decode_all(before)?;
    // Tokenizers that tidy texts up may give the prompt another form.
    whole.strip_prefix(&begun).map(str::to_owned).map_or_else(|| tokenizer.decode(made), Ok)
}

/// How many of the tokens the text that is kept of them is made of; one of which only a part is kept counts.
fn tokens_of(kept: &str, before: &[u32], made: &[u32], tokenizer: &TextTokenizer) -> Result<usize, StageError> {
    // The fewest that give it: between them halves are tried, because a text may be long.
    let (mut few, mut enough) = (0, made.len());
    while few < enough {
        let middle = usize::midpoint(few, enough);
        match added(before, &made[..middle], tokenizer)?.starts_with(kept) {
            true => enough = middle,
            false => few = middle + 1,
        }
    }
    Ok(enough)
}

/// The feature of tokens that the model takes.
fn feature<'a>(model: &'a Input, encoder: &'a Encoder) -> Result<(&'a str, &'a FittedTokens), StageError> {
    let ArtifactType::Model(ModelType { inputs, .. }) = &model.ty else {
        return Err(StageError::bug("the model is none"));
    };
    let found = inputs.first().and_then(|input| Some((input.name.as_str(), encoder.tokens(&input.name)?)));
    found.ok_or_else(|| StageError::data("the model takes no tokens, so it cannot go on with texts").at(path!["model"]))
}

/// The prompts.
fn texts(spec: &GenerateSpec, cx: &RunCx<'_>) -> Result<Vec<String>, StageError> {
    let (Some(from), Some(name)) = (&spec.from, &spec.column) else {
        return Ok(spec.prompts.clone().unwrap_or_default());
    };
    let table = frame::read_table(cx.input(from)?)?;
    let series = column(&table, name)?.as_materialized_series().clone();
    let texts =
        series.str().map_err(|_| StageError::data(format!("column `{name}` is {}, not text", series.dtype())))?;
    let of = |(row, text): (usize, Option<&str>)| {
        text.map(str::to_owned).ok_or_else(|| {
            StageError::data(format!("column `{name}` is null in row {}", row + 1))
                .note("rows are counted from 1")
                .hint("an empty text begins from nothing; filter the row, or fill it with \"\"")
        })
    };
    texts.iter().enumerate().map(of).collect()
}

/// The tokens that a text begins with, as texts began in training.
fn begin(text: &str, tokens: &FittedTokens, tokenizer: &TextTokenizer) -> Result<Vec<i64>, StageError> {
    let special = tokens.ty.special;
    let own = tokenizer.encode(text)?;
    let both = special.bos == special.eos;
    // Where one token is both, it stands before a text only because one came before it.
    let before = special.bos.or(special.eos).filter(|_| {
        tokens.layout.special_tokens && (special.bos.is_some() && !both || tokens.layout.pack || own.is_empty())
    });
    let ids: Vec<i64> =
        before.map(u64::cast_signed).into_iter().chain(own.iter().map(|token| i64::from(token.id))).collect();
    if ids.is_empty() {
        return Err(StageError::data("an empty prompt has no token to begin with")
            .hint("the model was trained without a token for the beginning of texts: give every prompt a text")
            .at(path!["prompts"]));
    }
    Ok(ids)
}

fn ask(
    spec: &GenerateSpec,
    model: &Input,
    feature: &str,
    tokens: &FittedTokens,
    prompts: Vec<Vec<i64>>,
    cx: &RunCx<'_>,
) -> Result<Vec<Generated>, StageError> {
    let file = |name: &str| {
        let file = model.file(name).ok_or_else(|| StageError::bug(format!("a trained model without `{name}`")))?;
        Ok::<_, StageError>(file.path.clone())
    };
    let special = tokens.ty.special;
    let out = cx.scratch.join("generated.json");
    let job = GenerateJob {
        setting: Setting {
            threads: usize::try_from(spec.threads).unwrap_or(1),
            numerics: spec.numerics,
            device: spec.device.device(),
        },
        architecture: file("architecture.json")?,
        weights: file("model.safetensors")?,
        feature: feature.to_owned(),
        prompts,
        sampling: Sampling { temperature: spec.temperature, top_k: spec.top_k, top_p: spec.top_p },
        max_tokens: spec.max_tokens,
        context: usize::try_from(tokens.layout.max_length).unwrap_or(usize::MAX),
        end: special.eos.map(u64::cast_signed),
        never: special.all().into_iter().filter(|id| Some(*id) != special.eos).map(u64::cast_signed).collect(),
        pad: special.pad.unwrap_or(0).cast_signed(),
        batch_size: usize::try_from(spec.batch_size).unwrap_or(usize::MAX),
        seed: cx.seed.number("generate"),
        out: out.clone(),
    };
    cx.services.run_job(&Job::Generate(job), &mut |event| {
        if let WorkerEvent::Rows { done, total } = event {
            cx.services.progress(Progress { done: *done, total: Some(*total), unit: "text", detail: String::new() });
        }
    })?;
    let text = std::fs::read(&out).map_err(|error| StageError::io("read", &out, &error))?;
    serde_json::from_slice(&text).map_err(|error| StageError::bug(format!("the worker's answer: {error}")))
}

fn check_model(spec: &GenerateSpec, model: &ModelType, cx: &mut CheckCx<'_>) {
    let task = model.target.as_ref().map(|target| &target.task);
    if matches!(task, Some(Task::NextToken { .. })) {
        return;
    }
    let what = task.map_or("nothing".to_owned(), |task| format!("a {} target", task.name()));
    cx.error(
        path!["model"],
        codes::MODEL_TASK,
        format!("`{}` cannot go on with texts: it predicts {what}", spec.model),
    )
    .label("not a model of the next token")
    .from_stage(&spec.model, "the model comes from here")
    .hint("the model's `encode` stage says what it predicts: target.FEATURE = \"next_token\"");
}

/// How many prompts there are, where that is known.
fn check_prompts(spec: &GenerateSpec, cx: &mut CheckCx<'_>) -> Option<u64> {
    match (&spec.prompts, &spec.from) {
        (None, None) => {
            cx.error(path!["prompts"], codes::MISSING_FIELD, "there is no text to go on with")
                .at_key()
                .hint("prompts = [\"…\"], or from = \"table\" and column = \"text\"");
            None
        }
        (Some(_), Some(_)) => {
            cx.error(path!["from"], codes::CONFLICT, "prompts come from a list or from a table")
                .related(path!["prompts"], "the list")
                .hint("leave one of them out");
            None
        }
        (Some(prompts), None) => {
            if spec.column.is_some() {
                cx.error(path!["column"], codes::MISSING_FIELD, "`column` needs `from`, the table that has it");
            }
            Some(prompts.len() as u64)
        }
        (None, Some(from)) => {
            let schema = cx.table(from, path!["from"])?;
            let Some(name) = &spec.column else {
                cx.error(path!["column"], codes::MISSING_FIELD, "`column` is missing: the one that holds the prompts")
                    .at_key()
                    .hint("column = \"text\"");
                return None;
            };
            match schema.lookup(name) {
                Lookup::Missing => {
                    cx.error(path!["column"], codes::UNKNOWN_COLUMN, format!("column `{name}` does not exist"))
                        .label(format!("`{from}` has {}", counted(schema.columns.len(), "column")))
                        .maybe_hint(did_you_mean(name, schema.names()))
                        .from_stage(from, "the table comes from here");
                }
                Lookup::Found(found) if found.dtype != DType::Str && !found.dtype.is_unknown() => {
                    cx.error(
                        path!["column"],
                        codes::COLUMN_TYPE,
                        format!("column `{name}` is {}, not text", found.dtype),
                    )
                    .label("prompts are text")
                    .from_stage(from, "the table comes from here");
                }
                _ => {}
            }
            schema.rows
        }
    }
}

fn check_sampling(spec: &GenerateSpec, cx: &mut CheckCx<'_>) {
    for (field, value) in
        [("samples", Some(spec.samples)), ("max_tokens", Some(spec.max_tokens)), ("top_k", spec.top_k)]
    {
        if value == Some(0) {
            cx.error(path![field], codes::OUT_OF_RANGE, format!("{field} is at least 1, found 0"));
        }
    }
    if !(spec.temperature >= 0.0 && spec.temperature.is_finite()) {
        let message = format!("temperature is at least 0, found {}", spec.temperature);
        cx.error(path!["temperature"], codes::OUT_OF_RANGE, message);
    }
    if let Some(share) = spec.top_p.filter(|share| !(*share > 0.0 && *share <= 1.0)) {
        cx.error(path!["top_p"], codes::OUT_OF_RANGE, format!("top_p is above 0 and at most 1, found {share}"));
    }
    if let Some(index) = spec.stop.iter().position(String::is_empty) {
        cx.error(path!["stop", index], codes::OUT_OF_RANGE, "an empty text would end every text at once");
    }
}
