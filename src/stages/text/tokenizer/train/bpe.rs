//! Byte pair encoding: again and again the pair of neighbouring pieces that occurs most often becomes a piece (Sennrich,
//! Haddow and Birch, Neural Machine Translation of Rare Words with Subword Units, 2016). With a prefix for pieces inside of words it gives
//! the vocabulary of word pieces.
//!
//! Of pairs that occur equally often the one with the smaller ids comes first, as in the crate `tokenizers`; there, however, a piece that
//! can be made in two ways makes the rest depend on the order of a hash map.

use super::too_small;
use crate::stage::StageError;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};

/// What is to be learnt.
pub(super) struct Wanted {
    /// Tokens that come first.
    pub special: Vec<String>,
    /// Whether every byte is a piece, under the letters that the byte-level pre-tokenizer writes bytes in.
    pub bytes: bool,
    /// Stands before pieces inside of words.
    pub prefix: &'static str,
    /// The most tokens.
    pub vocab_size: usize,
    /// How often a pair has to occur.
    pub min_frequency: u64,
    /// The most characters.
    pub limit_alphabet: Option<u64>,
}

/// What was learnt.
#[derive(Debug, PartialEq)]
pub(super) struct Learnt {
    /// The tokens in the order of their ids.
    pub tokens: Vec<String>,
    /// The pairs that become one, first the first.
    pub merges: Vec<(String, String)>,
}

type Pair = (u32, u32);

#[derive(Default)]
struct Tokens {
    tokens: Vec<String>,
    ids: HashMap<String, u32>,
}

impl Tokens {
    /// The id of a token, which is new where it is not known.
    fn id(&mut self, token: &str) -> u32 {
        if let Some(id) = self.ids.get(token) {
            return *id;
        }
        let id = self.tokens.len() as u32;
        self.tokens.push(token.to_owned());
        self.ids.insert(token.to_owned(), id);
        id
    }
}

struct Word {
    pieces: Vec<u32>,
    count: i64,
}

/// Where a pair occurs.
#[derive(Default)]
struct Places {
    count: i64,
    /// Words that had it when it was counted; some may have lost it since.
    words: Vec<u32>,
}

/// Learns pieces from words and how often they occur.
pub(super) fn learn(
    words: &BTreeMap<String, u64>,
    wanted: &Wanted,
    go_on: &dyn Fn() -> Result<(), StageError>,
) -> Result<Learnt, StageError> {
    let mut tokens = Tokens::default();
    wanted.special.iter().for_each(|token| {
        tokens.id(token);
    });
    let mut words = letters(words, wanted, &mut tokens);
    if tokens.tokens.len() > wanted.vocab_size {
        let failure = too_small(wanted.vocab_size, tokens.tokens.len(), "special tokens and single characters");
        return Err(failure.hint("`limit_alphabet = 1000` keeps the 1,000 most frequent characters"));
    }
    let mut pairs: HashMap<Pair, Places> = HashMap::new();
    for (index, word) in words.iter().enumerate() {
        for pair in word.pieces.windows(2) {
            let places = pairs.entry((pair[0], pair[1])).or_default();
            places.count += word.count;
            places.words.push(index as u32);
        }
    }
    let mut queue: BinaryHeap<(i64, Reverse<Pair>)> =
        pairs.iter().map(|(pair, places)| (places.count, Reverse(*pair))).collect();
    let mut merges = Vec::new();
    let least = wanted.min_frequency.max(1).cast_signed();
    while tokens.tokens.len() < wanted.vocab_size {
        let Some((count, Reverse(pair))) = queue.pop() else { break };
        let current = pairs.get(&pair).map_or(0, |places| places.count);
        if count != current {
            // Where it grew, a newer entry stands in the queue already.
            if current > 0 && current < count {
                queue.push((current, Reverse(pair)));
            }
            continue;
        }
        if count < least {
            break;
        }
        let (a, b) = (tokens.tokens[pair.0 as usize].clone(), tokens.tokens[pair.1 as usize].clone());
        let new = tokens.id(&format!("{a}{}", b.strip_prefix(wanted.prefix).unwrap_or(&b)));
        merges.push((a, b));
        let places = pairs.remove(&pair).unwrap_or_default();
        for (grown, count) in merge(pair, new, places, &mut words, &mut pairs) {
            queue.push((count, Reverse(grown)));
        }
        if merges.len() % 256 == 0 {
            go_on()?;
        }
    }
    Ok(Learnt { tokens: tokens.tokens, merges })
}

