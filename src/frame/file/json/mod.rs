//! JSON: lines of objects, or one text that holds a list of objects. Types are told from every value of a key, nested
//! objects and lists included; a whole number stays one, and a key that is now a number and now a text is an error.

mod build;
mod digits;
mod left_out;
mod rounded;
mod shape;
mod value;

use super::rejects::{Reject, Rejects};
use super::text::{LEAVE_OUT, Text, line_at};
use super::types::no_such_column;
use super::watch::Parts;
use super::{BadFile, FileWatch, Layout, binary, odd, width};
use crate::types::DType;
use polars::prelude::*;
use rayon::prelude::*;
use shape::{Conflict, Shape};
use std::ops::Range;
use value::Json;

/// Lines of a block, which one thread parses by itself.
const BLOCK: usize = 1 << 14;

/// Reads lines of objects: the table, and the lines that were left out of it.
pub(super) fn read_lines(
    bytes: &[u8],
    layout: &Layout,
    watch: FileWatch<'_>,
) -> Result<(DataFrame, Vec<Reject>), BadFile> {
    let decoded = Text::decode(bytes, layout.encoding, true);
    let stray = decoded.not_in(layout, bytes);
    if let Some(bad) = stray.clone().filter(|_| !layout.reject).or_else(|| decoded.not_text(bytes, layout.encoding)) {
        return Err(bad);
    }
    let text = &*decoded.text;
    let lines = lines(text);
    if lines.is_empty() {
        return Err(BadFile::new("the file is empty: it has no rows").hint("give a file with rows"));
    }
    let mut rejects = Rejects::default();
    let lines = left_out::without_strays(&decoded, lines, layout, &mut rejects);
    // Where no line is left, the encoding is another.
    if let Some(bad) = stray.filter(|_| lines.is_empty()) {
        return Err(bad);
    }
    // Each block is looked at twice: for its shape, and for its values.
    let parts = watch.parts(2 * lines.len().div_ceil(BLOCK), "blocks of lines");
    let (shape, lines) = common_shape(text, lines, layout, &parts, &mut rejects)?;
    let fields = fields_of(shape)?;
    let frames: Vec<DataFrame> = lines
        .par_chunks(BLOCK)
        .map(|lines| {
            let rows: Vec<Json> =
                lines.iter().map(|line| parse(text, line)).collect::<Result<_, _>>().map_err(|bad| *bad)?;
            rounded::note(&rows, &fields, "line", &|row| line_at(text, lines[row].start), watch);
            let made = frame(&rows, &fields, layout, &|| {});
            parts.one();
            made
        })
        .collect::<Vec<_>>()
        .into_iter()
        .collect::<Result<_, _>>()?;
    let mut frames = frames.into_iter();
    let mut df = frames.next().unwrap_or_else(|| empty(&fields, layout));
    for next in frames {
        df.vstack_mut_owned(next).map_err(|error| BadFile::polars("make a table of the file", &error))?;
    }
    let df = flat(df, layout)?;
    odd::cut_times(df.columns(), &layout.types, "line", &|row| line_at(text, lines[row].start), watch);
    let df = left_out::typed(df, text, &lines, layout, &mut rejects)?;
    Ok((df, rejects.finish(text, 0)))
}

/// Reads one text: a list of objects, or an object in which `layout.records` leads to one.
pub(super) fn read_whole(bytes: &[u8], layout: &Layout, watch: FileWatch<'_>) -> Result<DataFrame, BadFile> {
    let decoded = Text::decode(bytes, layout.encoding, true);
    if let Some(bad) = decoded.not_in(layout, bytes).or_else(|| decoded.not_text(bytes, layout.encoding)) {
        return Err(bad);
    }
    if decoded.text.trim().is_empty() {
        return Err(BadFile::new("the file is empty: it holds no JSON").hint("give a file with rows"));
    }
    let mut value: Json = serde_json::from_str(&decoded.text).map_err(|error| {
        let at = format!("line {}, column {}", error.line(), error.column());
        let bad = BadFile::new(format!("{at}: {}", words(&error)));
        let lines = decoded.text.trim_start().starts_with('{') && error.to_string().contains("trailing characters");
        bad.hint(if lines {
            "if each line holds an object of its own: `format = \"jsonl\"`"
        } else if error.is_eof() {
            "the file is cut off: fetch it again, and compare its sha256"
        } else {
            "mend the file there; it must be one list of objects"
        })
    })?;
    if let Some((at, number)) = digits::lost(&value, &decoded.text) {
        let line = line_at(&decoded.text, at);
        return Err(
            BadFile::new(format!("line {line}: {}", Wrong::Long(number.to_owned()).reason())).hint(digits::QUOTE)
        );
    }
    for key in layout.records.iter().flat_map(|path| path.split('.')) {
        value = step_into(value, key, layout)?;
    }
    let rows = match value {
        Json::List(rows) => rows,
        other => {
            let hint = list_in(&other, LEVELS).map_or_else(
                || "write the rows as `[{…}, {…}]`, or say with `format` what the file is".to_owned(),
                |keys| format!("say where the rows are: `records = \"{keys}\"`"),
            );
            return Err(BadFile::new(format!("the file holds {}, expected a list of objects", other.what())).hint(hint));
        }
    };
    let mut shape = Shape::Null;
    for (index, row) in rows.iter().enumerate() {
        let place = format!("element {}", index + 1);
        let found = shape_of(row, layout).map_err(|wrong| wrong.bad(&place))?;
        shape.join(found).map_err(|conflict| Wrong::Conflict(conflict).bad(&place))?;
    }
    if rows.is_empty() {
        return Err(BadFile::new("the list holds no object, so there are no columns").hint("give a file with rows"));
    }
    let fields = fields_of(shape)?;
    let parts = watch.parts(fields.len(), "columns");
    rounded::note(&rows, &fields, "element", &|row| row + 1, watch);
    let df = flat(frame(&rows, &fields, layout, &|| parts.one())?, layout)?;
    odd::cut_times(df.columns(), &layout.types, "element", &|row| row + 1, watch);
    let height = df.height();
    let columns = binary::cast_declared(df.into_columns(), &layout.types)?;
    DataFrame::new(height, columns).map_err(|error| BadFile::polars("make a table of the file", &error))
}

