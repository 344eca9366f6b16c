//! `read`: data files become a table.

mod input;
mod names;
#[cfg(test)]
mod odd_tests;
mod spec;
#[cfg(test)]
mod tests;

pub use spec::{BadLines, Spec};

use crate::diag::codes;
use crate::frame::file::{
    BadFile, BadOne, Format, InPieces, Layout, Reject, Told, Watch, probe, probe_labels, probe_many, read_idx,
    read_in_pieces, read_many, rejects_table, row_groups_fit, scan_many, separator_in, times_fit,
};
use crate::frame::write::{TableWriter, Written};
use crate::frame::{write_plan, write_table, write_view};
use crate::numbers;
use crate::path;
use crate::stage::{CheckCx, Family, Input, Kind, Outputs, Plan, Port, Produced, RunCx, Seed, StageError, StageInfo};
use crate::types::{ArtifactType, Column, DType, TableSchema};
use polars::prelude::{DataFrame, LazyFrame};
use std::collections::BTreeMap;

/// The kind.
pub struct Read;

/// The rows.
const TABLE: &str = "table";

/// The lines that could not be read, where they are not to be errors.
const REJECTS: &str = "rejects";

impl Kind for Read {
    type Spec = Spec;

    const INFO: StageInfo = StageInfo {
        name: "read",
        family: Family::Source,
        version: 5,
        summary: "Makes a table of csv, tsv, parquet, JSON, arrow, ARFF or IDX files, compressed or not.",
        ports: &[
            Port { name: TABLE, about: "the table, its rows in the files' order" },
            Port { name: REJECTS, about: "with `bad_lines = \"reject\"`, the lines that could not be read" },
        ],
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
        let lying = input::check(spec, cx);
        if let Some(labels) = &spec.labels
            && !matches!(cx.input(labels), ArtifactType::File | ArtifactType::Unknown)
        {
            let found = cx.input(labels).name();
            cx.wrong_artifact(labels, path!["labels"], "file", found);
        }
        spec.check_values(cx);
        spec.check_keep(cx);
        let files = lying.clone().flatten().unwrap_or_default();
        let format = match files.as_slice() {
            [] => spec.format,
            several => input::format(spec, &files).map(Some).unwrap_or_else(|error| {
                let what = if several.len() == 1 { "this file" } else { "these files" };
                report_words(cx, "from", what, error.message, &error.hints);
                None
            }),
        };
        if let Some(format) = format {
            spec.check_fits(format, cx);
        }
        let (true, Some(format)) = (lying.is_some() && cx.is_clean(), format) else {
            return outputs(spec, ArtifactType::Table(spec.declared()));
        };
        let layout = match spec.layout(format) {
            Ok(layout) => layout,
            Err(_) => return outputs(spec, ArtifactType::Unknown),
        };
        match look(&files, spec, &layout, cx) {
            Ok(schema) => {
                let schema = with_file_column(spec, schema, !files.is_empty(), cx);
                outputs(spec, ArtifactType::Table(schema))
            }
            Err((field, name, bad)) => {
                report(cx, field, &name, &bad);
                outputs(spec, ArtifactType::Unknown)
            }
        }
    }

    fn run(spec: &Spec, cx: &RunCx<'_>) -> Result<Produced, StageError> {
        let files = input::of_run(spec, cx.input(&spec.from)?)?;
        let layout = spec.layout(input::format(spec, &files)?).map_err(StageError::data)?;
        if !spec.keep {
            let lf = scan(spec, &files, &layout)?;
            times_fit(&files).map_err(|one| in_file(one).hint("such a table is to be kept: remove `keep = false`"))?;
            return write_view::<Self>(cx, TABLE, spec, lf);
        }
        let (written, rejects) = match in_pieces(spec, &files, &layout, cx)? {
            Some(read) => read,
            None => {
                let (df, rejects) = read(spec, &files, &layout, cx)?;
                cx.check_cancelled()?;
                let mut writer = TableWriter::new(cx, TABLE, df.schema())?;
                writer.push(df)?;
                (writer.finish()?, rejects)
            }
        };
        let line = summary(cx, &files, &written, &rejects);
        let produced = written.port(TABLE, Produced::new(line));
        if let Some(separator) = other_separator(spec, &layout, &produced) {
            cx.services.warn(separator);
        }
        match spec.bad_lines {
            BadLines::Error => Ok(produced),
            BadLines::Reject => write_table(cx, REJECTS, rejects_table(&rejects)?, produced),
        }
    }

