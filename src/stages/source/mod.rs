//! Kinds that bring bytes in.

pub mod fetch;
