//! What is wrong with the fields of a `redact`, and which columns it does not look into.

use super::super::columns::{is_pattern, select, wrong_type};
use super::Spec;
use crate::diag::{codes, list};
use crate::path;
use crate::stage::{CheckCx, Path};
use crate::types::{Column as ColumnType, DType, TableSchema};

/// Whether something is looked for, and with what it needs.
pub(super) fn find(spec: &Spec, cx: &mut CheckCx<'_>) {
    if spec.actions().next().is_none() {
        cx.error(path!["find"], codes::MISSING_FIELD, "nothing is looked for")
            .label("no sort of data is named")
            .hint("find = { email = \"mask\" }, or leave `find` out to look for everything");
    }
    match (spec.find.as_ref().and_then(|find| find.name), spec.names.is_empty()) {
        (Some(_), true) => {
            cx.error(path!["find", "name"], codes::MISSING_FIELD, "names are found by lists, and none is given")
                .label("which names?")
                .hint("names = [\"names.txt\"], a file with a name on each line");
        }
        (None, false) if spec.find.is_some() => {
            cx.error(path!["names"], codes::CONFLICT, "`find` does not say what becomes of names")
                .label("not used")
                .hint("add `name = \"mask\"` to `find`");
        }
        _ => {}
    }
    if spec.key_env.is_empty() || spec.key_env.contains(['=', '\0']) {
        cx.error(
            path!["key_env"],
            codes::OUT_OF_RANGE,
            format!("`{}` is no name of an environment variable", spec.key_env),
        )
        .label("the name, not the key itself");
    }
}

/// Whether the columns hold texts.
pub(super) fn columns(spec: &Spec, schema: &TableSchema, cx: &mut CheckCx<'_>) {
    let Some(columns) = &spec.columns else {
        if schema.complete && schema.columns.iter().all(|column| !(is_text(&column.dtype) || column.dtype.is_unknown()))
        {
            cx.error(path!["from"], codes::EMPTY_SELECTION, "the table has no column of text")
                .label("nothing to look into")
                .hint("cast numbers that may be telephone or card numbers to `str` in a step before");
        }
        warn_of_closed(&schema.columns.iter().collect::<Vec<_>>(), path!["from"], cx);
        return;
    };
    for (rule, at) in columns.with_paths(&path!["columns"]) {
        for name in select(schema, rule, at.clone(), cx) {
            let dtype = schema.columns.iter().find(|column| column.name == name).map(|column| column.dtype.clone());
            // A pattern may take in other columns, a name is meant.
            if let Some(dtype) = dtype.filter(|dtype| !(is_text(dtype) || dtype.is_unknown() || is_pattern(rule))) {
                wrong_type(cx, at.clone(), &name, &dtype, "str or list(str)").hint(match may_hold_text(&dtype) {
                    true => TAKE_APART,
                    false => "cast it in a step before: `{ cast = { … = \"str\" } }`",
                });
            }
        }
        let meant: Vec<&ColumnType> = match is_pattern(rule) {
            true => schema.select(rule),
            false => Vec::new(),
        };
        warn_of_closed(&meant, at, cx);
    }
}

/// What to do about texts inside of something.
const TAKE_APART: &str = "take it apart in a step before (`explode`, or a `derive` of its fields), or drop it";

/// Whether a column is looked into.
pub(super) fn is_text(dtype: &DType) -> bool {
    match dtype {
        DType::List(inner) => **inner == DType::Str,
        dtype => *dtype == DType::Str,
    }
}

/// Whether texts may be in it, at any depth.
fn may_hold_text(dtype: &DType) -> bool {
    match dtype {
        DType::Str => true,
        DType::Other(name) => {
            name == "binary" || !["null", "datetime", "duration"].iter().any(|other| name.starts_with(other))
        }
        DType::List(inner) | DType::Array(inner, _) => may_hold_text(inner),
        DType::Struct(fields) => fields.iter().any(|field| may_hold_text(&field.dtype)),
        _ => false,
    }
}

/// Reports which of some columns are not looked into although texts may be in them.
fn warn_of_closed(columns: &[&ColumnType], at: Path, cx: &mut CheckCx<'_>) {
    if let Some(message) = told(columns) {
        cx.error(at, codes::NOT_LOOKED_INTO, message).label("stays as it is there").hint(TAKE_APART);
    }
}

fn told(columns: &[&ColumnType]) -> Option<String> {
    let is_closed = |column: &&&ColumnType| !is_text(&column.dtype) && may_hold_text(&column.dtype);
    let closed: Vec<&&ColumnType> = columns.iter().filter(is_closed).collect();
    let names = list(closed.iter().map(|column| column.name.as_str()), 6);
    match closed.as_slice() {
        [] => None,
        [one] => Some(format!("column {names} is {}, which is not looked into, and may hold personal data", one.dtype)),
        _ => Some(format!("columns {names} are not looked into, and may hold personal data")),
    }
}

/// What a run says of columns that are not looked into: their types may not have been known before.
pub(super) fn closed(spec: &Spec, schema: &TableSchema) -> Option<String> {
    let meant = |column: &&ColumnType| {
        let fits = |rule: &String| is_pattern(rule) && crate::types::matches_pattern(rule, &column.name);
        spec.columns.as_ref().is_none_or(|columns| columns.0.iter().any(fits))
    };
    told(&schema.columns.iter().filter(meant).collect::<Vec<_>>()).map(|message| format!("{message}: {TAKE_APART}"))
}
