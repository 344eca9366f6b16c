//! Filters reach the files, and columns that nobody uses are never read: told by the optimised plan, and proven by files in which
//! what must not be read is damaged.

use super::sql::Sql;
use super::stepwise::Table;
use super::testing::table_input;
use crate::frame::{joined, schema_of};
use crate::stage::testing::{Bench, fields};
use crate::stage::{Erased, InputTypes, Kind, Plan, Seed, Stage, StageError, View};
use crate::stages::source::read::Read;
use crate::types::ArtifactType;
use polars::prelude::*;

/// A piece of every text in the column `text`, so that it is found in the file.
const MARK: &[u8] = b"-marked-";

fn frame() -> DataFrame {
    let rows = 0..4000_i64;
    df![
        "n" => rows.clone().collect::<Vec<_>>(),
        "k" => rows.clone().map(|row| ["a", "b", "c"][row as usize % 3]).collect::<Vec<_>>(),
        "x" => rows.clone().map(|row| row as f64 / 2.0).collect::<Vec<_>>(),
        "text" => rows.map(|row| format!("{row}-marked-")).collect::<Vec<_>>(),
    ]
    .expect("a frame")
}

/// The frame as a file of four row groups, in which every text of rows from `damaged` on is no text any more.
fn file(damaged: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes)
        .with_compression(ParquetCompression::Uncompressed)
        .with_statistics(StatisticsOptions::full())
        .with_row_group_size(Some(1000))
        .finish(&mut frame())
        .expect("written");
    // What follows the row groups is their description, with the length of it before the last four bytes.
    let length: [u8; 4] = bytes[bytes.len() - 8..bytes.len() - 4].try_into().expect("four bytes");
    let end = bytes.len() - 8 - u32::from_le_bytes(length) as usize;
    let (mut row, mut at) = (0, 0);
    while let Some(found) = bytes[at..end].windows(MARK.len()).position(|part| part == MARK) {
        let place = at + found;
        if row >= damaged {
            bytes[place..place + MARK.len()].fill(0xff);
        }
        row += 1;
        at = place + MARK.len();
    }
    assert!(row >= 4000, "the texts are in the file: {row}");
    bytes
}

fn bench(bytes: &[u8]) -> Bench {
    let mut bench = Bench::default();
    bench.input("t", ArtifactType::Table(schema_of(&frame())), &[("table.parquet", bytes)]);
    bench
}

fn seed() -> Seed {
    Seed::derive(7, "stage")
}

/// The optimised plan of a stage.
fn optimised<K: Kind>(bench: &Bench, text: &str) -> String {
    let spec: K::Spec = serde_json::from_value(fields(text)).expect("a spec");
    let Plan(plan) = K::plan(&spec, &bench.inputs, seed()).expect("a plan");
    let lf = plan.downcast::<LazyFrame>().unwrap_or_else(|_| panic!("a plan of polars"));
    joined(*lf, true).explain(true).expect("an explanation")
}

/// The lines of a plan that tell what its scans read, and by which condition.
fn scans(plan: &str) -> Vec<String> {
    let lines = plan.lines().map(str::trim).filter(|line| line.starts_with("PROJECT") || line.starts_with("SELECTION"));
    lines.map(str::to_owned).collect()
}

fn holds(plan: &str, parts: &[&str]) {
    let found = scans(plan);
    let lacks = parts.iter().filter(|part| !found.iter().any(|line| line.contains(**part)));
    let lacks: Vec<_> = lacks.collect();
    assert!(lacks.is_empty(), "no scan has {lacks:?}: {found:?}\n{plan}");
    assert!(!plan.contains("FILTER"), "the filter is not in the scan:\n{plan}");
}

const QUERY: &str = r#"inputs = { t = "t" }
    query = "SELECT k, sum(x) AS s FROM t WHERE n < 10 GROUP BY k""#;

