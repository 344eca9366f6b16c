//! What `read` makes of files that can be read, and are odd.

use super::*;
use crate::stage::testing::Bench;
use polars::prelude::*;

fn bench(name: &str, bytes: &[u8]) -> Bench {
    let mut bench = Bench::default();
    bench.input("raw", ArtifactType::File, &[(name, bytes)]);
    bench
}

#[test]
fn a_time_beyond_the_calendar_is_found_however_the_file_is_read() {
    let times: Int64Chunked = [Some(0), Some(i64::MAX)].into_iter().collect();
    let times = times.into_datetime(TimeUnit::Microseconds, None).into_series().with_name("until".into());
    let mut df = DataFrame::new(2, vec![times.into()]).expect("a frame");
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut df).expect("written");
    for (fields, memory) in [("", None), ("", Some(1 << 30)), ("keep = false", None), ("keep = false", Some(1 << 30))] {
        let mut bench = bench("a.parquet", &bytes);
        bench.memory = memory;
        let error = bench.run::<Read>(&format!("from = \"raw\"\n{fields}")).expect_err("no time");
        let found = "row 2, column `until`: 9223372036854775807 us after 1970 are beyond the calendar";
        assert_eq!(error.message, found, "{fields} {memory:?}");
        assert!(error.hints[0].contains("`types = { \"until\" = \"i64\" }`"), "{:?}", error.hints);
        assert_eq!(error.hints.iter().any(|hint| hint.contains("`keep = false`")), !fields.is_empty());
    }
    let mut bench = bench("a.parquet", &bytes);
    bench.memory = Some(1 << 30);
    bench.run::<Read>("from = \"raw\"\ntypes = { until = \"i64\" }").expect("numbers");
}

/// What is said of a file that is read.
fn warned(name: &str, bytes: &[u8], fields: &str, memory: Option<u64>) -> String {
    let mut bench = bench(name, bytes);
    bench.memory = memory;
    bench.run::<Read>(&format!("from = \"raw\"\n{fields}")).expect("read");
    let warnings = bench.warnings.lock().expect("no panic").clone();
    warnings.join("; ")
}

#[test]
fn windows_1252_that_is_called_latin1_is_told() {
    let text = b"a,b\n1,caf\xe9\n2,\x93so\x94\n3,5 \x80\n";
    let told = "3 bytes are control characters in latin1, the first 0x93 in line 3 of `a.csv`: if quotes, dashes or \u{20ac} are meant, \
                say `encoding = \"windows1252\"`";
    assert_eq!(warned("a.csv", text, "encoding = \"latin1\"", None), told);
    assert_eq!(warned("a.csv", text, "encoding = \"latin1\"", Some(1 << 30)), told);
    assert_eq!(warned("a.csv", text, "encoding = \"windows1252\"", None), "");
    assert_eq!(warned("a.csv", b"a\ncaf\xe9\n", "encoding = \"latin1\"", None), "");
    let lines = warned("a.jsonl", b"{\"a\": \"\x85\"}\r\n", "encoding = \"latin1\"", None);
    assert!(
        lines.starts_with("1 byte is a control character in latin1, the first 0x85 in line 1 of `a.jsonl`"),
        "{lines}"
    );
}

#[test]
fn digits_of_a_time_that_are_not_kept_are_told() {
    let text = "n,at\n1,2026-01-02 10:00:00.123456\n2,2026-01-02 10:00:00.1234567\n3,2026-01-02T10:00:00.000000001Z\n";
    let types = "types = { at = \"datetime\" }";
    let told = "2 times have more than six digits behind the point, of which six are kept; the first is \
                `2026-01-02 10:00:00.1234567` in line 3 of `a.csv`, column `at`: `types = { \"at\" = \"str\" }` keeps all";
    assert_eq!(warned("a.csv", text.as_bytes(), types, None), told);
    assert_eq!(warned("a.csv", text.as_bytes(), types, Some(1 << 30)), told, "in pieces");
    assert_eq!(warned("a.csv", text.as_bytes(), "", None), "", "it is text");
    let lines = "{\"at\": \"2026-01-02\"}\n\n{\"at\": \"2026-01-02 10:00:00.1234567\"}\n";
    let told = warned("a.jsonl", lines.as_bytes(), types, None);
    assert!(told.starts_with("1 time has more than six digits") && told.contains("line 3 of `a.jsonl`"), "{told}");
    let list = "[{\"at\": \"2026-01-02\"}, {\"at\": \"2026-01-02 10:00:00.1234567\"}]";
    assert!(warned("a.json", list.as_bytes(), types, None).contains("in element 2 of `a.json`, column `at`"));
    let mut df = df!["at" => ["2026-01-02 10:00:00.1234567"]].expect("a frame");
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut df).expect("written");
    assert!(warned("a.parquet", &bytes, types, None).contains("in row 1 of `a.parquet`, column `at`"));
}

