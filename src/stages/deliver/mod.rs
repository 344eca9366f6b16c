//! Kinds that give models away: [`Release`] writes an open bundle, [`Bundle`] reads one back, [`Export`] writes a file
//! for other runtimes.

mod bundle;
mod card;
mod checksums;
mod config;
mod export;
mod license;
mod provenance;
mod release;
#[cfg(test)]
mod tests;

pub use bundle::{Bundle, BundleSpec};
pub use config::{BundleConfig, CONFIG_FILE, CONFIG_VERSION};
pub use export::{Export, ExportSpec};
pub use license::LICENSES;
pub use release::{DataStatement, Release, ReleaseSpec};