/// How deep a list of rows is looked for.
const LEVELS: usize = 4;

/// The keys that lead to a list in an object, with dots between them: one of its own, or else one further in.
fn list_in(value: &Json, levels: usize) -> Option<String> {
    let Json::Object(fields) = value else { return None };
    if let Some((key, _)) = fields.iter().find(|(_, value)| matches!(value, Json::List(_))) {
        return Some(key.clone());
    }
    let deeper = |(key, value): &(String, Json)| list_in(value, levels - 1).map(|rest| format!("{key}.{rest}"));
    fields.iter().filter(|_| levels > 1).find_map(deeper)
}

fn step_into(value: Json, key: &str, layout: &Layout) -> Result<Json, BadFile> {
    let records = layout.records.as_deref().unwrap_or_default();
    let Json::Object(fields) = value else {
        return Err(BadFile::new(format!(
            "`records = \"{records}\"` does not lead anywhere: there is no object at `{key}`"
        )));
    };
    let keys: Vec<String> = fields.iter().map(|(key, _)| key.clone()).collect();
    let found = fields.into_iter().find(|(name, _)| name == key).map(|(_, value)| value);
    found.ok_or_else(|| {
        BadFile::new(format!("`records = \"{records}\"` does not lead anywhere: there is no key `{key}`"))
            .note(format!("the object has {}", crate::diag::list(keys.iter().map(String::as_str), 12)))
            .maybe_hint(crate::diag::did_you_mean(key, keys.iter().map(String::as_str)))
    })
}

/// The lines that hold something.
fn lines(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    for end in memchr::memchr_iter(b'\n', text.as_bytes()).chain([text.len()]) {
        if !text[from..end].trim().is_empty() {
            found.push(from..end);
        }
        from = end + 1;
    }
    found
}

/// What is wrong with a row.
enum Wrong {
    NoJson(serde_json::Error),
    NoObject,
    /// A whole number of too many digits.
    Long(String),
    Conflict(Conflict),
}

impl Wrong {
    fn reason(&self) -> String {
        match self {
            Self::NoJson(error) => words(error),
            Self::NoObject => "it is not an object".to_owned(),
            Self::Long(number) => format!("the whole number {number} has more digits than 64 bits hold"),
            Self::Conflict(conflict) => {
                format!("`{}` is {} here, and {} before", conflict.place, conflict.now, conflict.before)
            }
        }
    }

    fn bad(&self, place: &str) -> BadFile {
        match self {
            Self::NoJson(error) => BadFile::new(format!("{place}, column {}: {}", error.column(), words(error)))
                .hint("each line holds one whole JSON object; a file that is one list is `format = \"json\"`")
                .hint(LEAVE_OUT),
            Self::NoObject => BadFile::new(format!("{place} is not an object, expected `{{…}}`"))
                .hint("a row is an object, its keys the columns"),
            Self::Long(_) => BadFile::new(format!("{place}: {}", self.reason())).hint(digits::QUOTE).hint(LEAVE_OUT),
            Self::Conflict(conflict) => {
                let column = conflict.column();
                BadFile::new(format!("{place}: {}", self.reason()))
                    .hint(format!("take the column as text: `types = {{ \"{column}\" = \"str\" }}`"))
            }
        }
    }
}

/// What serde says, without the place, which is of no use outside of the line.
fn words(error: &serde_json::Error) -> String {
    let text = error.to_string().replace("recursion limit exceeded", "more than 128 levels deep");
    text.split(" at line").next().unwrap_or(&text).to_owned()
}

fn parse(text: &str, line: &Range<usize>) -> Result<Json, Box<BadFile>> {
    serde_json::from_str(&text[line.clone()])
        .map_err(|error| Box::new(Wrong::NoJson(error).bad(&format!("line {}", line_at(text, line.start)))))
}

