//! What a stage that would run can go on from: a checkpoint that it left when it was interrupted, or the result of a stage of
//! its series that went less far.

use super::explain::Earlier;
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
    /// Anew, because there are only longer members, and no result can be gone back from.
    Shorter {
        /// How far the shortest of them goes.
        than: u64,
        /// In what.
        unit: &'static str,
    },
}

impl fmt::Display for Beginning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checkpoint { at } => {
                write!(f, "continues from its checkpoint of step {}, where it was interrupted", numbers::count(*at))
            }
            Self::Earlier { length, unit } => write!(f, "continues from {unit} {}", numbers::count(*length)),
            Self::Anew(Apart { field, why }) => write!(f, "begins anew, because {} {why}", dotted(field)),
            Self::Shorter { than, unit } => {
                let than = numbers::count(*than);
                write!(
                    f,
                    "begins anew, because the cached result is for {than} {unit}s, and what it was before its end is not kept"
                )
            }
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
    let Some((length, result)) = longest(&series, key, store) else {
        return without_end(&series, key, store).or_else(|| before_longer(&series, key, store));
    };
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

/// The seconds that a stage is expected to take, from those of its earlier result: as many more or less as it has further to go.
pub(super) fn seconds(
    spec: Option<&dyn StageSpec>,
    key: Option<&Key>,
    earlier: &Earlier,
    beginning: Option<&Beginning>,
    store: &Store,
) -> f64 {
    let took = earlier.result.seconds;
    let scaled = || {
        let (spec, before) = (spec?, &earlier.result);
        let series = spec.series().filter(|_| before.kind == spec.info().name)?;
        let length = before.key.json().get("spec")?.get(series.free.first()?)?.as_u64()?;
        let end = reached(&series, length, before);
        // What stopped before its end stops there again.
        let goes_to = if end < length { series.length.min(end) } else { series.length };
        let begins = match beginning {
            Some(Beginning::Earlier { length, .. }) => *length,
            _ => 0,
        };
        let began = key.map_or(0, |key| began(&series, key, earlier, length, store));
        let did = end.checked_sub(began).filter(|did| *did > 0)?;
        Some(took * goes_to.saturating_sub(begins) as f64 / did as f64)
    };
    scaled().unwrap_or(took)
}

/// Where an earlier result began: most likely behind the longest shorter one that was there before it.
fn began(series: &Series, key: &Key, earlier: &Earlier, length: u64, store: &Store) -> u64 {
    let members = key.series.map(|series| store.members(series)).unwrap_or_default();
    let is_member = earlier.last.is_some_and(|last| members.contains(&(length, last.key)));
    if series.apart.is_some() || !is_member {
        return 0;
    }
    let shorter = members.into_iter().rev().filter(|(shorter, _)| *shorter < length);
    shorter
        .filter_map(|(length, member)| Some((length, hit(member, store)?)))
        .find(|(_, result)| result.made <= earlier.result.made && result.outputs.contains_key(series.port))
        .map_or(0, |(length, result)| reached(series, length, &result))
}

fn hit(member: Digest, store: &Store) -> Option<Arc<StageResult>> {
    match store.lookup(member) {
        Found::Hit(result) => Some(result),
        _ => None,
    }
}

/// The longest result of the series that does not go further, with its length.
fn longest(series: &Series, key: &Key, store: &Store) -> Option<(u64, Arc<StageResult>)> {
    results(series, key, store).find(|(_, result)| result.outputs.contains_key(series.port))
}

/// The results of the series that do not go further, the longest first, with their lengths.
fn results(series: &Series, key: &Key, store: &Store) -> impl Iterator<Item = (u64, Arc<StageResult>)> {
    let mut members: Vec<(u64, Digest)> = key.series.map(|series| store.members(series)).unwrap_or_default();
    members.retain(|(length, member)| *length <= series.length && *member != key.digest);
    members.into_iter().rev().filter_map(|(length, member)| Some((length, hit(member, store)?)))
}

/// That there are results that go further, and none else.
fn before_longer(series: &Series, key: &Key, store: &Store) -> Option<Beginning> {
    let members = store.members(key.series?);
    let mut longer = members.into_iter().filter(|(length, _)| *length > series.length);
    let (than, _) = longer.find(|(_, member)| hit(*member, store).is_some())?;
    Some(Beginning::Shorter { than, unit: series.unit })
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
