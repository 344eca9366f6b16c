//! What a stage that would run can go on from: a checkpoint that it left when it was interrupted, or the result of a stage of
//! its series that went less far.

use super::key::Key;
use crate::digest::{Digest, Segment, dotted};
use crate::numbers;
use crate::stage::{Apart, Series, StageResult, StageSpec};
use crate::store::{Found, Store};
use std::fmt;
use std::sync::Arc;

/// Where a stage that would run begins.
#[derive(Clone, Debug, PartialEq)]
pub enum Beginning {
    /// At its own checkpoint.
    Checkpoint {
        /// How far that is, as the stage counts.
        at: u64,
    },
    /// Behind the result of a shorter member of its series.
    Earlier {
        /// How far that goes.
        length: u64,
        /// In what.
        unit: &'static str,
    },
    /// Anew, although there is a shorter member.
    Anew(Apart),
}

impl fmt::Display for Beginning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checkpoint { at } => {
                write!(f, "continues from its checkpoint of step {}, where it was interrupted", numbers::count(*at))
            }
            Self::Earlier { length, unit } => write!(f, "continues from {unit} {}", numbers::count(*length)),
            Self::Anew(Apart { field, why }) => write!(f, "begins anew, because {} {why}", dotted(field)),
        }
    }
}

/// Where a stage that has no result begins, unless that is simply at the beginning.
pub(super) fn beginning(spec: &dyn StageSpec, key: &Key, store: &Store) -> Option<Beginning> {
    let series = spec.series()?;
    let at = store.last_checkpoint(key.series?, key.digest);
    if let Some(at) = at {
        return Some(Beginning::Checkpoint { at });
    }
    let Some((length, result)) = longest(&series, key, store) else { return without_end(&series, key, store) };
    Some(match series.apart {
        Some(apart) if length != series.length => Beginning::Anew(apart),
        _ => Beginning::Earlier { length: reached(&series, length, &result), unit: series.unit },
    })
}

/// How far a member came: it may have stopped before its length, and says so where it counts.
fn reached(series: &Series, length: u64, result: &StageResult) -> u64 {
    let counted = result.metrics.get(&format!("{}s", series.unit));
    counted.map_or(length, |counted| (*counted as u64).min(length))
}

/// The longest result of the series that a stage can go on from.
#[must_use]
pub fn earlier(series: &Series, key: &Key, store: &Store) -> Option<Arc<StageResult>> {
    let (length, result) = longest(series, key, store)?;
    (series.apart.is_none() || length == series.length).then_some(result)
}

/// The longest result of the series that does not go further, with its length.
fn longest(series: &Series, key: &Key, store: &Store) -> Option<(u64, Arc<StageResult>)> {
    results(series, key, store).find(|(_, result)| result.outputs.contains_key(series.port))
}

/// The results of the series that do not go further, the longest first, with their lengths.
fn results(series: &Series, key: &Key, store: &Store) -> impl Iterator<Item = (u64, Arc<StageResult>)> {
    let mut members: Vec<(u64, Digest)> = key.series.map(|series| store.members(series)).unwrap_or_default();
    members.retain(|(length, member)| *length <= series.length && *member != key.digest);
    members.into_iter().rev().filter_map(|(length, member)| match store.lookup(member) {
        Found::Hit(result) => Some((length, result)),
        _ => None,
    })
}

/// That there are shorter results, none of which kept what one goes on from.
fn without_end(series: &Series, key: &Key, store: &Store) -> Option<Beginning> {
    let field = series.keeps.map(Segment::from)?;
    results(series, key, store).next()?;
    Some(Beginning::Anew(Apart {
        field: vec![field],
        why: "was false in the shorter one, which kept nothing to continue from",
    }))
}
