//! The kind that describes a network.
