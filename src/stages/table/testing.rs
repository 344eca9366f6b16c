//! What the tests of table stages share: the bench with tables as inputs and outputs.

use crate::digest::Digest;
use crate::frame::{read_table, schema_of, table_digest};
use crate::stage::testing::Bench;
use crate::stage::{Input, InputFile, Kind, Outputs, Produced, StageError};
use crate::types::ArtifactType;
use polars::prelude::{DataFrame, ParquetWriter};
use std::path::PathBuf;

/// Adds a table input.
pub(in crate::stages) fn table_input(bench: &mut Bench, reference: &str, mut df: DataFrame) {
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut df).expect("written");
    bench.input(reference, ArtifactType::Table(schema_of(&df)), &[("table.parquet", &bytes)]);
}

/// Checks and runs; gives each port's table, and asserts that it has the predicted type.
pub(super) fn run<K: Kind>(bench: &Bench, fields: &str) -> Result<Vec<(String, DataFrame)>, StageError> {
    let (outputs, findings) = bench.check::<K>(fields);
    assert!(findings.is_empty(), "{findings:?}");
    let produced = bench.run::<K>(fields)?;
    Ok(tables(bench, &outputs, &produced))
}

/// The tables of a run; what else it produced is left out.
pub(super) fn tables(bench: &Bench, outputs: &Outputs, produced: &Produced) -> Vec<(String, DataFrame)> {
    let mut found = Vec::new();
    for port in produced.ports.iter().filter(|port| port.table.is_some()) {
        let df = read(bench.place("staging").join(&port.port).join("table.parquet"));
        assert_eq!(port.table, Some(table_digest(&df).expect("a digest")), "what is stored has the digest");
        let (Some(ArtifactType::Table(predicted)), ArtifactType::Table(real)) = (outputs.get(&port.port), &port.ty)
        else {
            panic!("`{}` is not a predicted table", port.port);
        };
        if predicted.complete && predicted.columns.iter().all(|column| !column.dtype.is_unknown()) {
            assert_eq!(predicted.columns, real.columns, "the prediction holds");
        }
        found.push((port.port.clone(), df));
    }
    found
}

fn read(path: PathBuf) -> DataFrame {
    let file = InputFile { name: "table.parquet".into(), path, size: 0, digest: Digest::of(b"") };
    read_table(&Input::new(ArtifactType::Unknown, file.digest, vec![file])).expect("readable")
}

/// The penguins, read by the kind `read`.
pub(super) fn penguins() -> DataFrame {
    use crate::frame::file::{Format, Layout, read_file};
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/penguins.csv");
    let layout = Layout { null_values: vec!["NA".to_owned()], ..Layout::new(Format::Csv) };
    read_file(path.as_ref(), &layout).expect("readable")
}

/// The codes and messages of a check.
pub(in crate::stages) fn findings<K: Kind>(bench: &Bench, fields: &str) -> Vec<(String, String)> {
    let found = bench.check::<K>(fields).1;
    found.into_iter().map(|found| (found.diagnostic.code.id.to_owned(), found.diagnostic.message)).collect()
}