/// The words as single characters, which become tokens in the order of their code points. Of a word with a character that is
/// not kept, the parts around it.
fn letters(words: &BTreeMap<String, u64>, wanted: &Wanted, tokens: &mut Tokens) -> Vec<Word> {
    let mut counts: BTreeMap<char, u64> = BTreeMap::new();
    for (word, count) in words {
        word.chars().for_each(|c| *counts.entry(c).or_default() += count);
    }
    if wanted.bytes {
        let all = tokenizers::pre_tokenizers::byte_level::ByteLevel::alphabet();
        let all: BTreeSet<char> = all.into_iter().collect();
        counts = all.into_iter().map(|c| (c, 1)).collect();
    }
    if let Some(most) = wanted.limit_alphabet {
        let mut kept: Vec<(char, u64)> = counts.into_iter().collect();
        kept.sort_by_key(|(c, count)| (Reverse(*count), *c));
        kept.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        counts = kept.into_iter().collect();
    }
    counts.keys().for_each(|c| {
        tokens.id(&c.to_string());
    });
    if !wanted.prefix.is_empty() {
        let inner: BTreeSet<char> = words.keys().flat_map(|word| word.chars().skip(1)).collect();
        inner.iter().filter(|c| counts.contains_key(c)).for_each(|c| {
            tokens.id(&format!("{}{c}", wanted.prefix));
        });
    }
    let mut split = Vec::with_capacity(words.len());
    for (word, count) in words {
        let mut pieces = Vec::new();
        for (place, c) in word.chars().enumerate() {
            if counts.contains_key(&c) {
                let prefix = if place == 0 { "" } else { wanted.prefix };
                pieces.push(tokens.id(&format!("{prefix}{c}")));
            } else if !pieces.is_empty() {
                split.push(Word { pieces: std::mem::take(&mut pieces), count: count.cast_signed() });
            }
        }
        split.push(Word { pieces, count: count.cast_signed() });
    }
    split
}

/// Makes `new` of a pair in all words that have it. Gives the pairs that occur more often now, with their counts.
fn merge(
    pair: Pair,
    new: u32,
    mut places: Places,
    words: &mut [Word],
    pairs: &mut HashMap<Pair, Places>,
) -> Vec<(Pair, i64)> {
    places.words.sort_unstable();
    places.words.dedup();
    let mut changes: BTreeMap<Pair, i64> = BTreeMap::new();
    for index in places.words {
        let word = &mut words[index as usize];
        let joined = Joined::of(&word.pieces, pair, new);
        if joined.before.is_empty() {
            continue;
        }
        for old in pairs_at(&word.pieces, &joined.before, 2) {
            *changes.entry(old).or_default() -= word.count;
        }
        for fresh in pairs_at(&joined.pieces, &joined.after, 1) {
            *changes.entry(fresh).or_default() += word.count;
            pairs.entry(fresh).or_default().words.push(index);
        }
        word.pieces = joined.pieces;
    }
    changes.remove(&pair);
    let mut grown = Vec::new();
    for (changed, by) in changes.into_iter().filter(|(_, by)| *by != 0) {
        let places = pairs.entry(changed).or_default();
        places.count += by;
        if by > 0 {
            grown.push((changed, places.count));
        }
    }
    grown
}

/// A word in which a pair became one piece.
struct Joined {
    pieces: Vec<u32>,
    /// Where the pair stood.
    before: Vec<usize>,
    /// Where the new piece stands.
    after: Vec<usize>,
}

impl Joined {
    fn of(pieces: &[u32], pair: Pair, new: u32) -> Self {
        let mut joined = Self { pieces: Vec::with_capacity(pieces.len()), before: Vec::new(), after: Vec::new() };
        let mut at = 0;
        while at < pieces.len() {
            if at + 1 < pieces.len() && (pieces[at], pieces[at + 1]) == pair {
                joined.before.push(at);
                joined.after.push(joined.pieces.len());
                joined.pieces.push(new);
                at += 2;
            } else {
                joined.pieces.push(pieces[at]);
                at += 1;
            }
        }
        joined
    }
}

