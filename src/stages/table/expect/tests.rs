//! Checks of real rows: what fails, how often, and what is said; and of fields that make no sense.

use super::super::testing::{findings, penguins, run, table_input, tables};
use super::Expect;
use crate::stage::testing::Bench;
use polars::prelude::*;

fn bench() -> Bench {
    let mut bench = Bench::default();
    table_input(&mut bench, "birds", penguins());
    bench
}

fn checks(text: &str) -> String {
    format!("from = \"birds\"\n[checks]\n{text}")
}

type Metrics = Vec<(String, f64)>;
type Gates = Vec<(String, bool)>;

/// The metrics of a run, and whether each gate holds.
fn judged(bench: &Bench, fields: &str) -> (Metrics, Gates) {
    let (outputs, found) = bench.check::<Expect>(fields);
    assert!(found.is_empty(), "{found:?}");
    let produced = bench.run::<Expect>(fields).expect("it runs");
    tables(bench, &outputs, &produced);
    let gates = produced.gates.into_iter().map(|gate| (gate.metric, gate.holds)).collect();
    (produced.metrics.into_iter().collect(), gates)
}

fn one(fields: &str) -> (f64, bool) {
    let (metrics, gates) = judged(&bench(), &checks(fields));
    let (name, value) = metrics.into_iter().find(|(name, _)| name != "rows").expect("a metric");
    (value, gates.iter().find(|(gate, _)| *gate == name).expect("a gate").1)
}

