//! Tables that are not kept: what uses them gives the same results, in both engines.

use super::sql::Sql;
use super::stepwise::Table;
use crate::stage::testing::{Bench, fields};
use crate::stage::{Columns, Erased, Seed, Stage, View};
use crate::types::ArtifactType;
use polars::prelude::*;

const STEPS: &str = r#"from = "t"
    steps = [{ filter = "n > 2" }, { derive = { half = "n / 2.0" } }]"#;
const QUERY: &str = r#"inputs = { v = "v" }
    query = "SELECT name, sum(half) AS s FROM v WHERE n < 9 GROUP BY name""#;

fn bench() -> Bench {
    let mut bench = Bench::default();
    let names = ["a", "b"].repeat(5);
    let mut df = df!["n" => (0..10_i64).collect::<Vec<_>>(), "name" => names, "other" => [1.5; 10]].expect("a frame");
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut df).expect("written");
    let schema = crate::frame::schema_of(&df);
    bench.input("t", ArtifactType::Table(schema), &[("table.parquet", &bytes)]);
    bench
}

/// The bench of what uses `v`: made by the steps, kept or not.
fn with_v(keep: bool) -> Bench {
    let mut bench = bench();
    let text = format!("{STEPS}\nkeep = {keep}");
    let produced = bench.run::<Table>(&text).expect("it runs");
    let files = bench.output("table");
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    assert_eq!(files[0].0, if keep { "table.parquet" } else { "view.json" });
    bench.input("v", produced.ports[0].ty.clone(), &files);
    if !keep {
        let spec = Erased::<Table>::NEW.decode(&fields(&text)).0.expect("decoded");
        let view = View::new("v", spec.into(), bench.inputs.clone(), Seed::derive(7, "stage"));
        let input = bench.inputs.remove("v").expect("put there");
        bench.inputs.insert("v".to_owned(), input.made_by(view));
    }
    bench
}

#[test]
fn a_table_that_is_not_kept_gives_the_same_results() {
    let digest = |keep, memory| {
        let mut bench = with_v(keep);
        bench.memory = memory;
        let produced = bench.run::<Sql>(QUERY).expect("it runs");
        produced.ports[0].table.clone().expect("a table")
    };
    let kept = digest(true, None);
    assert_eq!(kept, digest(false, None));
    assert_eq!(kept, digest(false, Some(1 << 30)));
}

#[test]
fn a_failure_inside_names_the_stage() {
    let mut bench = with_v(false);
    let text = "from = \"t\"\nkeep = false\nsteps = [{ cast = { name = \"i64\" } }]";
    let spec = Erased::<Table>::NEW.decode(&fields(text)).0.expect("decoded");
    let input = bench.inputs.remove("v").expect("put there");
    let view = View::new("numbers", spec.into(), bench.inputs.clone(), Seed::derive(7, "stage"));
    bench.inputs.insert("v".to_owned(), input.made_by(view));
    let error =
        bench.run::<Sql>("inputs = { v = \"v\" }\nquery = \"SELECT max(name) AS m FROM v\"").expect_err("fails");
    assert!(error.notes.iter().any(|note| note.contains("`numbers`")), "{error:?}");
}

/// The step that failed is found by looking at parts of the plan, which use columns that the whole plan does not read.
#[test]
fn a_failure_behind_columns_without_values_names_its_own_step() {
    let mut bench = bench();
    let input = bench.inputs.remove("t").expect("put there");
    let ArtifactType::Table(schema) = input.ty.clone() else { panic!("a table") };
    let columns = Columns::new(schema.names().map(str::to_owned).collect()).reading(&["name".to_owned()].into());
    let digest = input.digest;
    bench.inputs.insert("t".to_owned(), input.narrowed(columns, schema, digest));
    let text = "from = \"t\"\nsteps = [{ derive = { half = \"n / 2.0\" } }, { cast = { name = \"i64\" } }, { select = \"name\" }]";
    let error = bench.run::<Table>(text).expect_err("a text is no number");
    assert!(error.message.contains("cannot do step 2, `cast`"), "{error:?}");
}
