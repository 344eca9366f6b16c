//! `read` on real data and on every kind of broken file.

use super::*;
use crate::frame::read_table;
use crate::stage::testing::Bench;
use crate::stage::{Input, InputFile};
use std::io::Write;

const PENGUINS: &[u8] = include_bytes!("../../../../tests/data/penguins.csv");

fn bench(name: &str, bytes: &[u8]) -> Bench {
    let mut bench = Bench::default();
    bench.input("raw", ArtifactType::File, &[(name, bytes)]);
    bench
}

fn read(name: &str, bytes: &[u8], fields: &str) -> Result<(Produced, polars::prelude::DataFrame), StageError> {
    let bench = bench(name, bytes);
    let produced = bench.run::<Read>(&format!("from = \"raw\"\n{fields}"))?;
    let path = bench.place("staging").join(TABLE).join("table.parquet");
    let file = InputFile { name: "table.parquet".into(), path, size: 0, digest: crate::digest::Digest::of(b"") };
    let input = Input::new(produced.ports[0].ty.clone(), file.digest, vec![file]);
    Ok((produced, read_table(&input)?))
}

fn types(produced: &Produced) -> Vec<String> {
    let ArtifactType::Table(schema) = &produced.ports[0].ty else { panic!("a table") };
    schema.columns.iter().map(|column| format!("{} {}", column.name, column.dtype)).collect()
}

fn failure(bytes: &[u8], fields: &str) -> StageError {
    read("a.csv", bytes, fields).expect_err("it fails")
}

#[test]
fn penguins_are_read_with_their_types() {
    let (produced, df) = read("penguins.csv", PENGUINS, "null_values = [\"NA\"]").expect("read");
    assert_eq!(produced.summary, "344 rows x 8 columns");
    let expected = [
        "species str",
        "island str",
        "bill_length_mm f64",
        "bill_depth_mm f64",
        "flipper_length_mm i64",
        "body_mass_g i64",
        "sex str",
        "year i64",
    ];
    assert_eq!(types(&produced), expected);
    assert_eq!(df.column("sex").expect("there").null_count(), 11);
    assert_eq!(df.column("bill_length_mm").expect("there").null_count(), 2);
    let (declared, _) =
        read("penguins.csv", PENGUINS, "null_values = [\"NA\"]\ntypes = { year = \"i16\", \"b*_mm\" = \"f32\" }")
            .expect("read");
    assert_eq!(types(&declared)[2..4], ["bill_length_mm f32", "bill_depth_mm f32"]);
    assert_eq!(types(&declared)[7], "year i16");
}

#[test]
fn compression_and_line_ends_do_not_count() {
    let digest = |name: &str, bytes: &[u8]| {
        read(name, bytes, "null_values = [\"NA\"]").expect("read").0.ports[0].table.clone().expect("digests")
    };
    let plain = digest("penguins.csv", PENGUINS);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(PENGUINS).expect("written");
    assert_eq!(digest("penguins.csv.gz", &gz.finish().expect("finished")), plain);
    let crlf = String::from_utf8(PENGUINS.to_vec()).expect("text").replace("\r\n", "\n").replace('\n', "\r\n");
    assert_eq!(digest("penguins.csv", crlf.as_bytes()), plain);
    let bom = [b"\xef\xbb\xbf", PENGUINS].concat();
    assert_eq!(digest("penguins.csv", &bom), plain);
    assert_eq!(digest("penguins.csv", crlf.trim_end().as_bytes()), plain);
}

#[test]
fn quotes_enclose_separators_line_ends_and_quotes() {
    let text = b"a,b\n\"x, \"\"y\"\"\nz\",1\n\"\",\nNA,3\n";
    let (_, df) = read("a.csv", text, "null_values = [\"NA\"]").expect("read");
    let a: Vec<Option<&str>> = df.column("a").expect("a").str().expect("text").iter().collect();
    assert_eq!(a, [Some("x, \"y\"\nz"), Some(""), None]);
    assert_eq!(df.column("b").expect("b").i64().expect("i64").iter().collect::<Vec<_>>(), [Some(1), None, Some(3)]);
}

