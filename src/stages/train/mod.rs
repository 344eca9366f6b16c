//! The kind that trains.

mod batch;
mod check;
mod kind;
mod logits;
mod ranking;
mod run;
mod single_row;
mod spec;
#[cfg(test)]
mod tests;

pub use kind::Train;
pub use spec::TrainSpec;
