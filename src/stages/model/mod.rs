//! The kind that describes a network.

mod base;
mod network;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use base::BASE_WEIGHTS;
pub use network::Model;
