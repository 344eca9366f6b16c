//! The kind that turns tables into tensors.
