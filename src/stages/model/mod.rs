//! The kind that describes a network.

mod network;

pub use network::Model;
