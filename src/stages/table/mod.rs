//! Kinds that work on tables.