#[test]
fn numbers_may_be_missing_where_every_field_is_in_quotes() {
    let text = b"\"n\",\"price\",\"day\",\"ok\",\"note\"\n\"1\",\"\",\"2026-05-04\",\"NA\",\"\"\n\"\",\"2.50\",\"NA\",\"true\",\"NA\"\n";
    let declared = "types = { n = \"i64\", price = \"decimal(10, 2)\", day = \"date\", ok = \"bool\" }";
    let nulls = "null_values = [\"NA\"]";
    let (produced, df) = read("a.csv", text, &format!("{declared}\n{nulls}")).expect("read");
    assert_eq!(types(&produced), ["n i64", "price decimal(10, 2)", "day date", "ok bool", "note str"]);
    let missing: Vec<usize> = df.columns().iter().map(|column| column.null_count()).collect();
    assert_eq!(missing, [1, 1, 1, 1, 0], "a text in quotes is what it is: {df}");
    let rejecting = format!("{declared}\n{nulls}\nbad_lines = \"reject\"");
    assert_eq!(read("a.csv", text, &rejecting).expect("read").0.summary, "2 rows x 5 columns");
    assert_eq!(types(&read("a.csv", text, nulls).expect("read").0)[0], "n str", "until it is declared");
    let error = failure(text, declared);
    assert_eq!(error.message, "line 3, column `day`: found `NA`, expected a date like 2026-05-04");
    let error = failure(b"n\n\"-\"\n", "types = { n = \"f64\" }");
    assert!(error.hints[0].contains("add it to `null_values`"), "{:?}", error.hints);
    assert!(read("a.csv", b"n\n\"-\"\n", "types = { n = \"f64\" }\nnull_values = [\"-\"]").is_ok());
}

#[test]
fn adult_has_spaces_after_commas_and_question_marks() {
    let text = b"39, State-gov, 77516, <=50K\n50, ?, 83311, >50K\n\n";
    let fields = "format = \"csv\"\nheader = false\nnames = [\"age\", \"work\", \"weight\", \"income\"]\ntrim = true\nnull_values = [\"?\"]";
    let (produced, df) = read("adult.data", text, fields).expect("read");
    assert_eq!(types(&produced), ["age i64", "work str", "weight i64", "income str"]);
    assert_eq!(df.column("work").expect("there").str().expect("text").get(0), Some("State-gov"));
    assert_eq!(df.column("work").expect("there").null_count(), 1);
}

#[test]
fn dates_are_read_when_asked_for() {
    let text = b"d,t\n2013-01-01,2013-01-01T10:00:00Z\n,2013-06-30 23:59:59\n";
    let (plain, _) = read("a.csv", text, "").expect("read");
    assert_eq!(types(&plain), ["d str", "t str"]);
    let (typed, df) = read("a.csv", text, "types = { d = \"date\", t = \"datetime\" }").expect("read");
    assert_eq!(types(&typed), ["d date", "t datetime"]);
    assert_eq!(df.column("t").expect("t").null_count(), 0);
    let error = failure(b"d\n2013-01-01\n01/02/2013\n", "types = { d = \"date\" }");
    assert_eq!(error.message, "line 3, column `d`: found `01/02/2013`, expected a date like 2026-05-04");
}

#[test]
fn inference_sees_the_last_row() {
    let mut text = String::from("a,b,c\n");
    text.push_str(&"1,1,true\n".repeat(5000));
    text.push_str("2.5,x,false\n");
    let (produced, _) = read("a.csv", text.as_bytes(), "").expect("read");
    assert_eq!(types(&produced), ["a f64", "b str", "c bool"]);
    let (produced, _) = read("a.csv", b"id\n12345678901234567890123\n", "").expect("read");
    assert_eq!(types(&produced), ["id str"]);
}

