//! Values of earlier rows: the row so many places before, in the order of a column, within a group.

use super::impute::Impute;
use crate::diag::codes;
use crate::path;
use crate::stage::{CheckCx, StageError};
use crate::stages::encode::order::Groups;
use polars::prelude::DataFrame;
use serde::{Deserialize, Serialize};

/// Which earlier rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lags {
    /// How many rows before; 0 is the row itself.
    pub lags: Vec<u64>,
    /// What orders the rows.
    pub order: String,
    /// Rows count as one sequence where they agree in these columns.
    pub by: Vec<String>,
}

/// How earlier rows are found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FittedLags {
    /// How many rows before.
    pub lags: Vec<u64>,
    /// What orders the rows.
    pub order: String,
    /// What groups them.
    pub by: Vec<String>,
}

/// For each lag, for each row, the row so many places before.
pub(super) struct Earlier(Vec<Vec<Option<usize>>>);

impl Earlier {
    /// The values at the rows before.
    pub(super) fn values(&self, values: &[Option<f64>], lag: usize) -> Vec<Option<f64>> {
        self.0[lag].iter().map(|row| row.and_then(|row| values[row])).collect()
    }
}

impl Lags {
    pub(super) fn helpers(&self) -> Vec<(&'static str, &str)> {
        std::iter::once(("order", self.order.as_str()))
            .chain(self.by.iter().map(|name| ("by", name.as_str())))
            .collect()
    }

    pub(super) fn check(&self, name: &str, impute: Impute, cx: &mut CheckCx<'_>) {
        let place = path!["features", name, "lags"];
        if self.lags.is_empty() {
            cx.error(place.clone(), codes::OUT_OF_RANGE, "`lags` names no row before")
                .label("an empty list")
                .hint("lags = [1, 7] is the row before and the seventh before");
        }
        if let Some(twice) = (1..self.lags.len()).find(|index| self.lags[..*index].contains(&self.lags[*index])) {
            let message = format!("lag {} is listed twice", self.lags[twice]);
            cx.error(path!["features", name, "lags", twice], codes::OUT_OF_RANGE, message).label("the second time");
        }
        if impute == Impute::None && self.lags.iter().any(|lag| *lag > 0) {
            cx.error(place, codes::MISSING_FIELD, "the first rows have none before them, so `lags` needs `impute`")
                .label("null in the first rows")
                .hint("impute = \"mean\", or a number");
        }
    }
}

impl FittedLags {
    pub(super) fn of(lags: &Lags) -> Self {
        Self { lags: lags.lags.clone(), order: lags.order.clone(), by: lags.by.clone() }
    }

    pub(super) fn helpers(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.order.as_str()).chain(self.by.iter().map(String::as_str))
    }

    /// `of the rows 1 and 7 before, ordered by `date``
    pub(super) fn words(&self) -> String {
        let lags: Vec<String> = self.lags.iter().map(u64::to_string).collect();
        format!("of the rows {} before, ordered by `{}`", lags.join(", "), self.order)
    }

    pub(super) fn rows(&self, frame: &DataFrame) -> Result<Earlier, StageError> {
        let groups = Groups::of(frame, &self.by, &self.order)?;
        Ok(Earlier(self.lags.iter().map(|lag| groups.before(usize::try_from(*lag).unwrap_or(usize::MAX))).collect()))
    }
}
