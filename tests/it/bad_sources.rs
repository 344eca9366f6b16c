//! Broken files of every format besides csv, and what is little but no mistake: no rows, one, nothing but missing values. By the
//! program itself; after a mistake nothing half-written is left.

use crate::bad_input::{RAW, fails, nothing_half_written, reading};
use crate::sandbox::Sandbox;
use polars::prelude::*;
use std::io::Write;

/// File, content, fields of `read`, what the message says. All are found before anything runs.
const BROKEN: &[(&str, &[u8], &str, &[&str])] = &[
    ("d.tsv", b"a\tb\n1\tx\n2\tcaf\xe9\n", "", &["line 3 is not UTF-8: found the byte 0xe9", "`d.tsv`", "latin1"]),
    ("d.tsv", b"a\tb\n1\t2\n3", "", &["line 3 has 1 field, expected 2", "bad_lines"]),
    ("d.tsv", b"a\tb\n1\t2\nx\t3\n", "types = { a = \"i64\" }", &["line 3, column `a`: found `x`", "null_values"]),
    ("d.tsv", b"a\tb\n1\t2\n", "types = { c = \"i64\" }", &["no column `c`", "the file has `a` and `b`"]),
    ("d.tsv", b"a\tb\n1\t\"x\n2\t3\n", "", &["the quote opened in line 2 is never closed"]),
    ("d.tsv", b"a\ta\n1\t2\n", "", &["the header names the column `a` twice"]),
    ("d.jsonl", b"{\"a\": 1}\n", "types = { b = \"i64\" }", &["no column `b`", "the file has `a`"]),
    ("d.jsonl", b"{\"a\": 1}\n{\"a\": 1.5}\n", "types = { a = \"i64\" }", &["line 2, column `a`: found `1.5`"]),
    ("d.json", b"[{\"a\": \"x\"},\n {\"a\": \"\xe9\"}]", "", &["line 2 is not UTF-8: found the byte 0xe9", "latin1"]),
    ("d.json", b"[{\"a\": 1}]", "types = { aa = \"i64\" }", &["no column `aa`", "the file has `a`"]),
    ("d.json", b"[{\"a\": 1}, {\"a\": \"x\"}]", "", &["element 2: `a` is a text here, and a number before", "types"]),
    ("d.json", b" \n", "", &["the file is empty", "give a file with rows"]),
    ("d.arff", b"", "", &["the file is empty", "give a file with rows"]),
    (
        "d.arff",
        b"@relation x\n@attribute a string\n@data\ncaf\xe9\n",
        "",
        &["line 4 is not UTF-8: found the byte 0xe9", "`d.arff`", "latin1"],
    ),
    (
        "d.arff",
        b"@relation x\n@attribute a numeric\n@attribute b numeric\n@data\n1,2\n3",
        "",
        &["line 6 has 1 value, expected 2", "`@attribute`"],
    ),
    (
        "d.arff",
        b"@relation x\n@attribute a string\n@data\n'brea",
        "",
        &["line 4: a quote is never closed", "mend the line"],
    ),
    ("d.xlsx", b"PK\x03\x04", "", &["`d.xlsx` does not say by its name what it is", "saved as csv"]),
    ("d.tar.gz", b"\x1f\x8b", "", &["`d.tar.gz` does not say by its name what it is", "`member`"]),
    (
        "d.png",
        b"\x89PNG",
        "",
        &["`d.png` does not say by its name what it is", "a stage of kind `exec`", "for each pixel"],
    ),
    ("d.npz", b"PK\x03\x04", "", &["`d.npz` does not say by its name what it is", "a stage of kind `exec`", "parquet"]),
    ("d.data", b"a\n1\n", "", &["`d.data` does not say by its name what it is", "`format = \"csv\"`"]),
    ("d.csv", b"BZh91AY&SY\0\xff", "", &["line 1 holds a zero byte", "bzip2", "unpack it"]),
    ("d.csv", b"\xd0\xcf\x11\xe0\0\0", "", &["line 1 holds a zero byte", "an Excel workbook", "as csv"]),
    (
        "d.arff",
        b"@relation x\n@attribute a numeric\n@data\n1\n",
        "types = { b = \"i64\" }",
        &["no column `b`", "the file has `a`"],
    ),
];

#[test]
fn a_broken_file_of_each_format_is_told_with_its_place_and_its_remedy() {
    for (file, bytes, fields, says) in BROKEN {
        fails(&reading(file, bytes, fields, ""), "table", 2, says);
    }
}

