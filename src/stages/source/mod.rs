//! Kinds that bring bytes in.

pub mod fetch;
pub mod pick;
pub mod read;
