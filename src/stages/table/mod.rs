//! Kinds that work on tables: SQL over several, steps over one, and splits into parts.

mod columns;
mod fixed;
mod reads;
mod report;
pub mod split;
pub mod sql;
mod steps;
pub mod stepwise;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod threads;
