//! The architecture as tests: who may import whom, which crate is known where, and habits that every file keeps.
//! Where the structure gets in the way, change it and these tables together, and write why in `docs/design-notes.md`.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Top-level module of the library -> the modules that it may import. A module may always import itself.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("span", &[]),
    ("digest", &[]),
    ("env", &[]),
    ("numbers", &[]),
    ("git", &[]),
    ("yaml", &[]),
    ("xml", &[]),
    ("plot", &["numbers", "xml"]),
    ("types", &["digest"]),
    ("diag", &["span"]),
    ("event", &["types", "digest"]),
    ("nn", &["types", "diag", "digest"]),
    ("onnx", &["types", "nn"]),
    ("job", &["types", "nn", "event", "env"]),
    ("metrics", &["types"]),
    ("stage", &["types", "diag", "digest", "span", "env", "event", "job"]),
    ("frame", &["types", "digest", "stage", "diag", "env", "numbers"]),
    ("manifest", &["span", "diag", "digest", "numbers"]),
    (
        "stages",
        &[
            "stage", "types", "frame", "nn", "job", "metrics", "diag", "event", "digest", "plot", "numbers", "env",
            "yaml", "xml", "onnx",
        ],
    ),
    ("registry", &["stage", "stages", "nn", "metrics"]),
    ("check", &["manifest", "stage", "types", "diag", "span", "digest"]),
    ("store", &["digest", "types", "env", "stage", "diag"]),
    ("history", &["digest", "env", "event", "git", "stage"]),
    ("diff", &["digest", "types", "stage", "store", "history", "frame", "metrics", "plan", "numbers", "diag"]),
    ("import", &["diag", "stage", "yaml"]),
    ("plan", &["check", "manifest", "stage", "types", "digest", "diag", "store", "job", "span", "numbers"]),
    ("lock", &["check", "digest", "numbers", "stage", "store"]),
    (
        "exec",
        &[
            "plan", "store", "stage", "event", "env", "check", "job", "diag", "digest", "types", "span", "manifest",
            "numbers", "lock",
        ],
    ),
    (
        "verify",
        &[
            "check", "exec", "plan", "lock", "store", "stage", "frame", "event", "env", "digest", "types", "numbers",
            "manifest", "job",
        ],
    ),
    ("report", &["event", "env", "types", "store", "numbers", "stage", "digest", "xml"]),
    (
        "dev",
        &[
            "registry", "manifest", "cli", "diag", "nn", "metrics", "stage", "check", "store", "job", "env", "digest",
            "types", "lock", "plan",
        ],
    ),
];

/// External crate -> where alone it may be named.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("petgraph", &["src/plan/dag.rs"]),
    ("miette", &["src/diag/render.rs"]),
    ("polars", &["src/frame/", "src/stages/", "src/metrics/"]),
    ("tch", &["src/worker/"]),
    ("clap", &["src/cli/args.rs", "src/cli/args/"]),
    ("toml", &["src/manifest/", "src/store/workspace.rs", "src/import/", "src/lock/text.rs"]),
    ("rusqlite", &["src/history/", "src/stages/source/database/"]),
    ("postgres", &["src/stages/source/database/"]),
    ("rustls", &["src/stages/source/database/tls.rs"]),
    ("jieba_rs", &["src/stages/encode/features/text/"]),
    ("encoding_rs", &["src/frame/file/text.rs"]),
    ("saphyr", &["src/yaml.rs"]),
    ("prost", &["src/onnx/", "src/report/tensorboard/"]),
    ("ureq", &["src/stages/source/fetch/"]),
    ("tokenizers", &["src/stages/text/"]),
];

/// Files longer than 450 lines, each with its reason.
const LONG_FILES: &[(&str, &str)] = &[];

const MOST_LINES: usize = 450;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the project").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn name(path: &Path) -> String {
    path.strip_prefix(root()).expect("inside the project").to_string_lossy().replace('\\', "/")
}

/// The code of a file without comments, string contents and its test module.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The identifiers that follow `marker` in `code`, where nothing that belongs to a name stands before it.
fn named_after<'a>(code: &'a str, marker: &str) -> Vec<&'a str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(marker)
        .filter(|(at, _)| !code[..*at].ends_with(is_word))
        .map(|(at, _)| {
            let rest = &code[at + marker.len()..];
            &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())]
        })
        .collect()
}

