//! The fixtures of `tests/check/`: small manifests with every diagnostic written above the line it is about.
//!
//! ```toml
//! # error[E0201]: 8-12 stage `tabel` does not exist
//! # hint: did you mean `table`?
//! from = "tabel"
//! ```
//!
//! Columns count characters from 1, the last one included; `9` is an empty place before column 9, and `3-+2:1` ends two
//! lines further down. What stands in another text (a module, a `--set`) or in none is written at the top with that
//! text's name. `# set: name=value` at the top gives `--set`. With `UPDATE=1` the annotations are rewritten.

use kilter::check::{Checked, NoResults, check};
use kilter::diag::{Diagnostic, codes};
use kilter::manifest::{LoadOptions, load_text};
use kilter::span::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Codes that no fixture can show, with the reason. Keep it empty if at all possible.
const WITHOUT_FIXTURE: &[(&str, &str)] = &[];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check")
}

fn fixtures() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder()).expect("tests/check exists");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    paths
}

fn is_annotation(line: &str) -> bool {
    ["# error[", "# warning[", "# hint: "].iter().any(|start| line.starts_with(start))
}

/// The manifest without its annotations.
fn bare(text: &str) -> String {
    text.split_inclusive('\n').filter(|line| !is_annotation(line)).collect()
}

fn checked(path: &Path, text: &str) -> Checked {
    let set: Vec<String> = text.lines().filter_map(|line| line.strip_prefix("# set: ")).map(str::to_owned).collect();
    let options = LoadOptions { path, workspace: &folder(), set: &set };
    check(load_text(&options, text), kilter::registry::STAGES, &mut NoResults, &folder())
}

/// Where a diagnostic belongs (line, from 0) and how its place is written.
fn place(diagnostic: &Diagnostic, checked: &Checked) -> (usize, String) {
    let Some(label) = &diagnostic.primary else { return (0, String::new()) };
    let span = label.span;
    let sources = &checked.sources;
    let main = sources.iter().next().map(|source| source.name.clone());
    if Some(&sources.get(span.source).name) != main.as_ref() {
        return (0, format!("{} ", sources.place(span)));
    }
    let (start, end) = (sources.line_column(span), sources.line_column(Span { start: span.end, ..span }));
    let columns = match end.line - start.line {
        0 if end.column == start.column => format!("{} ", start.column),
        0 if end.column == start.column + 1 => format!("{0}-{0} ", start.column),
        0 => format!("{}-{} ", start.column, end.column - 1),
        lines => format!("{}-+{lines}:{} ", start.column, end.column),
    };
    (start.line - 1, columns)
}

/// The manifest with the annotations that belong to what is found in it.
fn annotated(text: &str, checked: &Checked) -> String {
    let mut above: BTreeMap<usize, String> = BTreeMap::new();
    for diagnostic in &checked.diagnostics {
        let (line, place) = place(diagnostic, checked);
        let out = above.entry(line).or_default();
        let (severity, code) = (diagnostic.severity.name(), diagnostic.code);
        let _ = writeln!(out, "# {severity}[{code}]: {place}{}", diagnostic.message);
        for hint in &diagnostic.hints {
            let _ = writeln!(out, "# hint: {hint}");
        }
    }
    let mut out = String::new();
    for (number, line) in text.split_inclusive('\n').enumerate() {
        out.push_str(above.remove(&number).as_deref().unwrap_or_default());
        out.push_str(line);
    }
    if !above.is_empty() && !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
    out.extend(above.into_values());
    out
}

