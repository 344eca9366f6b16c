//! What is known of a kind without a manifest.

use serde::Serialize;

/// The families of the reference, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Brings bytes in.
    Source,
    /// Works on tables.
    Table,
    /// Takes texts apart.
    Text,
    /// Turns tables into tensors.
    Encode,
    /// Describes a network.
    Model,
    /// Trains it.
    Train,
    /// Judges it.
    Judge,
    /// Gives it away.
    Deliver,
    /// Runs any program.
    Open,
}

/// One output of a kind.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Port {
    /// Its name; `*` where the fields decide (the parts of a split).
    pub name: &'static str,
    /// What it is, for the reference.
    pub about: &'static str,
}

/// What is known of a kind without a manifest.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct StageInfo {
    /// The name in `kind = "…"`.
    pub name: &'static str,
    /// Its family.
    pub family: Family,
    /// The version of its implementation. Raise it whenever the same fields and inputs would give other bytes: it
    /// enters every key of the kind.
    pub version: u32,
    /// One sentence for lists and editor completion.
    pub summary: &'static str,
    /// The outputs.
    pub ports: &'static [Port],
    /// A stage as it would stand in a manifest; a test decodes it.
    pub example: &'static str,
    /// Whether it makes random choices, so that its seed enters its key.
    pub seeded: bool,
    /// Whether its numbers come from libtorch, so that the numeric environment enters its key.
    pub numeric: bool,
}