#[test]
fn modules_import_only_what_the_table_allows() {
    let table: BTreeMap<&str, BTreeSet<&str>> =
        MAY_IMPORT.iter().map(|(module, allowed)| (*module, allowed.iter().copied().collect())).collect();
    let mut wrong = Vec::new();
    for path in rust_files("src") {
        let file = name(&path);
        let Some(module) = file.strip_prefix("src/").and_then(|rest| rest.split(['/', '.']).next()) else { continue };
        if ["main", "lib", "worker", "cli"].contains(&module) {
            continue;
        }
        let Some(allowed) = table.get(module) else {
            wrong.push(format!("{file}: module `{module}` is not in the table"));
            continue;
        };
        let text = fs::read_to_string(&path).expect("readable");
        for used in named_after(&code(&text), "crate::") {
            // Macros are exported at the root.
            if used != module && used != "path" && !used.is_empty() && !allowed.contains(used) {
                wrong.push(format!("{file}: `{module}` may not import `{used}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn crates_are_named_only_where_they_belong() {
    let mut wrong = Vec::new();
    for path in rust_files("src") {
        let file = name(&path);
        if file.ends_with("/tests.rs") || file.ends_with("/testing.rs") {
            continue;
        }
        let text = code(&fs::read_to_string(&path).expect("readable"));
        for (package, places) in ONLY_IN {
            let used = text.match_indices(&format!("{package}::")).any(|(at, _)| {
                let before = text[..at].chars().next_back();
                !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
            });
            if used && !places.iter().any(|place| file.starts_with(place)) {
                wrong.push(format!("{file}: `{package}` belongs in {}", places.join(", ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_files_behind_a_narrowed_table_are_opened_in_one_place() {
    let users: Vec<String> = rust_files("src")
        .iter()
        .filter(|path| code(&fs::read_to_string(path).expect("readable")).contains("stored_table("))
        .map(|path| name(path))
        .collect();
    assert_eq!(users, ["src/frame/read.rs", "src/stage/input.rs"], "a stage that reads some columns can open no other");
}

#[test]
fn every_file_says_what_it_owns() {
    let silent: Vec<String> = ["src", "tests", "xtask/src", "benches"]
        .iter()
        .filter(|folder| root().join(folder).is_dir())
        .flat_map(|folder| rust_files(folder))
        .filter(|path| !fs::read_to_string(path).expect("readable").starts_with("//!"))
        .map(|path| name(&path))
        .collect();
    assert!(silent.is_empty(), "these files do not begin with `//!`: {silent:?}");
}

#[test]
fn files_stay_small() {
    let long: Vec<String> = rust_files("src")
        .iter()
        .filter(|path| !LONG_FILES.iter().any(|(file, _)| *file == name(path)))
        .filter_map(|path| {
            let lines = fs::read_to_string(path).expect("readable").lines().count();
            (lines > MOST_LINES).then(|| format!("{} ({lines} lines)", name(path)))
        })
        .collect();
    assert!(long.is_empty(), "split these, or list them with a reason: {long:?}");
}

#[test]
fn nothing_is_left_behind() {
    // A test that only its neighbour runs, in a process of its own, is ignored on purpose.
    let marks = ["todo!(", "unimplemented!(", "dbg!(", "#[ignore]"];
    let mut found = Vec::new();
    for path in rust_files("src").into_iter().chain(rust_files("xtask/src")) {
        let text = fs::read_to_string(&path).expect("readable");
        found.extend(marks.iter().filter(|mark| text.contains(**mark)).map(|mark| format!("{}: {mark}", name(&path))));
    }
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn the_library_does_not_mention_libtorch_bindings() {
    let guilty: Vec<String> = rust_files("src")
        .into_iter()
        .filter(|path| !name(path).starts_with("src/worker/"))
        .filter(|path| fs::read_to_string(path).expect("readable").contains("use tch"))
        .map(|path| name(&path))
        .collect();
    assert!(guilty.is_empty(), "linking `tch` into the library would load libtorch into `kilter`: {guilty:?}");
}

/// `cargo xtask gpu` talks to a worker and has no dependencies.
#[test]
fn the_chores_speak_the_protocol_of_the_worker() {
    let text = fs::read_to_string(root().join("xtask/src/gpu/job.rs")).expect("the chores' jobs");
    let line = format!("pub const PROTOCOL: u32 = {};", kilter::job::PROTOCOL);
    assert!(text.contains(&line), "xtask/src/gpu/job.rs wants `{line}`");
}
