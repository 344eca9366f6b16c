//! Kinds that run any program.
