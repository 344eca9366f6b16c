//! Some of the rows, chosen at random.

use super::super::fixed::shuffle;
use super::{Rule, Tables};
use crate::diag::codes;
use crate::frame::FloatSums;
use crate::stage::{CheckCx, Path, Seed, StageError};
use crate::types::TableSchema;
use polars::prelude::{AllowedOptimizations, DataFrame, IdxCa, IdxSize, LazyFrame, PolarsResult, SchemaRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many rows stay: `rows` or `fraction`. They keep their order; which they are depends on the seed and on how many rows
/// there are.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Sample {
    /// So many rows; all of them where there are fewer.
    pub rows: Option<u64>,
    /// This part of the rows, between 0 and 1, rounded to whole rows.
    pub fraction: Option<f64>,
    /// What the choice derives from; without it the pipeline's seed and the stage's name.
    pub seed: Option<u64>,
}

impl Sample {
    /// How many of `all` rows stay.
    fn count(&self, all: usize) -> usize {
        let wanted = match (self.rows, self.fraction) {
            (Some(rows), _) => usize::try_from(rows).unwrap_or(usize::MAX),
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the row count")]
            (None, Some(fraction)) => (all as f64 * fraction).round() as usize,
            (None, None) => all,
        };
        wanted.min(all)
    }

    fn choose(&self, df: &DataFrame) -> PolarsResult<DataFrame> {
        let mut places: Vec<IdxSize> = (0..df.height() as IdxSize).collect();
        shuffle(&mut places, &mut Seed::derive(self.seed.unwrap_or_default(), "sample").rng("rows"));
        places.truncate(self.count(df.height()));
        places.sort_unstable();
        df.take(&IdxCa::from_vec("".into(), places))
    }
}

impl Rule for Sample {
    fn check(&self, input: TableSchema, _: FloatSums, at: &Path, cx: &mut CheckCx<'_>) -> TableSchema {
        if self.rows.is_some() == self.fraction.is_some() {
            cx.error(at.clone(), codes::CONFLICT, "a sample needs `rows` or `fraction`, and not both")
                .label("how many rows stay is not said, or said twice");
        }
        if let Some(fraction) = self.fraction
            && !(0.0..=1.0).contains(&fraction)
        {
            let place = [at.clone(), vec!["fraction".into()]].concat();
            cx.error(place, codes::OUT_OF_RANGE, format!("a part of the rows is between 0 and 1, not {fraction}"))
                .label("out of range");
        }
        input
    }

    fn apply(&self, lf: LazyFrame, _: &SchemaRef, _: FloatSums, _: Tables<'_>) -> Result<LazyFrame, StageError> {
        let sample = self.clone();
        // Which columns there are makes no difference; which rows there are does.
        let pushed = AllowedOptimizations::PROJECTION_PUSHDOWN;
        Ok(lf.map(move |df| sample.choose(&df), pushed, None, Some("sample")))
    }
}
