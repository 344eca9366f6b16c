//! The kinds that work on whole tables (`sql`, `split`, `expect`, `profile`, `redact`) with little, with nothing, and with columns
//! that are not there; sources that are no tables at all. By the program itself.

use crate::bad_input::{fails, nothing_half_written};
use crate::sandbox::{Ran, Sandbox};
use std::io::Write;

const RAW: &str = "[pipeline]\nname = \"bad\"\nedition = \"2026\"\nseed = 1\n\n[stage.raw]\nkind = \"fetch\"\n";

const TYPES: &str = "types = { k = \"str\", n = \"i64\", f = \"f64\" }";

fn reading(rows: &str, stages: &str) -> Sandbox {
    let text =
        format!("{RAW}path = \"d.csv\"\n\n[stage.table]\nkind = \"read\"\nfrom = \"raw\"\n{TYPES}\n\n{stages}\n");
    Sandbox::with_manifest(&text).file("d.csv", rows)
}

/// A stage that names the column `z`, and where the message points.
const MISSING: &[(&str, &str)] = &[
    ("kind = \"sql\"\ninputs = { t = \"table\" }\nquery = \"SELECT z FROM t\"", "column `z` does not exist"),
    ("kind = \"split\"\nfrom = \"table\"\nparts = { a = 0.5, b = 0.5 }\nstratify = \"z\"", "column `z` does not exist"),
    ("kind = \"split\"\nfrom = \"table\"\nparts = { a = 0.5, b = 0.5 }\ngroup = \"z\"", "column `z` does not exist"),
    (
        "kind = \"split\"\nfrom = \"table\"\nparts = { a = 0.5, b = 0.5 }\ntime = \"z\"\norder = [\"a\", \"b\"]",
        "column `z` does not exist",
    ),
    ("kind = \"split\"\nfrom = \"table\"\nparts = { a = \"1\", b = \"2\" }\nby = \"z\"", "column `z` does not exist"),
    ("kind = \"expect\"\nfrom = \"table\"\nchecks.a = { not_null = \"z\" }", "column `z` does not exist"),
    ("kind = \"expect\"\nfrom = \"table\"\nchecks.a = { holds = \"z > 1\" }", "column `z` does not exist"),
    ("kind = \"profile\"\nfrom = \"table\"\ntarget = \"z\"", "column `z` does not exist"),
    ("kind = \"redact\"\nfrom = \"table\"\ncolumns = [\"z\"]", "column `z` does not exist"),
    (
        "kind = \"encode\"\nfit = \"table\"\nfeatures.z = { numeric = [\"z\"] }\ntarget.n = \"number\"",
        "column `z` does not exist",
    ),
];

#[test]
fn a_missing_column_is_told_by_every_kind_before_it_runs() {
    for (stage, says) in MISSING {
        let sandbox = reading("k,n,f\na,1,1.5\n", &format!("[stage.step]\n{stage}"));
        fails(&sandbox, "step", 2, &[says, "pipeline.toml:"]);
    }
}

/// The same where nothing is known of the table before it is there.
#[test]
fn a_column_that_is_missing_once_the_table_is_there_is_told_by_every_kind() {
    let mut text = "[pipeline]\nname = \"bad\"\nedition = \"2026\"\nseed = 1\n\n[stage.table]\nkind = \"exec\"\n\
                    command = [\"sh\", \"-c\", \"printf 'k,n\\na,1\\nb,2\\n' > out.csv\"]\n\
                    outputs = { table = { path = \"out.csv\", type = \"table\" } }\n"
        .to_owned();
    for (number, (stage, _)) in MISSING.iter().enumerate() {
        text.push_str(&format!("\n[stage.step_{number}]\n{stage}\n"));
    }
    let sandbox = Sandbox::with_manifest(&text);
    let ran = sandbox.run(&["--keep-going"]).exits(1).says("now that they are there, do not fit");
    assert_eq!(ran.stderr.matches("column `z` does not exist").count(), MISSING.len(), "{}", ran.stderr);
    for number in 0..MISSING.len() {
        assert!(!sandbox.path(&format!("out/bad/step_{number}")).exists(), "step_{number} has an output");
    }
}

