//! Batches that are larger than the data.

use super::spec::TrainSpec;
use crate::diag::codes;
use crate::numbers::{count, counted};
use crate::path;
use crate::stage::CheckCx;
use crate::types::DatasetType;

/// Reports data without rows, and a batch that is left out because it is never full, so that there is none.
pub(super) fn check(spec: &TrainSpec, data: &DatasetType, cx: &mut CheckCx<'_>) {
    let Some(rows) = data.rows else { return };
    if rows == 0 {
        cx.error(path!["data"], codes::BAD_DATA, format!("`{}` has no rows to learn from", spec.data))
            .from_stage(&spec.data, "encoded here")
            .hint("look at the stages before it: a `filter` or a `split` may leave no row for it");
    } else if spec.drop_last && spec.batch_size > rows {
        let (batch, rows) = (count(spec.batch_size), counted_rows(rows));
        let message = format!("a batch of {batch} is never full with {rows}, and drop_last leaves it out");
        cx.error(path!["batch_size"], codes::OUT_OF_RANGE, message)
            .from_stage(&spec.data, "the rows come from here")
            .hint("use a smaller batch_size, or no drop_last");
    }
}

/// What to say of a batch that all rows do not fill. It trains, as by all rows at once, which is seldom what was meant.
pub(super) fn too_large(spec: &TrainSpec, data: &DatasetType) -> Option<String> {
    let rows = data.rows.filter(|rows| *rows < spec.batch_size)?;
    Some(format!(
        "batch_size is {}, and `{}` has {}: every epoch is a single step of all of them; a smaller batch_size gives more steps",
        count(spec.batch_size),
        spec.data,
        counted_rows(rows)
    ))
}

fn counted_rows(rows: u64) -> String {
    counted(usize::try_from(rows).unwrap_or(usize::MAX), "row")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_batch_larger_than_the_data_is_told_with_both_numbers() {
        let spec = json!({
            "model": "model", "data": "encode.train", "loss": "mse", "optimizer": "adam", "epochs": 1, "batch_size": 2000,
        });
        let spec: TrainSpec = serde_json::from_value(spec).expect("a spec");
        let of = |rows| DatasetType { features: Vec::new(), targets: Vec::new(), rows, complete: true };
        let told = too_large(&spec, &of(Some(1999))).expect("told");
        assert_eq!(
            told,
            "batch_size is 2,000, and `encode.train` has 1,999 rows: every epoch is a single step of all of them; a smaller \
             batch_size gives more steps"
        );
        assert_eq!((too_large(&spec, &of(Some(2000))), too_large(&spec, &of(None))), (None, None));
    }
}
