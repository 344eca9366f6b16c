//! The stage kinds, a folder per family, a file (or folder) per kind: spec, check, run, docs and tests together.

pub mod deliver;
pub mod encode;
pub mod judge;
pub mod model;
pub mod open;
pub mod source;
pub mod table;
pub mod text;
pub mod train;