/// The pairs that have a part in a run of `width` pieces at one of these places; all others of a word stay what they are, so that
/// a long word, such as a text without spaces, costs no more than what changes in it. A pair between two runs counts once.
fn pairs_at<'a>(pieces: &'a [u32], places: &'a [usize], width: usize) -> impl Iterator<Item = Pair> + 'a {
    let mut next = 0;
    let starts = places.iter().flat_map(move |place| {
        let starts = place.saturating_sub(1).max(next)..(place + width).min(pieces.len() - 1);
        next = next.max(starts.end);
        starts
    });
    starts.map(move |start| (pieces[start], pieces[start + 1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(vocab_size: usize, prefix: &'static str) -> Wanted {
        Wanted {
            special: vec!["<unk>".to_owned()],
            bytes: false,
            prefix,
            vocab_size,
            min_frequency: 2,
            limit_alphabet: None,
        }
    }

    fn words(text: &str) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        text.split(' ').for_each(|word| *counts.entry(word.to_owned()).or_default() += 1);
        counts
    }

    fn learnt(text: &str, wanted: &Wanted) -> Learnt {
        learn(&words(text), wanted, &|| Ok(())).unwrap()
    }

    #[test]
    fn the_most_frequent_pair_becomes_a_piece() {
        // Sennrich's example: low 5, lower 2, newest 6, widest 3.
        let text = ["low"; 5].iter().chain(&["lower"; 2]).chain(&["newest"; 6]).chain(&["widest"; 3]);
        let text = text.copied().collect::<Vec<_>>().join(" ");
        let found = learnt(&text, &wanted(17, ""));
        let merges: Vec<String> = found.merges.iter().map(|(a, b)| format!("{a} {b}")).collect();
        // 9 of "es" and "est", 7 of "lo" and "low", 6 of "ew" and "new"; of equals the one with smaller ids first.
        assert_eq!(merges, ["e s", "es t", "l o", "lo w", "e w", "n ew"]);
        assert_eq!(&found.tokens[..3], ["<unk>", "d", "e"]);
        assert_eq!(&found.tokens[11..], ["es", "est", "lo", "low", "ew", "new"]);
    }

    #[test]
    fn overlaps_are_counted_as_they_can_be_merged() {
        let found = learnt("aaaa aaaa aaa", &wanted(100, ""));
        assert_eq!(found.merges, [("a".into(), "a".into()), ("aa".into(), "aa".into())]);
    }

    /// The same with all pairs counted anew for every piece.
    fn counted_anew(words: &BTreeMap<String, u64>, wanted: &Wanted) -> Learnt {
        let mut tokens = Tokens::default();
        wanted.special.iter().for_each(|token| {
            tokens.id(token);
        });
        let mut words = letters(words, wanted, &mut tokens);
        let mut merges = Vec::new();
        while tokens.tokens.len() < wanted.vocab_size {
            let mut counts: BTreeMap<Pair, i64> = BTreeMap::new();
            for word in &words {
                word.pieces.windows(2).for_each(|pair| *counts.entry((pair[0], pair[1])).or_default() += word.count);
            }
            let most = counts.into_iter().max_by_key(|(pair, count)| (*count, Reverse(*pair)));
            let Some((pair, _)) = most.filter(|(_, count)| *count >= wanted.min_frequency.cast_signed()) else { break };
            let (a, b) = (tokens.tokens[pair.0 as usize].clone(), tokens.tokens[pair.1 as usize].clone());
            let new = tokens.id(&format!("{a}{}", b.strip_prefix(wanted.prefix).unwrap_or(&b)));
            merges.push((a, b));
            words.iter_mut().for_each(|word| word.pieces = Joined::of(&word.pieces, pair, new).pieces);
        }
        Learnt { tokens: tokens.tokens, merges }
    }

    #[test]
    fn counts_follow_what_changes() {
        // Few letters, so that pairs overlap, neighbour each other and make one piece in two ways.
        let mut state = 7_u32;
        let mut random = move |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) % below
        };
        for letters in [1, 2, 3, 5] {
            let mut word =
                |length: u32| -> String { (0..length).map(|_| char::from(b'a' + random(letters) as u8)).collect() };
            let text = [word(400), word(40), word(40), word(7), word(7), word(2), word(1)].join(" ");
            for prefix in ["", "##"] {
                let wanted = wanted(60, prefix);
                assert_eq!(learnt(&text, &wanted), counted_anew(&words(&text), &wanted), "{letters} {prefix}");
            }
        }
    }

    #[test]
    fn pieces_inside_of_words_have_the_prefix() {
        let found = learnt("abc abc xbc xbc", &wanted(100, "##"));
        assert_eq!(found.tokens[1..8], ["a", "b", "c", "x", "##b", "##c", "##bc"]);
        assert!(found.tokens.contains(&"abc".to_owned()) && found.tokens.contains(&"xbc".to_owned()), "{found:?}");
    }

    #[test]
    fn rare_characters_split_words_and_small_vocabularies_are_refused() {
        let limited = Wanted { limit_alphabet: Some(2), ..wanted(100, "") };
        let found = learnt("abzab ab", &limited);
        assert_eq!(found.tokens, ["<unk>", "a", "b", "ab"]);
        let error = learn(&words("abc"), &wanted(3, ""), &|| Ok(())).unwrap_err();
        assert_eq!(
            error.message,
            "`vocab_size` is 3, but 4 tokens are needed for special tokens and single characters alone"
        );
    }
}
