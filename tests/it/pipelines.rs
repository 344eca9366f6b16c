//! The pipelines of `pipelines/`, run by the real program on real data; the slow ones on a slice. Each is run twice,
//! and the second time nothing may run.

use crate::sandbox::Sandbox;
use std::path::Path;
use std::process::Command;

/// A workspace with one of the repository's pipelines.
fn workspace(name: &str) -> Sandbox {
    let file = format!("pipelines/{name}.toml");
    let text = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(&file)).expect("a pipeline");
    Sandbox::new().file(&file, text)
}

/// Runs a pipeline twice; the second time nothing may run.
fn run_twice(name: &str, set: &[&str]) -> Sandbox {
    let sandbox = workspace(name);
    let manifest = format!("pipelines/{name}.toml");
    let mut arguments = vec!["run", manifest.as_str()];
    for value in set {
        arguments.extend(["--set", value]);
    }
    sandbox.kilter(&arguments).success();
    sandbox.kilter(&arguments).all_cached();
    sandbox
}

fn bytes(sandbox: &Sandbox, name: &str) -> Vec<u8> {
    let path = sandbox.path(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn digits_reach_their_gate_and_are_released() {
    if !cfg!(feature = "torch") {
        return;
    }
    let sandbox = run_twice("digits", &[]);
    let release = sandbox.path("out/digits/release");
    for file in
        ["model.safetensors", "config.json", "README.md", "LICENSE", "metrics.json", "provenance.json", "SHA256SUMS"]
    {
        assert!(release.join(file).is_file(), "the release lacks {file}");
    }
    let check = Command::new("sha256sum").args(["--check", "--quiet", "SHA256SUMS"]).current_dir(&release).status();
    assert!(check.expect("sha256sum runs").success());
}

#[test]
fn penguins_give_byte_identical_models_in_two_fresh_workspaces() {
    if !cfg!(feature = "torch") {
        return;
    }
    let (one, two) = (run_twice("penguins", &[]), run_twice("penguins", &[]));
    for file in ["train/model/model.safetensors", "release/model.safetensors", "release/SHA256SUMS"] {
        let name = format!("out/penguins/{file}");
        assert!(bytes(&one, &name) == bytes(&two, &name), "{file} differs");
    }
}

#[test]
fn fashion_runs_on_a_slice() {
    if !cfg!(feature = "torch") {
        return;
    }
    let slice = ["train_rows=1500", "test_rows=300", "epochs=1", "min_accuracy=0.05"];
    run_twice("fashion", &slice);
}

/// The same manifest on a processor: only the device is another.
#[test]
fn the_fashion_network_for_a_gpu_learns_on_a_processor_too() {
    if !cfg!(feature = "torch") {
        return;
    }
    let small = ["width_1=8", "width_2=16", "width_3=16", "train_rows=300", "test_rows=100", "epochs=1"];
    run_twice("fashion_gpu", &[&small[..], &["device=cpu", "min_accuracy=0.0"]].concat());
}

#[test]
fn flights_run_on_a_slice() {
    if !cfg!(feature = "torch") {
        return;
    }
    run_twice("flights_delay", &["every=40", "epochs=1", "min_auc=0.5"]);
}

#[test]
fn newswire_topics_are_told_apart_after_a_few_epochs() {
    if !cfg!(feature = "torch") {
        return;
    }
    run_twice("newswire", &["epochs=3", "min_accuracy=0.9"]);
}

/// The reviews are in their file twice: that no part holds a review of another is what `leaks = "error"` in it asks for.
#[test]
fn chinese_reviews_are_judged_on_reviews_of_no_other_part() {
    if !cfg!(feature = "torch") {
        return;
    }
    let sandbox = run_twice("reviews_zh", &["epochs=1", "min_accuracy=0.8"]);
    let manifest = sandbox.read("pipelines/reviews_zh.toml");
    let naive = manifest.replace("from = \"once\"", "from = \"all\"");
    assert_ne!(naive, manifest);
    let sandbox = sandbox.file("pipelines/naive.toml", naive);
    sandbox.kilter(&["run", "pipelines/naive.toml", "split"]).exits(1).says("rows stand in more than one part");
}

/// The whole census is little: only the training is cut short.
#[test]
fn census_incomes_are_checked_drawn_and_told_apart() {
    if !cfg!(feature = "torch") {
        return;
    }
    let sandbox = run_twice("census", &["epochs=2", "min_accuracy=0.84"]);
    assert!(sandbox.path("out/census/picture/report/profile.html").is_file());
    sandbox.kilter(&["show", "pipelines/census.toml", "checked"]).success().prints("one_capital");
}

/// Of the 3,000,000 flights every hundredth or so; what a month was like is learnt from the months before it.
#[test]
fn many_flights_run_on_a_slice() {
    if !cfg!(feature = "torch") {
        return;
    }
    let sandbox = run_twice("flights_big", &["share=0.01", "rows=29000", "epochs=2", "min_auc=0.6"]);
    let shown = sandbox.kilter(&["show", "pipelines/flights_big.toml", "lately", "--json"]).success().json();
    assert!(shown.to_string().contains("left_lately"), "{shown}");
}

/// Three networks behind one preparation: tokenizer and encoding run once.
#[test]
fn english_sentiment_is_told_by_three_networks_on_a_slice() {
    if !cfg!(feature = "torch") {
        return;
    }
    let sandbox = run_twice("sentiment_en", &["rows=600", "epochs=1", "min_accuracy=0.3"]);
    sandbox.kilter(&["show", "pipelines/sentiment_en.toml", "tok"]).success().prints("fertility");
}

#[test]
fn a_small_gpt_writes_poems_after_a_slice() {
    if !cfg!(feature = "torch") {
        return;
    }
    let sandbox = run_twice("gpt_poetry", &["poems=600", "epochs=1", "max_bits=20"]);
    sandbox.kilter(&["show", "pipelines/gpt_poetry.toml", "written"]).success().prints("春");
}

#[test]
fn what_was_pretrained_is_fine_tuned_on_a_slice() {
    if !cfg!(feature = "torch") {
        return;
    }
    let mut slice =
        ["lines=3000", "pretrain_epochs=1", "wires=400", "epochs=1", "min_accuracy=0.2"].map(str::to_owned).to_vec();
    slice.extend(docs_of_today());
    run_twice("pretrain_finetune", &slice.iter().map(String::as_str).collect::<Vec<_>>());
}

/// Debian keeps only the newest version of the documentation: its version and digest, as params.
fn docs_of_today() -> Vec<String> {
    let script = "d=$(mktemp -d); mkdir -p $d/lists/partial $d/cache/archives/partial; \
                  o=\"-o APT::Sandbox::User= -o Dir::State::Lists=$d/lists -o Dir::Cache=$d/cache\"; \
                  apt-get $o -qq update; apt-cache $o show --no-all-versions python3.11-doc; rm -r $d";
    let output = Command::new("sh").args(["-c", script]).output().expect("sh");
    let text = String::from_utf8_lossy(&output.stdout);
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    let fields = [("docs_version", field("Version: ")), ("docs_sha256", field("SHA256: "))];
    fields.into_iter().filter_map(|(param, value)| Some(format!("{param}={}", value?))).collect()
}

/// All 22 queries at a hundredth of the usual size.
#[test]
fn tpch_answers_are_duckdb_s() {
    let sandbox = run_twice("tpch", &["scale=0.01"]);
    let package = sandbox.path("duckdb");
    let python = |arguments: &[&str]| {
        let output = Command::new("python3").args(arguments).env("PYTHONPATH", &package).output().expect("python3");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let place = package.to_string_lossy();
    python(&["-m", "pip", "install", "--quiet", "--no-deps", "--target", &place, "duckdb==2.0.1"]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tpch_answers.py");
    let (manifest, out) = (sandbox.path("pipelines/tpch.toml"), sandbox.path("out/tpch"));
    let compared = python(&[&script.to_string_lossy(), &manifest.to_string_lossy(), &out.to_string_lossy()]);
    assert_eq!(compared, "22");
}
