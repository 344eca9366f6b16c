//! Broken files through every source, and data that a step cannot work with, by the program itself: the message names the
//! file, the line or row, the column and the remedy, the exit code is right, and nothing half-written is left.

use crate::sandbox::{Ran, Sandbox};
use std::io::Write;

pub const RAW: &str = "[pipeline]\nname = \"bad\"\nedition = \"2026\"\n\n[stage.raw]\nkind = \"fetch\"\n";

/// A pipeline that reads one file, with more fields of its `read` and more stages.
pub fn reading(file: &str, bytes: &[u8], fields: &str, more: &str) -> Sandbox {
    let text =
        format!("{RAW}path = \"{file}\"\n\n[stage.table]\nkind = \"read\"\nfrom = \"raw\"\n{fields}\n\n{more}\n");
    Sandbox::with_manifest(&text).file(file, bytes)
}

/// Nothing of a stage is in `out/`, and no folder of work in progress holds anything.
pub fn nothing_half_written(sandbox: &Sandbox, stage: &str) {
    assert!(!sandbox.path(&format!("out/bad/{stage}")).exists(), "there is an output of `{stage}`");
    assert!(!sandbox.path("pipeline.lock").exists(), "there is a lock");
    let files = walkdir::WalkDir::new(sandbox.path(".kilter")).into_iter().filter_map(Result::ok);
    for file in files.filter(|entry| entry.file_type().is_file()) {
        let place = file.path().strip_prefix(sandbox.path("")).unwrap_or(file.path()).display().to_string();
        for part in ["/tmp/", "/staging/", "/scratch/", ".partial"] {
            assert!(!place.contains(part), "{place} is left");
        }
    }
    let begun = std::fs::read_dir(sandbox.path(".kilter/store-v1/tmp")).into_iter().flatten().flatten();
    let begun: Vec<_> = begun.map(|entry| entry.path()).collect();
    assert!(begun.is_empty(), "{begun:?} is left");
    let shown = sandbox.kilter(&["show", "pipeline.toml", stage]);
    assert!(shown.code != 0, "there is a result of `{stage}`: {}", shown.stdout);
}

pub fn fails(sandbox: &Sandbox, stage: &str, code: i32, says: &[&str]) {
    let mut ran: Ran = sandbox.run(&[]).exits(code);
    for text in says {
        ran = ran.says(text);
    }
    nothing_half_written(sandbox, stage);
}