/// File, content, fields of `read`: sound, and hardly anything.
const LITTLE: &[(&str, &[u8], &str, &str)] = &[
    ("d.tsv", b"a\tb\n", "", "0 rows x 2 columns"),
    ("d.tsv", b"a\tb\n1\t2\n", "", "1 row x 2 columns"),
    ("d.tsv", b"a\tb\n\t\n\t\n", "", "2 rows x 2 columns"),
    ("d.jsonl", b"{\"a\": 1, \"b\": [1]}", "", "1 row x 2 columns"),
    ("d.json", b"[{\"a\": 1, \"b\": null}]", "", "1 row x 2 columns"),
    ("d.json", b"[{\"a\": null}, {\"a\": null}]", "", "2 rows x 1 column"),
    ("d.json", b"[{\"a\": null}, {}]", "types = { a = \"f64\" }", "2 rows x 1 column"),
    ("d.arff", b"@relation x\n@attribute a numeric\n@data\n", "", "0 rows x 1 column"),
    ("d.arff", b"@relation x\n@attribute a numeric\n@attribute b {x, y}\n@data\n1, y", "", "1 row x 2 columns"),
    ("d.arff", b"@relation x\n@attribute a numeric\n@attribute b date\n@data\n?,?\n?,?\n", "", "2 rows x 2 columns"),
];

#[test]
fn little_and_nothing_are_tables_in_every_format() {
    for (file, bytes, fields, says) in LITTLE {
        let sandbox = reading(file, bytes, fields, "");
        sandbox.run(&[]).success().says(says);
        sandbox.run(&[]).all_cached();
    }
}

#[test]
fn objects_of_far_too_many_keys_are_refused_and_many_are_read() {
    let line = |keys: usize| {
        let fields: Vec<String> = (0..keys).map(|key| format!("\"c{key}\":1")).collect();
        format!("{{{}}}", fields.join(","))
    };
    let many = reading("d.jsonl", format!("{}\n", line(200_000)).as_bytes(), "", "");
    fails(&many, "table", 2, &["the objects have 200,000 columns", "write them as rows"]);
    let many = reading("d.json", format!("[{}]", line(200_000)).as_bytes(), "", "");
    fails(&many, "table", 2, &["the objects have 200,000 columns", "write them as rows"]);
    reading("d.jsonl", line(3_000).as_bytes(), "", "").run(&[]).success().says("1 row x 3,000 columns");
}