#[test]
fn what_a_number_would_lose_stays_text() {
    let (produced, _) = read("a.csv", b"zip,hash,n\n02134,12e4567,0\n10001,31e9999,-7\n", "").expect("read");
    assert_eq!(types(&produced), ["zip str", "hash str", "n i64"]);
    let (produced, _) = read("a.csv", b"zip\n02134\n", "types = { zip = \"i64\" }").expect("read");
    assert_eq!(types(&produced), ["zip i64"], "where it is declared, it is a number");
    let error = failure(b"x\n1.5\n1e999\n", "types = { x = \"f64\" }");
    assert_eq!(error.message, "line 3, column `x`: found `1e999`, expected a number (f64)");
    let error = failure(b"x\n1e39\n", "types = { x = \"f32\" }");
    assert_eq!(error.message, "line 2, column `x`: found `1e39`, expected a number (f32)");
}

#[test]
fn words_for_true_are_asked_for() {
    let error = failure(b"paid\nYes\n", "types = { paid = \"bool\" }");
    assert_eq!(error.message, "line 2, column `paid`: found `Yes`, expected true or false");
    let hint = "if `Yes` is a word for true or false, say so: `true_values` and `false_values`";
    assert_eq!(error.hints[0], hint);
}

#[test]
fn another_separator_is_guessed_aloud() {
    let warned = |text: &[u8], fields: &str| {
        let bench = bench("a.csv", text);
        bench.run::<Read>(&format!("from = \"raw\"\n{fields}")).expect("read");
        let warnings = bench.warnings.lock().expect("no panic").clone();
        warnings.join("; ")
    };
    let told = "there is one column, `a;b`: if `;` stands between fields, say `separator = \";\"`";
    assert_eq!(warned(b"a;b\n1;2\n", ""), told);
    assert!(warned(b"a\tb\n1\t2\n", "").ends_with("say `separator = \"\\t\"`"));
    for fields in ["separator = \",\"", "header = false", "names = [\"a;b\"]"] {
        assert_eq!(warned(b"a;b\n1;2\n", fields), "", "{fields}");
    }
    assert_eq!(warned(b"a,b;c\n1,2\n", ""), "");
}

#[test]
fn a_ragged_line_is_named() {
    let error = failure(b"a,b\n1,2\n\"x\ny\",2\n1,2,3\n", "");
    assert_eq!(error.message, "line 5 has 3 fields, expected 2");
    assert!(error.notes.iter().any(|note| note == "line 5: 1,2,3"), "{:?}", error.notes);
    assert!(error.notes.iter().any(|note| note == "in `a.csv`"), "{:?}", error.notes);
    let error = failure(b"1,2\n3\n", "header = false\nnames = [\"a\", \"b\"]");
    assert_eq!(error.message, "line 2 has 1 field, expected 2");
    let error = failure(b"1,2,3\n", "header = false\nnames = [\"a\", \"b\"]");
    assert_eq!(error.message, "line 1 has 3 fields, expected 2");
}

#[test]
fn lines_that_end_in_two_ways_are_told() {
    let error = failure(b"a,b\r1,2\r3,4\n", "");
    assert_eq!(error.message, "the first row holds a carriage return that is not in quotes");
    let error = failure(b"a,b\r\n1,2\n3,4\r5,6\r\n", "");
    assert_eq!(error.message, "line 3 has 3 fields, expected 2");
    assert!(error.notes.iter().any(|note| note == "line 3: 3,4\\r5,6"), "{:?}", error.notes);
    assert!(error.hints[0].starts_with("a carriage return alone"), "{:?}", error.hints);
    let (produced, _) = read("a.csv", b"\"a\rb\",c\n1,2\n", "").expect("read");
    assert_eq!(types(&produced), ["a\rb i64", "c i64"], "in quotes it belongs to the name");
}