#[test]
fn every_rule_counts_what_fails() {
    // 344 rows; 11 of them without a sex, 2 without measures; 152 Adelie, 68 Chinstrap, 124 Gentoo.
    assert_eq!(one(r#"a = { not_null = ["sex", "bill_*"] }"#), (11.0, false));
    assert_eq!(one(r#"a = { not_null = "species" }"#), (0.0, true));
    assert_eq!(one(r#"a = { unique = ["species", "island"] }"#), (344.0, false));
    assert_eq!(one(r#"a = { range = { body_mass_g = { min = 2700, max = 6300 } } }"#), (0.0, true));
    assert_eq!(one(r#"a = { range = { body_mass_g = { min = 2700.5, max = 6299 } } }"#), (2.0, false));
    assert_eq!(one(r#"a = { one_of = { species = ["Adelie", "Gentoo"], year = [2007, 2008, 2009] } }"#), (68.0, false));
    assert_eq!(one(r#"a = { pattern = { island = "[BDT].*", species = "Adel" } }"#), (344.0, false));
    assert_eq!(one(r#"a = { pattern = { species = "Adel.*|Ch.*|G.*" } }"#), (0.0, true));
    assert_eq!(one(r#"a = { holds = "bill_depth_mm < bill_length_mm" }"#), (0.0, true));
    assert!(!one(r#"a = { holds = "body_mass_g <= avg(body_mass_g) * 1.4" }"#).1);
    assert_eq!(one(r#"a = { holds = "avg(body_mass_g) < 0" }"#), (344.0, false));
    assert_eq!(one(r#"a = { not_null = "sex", only = "species = 'Adelie'" }"#), (6.0, false));
    assert_eq!(one(r#"a = { not_null = "sex", allow = 0.04 }"#), (11.0, true));
    assert_eq!(one(r#"a = { not_null = "sex", allow = 0.03 }"#), (11.0, false));
    assert_eq!(one(r#"a = { rows = { min = 300, max = 400 } }"#), (344.0, true));
    assert_eq!(one(r#"a = { rows = { min = 345 } }"#), (344.0, false));
}

#[test]
fn missing_values_and_nan_are_told_apart() {
    let mut bench = Bench::default();
    let df = df!["k" => [Some(1_i64), Some(1), None, None, Some(2)], "x" => [1.0, f64::NAN, 3.0, 4.0, f64::INFINITY]];
    table_input(&mut bench, "birds", df.expect("a frame"));
    let count = |text: &str| judged(&bench, &checks(text)).0[0].1;
    assert_eq!(count("a = { unique = \"k\" }"), 2.0, "a missing key is shared with nobody");
    assert_eq!(count("a = { range = { x = { min = 0 } } }"), 1.0, "NaN is in no range");
    assert_eq!(count("a = { not_null = \"x\" }"), 0.0, "NaN is not missing");
    assert_eq!(count("a = { one_of = { k = [1, 2] } }"), 0.0);
    assert_eq!(count("a = { holds = \"k > 1\" }"), 2.0, "unknown is not false");
}

#[test]
fn failing_rows_are_a_table_and_the_input_goes_through() {
    let fields = checks(
        r#"light = { range = { body_mass_g = { min = 2800 } } }
        sexed = { not_null = "sex", severity = "warn" }"#,
    );
    let bench = bench();
    let ports = run::<Expect>(&bench, &format!("keep = 3\n{fields}")).expect("it runs");
    assert!(ports[0].1.equals_missing(&penguins()));
    let failures = &ports[1].1;
    let column = |name: &str| -> Vec<String> {
        let column = failures.column(name).expect("there");
        (0..failures.height()).map(|row| column.get(row).expect("a value").str_value().into_owned()).collect()
    };
    assert_eq!(column("failed_check"), ["light", "sexed", "sexed", "sexed"]);
    assert_eq!(column("failed_column"), ["body_mass_g", "sex", "sex", "sex"]);
    assert_eq!(column("failed_row"), ["315", "4", "9", "10"]);
    assert_eq!(column("body_mass_g")[0], "2700");
    let said = bench.warnings.lock().expect("no panic").clone();
    assert_eq!(
        said,
        [
            "check `light`: 1 of 344 rows fails, the first is row 315: body_mass_g = 2700",
            "check `sexed`: 11 of 344 rows fail, the first is row 4: sex = null"
        ]
    );
    let (metrics, gates) = judged(&bench, &fields);
    assert_eq!(metrics.len(), 3);
    assert_eq!(gates, [("light.failed".to_owned(), false)], "a warning is no gate");
}

#[test]
fn a_value_that_fails_is_told_with_all_its_digits() {
    let mut bench = Bench::default();
    table_input(&mut bench, "birds", df!["x" => [1.0, 5.000_000_1], "y" => [0.1_f32, 0.2]].expect("a frame"));
    judged(&bench, &checks("a = { range = { x = { max = 5 } } }\nb = { range = { y = { max = 0.1 } } }"));
    let said = bench.warnings.lock().expect("no panic").join("\n");
    assert!(said.contains("row 2: x = 5.0000001") && said.contains("row 2: y = 0.2"), "{said}");
}

/// A bound with more digits than the column has is no value of it, and stays where it is in the order.
#[test]
fn bounds_are_not_rounded_to_the_digits_of_a_decimal() {
    let mut bench = Bench::default();
    let prices = Column::new("price".into(), [1.0, 5.99, 6.0]).cast(&DataType::Decimal(10, 2)).expect("decimals");
    table_input(&mut bench, "birds", DataFrame::new(3, vec![prices]).expect("a frame"));
    let count = |range: &str| judged(&bench, &checks(&format!("a = {{ range = {{ price = {{ {range} }} }} }}"))).0[0].1;
    assert_eq!(count("max = 5.995"), 1.0);
    assert_eq!(count("max = 5.99"), 1.0);
    assert_eq!(count("min = 1.004"), 1.0);
    assert_eq!(count("min = 0.996, max = 6.004"), 0.0);
    let found = findings::<Expect>(&bench, &checks("a = { one_of = { price = [1, 5.995] } }"));
    assert!(found[0].1.contains("`5.995` is no value of column `price`, which is decimal(10, 2)"), "{found:?}");
}

#[test]
fn age_is_taken_at_a_written_time() {
    let mut bench = Bench::default();
    let days = Column::new("day".into(), ["2026-05-01", "2026-05-03"]).cast(&DataType::Date).expect("dates");
    table_input(&mut bench, "birds", DataFrame::new(2, vec![days]).expect("a frame"));
    let fresh = |as_of: &str| {
        judged(
            &bench,
            &checks(&format!("a = {{ fresh = {{ column = \"day\", as_of = \"{as_of}\", within_days = 1.5 }} }}")),
        )
    };
    assert_eq!(fresh("2026-05-04").0[0], ("a.age_days".to_owned(), 1.0));
    assert_eq!(fresh("2026-05-04T12:00:00").1[0], ("a.age_days".to_owned(), true));
    assert!(!fresh("2026-05-05").1[0].1);
    // What is newer than now by more than a day hides the age of all others.
    for (as_of, holds) in
        [("2026-05-01", true), ("2026-04-30", false), ("2026-05-02T00:00:00", true), ("2026-05-01T23:00:00", false)]
    {
        assert_eq!(fresh(as_of).1[0].1, holds, "{as_of}");
    }
    bench.warnings.lock().expect("no panic").clear();
    fresh("2026-04-30");
    fresh("2026-05-05T01:00:00");
    let said = bench.warnings.lock().expect("no panic").clone();
    assert!(said[0].starts_with("check `a`: the newest `day` is 3 days after 2026-04-30"), "{said:?}");
    let older = "check `a`: the newest `day` is 2.04167 days older than 2026-05-05T01:00:00";
    assert!(said.last().is_some_and(|said| said.starts_with(older)), "{said:?}");
}

#[test]
fn drift_is_seen_and_sameness_is_not() {
    let df = penguins();
    let mut bench = Bench::default();
    table_input(&mut bench, "birds", df.clone());
    let heavier =
        df.clone().lazy().with_column(col("body_mass_g") + lit(800)).filter(col("species").neq(lit("Adelie")));
    table_input(&mut bench, "now", heavier.collect().expect("a frame"));
    let fields = |from: &str, reference: &str| {
        format!(
            "from = \"{from}\"\nreference = \"{reference}\"\nchecks.a = {{ drift = {{ columns = [\"species\", \"body_mass_g\"], psi = 0.2, ks = 0.2 }} }}"
        )
    };
    let (metrics, gates) = judged(&bench, &fields("now", "birds"));
    let names: Vec<&str> = metrics.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["a.ks.body_mass_g", "a.psi.body_mass_g", "a.psi.species", "rows"]);
    assert!(gates.iter().all(|(_, holds)| !holds), "{metrics:?}");
    table_input(&mut bench, "same", df);
    let (metrics, gates) = judged(&bench, &fields("same", "birds"));
    assert!(gates.iter().all(|(_, holds)| *holds) && metrics[0].1 == 0.0, "{metrics:?}");
}

#[test]
fn an_empty_table_a_row_and_nothing_but_nulls_are_judged_too() {
    let all = r#"a = { not_null = "x" }
        b = { unique = "x" }
        c = { range = { x = { min = 1 } } }
        d = { holds = "x > avg(x)" }
        e = { one_of = { x = [1] } }"#;
    for values in [vec![], vec![Some(1_i64)], vec![None, None]] {
        let mut bench = Bench::default();
        table_input(&mut bench, "birds", df!["x" => values].expect("a frame"));
        judged(&bench, &checks(all));
    }
    let mut bench = Bench::default();
    let days = Column::new("day".into(), ["2026-05-01"]).cast(&DataType::Date).expect("dates").clear();
    table_input(&mut bench, "birds", DataFrame::new(0, vec![days]).expect("a frame"));
    let fresh = checks("a = { fresh = { column = \"day\", as_of = \"2026-05-04\", within_days = 1 } }");
    assert!(bench.run::<Expect>(&fresh).expect_err("no age").message.contains("no value"));
}

#[test]
fn mistakes_are_found_before_anything_runs() {
    let found = |text: &str| {
        let found = findings::<Expect>(&bench(), &checks(text));
        found.first().map(|(code, message)| format!("{code} {message}")).unwrap_or_default()
    };
    for (text, wanted) in [
        ("", "E0136 nothing is expected"),
        ("a = {}", "E0134 check `a` says nothing"),
        ("a = { unique = \"year\", not_null = \"year\" }", "E0135 check `a` says 2 things"),
        ("a = { unique = \"yaer\" }", "E0213 column `yaer`"),
        ("a = { not_null = \"wing_*\" }", "E0219 no column fits"),
        ("a = { range = { year = { } } }", "E0134 neither `min` nor `max`"),
        ("a = { range = { year = { min = 2010, max = 2007 } } }", "E0136 no value is in this range"),
        ("a = { range = { year = { min = \"2007\" } } }", "E0214 `2007` is no value of column `year`, which is i64"),
        ("a = { one_of = { year = [2007, \"x\"] } }", "E0214 `x` is no value"),
        ("a = { one_of = { year = [] } }", "E0136 no value may occur"),
        ("a = { pattern = { species = \"(\" } }", "E0136 this is no regular expression"),
        ("a = { pattern = { year = \"2.*\" } }", "E0214 column `year` is i64, but str"),
        ("a = { holds = \"year + 1\" }", "E0214 the expression gives i64"),
        ("a = { holds = \"yaer > 1\" }", "E0213 column `yaer`"),
        ("a = { rows = { min = 5, max = 3 } }", "E0136 no number of rows"),
        ("a = { rows = { min = 5 }, allow = 0.5 }", "E0135 `allow` does not go with `rows`"),
        ("a = { unique = \"year\", allow = 1.5 }", "E0136 `allow` is a share"),
        (
            "a = { fresh = { column = \"year\", as_of = \"2026-05-04\", within_days = 1 } }",
            "E0214 column `year` is i64",
        ),
        ("a = { drift = { columns = \"year\", psi = 0.1 } }", "E0134 `drift` needs a table"),
    ] {
        assert!(found(text).starts_with(wanted), "{text}: {}", found(text));
    }
    let same = "from = \"birds\"\nreference = \"birds\"\nchecks.a = { drift = { columns = \"year\", psi = 0.1 } }";
    assert_eq!(findings::<Expect>(&bench(), same)[0].0, "E0136");
}
