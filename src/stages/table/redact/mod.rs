//! `redact`: personal data found in a table's texts, and masked, hashed, taken out or replaced.
//!
//! What is found, and where, is reported without repeating it. The key of hashes and pseudonyms comes from the
//! environment and enters nothing that is kept.

mod check;
mod find;
#[cfg(test)]
mod labelled;
mod replace;
mod spec;
#[cfg(test)]
mod tests;

pub use spec::{Action, Find, Spec};

use crate::env;
use crate::frame::{failed, from_polars, read_table, schema_of, write_table};
use crate::numbers;
use crate::path;
use crate::stage::{CheckCx, Family, Kind, Outputs, Port, Produced, RunCx, StageError, StageInfo};
use crate::types::{ArtifactType, Column as ColumnType, DType, TableSchema};
use find::Finder;
use polars::prelude::*;
use rayon::prelude::*;
use replace::{Meant, Replacer};
use spec::Entity;
use std::collections::BTreeMap;

/// The kind.
pub struct Redact;

const TABLE: &str = "table";
const FOUND: &str = "found";

/// The columns of the report.
const REPORT: [(&str, DType); 7] = [
    ("row", DType::I64),
    ("column", DType::Str),
    ("item", DType::I64),
    ("entity", DType::Str),
    ("start", DType::I64),
    ("length", DType::I64),
    ("action", DType::Str),
];

impl Kind for Redact {
    type Spec = Spec;

    const INFO: StageInfo = StageInfo {
        name: "redact",
        family: Family::Table,
        version: 6,
        summary: "Finds personal data in texts and masks, hashes, removes or replaces it, and reports what was where.",
        ports: &[
            Port { name: TABLE, about: "the table without what was found" },
            Port {
                name: FOUND,
                about: "what was found: `row` (from 0 on), `column` (a field of a struct after a dot: `address.street`), `item` (the place in a list, the outermost where there are several, from 0 on), `entity`, `start` and `length` in characters, `action`; not the text itself",
            },
        ],
        example: r#"[stage.safe]
kind = "redact"
from = "tickets"
columns = ["subject", "body"]
find = { email = "pseudonym", phone = "mask", cn_mobile = "mask", card = "drop", cn_id = "hash" }
key_env = "TICKETS_KEY"
"#,
        seeded: false,
        numeric: false,
    };

    const TAKES_VIEWS: bool = true;

    fn check(spec: &Spec, cx: &mut CheckCx<'_>) -> Outputs {
        check::find(spec, cx);
        for (index, file) in spec.names.iter().enumerate() {
            cx.workspace_files(file, path!["names", index]);
        }
        let table = cx.table(&spec.from, path!["from"]).map(|schema| {
            check::columns(spec, &schema, cx);
            let drops = spec.actions().any(|(_, action)| action == Action::DropRow);
            TableSchema { rows: schema.rows.filter(|_| !drops), ..schema }
        });
        let report = REPORT.into_iter().map(|(name, dtype)| ColumnType::new(name, dtype)).collect();
        Outputs::one(TABLE, table.map_or(ArtifactType::Unknown, ArtifactType::Table))
            .and(FOUND, ArtifactType::Table(TableSchema::new(report)))
    }

    fn run(spec: &Spec, cx: &RunCx<'_>) -> Result<Produced, StageError> {
        let df = read_table(cx.input(&spec.from)?)?;
        let names = names(spec, cx)?;
        let work = Work::new(spec, &names, key(spec)?.as_deref())?;
        warn_of_numbers(&df, &work, cx)?;
        check::closed(spec, &schema_of(&df)).into_iter().for_each(|message| cx.services.warn(message));
        let mut done = Vec::new();
        for column in columns(spec, &df) {
            cx.check_cancelled()?;
            done.push(work.column(column)?);
        }
        warn_of_shared(&mut done, cx);
        let (table, report) = finish(df, done).map_err(|error| failed("put the table together", &error))?;
        let counts = counts(spec, &report).map_err(|error| failed("count what was found", &error))?;
        let mut produced = Produced::new(summary(&counts));
        produced.metrics =
            counts.into_iter().map(|(entity, count)| (format!("found.{}", entity.name()), count as f64)).collect();
        let produced = write_table(cx, TABLE, table, produced)?;
        write_table(cx, FOUND, report, produced)
    }
}