/// A file of one attribute `a` of this type.
fn arff(attribute: &str, rows: &str) -> String {
    format!("@relation r\n@attribute a {attribute}\n@data\n{rows}\n")
}

#[test]
fn what_an_attribute_of_arff_does_not_hold_is_told() {
    let numbers = arff("numeric", "1\n9007199254740993\n0.5\n9007199254740993");
    let told = "2 whole numbers among fractions lose digits as f64; the first is 9007199254740993 in line 5 of `a.arff`, column `a`: \
                `types = { \"a\" = \"str\" }` or a decimal keeps all";
    assert_eq!(warned("a.arff", numbers.as_bytes(), "", None), told);
    assert_eq!(warned("a.arff", numbers.as_bytes(), "types = { a = \"f64\" }", None), "", "that is known");
    let times = arff("date \"yyyy-MM-dd HH:mm:ss.SSS\"", "'2026-01-02 10:00:00.123'\n?\n'2026-01-02 10:00:00.1234567'");
    let told = warned("a.arff", times.as_bytes(), "", None);
    assert!(told.starts_with("1 time has more than six digits") && told.contains("line 6 of `a.arff`"), "{told}");
    assert_eq!(warned("a.arff", times.as_bytes(), "types = { a = \"str\" }", None), "");
}

#[test]
fn what_arff_is_declared_to_hold_is_made_from_its_text() {
    let values = |text: &str, dtype: &str| -> Result<Vec<String>, StageError> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.arff");
        std::fs::write(&path, text).expect("written");
        let types =
            crate::frame::file::TypeRules::new([("a".to_owned(), dtype.parse::<DType>().expect("a type"))].into());
        let layout = Layout { types, ..Layout::new(Format::Arff) };
        let df = crate::frame::file::read_file(&path, &layout).map_err(StageError::from)?;
        let column = df.column("a").expect("there");
        Ok((0..column.len()).map(|row| column.get(row).expect("a value").str_value().into_owned()).collect())
    };
    let numbers = arff("numeric", "9007199254740993\n3.0\n1.5e3\n?");
    for dtype in ["i64", "u64", "i128", "decimal(20, 0)"] {
        assert_eq!(values(&numbers, dtype).expect("read"), ["9007199254740993", "3", "1500", "null"], "{dtype}");
    }
    assert_eq!(values(&numbers, "str").expect("read"), ["9007199254740993", "3.0", "1.5e3", "null"]);
    let prices = arff("real", "0.1234567890123456789");
    assert_eq!(values(&prices, "decimal(38, 19)").expect("read"), ["0.1234567890123456789"]);
    for (attribute, rows, dtype, says) in [
        ("numeric", "1\n1.5", "i64", "line 5, attribute `a`: found `1.5`, expected a whole number"),
        ("numeric", "300", "u8", "row 1, column `a`: found `300`, expected a value of type u8"),
        ("numeric", "1\nx", "str", "line 5, attribute `a`: found `x`, expected a number"),
        ("numeric", "1e400", "f64", "line 4, attribute `a`: found `1e400`, expected a number"),
    ] {
        assert_eq!(values(&arff(attribute, rows), dtype).expect_err(rows).message, says);
    }
    let large = arff("integer", "12345678901234567890\n1.0");
    assert_eq!(values(&large, "i128").expect("read"), ["12345678901234567890", "1"]);
    assert_eq!(values(&large, "f64").expect("read").len(), 2);
    let error = bench("a.arff", large.as_bytes()).run::<Read>("from = \"raw\"").expect_err("too large");
    let says = "line 4, attribute `a`: found `12345678901234567890`, expected a whole number of 64 bits: \
                `types = { a = \"i128\" }` holds more";
    assert_eq!(error.message, says);
}

