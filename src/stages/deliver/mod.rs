//! Kinds that give models away: [`Release`] writes an open bundle, [`Bundle`] reads one back.

mod bundle;
mod card;
mod checksums;
mod config;
mod license;
mod provenance;
mod release;
#[cfg(test)]
mod tests;

pub use bundle::{Bundle, BundleSpec};
pub use config::{BundleConfig, CONFIG_FILE, CONFIG_VERSION};
pub use license::LICENSES;
pub use release::{DataStatement, Release, ReleaseSpec};