const KINDS: &str = r#"
[stage.sql]
kind = "sql"
inputs = { t = "table" }
query = "SELECT k, avg(f) AS m, sum(n) AS s, count(*) AS c, max(k) AS hi FROM t GROUP BY k"

[stage.window]
kind = "sql"
inputs = { t = "table" }
query = "SELECT k, avg(f) OVER (PARTITION BY k ORDER BY n ROWS BETWEEN 3 PRECEDING AND CURRENT ROW) AS m FROM t"

[stage.expect]
kind = "expect"
from = "table"
checks.range = { range = { n = { min = 0, max = 9 } } }
checks.unique = { unique = ["n"] }
checks.holds = { holds = "n <= 9" }

[stage.profile]
kind = "profile"
from = "table"

[stage.redact]
kind = "redact"
from = "table"
columns = ["k"]
"#;

#[test]
fn kinds_work_on_little_and_on_nothing() {
    for (rows, told) in [("k,n,f\n", "0 rows"), ("k,n,f\na,1,1.5\n", "1 row"), ("k,n,f\n,,\n,,\n", "2 rows")] {
        let sandbox = reading(rows, KINDS);
        sandbox.run(&[]).success().says(told);
        sandbox.run(&[]).all_cached();
        sandbox.kilter(&["verify", "--twice"]).success();
    }
}

#[test]
fn a_value_that_a_query_cannot_cast_is_told_with_what_to_do() {
    for stage in [
        "kind = \"sql\"\ninputs = { t = \"table\" }\nquery = \"SELECT CAST(k AS INT) AS i FROM t\"",
        "kind = \"table\"\nfrom = \"table\"\nsteps = [{ group = { by = \"n\", agg = { m = \"max(CAST(k AS INT))\" } } }]",
    ] {
        let sandbox = reading("k,n,f\n1.5,1,1.5\n2,2,\n", &format!("[stage.step]\n{stage}"));
        fails(&sandbox, "step", 1, &["conversion from `str` to `i32` failed", "[\"1.5\"]", "`TRY_CAST(a AS INT)`"]);
    }
}

/// Stages that cannot do with a column of long texts.
const LONG: &[&str] = &[
    "kind = \"table\"\nfrom = \"table\"\nsteps = [{ cast = { k = \"i64\" } }]",
    "kind = \"table\"\nfrom = \"table\"\nsteps = [{ derive = { d = \"CAST(k AS DATE)\" } }]",
    "kind = \"table\"\nfrom = \"table\"\nsteps = [{ pivot = { on = \"k\", columns = [\"a\"], by = \"n\", value = \"f\", agg = \"sum\" } }]",
    "kind = \"sql\"\ninputs = { t = \"table\" }\nquery = \"SELECT CAST(k AS INT) AS i FROM t\"",
    "kind = \"expect\"\nfrom = \"table\"\nchecks.a = { pattern = { k = \"^b\" } }",
    "kind = \"split\"\nfrom = \"table\"\nparts = { a = \"1\", b = \"2\" }\nby = \"k\"",
];

#[test]
fn a_very_long_value_is_told_by_its_beginning() {
    let long = "字".repeat(100_000);
    for stage in LONG {
        let sandbox = reading(&format!("k,n,f\n{long},1,1.5\n{long},2,1.5\n"), &format!("[stage.step]\n{stage}"));
        let ran = sandbox.run(&[]).exits(1).says("字…");
        assert!(ran.stderr.len() < 4_000, "{} bytes of {stage}", ran.stderr.len());
        // What `expect` found is a result, also where the gate does not hold.
        if !stage.contains("expect") {
            nothing_half_written(&sandbox, "step");
        }
    }
    for rows in [format!("k,n,f\na,{long},1.5\n"), format!("k,n,f\na,1,{long}\n")] {
        let ran = reading(&rows, "").run(&[]).exits(2).says("字…");
        assert!(ran.stderr.len() < 4_000, "{} bytes", ran.stderr.len());
    }
}