#[test]
fn every_fixture_says_what_is_found_in_it() {
    let mut wrong = String::new();
    let update = std::env::var_os("UPDATE").is_some();
    for path in fixtures() {
        let given = std::fs::read_to_string(&path).expect("readable");
        let text = bare(&given);
        let now = annotated(&text, &checked(&path, &text));
        if now == given {
            continue;
        }
        if update {
            std::fs::write(&path, now).expect("writable");
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let _ = writeln!(wrong, "--- {name}");
        let lines = |text: &str| -> BTreeSet<String> {
            text.lines().filter(|line| is_annotation(line)).map(str::to_owned).collect()
        };
        for line in lines(&given).difference(&lines(&now)) {
            let _ = writeln!(wrong, "- {line}");
        }
        for line in lines(&now).difference(&lines(&given)) {
            let _ = writeln!(wrong, "+ {line}");
        }
    }
    assert!(wrong.is_empty(), "run again with UPDATE=1 if the new is right\n{wrong}");
}

#[test]
fn every_code_has_a_fixture() {
    let mut seen = BTreeSet::new();
    for path in fixtures() {
        let text = std::fs::read_to_string(&path).expect("readable");
        for line in text.lines().filter(|line| is_annotation(line)) {
            seen.extend(
                line.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(code, _)| code.to_owned()),
            );
        }
    }
    let without: BTreeSet<&str> = WITHOUT_FIXTURE.iter().map(|(code, _)| *code).collect();
    let missing: Vec<&str> =
        codes::CODES.iter().map(|code| code.id).filter(|id| !seen.contains(*id) && !without.contains(id)).collect();
    let stale: Vec<&&str> = without.iter().filter(|id| seen.contains(**id)).collect();
    assert!(missing.is_empty() && stale.is_empty(), "without a fixture: {missing:?}; listed but shown: {stale:?}");
    assert!(seen.len() >= 40, "{} codes have fixtures", seen.len());
}

/// Mutates the bytes of every fixture; whatever comes out, checking and rendering end without a panic.
#[test]
fn no_input_makes_the_checker_panic() {
    use kilter::diag::{Format, render};
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or_default() % below.max(1)
    };
    let pieces: &[&[u8]] = &[
        b"\"",
        b"\n",
        b"[",
        b"]",
        b"{",
        b"}",
        b"=",
        b".",
        b"${",
        b"'''",
        b"\\",
        b"\xc3\xa9",
        b"\xff",
        b"-1",
        b"1e999",
    ];
    for path in fixtures() {
        let original = std::fs::read(&path).expect("readable");
        for _ in 0..12 {
            let mut bytes = original.clone();
            for _ in 0..=next(4) {
                let at = next(bytes.len());
                match next(3) {
                    0 => bytes.truncate(at),
                    1 => drop(bytes.drain(at..(at + next(20)).min(bytes.len()))),
                    _ => drop(bytes.splice(at..at, pieces[next(pieces.len())].iter().copied()).collect::<Vec<_>>()),
                }
            }
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let found = checked(&path, &text);
            for format in [Format::Human { color: true, width: 80 }, Format::Json, Format::Github] {
                let _ = render(&found.diagnostics, &found.sources, format);
            }
        }
    }
}

#[test]
fn a_module_is_checked_by_itself_but_not_run() {
    let module = "[pipeline]\nname = \"m\"\n\n[inputs]\nrows = \"file\"\n\n[stage.a]\nkind = \"exec\"\n\
                  command = [\"cp\", \"{inputs.a}\", \"{outputs.b}\"]\ninputs.a = \"rows\"\noutputs.b = \"b\"\n";
    let sandbox = crate::sandbox::Sandbox::new();
    sandbox.write("m.toml", module);
    sandbox.kilter(&["check", "m.toml"]).success();
    sandbox.kilter(&["run", "m.toml"]).exits(2).says("is a module: it takes `rows`");
    // Used by another, the same stage runs.
    sandbox.write("main.toml", "[pipeline]\nname = \"n\"\n\n[stage.raw]\nkind = \"fetch\"\npath = \"x.txt\"\n\n[stage.m]\nuse = \"./m.toml\"\nrows = \"raw\"\n");
    sandbox.write("x.txt", "x");
    sandbox.kilter(&["run", "main.toml"]).success().says("m/a");
}