/// File, content, fields of `read`, what the message says. All are found before anything runs.
const BROKEN: &[(&str, &[u8], &str, &[&str])] = &[
    (
        "d.csv",
        b"a,b\n1,x\n2,caf\xe9\n",
        "",
        &["line 3 is not UTF-8: found the byte 0xe9", "`d.csv`", "encoding = \"latin1\""],
    ),
    ("d.csv", b"a,b\n1,\xd6\xca\xc1\xbf\n", "", &["line 2 is not UTF-8", "encoding = \"gbk\""]),
    ("d.csv", b"\xff\xfea\0,\0b\0\n\0", "", &["encoding = \"utf16\""]),
    ("d.csv", b"a,b\n1,\x81\xff\n", "encoding = \"gbk\"", &["line 2", "gbk"]),
    (
        "d.csv",
        b"a,b\n1,2\nx,3\n",
        "types = { a = \"i64\" }",
        &["line 3, column `a`: found `x`", "expected a whole number", "null_values"],
    ),
    ("d.csv", b"a,b\n1,2\n", "types = { c = \"i64\" }", &["no column `c`", "the file has `a` and `b`"]),
    ("d.csv", b"a,b\n1,2\n3\n", "", &["line 3 has 1 field, expected 2", "bad_lines"]),
    ("d.csv", b"a,b\n1,\"x\n2,3\n", "", &["the quote opened in line 2 is never closed", "quote = \"\""]),
    ("d.csv", b"\n\n", "", &["the file is empty", "give a file with rows"]),
    ("d.tsv", b"", "", &["the file is empty", "`d.tsv`"]),
    ("d.parquet", b"", "", &["the file is empty, expected parquet", "give a file with rows"]),
    ("d.parquet", b"a,b\n1,2\n", "", &["cannot be read as parquet", "say what the file is with `format`"]),
    ("d.arrow", b"", "", &["the file is empty, expected arrow"]),
    ("d.jsonl", b"{\"a\": 1}\n{\"a\": 2\n{\"a\": 3}\n", "", &["line 2, column 7", "bad_lines = \"reject\""]),
    (
        "d.jsonl",
        b"{\"a\": 1}\n{\"a\": \"x\"}\n",
        "",
        &["line 2: `a` is a text here, and a number before", "types = { \"a\" = \"str\" }"],
    ),
    ("d.jsonl", b"{\"a\": 1}\n[1]\n", "", &["line 2 is not an object", "its keys the columns"]),
    ("d.jsonl", b"{\"a\": \"x\"}\n{\"a\": \"\xe9\"}\n", "", &["line 2 is not UTF-8", "latin1"]),
    ("d.jsonl", b"", "", &["the file is empty", "give a file with rows"]),
    ("d.json", b"[{\"a\": 1}, {\"a\": 2", "", &["line 1, column 18", "the file is cut off"]),
    ("d.json", b"3", "", &["the file holds a number, expected a list of objects", "format"]),
    ("d.json", b"[]", "", &["the list holds no object", "give a file with rows"]),
    ("d.json", b"{\"rows\": [{\"a\": 1}]}", "records = \"row\"", &["there is no key `row`", "did you mean `rows`?"]),
    (
        "d.arff",
        b"@relation x\n@attribute a numeric\n@data\n1\nx\n",
        "",
        &["line 5, attribute `a`: found `x`, expected a number", "`@attribute`"],
    ),
    ("d.arff", b"@relation x\n@attribute a numeric\n", "", &["it has no `@data`", "`format`"]),
    ("d.idx", b"", "", &["the file is empty", "MNIST"]),
    (
        "d.idx",
        b"\0\0\x08\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xffabc",
        "",
        &["4294967295 x 4294967295", "sha256"],
    ),
    ("d.idx", b"\0\0\x0d\x01\0\0\0\x01\0\0\0\0", "", &["elements of type 0x0d", "unsigned bytes"]),
    ("d.idx", b"\0\0\x08\x01\0\0\0\x03ab", "", &["holds 2 bytes after its header, which promises 3", "sha256"]),
    (
        "d.csv.gz",
        b"\x1f\x8b\x08\0\0\0\0\0\0\xffKL",
        "",
        &["cannot read `d.csv.gz`", "breaks off or is damaged", "sha256"],
    ),
];

#[test]
fn a_broken_file_is_told_with_its_place_and_its_remedy() {
    for (file, bytes, fields, says) in BROKEN {
        fails(&reading(file, bytes, fields, ""), "table", 2, says);
    }
}

/// The labels of images are looked at before anything runs, as the images are.
#[test]
fn labels_that_do_not_fit_their_images_are_told() {
    let images: &[u8] = b"\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x01ab";
    let cases: [(&[u8], &[&str]); 2] = [
        (images, &["`labels` has 3 dimensions, expected 1", "`labels.idx`"]),
        (b"\0\0\x08\x01\0\0\0\x03abc", &["there are 2 images, but 3 labels", "of the same part"]),
    ];
    let fetched = "[stage.labels]\nkind = \"fetch\"\npath = \"labels.idx\"";
    for (labels, says) in cases {
        let sandbox = reading("images.idx", images, "labels = \"labels\"", fetched).file("labels.idx", labels);
        fails(&sandbox, "table", 2, says);
    }
}

