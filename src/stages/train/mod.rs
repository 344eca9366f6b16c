//! The kind that trains.
