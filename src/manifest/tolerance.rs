//! `tolerance`: how far a stage's outputs may differ when it is run again, for `verify`. Not part of a key.

use super::common::{fields, report, wrong};
use super::node::{Data, Node};
use crate::diag::{Diagnostics, codes};
use crate::span::Span;
use std::collections::BTreeMap;

const BOUNDS: &[&str] = &["rtol", "atol"];

/// How far two numbers may differ: `|now - locked| <= atol + rtol * |locked|`, as numpy and PyTorch have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Tolerance {
    /// Relative to the locked number.
    pub rtol: f64,
    /// Absolute.
    pub atol: f64,
}

impl Tolerance {
    /// Whether a number is as near to the locked one as is asked for.
    #[must_use]
    pub fn admits(self, locked: f64, now: f64) -> bool {
        let near = (now - locked).abs() <= self.atol + self.rtol * locked.abs();
        locked == now || (locked.is_nan() && now.is_nan()) || (near && locked.is_finite() && now.is_finite())
    }
}

impl std::fmt::Display for Tolerance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [("rtol", self.rtol), ("atol", self.atol)].into_iter().filter(|(_, bound)| *bound > 0.0);
        let parts: Vec<String> = parts.map(|(name, bound)| format!("{name} {bound:e}")).collect();
        if parts.is_empty() { f.write_str("0") } else { f.write_str(&parts.join(", ")) }
    }
}

/// The tolerances of a stage's outputs.
#[derive(Clone, Debug, Default)]
pub struct Tolerances {
    /// For outputs that are not named.
    all: Option<Tolerance>,
    /// By output, with the place of its name.
    named: BTreeMap<String, (Tolerance, Span)>,
}

/// Where a tolerance stands does not count.
impl PartialEq for Tolerances {
    fn eq(&self, other: &Self) -> bool {
        let bounds = |this: &Self| -> Vec<(String, Tolerance)> {
            this.named.iter().map(|(port, (tolerance, _))| (port.clone(), *tolerance)).collect()
        };
        self.all == other.all && bounds(self) == bounds(other)
    }
}

impl Tolerances {
    /// Whether the stage declares none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_none() && self.named.is_empty()
    }

    /// The tolerance of an output.
    #[must_use]
    pub fn of(&self, port: &str) -> Option<Tolerance> {
        self.named.get(port).map(|(tolerance, _)| *tolerance).or(self.all)
    }

    /// The outputs that are named, and where.
    pub fn named(&self) -> impl Iterator<Item = (&str, Span)> {
        self.named.iter().map(|(port, (_, span))| (port.as_str(), *span))
    }

    /// Reads the field: `{ rtol = 1e-5 }` for every output, or `{ model = { rtol = 1e-5 } }` for those that are named.
    pub(super) fn read(node: &Node, diagnostics: &mut Diagnostics) -> Option<Self> {
        if node.data == Data::Missing {
            return None;
        }
        let mut found = Self::default();
        let bounds = node.entries().iter().any(|(name, _)| BOUNDS.contains(&name.as_str()));
        let table = matches!(node.data, Data::Table(_));
        if bounds || !table || node.entries().is_empty() {
            found.all = Some(tolerance(node, "tolerance", diagnostics)?);
            return Some(found);
        }
        for (port, entry) in node.entries() {
            if let Some(tolerance) = tolerance(entry, &format!("tolerance.{port}"), diagnostics) {
                found.named.insert(port.clone(), (tolerance, entry.key_or_value()));
            }
        }
        Some(found)
    }
}

fn tolerance(node: &Node, what: &str, diagnostics: &mut Diagnostics) -> Option<Tolerance> {
    if !fields(node, what, BOUNDS, diagnostics) {
        return None;
    }
    let mut bound = |name: &str| {
        let Some(node) = node.get(name) else { return Some(0.0) };
        let value = match node.data {
            Data::Int(value) => value as f64,
            Data::Float(value) => value,
            Data::Missing => return None,
            _ => {
                diagnostics.push(wrong(node, &format!("`{what}.{name}`"), "a number"));
                return None;
            }
        };
        if value >= 0.0 && value.is_finite() {
            return Some(value);
        }
        let message = format!("`{what}.{name}` must be 0 or more, not {}", node.show());
        diagnostics.push(report(codes::OUT_OF_RANGE, node, message, "0 or more"));
        None
    };
    let (rtol, atol) = (bound("rtol"), bound("atol"));
    Some(Tolerance { rtol: rtol?, atol: atol? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tolerance_admits_what_numpy_would() {
        let both = Tolerance { rtol: 1e-3, atol: 1e-6 };
        assert!(both.admits(1000.0, 1001.0) && !both.admits(1000.0, 1001.1));
        assert!(both.admits(0.0, 1e-6) && !both.admits(0.0, 1.1e-6));
        assert!(both.admits(f64::NAN, f64::NAN) && !both.admits(1.0, f64::NAN));
        assert!(both.admits(f64::INFINITY, f64::INFINITY) && !both.admits(f64::INFINITY, 1e300));
        assert!(!both.admits(1e300, f64::INFINITY));
        assert_eq!(both.to_string(), "rtol 1e-3, atol 1e-6");
    }
}
