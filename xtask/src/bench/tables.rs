//! Tables: TPC-H and work on 3,000,000 flights against polars for Python (the newest, and the one with the engine of our crate), DuckDB
//! and pandas, with the most memory of each; our reader of delimited text against polars' and the crate `csv`; what exact
//! aggregates cost; checking 200 queries. Goals: within 1.05 times of polars' time, exact aggregates within 1.2 times of
//! polars' own, 200 queries checked in 50 ms.

use super::timing::{Times, repeat, row, time};
use super::{fresh_folder, python_environment, write};
use crate::command::{Failure, root, run};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

/// The wheel whose engine is that of the crate which kilter is built with; the newest wheel is a generation ahead of any crate.
const SAME_ENGINE: &[&str] = &["polars==1.43.2"];
const PACKAGES: &[&str] = &["polars==2.1.0", "duckdb==2.0.1", "pandas==3.1.1", "pyarrow==26.0.1"];
const QUERIES: usize = 200;
const RUNS: usize = 21;

pub fn bench() -> Result<(), Failure> {
    checking()?;
    inside("cost_of_exact_sums")?;
    inside("readers_of_text")?;
    python("speed")
}

/// TPC-H at scale factor 10 within 2 GiB: fails where a query needs more.
pub fn within_memory() -> Result<(), Failure> {
    let measured = python("memory");
    let _ = std::fs::remove_dir_all(super::target()?.join("bench/tables-memory"));
    measured
}

fn python(part: &str) -> Result<(), Failure> {
    let python = python_environment("tables", PACKAGES)?.join("python");
    let same = python_environment("tables-same-engine", SAME_ENGINE)?.join("python");
    let script = root().join("benches/tables_python.py");
    let folder = fresh_folder(&format!("tables-{part}"))?;
    let (kilter, folder) = (super::kilter()?, folder.to_string_lossy().into_owned());
    let arguments = [&*script.to_string_lossy(), &*kilter.to_string_lossy(), &folder, part, &*same.to_string_lossy()];
    run(&python.to_string_lossy(), arguments, &[])
}

/// A measurement inside the library, which is a test that is not run otherwise.
fn inside(test: &str) -> Result<(), Failure> {
    println!();
    run("cargo", ["test", "--quiet", "--lib", test, "--", "--ignored", "--nocapture"], &[])
}

/// `kilter check` of 200 queries: joins, windows, groups and filters over tables of 20 columns, in chains of ten.
fn checking() -> Result<(), Failure> {
    let folder = fresh_folder("tables-check")?;
    let columns: Vec<String> = (0..20).map(|column| format!("c{column}")).collect();
    let line = |row: usize| (0..20).map(|column| (row * 20 + column).to_string()).collect::<Vec<_>>().join(",");
    let lines: Vec<String> = (0..100).map(line).collect();
    write(&folder.join("t.csv"), &format!("{}\n{}\n", columns.join(","), lines.join("\n")))?;
    write(&folder.join("kilter.toml"), "")?;
    // What was found last time stands until the manifest changes, and of each query until the query changes.
    std::fs::create_dir(folder.join(".kilter"))
        .map_err(|error| Failure::new(format!("cannot make a folder: {error}")))?;
    let kilter = super::kilter()?;
    let measured = |what: &str, manifest: &dyn Fn(usize) -> String| -> Result<(), Failure> {
        let mut times = Vec::new();
        for round in 0..RUNS {
            write(&folder.join("many.toml"), &manifest(round))?;
            times.push(time(&|| check(&kilter, &folder))?);
        }
        row(&format!("kilter check, {QUERIES} queries, {what}"), &Times::new(times));
        Ok(())
    };
    measured("all of them new", &|round| manifest(round * QUERIES, 0))?;
    measured("one of them edited", &|round| manifest(0, round))?;
    row(&format!("kilter check, {QUERIES} queries, again"), &repeat(RUNS, &|| check(&kilter, &folder))?);
    Ok(())
}

fn check(kilter: &Path, folder: &Path) -> Command {
    let mut command = Command::new(kilter);
    command.args(["check", "many.toml"]).current_dir(folder);
    command
}

/// Each query has a number of its own in it, from `first` on; the one in the middle another, `edit` times.
fn manifest(first: usize, edit: usize) -> String {
    let mut text = String::from(
        "[pipeline]\nname = \"many\"\nedition = \"2026\"\n\n[stage.raw]\nkind = \"fetch\"\npath = \"t.csv\"\n\n\
         [stage.t]\nkind = \"read\"\nfrom = \"raw\"\n",
    );
    let forms = [
        "SELECT c0, c1, c2, c3 + c4 AS c3, c4 FROM a WHERE c1 > NUMBER AND c2 IS NOT NULL",
        "SELECT c0, c1, c2, avg(c3) AS c3, sum(c4) AS c4 FROM a GROUP BY c0, c1, c2 HAVING count(*) > NUMBER",
        "SELECT a.c0, a.c1, b.c2, a.c3, b.c4 FROM a JOIN b ON a.c0 = b.c0 AND a.c1 = b.c1 WHERE a.c1 <> NUMBER",
        "SELECT c0, c1, c2, c3 - avg(c3) OVER (PARTITION BY c1) AS c3, lag(c4) OVER (PARTITION BY c0 ORDER BY c1) AS c4 FROM a WHERE c2 <> NUMBER",
        "WITH g AS (SELECT c0, max(c3) AS m FROM a GROUP BY c0) SELECT a.c0, c1, c2, c3 / m AS c3, c4 FROM a JOIN g ON a.c0 = g.c0 ORDER BY c1 LIMIT NUMBER",
    ];
    for index in 0..QUERIES {
        let before = if index % 10 == 0 { "t".to_owned() } else { format!("s{}", index - 1) };
        let edited = if index == QUERIES / 2 { edit * QUERIES } else { 0 };
        let query = forms[index % forms.len()].replace("NUMBER", &(first + index + edited).to_string());
        let _ = write!(
            text,
            "\n[stage.s{index}]\nkind = \"sql\"\ninputs = {{ a = \"{before}\", b = \"t\" }}\nquery = \"{query}\"\n"
        );
    }
    text
}
