//! Tensor shapes, with dimensions that may be known by name only.

use serde::{Deserialize, Serialize};
use std::fmt;

/// One dimension of a tensor.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Dim {
    /// So many elements.
    Fixed(u64),
    /// Known by name until the data is seen: `batch`, `classes`.
    Named(String),
    /// Not known before the data is seen.
    Unknown,
}

impl Dim {
    /// The size, where it is known.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        match self {
            Self::Fixed(size) => Some(*size),
            Self::Named(_) | Self::Unknown => None,
        }
    }

    /// Whether two dimensions could be the same: false only when both sizes are known and differ.
    #[must_use]
    pub fn compatible(&self, other: &Self) -> bool {
        match (self.size(), other.size()) {
            (Some(a), Some(b)) => a == b,
            _ => true,
        }
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(size) => write!(f, "{size}"),
            Self::Named(name) => f.write_str(name),
            Self::Unknown => f.write_str("?"),
        }
    }
}

/// A tensor's shape, outermost dimension first. Shapes of features and layers leave the batch dimension out.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shape(pub Vec<Dim>);

impl Shape {
    /// A shape of known sizes.
    #[must_use]
    pub fn fixed(sizes: &[u64]) -> Self {
        Self(sizes.iter().copied().map(Dim::Fixed).collect())
    }

    /// How many dimensions it has, the batch not counted.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The product of its dimensions, where all are known.
    #[must_use]
    pub fn elements(&self) -> Option<u64> {
        self.0.iter().try_fold(1_u64, |product, dim| product.checked_mul(dim.size()?))
    }

    /// Its sizes, where all are known.
    #[must_use]
    pub fn sizes(&self) -> Option<Vec<u64>> {
        self.0.iter().map(Dim::size).collect()
    }
}

impl fmt::Display for Shape {
    /// `[batch, 64, 5, 5]`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[batch")?;
        for dim in &self.0 {
            write!(f, ", {dim}")?;
        }
        f.write_str("]")
    }
}
