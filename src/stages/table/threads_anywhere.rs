//! Results do not follow the threads or the engine, as a property: random tables, large and small, through steps, pairs of steps,
//! splits and encodings, with 1, 2 and 8 threads, whole in memory and in pieces by the streaming engine. What fails must fail
//! with the same words.
//!
//! As in `threads.rs` the stages run in processes of their own, which polars gives another number of threads.

use super::split::Split;
use super::stepwise::Table;
use super::testing::table_input;
use crate::digest::Digest;
use crate::frame::engine::IN_MEMORY;
use crate::stage::Kind;
use crate::stage::testing::Bench;
use crate::stages::encode::Encode;
use crate::stages::text::SpecialNames;
use crate::types::{ArtifactType, TokenizerType};
use polars::prelude::*;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use std::process::Command;

/// How many tables a process makes.
const TABLES: usize = 6;

/// A row: key, group, number, float, another that is always there, text.
type Row = (Option<u16>, u8, Option<i16>, Option<f64>, f64, String);

fn row() -> impl Strategy<Value = Row> {
    let wild = prop_oneof![
        6 => -1e3..1e3_f64,
        2 => (-300..300_i32, -1.0..1.0_f64).prop_map(|(power, part)| part * 10_f64.powi(power / 20)),
        1 => Just(-0.0),
        1 => Just(0.0),
        1 => Just(1e15),
    ];
    (
        prop::option::weighted(0.9, 0..40_u16),
        0..5_u8,
        prop::option::weighted(0.9, -50..50_i16),
        prop::option::weighted(0.85, wild),
        -1e6..1e6_f64,
        "[ab ÄＡ中国-]{0,3}",
    )
}

/// Tables of no rows, of one, of few, and of enough to be divided among threads.
fn rows() -> impl Strategy<Value = Vec<Row>> {
    prop_oneof![
        1 => prop::collection::vec(row(), 0..3),
        2 => prop::collection::vec(row(), 3..40),
        4 => prop::collection::vec(row(), 3_000..6_000),
    ]
}

fn frame(rows: &[Row]) -> DataFrame {
    df![
        "row" => (0..rows.len() as i64).collect::<Vec<_>>(),
        "k" => rows.iter().map(|row| row.0.map(|key| format!("k{key}"))).collect::<Vec<_>>(),
        "g" => rows.iter().map(|row| format!("g{}", row.1)).collect::<Vec<_>>(),
        "n" => rows.iter().map(|row| row.2.map(i64::from)).collect::<Vec<_>>(),
        "x" => rows.iter().map(|row| row.3).collect::<Vec<_>>(),
        "y" => rows.iter().map(|row| row.4).collect::<Vec<_>>(),
        "text" => rows.iter().map(|row| row.5.as_str()).collect::<Vec<_>>(),
    ]
    .and_then(|df| df.lazy().with_column(moment().alias("at")).collect())
    .expect("a frame")
}

/// A moment some days before or after 1970, another for each `y`.
fn moment() -> Expr {
    (col("y") * lit(1e6)).cast(DataType::Int64).cast(DataType::Datetime(TimeUnit::Microseconds, None))
}

