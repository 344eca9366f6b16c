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
        if schema.complete
            && schema.columns.iter().all(|column| !(holds_text(&column.dtype) || column.dtype.is_unknown()))
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
            if let Some(dtype) = dtype.filter(|dtype| !(holds_text(dtype) || dtype.is_unknown() || is_pattern(rule))) {
                wrong_type(cx, at.clone(), &name, &dtype, "str, or lists or structs of it").hint(
                    match is_closed(&dtype) {
                        true => DROP,
                        false => "cast it in a step before: `{ cast = { … = \"str\" } }`",
                    },
                );
            }
        }
        let meant: Vec<&ColumnType> = match is_pattern(rule) {
            true => schema.select(rule),
            false => schema.columns.iter().filter(|column| column.name == *rule && holds_text(&column.dtype)).collect(),
        };
        warn_of_closed(&meant, at, cx);
    }
}

/// What to do about bytes that are not looked into.
const DROP: &str = "make a text of it in a step before, or drop it";

/// Whether a column has texts in it, in lists and structs too.
pub(super) fn holds_text(dtype: &DType) -> bool {
    match dtype {
        DType::Str => true,
        DType::List(inner) | DType::Array(inner, _) => holds_text(inner),
        DType::Struct(fields) => fields.iter().any(|field| holds_text(&field.dtype)),
        _ => false,
    }
}

/// Whether texts may be in it that are not looked into: bytes, and types of which nothing is known.
fn is_closed(dtype: &DType) -> bool {
    match dtype {
        DType::Other(name) => {
            name == "binary" || !["null", "datetime", "duration"].iter().any(|other| name.starts_with(other))
        }
        DType::List(inner) | DType::Array(inner, _) => is_closed(inner),
        DType::Struct(fields) => fields.iter().any(|field| is_closed(&field.dtype)),
        _ => false,
    }
}

/// The columns and fields of structs in a column that are closed, each with its type.
fn closed_in<'a>(name: &str, dtype: &'a DType, found: &mut Vec<(String, &'a DType)>) {
    match dtype {
        DType::Struct(fields) => {
            fields.iter().for_each(|field| closed_in(&format!("{name}.{}", field.name), &field.dtype, found));
        }
        DType::List(inner) | DType::Array(inner, _) if matches!(inner.as_ref(), DType::Struct(_)) => {
            closed_in(name, inner, found);
        }
        dtype if is_closed(dtype) => found.push((name.to_owned(), dtype)),
        _ => {}
    }
}

/// Reports which of some columns are not looked into although texts may be in them.
fn warn_of_closed(columns: &[&ColumnType], at: Path, cx: &mut CheckCx<'_>) {
    if let Some(message) = told(columns) {
        cx.error(at, codes::NOT_LOOKED_INTO, message).label("stays as it is there").hint(DROP);
    }
}

fn told(columns: &[&ColumnType]) -> Option<String> {
    let mut closed = Vec::new();
    columns.iter().for_each(|column| closed_in(&column.name, &column.dtype, &mut closed));
    let names = list(closed.iter().map(|(name, _)| name.as_str()), 6);
    match closed.as_slice() {
        [] => None,
        [(_, dtype)] => {
            Some(format!("column {names} is {dtype}, which is not looked into, and may hold personal data"))
        }
        _ => Some(format!("columns {names} are not looked into, and may hold personal data")),
    }
}

/// What a run says of columns that are not looked into: their types may not have been known before.
pub(super) fn closed(spec: &Spec, schema: &TableSchema) -> Option<String> {
    let meant = |column: &&ColumnType| {
        let fits = |rule: &String| match is_pattern(rule) {
            true => crate::types::matches_pattern(rule, &column.name),
            false => column.name == *rule,
        };
        spec.columns.as_ref().is_none_or(|columns| columns.0.iter().any(fits))
    };
    told(&schema.columns.iter().filter(meant).collect::<Vec<_>>()).map(|message| format!("{message}: {DROP}"))
}