#[test]
fn a_query_s_filter_stands_in_the_scan_with_the_columns_it_needs() {
    let bench = bench(&file(usize::MAX));
    holds(&optimised::<Sql>(&bench, QUERY), &["PROJECT 3/4 COLUMNS", "SELECTION", "col(\"n\") < 10"]);
    let later = r#"inputs = { t = "t" }
        query = "SELECT k, n FROM (SELECT k, n, x + 1 AS y FROM t) AS s WHERE n < 10""#;
    holds(&optimised::<Sql>(&bench, later), &["PROJECT 2/4 COLUMNS", "col(\"n\") < 10"]);
    let listed = r#"inputs = { t = "t" }
        query = "SELECT x FROM t WHERE k IN ('a', 'b') AND n < 10""#;
    holds(&optimised::<Sql>(&bench, listed), &["PROJECT 3/4 COLUMNS", "is_in", "col(\"n\") < 10"]);
    let joined = r#"inputs = { t = "t" }
        query = "SELECT a.k, b.x FROM t AS a JOIN t AS b ON a.n = b.n WHERE a.n < 10 AND b.x > 1""#;
    holds(&optimised::<Sql>(&bench, joined), &["PROJECT 2/4 COLUMNS", "col(\"n\") < 10", "col(\"x\")"]);
}

