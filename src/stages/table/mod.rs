//! Kinds that work on tables: SQL over several, steps over one, splits into parts, checks, pictures, and the removal of
//! personal data.

mod columns;
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

#[cfg(test)]
mod testing;
#[cfg(test)]
mod threads;
