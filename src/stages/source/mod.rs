//! Kinds that bring bytes in.