#[test]
fn broken_files_say_what_is_wrong() {
    assert_eq!(failure(b"", "").message, "the file is empty: it has no rows, not even column names");
    assert_eq!(failure(b"a,a\n1,2\n", "").message, "the header names the column `a` twice");
    assert_eq!(failure(b"a\n\"1\n2\n", "").message, "the quote opened in line 2 is never closed");
    assert!(failure(b"a\n\"1\"2\n", "").message.starts_with("line 2 has text between a closing quote"));
    assert_eq!(failure(b"a\n\xe9\n", "").message, "line 2 is not UTF-8: found the byte 0xe9");
    let error = failure(b"a,b\n1,2\n300,2\n", "types = { a = \"u8\" }");
    assert_eq!(error.message, "line 3, column `a`: found `300`, expected a whole number from 0 to 255 (u8)");
    let error = failure(b"a,b\n1,2\nNA,2\n", "types = { a = \"f64\" }");
    assert!(error.hints[0].contains("null_values"), "{:?}", error.hints);
    let error = failure(b"a,b\n1,2\n", "types = { c = \"f64\" }");
    assert_eq!(error.message, "there is no column `c` of `types`");
    let error = read("noname", b"a\n1\n", "").expect_err("it fails");
    assert!(error.hints[0].contains("format"), "{error:?}");
    assert!(read("a.parquet", b"a\n1\n", "").expect_err("it fails").message.contains("parquet"));
    assert!(read("a.arrow", b"", "").expect_err("it fails").message.contains("empty"));
}

#[test]
fn a_file_without_rows_is_a_table_without_rows() {
    let (produced, df) = read("a.csv", b"a,b\n", "types = { a = \"f64\" }").expect("read");
    assert_eq!((df.height(), types(&produced)), (0, vec!["a f64".to_owned(), "b str".to_owned()]));
}

#[test]
fn parquet_and_arrow_keep_their_types() {
    use polars::prelude::*;
    let mut df = df!["a" => [1_i32, 2], "b" => ["x", "y"]].expect("a frame");
    let mut parquet = Vec::new();
    ParquetWriter::new(&mut parquet).finish(&mut df).expect("written");
    let mut arrow = Vec::new();
    IpcWriter::new(&mut arrow).finish(&mut df).expect("written");
    let (from_parquet, _) = read("a.parquet", &parquet, "").expect("read");
    let (from_arrow, _) = read("a.arrow", &arrow, "").expect("read");
    assert_eq!(types(&from_parquet), ["a i32", "b str"]);
    assert_eq!(from_parquet.ports[0].table, from_arrow.ports[0].table);
    // A stream has neither the format's name before it nor the list behind it.
    let list: [u8; 4] = arrow[arrow.len() - 10..arrow.len() - 6].try_into().expect("four bytes");
    let stream = &arrow[8..arrow.len() - 10 - u32::from_le_bytes(list) as usize];
    let (from_stream, _) = read("a.arrow", stream, "").expect("read");
    assert_eq!(from_stream.ports[0].table, from_arrow.ports[0].table);
    let (cast, _) = read("a.parquet", &parquet, "types = { a = \"u8\" }").expect("read");
    assert_eq!(types(&cast), ["a u8", "b str"]);
    let error = read("a.parquet", &parquet, "types = { b = \"u8\" }").expect_err("it fails");
    assert_eq!(error.message, "row 1, column `b`: found `x`, expected a value of type u8");
}

#[test]
fn check_knows_what_is_declared() {
    let bench = bench("x", b"");
    let schema = |fields: &str| {
        let (outputs, findings) = bench.check::<Read>(&format!("from = \"raw\"\n{fields}"));
        assert!(findings.is_empty(), "{findings:?}");
        let Some(ArtifactType::Table(schema)) = outputs.get(TABLE) else { panic!("a table") };
        schema.clone()
    };
    assert_eq!(schema(""), TableSchema::unknown());
    let open = schema("types = { label = \"u8\", \"pixel_*\" = \"u8\" }");
    assert_eq!((open.complete, open.columns), (false, vec![Column::new("label", DType::U8)]));
    let closed =
        schema("format = \"csv\"\nheader = false\nnames = [\"p_{0..1}\", \"label\"]\ntypes = { \"p_*\" = \"u8\" }");
    assert!(closed.complete);
    assert_eq!(closed.columns[2], Column::new("label", DType::Unknown));
    assert_eq!(closed.columns[1], Column::new("p_1", DType::U8));
}

