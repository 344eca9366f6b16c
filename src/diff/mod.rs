//! Compares two sides, each a run, a lock, or the workspace: params, metrics, stages, and the data that they made.
//! Decides nothing about looks.

mod compare;
mod side;
#[cfg(test)]
mod tests;

pub use compare::{
    Comparison, FieldChange, MetricChange, OutputChange, ParamChange, StageChange, Status, compare, higher_is_better,
};
pub use side::{Side, SideOutput, SideStage};
