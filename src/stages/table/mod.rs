//! Kinds that work on tables: SQL over several, steps over one, splits into parts, checks, pictures, and the removal of
//! personal data.

mod columns;
mod distance;
pub mod expect;
mod fixed;
mod normal;
pub mod profile;
mod reads;
pub mod redact;
mod report;
mod scalar;
pub mod split;
mod spread;
pub mod sql;
mod steps;
pub mod stepwise;

use crate::stage::{Input, Ref, StageError};
use std::collections::BTreeMap;

/// Tables are kept where nothing is said.
fn kept() -> bool {
    true
}

/// An input of these.
fn input_of<'a>(inputs: &'a BTreeMap<String, Input>, reference: &Ref) -> Result<&'a Input, StageError> {
    inputs.get(&reference.0).ok_or_else(|| StageError::bug(format!("input `{reference}` was not prepared")))
}

#[cfg(test)]
mod answers;
#[cfg(test)]
mod around;
#[cfg(test)]
mod constants;
#[cfg(test)]
mod decimals;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod nan;
#[cfg(test)]
mod nearest;
#[cfg(test)]
mod ordinary;
#[cfg(test)]
mod pushdown;
#[cfg(test)]
mod room;
#[cfg(test)]
mod standard;
#[cfg(test)]
pub(in crate::stages) mod testing;
#[cfg(test)]
mod threads;
#[cfg(test)]
mod threads_anywhere;
#[cfg(test)]
mod timestamps;
#[cfg(test)]
mod unconverted;
#[cfg(test)]
mod views;
