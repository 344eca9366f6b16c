//! Generated files: JSON schema and reference.
