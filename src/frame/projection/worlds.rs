//! What a plan could be made over in the place of whole tables, so that it does the same: the smallest first.

use super::ReadBy;
use crate::stage::Columns;
use crate::types::TableSchema;
use std::collections::BTreeMap;

/// What is there of each table.
pub(super) type World = BTreeMap<String, Columns>;

/// The tables whole.
pub(super) fn whole(tables: &BTreeMap<String, TableSchema>) -> World {
    tables.iter().map(|(name, table)| (name.clone(), Columns::new(names(table)))).collect()
}

/// The columns that are read, in the order of the plan's result and then by name, or in their table's. Then the same with those
/// beside them that the plan mentions, with all before the last of them, for places count (`ORDER BY 2`), and with all that
/// there are: of these no value is there. The last of all is the tables themselves, but for the values that are not read.
pub(super) fn worlds(
    tables: &BTreeMap<String, TableSchema>,
    read: &ReadBy,
    output: &[String],
    mentioned: &dyn Fn(&str) -> bool,
) -> Vec<World> {
    type Choice<'a> = &'a dyn Fn(&str, &TableSchema) -> Vec<String>;
    let is_read = |table: &str, column: &String| read[table].contains(column);
    let by_output = |name: &str, _: &TableSchema| -> Vec<String> {
        let mut columns: Vec<String> = output.iter().filter(|column| is_read(name, column)).cloned().collect();
        let others: Vec<String> = read[name].iter().filter(|column| !columns.contains(column)).cloned().collect();
        columns.extend(others);
        columns
    };
    let in_order = |name: &str, table: &TableSchema| -> Vec<String> {
        names(table).into_iter().filter(|column| is_read(name, column)).collect()
    };
    let and_mentioned = |name: &str, table: &TableSchema| -> Vec<String> {
        let mut columns = by_output(name, table);
        let mut others = names(table);
        others.retain(|column| mentioned(column) && !is_read(name, column));
        others.sort();
        columns.extend(others);
        columns
    };
    let mentioned_in_order = |name: &str, table: &TableSchema| -> Vec<String> {
        names(table).into_iter().filter(|column| mentioned(column) || is_read(name, column)).collect()
    };
    let up_to_last = |name: &str, table: &TableSchema| -> Vec<String> {
        let mut columns = names(table);
        columns.truncate(columns.iter().rposition(|column| is_read(name, column)).map_or(0, |last| last + 1));
        columns
    };
    let all = |_: &str, table: &TableSchema| names(table);
    let choices: [Choice<'_>; 6] = [&by_output, &in_order, &and_mentioned, &mentioned_in_order, &up_to_last, &all];
    let mut found: Vec<World> = Vec::new();
    for choice in choices {
        for counting in [true, false] {
            let of = |name: &String, table: &TableSchema| {
                let columns = Columns::new(choice(name, table)).reading(&read[name.as_str()]);
                let has_unread = columns.unread().next().is_some();
                (name.clone(), if counting && has_unread { columns.counting() } else { columns })
            };
            let world: World = tables.iter().map(|(name, table)| of(name, table)).collect();
            if !found.contains(&world) {
                found.push(world);
            }
        }
    }
    found
}

/// With more columns without values than these in a table it is not tried which of them can go.
const MOST_TRIED: usize = 16;

/// The same without the columns that need not be there: a name may be mentioned for another table, or in a text.
pub(super) fn shrunk(mut world: World, fits: &dyn Fn(&World) -> bool) -> World {
    let tables: Vec<String> = world.keys().cloned().collect();
    for table in tables {
        let unread: Vec<String> = world[&table].unread().map(str::to_owned).collect();
        let one_by_one = unread.iter().map(std::slice::from_ref).filter(|_| (2..=MOST_TRIED).contains(&unread.len()));
        for gone in [unread.as_slice()].into_iter().filter(|all| !all.is_empty()).chain(one_by_one) {
            let mut smaller = world.clone();
            smaller.insert(table.clone(), world[&table].without(gone));
            if smaller != world && fits(&smaller) {
                world = smaller;
            }
        }
    }
    world
}

fn names(table: &TableSchema) -> Vec<String> {
    table.names().map(str::to_owned).collect()
}
