//! The steps on the penguins: what they give, what check says of them, where it points.

use super::super::stepwise::Table;
use super::super::testing::{findings, penguins, run, table_input};
use crate::digest::dotted;
use crate::stage::testing::Bench;
use crate::types::{ArtifactType, Column as ColumnType, DType, TableSchema};
use polars::prelude::*;

fn bench() -> Bench {
    let mut bench = Bench::default();
    table_input(&mut bench, "t", penguins());
    let islands = df![
        "island" => ["Biscoe", "Dream", "Nowhere"],
        "area" => [1.5, 0.4, 9.0],
        "year" => [1_i64, 2, 3],
    ];
    table_input(&mut bench, "islands", islands.expect("a frame"));
    bench
}

fn steps(steps: &str) -> DataFrame {
    let mut tables = run::<Table>(&bench(), &format!("from = \"t\"\nsteps = [{steps}]")).expect("it runs");
    tables.remove(0).1
}

/// Code, message, place and the marked text of each finding.
fn places(text: &str) -> Vec<(String, String, Option<std::ops::Range<usize>>)> {
    let found = bench().check::<Table>(&format!("from = \"t\"\nsteps = [{text}]")).1;
    found.into_iter().map(|found| (found.diagnostic.code.id.to_owned(), dotted(&found.path), found.part)).collect()
}

fn codes(text: &str) -> Vec<String> {
    findings::<Table>(&bench(), &format!("from = \"t\"\nsteps = [{text}]")).into_iter().map(|(code, _)| code).collect()
}

#[test]
fn steps_follow_each_other() {
    let df = steps(
        r#"{ filter = "sex IS NOT NULL" }, { derive = { ratio = "bill_length_mm / bill_depth_mm", heavy = "body_mass_g > avg(body_mass_g)" } },
        { rename = { body_mass_g = "mass" } }, { cast = { "*_mm" = "f32", year = "i16" } }, { drop = ["bill_*"] },
        { sort = { by = ["mass", "island"], descending = [true, false] } }, { select = ["mass", "*_mm", "ratio", "heavy", "year"] }"#,
    );
    let names: Vec<&str> = df.columns().iter().map(|column| column.name().as_str()).collect();
    assert_eq!((df.height(), names), (333, vec!["mass", "flipper_length_mm", "ratio", "heavy", "year"]));
    assert_eq!(df.column("mass").expect("there").i64().expect("i64").get(0), Some(6300));
    assert_eq!(df.column("flipper_length_mm").expect("there").dtype(), &DataType::Float32);
}

