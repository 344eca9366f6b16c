//! Finds personal data in a text: a rule for each sort says what looks like it and what proves it (check digits, known
//! lengths and ranges), or which words before it must speak for it.

mod account;
pub(super) mod checksums;
mod contact;
mod identity;
mod names;
mod plain;

pub(super) use names::{is_unspaced, squeezed};
pub(super) use plain::narrow;

use super::spec::Entity;
use crate::stage::StageError;
use names::Names;
use plain::Plain;
use regex::Regex;
use std::ops::Range;

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// What it is.
    pub(super) entity: Entity,
    /// Where it stands, in bytes.
    pub(super) range: Range<usize>,
}

/// The rules for some sorts of data, ready for many texts.
pub(super) struct Finder {
    rules: Vec<Rule>,
    names: Option<Names>,
}

/// The part of a match that is what it looks like, if it is.
type Proof = fn(&Plain<'_>, Range<usize>) -> Option<Range<usize>>;

/// What looks like one sort of data, and what proves it.
struct Rule {
    entity: Entity,
    looks: Regex,
    proven: Proof,
}

impl Finder {
    /// The rules for these sorts, and these names.
    ///
    /// # Errors
    /// When there are more names than can be looked for.
    pub(super) fn new(entities: &[Entity], names: &[String]) -> Result<Self, StageError> {
        let mut rules = Vec::new();
        for entity in entities {
            let (looks, proven): (&[&str], Proof) = match entity {
                Entity::CnId => (identity::CN_ID, identity::cn_id),
                Entity::Iban => (account::IBAN, account::iban),
                Entity::Card => (account::CARD, account::card),
                Entity::Email => (contact::EMAIL, contact::email),
                Entity::CnMobile => (identity::CN_MOBILE, identity::cn_mobile),
                Entity::Ip => (contact::IP, contact::ip),
                Entity::Phone => (contact::PHONE, contact::phone),
                Entity::Name => continue,
            };
            for pattern in looks {
                let looks = Regex::new(pattern).map_err(|error| StageError::bug(format!("a rule: {error}")))?;
                rules.push(Rule { entity: *entity, looks, proven });
            }
        }
        let names = match entities.contains(&Entity::Name) && !names.is_empty() {
            true => Some(Names::new(names)?),
            false => None,
        };
        Ok(Self { rules, names })
    }

    /// What is in a text, in the order of the text; nothing overlaps.
    pub(super) fn find(&self, text: &str) -> Vec<Found> {
        let plain = Plain::of(text);
        let mut found: Vec<Found> = Vec::new();
        for rule in &self.rules {
            let mut at = 0;
            while let Some(looks) = rule.looks.find_at(&plain.text, at) {
                match (rule.proven)(&plain, looks.range()) {
                    Some(range) => {
                        at = range.end;
                        found.push(Found { entity: rule.entity, range });
                    }
                    // It may begin inside of what only looked like it: behind its first run of digits or letters.
                    None => at = next_start(&plain.text, looks.range()),
                }
            }
        }
        if let Some(names) = &self.names {
            found.extend(names.find(&plain));
        }
        let mut kept = without_overlaps(found);
        kept.iter_mut().for_each(|found| found.range = plain.original(found.range.clone()));
        kept
    }
}

/// Where to look next after a part that proved to be nothing.
fn next_start(text: &str, range: Range<usize>) -> usize {
    let part = &text[range.clone()];
    let run = part.find(|c: char| !c.is_ascii_alphanumeric()).filter(|at| *at > 0);
    let step = run.unwrap_or_else(|| part.chars().next().map_or(1, char::len_utf8));
    if run.is_none() && part.bytes().all(|byte| byte.is_ascii_alphanumeric()) { range.end } else { range.start + step }
}

/// Of things that overlap the one with the better proof stays, of one sort the longer.
fn without_overlaps(mut found: Vec<Found>) -> Vec<Found> {
    found.sort_by_key(|found| (found.entity, std::cmp::Reverse(found.range.len()), found.range.start));
    let mut kept: Vec<Found> = Vec::new();
    for candidate in found {
        let overlaps =
            |other: &Found| other.range.start < candidate.range.end && candidate.range.start < other.range.end;
        if !kept.iter().any(overlaps) {
            kept.push(candidate);
        }
    }
    kept.sort_by_key(|found| found.range.start);
    kept
}

/// The digits of a text, as numbers.
fn digits(text: &str) -> Vec<u8> {
    text.bytes().filter(u8::is_ascii_digit).map(|byte| byte - b'0').collect()
}