#[test]
fn a_step_s_filter_stands_in_the_scan_behind_the_steps_before_it() {
    let bench = bench(&file(usize::MAX));
    let steps = |steps: &str| optimised::<Table>(&bench, &format!("from = \"t\"\nsteps = [{steps}]"));
    holds(&steps(r#"{ filter = "n < 10" }, { select = ["k", "x"] }"#), &["PROJECT 3/4", "col(\"n\") < 10"]);
    let after = r#"{ derive = { y = "x + 1" } }, { drop = "text" }, { filter = "n < 10" }, { select = ["y"] }"#;
    holds(&steps(after), &["PROJECT 2/4 COLUMNS", "col(\"n\") < 10"]);
    let renamed = r#"{ rename = { n = "number" } }, { filter = "number < 10" }, { select = ["k"] }"#;
    holds(&steps(renamed), &["PROJECT 2/4 COLUMNS", "col(\"n\") < 10"]);
    let grouped = r#"{ group = { by = "k", agg = { s = "sum(x)" } } }, { filter = "k = 'a'" }"#;
    holds(&steps(grouped), &["PROJECT 2/4 COLUMNS", "col(\"k\")"]);
}

/// The bench of what uses `v`, a table that is not kept and was made by a stage of kind `K`.
fn with_view<K: Kind + 'static>(bench: &mut Bench, text: &str) {
    let produced = bench.run::<K>(text).expect("it runs");
    let files = bench.output("table");
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    assert_eq!(files[0].0, "view.json");
    let spec = Erased::<K>::NEW.decode(&fields(text)).0.expect("decoded");
    let view = View::new("v", spec.into(), bench.inputs.clone(), seed());
    bench.input("v", produced.ports[0].ty.clone(), &files);
    let input = bench.inputs.remove("v").expect("put there");
    bench.inputs.insert("v".to_owned(), input.made_by(view));
}

#[test]
fn filters_reach_through_tables_that_are_not_kept_into_the_file() {
    let bytes = file(usize::MAX);
    let query = r#"inputs = { v = "v" }
        query = "SELECT k FROM v WHERE n < 10""#;
    let mut steps = bench(&bytes);
    let view = "from = \"t\"\nkeep = false\nsteps = [{ filter = \"x > 1\" }, { derive = { half = \"x / 2\" } }]";
    with_view::<Table>(&mut steps, view);
    holds(&optimised::<Sql>(&steps, query), &["PROJECT 3/4 COLUMNS", "col(\"n\")", "col(\"x\")"]);
    let mut read = Bench::default();
    read.input("raw", ArtifactType::File, &[("d.parquet", &bytes)]);
    with_view::<Read>(&mut read, "from = \"raw\"\nkeep = false");
    holds(&optimised::<Sql>(&read, query), &["PROJECT 2/4 COLUMNS", "col(\"n\") < 10"]);
}

fn answer<K: Kind>(bench: &Bench, text: &str) -> Result<u64, StageError> {
    let produced = bench.run::<K>(text)?;
    let ArtifactType::Table(schema) = &produced.ports[0].ty else { panic!("a table") };
    Ok(schema.rows.unwrap_or_default())
}

#[test]
fn a_damaged_column_that_nobody_uses_is_not_read() {
    let steps = "from = \"t\"\nsteps = [{ filter = \"n >= 3990\" }, { select = [\"k\", \"x\"] }]";
    for memory in [None, Some(1 << 30)] {
        let mut bench = bench(&file(0));
        bench.memory = memory;
        assert_eq!(answer::<Sql>(&bench, QUERY).expect("its column is not used"), 3);
        assert_eq!(answer::<Table>(&bench, steps).expect("its column is not used"), 10);
        let used = "inputs = { t = \"t\" }\nquery = \"SELECT max(text) AS m FROM t\"";
        answer::<Sql>(&bench, used).expect_err("the damage is seen where the column is read");
    }
}

/// What a step looks at is read, although nothing behind it uses it, and nothing else is.
#[test]
fn a_completed_table_reads_its_sequence_and_what_is_used() {
    let complete = |select: &str| {
        let steps = "{ filter = \"n < 12 AND n <> 6\" }, { complete = { by = \"k\", order = \"n\", every = 3 } }";
        format!("from = \"t\"\nsteps = [{steps}, {{ select = [\"{select}\"] }}]")
    };
    for memory in [None, Some(1 << 30)] {
        let mut bench = bench(&file(0));
        bench.memory = memory;
        for used in ["x", "n", "k"] {
            assert_eq!(answer::<Table>(&bench, &complete(used)).expect("the text is not used"), 12, "{used}");
        }
        answer::<Table>(&bench, &complete("text")).expect_err("the damage is seen where the column is read");
    }
    let sound = bench(&file(usize::MAX));
    let spec = serde_json::from_value(fields(&complete("x"))).expect("a spec");
    let types: InputTypes<'_> = sound.inputs.iter().map(|(name, input)| (name.as_str(), &input.ty)).collect();
    let mut read: Vec<String> =
        Table::reads(&spec, &types).of("t").expect("a part").read().map(str::to_owned).collect();
    read.sort();
    assert_eq!(read, ["k", "n", "x"]);
}

#[test]
fn damaged_rows_that_a_filter_leaves_out_are_not_read() {
    let query = |rows: i64| format!("inputs = {{ t = \"t\" }}\nquery = \"SELECT n, text FROM t WHERE n < {rows}\"");
    let steps = |rows: i64| {
        format!("from = \"t\"\nsteps = [{{ derive = {{ y = \"x + 1\" }} }}, {{ filter = \"n < {rows}\" }}]")
    };
    for memory in [None, Some(1 << 30)] {
        let mut bench = bench(&file(2500));
        bench.memory = memory;
        assert_eq!(answer::<Sql>(&bench, &query(1000)).expect("the first group is sound"), 1000);
        assert_eq!(answer::<Table>(&bench, &steps(800)).expect("the first group is sound"), 800);
        answer::<Sql>(&bench, &query(4000)).expect_err("the damage is seen where the rows are read");
    }
}

/// Whoever counts the rows of a join needs none of its columns, and its check all the same.
#[test]
fn the_check_of_a_join_stays_where_nothing_of_it_is_used() {
    let view = |on: &str| {
        let join = format!("with = \"t\", on = \"{on}\", how = \"left\", suffix = \"_2\", matches = \"one\"");
        format!("from = \"t\"\nkeep = false\nsteps = [{{ filter = \"n < 9\" }}, {{ join = {{ {join} }} }}]")
    };
    let query = "inputs = { v = \"v\" }\nquery = \"SELECT count(*) AS c FROM v\"";
    for memory in [None, Some(1 << 30)] {
        let mut once = bench(&file(usize::MAX));
        once.memory = memory;
        with_view::<Table>(&mut once, &view("n"));
        assert_eq!(answer::<Sql>(&once, query).expect("each number is there once"), 1);
        let mut often = bench(&file(usize::MAX));
        often.memory = memory;
        with_view::<Table>(&mut often, &view("k"));
        let error = answer::<Sql>(&often, query).expect_err("each letter is there often");
        assert!(error.message.contains("a row matches several rows of the other table"), "{}", error.message);
    }
}

/// What is wanted are the first rows, and the last one fails.
#[test]
fn the_check_of_a_join_sees_all_rows_where_few_are_wanted() {
    let view = "from = \"t\"\nkeep = false\nsteps = [{ join = { with = \"u\", on = \"n\", how = \"left\", matches = \"one\" } }]";
    for memory in [None, Some(1 << 30)] {
        let mut bench = bench(&file(usize::MAX));
        bench.memory = memory;
        let twice: Vec<i64> = (0..4000).chain([3999]).collect();
        table_input(&mut bench, "u", df!["n" => twice].expect("a frame"));
        with_view::<Table>(&mut bench, view);
        let error = answer::<Sql>(&bench, "inputs = { v = \"v\" }\nquery = \"SELECT n FROM v LIMIT 1\"");
        let message = error.expect_err("the last number is there twice").message;
        assert!(message.contains("several rows of the other table") || message.contains("row 4,000"), "{message}");
    }
}