/// The columns to look into.
fn columns<'a>(spec: &'a Spec, df: &'a DataFrame) -> impl Iterator<Item = &'a Column> {
    let wanted = |column: &&Column| {
        let fits = |rule: &String| crate::types::matches_pattern(rule, column.name()) || column.name() == rule.as_str();
        spec.columns.as_ref().is_none_or(|columns| columns.0.iter().any(fits))
    };
    df.columns().iter().filter(|column| check::holds_text(&from_polars(column.dtype()))).filter(wanted)
}

fn key(spec: &Spec) -> Result<Option<Vec<u8>>, StageError> {
    if !spec.actions().any(|(_, action)| action.is_keyed()) {
        return Ok(None);
    }
    let key = env::var(&spec.key_env).filter(|key| !key.is_empty());
    key.map(|key| Some(key.into_bytes())).ok_or_else(|| {
        StageError::data(format!("the environment variable `{}` holds no key", spec.key_env))
            .note("`hash` and `pseudonym` need one, so that nobody can undo them by trying")
            .hint(format!("make one and keep it: `export {}=$(openssl rand -hex 32)`", spec.key_env))
            .at(path!["key_env"])
    })
}

/// The names of all lists.
fn names(spec: &Spec, cx: &RunCx<'_>) -> Result<Vec<String>, StageError> {
    let mut names = Vec::new();
    for (index, file) in spec.names.iter().enumerate() {
        let found = crate::stage::files::expand(cx.base, &file.0)
            .map_err(|error| StageError::io("look for", &cx.base.join(&file.0), &error))?;
        for (_, path) in found {
            let text = std::fs::read_to_string(&path)
                .map_err(|error| StageError::io("read", &path, &error).at(path!["names", index]))?;
            let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
            names.extend(lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned));
        }
    }
    if names.is_empty() && !spec.names.is_empty() {
        return Err(StageError::data("the lists of names hold no name").hint("a name on each line").at(path!["names"]));
    }
    Ok(names)
}

/// What is looked for and what is done about it, ready for many texts.
struct Work {
    finder: Finder,
    replacer: Replacer,
    actions: BTreeMap<Entity, Action>,
}

/// A text after it was looked into.
struct Cleaned {
    text: String,
    found: Vec<Mark>,
}

/// Something that was found: what, where in characters, and what became of it.
struct Mark {
    /// The field of a struct, behind its column's name: `.street`.
    field: String,
    /// The place in a list.
    item: Option<i64>,
    entity: Entity,
    start: usize,
    length: usize,
    action: Action,
    /// What a pseudonym stands for.
    meant: Option<Meant>,
}

/// A column after it was looked into; of each row what was found.
struct Done {
    column: Column,
    found: Vec<Vec<Mark>>,
}

impl Work {
    fn new(spec: &Spec, names: &[String], key: Option<&[u8]>) -> Result<Self, StageError> {
        let actions: BTreeMap<Entity, Action> = spec.actions().collect();
        let entities: Vec<Entity> = actions.keys().copied().collect();
        let replacer = Replacer::new(key).map_err(|error| error.at(path!["key_env"]))?;
        Ok(Self { finder: Finder::new(&entities, names)?, replacer, actions })
    }

    fn text(&self, text: &str) -> Result<Option<Cleaned>, StageError> {
        let found = self.finder.find(text);
        if found.is_empty() {
            return Ok(None);
        }
        let mut cleaned = Cleaned { text: String::with_capacity(text.len()), found: Vec::new() };
        let (mut at, mut letters) = (0, 0);
        for found in found {
            let Some(action) = self.actions.get(&found.entity).copied() else { continue };
            let part = &text[found.range.clone()];
            letters += text[at..found.range.start].chars().count();
            let length = part.chars().count();
            let (instead, meant) = self.replacer.replacement(found.entity, action, part)?;
            let (field, item, entity) = (String::new(), None, found.entity);
            cleaned.found.push(Mark { field, item, entity, start: letters, length, action, meant });
            cleaned.text.push_str(&text[at..found.range.start]);
            cleaned.text.push_str(&instead);
            letters += length;
            at = found.range.end;
        }
        cleaned.text.push_str(&text[at..]);
        Ok(Some(cleaned))
    }