#[test]
fn check_finds_mistakes_in_the_fields() {
    let bench = bench("x", b"");
    let codes = |fields: &str| {
        let findings = bench.check::<Read>(&format!("from = \"raw\"\n{fields}")).1;
        findings.iter().map(|finding| finding.diagnostic.code.id).collect::<Vec<_>>()
    };
    assert_eq!(codes("types = { a = \"int\" }"), ["E0218"]);
    assert_eq!(codes("separator = \"ab\""), ["E0136"]);
    assert_eq!(codes("names = [\"a\", \"a\"]"), ["E0215"]);
    assert_eq!(codes("names = [\"a{1..\"]"), ["E0133"]);
    assert_eq!(codes("names = [\"label\"]\ntypes = { labl = \"u8\", \"p*\" = \"u8\" }"), ["E0213", "E0219"]);
    assert_eq!(codes("format = \"parquet\"\nheader = false\ntrim = true"), ["E0135", "E0135"]);
    assert_eq!(codes("format = \"csv\"\nlabels = \"raw\""), ["E0135"]);
}

#[test]
fn dialects_are_read_as_they_are_written() {
    let german = "Name;Preis;Menge;da\nÄpfel;1.234,50;1.000;ja\nBirnen;-;2;nein\n";
    let (latin1, _, _) = encoding_rs::WINDOWS_1252.encode(german);
    let fields = "separator = \";\"\nencoding = \"latin1\"\ndecimal = \",\"\nthousands = \".\"\nnull_values = [\"-\", \"NA\"]\n\
                  true_values = [\"ja\"]\nfalse_values = [\"nein\"]";
    let (produced, df) = read("a.csv", &latin1, fields).expect("read");
    assert_eq!(types(&produced), ["Name str", "Preis f64", "Menge i64", "da bool"]);
    assert_eq!(df.column("Name").expect("Name").str().expect("text").get(0), Some("Äpfel"));
    assert_eq!(df.column("Preis").expect("Preis").f64().expect("f64").iter().collect::<Vec<_>>(), [Some(1234.5), None]);
    assert_eq!(df.column("Menge").expect("Menge").i64().expect("i64").get(0), Some(1000));
    let (declared, df) =
        read("a.csv", &latin1, &format!("{fields}\ntypes = {{ Preis = \"decimal(10, 2)\" }}")).expect("read");
    assert_eq!(types(&declared)[1], "Preis decimal(10, 2)");
    assert_eq!(df.column("Preis").expect("Preis").get(0).expect("a value").to_string(), "1234.50");
    let mysql = b"1,\"say \\\"hi\\\"\",\\N\n2,a\\,b,x\n";
    let (_, df) = read("a.csv", mysql, "header = false\nescape = \"\\\\\"\nnull_values = [\"\\\\N\"]").expect("read");
    let text: Vec<Option<&str>> = df.column("column_1").expect("there").str().expect("text").iter().collect();
    assert_eq!(text, [Some("say \"hi\""), Some("a,b")]);
    assert_eq!(df.column("column_2").expect("there").null_count(), 1);
}

#[test]
fn chinese_files_are_read_in_their_encoding() {
    let text = "城市,评论\n北京,很好，值得\n上海,\"一般,\n不推荐\"\n";
    let (gbk, _, _) = encoding_rs::GBK.encode(text);
    let utf16: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let (plain, _) = read("a.csv", text.as_bytes(), "").expect("read");
    for (bytes, encoding) in [(gbk.as_ref(), "gbk"), (gbk.as_ref(), "gb18030"), (utf16.as_slice(), "utf16")] {
        let (read, _) = read("a.csv", bytes, &format!("encoding = \"{encoding}\"")).expect("read");
        assert_eq!(read.ports[0].table, plain.ports[0].table, "{encoding}");
    }
    let error = failure(&gbk, "");
    assert_eq!(error.message, "line 1 is not UTF-8: found the byte 0xb3");
    assert!(error.hints[0].contains("`encoding = \"gbk\"`"), "{error:?}");
    let error = failure(&utf16, "");
    assert!(error.hints[0].contains("`encoding = \"utf16\"`"), "{error:?}");
}

