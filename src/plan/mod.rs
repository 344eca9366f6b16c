//! From a checked pipeline to a plan: what would run, and why.