    fn column(&self, column: &Column) -> Result<Done, StageError> {
        match column.dtype() {
            DataType::String => self.texts(column),
            DataType::List(_) => self.lists(column),
            DataType::Array(inner, _) => {
                let cast = |column: &Column, dtype: &DataType| {
                    column.cast(dtype).map_err(|error| failed("read the lists of texts", &error))
                };
                let Done { column: lists, found } = self.lists(&cast(column, &DataType::List(inner.clone()))?)?;
                Ok(Done { column: cast(&lists, column.dtype())?, found })
            }
            DataType::Struct(_) => self.fields(column),
            // Numbers among the fields of a struct.
            _ => Ok(Done { column: column.clone(), found: nothing(column.len()) }),
        }
    }

    /// Lists: all their items at once, then back into the lists.
    fn lists(&self, column: &Column) -> Result<Done, StageError> {
        let broken = |error: PolarsError| failed("read the lists of texts", &error);
        let lists = column.list().map_err(broken)?.rechunk().into_owned();
        let offsets = lists.offsets().map_err(broken)?;
        let mut items = self.column(&lists.get_inner().into_column())?;
        let new = lists.apply_to_inner(&|_| Ok(items.column.as_materialized_series().clone())).map_err(broken)?;
        let missing = lists.is_null();
        let mut found: Vec<Vec<Mark>> = Vec::with_capacity(lists.len());
        for (missing, ends) in missing.iter().zip(offsets.windows(2)) {
            // What lies behind a missing list is nobody's.
            let range = if missing == Some(true) { 0..0 } else { ends[0] as usize..ends[1] as usize };
            let marks = items.found[range].iter_mut().enumerate().flat_map(|(item, marks)| {
                marks.iter_mut().for_each(|mark| mark.item = Some(item as i64));
                std::mem::take(marks)
            });
            found.push(marks.collect());
        }
        Ok(Done { column: new.into_column(), found })
    }

    /// Structs: each of their fields, then back into the structs.
    fn fields(&self, column: &Column) -> Result<Done, StageError> {
        let broken = |error: PolarsError| failed("read the fields", &error);
        // What lies behind a missing struct is nobody's.
        let whole = column.as_materialized_series().rechunk();
        let whole = whole.propagate_nulls().unwrap_or(whole);
        let whole = whole.struct_().map_err(broken)?;
        let mut found = nothing(whole.len());
        let mut fields = Vec::new();
        for field in whole.fields_as_columns() {
            let done = self.column(&field)?;
            for (found, marks) in found.iter_mut().zip(done.found) {
                let name = |mark: Mark| Mark { field: format!(".{}{}", field.name(), mark.field), ..mark };
                found.extend(marks.into_iter().map(name));
            }
            fields.push(done.column);
        }
        let mut new = StructChunked::from_columns(whole.name().clone(), whole.len(), &fields).map_err(broken)?;
        new.zip_outer_validity(whole);
        Ok(Done { column: new.into_column(), found })
    }

    fn texts(&self, column: &Column) -> Result<Done, StageError> {
        let texts = column.str().map_err(|error| failed("read the texts", &error))?;
        let rows: Vec<Option<&str>> = texts.iter().collect();
        let cleaned: Vec<Option<Cleaned>> = rows
            .par_iter()
            .map(|text| text.map_or(Ok(None), |text| self.text(text)))
            .collect::<Result<_, StageError>>()?;
        let new = rows.iter().zip(&cleaned).map(|(old, new)| new.as_ref().map_or(*old, |new| Some(new.text.as_str())));
        let column = StringChunked::from_iter_options(column.name().clone(), new).into_column();
        let found = cleaned.into_iter().map(|cleaned| cleaned.map_or_else(Vec::new, |cleaned| cleaned.found)).collect();
        Ok(Done { column, found })
    }
}

/// That nothing was found in so many rows.
fn nothing(rows: usize) -> Vec<Vec<Mark>> {
    std::iter::repeat_with(Vec::new).take(rows).collect()
}