    fn is_view(spec: &Spec) -> bool {
        !spec.keep
    }

    fn plan(spec: &Spec, inputs: &BTreeMap<String, Input>, _: Seed) -> Result<Plan, StageError> {
        let input = inputs.get(&spec.from.0).ok_or_else(|| StageError::bug("the file was not prepared"))?;
        let files = input::of_run(spec, input)?;
        let layout = spec.layout(input::format(spec, &files)?).map_err(StageError::data)?;
        Ok(Plan(Box::new(scan(spec, &files, &layout)?)))
    }
}

/// What was read, in a line; and warnings where no row was there, or not every line could be read.
fn summary(cx: &RunCx<'_>, files: &input::Files, written: &Written, rejects: &[Reject]) -> String {
    let (name, have) = match files.as_slice() {
        [(name, _)] => (format!("`{name}`"), "has"),
        files => (numbers::counted(files.len(), "file"), "have"),
    };
    if written.rows() == 0 {
        let many = if rejects.is_empty() { "" } else { " that can be read" };
        cx.services.warn(format!("{name} {have} column names, but no rows{many}"));
    }
    let Some(first) = rejects.first() else { return written.shown() };
    let count = numbers::counted(rejects.len(), "line");
    let file = if files.len() > 1 { format!(" of `{}`", first.file) } else { String::new() };
    cx.services.warn(format!(
        "{count} of {name} left out: see the output `{REJECTS}`; the first is line {}{file}: {}",
        first.line, first.reason
    ));
    format!("{}, {count} rejected", written.shown())
}

/// What is said of a file with one column, whose name holds what may be meant to stand between fields.
fn other_separator(spec: &Spec, layout: &Layout, produced: &Produced) -> Option<String> {
    let Some(ArtifactType::Table(schema)) = produced.ports.first().map(|port| &port.ty) else { return None };
    let [column] = schema.columns.as_slice() else { return None };
    if !layout.format.is_delimited() || !layout.header || !layout.names.is_empty() || spec.separator.is_some() {
        return None;
    }
    let (mark, written) = separator_in(&column.name)?;
    let name = column.name.replace(mark, written);
    Some(format!(
        "there is one column, `{name}`: if `{written}` stands between fields, say `separator = \"{written}\"`"
    ))
}

/// Reads the files in pieces, where the stage says how much memory it may use, and they allow it.
fn in_pieces(
    spec: &Spec,
    files: &input::Files,
    layout: &Layout,
    cx: &RunCx<'_>,
) -> Result<Option<(Written, Vec<Reject>)>, StageError> {
    let Some(memory) = cx.memory else { return Ok(None) };
    let file_column = spec.file_column.as_deref();
    if let Some(lf) = scan_many(files, layout, file_column).map_err(in_file)? {
        row_groups_fit(files, memory).and_then(|()| times_fit(files)).map_err(in_file)?;
        let written = write_plan(cx, TABLE, lf).map_err(|failure| failure.while_doing("read the file"))?;
        return Ok(Some((written, Vec::new())));
    }
    let mut writer: Option<TableWriter> = None;
    let mut take = |df: DataFrame| {
        cx.check_cancelled()?;
        let writer = match &mut writer {
            Some(writer) => writer,
            None => writer.insert(TableWriter::new(cx, TABLE, df.schema())?),
        };
        writer.push(df)
    };
    let tell = |told| tell(told, cx);
    match read_in_pieces(files, layout, file_column, memory, &tell, &mut take).map_err(in_file)? {
        InPieces::Whole => Ok(None),
        InPieces::Taken(error) => Err(error),
        InPieces::Done(rejects) => {
            let writer = writer.ok_or_else(|| StageError::bug("a file without a piece"))?;
            Ok(Some((writer.finish()?, rejects)))
        }
    }
}

/// The files as a plan.
fn scan(spec: &Spec, files: &input::Files, layout: &Layout) -> Result<LazyFrame, StageError> {
    scan_many(files, layout, spec.file_column.as_deref()).map_err(in_file)?.ok_or_else(|| {
        StageError::data("the files differ in their columns, so their table must be kept")
            .hint("remove `keep = false`")
            .at(path!["keep"])
    })
}

fn tell(told: Told, cx: &RunCx<'_>) {
    match told {
        Told::Far(progress) => cx.services.progress(progress),
        Told::Odd(words) => cx.services.warn(words),
    }
}

fn in_file(one: BadOne) -> StageError {
    StageError::from(one.bad).note(format!("in `{}`", one.file))
}