#[test]
fn cut_off_parquet_and_arrow_are_told_from_files_of_another_format() {
    for name in ["nested.parquet", "nested.arrow"] {
        let whole = std::fs::read(format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"))).expect("test data");
        let cut = &whole[..whole.len() / 2];
        fails(&reading(name, cut, "", ""), "table", 2, &["cut off or damaged", "sha256", name]);
    }
}

#[test]
fn json_that_is_nested_without_end_is_refused() {
    let deep = "[".repeat(200_000);
    fails(&reading("d.json", deep.as_bytes(), "", ""), "table", 2, &["more than 128 levels deep"]);
    let line = format!("{{\"a\":{deep}\n");
    fails(&reading("d.jsonl", line.as_bytes(), "", ""), "table", 2, &["line 1", "more than 128 levels deep"]);
}

#[test]
fn a_file_of_far_too_many_columns_is_refused_and_many_are_read() {
    let csv = |columns: usize| {
        let names: Vec<String> = (0..columns).map(|column| format!("c{column}")).collect();
        format!("{}\n{}1\n", names.join(","), "1,".repeat(columns - 1))
    };
    let many = reading("d.csv", csv(200_000).as_bytes(), "", "");
    fails(&many, "table", 2, &["the first row has 200,000 columns, more than the 100,000", "separator"]);
    reading("d.csv", csv(3_000).as_bytes(), "", "").run(&[]).success().says("1 row x 3,000 columns");
}

#[test]
fn little_and_nothing_are_tables_too() {
    let empty = reading("d.csv", b"a,b\n", "", "").run(&[]).success();
    empty.says("`d.csv` has column names, but no rows").says("0 rows x 2 columns");
    reading("d.csv", b"a,b\n1,2\n", "", "").run(&[]).success().says("1 row x 2 columns");
    let nulls = reading("d.csv", b"a,b\n,\n,\n", "types = { a = \"f64\", b = \"str\" }", "");
    nulls.run(&[]).success().says("2 rows x 2 columns");
    reading("d.jsonl", b"{\"a\": null}\n{\"a\": null}\n", "", "").run(&[]).success().says("2 rows x 1 column");
}

fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).expect("a member");
        writer.write_all(bytes).expect("written");
    }
    writer.finish().expect("finished").into_inner()
}

#[test]
fn archives_that_lead_out_are_cut_off_or_lack_the_member_leave_nothing() {
    let fetch = |bytes: &[u8]| {
        Sandbox::with_manifest(&format!("{RAW}path = \"x.zip\"\nmember = \"a.csv\"\n")).file("x.zip", bytes)
    };
    let escaping = fetch(&zip(&[("a.csv", b"a\n1\n"), ("../evil", b"x")]));
    fails(&escaping, "raw", 1, &["`x.zip` is refused", "`../evil` leads out of the folder", "take another release"]);
    assert!(!escaping.path("../evil").exists() && !escaping.path("evil").exists());
    let whole = zip(&[("a.csv", b"a\n1\n")]);
    fails(&fetch(&whole[..whole.len() / 2]), "raw", 1, &["`x.zip` is damaged", "make it again"]);
    fails(&fetch(&zip(&[("b.csv", b"a\n1\n")])), "raw", 1, &["has no member `a.csv`", "did you mean `b.csv`?"]);
    fails(&fetch(b""), "raw", 1, &["is not an archive", "leave `member` out"]);
    let mended = fetch(b"");
    mended.run(&[]).exits(1);
    mended.write("x.zip", whole);
    mended.run(&[]).success();
    mended.run(&[]).all_cached();
}