#[test]
fn missing_values_are_filled() {
    let df = steps(
        r#"{ fill = { sex = "unknown", "bill_*" = "median", bill_depth_mm = "mean", flipper_length_mm = "median", body_mass_g = 0 } }"#,
    );
    assert!(df.columns().iter().all(|column| column.null_count() == 0));
    assert_eq!(df.column("sex").expect("there").str().expect("text").get(3), Some("unknown"));
    assert_eq!(df.column("flipper_length_mm").expect("there").dtype(), &DataType::Float64);
    assert_eq!(df.column("body_mass_g").expect("there").i64().expect("i64").get(3), Some(0));
    assert_eq!(df.column("bill_length_mm").expect("there").f64().expect("f64").get(3), Some(44.45));
    let df = steps(r#"{ fill = { sex = "forward" } }, { fill = { body_mass_g = "backward" } }"#);
    assert_eq!(df.column("sex").expect("there").str().expect("text").get(3), Some("female"));
    let df = steps(r#"{ fill = { sex = { value = "mean" } } }"#);
    assert_eq!(df.column("sex").expect("there").str().expect("text").get(3), Some("mean"));
}

#[test]
fn repeated_rows_go() {
    let df = steps(r#"{ dedupe = { by = ["species", "island"] } }, { select = ["species", "island"] }"#);
    let species: Vec<&str> = df.column("species").expect("there").str().expect("text").iter().flatten().collect();
    assert_eq!(species, ["Adelie", "Adelie", "Adelie", "Gentoo", "Chinstrap"]);
    assert_eq!(steps(r#"{ dedupe = {} }"#).height(), 344);
    let df = steps(r#"{ dedupe = { by = "species", keep = "last" } }"#);
    assert_eq!(df.column("year").expect("there").i64().expect("i64").iter().flatten().collect::<Vec<_>>(), [2009; 3]);
}

#[test]
fn tables_are_joined_in_the_order_of_the_left() {
    let df = steps(r#"{ join = { with = "islands", on = "island", how = "left" } }"#);
    let names: Vec<&str> = df.columns().iter().map(|column| column.name().as_str()).collect();
    assert_eq!((df.height(), names[8], names[9]), (344, "area", "year_right"));
    assert_eq!(df.column("area").expect("there").null_count(), 52);
    assert_eq!(steps(r#"{ join = { with = "islands", on = "island" } }"#).height(), 292);
    assert_eq!(steps(r#"{ join = { with = "islands", on = "island", how = "anti" } }"#).height(), 52);
    assert_eq!(steps(r#"{ join = { with = "islands", on = "island", how = "semi" } }"#).height(), 292);
    assert_eq!(steps(r#"{ join = { with = "islands", on = "island", how = "full" } }"#).height(), 345);
    assert_eq!(steps(r#"{ join = { with = "islands", how = "cross", suffix = "_2" } }"#).height(), 344 * 3);
    let df = steps(
        r#"{ rename = { island = "home" } }, { join = { with = "islands", left_on = "home", right_on = "island" } }"#,
    );
    assert_eq!(df.height(), 292);
}

#[test]
fn check_points_at_the_part_of_an_expression() {
    let text = r#"{ filter = "body_mass > 4000 AND sex = 'male'" }"#;
    assert_eq!(places(text), [("E0213".to_owned(), "steps[0].filter".to_owned(), Some(0..9))]);
    let text = r#"{ derive = { a = "bill_length_mm * 2", b = "1 + yeer" } }"#;
    assert_eq!(places(text), [("E0213".to_owned(), "steps[0].derive.b".to_owned(), Some(4..8))]);
    assert_eq!(places(r#"{ filter = "year >" }"#)[0].0, "E0216");
    assert_eq!(places(r#"{ filter = "year + 1" }"#)[0].0, "E0214");
    assert_eq!(places(r#"{ filter = "species > 5" }"#)[0].0, "E0214");
}

#[test]
fn check_finds_mistakes_in_every_step() {
    assert_eq!(codes(r#"{ cast = { year = "int" } }"#), ["E0218"]);
    assert_eq!(codes(r#"{ cast = { yeer = "i32" } }"#), ["E0213"]);
    assert_eq!(codes(r#"{ cast = { "x_*" = "i32" } }"#), ["E0219"]);
    assert_eq!(codes(r#"{ rename = { yeer = "y" } }"#), ["E0213"]);
    assert_eq!(codes(r#"{ rename = { year = "sex" } }"#), ["E0215"]);
    assert!(codes(r#"{ rename = { year = "sex", sex = "year" } }"#).is_empty());
    assert_eq!(codes(r#"{ select = ["year", "x_*"] }"#), ["E0219"]);
    assert_eq!(codes(r#"{ drop = ["yeer"] }"#), ["E0213"]);
    assert_eq!(codes(r#"{ drop = "*" }"#), ["E0219"]);
    assert_eq!(codes(r#"{ drop = ["year"] }, { filter = "year > 2007" }"#), ["E0213"]);
    assert_eq!(codes(r#"{ fill = { sex = "mean" } }"#), ["E0214"]);
    assert_eq!(codes(r#"{ fill = { year = 1.5 } }"#), ["E0214"]);
    assert_eq!(codes(r#"{ cast = { year = "u8" } }, { fill = { year = 300 } }"#), ["E0136"]);
    assert_eq!(codes(r#"{ dedupe = { by = ["yeer"] } }"#), ["E0213"]);
    assert_eq!(codes(r#"{ sort = { by = "yeer" } }"#), ["E0213"]);
    assert_eq!(codes(r#"{ sort = { by = ["year", "sex"], descending = [true, true, true] } }"#), ["E0136"]);
    assert_eq!(codes(r#"{ join = { with = "islands", on = "isle" } }"#), ["E0213", "E0213"]);
    assert_eq!(codes(r#"{ join = { with = "islands", on = "island", how = "cross" } }"#), ["E0135"]);
    assert_eq!(codes(r#"{ join = { with = "islands" } }"#), ["E0135"]);
    assert_eq!(codes(r#"{ join = { with = "islands", left_on = "sex", right_on = "area" } }"#), ["E0214"]);
    assert_eq!(codes(r#"{ join = { with = "islands", left_on = ["sex", "year"], right_on = "island" } }"#), ["E0136"]);
}

#[test]
fn an_open_table_is_no_mistake() {
    let mut bench = Bench::default();
    let open = TableSchema { columns: vec![ColumnType::new("label", DType::U8)], complete: false, rows: None };
    bench.input("t", ArtifactType::Table(open), &[]);
    bench.input("u", ArtifactType::Unknown, &[]);
    let fields = r#"from = "t"
        steps = [{ filter = "anything > 3" }, { derive = { b = "c + 1" } }, { cast = { "x_*" = "f32", label = "i64" } },
        { fill = { q = "mean" } }, { rename = { z = "zz" } }, { join = { with = "u", on = "k" } }, { sort = { by = "k" } },
        { dedupe = { by = "k" } }, { drop = ["w"] }, { select = ["label", "b", "m"] }]"#;
    let (outputs, findings) = bench.check::<Table>(fields);
    assert!(findings.is_empty(), "{findings:?}");
    let Some(ArtifactType::Table(schema)) = outputs.get("table") else { panic!("a table") };
    let types: Vec<String> = schema.columns.iter().map(|column| format!("{} {}", column.name, column.dtype)).collect();
    assert_eq!((schema.complete, types), (true, vec!["label i64".into(), "b unknown".into(), "m unknown".into()]));
}

#[test]
fn a_value_that_cannot_be_cast_names_its_step() {
    let fields = r#"from = "t"
        steps = [{ filter = "year > 2007" }, { cast = { species = "f64" } }]"#;
    let bench = bench();
    let error = bench.run::<Table>(fields).expect_err("it fails");
    assert_eq!(dotted(&error.at.expect("a place")), "steps[1].cast");
    assert!(error.message.contains("species") && error.message.starts_with("cannot do step 2"), "{}", error.message);
}
