//! Kinds that bring bytes in.

pub mod database;
pub mod fetch;
pub mod pick;
pub mod read;
mod types;
