//! `read`: a data file becomes a table.

mod names;
mod spec;
#[cfg(test)]
mod tests;

pub use spec::Spec;

use crate::diag::codes;
use crate::frame::file::{BadFile, Format, Layout, probe, read_file, read_idx};
use crate::frame::{rows_by_columns, write_table};
use crate::path;
use crate::stage::{
    CheckCx, Family, Input, InputFile, Kind, Outputs, Port, Produced, Ref, RunCx, StageError, StageInfo,
};
use crate::types::{ArtifactType, Column, DType, TableSchema};

/// The kind.
pub struct Read;

/// The only output.
const TABLE: &str = "table";

impl Kind for Read {
    type Spec = Spec;

    const INFO: StageInfo = StageInfo {
        name: "read",
        family: Family::Source,
        version: 1,
        summary: "Makes a table of a csv, tsv, parquet, JSON lines, arrow or IDX file, compressed or not.",
        ports: &[Port { name: TABLE, about: "the table, its rows in the file's order" }],
        example: r#"[stage.table]
kind = "read"
from = "raw"
format = "csv"
null_values = ["NA"]
types = { year = "i32" }
"#,
        seeded: false,
        numeric: false,
    };

    fn check(spec: &Spec, cx: &mut CheckCx<'_>) -> Outputs {
        let is_file = wants_file(cx, &spec.from, "from");
        if let Some(labels) = &spec.labels {
            wants_file(cx, labels, "labels");
        }
        spec.check_values(cx);
        let lying = cx.files(&spec.from).and_then(<[_]>::first).cloned();
        let format = spec.format.or_else(|| Format::of_name(&lying.as_ref()?.0));
        if let Some(format) = format {
            spec.check_fits(format, cx);
        }
        let (true, true, Some(format)) = (is_file, cx.is_clean(), format) else {
            return Outputs::one(TABLE, ArtifactType::Table(spec.declared()));
        };
        let layout = match spec.layout(format) {
            Ok(layout) => layout,
            Err(_) => return Outputs::one(TABLE, ArtifactType::Unknown),
        };
        let schema = match &lying {
            None => spec.promised(&layout),
            Some((_, place)) => match look(place, spec, &layout, cx) {
                Ok(schema) => schema,
                Err(bad) => {
                    report(cx, spec, &bad);
                    return Outputs::one(TABLE, ArtifactType::Unknown);
                }
            },
        };
        Outputs::one(TABLE, ArtifactType::Table(schema))
    }

    fn run(spec: &Spec, cx: &RunCx<'_>) -> Result<Produced, StageError> {
        let file = one_file(cx.input(&spec.from)?, &spec.from)?;
        let format = spec.format.or_else(|| Format::of_name(&file.name)).ok_or_else(|| {
            StageError::data(format!("`{}` does not say by its name what it is", file.name))
                .hint("say it: `format = \"csv\"` (or tsv, parquet, jsonl, arrow, idx)")
                .at(path!["from"])
        })?;
        let layout = spec.layout(format).map_err(StageError::data)?;
        let read = match (format, &spec.labels) {
            (Format::Idx, labels) => {
                let labels = labels.as_ref().map(|labels| one_file(cx.input(labels)?, labels)).transpose()?;
                read_idx(&file.path, labels.map(|file| file.path.as_path()), &layout.types)
            }
            (_, None) => read_file(&file.path, &layout),
            (_, Some(_)) => {
                return Err(StageError::data("`labels` goes with `format = \"idx\"` alone").at(path!["labels"]));
            }
        };
        let df = read.map_err(|bad| StageError::from(bad).note(format!("in `{}`", file.name)))?;
        if df.height() == 0 {
            cx.services.warn(format!("`{}` has column names, but no rows", file.name));
        }
        cx.check_cancelled()?;
        let summary = rows_by_columns(&df);
        write_table(cx, TABLE, df, Produced::new(summary))
    }
}

fn wants_file(cx: &mut CheckCx<'_>, reference: &Ref, field: &str) -> bool {
    match cx.input(reference) {
        ArtifactType::File | ArtifactType::Unknown => true,
        other => {
            cx.wrong_artifact(reference, path![field], "file", other.name());
            false
        }
    }
}

fn one_file<'a>(input: &'a Input, reference: &Ref) -> Result<&'a InputFile, StageError> {
    match input.files.as_slice() {
        [file] => Ok(file),
        files => Err(StageError::bug(format!("`{reference}` has {} files, not one", files.len()))),
    }
}

/// Looks into the file that lies there already.
fn look(place: &std::path::Path, spec: &Spec, layout: &Layout, cx: &CheckCx<'_>) -> Result<TableSchema, BadFile> {
    let mut schema = probe(place, layout)?;
    if let Some(labels) = &spec.labels {
        let images = schema.rows;
        if let Some((_, place)) = cx.files(labels).and_then(<[_]>::first) {
            let found = probe(place, &Layout::new(Format::Idx))?;
            if let (Some(images), Some(labels)) = (images, found.rows)
                && images != labels
            {
                return Err(BadFile::new(format!("there are {images} images, but {labels} labels")));
            }
        }
        let dtype = layout.types.get("label").cloned().unwrap_or(DType::U8);
        schema.columns.push(Column::new("label", dtype));
    }
    schema.rows = None;
    Ok(schema)
}

fn report(cx: &mut CheckCx<'_>, spec: &Spec, bad: &BadFile) {
    let name = cx.files(&spec.from).and_then(<[_]>::first).map(|(name, _)| name.as_str());
    let finding = cx.error(path!["from"], codes::BAD_DATA, bad.message.clone());
    finding.label(name.map_or_else(|| "this file".to_owned(), |name| format!("this file, `{name}`")));
    for text in bad.notes.iter().chain(&bad.hints) {
        finding.hint(text.clone());
    }
}
