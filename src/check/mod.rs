//! From a manifest to a checked pipeline.
