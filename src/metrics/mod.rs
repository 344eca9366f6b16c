//! Metrics on plain slices, one a file.