/// The files of a tokenizer of letters.
fn tokenizer() -> [(&'static str, String); 2] {
    let special = SpecialNames::angled(true);
    let letters = ["a", "b", "-", "中"].map(str::to_owned);
    let vocab: serde_json::Map<String, serde_json::Value> =
        special.tokens().into_iter().chain(letters).zip(0..).map(|(token, id)| (token, id.into())).collect();
    let rules = serde_json::json!({
        "version": "1.0", "added_tokens": [], "decoder": { "type": "Fuse" },
        "model": { "type": "BPE", "unk_token": "<unk>", "vocab": vocab, "merges": [] },
    });
    let special = serde_json::to_string(&special).expect("JSON");
    [("tokenizer.json", rules.to_string()), ("special_tokens_map.json", special)]
}

/// Steps that follow each other in any order: none changes what another needs.
const STEPS: &[&str] = &[
    r#"{ dedupe = { by = ["k", "n"], keep = "none" } }"#,
    r#"{ dedupe = { by = ["g", "text"], keep = "last", normalise = true } }"#,
    r#"{ dedupe = { by = "k" } }"#,
    r#"{ fill = { x = "max" } }"#,
    r#"{ fill = { x = "min", n = "backward" } }"#,
    r#"{ fill = { x = "mean", k = "forward" } }"#,
    r#"{ fill = { x = "median" } }"#,
    r#"{ filter = "x > avg(x) OVER (PARTITION BY g) OR n < 0" }"#,
    r#"{ sort = { by = ["g", "n"], descending = [true, false] } }"#,
    r#"{ window = { by = "g", order = "n", rows = { from = -5, to = 0 }, columns = { x = "sum(x)" } } }"#,
    r#"{ derive = { y = "y - avg(x)" } }"#,
    r#"{ derive = { y = "y / 3 - y / avg(y)" } }, { filter = "row % 997 = 5" }"#,
    r#"{ sort = { by = ["k", "x"], nulls_last = true } }"#,
    r#"{ concat = { with = ["u"], how = "diagonal" } }"#,
    r#"{ concat = { with = ["t", "t"], how = "diagonal" } }"#,
    r#"{ sample = { fraction = 0.7, seed = 2 } }"#,
];

/// Steps that give other columns.
const LAST: &[&str] = &[
    r#"{ join = { with = "v", on = "n", how = "asof" } }"#,
    r#"{ join = { with = "v", on = "n", by = "g", how = "asof", direction = "forward", tolerance = "3" } }"#,
    r#"{ join = { with = "v", left_on = "y", right_on = "x", how = "asof", direction = "nearest" } }"#,
    r#"{ join = { with = "v", on = "n", how = "asof", direction = "nearest" } }"#,
    r#"{ join = { with = "v", on = ["g", "n"], how = "full" } }"#,
    r#"{ filter = "row % 9 = 0" }, { join = { with = "v", on = "g", how = "right" } }"#,
    r#"{ filter = "row % 9 = 0" }, { join = { with = "v", on = "g", where = "n < n_right", how = "left" } }"#,
    r#"{ filter = "row % 9 = 0" }, { join = { with = "v", where = "x < x_right AND n > n_right", how = "semi" } }"#,
    r#"{ filter = "row % 9 = 0" }, { join = { with = "v", on = "g", where = "n > n_right", how = "anti" } }"#,
    r#"{ group = { by = ["g", "k"], agg = { s = "sum(x)", m = "avg(y)", d = "stddev(x)", f = "first(row)", l = "last(text)" } } }"#,
    r#"{ group = { by = ["x", "g"], agg = { lo = "min(x)", hi = "max(x)", m = "median(x)" } } }"#,
    r#"{ pivot = { on = "g", columns = ["g0", "g1", "g2", "g3", "g4"], by = "k", value = "x", agg = "mean" } }"#,
    r#"{ unpivot = { on = ["x", "y"], index = ["row", "k"] } }"#,
];

const SPLITS: &[&str] = &[
    "folds = 3\nfold = 2",
    "folds = 4\nfold = 1\nstratify = \"g\"",
    "folds = 2\nfold = 2\ngroup = \"text\"",
    "parts = { train = [\"g0\", \"g1\"], test = \"rest\" }\nby = \"g\"",
    "parts = { train = 0.6, test = 0.4 }\ntime = \"y\"",
    "parts = { train = 0.6, test = 0.4 }\ntime = \"y\"\ngap = 0.25",
    "parts = { train = 0.6, test = 0.4 }\nhash = \"row\"",
    "parts = { train = 0.5, test = 0.5 }\ngroup = \"g\"\nnear_duplicates = 0.9",
];

const ENCODINGS: &[&str] = &[
    "features.x = { numeric = \"x\", impute = \"median\", scale = \"robust\", indicator = true }\ntarget.y = \"number\"\nleaks = \"ignore\"",
    "features.x = { numeric = \"y\", scale = \"quantile\", n_quantiles = 20 }\nfeatures.k = { category = [\"k\", \"g\"], encode = \"target\" }\ntarget.row = \"number\"\nleaks = \"ignore\"",
    "features.t = { text = \"text\", analyzer = \"char\", ngram_range = [1, 2] }\nfeatures.n = { numeric = \"x\", impute = \"mean\", lags = [1, 2], order = \"row\", by = \"g\" }\ntarget.g = \"category\"",
    "features.s = { sequence = \"x\", length = 3, order = \"n\", by = [\"g\"], impute = 0 }\nfeatures.g = { category = \"k\", encode = \"hashed\", n_features = 8 }\ntarget.g = \"category\"",
    "features.w = { time = \"at\", parts = [\"month\", \"time_of_day\", \"elapsed\"] }\nfeatures.o = { category = [\"k\", \"g\"], encode = \"one_hot\", unknown = \"other\", min_count = 2 }\nfeatures.i = { category = \"k\", encode = \"index\", unknown = \"other\", max_categories = 5 }\nfeatures.h = { category = \"k\", encode = \"hashed_index\", n_features = 16 }\ntarget.row = \"number\"\nleaks = \"ignore\"",
    "features.y = { numeric = \"y\", transform = \"yeo_johnson\" }\nfeatures.z = { numeric = \"y\", clip = { min = 0.5 }, transform = \"box_cox\", scale = \"min_max\" }\nfeatures.k = { sequence = \"k\", encode = \"index\", unknown = \"other\", min_count = 3, length = 3, order = \"row\", by = [\"g\"] }\ntarget.g = \"category\"\nleaks = \"ignore\"",
    "features.t = { tokens = \"text\", tokenizer = \"tok\", max_length = 4 }\nfeatures.c = { text = \"text\", analyzer = \"chinese\" }\ntarget.g = \"category\"\nleaks = \"ignore\"",
];

/// The digests of all that a stage makes, or what it says where it cannot.
fn outcome<K: Kind>(bench: &Bench, fields: &str) -> String {
    let (_, findings) = bench.check::<K>(fields);
    if !findings.is_empty() {
        let told: Vec<&str> = findings.iter().map(|finding| finding.diagnostic.message.as_str()).collect();
        println!("mistakes: {fields:?}: {told:?}");
    }
    let produced = match bench.run::<K>(fields) {
        Ok(produced) => produced,
        Err(error) => return format!("fails: {}", error.message),
    };
    let port = |name: &str| {
        let files = bench.output(name);
        let digests = files.iter().map(|(name, bytes)| format!("{name} {}", Digest::of(bytes).short()));
        format!("{name}: {}", digests.collect::<Vec<_>>().join(", "))
    };
    produced.ports.iter().map(|made| port(&made.port)).collect::<Vec<_>>().join("; ")
}

/// Prints what a stage makes, in each engine.
fn print<K: Kind>(bench: &Bench, name: &str, fields: &str) {
    IN_MEMORY.set(true);
    let whole = outcome::<K>(bench, fields);
    IN_MEMORY.set(false);
    let pieces = outcome::<K>(bench, fields);
    if whole != pieces {
        println!("differs: {name} by the streaming engine: {whole} / {pieces}");
    }
    println!("outcome {name} {whole}");
}

#[expect(clippy::disallowed_methods, reason = "how a process of this test is told what to do")]
fn seed() -> u64 {
    std::env::var("KILTER_TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

#[test]
#[ignore = "run by the test below, in a process of its own"]
fn print_outcomes() {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed().to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
    for number in 0..TABLES {
        let mut bench = Bench::default();
        let made = rows().new_tree(&mut runner).expect("rows").current();
        let others = prop::collection::vec(row(), 0..300).new_tree(&mut runner).expect("rows").current();
        table_input(&mut bench, "t", frame(&made));
        let other = frame(&others).lazy();
        table_input(
            &mut bench,
            "u",
            other.clone().select([col("n"), col("k"), col("y").alias("more")]).collect().expect("a frame"),
        );
        table_input(&mut bench, "v", other.select([col("n"), col("x"), col("g")]).collect().expect("a frame"));
        let files = tokenizer();
        let files: Vec<(&str, &[u8])> = files.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
        bench.input("tok", ArtifactType::Tokenizer(TokenizerType::default()), &files);
        // What a plan may use changes how it runs, and nothing else.
        bench.memory = [None, Some(1 << 30), None, Some(1 << 10)][number % 4];
        let any = |most: usize, runner: &mut TestRunner| (0..most).new_tree(runner).expect("a number").current();
        for (place, step) in STEPS.iter().enumerate() {
            let mut steps = vec![*step, STEPS[any(STEPS.len(), &mut runner)]];
            // What `u` has besides has no place in the tables that follow.
            if !steps.iter().any(|step| step.contains("\"u\"")) {
                steps.push(LAST[any(LAST.len(), &mut runner)]);
            }
            let text = format!("from = \"t\"\nsteps = [{}]", steps.join(", "));
            print::<Table>(
                &bench,
                &format!("table {number} steps {place} of {} rows: {}", made.len(), steps.join(", ")),
                &text,
            );
        }
        for (place, split) in SPLITS.iter().enumerate() {
            print::<Split>(&bench, &format!("table {number} split {place}"), &format!("from = \"t\"\n{split}"));
        }
        // Of no rows nothing is learnt.
        let encodings = if made.is_empty() { &[] } else { ENCODINGS };
        for (place, encoding) in encodings.iter().enumerate() {
            print::<Encode>(&bench, &format!("table {number} encoding {place}"), &format!("fit = \"t\"\n{encoding}"));
        }
    }
}

/// What a process with so many threads prints.
fn outcomes(threads: &str, seed: u64) -> Vec<String> {
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args([
            "stages::table::threads_anywhere::print_outcomes",
            "--exact",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env("POLARS_MAX_THREADS", threads)
        .env("RAYON_NUM_THREADS", threads)
        .env("KILTER_TEST_SEED", seed.to_string())
        .output()
        .expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "seed {seed}\n{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let told = |line: &&str| line.contains("differs: ") || line.contains("mistakes: ");
    let differing: Vec<&str> = text.lines().filter(told).collect();
    assert!(differing.is_empty(), "seed {seed}, {threads} threads: {differing:#?}");
    text.lines().filter_map(|line| line.find("outcome ").map(|at| line[at..].to_owned())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1, max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn outcomes_do_not_follow_the_threads(seed in any::<u64>()) {
        let one = outcomes("1", seed);
        // Of a table of no rows nothing is encoded.
        let encodings = one.iter().filter(|line| line.contains(" encoding ")).count();
        prop_assert_eq!(encodings % ENCODINGS.len(), 0);
        prop_assert_eq!(one.len() - encodings, TABLES * (STEPS.len() + SPLITS.len()));
        let made = one.iter().filter(|line| !line.contains(" fails: ")).count();
        prop_assert!(made * 3 > one.len() * 2, "hardly anything fails: {:#?}", one);
        for threads in ["2", "8"] {
            for (expected, found) in one.iter().zip(outcomes(threads, seed)) {
                prop_assert_eq!(expected, &found, "seed {}, {} threads", seed, threads);
            }
        }
    }
}