/// The outputs, of which `rejects` has the same columns always.
fn outputs(spec: &Spec, table: ArtifactType) -> Outputs {
    let outputs = Outputs::one(TABLE, table);
    match spec.bad_lines {
        BadLines::Error => outputs,
        BadLines::Reject => {
            let columns = [
                ("file", DType::Str),
                ("line", DType::U64),
                ("column", DType::Str),
                ("reason", DType::Str),
                ("text", DType::Str),
            ];
            let columns = columns.into_iter().map(|(name, dtype)| Column::new(name, dtype)).collect();
            outputs.and(REJECTS, ArtifactType::Table(TableSchema::new(columns)))
        }
    }
}

fn read(
    spec: &Spec,
    files: &input::Files,
    layout: &Layout,
    cx: &RunCx<'_>,
) -> Result<(DataFrame, Vec<Reject>), StageError> {
    let tell = |told| tell(told, cx);
    let told = |bad: BadFile, name: &str| StageError::from(bad).note(format!("in `{name}`"));
    if let (Format::Idx, [(name, path)]) = (layout.format, files.as_slice()) {
        let labels = spec.labels.as_ref().map(|labels| cx.input_file(labels)).transpose()?;
        let nobody = Watch::nobody().within(cx.memory);
        let df = read_idx(path, labels.map(|file| file.path.as_path()), &layout.types, nobody.file(name, 0));
        return Ok((df.map_err(|bad| told(bad, name))?, Vec::new()));
    }
    if spec.labels.is_some() {
        return Err(StageError::data("`labels` goes with `format = \"idx\"` alone").at(path!["labels"]));
    }
    read_many(files, layout, spec.file_column.as_deref(), cx.memory, &tell).map_err(in_file)
}

/// A file that is not what it should be: the field that leads to it, its name, and why.
type Unfit = (&'static str, String, BadFile);

/// Looks into the files that lie there already: what their columns are, or what is wrong with which of them.
fn look(files: &input::Files, spec: &Spec, layout: &Layout, cx: &CheckCx<'_>) -> Result<TableSchema, Unfit> {
    let Some((name, place)) = files.first() else { return Ok(spec.promised(layout)) };
    let mut schema = match files.as_slice() {
        [_] => probe(place, layout).map_err(|bad| ("from", name.clone(), bad))?,
        files => probe_many(files, layout).map_err(|one| ("from", one.file, one.bad))?,
    };
    if let Some(labels) = &spec.labels {
        if let (Some(images), Some((name, place))) = (schema.rows, cx.files(labels).and_then(<[_]>::first)) {
            probe_labels(place, images).map_err(|bad| ("labels", name.clone(), bad))?;
        }
        let dtype = layout.types.get("label").cloned().unwrap_or(DType::U8);
        schema.columns.push(Column::new("label", dtype));
    }
    // Columns of no rows have no types of their own, which what comes after can say only if it knows that there are none.
    schema.rows = schema.rows.filter(|rows| *rows == 0);
    Ok(schema)
}

/// With the column of the files' names, which none of theirs may be; where they are `known`.
fn with_file_column(spec: &Spec, mut schema: TableSchema, known: bool, cx: &mut CheckCx<'_>) -> TableSchema {
    let Some(name) = spec.file_column.as_deref() else { return schema };
    if schema.names().all(|other| other != name) {
        schema.columns.push(Column::new(name, DType::Str));
    } else if known {
        cx.error(path!["file_column"], codes::DUPLICATE_COLUMN, format!("the files have a column `{name}` already"))
            .label("this name is taken")
            .hint("call the column of file names otherwise");
    }
    schema
}

fn report(cx: &mut CheckCx<'_>, field: &str, name: &str, bad: &BadFile) {
    let more: Vec<String> = bad.notes.iter().chain(&bad.hints).cloned().collect();
    let what = format!("this file, `{name}`");
    match &bad.rule {
        None => report_words(cx, field, &what, bad.message.clone(), &more),
        Some(rule) => {
            let finding = cx.error(path!["types", rule], codes::BAD_DATA, bad.message.clone());
            finding.at_key().label("fits no column").related(path!["from"], what).diagnostic.hints.extend(more);
        }
    }
}

fn report_words(cx: &mut CheckCx<'_>, field: &str, what: &str, message: String, more: &[String]) {
    let finding = cx.error(path![field], codes::BAD_DATA, message);
    finding.label(what);
    for text in more {
        finding.hint(text.clone());
    }
}
