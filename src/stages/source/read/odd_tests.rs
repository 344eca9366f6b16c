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