/// A table as a parquet file, an arrow file and a stream of arrow's.
fn binary(mut df: DataFrame) -> [(&'static str, Vec<u8>); 3] {
    let (mut parquet, mut arrow) = (Vec::new(), Vec::new());
    ParquetWriter::new(&mut parquet).finish(&mut df).expect("written");
    IpcWriter::new(&mut arrow).finish(&mut df).expect("written");
    // A stream has neither the format's name before it nor the list behind it.
    let list: [u8; 4] = arrow[arrow.len() - 10..arrow.len() - 6].try_into().expect("four bytes");
    let stream = arrow[8..arrow.len() - 10 - u32::from_le_bytes(list) as usize].to_vec();
    [("d.parquet", parquet), ("d.arrow", arrow), ("stream.arrow", stream)]
}

#[test]
fn parquet_and_arrow_of_little_and_of_nothing_are_tables() {
    let frame = df!["a" => [Some(1_i64), None], "b" => ["x", "y"]].expect("a frame");
    let untyped = df!["a" => [1_i64, 2]].expect("a frame");
    let untyped = untyped.lazy().with_column(lit(NULL).alias("b")).collect().expect("a frame");
    let missing = df!["a" => [None::<i64>, None], "b" => [None::<&str>, None]].expect("a frame");
    let tables =
        [(frame.head(Some(0)), "0 rows"), (frame.head(Some(1)), "1 row"), (untyped, "2 rows"), (missing, "2 rows")];
    let more = "[stage.after]\nkind = \"sql\"\ninputs = { t = \"table\" }\nquery = \"SELECT a, b, count(*) AS n FROM t GROUP BY a, b\"\n\
                [stage.picture]\nkind = \"profile\"\nfrom = \"table\"\n";
    for (df, rows) in tables {
        for (file, bytes) in binary(df) {
            let sandbox = reading(file, &bytes, "", more);
            sandbox.run(&[]).success().says(&format!("{rows} x 2 columns"));
            sandbox.run(&[]).all_cached();
        }
    }
}

#[test]
fn parquet_and_arrow_that_lack_a_column_or_hold_another_type_are_told() {
    let frame = df!["a" => [1_i64, 300], "b" => ["x", "y"]].expect("a frame");
    for (file, bytes) in binary(frame) {
        let read = |fields: &str| reading(file, &bytes, fields, "");
        fails(&read("types = { c = \"i64\" }"), "table", 2, &["no column `c`", "the file has `a` and `b`", file]);
        let wide = read("types = { a = \"u8\" }");
        fails(&wide, "table", 1, &["row 2, column `a`: found `300`", "declare another type", file]);
    }
    let fields = [Series::new("x".into(), [1_i64])];
    let object = StructChunked::from_series("a".into(), 1, fields.iter()).expect("an object");
    let object = object.into_series().into_frame();
    for (file, bytes) in binary(object) {
        let says = ["column `a` is struct", "cannot be read as i64", "leave it out of `types`", file];
        fails(&reading(file, &bytes, "types = { a = \"i64\" }", ""), "table", 1, &says);
    }
}

#[test]
fn files_of_arrow_and_its_streams_are_one_table() {
    let frame = df!["a" => [1_i64, 300], "b" => ["x", "y"]].expect("a frame");
    let [_, (_, file), (_, stream)] = binary(frame);
    let both = folder("*.arrow", &[("1.arrow", &file), ("2.arrow", &stream)], "");
    both.run(&[]).success().says("4 rows x 3 columns");
    // One that stops between two batches is read as far as it goes, and told.
    let unended = reading("d.arrow", &stream[..stream.len() - 8], "", "");
    unended
        .run(&[])
        .success()
        .says("1 stream of arrow's has no end mark, the first `d.arrow`")
        .says("2 rows x 2 columns");
    let two = reading("d.arrow", &[&stream[..], &stream[..]].concat(), "", "");
    fails(&two, "table", 2, &["more follows behind the end of the stream", "`d.arrow`", "give each its own"]);
}

#[test]
fn files_that_pack_themselves_are_not_packed_once_more() {
    for (file, bytes) in binary(df!["a" => [1_i64]].expect("a frame")) {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gz.write_all(&bytes).expect("packed");
        let name = format!("{file}.gz");
        let says = ["the file is packed with gzip", "unpack it", name.as_str()];
        fails(&reading(&name, &gz.finish().expect("packed"), "", ""), "table", 2, &says);
    }
}

/// A pipeline that reads every file of a folder.
fn folder(pattern: &str, files: &[(&str, &[u8])], fields: &str) -> Sandbox {
    let text = format!(
        "{RAW}path = \"in/{pattern}\"\n\n[stage.table]\nkind = \"read\"\nfrom = \"raw\"\nfile_column = \"file\"\n{fields}\n"
    );
    let sandbox = Sandbox::with_manifest(&text);
    files.iter().fold(sandbox, |sandbox, (name, bytes)| sandbox.file(&format!("in/{name}"), bytes))
}

/// A file's name and bytes.
type File = (&'static str, &'static [u8]);
/// A pattern, the files that it is for, more fields of the stage, and what is said.
type BrokenFiles = (&'static str, [File; 2], &'static str, &'static [&'static str]);

#[test]
fn one_broken_file_among_several_is_named_and_nothing_is_kept() {
    let csv: [(&str, &[u8]); 3] = [("1.csv", b"a,b\n1,2\n"), ("2.csv", b"a,b\n1,\xe9\n"), ("3.csv", b"a,b\n5,6\n")];
    let broken = folder("*.csv", &csv, "");
    fails(&broken, "table", 2, &["line 2 is not UTF-8", "`2.csv`", "latin1"]);
    broken.write("in/2.csv", "a,b\n3,4\n");
    broken.run(&[]).success().says("3 rows x 3 columns");
    broken.run(&[]).all_cached();
    let cases: [BrokenFiles; 6] = [
        ("*.csv", [("1.csv", b"a,b\n1,2\n"), ("2.csv", b"a,b\n1\n")], "", &["line 2 has 1 field", "`2.csv`"]),
        (
            "*.csv",
            [("1.csv", b"a,b\n1,2\n"), ("2.csv", b"a\n1\n")],
            "",
            &["no column `b`, which `1.csv` has", "`2.csv`"],
        ),
        ("*.csv", [("1.csv", b"a,b\n1,2\n"), ("2.csv", b"")], "", &["the file is empty", "`2.csv`"]),
        (
            "*.jsonl",
            [("1.jsonl", b"{\"a\": 1}\n"), ("2.jsonl", b"{\"a\": 1}\n{\"a\": \n")],
            "",
            &["line 2, column", "`2.jsonl`"],
        ),
        (
            "*.csv",
            [("1.csv", b"a\n1\n"), ("2.csv", b"a\n1\nx\n")],
            "types = { a = \"i64\" }",
            &["line 3, column `a`: found `x`", "`2.csv`"],
        ),
        ("*", [("1.csv", b"a\n1\n"), ("2.tsv", b"a\n1\n")], "", &["`1.csv` is csv, but `2.tsv` is tsv"]),
    ];
    for (pattern, files, fields, says) in cases {
        fails(&folder(pattern, &files, fields), "table", 2, says);
    }
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(b"a\n1\n").expect("packed");
    let whole = gz.finish().expect("packed");
    let files: [(&str, &[u8]); 2] = [("1.csv.gz", &whole), ("2.csv.gz", &whole[..whole.len() - 9])];
    fails(&folder("*.gz", &files, ""), "table", 2, &["2.csv.gz", "breaks off or is damaged"]);
}