#[test]
fn bad_lines_become_an_output() {
    let text = b"id,n\n1,10\n2\n3,x\n4,40\n";
    let fields = "bad_lines = \"reject\"\ntypes = { n = \"u8\" }";
    let bench = bench("a.csv", text);
    let produced = bench.run::<Read>(&format!("from = \"raw\"\n{fields}")).expect("read");
    assert_eq!(produced.summary, "2 rows x 2 columns, 2 lines rejected");
    let (outputs, findings) = bench.check::<Read>(&format!("from = \"raw\"\n{fields}"));
    assert!(findings.is_empty(), "{findings:?}");
    let ArtifactType::Table(real) = &produced.ports[1].ty else { panic!("a table") };
    let Some(ArtifactType::Table(promised)) = outputs.get(REJECTS) else { panic!("a table") };
    assert_eq!((produced.ports[1].port.as_str(), &real.columns, real.rows), (REJECTS, &promised.columns, Some(2)));
    let warned = bench.warnings.lock().expect("no panic").join("\n");
    assert!(
        warned.contains("2 lines of `a.csv` left out") && warned.contains("line 3: 1 field, expected 2"),
        "{warned}"
    );
    let error = failure(text, "types = { n = \"u8\" }");
    assert_eq!(error.message, "line 3 has 1 field, expected 2");
    assert!(error.hints.iter().any(|hint| hint.contains("bad_lines")), "{error:?}");
}

/// A bench whose input is a folder.
fn folder(files: &[(&str, &[u8])]) -> Bench {
    let mut bench = Bench::default();
    bench.input("raw", ArtifactType::Dir, files);
    bench
}

fn read_folder(files: &[(&str, &[u8])], fields: &str) -> Result<(Produced, polars::prelude::DataFrame), StageError> {
    let bench = folder(files);
    let produced = bench.run::<Read>(&format!("from = \"raw\"\n{fields}"))?;
    let path = bench.place("staging").join(TABLE).join("table.parquet");
    let file = InputFile { name: "table.parquet".into(), path, size: 0, digest: crate::digest::Digest::of(b"") };
    let df = read_table(&Input::new(produced.ports[0].ty.clone(), file.digest, vec![file]))?;
    Ok((produced, df))
}

#[test]
fn files_of_a_folder_lie_under_each_other() {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(b"b,a\nx,1.5\n").expect("written");
    let gz = gz.finish().expect("finished");
    let files: [(&str, &[u8]); 4] =
        [("2026/feb.csv", b"a,b\n2,\n"), ("2026/jan.csv", b"a,b\n1,\n"), ("2026/mar.csv.gz", &gz), ("notes.txt", b"-")];
    let (produced, df) = read_folder(&files, "files = \"2026/*.csv*\"\nfile_column = \"file\"").expect("read");
    assert_eq!(types(&produced), ["a f64", "b str", "file str"]);
    let names: Vec<Option<&str>> = df.column("file").expect("file").str().expect("text").iter().collect();
    assert_eq!(names, [Some("2026/feb.csv"), Some("2026/jan.csv"), Some("2026/mar.csv.gz")]);
    let a: Vec<Option<f64>> = df.column("a").expect("a").f64().expect("f64").iter().collect();
    assert_eq!(a, [Some(2.0), Some(1.0), Some(1.5)], "types come from all files, rows in the order of the names");
    // What looks like numbers in one file and not in another is text, as it is written.
    let (_, df) = read_folder(&[("1.csv", b"a\n007\n"), ("2.csv", b"a\nx\n")], "").expect("read");
    assert_eq!(df.column("a").expect("a").str().expect("text").get(0), Some("007"));
}

