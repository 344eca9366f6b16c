//! How many rows of an input differ: a look into both tables, which a plan does not take.

use crate::cli::session::Session;
use crate::digest::Digest;
use crate::frame::table_changes;
use crate::frame::write::TABLE_FILE;
use crate::plan::{Reason, TableChange};
use crate::stage::{Columns, Input, InputFile};
use crate::types::{ArtifactType, Column, DType, RowChange, TableSchema};

/// The same reasons; those about a table say how many rows differ, where both tables are still in the store.
pub(super) fn at_rows(session: &Session, reasons: &[Reason]) -> Vec<Reason> {
    let looked = |reason: &Reason| {
        let mut reason = reason.clone();
        if let Reason::Input { table, behind, .. } = &mut reason {
            table.iter_mut().for_each(|table| look(session, table));
            *behind = at_rows(session, behind);
        }
        reason
    };
    reasons.iter().map(looked).collect()
}

fn look(session: &Session, table: &mut TableChange) {
    let columns = &table.kept;
    let Some((old, new)) = table.bytes.filter(|(old, new)| old != new && !columns.is_empty()) else { return };
    // Only to say more: a table that was cleared away meanwhile is not compared.
    let (old, new) = (part(session, old, table.rows.0, columns), part(session, new, table.rows.1, columns));
    table.differing = table_changes(&old, &new).ok().map(|changes| RowChange {
        changed: changes.rows_changed,
        added: changes.rows_added,
        removed: changes.rows_removed,
        reordered: changes.reordered,
    });
}

/// Some columns of a stored table.
fn part(session: &Session, bytes: Digest, rows: u64, columns: &[String]) -> Input {
    let path = session.store.object_path(bytes);
    let file = InputFile { name: TABLE_FILE.to_owned(), path, size: 0, digest: bytes };
    let schema = TableSchema::new(columns.iter().map(|name| Column::new(name.as_str(), DType::Unknown)).collect());
    Input::new(ArtifactType::Unknown, bytes, vec![file]).narrowed(
        Columns::new(columns.to_vec()),
        schema.with_rows(rows),
        bytes,
    )
}
