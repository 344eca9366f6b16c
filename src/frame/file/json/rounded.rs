//! Whole numbers among fractions: they become floats, which do not hold all of them.

use super::super::FileWatch;
use super::super::odd::{Found, Odd, is_rounded};
use super::shape::Shape;
use super::value::Json;

/// Notes those in rows, of which `place` says where they are, `of` what.
pub(super) fn note(
    rows: &[Json],
    fields: &[(String, Shape)],
    of: &'static str,
    place: &dyn Fn(usize) -> usize,
    watch: FileWatch<'_>,
) {
    for (index, (key, shape)) in fields.iter().enumerate() {
        if !has_floats(shape) || watch.is_declared_float(key) {
            continue;
        }
        let rounded = |(row, value): (usize, &Json)| Some((row, first(value.get(key, index)?, shape)?));
        let mut found = rows.iter().enumerate().filter_map(rounded);
        let Some((row, number)) = found.next() else { continue };
        let (column, text) = (key.clone(), number.to_string());
        let (count, at) = (1 + found.count(), (place(row), index));
        watch.odd(Odd::Rounded, Found { count, at, of, column, text, as_decimal: false });
    }
}

fn has_floats(shape: &Shape) -> bool {
    match shape {
        Shape::Float => true,
        Shape::List(inner) => has_floats(inner),
        Shape::Object(fields) => fields.iter().any(|(_, shape)| has_floats(shape)),
        _ => false,
    }
}

/// The first such number in a value.
fn first(value: &Json, shape: &Shape) -> Option<i128> {
    match (value, shape) {
        (Json::Whole(number), Shape::Float) => is_rounded(*number).then_some(*number),
        (Json::List(items), Shape::List(inner)) => items.iter().find_map(|item| first(item, inner)),
        (Json::Object(_), Shape::Object(fields)) => {
            fields.iter().enumerate().find_map(|(place, (key, shape))| first(value.get(key, place)?, shape))
        }
        _ => None,
    }
}
