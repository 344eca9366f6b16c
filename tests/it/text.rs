//! Text by the program itself: real vocabularies, language models from texts to what they write, and what cannot be.

use crate::sandbox::{Ran, Sandbox};
use std::path::Path;

/// The text and the table of the tests: what sailors say.
const LINES: &str = "\
sort\ttext
calm\tthe sea is calm tonight
storm\tthe wind blows from the north
calm\ta light breeze and a clear sky
storm\thigh waves and a dark sky
calm\tthe sails hang in the still air
storm\tthe wind tears at the sails
calm\tthe moon is on the calm sea
storm\tthunder, and the north wind again
calm\tclear air and a light wind
storm\twaves break over the bow
calm\tno waves, no wind, a still night
storm\tdark clouds and high wind
";

const TABLE: &str = r#"
[pipeline]
name = "sea"
edition = "2026"
seed = 4

[stage.raw]
kind = "fetch"
path = "sea.tsv"

[stage.table]
kind = "read"
from = "raw"

[stage.split]
kind = "split"
from = "table"
parts = { train = 0.75, test = 0.25 }
stratify = "sort"

[stage.tok]
kind = "tokenizer"
from = "split.train"
columns = ["text"]
model = "characters"
"#;

const LANGUAGE: &str = r#"
[stage.encode]
kind = "encode"
fit = "split.train"
apply = ["split.test"]
features.text = { tokens = "text", tokenizer = "tok", max_length = 24, PACK }
target.text = TARGET

[stage.model]
kind = "model"
data = "encode.train"
layers = [LAYERS, { linear = "classes" }]

[stage.train]
kind = "train"
model = "model"
data = "encode.train"
validate = "encode.test"
loss = "cross_entropy"
optimizer.adam = { lr = 0.01 }
epochs = EPOCHS
batch_size = 4

[stage.evaluate]
kind = "evaluate"
model = "train.model"
data = "encode.test"
metrics = METRICS
"#;

const GENERATE: &str = r#"
[stage.sayings]
kind = "generate"
model = "train.model"
prompts = ["", "the "]
samples = 2
max_tokens = 20
temperature = 0.7
top_k = 8

[stage.greedy]
kind = "generate"
model = "train.model"
from = "split.test"
column = "text"
max_tokens = 8
temperature = 0
stop = ["and"]
"#;

fn sandbox_of(rest: &str) -> Sandbox {
    Sandbox::with_manifest(&format!("{TABLE}{rest}")).file("sea.tsv", LINES)
}

/// A recurrent language model, packed.
fn language() -> String {
    LANGUAGE
        .replace("PACK", "pack = true")
        .replace("TARGET", "\"next_token\"")
        .replace("LAYERS", "{ embedding = 16 }, { lstm = { hidden = 32, output = \"sequence\" } }")
        .replace("EPOCHS", "20")
        .replace("METRICS", "[\"bits_per_character\", \"perplexity\", \"bits_per_token\", \"token_accuracy\"]")
}