/// The files of a pattern lie in the workspace, so what a query asks of them is checked before they are fetched.
#[test]
fn columns_of_a_folder_are_known_before_anything_runs() {
    let files: [(&str, &[u8]); 2] = [("x/1.csv", b"a,b\n1,2\n"), ("y/2.csv", b"a,b\n3,x\n")];
    let more = "\n[stage.q]\nkind = \"sql\"\ninputs = { t = \"table\" }\nquery = \"SELECT zz FROM t\"\n";
    let sandbox = folder("**/*.csv", &files, more);
    let mistaken = sandbox.kilter(&["check", "pipeline.toml"]).exits(2);
    mistaken.says("E0213").says("column `zz` does not exist").says("`a`, `b` and `file`");
    let manifest = sandbox.read("pipeline.toml").replace("SELECT zz", "SELECT a, b, file");
    sandbox.write("pipeline.toml", &manifest);
    sandbox.kilter(&["check", "pipeline.toml"]).success();
    sandbox.run(&[]).success().says("2 rows x 3 columns");
    sandbox.run(&[]).all_cached();
}

#[test]
fn one_cut_off_parquet_file_among_several_is_named() {
    let frame = df!["a" => [1_i64, 2], "b" => ["x", "y"]].expect("a frame");
    let [(_, parquet), (_, arrow), (_, stream)] = binary(frame);
    for (ending, whole, keep) in [
        ("parquet", &parquet, ""),
        ("arrow", &arrow, ""),
        ("arrow", &stream, ""),
        ("parquet", &parquet, "keep = false"),
    ] {
        let names = [format!("1.{ending}"), format!("2.{ending}")];
        let files: [(&str, &[u8]); 2] = [(&names[0], whole), (&names[1], &whole[..whole.len() - 20])];
        let named = format!("`2.{ending}`");
        fails(&folder(&format!("*.{ending}"), &files, keep), "table", 2, &["cut off or damaged", "sha256", &named]);
    }
}

/// A database of one table with these rows, asked for all of it.
fn sqlite(rows: &str, fields: &str) -> Sandbox {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("d.db");
    let db = rusqlite::Connection::open(&path).expect("a database");
    db.execute_batch(&format!("CREATE TABLE t (k TEXT, n INTEGER, f REAL); {rows}")).expect("made");
    drop(db);
    let text = format!(
        "[pipeline]\nname = \"bad\"\nedition = \"2026\"\n\n[stage.rows]\nkind = \"database\"\npath = \"d.db\"\nquery = \"SELECT * FROM t\"\n{fields}\n"
    );
    Sandbox::with_manifest(&text).file("d.db", std::fs::read(&path).expect("a database"))
}

#[test]
fn databases_of_little_and_of_nothing_are_tables() {
    let types = "types = { k = \"str\", n = \"i64\", f = \"f64\" }";
    let all_null = "INSERT INTO t VALUES (NULL, NULL, NULL), (NULL, NULL, NULL)";
    for (rows, fields, says) in [
        ("INSERT INTO t VALUES ('a', 1, 1.5)", "", "1 row x 3 columns"),
        ("INSERT INTO t VALUES ('a', 1, 1.5)", types, "1 row x 3 columns"),
        (all_null, "", "2 rows x 3 columns"),
        (all_null, types, "2 rows x 3 columns"),
        ("", types, "0 rows x 3 columns"),
    ] {
        let sandbox = sqlite(rows, fields);
        sandbox.run(&[]).success().says(says);
        sandbox.run(&[]).all_cached();
        if !fields.is_empty() {
            let shown = sandbox.kilter(&["show", "pipeline.toml", "rows", "--json"]).success();
            for dtype in ["\"str\"", "\"i64\"", "\"f64\""] {
                assert!(shown.stdout.contains(dtype), "{dtype} of {rows:?}: {}", shown.stdout);
            }
        }
    }
    let wrong = sqlite("INSERT INTO t VALUES ('a', 1, 1.5), ('b', 'x', 2)", "");
    wrong.run(&[]).exits(2).says("row 2, column `n`: found a text, and a number before");
    nothing_half_written(&wrong, "rows");
}
