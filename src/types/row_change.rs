//! How many rows of a table are others than in an earlier one.

/// How many rows differ between two tables, in the columns that were compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowChange {
    /// Rows with other values at the same place, where both tables have as many rows.
    pub changed: u64,
    /// Else: rows that the earlier table does not have.
    pub added: u64,
    /// Rows that the later table does not have.
    pub removed: u64,
    /// The rows are the same, and stand in another order.
    pub reordered: bool,
}