fn bytes(sandbox: &Sandbox, name: &str) -> Vec<u8> {
    let path = sandbox.path(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn a_language_model_learns_is_judged_and_writes_the_same_in_two_workspaces() {
    if !cfg!(feature = "torch") {
        return;
    }
    let run = || {
        let sandbox = sandbox_of(&format!("{}{GENERATE}", language()));
        sandbox.run(&[]).success();
        sandbox.run(&[]).all_cached();
        sandbox
    };
    let (one, two) = (run(), run());
    for file in ["train/model/model.safetensors", "sayings/table.parquet", "greedy/table.parquet", "tok/tokenizer.json"]
    {
        let name = format!("out/sea/{file}");
        assert!(bytes(&one, &name) == bytes(&two, &name), "{file} differs");
    }
    one.kilter(&["show", "sayings", "--rows", "4"]).success().prints("the ");
    let metrics: serde_json::Value =
        serde_json::from_slice(&bytes(&one, "out/sea/evaluate/metrics/metrics.json")).unwrap();
    let value = |name: &str| metrics["metrics"][name]["value"].as_f64().unwrap();
    // 30 characters and special tokens: a model that knew nothing would need about 5 bits.
    assert!(value("bits_per_token") < 4.5, "{metrics}");
    assert!((value("perplexity") - value("bits_per_token").exp2()).abs() < 1e-6 * value("perplexity"), "{metrics}");
    assert!(value("bits_per_character") > value("bits_per_token"), "beginnings and ends are paid for too");
}

#[test]
fn hidden_tokens_are_guessed_and_a_classifier_takes_raw_texts() {
    if !cfg!(feature = "torch") {
        return;
    }
    let masked = LANGUAGE
        .replace("PACK", "pack = false")
        .replace("TARGET", "{ masked_token = { probability = 0.3 } }")
        .replace("LAYERS", "{ embedding = 16 }, { gru = { hidden = 16, bidirectional = true, output = \"sequence\" } }")
        .replace("EPOCHS", "4")
        .replace("METRICS", "[\"perplexity\", \"token_accuracy\"]");
    let sorts = r#"
[stage.sorts]
kind = "encode"
fit = "split.train"
apply = ["split.test"]
features.text = { tokens = "text", tokenizer = "tok", max_length = 40 }
target.sort = "category"

[stage.sorter]
kind = "model"
data = "sorts.train"
layers = [{ embedding = 8 }, { lstm = { hidden = 8 } }, { linear = "classes" }]

[stage.train_sorter]
kind = "train"
model = "sorter"
data = "sorts.train"
loss = "cross_entropy"
optimizer = "adam"
epochs = 2

[stage.answers]
kind = "predict"
model = "train_sorter.model"
data = "split.test"
"#;
    let sandbox = sandbox_of(&format!("{masked}{sorts}"));
    sandbox.run(&[]).success();
    sandbox.kilter(&["show", "answers"]).success().prints("prediction");
    sandbox.kilter(&["show", "encode.train"]).success().prints("tokens that are hidden, 30 % of them");
}

#[test]
fn a_model_that_sees_what_it_is_to_predict_is_refused() {
    if !cfg!(feature = "torch") {
        return;
    }
    let cheats = language().replace("hidden = 32,", "hidden = 32, bidirectional = true,");
    sandbox_of(&cheats)
        .run(&["train"])
        .exits(1)
        .says("the model sees the tokens that it is to predict")
        .says("bidirectional");
}

/// What a run of a manifest says that differs from the good one in these places.
fn spoilt(pairs: &[(&str, &str)], lines: &str) -> Ran {
    let mut text = format!("{TABLE}{}", language());
    for (from, to) in pairs {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    let sandbox = Sandbox::with_manifest(&text).file("sea.tsv", lines);
    let ran = sandbox.run(&["encode"]);
    assert!(ran.code != 0 && !sandbox.path("out/sea/encode").exists(), "nothing of it is left");
    ran
}

#[test]
fn texts_and_tokenizers_that_cannot_be_are_named_with_what_to_do() {
    let empty = LINES.replace("the sea is calm tonight", "").replace("a light breeze and a clear sky", "");
    let unframed = [("max_length = 24, pack = true", "max_length = 24, special_tokens = false")];
    spoilt(&unframed, &empty).exits(1).says("column `text` is null").says("makes nulls empty texts");
    let filled = [
        ("max_length = 24, pack = true", "max_length = 24, special_tokens = false"),
        (
            "[stage.split]\nkind = \"split\"\nfrom = \"table\"",
            "[stage.filled]\nkind = \"table\"\nfrom = \"table\"\nsteps = [{ fill = { text = \"\" } }]\n\n[stage.split]\nkind = \"split\"\nfrom = \"filled\"",
        ),
    ];
    spoilt(&filled, &empty).exits(1).says("has no two tokens").says("filter empty texts");
    let broken =
        [("from = \"split.train\"\ncolumns = [\"text\"]\nmodel = \"characters\"", "load = \"raw\"\nformat = \"json\"")];
    spoilt(&broken, LINES)
        .exits(1)
        .says("`sea.tsv` is no tokenizer: it is not JSON")
        .says("`format` says what the file is");
    let no_pad = [("model = \"characters\"", "model = \"characters\"\nspecial = { pad = \"\" }")];
    spoilt(&no_pad, LINES).exits(2).says("`special.pad` is empty");
}

#[test]
fn vocabularies_and_positions_that_do_not_fit_are_told_before_anything_is_trained() {
    let few = language().replace("{ embedding = 16 }", "{ embedding = { dim = 16, count = 9 } }");
    let sandbox = sandbox_of(&few);
    sandbox.run(&["encode"]).success();
    let ran = sandbox.kilter(&["check"]).exits(2);
    ran.says("embedding holds 9 vectors, but the feature has");
    let short = language()
        .replace("{ embedding = 16 }", "{ embedding = 16 }, { position = { kind = \"learned\", count = 9 } }");
    sandbox_of(&short).kilter(&["check"]).exits(2).says("24").says("9");
}

#[test]
fn real_vocabularies_give_the_ids_that_their_makers_libraries_give() {
    let told = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tokenizers.json");
    let told: serde_json::Value = serde_json::from_slice(&std::fs::read(told).unwrap()).unwrap();
    let texts: Vec<String> = serde_json::from_value(told["texts"].clone()).unwrap();
    let rows: Vec<serde_json::Value> = texts.iter().map(|text| serde_json::json!({ "text": text })).collect();
    let mut manifest = String::from(
        "[pipeline]\nname = \"ids\"\nedition = \"2026\"\n\n[stage.raw]\nkind = \"fetch\"\npath = \"texts.jsonl\"\n\n[stage.rows]\nkind = \"read\"\nfrom = \"raw\"\n",
    );
    let sources = [
        (
            "qwen",
            "pypi:dashscope==2.0.2",
            "0602d1800f7433bdb7953560986eaf5146454ed3988636c0a91963ba24e74258",
            "dashscope/resources/qwen.tiktoken",
        ),
        (
            "bert_zh",
            "pypi:cn-clip==1.6.0",
            "1129e296d707a39450eb5e761903cfa3db89dd74a9ddfbd69f0d80c027046e75",
            "cn_clip/clip/vocab.txt",
        ),
    ];
    for (name, package, sha256, member) in sources {
        manifest += &format!(
            "\n[stage.{name}_file]\nkind = \"fetch\"\npackage = \"{package}\"\nsha256 = \"{sha256}\"\nmember = \"{member}\"\n\
             \n[stage.{name}]\nkind = \"tokenizer\"\nload = \"{name}_file\"\nfrom = \"rows\"\ncolumns = [\"text\"]\nspecial = {{ pad = \"[PAD]\" }}\n\
             \n[stage.{name}_ids]\nkind = \"encode\"\nfit = \"rows\"\nfeatures.text = {{ tokens = \"text\", tokenizer = \"{name}\", max_length = 64 }}\n"
        );
    }
    let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
    let sandbox = Sandbox::with_manifest(&manifest).file("texts.jsonl", lines);
    sandbox.run(&[]).success();
    for name in ["qwen", "bert_zh"] {
        let path = sandbox.path(&format!("out/ids/{name}_ids/rows/data.safetensors"));
        let (shape, ids) = kilter::stages::encode::read_tensor(&path, "feature.text").unwrap();
        assert_eq!(shape, [texts.len(), 64]);
        let special = special_ids(&sandbox, name);
        for (row, text) in texts.iter().enumerate() {
            let wanted: Vec<f64> = serde_json::from_value(told[name][row].clone()).unwrap();
            let found: Vec<f64> =
                ids[row * 64..(row + 1) * 64].iter().copied().filter(|id| !special.contains(&(*id as u64))).collect();
            assert_eq!(found, wanted, "{name}: {text:?}");
        }
    }
}

/// The ids of the tokens that stand around texts and fill them up.
fn special_ids(sandbox: &Sandbox, name: &str) -> Vec<u64> {
    let read = |file: &str| -> serde_json::Value {
        serde_json::from_slice(&bytes(sandbox, &format!("out/ids/{name}/{file}"))).unwrap()
    };
    let (names, form) = (read("special_tokens_map.json"), read("tokenizer.json"));
    let id = |role: &str| names[role].as_str().and_then(|token| form["model"]["vocab"][token].as_u64());
    ["pad_token", "bos_token", "eos_token"].into_iter().filter_map(id).collect()
}