/// A packed file that unpacks to far more than its size lets expect. With smaller limits every format is tested beside the
/// code; here the program writes 4.7 GB before it stops: `cargo test --test it -- --ignored bomb`.
#[test]
#[ignore = "writes 4.7 GB"]
fn a_bomb_is_refused_before_it_fills_the_disk() {
    let sandbox = Sandbox::with_manifest(&format!("{RAW}path = \"x.zip\"\nmember = \"a.csv\"\n"));
    let mut writer = zip::ZipWriter::new(std::fs::File::create(sandbox.path("x.zip")).expect("a file"));
    let large = zip::write::SimpleFileOptions::default().large_file(true).compression_level(Some(9));
    writer.start_file("a.csv", large).expect("a member");
    let zeros = vec![b'0'; 16 << 20];
    for _ in 0..300 {
        writer.write_all(&zeros).expect("written");
    }
    writer.finish().expect("finished");
    fails(&sandbox, "raw", 1, &["`x.zip` is refused", "far more than", "unpack it yourself"]);
}

const ROWS: &[u8] = b"k,n,f,s,d,t\na,1,1.5,x,2024-01-31,10:30\nb,300,,y-z,2024-02-30,25:00\n";

/// A step, the exit code, what the message says.
const STEPS: &[(&str, i32, &[&str])] = &[
    (r#"{ filter = "n" }"#, 2, &["a filter needs bool"]),
    (r#"{ derive = { q = "nn + 1" } }"#, 2, &["column `nn` does not exist", "did you mean `n`?"]),
    (
        r#"{ derive = { q = "strptime(s, '%Y')" } }"#,
        1,
        &["step 1, `derive`", "to `datetime` failed in column 's'", "`strptime(a, '%d/%m/%Y')` says how"],
    ),
    (
        r#"{ cast = { s = "i64" } }"#,
        1,
        &[
            "step 1, `cast`",
            "column `s`: 2 of 2 values have no form as i64, the first is `x` in row 1",
            "filter or mend those values",
        ],
    ),
    (r#"{ cast = { n = "u8" } }"#, 1, &["column `n`: 1 of 2 values has no form as u8, the first is `300` in row 2"]),
    (
        r#"{ cast = { f = "i64" } }"#,
        1,
        &["column `f`: 1 of 2 values has no form as i64, the first is `1.5` in row 1", "round"],
    ),
    (
        r#"{ cast = { d = "date" } }"#,
        1,
        &["column `d`: 1 of 2 values has no form as date, the first is `2024-02-30` in row 2"],
    ),
    (
        r#"{ cast = { t = "time" } }"#,
        1,
        &["column `t`: 1 of 2 values has no form as time, the first is `25:00` in row 2"],
    ),
    (r#"{ cast = { s = "datetime" } }"#, 1, &["2 of 2 values have no form as datetime", "strptime"]),
    (
        r#"{ clean = { columns = "n" } }"#,
        2,
        &["column `n` is i64, but a column of texts is needed", "cast it to `str`"],
    ),
    (
        r#"{ clean = { columns = "s", replace = [{ pattern = "(" }] } }"#,
        2,
        &["no regular expression", "unclosed group"],
    ),
    (r#"{ rename = { n = "f" } }"#, 2, &["two columns `f`", "drop or rename the other"]),
    (r#"{ rename = { n = "K" } }, { names = "snake_case" }"#, 2, &["would both be named `k`", "rename one"]),
    (r#"{ select = [] }"#, 2, &["no columns left"]),
    (r#"{ drop = "*" }"#, 2, &["no columns left"]),
    (r#"{ fill = { s = "mean" } }"#, 2, &["column `s` is str, but a column of numbers is needed"]),
    (r#"{ dedupe = { by = [] } }"#, 2, &["`by` of a dedupe needs at least one column"]),
    (r#"{ sort = { by = "z" } }"#, 2, &["column `z` does not exist"]),
    (
        r#"{ join = { with = "table", left_on = "n", right_on = "s" } }"#,
        2,
        &["`n` is i64, but `s` of the other table is str", "cast one of them"],
    ),
    (r#"{ concat = { with = ["tabel"] } }"#, 2, &["stage `tabel` does not exist", "did you mean `table`?"]),
    (r#"{ group = { by = "k", agg = { m = "f" } } }"#, 2, &["`m` has many values in each group", "first(…)"]),
    (r#"{ window = { by = "kk", columns = { m = "lag(n)" } } }"#, 2, &["column `kk` does not exist"]),
    (r#"{ explode = "s" }"#, 2, &["column `s` is str, but a list is needed", "string_to_array"]),
    (r#"{ explode = [] }"#, 2, &["needs at least one column"]),
    (
        r#"{ derive = { p = "string_to_array(s, '-')", q = "string_to_array(d, '-')" } }, { explode = ["p", "q"] }"#,
        1,
        &["step 2, `explode`", " in `p`, but ", "equally long"],
    ),
    (
        r#"{ pivot = { on = "k", columns = ["a"], by = "n", value = "f", agg = "sum" } }"#,
        1,
        &["column `k` has the value `b`, which `columns` does not list", "list the value in `columns`"],
    ),
    (
        r#"{ pivot = { on = "k", columns = ["z"], by = "n", value = "f", agg = "sum" } }"#,
        1,
        &["column `k` has values that `columns` does not list: `a` and `b`"],
    ),
    (
        r#"{ unpivot = { on = ["n", "s"], index = ["k"] } }"#,
        2,
        &["`n` is i64, but `s` is str", "cast them to one type"],
    ),
    (r#"{ unpivot = { on = [], index = ["k"] } }"#, 2, &["needs at least one column"]),
    (r#"{ sample = { fraction = 2.0 } }"#, 2, &["between 0 and 1, not 2"]),
];

#[test]
fn what_a_step_cannot_do_is_told_at_the_step() {
    for (steps, code, says) in STEPS {
        let stage = format!("[stage.step]\nkind = \"table\"\nfrom = \"table\"\nsteps = [{steps}]\n");
        let sandbox = reading("d.csv", ROWS, "", &stage);
        let ran = sandbox.run(&[]).exits(*code).says("pipeline.toml:");
        assert!(!ran.stderr.contains("Deprecation"), "{}", ran.stderr);
        fails(&sandbox, "step", *code, says);
    }
}

/// Steps over a table without rows, of one row, and of missing values only.
#[test]
fn steps_work_on_little_and_on_nothing() {
    let steps = r#"
[stage.step]
kind = "table"
from = "table"
steps = [
  { cast = { n = "f64", f = "f32", d = "date" } },
  { clean = { columns = "*", form = "nfkc", squeeze = true, null_values = [""] } },
  { names = "snake_case" },
  { derive = { half = "n / 2", part = "string_to_array(s, '-')" } },
  { fill = { n = "mean", f = "median", s = "none" } },
  { window = { by = "k", order = "n", columns = { before = "lag(n)", total = "sum(n)" } } },
  { explode = "part" },
  { join = { with = "table", on = "k", how = "left" } },
  { dedupe = { by = ["k", "part"] } },
  { sort = { by = ["k", "n"] } },
  { unpivot = { on = ["half", "before"], index = ["k"] } },
  { group = { by = "k", agg = { count = "count(*)", mean = "avg(value)", deviation = "stddev(value)" } } },
  { sample = { fraction = 1.0 } },
]
"#;
    let types = "types = { k = \"str\", n = \"i64\", f = \"f64\", s = \"str\", d = \"str\", t = \"str\" }";
    let rows: [(&[u8], &str); 3] = [
        (b"k,n,f,s,d,t\n", "0 rows x 4 columns"),
        (b"k,n,f,s,d,t\na,1,1.5,x,2024-01-31,10:30\n", "1 row x 4 columns"),
        (b"k,n,f,s,d,t\n,,,,,\n,,,,,\n", "1 row x 4 columns"),
    ];
    for (bytes, says) in rows {
        let sandbox = reading("d.csv", bytes, types, steps);
        sandbox.run(&["step"]).success().says(says);
        sandbox.run(&["step"]).all_cached();
    }
}
