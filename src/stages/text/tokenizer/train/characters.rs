//! A token for each character.

use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The special tokens, then the characters by falling count, equal ones by code point: those that occur often enough, and of
/// these as many as have room.
pub(super) fn choose(
    counts: &BTreeMap<char, u64>,
    special: &[String],
    vocab_size: Option<u64>,
    min_frequency: Option<u64>,
) -> Vec<String> {
    let least = min_frequency.unwrap_or(1);
    let mut kept: Vec<(char, u64)> = counts.iter().map(|(c, n)| (*c, *n)).filter(|(_, n)| *n >= least).collect();
    kept.sort_by_key(|(c, count)| (Reverse(*count), *c));
    let room = vocab_size.and_then(|size| usize::try_from(size).ok()).unwrap_or(usize::MAX);
    kept.truncate(room.saturating_sub(special.len()));
    let own = kept.into_iter().map(|(c, _)| c.to_string());
    special.iter().cloned().chain(own).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_characters_come_first() {
        let counts = BTreeMap::from([('a', 2), ('b', 5), ('c', 2), ('d', 1)]);
        let special = ["<pad>".to_owned()];
        assert_eq!(choose(&counts, &special, None, None), ["<pad>", "b", "a", "c", "d"]);
        assert_eq!(choose(&counts, &special, None, Some(2)), ["<pad>", "b", "a", "c"]);
        assert_eq!(choose(&counts, &special, Some(3), None), ["<pad>", "b", "a"]);
    }
}