/// The shape of a row; columns that are declared as text take anything.
fn shape_of(row: &Json, layout: &Layout) -> Result<Shape, Wrong> {
    let Json::Object(fields) = row else { return Err(Wrong::NoObject) };
    let shaped = fields.iter().map(|(key, value)| {
        if layout.types.get(key) == Some(&DType::Str) {
            return Ok((key.clone(), Shape::Text));
        }
        Shape::of(value).map(|shape| (key.clone(), shape)).map_err(|conflict| Wrong::Conflict(conflict.below(key)))
    });
    Ok(Shape::Object(shaped.collect::<Result<_, _>>()?))
}

/// What all rows have in common, and the lines that are rows. Blocks are looked at in parallel; where two do not fit, or
/// lines are left out, all lines once more in order, so that the first bad line is the one that is told.
fn common_shape(
    text: &str,
    lines: Vec<Range<usize>>,
    layout: &Layout,
    parts: &Parts<'_>,
    rejects: &mut Rejects,
) -> Result<(Shape, Vec<Range<usize>>), BadFile> {
    let row = |line: &Range<usize>| -> Result<Shape, Wrong> {
        let line = &text[line.clone()];
        let value: Json = serde_json::from_str(line).map_err(Wrong::NoJson)?;
        match digits::lost(&value, line) {
            Some((_, number)) => Err(Wrong::Long(number.to_owned())),
            None => shape_of(&value, layout),
        }
    };
    let block = |lines: &[Range<usize>]| -> Option<Shape> {
        let mut shape = Shape::Null;
        for line in lines {
            shape.join(row(line).ok()?).ok()?;
        }
        parts.one();
        Some(shape)
    };
    let blocks: Vec<Option<Shape>> = lines.par_chunks(BLOCK).map(block).collect();
    let mut whole = Some(Shape::Null);
    for shape in blocks {
        whole = whole.zip(shape).and_then(|(mut whole, shape)| whole.join(shape).is_ok().then_some(whole));
    }
    if let Some(whole) = whole {
        return Ok((whole, lines));
    }
    let lines = if layout.reject { left_out::without_odd(text, lines, layout, rejects) } else { lines };
    let mut whole = Shape::Null;
    let mut kept = Vec::with_capacity(lines.len());
    for line in lines {
        let joined = row(&line).and_then(|shape| {
            let mut wider = whole.clone();
            wider.join(shape).map(|()| wider).map_err(Wrong::Conflict)
        });
        match joined {
            Ok(wider) => {
                whole = wider;
                kept.push(line);
            }
            Err(wrong) if layout.reject => {
                rejects.push(Reject::new(line.start, None, wrong.reason(), &text[line]));
            }
            Err(wrong) => return Err(wrong.bad(&format!("line {}", line_at(text, line.start)))),
        }
    }
    Ok((whole, kept))
}

fn fields_of(shape: Shape) -> Result<Vec<(String, Shape)>, BadFile> {
    match shape {
        Shape::Object(fields) if !fields.is_empty() => {
            width::bounded(fields.len(), "the objects have").map_err(|bad| bad.hint(width::KEYS)).map(|()| fields)
        }
        _ => {
            Err(BadFile::new("no object in the file has a key, so there are no columns").hint("give a file with rows"))
        }
    }
}

/// A table of rows; each column is `told` when it is made.
fn frame(rows: &[Json], fields: &[(String, Shape)], layout: &Layout, told: &dyn Fn()) -> Result<DataFrame, BadFile> {
    let columns = fields.iter().enumerate().map(|(place, (key, shape))| {
        let values: Vec<Option<&Json>> = rows.iter().map(|row| row.get(key, place)).collect();
        let text = layout.types.get(key) == Some(&DType::Str);
        let series =
            if text { Ok(build::texts(key.as_str().into(), &values)) } else { build::series(key, &values, shape) };
        told();
        series
    });
    let columns: PolarsResult<Vec<Column>> = columns.map(|series| series.map(IntoColumn::into_column)).collect();
    columns
        .and_then(|columns| DataFrame::new(rows.len(), columns))
        .map_err(|error| BadFile::polars("make a table of the file", &error))
}

fn empty(fields: &[(String, Shape)], layout: &Layout) -> DataFrame {
    frame(&[], fields, layout, &|| {}).unwrap_or_default()
}

/// The table with its final columns, which have the names that types are declared for.
fn flat(df: DataFrame, layout: &Layout) -> Result<DataFrame, BadFile> {
    let df = binary::flattened(df, layout)?;
    width::bounded(df.width(), "taken apart the objects have")?;
    let names: Vec<String> = df.columns().iter().map(|column| column.name().to_string()).collect();
    if let Some(unfitting) = layout.types.unfitting(names.iter().map(String::as_str)).first() {
        return Err(no_such_column(unfitting, names.iter().map(String::as_str)));
    }
    Ok(df)
}

#[cfg(test)]
mod tests;
