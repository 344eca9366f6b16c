//! The classes that a manifest lists for a target.

use crate::diag::codes;
use crate::path;
use crate::stage::CheckCx;
use crate::types::DType;

/// Reports classes that cannot be those of a column of this type.
pub(super) fn check(classes: &[String], column: &str, dtype: &DType, cx: &mut CheckCx<'_>) {
    let place = path!["target", column, "category", "classes"];
    if classes.len() < 2 {
        cx.error(place, codes::OUT_OF_RANGE, "a category has at least 2 classes")
            .label(format!("{} given", classes.len()));
        return;
    }
    let place = |index: usize| path!["target", column, "category", "classes", index];
    let twice = classes.iter().enumerate().find(|(index, class)| classes[..*index].contains(class));
    if let Some((index, class)) = twice {
        cx.error(place(index), codes::OUT_OF_RANGE, format!("class `{class}` is listed twice"))
            .label("the second time");
    }
    if let Some(index) = classes.iter().position(|class| !may_hold(dtype, class)) {
        let message = format!("column `{column}` is {dtype}, and holds no `{}`", classes[index]);
        cx.error(place(index), codes::COLUMN_TYPE, message)
            .label("none of its values")
            .hint("list the values of the column; a `table` stage before can make a column of names of them");
    }
}

/// Whether a class can be a value of a column, as text.
fn may_hold(dtype: &DType, class: &str) -> bool {
    match dtype {
        DType::Bool => class == "true" || class == "false",
        _ => !dtype.is_integer() || class.parse::<i128>().is_ok(),
    }
}
