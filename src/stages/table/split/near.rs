//! Texts that are nearly the same, found by MinHash: a text is the set of its pieces of a few characters, two texts are alike as far
//! as these sets overlap (Jaccard). Signatures only propose pairs; what counts is the overlap of the sets themselves.

use std::collections::{BTreeMap, BTreeSet};

/// Characters of a piece.
const PIECE: usize = 5;
/// Numbers of a signature.
const HASHES: usize = 128;
/// Pairs that are just alike enough are proposed at least so often.
const FOUND: f64 = 0.95;
/// Of texts that share a band a text is compared with at most so many that come after it: boilerplate would cost
/// the square of its number.
pub(super) const MOST_COMPARED: usize = 256;

/// Texts that are nearly the same.
pub(super) struct Alike {
    /// The pairs, smaller index first, sorted.
    pub(super) pairs: Vec<(usize, usize)>,
    /// How many texts were not compared with all that share a band with them.
    pub(super) cut: usize,
}

/// The pairs of texts that are alike by at least `least`. Texts without a piece are like none.
pub(super) fn alike(texts: &[&str], least: f64) -> Alike {
    let pieces: Vec<Vec<u64>> = texts.iter().map(|text| pieces(text)).collect();
    let signatures: Vec<Vec<u32>> = pieces.iter().map(|pieces| signature(pieces)).collect();
    let rows = rows_of_band(least);
    let (mut found, mut cut) = (BTreeMap::new(), BTreeSet::new());
    for band in 0..HASHES / rows {
        let part = |text: usize| &signatures[text][band * rows..(band + 1) * rows];
        let mut order: Vec<usize> = (0..texts.len()).filter(|text| !pieces[*text].is_empty()).collect();
        order.sort_by(|a, b| part(*a).cmp(part(*b)).then(a.cmp(b)));
        for (at, one) in order.iter().enumerate() {
            let same = order[at + 1..].iter().take(MOST_COMPARED).take_while(|other| part(*one) == part(**other));
            for other in same {
                let is_alike = || overlap(&pieces[*one], &pieces[*other]) >= least;
                found.entry((*one, *other)).or_insert_with(is_alike);
            }
            if order.get(at + 1 + MOST_COMPARED).is_some_and(|beyond| part(*one) == part(*beyond)) {
                cut.insert(*one);
            }
        }
    }
    let pairs = found.into_iter().filter(|(_, is_alike)| *is_alike).map(|(pair, _)| pair).collect();
    Alike { pairs, cut: cut.len() }
}

/// The hashes of a text's pieces, sorted, each once; a text shorter than a piece is one piece.
fn pieces(text: &str) -> Vec<u64> {
    let chars: Vec<u64> = text.chars().map(|c| u64::from(u32::from(c))).collect();
    let of = |piece: &[u64]| piece.iter().fold(0, |hash, c| mix(hash ^ c));
    let mut found: Vec<u64> = match chars.len() {
        0 => Vec::new(),
        length if length < PIECE => vec![of(&chars)],
        _ => chars.windows(PIECE).map(of).collect(),
    };
    found.sort_unstable();
    found.dedup();
    found
}

/// The least of each of many hashes over the pieces.
fn signature(pieces: &[u64]) -> Vec<u32> {
    let least = |number: usize| {
        // Different functions of one hash: an odd factor and a summand of their own.
        let (factor, summand) = (mix(number as u64 * 2 + 1) | 1, mix(number as u64 * 2 + 2));
        let high = |piece: &u64| (piece.wrapping_mul(factor).wrapping_add(summand) >> 32) as u32;
        pieces.iter().map(high).min().unwrap_or(u32::MAX)
    };
    (0..HASHES).map(least).collect()
}

/// How many numbers a band has: as many as still find pairs that are just alike enough.
fn rows_of_band(least: f64) -> usize {
    let finds = |rows: usize| 1.0 - (1.0 - least.powf(rows as f64)).powf((HASHES / rows) as f64);
    (1..=HASHES / 4).rev().find(|rows| finds(*rows) >= FOUND).unwrap_or(1)
}

/// How many of the pieces of either text are in both.
fn overlap(one: &[u64], other: &[u64]) -> f64 {
    let (mut a, mut b, mut both) = (0, 0, 0_usize);
    while let (Some(x), Some(y)) = (one.get(a), other.get(b)) {
        a += usize::from(x <= y);
        b += usize::from(y <= x);
        both += usize::from(x == y);
    }
    both as f64 / (one.len() + other.len() - both).max(1) as f64
}

/// Spreads a number over all 64 bits (the last step of SplitMix64).
fn mix(number: u64) -> u64 {
    let a = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let b = (a ^ (a >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let c = (b ^ (b >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    c ^ (c >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_signatures_propose_is_what_all_pairs_give() {
        // Sentences that differ in ever more words.
        let words = ["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "while", "nobody", "looks"];
        let text = |changed: usize, at: usize| -> String {
            let word = |(place, word): (usize, &&str)| match place >= at && place < at + changed {
                true => format!("{word}{place}{at}"),
                false => (*word).to_owned(),
            };
            words.iter().enumerate().map(word).collect::<Vec<_>>().join("")
        };
        let texts: Vec<String> = (0..5).flat_map(|changed| (0..8).map(move |at| text(changed, at))).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        for least in [0.5, 0.8, 0.95] {
            let mut all = Vec::new();
            for one in 0..texts.len() {
                for other in one + 1..texts.len() {
                    if overlap(&pieces(texts[one]), &pieces(texts[other])) >= least {
                        all.push((one, other));
                    }
                }
            }
            let found = alike(&texts, least).pairs;
            assert!(!all.is_empty() && found.iter().all(|pair| all.contains(pair)), "{least}");
            assert!(found.len() as f64 >= 0.95 * all.len() as f64, "{least}: {} of {}", found.len(), all.len());
        }
    }

    #[test]
    fn overlaps_are_exact_and_texts_may_be_empty() {
        assert!((overlap(&[1, 2, 3], &[2, 3, 4]) - 0.5).abs() < 1e-12);
        assert_eq!(overlap(&[], &[]), 0.0);
        assert_eq!(alike(&["", "", "质量很好", "质量很好", "质量不好"], 0.9).pairs, [(2, 3)]);
    }

    #[test]
    fn what_was_not_compared_is_counted() {
        let clauses: String = (100..200).map(|n| format!("clause {n} ")).collect();
        let texts: Vec<String> = (0..400).map(|n| format!("{clauses}{n}")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        assert!((1..400 - MOST_COMPARED).contains(&alike(&texts, 0.9).cut));
        assert_eq!(alike(&texts[..MOST_COMPARED], 0.9).cut, 0);
    }

    #[test]
    fn bands_find_what_is_just_alike_enough() {
        assert!(rows_of_band(0.9) > rows_of_band(0.5));
        for least in [0.1, 0.5, 0.8, 0.9, 0.99] {
            let rows = rows_of_band(least) as i32;
            assert!(1.0 - (1.0 - f64::powi(least, rows)).powi(HASHES as i32 / rows) >= FOUND, "{least}");
        }
    }
}
