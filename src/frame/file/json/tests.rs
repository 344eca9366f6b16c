//! JSON as it comes: nested, uneven, broken.

use super::super::{Format, TypeRules};
use super::*;
use crate::frame::schema_of;
use std::collections::BTreeMap;

fn lines_with(text: impl AsRef<[u8]>, change: impl FnOnce(&mut Layout)) -> Result<(DataFrame, Vec<Reject>), BadFile> {
    let mut layout = Layout::new(Format::Jsonl);
    change(&mut layout);
    read_lines(text.as_ref(), &layout, super::super::Watch::nobody().file("", 0))
}

fn whole_with(text: &str, change: impl FnOnce(&mut Layout)) -> Result<DataFrame, BadFile> {
    let mut layout = Layout::new(Format::Json);
    change(&mut layout);
    read_whole(text.as_bytes(), &layout, super::super::Watch::nobody().file("", 0))
}

fn types(df: &DataFrame) -> Vec<String> {
    schema_of(df).columns.iter().map(|column| format!("{} {}", column.name, column.dtype)).collect()
}

fn said(read: Result<(DataFrame, Vec<Reject>), BadFile>) -> String {
    read.expect_err("it fails").message
}

#[test]
fn types_come_from_all_lines() {
    let mut text = "{\"a\": 1, \"b\": \"x\"}\n".repeat(40_000);
    text.push_str("{\"a\": 1.5, \"b\": null, \"late\": true}\n");
    let (df, _) = lines_with(&text, |_| {}).expect("read");
    assert_eq!(types(&df), ["a f64", "b str", "late bool"]);
    assert_eq!((df.height(), df.column("b").expect("b").null_count()), (40_001, 1));
    assert_eq!(df.column("late").expect("late").null_count(), 40_000);
}

#[test]
fn nested_fields_keep_their_types() {
    let text = r#"
{"id": 1, "user": {"name": "Ann", "tags": ["a", "b"]}, "at": [{"x": 1}, {"x": 2.5, "y": "z"}]}
{"id": 2, "user": null, "at": []}
{"id": 18446744073709551615, "user": {"name": null, "age": 4}, "at": null}
"#;
    let (df, _) = lines_with(text, |_| {}).expect("read");
    let expected = ["id u64", "user struct(name: str, tags: list(str), age: i64)", "at list(struct(x: f64, y: str))"];
    assert_eq!(types(&df), expected);
    assert_eq!(df.column("user").expect("user").null_count(), 1);
    assert_eq!(df.column("at").expect("at").null_count(), 1);
    let lengths = df.column("at").expect("at").list().expect("lists").lst_lengths();
    assert_eq!(lengths.iter().collect::<Vec<_>>(), [Some(2), Some(0), None]);
    let (flat, _) = lines_with(text, |layout| layout.flatten = true).expect("read");
    let names: Vec<String> = types(&flat);
    assert_eq!(names[1..4], ["user.name str", "user.tags list(str)", "user.age i64"]);
    assert_eq!(flat.column("user.age").expect("age").null_count(), 2);
}