/// The table without what was found, and the report.
fn finish(mut df: DataFrame, done: Vec<Done>) -> PolarsResult<(DataFrame, DataFrame)> {
    let mut kept = vec![true; df.height()];
    let (mut rows, mut starts, mut lengths): (Vec<i64>, Vec<i64>, Vec<i64>) = Default::default();
    let mut items: Vec<Option<i64>> = Vec::new();
    let (mut columns, mut entities, mut actions): (Vec<String>, Vec<&str>, Vec<&str>) = Default::default();
    for (row, kept) in kept.iter_mut().enumerate() {
        for column in &done {
            for mark in &column.found[row] {
                *kept &= mark.action != Action::DropRow;
                rows.push(row as i64);
                columns.push(format!("{}{}", column.column.name(), mark.field));
                items.push(mark.item);
                entities.push(mark.entity.name());
                starts.push(mark.start as i64);
                lengths.push(mark.length as i64);
                actions.push(mark.action.name());
            }
        }
    }
    let count = rows.len();
    let [row, column, item, entity, start, length, action] = REPORT.map(|(name, _)| PlSmallStr::from_static(name));
    let report = vec![
        Column::new(row, rows),
        Column::new(column, columns),
        Column::new(item, items),
        Column::new(entity, entities),
        Column::new(start, starts),
        Column::new(length, lengths),
        Column::new(action, actions),
    ];
    for column in done {
        df.with_column(column.column)?;
    }
    if kept.iter().any(|kept| !kept) {
        df = df.filter(&BooleanChunked::from_slice("kept".into(), &kept))?;
    }
    Ok((df, DataFrame::new(count, report)?))
}

fn counts(spec: &Spec, report: &DataFrame) -> PolarsResult<BTreeMap<Entity, usize>> {
    let mut counts: BTreeMap<Entity, usize> = spec.actions().map(|(entity, _)| (entity, 0)).collect();
    for name in report.column("entity")?.str()?.iter().flatten() {
        if let Some((_, count)) = counts.iter_mut().find(|(entity, _)| entity.name() == name) {
            *count += 1;
        }
    }
    Ok(counts)
}

/// `email 12 · cn_id 3`, `nothing found of email, card`.
fn summary(counts: &BTreeMap<Entity, usize>) -> String {
    let found: Vec<String> = counts
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(entity, count)| format!("{} {}", entity.name(), numbers::count(*count as u64)))
        .collect();
    if found.is_empty() {
        let looked: Vec<&str> = counts.keys().map(|entity| entity.name()).collect();
        return format!("nothing found of {}", looked.join(", "));
    }
    found.join(" · ")
}

/// Says how many pseudonyms stand for several originals each: with very many of them two may meet.
fn warn_of_shared(done: &mut [Done], cx: &RunCx<'_>) {
    let marks = done.iter_mut().flat_map(|done| &mut done.found).flatten();
    let shared = replace::shared(marks.filter_map(|mark| mark.meant.take()).collect());
    if shared > 0 {
        cx.services.warn(format!(
            "{} for more than one original each, which cannot be told apart any more: `hash` keeps them apart",
            if shared == 1 {
                "1 pseudonym stands".to_owned()
            } else {
                format!("{} pseudonyms stand", numbers::count(shared as u64))
            }
        ));
    }
}

/// Numbers are not looked into; a column of them that holds card or telephone numbers throughout is warned of.
fn warn_of_numbers(df: &DataFrame, work: &Work, cx: &RunCx<'_>) -> Result<(), StageError> {
    for column in df.columns().iter().filter(|column| column.dtype().is_integer()) {
        let texts = column.drop_nulls().head(Some(1000)).cast(&DataType::String);
        let texts = texts.map_err(|error| failed("look at the numbers", &error))?;
        let texts = texts.str().map_err(|error| failed("look at the numbers", &error))?;
        let mut counts: BTreeMap<Entity, usize> = BTreeMap::new();
        for found in texts.iter().flatten().filter_map(|text| work.finder.find(text).into_iter().next()) {
            *counts.entry(found.entity).or_default() += 1;
        }
        if let Some((entity, count)) = counts.into_iter().max_by_key(|(_, count)| *count)
            && count * 2 > texts.len()
        {
            cx.services.warn(format!(
                "`{}` is a column of numbers, which are not looked into, and {count} of {} look like {}: cast it to `str` before",
                column.name(),
                numbers::counted(texts.len(), "value"),
                entity.name()
            ));
        }
    }
    Ok(())
}
