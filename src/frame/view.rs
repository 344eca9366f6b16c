//! Tables that are not kept. What is stored of such a table is its recipe: a digest of the fields of its stage and of the
//! content of its inputs. It stands for the table in the keys of what uses it, and its plan becomes a part of theirs.

use super::apart::leaf;
use super::{failed, unpanicked};
use crate::digest::{Digest, Tree};
use crate::frame::schema::from_polars_schema;
use crate::stage::{Input, Kind, Plan, Produced, RunCx, StageError, View};
use crate::types::{ArtifactType, TableSchema};
use polars::prelude::LazyFrame;
use serde_json::json;

/// The one file of a table that is not kept.
pub const VIEW_FILE: &str = "view.json";

/// Stores the recipe of a stage's table, whose plan is `lf`.
///
/// # Errors
/// When the plan does not fit its inputs, or the file cannot be written.
pub fn write_view<K: Kind>(
    cx: &RunCx<'_>,
    port: &str,
    spec: &K::Spec,
    mut lf: LazyFrame,
) -> Result<Produced, StageError> {
    let schema = unpanicked(|| lf.collect_schema()).map_err(|error| failed("tell the table's columns", &error))?;
    let schema: TableSchema = from_polars_schema(&schema);
    let path = cx.out(port)?.join(VIEW_FILE);
    let columns: Vec<_> = schema.columns.iter().map(|column| json!([column.name, column.dtype.to_string()])).collect();
    let recipe = json!({ "kept": false, "columns": columns, "recipe": recipe::<K>(cx, spec)? });
    let text = format!("{}\n", serde_json::to_string(&recipe).map_err(|error| StageError::bug(error.to_string()))?);
    std::fs::write(&path, text).map_err(|error| StageError::io("write", &path, &error))?;
    let summary = format!("not kept: {}, computed where it is used", crate::numbers::counted(columns.len(), "column"));
    Ok(Produced::new(summary).port(port, ArtifactType::Table(schema)))
}

/// What stands for the table: equal recipes make equal tables. Names of stages do not enter.
fn recipe<K: Kind>(cx: &RunCx<'_>, spec: &K::Spec) -> Result<Digest, StageError> {
    let tree = Tree::of(spec).map_err(|error| StageError::bug(error.to_string()))?;
    let mut hasher = blake3::Hasher::new_derive_key("kilter 2026 table that is not kept");
    hasher.update(K::INFO.name.as_bytes()).update(&K::INFO.version.to_le_bytes());
    tree.encode(&mut hasher, &mut |node| match node {
        Tree::Ref(text) => match cx.inputs.get(text) {
            Some(input) => Ok(input.digest),
            None => Err(StageError::bug(format!("input `{text}` was not prepared"))),
        },
        _ => Err(StageError::bug("a file in a view")),
    })?;
    Ok(Digest::from_bytes(*hasher.finalize().as_bytes()))
}

/// The plan of a table that is not kept, as a leaf of the plans over it: the same one each time.
pub(super) fn plan_of(view: &View) -> Result<LazyFrame, StageError> {
    let plan = view.plan_once(&|Plan(plan)| {
        let plan = plan.downcast::<LazyFrame>().map_err(|_| StageError::bug("a view has a plan of another engine"))?;
        let leaf = unpanicked(|| leaf(*plan)).map_err(|error| failed("tell the table's columns", &error))?;
        Ok(Plan(Box::new(leaf)))
    })?;
    plan.0.downcast_ref().cloned().ok_or_else(|| StageError::bug("a view has a plan of another engine"))
}

/// Says which table that is not kept is to blame for a failure of what uses these inputs, where one fails by itself.
pub fn blame<'a>(cx: &RunCx<'_>, inputs: impl Iterator<Item = &'a Input>) -> Option<StageError> {
    for (input, view) in inputs.flat_map(Input::views).filter_map(|input| Some((input, input.view()?))) {
        let run = super::read::scan_by_itself(input).and_then(|lf| {
            super::try_plan(cx, lf).map_err(|failure| failure.while_doing("compute the table").note(view.note()))
        });
        if let Err(error) = run {
            return Some(error);
        }
    }
    None
}