#[test]
fn whole_numbers_that_floats_do_not_hold_are_told() {
    let text = "n,x\n1,0.5\n2,9007199254740993\n3,9007199254740992\n4,-9007199254740995\n";
    let told = "2 whole numbers among fractions lose digits as f64; the first is 9007199254740993 in line 3 of `a.csv`, column `x`: \
                `types = { \"x\" = \"str\" }` or a decimal keeps all";
    assert_eq!(warned("a.csv", text.as_bytes(), "", None), told);
    assert_eq!(warned("a.csv", text.as_bytes(), "", Some(1 << 30)), told, "in pieces");
    for types in ["f64", "str", "decimal(20, 2)"] {
        assert_eq!(warned("a.csv", text.as_bytes(), &format!("types = {{ x = \"{types}\" }}"), None), "", "{types}");
    }
    assert_eq!(warned("a.csv", b"x\n1\n9007199254740993\n", "", None), "", "they are all whole");
    let lines = "{\"x\": 0.5}\n{\"x\": 9007199254740993}\n";
    let told = "1 whole number among fractions loses digits as f64; the first is 9007199254740993 in line 2 of `a.jsonl`, column `x`: \
                `types = { \"x\" = \"str\" }` keeps all";
    assert_eq!(warned("a.jsonl", lines.as_bytes(), "", None), told);
    let nested = "[{\"a\": [0.5, 1]}, {\"a\": []}, {\"a\": [2, 9007199254740993]}]";
    assert!(warned("a.json", nested.as_bytes(), "", None).contains("in element 3 of `a.json`, column `a`"));
    let file = |text: &str| text.as_bytes().to_vec();
    let (one, two) = (file("x\n9007199254740993\n"), file("x\n0.5\n"));
    let mut bench = Bench::default();
    bench.input("raw", ArtifactType::Dir, &[("a.csv", one.as_slice()), ("b.csv", two.as_slice())]);
    bench.run::<Read>("from = \"raw\"").expect("read");
    let warnings = bench.warnings.lock().expect("no panic").clone();
    assert!(matches!(warnings.as_slice(), [one] if one.contains("in line 2 of `a.csv`")), "{warnings:?}");
}

#[test]
fn the_first_line_that_is_left_out_has_its_file() {
    let mut bench = Bench::default();
    bench.input("raw", ArtifactType::Dir, &[("1.csv", b"a,b\n1,2\n"), ("2.csv", b"a,b\n1\n")]);
    bench.run::<Read>("from = \"raw\"\nbad_lines = \"reject\"").expect("read");
    let told =
        "1 line of 2 files left out: see the output `rejects`; the first is line 2 of `2.csv`: 1 field, expected 2";
    assert_eq!(*bench.warnings.lock().expect("free"), [told]);
    let mut bench = Bench::default();
    bench.input("raw", ArtifactType::Dir, &[("1.csv", b"a,b\n"), ("2.csv", b"a,b\n")]);
    bench.run::<Read>("from = \"raw\"").expect("read");
    assert_eq!(*bench.warnings.lock().expect("free"), ["2 files have column names, but no rows"]);
}

#[test]
fn other_marks_between_fields_and_in_numbers_are_named() {
    let hints = |text: &[u8], fields: &str| {
        bench("a.csv", text).run::<Read>(&format!("from = \"raw\"\n{fields}")).expect_err("it fails").hints
    };
    let found = hints(b"a;b\n1,5;2\n", "");
    assert_eq!(found[0], "if `;` stands between fields: `separator = \";\"`");
    assert!(hints(b"Report\na,b\n1,2\n", "")[0].starts_with("if the column names stand in a line further down"));
    let found = hints(b"a;b\n1,5;2\n", "separator = \";\"\ntypes = { a = \"f64\" }");
    assert_eq!(found[0], "if `1,5` is a number, say how it is written: `decimal = \",\"`");
    let found = hints(b"a;b\n1,5;2\n", "separator = \";\"\ntypes = { a = \"date\" }");
    assert!(found.iter().all(|hint| !hint.contains("decimal")), "{found:?}");
}