#[test]
fn files_that_do_not_fit_are_named() {
    let error = |files: &[(&str, &[u8])], fields: &str| {
        let error = read_folder(files, fields).expect_err("it fails");
        format!("{} {:?}", error.message, error.notes)
    };
    let files: [(&str, &[u8]); 2] = [("1.csv", b"a,b\n1,2\n"), ("2.csv", b"a\n1\n")];
    assert_eq!(error(&files, ""), "there is no column `b`, which `1.csv` has [\"in `2.csv`\"]");
    let files: [(&str, &[u8]); 2] = [("1.csv", b"a\n1\n"), ("2.csv", b"a\n1\n\"\n")];
    assert_eq!(error(&files, ""), "the quote opened in line 3 is never closed [\"in `2.csv`\"]");
    let files: [(&str, &[u8]); 2] = [("1.csv", b"a\n1\n"), ("2.jsonl", b"{\"a\": 1}")];
    assert!(error(&files, "").starts_with("`1.csv` is csv, but `2.jsonl` is jsonl"));
    assert!(error(&files, "files = \"*.tsv\"").starts_with("`*.tsv` matches no file"));
    assert!(error(&files[..1], "file_column = \"a\"").starts_with("the file has a column `a` already"));
    let files: [(&str, &[u8]); 2] = [("1.jsonl", b"{\"a\": 1}"), ("2.jsonl", b"{\"a\": \"x\"}")];
    assert_eq!(error(&files, ""), "column `a` is str, and i64 in the files before it [\"in `2.jsonl`\"]");
    let codes = |fields: &str, bench: &Bench| {
        let findings = bench.check::<Read>(&format!("from = \"raw\"\n{fields}")).1;
        findings.iter().map(|finding| finding.diagnostic.code.id).collect::<Vec<_>>()
    };
    assert_eq!(codes("files = \"*.csv\"", &bench("a.csv", b"a\n1\n")), ["E0135"]);
    assert_eq!(codes("files = \"a[\"", &folder(&files)), ["E0133"]);
    assert_eq!(
        codes("format = \"csv\"\nrecords = \"x\"\nflatten = true", &bench("a.csv", b"a\n1\n")),
        ["E0135", "E0135"]
    );
    assert_eq!(codes("format = \"csv\"\ndecimal = \",\"\nthousands = \",\"", &bench("a.csv", b"a\n1\n")), ["E0135"]);
}

const NESTED_PARQUET: &[u8] = include_bytes!("../../../../tests/data/nested.parquet");
const NESTED_ARROW: &[u8] = include_bytes!("../../../../tests/data/nested.arrow");

#[test]
fn parquet_and_arrow_of_other_programs_keep_their_types() {
    let expected = [
        "price decimal(15, 2)",
        "view str",
        "kind str",
        "tags list(str)",
        "point array(f32, 2)",
        "user struct(name: str, born: date, langs: list(struct(code: str, level: i8)))",
        "when datetime[ns, UTC]",
        "raw binary",
    ];
    let (parquet, df) = read("nested.parquet", NESTED_PARQUET, "").expect("read");
    let (arrow, _) = read("nested.arrow", NESTED_ARROW, "").expect("read");
    assert_eq!(types(&parquet), expected);
    assert_eq!(types(&arrow), expected);
    assert_eq!(parquet.ports[0].table, arrow.ports[0].table, "one content, whatever the file");
    assert_eq!(df.column("price").expect("price").get(0).expect("a value").to_string(), "12345678901.25");
    assert!(df.columns().iter().all(|column| column.null_count() == 1), "{df}");
    let (flat, _) = read("nested.parquet", NESTED_PARQUET, "flatten = true").expect("read");
    assert_eq!(
        types(&flat)[5..8],
        ["user.name str", "user.born date", "user.langs list(struct(code: str, level: i8))"]
    );
}

#[test]
fn broken_parquet_says_so() {
    let cut = read("nested.parquet", &NESTED_PARQUET[..NESTED_PARQUET.len() / 2], "").expect_err("cut off");
    assert!(cut.message.starts_with("the file cannot be read as parquet"), "{cut:?}");
    assert!(cut.hints[0].contains("cut off or damaged"), "{cut:?}");
    let mut flipped = NESTED_PARQUET.to_vec();
    for at in (100..flipped.len() - 200).step_by(50) {
        flipped[at] ^= 0x55;
    }
    assert!(read("nested.parquet", &flipped, "").is_err());
    let csv = failure(NESTED_PARQUET, "");
    assert!(csv.hints.iter().any(|hint| hint.contains("format = \"parquet\"")), "{csv:?}");
}