#[test]
fn a_list_of_objects_may_lie_deeper() {
    let text = r#"{"status": "ok", "data": {"items": [{"a": 1}, {"a": 2}]}}"#;
    let df = whole_with(text, |layout| layout.records = Some("data.items".to_owned())).expect("read");
    assert_eq!((df.height(), types(&df)), (2, vec!["a i64".to_owned()]));
    let bad = whole_with(r#"{"items": [1]}"#, |_| {}).expect_err("an object");
    assert_eq!(bad.message, "the file holds an object, expected a list of objects");
    assert_eq!(bad.hints, ["say where the rows are: `records = \"items\"`"]);
    let bad = whole_with(text, |_| {}).expect_err("an object");
    assert_eq!(bad.hints, ["say where the rows are: `records = \"data.items\"`"]);
    let bad = whole_with(r#"{"a": {"b": 1}}"#, |_| {}).expect_err("no list");
    assert!(bad.hints[0].starts_with("write the rows as"), "{bad:?}");
    let bad = whole_with(text, |layout| layout.records = Some("data.item".to_owned())).expect_err("no such key");
    assert!(bad.message.ends_with("there is no key `item`"), "{bad:?}");
    assert!(bad.hints[0].contains("items"), "{bad:?}");
}

#[test]
fn a_bad_line_is_named_or_left_out() {
    assert!(said(lines_with("{\"a\": 1}\n{\"a\": \n", |_| {})).starts_with("line 2, column 6: EOF"));
    assert_eq!(said(lines_with("{\"a\": 1}\n7\n", |_| {})), "line 2 is not an object, expected `{…}`");
    assert_eq!(
        said(lines_with("{\"a\": 1}\n{\"a\": \"x\"}\n", |_| {})),
        "line 2: `a` is a text here, and a number before"
    );
    let deep = "{\"a\": {\"b\": [1]}}\n\n{\"a\": {\"b\": [[1]]}}\n";
    assert_eq!(said(lines_with(deep, |_| {})), "line 3: `a.b[]` is a list here, and a number before");
    assert!(said(lines_with("{\"a\": 1, \"a\": 2}\n", |_| {})).contains("the key `a` stands twice"));
    assert!(said(lines_with("\n", |_| {})).contains("empty"));
    let text = "{\"a\": 1}\nnonsense\n{\"a\": \"x\"}\n{\"a\": 3}\n";
    let (df, rejects) = lines_with(text, |layout| layout.reject = true).expect("read");
    assert_eq!(df.height(), 2);
    assert_eq!(rejects.iter().map(|reject| reject.line).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(rejects[1].reason, "`a` is a text here, and a number before");
    assert_eq!(rejects[1].text, "{\"a\": \"x\"}");
}

fn declared(types: &[(&str, DType)]) -> TypeRules {
    TypeRules::new(types.iter().map(|(name, dtype)| ((*name).to_owned(), dtype.clone())).collect())
}

fn told(rejects: &[Reject]) -> Vec<(u64, Option<&str>, &str, &str)> {
    rejects.iter().map(|r| (r.line, r.column.as_deref(), r.reason.as_str(), r.text.as_str())).collect()
}

#[test]
fn a_line_with_a_stray_byte_is_left_out() {
    let text = b"{\"a\": \"x\"}\n\n{\"a\": \"caf\xe9\"}\n{\"a\": \"\xff\xfe\"}\n{\"a\": \"y\"}\n";
    let (df, rejects) = lines_with(text, |layout| layout.reject = true).expect("read");
    let values: Vec<Option<&str>> = df.column("a").expect("a").str().expect("text").iter().collect();
    assert_eq!(values, [Some("x"), Some("y")]);
    assert_eq!(
        told(&rejects),
        [
            (3, None, "the byte 0xe9 is not utf8", "{\"a\": \"caf\u{fffd}\"}"),
            (4, None, "the byte 0xff is not utf8", "{\"a\": \"\u{fffd}\u{fffd}\"}"),
        ]
    );
    let bad = lines_with(text, |_| {}).expect_err("it fails");
    assert_eq!(bad.message, "line 3 is not UTF-8: found the byte 0xe9");
    assert!(bad.hints.iter().any(|hint| hint == LEAVE_OUT), "{bad:?}");
    // Every line is in another encoding: that is no matter of bad lines.
    let bad = lines_with(b"{\"a\": \"caf\xe9\"}\n", |layout| layout.reject = true).expect_err("it fails");
    assert!(bad.message.contains("0xe9") && bad.hints.iter().all(|hint| hint != LEAVE_OUT), "{bad:?}");
}

#[test]
fn a_value_of_another_type_is_told_with_its_line() {
    let given = || declared(&[("n", DType::I64), ("day", DType::Date)]);
    let text = "{\"n\": 1, \"day\": \"2026-05-04\"}\n\n{\"n\": 2.5}\n{\"n\": 3, \"day\": \"soon\"}\n{\"n\": 1e3}\n";
    let bad = lines_with(text, |layout| layout.types = given()).expect_err("it fails");
    assert_eq!(bad.message, "line 3, column `n`: found `2.5`, expected a whole number (i64)");
    assert!(bad.hints.iter().any(|hint| hint == LEAVE_OUT), "{bad:?}");
    let (df, rejects) = lines_with(text, |layout| {
        layout.types = given();
        layout.reject = true;
    })
    .expect("read");
    assert_eq!(types(&df), ["n i64", "day date"]);
    assert_eq!(df.column("n").expect("n").i64().expect("i64").iter().collect::<Vec<_>>(), [Some(1), Some(1000)]);
    assert_eq!(
        told(&rejects),
        [
            (3, Some("n"), "found `2.5`, expected a whole number (i64)", "{\"n\": 2.5}"),
            (4, Some("day"), "found `soon`, expected a date like 2026-05-04", "{\"n\": 3, \"day\": \"soon\"}"),
        ]
    );
}

#[test]
fn a_declared_type_says_which_of_two_kinds_is_bad() {
    let text = "{\"n\": \"none\"}\n{\"n\": 1}\n{\"n\": null}\n{\"n\": 2}\n";
    let read = |text: &str| {
        let change = |layout: &mut Layout| {
            layout.types = declared(&[("n", DType::I64)]);
            layout.reject = true;
        };
        let (df, rejects) = lines_with(text, change).expect("read");
        let lines: Vec<u64> = rejects.iter().map(|reject| reject.line).collect();
        (df.column("n").expect("n").i64().expect("i64").iter().collect::<Vec<_>>(), lines, rejects)
    };
    let (values, lines, rejects) = read(text);
    assert_eq!((values, lines), (vec![Some(1), None, Some(2)], vec![1]));
    assert_eq!(told(&rejects)[0].1, Some("n"));
    assert_eq!(rejects[0].reason, "found `none`, expected a whole number (i64)");
    // Texts that are numbers are taken where all are texts, and a broken line beside them changes nothing.
    let (values, lines, _) = read("{\"n\": \"1\"}\nnonsense\n{\"n\": \"x\"}\n{\"n\": \"2\"}\n");
    assert_eq!((values, lines), (vec![Some(1), Some(2)], vec![2, 3]));
}

#[test]
fn a_column_of_anything_is_text_where_that_is_asked_for() {
    let text = "{\"a\": 1}\n{\"a\": \"x\"}\n{\"a\": {\"k\": [true, null]}}\n";
    let rules = || TypeRules::new(BTreeMap::from([("a".to_owned(), DType::Str)]));
    let (df, _) = lines_with(text, |layout| layout.types = rules()).expect("read");
    let values: Vec<Option<&str>> = df.column("a").expect("a").str().expect("text").iter().collect();
    assert_eq!(values, [Some("1"), Some("x"), Some("{\"k\":[true,null]}")]);
}

#[test]
fn a_broken_text_is_placed() {
    let bad = whole_with("[{\"a\": 1},\n {\"a\" 2}]", |_| {}).expect_err("broken");
    assert_eq!(bad.message, "line 2, column 7: expected `:`");
    let bad = whole_with("{\"a\": 1}\n{\"a\": 2}\n", |_| {}).expect_err("lines");
    assert!(bad.hints[0].contains("jsonl"), "{bad:?}");
    assert!(whole_with("[]", |_| {}).expect_err("empty").message.contains("no columns"));
    assert_eq!(
        whole_with("[{\"a\": 1}, {\"a\": false}]", |_| {}).expect_err("mixed").message,
        "element 2: `a` is a boolean here, and a number before"
    );
}

#[test]
fn numbers_are_read_to_their_last_bit() {
    let numbers = [0.945_270_695_553_922_3, 0.381_204_237_688_212_43, 0.216_599_397_130_613_38, 101.0 / 103.0, 5e-324];
    let text: String = numbers.iter().map(|number| format!("{{\"x\": {number:e}}}\n")).collect();
    let (df, _) = lines_with(&text, |_| {}).expect("read");
    let read: Vec<u64> = df.column("x").expect("x").f64().expect("floats").iter().flatten().map(f64::to_bits).collect();
    assert_eq!(read, numbers.map(f64::to_bits));
}

#[test]
fn a_whole_number_of_too_many_digits_is_no_float() {
    let told = "the whole number 123456789012345678901234567890 has more digits than 64 bits hold";
    let text = "{\"wei\": 1}\n{\"wei\": 123456789012345678901234567890}\n{\"wei\": 3}\n";
    for dtype in [None, Some(DType::Str)] {
        let read = lines_with(text, |layout| {
            layout.types = TypeRules::new(dtype.into_iter().map(|dtype| ("wei".to_owned(), dtype)).collect());
        });
        assert_eq!(said(read), format!("line 2: {told}"));
    }
    let (df, rejects) = lines_with(text, |layout| layout.reject = true).expect("read");
    assert_eq!((df.height(), rejects.len(), rejects[0].line, rejects[0].reason.as_str()), (2, 1, 2, told));
    let whole = "[{\"wei\": 1},\n {\"wei\": 123456789012345678901234567890}]";
    assert_eq!(whole_with(whole, |_| {}).expect_err("it fails").message, format!("line 2: {told}"));
    assert_eq!(types(&whole_with("[{\"a\": 1e30}, {\"a\": 2}]", |_| {}).expect("read")), ["a f64"]);
}

#[test]
fn a_field_that_is_named_like_a_column_is_told() {
    let read = lines_with("{\"a\": {\"x\": 1}, \"a.x\": 2}\n", |layout| layout.flatten = true);
    let bad = read.expect_err("two columns of one name");
    assert!(bad.message.contains("'a.x'") && bad.hints[0].starts_with("without `flatten`"), "{bad:?}");
}
