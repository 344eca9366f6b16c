//! The digest of a table, made of its columns' digests. So the digest of some of its columns can be told without its data.

use super::Digest;

/// The digests of a table's logical content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableDigest {
    /// Of the whole table.
    pub whole: Digest,
    /// Of each column with its name, in order.
    pub columns: Vec<Digest>,
}

impl TableDigest {
    /// The digests of a table of so many rows and these columns.
    #[must_use]
    pub fn new(rows: u64, columns: Vec<Digest>) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("kilter 2026 table content");
        hasher.update(&rows.to_le_bytes()).update(&(columns.len() as u64).to_le_bytes());
        for column in &columns {
            hasher.update(column.as_bytes());
        }
        Self { whole: Digest::from_bytes(*hasher.finalize().as_bytes()), columns }
    }

    /// What stands in for the digest of a column that must be there, although no value of it is read.
    #[must_use]
    pub fn unread(name: &str, dtype: &str) -> Digest {
        let mut hasher = blake3::Hasher::new_derive_key("kilter 2026 column that is not read");
        for text in [name, dtype] {
            hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        }
        Digest::from_bytes(*hasher.finalize().as_bytes())
    }
}
