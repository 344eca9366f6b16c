//! The kind that describes a network.

mod network;
#[cfg(test)]
mod tests;

pub use network::Model;
