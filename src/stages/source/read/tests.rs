//! `read` on real data and on every kind of broken file.

use super::*;
use crate::frame::read_table;
use crate::stage::testing::Bench;
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