#[test]
fn a_split_of_too_few_rows_says_so() {
    let split = |rows: &str, more: &str| {
        let stage =
            format!("[stage.split]\nkind = \"split\"\nfrom = \"table\"\nparts = {{ a = 0.5, b = 0.5 }}\n{more}");
        reading(rows, &stage)
    };
    fails(&split("k,n,f\n", ""), "split", 1, &["`split`", "no rows"]);
    fails(&split("k,n,f\na,1,1.5\n", ""), "split", 1, &["`split`", "part"]);
}

/// A run that fails leaves nothing of the stage.
fn ran(sandbox: &Sandbox, stage: &str) -> Ran {
    let ran = sandbox.run(&[]);
    if ran.code != 0 {
        nothing_half_written(sandbox, stage);
    }
    ran
}

#[test]
fn a_database_file_that_is_none_is_told() {
    let ask = |bytes: &[u8], query: &str| {
        let text =
            "[pipeline]\nname = \"bad\"\nedition = \"2026\"\n\n[stage.rows]\nkind = \"database\"\npath = \"d.db\"\n";
        ran(&Sandbox::with_manifest(&format!("{text}query = \"{query}\"\n")).file("d.db", bytes), "rows")
    };
    ask(b"k,n\na,1\n", "SELECT 1 AS a").exits(2).says("d.db").says("SQLite");
    // An empty file is a database without tables.
    ask(b"", "SELECT n FROM t").exits(2).says("no such table: t");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("d.db");
    let db = rusqlite::Connection::open(&path).expect("a database");
    db.execute_batch("CREATE TABLE t (n); INSERT INTO t VALUES (1), ('x'); CREATE TABLE none (n INTEGER);")
        .expect("made");
    drop(db);
    let whole = std::fs::read(&path).expect("a database");
    ask(&whole, "SELECT m FROM t").exits(2).says("no such column: m");
    ask(&whole, "SELECT n FROM u").exits(2).says("no such table: u");
    ask(&whole, "SELECT n FROM t").exits(2).says("`n`").says("types = { \"n\" = \"str\" }");
    ask(&whole, "SELECT n FROM none").success().says("no rows").says("0 rows x 1 column");
    ask(&whole[..6000], "SELECT n FROM t").exits(2).says("d.db").says("malformed");
}

fn packed(name: &str, bytes: &[u8]) -> Vec<u8> {
    match name {
        "d.csv.zst" => zstd::encode_all(bytes, 3).expect("packed"),
        "d.csv.gz" => {
            let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            packer.write_all(bytes).expect("packed");
            packer.finish().expect("packed")
        }
        _ => {
            let mut packer = liblzma::write::XzEncoder::new(Vec::new(), 6);
            packer.write_all(bytes).expect("packed");
            packer.finish().expect("packed")
        }
    }
}

#[test]
fn a_packed_file_that_breaks_off_or_holds_something_else_is_told() {
    let read = |name: &str, bytes: &[u8]| {
        let text = format!("{RAW}path = \"{name}\"\n\n[stage.table]\nkind = \"read\"\nfrom = \"raw\"\n");
        ran(&Sandbox::with_manifest(&text).file(name, bytes), "table")
    };
    let rows: String = (0..20_000).map(|row| format!("{row},{}\n", row * 7919 % 10_007)).collect();
    for name in ["d.csv.gz", "d.csv.zst", "d.csv.xz"] {
        let whole = packed(name, format!("a,b\n{rows}").as_bytes());
        read(name, &whole).success().says("20,000 rows x 2 columns");
        read(name, &whole[..whole.len() / 2]).exits(2).says(name).says("breaks off or is damaged");
        read(name, &packed(name, b"a,b\n1,\xff\n")).exits(2).says("line 2 is not UTF-8");
        read(name, &packed(name, b"")).exits(2).says("the file is empty");
    }
}
