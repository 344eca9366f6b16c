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
    let df = steps(r#"{ join = { with = "islands", on = "island", how = "right" } }"#);
    assert_eq!((df.height(), texts(&df, "island")[292].as_deref()), (293, Some("Nowhere")));
    assert_eq!(texts(&df, "island")[0].as_deref(), Some("Biscoe"), "the order is that of the other table");
    assert_eq!((df.column("species").expect("there").null_count(), numbers(&df, "area").len()), (1, 293));
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
    assert_eq!(codes(r#"{ cast = { year = "date" } }"#), ["E0214"]);
    assert_eq!(codes(r#"{ cast = { "x_*" = "i32" } }"#), ["E0219"]);
    assert_eq!(codes(r#"{ rename = { yeer = "y" } }"#), ["E0213"]);
    assert_eq!(codes(r#"{ rename = { yeer = "y" } }, { filter = "y > 2007" }, { sort = { by = "y" } }"#), ["E0213"]);
    assert_eq!(codes(r#"{ rename = { year = "sex" } }"#), ["E0215"]);
    assert_eq!(codes(r#"{ rename = { year = "sex" } }, { filter = "sex > 2007" }"#), ["E0215"]);
    assert!(codes(r#"{ rename = { year = "sex", sex = "year" } }"#).is_empty());
    assert_eq!(codes(r#"{ clean = { columns = "yeer" } }"#), ["E0213"]);
    assert_eq!(codes(r#"{ clean = { columns = ["sex", "year"] } }"#), ["E0214"]);
    assert_eq!(codes(r#"{ clean = { columns = "*", replace = [{ pattern = "a" }, { pattern = "(" }] } }"#), ["E0136"]);
    assert_eq!(codes(r#"{ rename = { year = "Sex" } }, { names = "snake_case" }"#), ["E0215"]);
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

fn numbers(df: &DataFrame, name: &str) -> Vec<Option<f64>> {
    let column = df.column(name).expect("there").cast(&DataType::Float64).expect("numbers");
    column.f64().expect("numbers").iter().collect()
}

fn texts(df: &DataFrame, name: &str) -> Vec<Option<String>> {
    df.column(name).expect("there").str().expect("text").iter().map(|text| text.map(str::to_owned)).collect()
}

#[test]
fn rows_are_grouped() {
    let df = steps(
        r#"{ group = { by = ["species"], agg = { n = "count(*)", mass = "avg(body_mass_g)", males = "sum(CASE WHEN sex = 'male' THEN 1 ELSE 0 END)", range = "max(year) - min(year)" } } }"#,
    );
    assert_eq!(texts(&df, "species"), ["Adelie", "Chinstrap", "Gentoo"].map(|name| Some(name.to_owned())));
    assert_eq!(numbers(&df, "n"), [Some(152.0), Some(68.0), Some(124.0)]);
    assert_eq!(numbers(&df, "males"), [Some(73.0), Some(34.0), Some(61.0)]);
    assert_eq!(numbers(&df, "range"), [Some(2.0); 3]);
    let mass = numbers(&df, "mass")[0].expect("a mean");
    assert!((mass - 3_700.662_251_655_629).abs() < 1e-9, "{mass}");
    assert_eq!(codes(r#"{ group = { by = "specie", agg = { n = "count(*)" } } }"#), ["E0213"]);
    assert_eq!(codes(r#"{ group = { by = "species", agg = { species = "count(*)" } } }"#), ["E0215"]);
    assert_eq!(codes(r#"{ group = { by = "species", agg = { m = "body_mass_g" } } }"#), ["E0214"]);
    let text = r#"{ group = { by = "species", agg = { m = "avg(body_mas_g)" } } }"#;
    assert_eq!(places(text), [("E0213".to_owned(), "steps[0].group.agg.m".to_owned(), Some(4..14))]);
}

#[test]
fn windows_look_at_the_rows_around() {
    let df = steps(
        r#"{ window = { by = "species", order = "body_mass_g", columns = { place = "row_number()", before = "lag(body_mass_g)", all = "count(*)" } } },
        { filter = "species = 'Gentoo' AND place <= 3" }, { sort = { by = "place" } }"#,
    );
    assert_eq!(numbers(&df, "place"), [Some(1.0), Some(2.0), Some(3.0)]);
    assert_eq!(numbers(&df, "before")[1..], numbers(&df, "body_mass_g")[..2]);
    let text = r#"{ window = { by = "species", columns = { m = "avg(body_mas_g)" } } }"#;
    assert_eq!(places(text), [("E0213".to_owned(), "steps[0].window.columns.m".to_owned(), Some(4..14))]);
    assert_eq!(codes(r#"{ window = { by = "kind", columns = { m = "avg(year)" } } }"#), ["E0213"]);
}

#[test]
fn tables_turn() {
    let df = steps(
        r#"{ pivot = { on = "sex", columns = ["male", "female"], by = "species", value = "body_mass_g", agg = "mean" } }"#,
    );
    assert_eq!(
        df.columns().iter().map(|column| column.name().as_str()).collect::<Vec<_>>(),
        ["species", "male", "female"]
    );
    assert!((numbers(&df, "male")[0].expect("a mean") - 4_043.493_150_684_931_5).abs() < 1e-9);
    let df = steps(
        r#"{ pivot = { on = "year", columns = ["2007", "2008", "2009"], by = "island", value = "species", agg = "count" } },
        { unpivot = { on = ["2007", "2008", "2009"], index = "island", variable = "year", value = "n" } }"#,
    );
    assert_eq!(df.height(), 9);
    assert_eq!(numbers(&df, "n").into_iter().flatten().sum::<f64>(), 344.0);
    assert_eq!(texts(&df, "year")[3], Some("2008".to_owned()));
    let df = steps(
        r#"{ pivot = { on = "species", columns = ["Adelie", "Chinstrap", "Gentoo"], by = "island", value = "year", agg = "sum" } }"#,
    );
    let there = |name: &str| numbers(&df, name).iter().map(Option::is_some).collect::<Vec<_>>();
    assert_eq!((there("Adelie"), there("Chinstrap")), (vec![true; 3], vec![false, true, false]), "no sum of nothing");
    assert_eq!(codes(r#"{ unpivot = { on = ["year", "sex"] } }"#), ["E0214"]);
    assert_eq!(
        codes(r#"{ pivot = { on = "sex", columns = ["male", "male"], by = "species", value = "year" } }"#),
        ["E0215"]
    );
    assert_eq!(
        codes(r#"{ pivot = { on = "sex", columns = ["male"], by = "species", value = "island", agg = "sum" } }"#),
        ["E0214"]
    );
    let lists = r#"{ derive = { w = "string_to_array(species, 'a')" } }, { pivot = { on = "sex", columns = ["male"], by = "island", value = "w", agg = "max" } }"#;
    assert_eq!(codes(lists), ["E0214"]);
    let fields = r#"from = "t"
        steps = [{ pivot = { on = "year", columns = ["2007"], by = "island", value = "species" } }]"#;
    let error = bench().run::<Table>(fields).expect_err("2008 is not listed");
    assert!(error.message.ends_with("values that `columns` does not list: `2008` and `2009`"), "{}", error.message);
    assert_eq!(dotted(&error.at.expect("a place")), "steps[0].pivot");
}

#[test]
fn lists_are_taken_apart() {
    let df = steps(
        r#"{ select = ["species", "island"] }, { derive = { part = "string_to_array(island, 'e')" } }, { explode = "part" }, { filter = "part = 'Bisco'" }"#,
    );
    assert_eq!(df.height(), 168);
    assert_eq!(codes(r#"{ explode = "island" }"#), ["E0214"]);
}

#[test]
fn a_value_that_a_type_cannot_hold_is_named_with_its_row() {
    let mut bench = Bench::default();
    let day = 86_400_000_000_i64;
    let df =
        df!["f" => [1.0, 2.5, 3.25], "n" => [1_i64, 2, (1 << 24) + 1], "at" => [0, day, day + 1]].expect("a frame");
    let df = df.lazy().with_column(col("at").cast(DataType::Datetime(TimeUnit::Microseconds, None))).collect();
    table_input(&mut bench, "t", df.expect("times"));
    for (step, wanted) in [
        ("f = \"i64\"", "column `f`: 2 of 3 values have no form as i64, the first is `2.5` in row 2"),
        ("n = \"f32\"", "column `n`: 1 of 3 values has no form as f32, the first is `16777217` in row 3"),
        ("n = \"u8\"", "column `n`: 1 of 3 values has no form as u8, the first is `16777217` in row 3"),
        ("at = \"date\"", "in row 3"),
        ("n = \"u8\", f = \"i64\"", "in row 2"),
    ] {
        for memory in [None, Some(1 << 30)] {
            bench.memory = memory;
            let error =
                run::<Table>(&bench, &format!("from = \"t\"\nsteps = [{{ cast = {{ {step} }} }}]")).expect_err(step);
            let told =
                error.message.starts_with("cannot do step 1, `cast`: column `") && error.message.ends_with(wanted);
            assert!(told, "{step}: {}", error.message);
        }
    }
    let fine = "from = \"t\"\nsteps = [{ cast = { f = \"f32\", n = \"f64\" } }]";
    run::<Table>(&bench, fine).expect("fractions are rounded");
}

#[test]
fn a_part_of_a_time_is_no_field() {
    let fields = "from = \"t\"\nsteps = [{ derive = { m = \"year.month\" } }]";
    let found = findings::<Table>(&bench(), fields).remove(0).1;
    assert!(found.ends_with("and `month(a)` a part of a date or time") && !found.contains('\n'), "{found}");
}

#[test]
fn numbers_that_are_none_become_null() {
    let mut bench = Bench::default();
    let values = [1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    table_input(&mut bench, "t", df!["x" => values].expect("a frame"));
    for (text, row) in [("NaN", 1), ("inf", 2), ("-inf", 3)] {
        let step = format!("{{ derive = {{ x = \"nullif(x, CAST('{text}' AS DOUBLE))\" }} }}");
        let made = run::<Table>(&bench, &format!("from = \"t\"\nsteps = [{step}]")).expect("it runs");
        let missing: Vec<bool> = numbers(&made[0].1, "x").iter().map(Option::is_none).collect();
        assert_eq!(missing, [row == 0, row == 1, row == 2, row == 3], "{text}");
    }
}

#[test]
fn samples_repeat() {
    let (one, two) =
        (steps(r#"{ sample = { rows = 20 } }"#), steps(r#"{ sample = { rows = 20 } }, { select = ["year"] }"#));
    assert_eq!((one.height(), numbers(&one, "year")), (20, numbers(&two, "year")));
    assert_ne!(numbers(&one, "body_mass_g"), numbers(&steps(r#"{ sample = { rows = 20, seed = 1 } }"#), "body_mass_g"));
    assert_eq!(steps(r#"{ sample = { fraction = 0.25 } }"#).height(), 86);
    // What follows sees the chosen rows alone.
    let adelie = steps(r#"{ sample = { rows = 20 } }, { filter = "species = 'Adelie'" }"#).height();
    assert_eq!(texts(&one, "species").iter().filter(|name| name.as_deref() == Some("Adelie")).count(), adelie);
    // Steps before it that choose nothing do not shift the choice; another random step has a choice of its own.
    let later = steps(r#"{ derive = { a = "1" } }, { sample = { rows = 20 } }"#);
    assert_eq!(numbers(&one, "body_mass_g"), numbers(&later, "body_mass_g"));
    let other = steps(r#"{ sample = { rows = 344 } }, { sample = { rows = 20 } }"#);
    assert_ne!(numbers(&one, "body_mass_g"), numbers(&other, "body_mass_g"));
    assert_eq!(codes(r#"{ sample = {} }"#), ["E0135"]);
    assert_eq!(codes(r#"{ sample = { fraction = 2.0 } }"#), ["E0136"]);
}

#[test]
fn tables_follow_each_other() {
    let fields =
        |how: &str| format!(r#"{{ select = ["year", "island"] }}, {{ concat = {{ with = ["islands"]{how} }} }}"#);
    assert_eq!(codes(&fields("")), ["E0213"]);
    let df = steps(&fields(r#", how = "diagonal""#));
    assert_eq!((df.height(), numbers(&df, "area")[343..].to_vec()), (347, vec![None, Some(1.5), Some(0.4), Some(9.0)]));
    let df = steps(r#"{ concat = { with = ["t", "t"] } }"#);
    assert_eq!(df.height(), 3 * 344);
    let text = r#"{ cast = { year = "i16" } }, { concat = { with = ["t"] } }"#;
    assert_eq!(codes(text), ["E0214"]);
}

#[test]
fn the_nearest_row_is_found() {
    let mut bench = Bench::default();
    let trades = df!["at" => [Some(5_i64), Some(1), None, Some(9)], "who" => ["a", "a", "a", "b"]].expect("a frame");
    let prices =
        df!["at" => [8_i64, 4, 1, 4], "who" => ["b", "a", "b", "b"], "price" => [1.0, 2.0, 3.0, 4.0]].expect("a frame");
    table_input(&mut bench, "t", trades);
    table_input(&mut bench, "prices", prices);
    let price = |more: &str| {
        let join =
            format!("from = \"t\"\nsteps = [{{ join = {{ with = \"prices\", on = \"at\", how = \"asof\"{more} }} }}]");
        let mut found = run::<Table>(&bench, &join).expect("it runs");
        numbers(&found.remove(0).1, "price")
    };
    assert_eq!(price(""), [Some(4.0), Some(3.0), None, Some(1.0)]);
    assert_eq!(price(", by = \"who\""), [Some(2.0), None, None, Some(1.0)]);
    assert_eq!(price(", direction = \"forward\""), [Some(1.0), Some(3.0), None, None]);
    assert_eq!(price(", tolerance = \"0\""), [None, Some(3.0), None, None]);
    let wrong = |more: &str| {
        let join = format!("from = \"t\"\nsteps = [{{ join = {{ with = \"prices\", {more} }} }}]");
        findings::<Table>(&bench, &join).into_iter().map(|(code, _)| code).collect::<Vec<_>>()
    };
    assert_eq!(wrong("on = \"who\", how = \"asof\""), ["E0214", "E0214"]);
    assert_eq!(wrong("on = \"at\", by = \"who\""), ["E0135"]);
    assert_eq!(wrong("on = \"at\", how = \"asof\", tolerance = \"2 hours\""), ["E0136"]);
}

#[test]
fn rows_are_joined_on_a_condition() {
    let names = |df: &DataFrame| df.columns().iter().map(|column| column.name().to_string()).collect::<Vec<_>>();
    let mut bench = Bench::default();
    let sales = df!["k" => [Some("a"), Some("b"), Some("a"), None], "at" => [5_i64, 1, 20, 5], "n" => [1_i64, 2, 3, 4]];
    let prices = df!["k" => ["a", "a", "b", "a"], "at" => [0_i64, 10, 4, 4], "till" => [10_i64, 20, 9, 6], "p" => [1.0, 2.0, 3.0, 4.0]];
    table_input(&mut bench, "t", sales.expect("a frame"));
    table_input(&mut bench, "prices", prices.expect("a frame"));
    let join = |more: &str| {
        let fields = format!("from = \"t\"\nsteps = [{{ join = {{ with = \"prices\", {more} }} }}]");
        run::<Table>(&bench, &fields).expect("it runs").remove(0).1
    };
    let within = "where = \"at >= at_right AND at < till\"";
    let df = join(&format!("on = \"k\", {within}"));
    assert_eq!(names(&df), ["k", "at", "n", "at_right", "till", "p"]);
    assert_eq!(numbers(&df, "p"), [Some(1.0), Some(4.0)], "in the order of both tables");
    let df = join(&format!("on = \"k\", how = \"left\", {within}"));
    assert_eq!(names(&df), ["k", "at", "n", "at_right", "till", "p"]);
    assert_eq!(numbers(&df, "p"), [Some(1.0), Some(4.0), None, None, None]);
    assert_eq!(numbers(&join(&format!("on = \"k\", how = \"semi\", {within}")), "n"), [Some(1.0)]);
    assert_eq!(
        numbers(&join(&format!("on = \"k\", how = \"anti\", {within}")), "n"),
        [Some(2.0), Some(3.0), Some(4.0)]
    );
    let df = join("where = \"at < at_right\"");
    assert_eq!(names(&df), ["k", "at", "n", "k_right", "at_right", "till", "p"]);
    assert_eq!(numbers(&df, "p"), [Some(2.0), Some(2.0), Some(3.0), Some(4.0), Some(2.0)]);
    let df = join("how = \"left\", where = \"k = k_right OR p = 2\", suffix = \"_right\"");
    assert_eq!(numbers(&df, "n"), [1.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 3.0, 4.0].map(Some));
    assert_eq!(numbers(&join("on = \"k\", where = \"n < p\""), "n"), [Some(1.0), Some(1.0), Some(2.0), Some(3.0)]);
    assert_eq!(numbers(&join("how = \"anti\", where = \"n <= p\" "), "n"), [None::<f64>; 0]);
    let wrong = |more: &str| {
        let fields = format!("from = \"t\"\nsteps = [{{ join = {{ with = \"prices\", {more} }} }}]");
        findings::<Table>(&bench, &fields).into_iter().map(|(code, _)| code).collect::<Vec<_>>()
    };
    assert_eq!(wrong("where = \"at < bt\""), ["E0213"]);
    assert_eq!(wrong("where = \"at + 1\""), ["E0214"]);
    assert_eq!(wrong("where = \"k < at\""), ["E0214"]);
    assert_eq!(wrong("where = \"at < max(p)\""), ["E0216"]);
    assert_eq!(wrong("on = \"k\", how = \"full\", where = \"at < p\""), ["E0135"]);
}

/// Keys of a full join come from both tables.
#[test]
fn keys_of_other_widths_are_joined_in_the_wider_one() {
    let mut bench = Bench::default();
    table_input(&mut bench, "t", df!["k" => [1_i32, 2], "a" => [1_i64, 2]].expect("a frame"));
    table_input(&mut bench, "wide", df!["k" => [2_i64, 1 << 40], "b" => [3_i64, 4]].expect("a frame"));
    for (how, keys) in [
        ("inner", vec![Some(2.0)]),
        ("left", vec![Some(1.0), Some(2.0)]),
        ("right", vec![Some(2.0), Some(1_099_511_627_776.0)]),
        ("full", vec![Some(1.0), Some(2.0), Some(1_099_511_627_776.0)]),
    ] {
        let fields = format!("from = \"t\"\nsteps = [{{ join = {{ with = \"wide\", on = \"k\", how = \"{how}\" }} }}]");
        let df = run::<Table>(&bench, &fields).expect("it runs").remove(0).1;
        assert_eq!(numbers(&df, "k"), keys, "{how}");
    }
}

#[test]
fn a_table_may_lose_all_its_rows() {
    let df = steps(
        r#"{ filter = "year > 3000" }, { derive = { heavy = "body_mass_g > avg(body_mass_g)" } }, { fill = { "bill_*" = "median" } },
        { dedupe = { by = "island" } }, { sort = { by = "year" } }, { window = { by = "sex", columns = { n = "count(*)" } } },
        { sample = { fraction = 0.5 } }, { join = { with = "islands", on = "island", how = "left" } }, { concat = { with = [] } }"#,
    );
    assert_eq!((df.height(), df.width()), (0, 12));
    assert_eq!(
        steps(r#"{ filter = "year > 3000" }, { group = { by = "sex", agg = { n = "count(*)", y = "avg(year)" } } }"#)
            .height(),
        0
    );
    let pivot = r#"{ filter = "year > 3000" }, { pivot = { on = "sex", columns = ["male"], by = "island", value = "year", agg = "sum" } }"#;
    assert_eq!(steps(pivot).height(), 0);
    assert_eq!(steps(r#"{ filter = "year > 3000" }, { unpivot = { on = "bill_*" } }"#).height(), 0);
}

/// Told before there is a row of them: they would fill the memory.
#[test]
fn a_sequence_that_is_too_long_is_not_begun() {
    let mut bench = Bench::default();
    table_input(&mut bench, "t", df!["n" => [0_i64, 3, i64::MAX]].expect("a frame"));
    let error = run::<Table>(&bench, "from = \"t\"\nsteps = [{ complete = { order = \"n\", every = 1 } }]");
    let message = error.expect_err("too many").message;
    assert!(message.contains("more than 100,000,000 rows would be added"), "{message}");
}
