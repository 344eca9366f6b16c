//! The pipelines of `pipelines/`, run by the real program on real data; the slow ones on a slice.
//!
//! They share one workspace, so that what one test fetched is there for the next run of the same binary; each is run
//! twice, and the second time nothing may run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A workspace with the repository's pipelines in it.
fn workspace(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("pipelines")).expect("a folder");
    fs::write(folder.join("kilter.toml"), "").expect("writable");
    for entry in fs::read_dir(root().join("pipelines")).expect("pipelines").flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "toml") {
            fs::copy(entry.path(), folder.join("pipelines").join(entry.file_name())).expect("copied");
        }
    }
    folder
}

fn kilter(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kilter"))
        .args(args)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .output()
        .expect("kilter starts")
}

fn said(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

/// Runs a pipeline twice; the second time nothing may run.
fn run_twice(folder: &Path, pipeline: &str, set: &[&str]) {
    let manifest = format!("pipelines/{pipeline}.toml");
    let mut args = vec!["run", manifest.as_str()];
    for value in set {
        args.extend(["--set", value]);
    }
    let first = kilter(folder, &args);
    assert!(first.status.success(), "{pipeline}: {:?}\n{}", first.status, said(&first));
    let second = kilter(folder, &args);
    assert!(second.status.success(), "{pipeline}, again: {:?}\n{}", second.status, said(&second));
    assert!(said(&second).contains("nothing to do"), "{pipeline}, again:\n{}", said(&second));
}

fn bytes(path: PathBuf) -> Vec<u8> {
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn digits_reach_their_gate_and_are_released() {
    if !cfg!(feature = "torch") {
        return;
    }
    let folder = workspace("digits");
    run_twice(&folder, "digits", &[]);
    let release = folder.join("out/digits/release");
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
    let (one, two) = (workspace("penguins-one"), workspace("penguins-two"));
    run_twice(&one, "penguins", &[]);
    run_twice(&two, "penguins", &[]);
    for file in ["train/model/model.safetensors", "release/model.safetensors", "release/SHA256SUMS"] {
        let path = Path::new("out/penguins").join(file);
        assert!(bytes(one.join(&path)) == bytes(two.join(&path)), "{file} differs");
    }
}

#[test]
fn fashion_runs_on_a_slice() {
    if !cfg!(feature = "torch") {
        return;
    }
    let slice = ["train_rows=1500", "test_rows=300", "epochs=1", "min_accuracy=0.2"];
    run_twice(&workspace("fashion"), "fashion", &slice);
}

#[test]
fn flights_run_on_a_slice() {
    if !cfg!(feature = "torch") {
        return;
    }
    run_twice(&workspace("flights"), "flights_delay", &["every=40", "epochs=1", "min_auc=0.5"]);
}
