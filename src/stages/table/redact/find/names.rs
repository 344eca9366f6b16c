//! Names from given lists.

use super::super::spec::Entity;
use super::Found;
use super::plain::{Plain, joins, narrow};
use crate::stage::StageError;
use regex::{Regex, RegexBuilder};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// So large may the compiled lists be, in bytes; hundreds of thousands of names.
const MOST_BYTES: usize = 1 << 29;

/// Lists of names, ready for many texts.
pub(super) struct Names(Regex);

impl Names {
    /// Of names that lie in one another the longest is found.
    pub(super) fn new(names: &[String]) -> Result<Self, StageError> {
        let names: BTreeSet<String> = names.iter().map(|name| squeezed(&narrow(name)).0.into_owned()).collect();
        let mut names: Vec<&String> = names.iter().collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        let pattern: Vec<String> = names.iter().map(|name| regex::escape(name.as_str())).collect();
        let built = RegexBuilder::new(&pattern.join("|")).size_limit(MOST_BYTES).build();
        built.map(Self).map_err(|_| {
            StageError::data(format!("{} names are more than can be looked for at once", names.len()))
                .hint("divide the lists between two stages, one after the other")
        })
    }

    pub(super) fn find(&self, plain: &Plain<'_>) -> Vec<Found> {
        let mut found = Vec::new();
        let mut at = 0;
        let (text, places) = squeezed(&plain.text);
        let place = |at: usize| places.as_ref().map_or(at, |places| places[at]);
        while let Some(name) = self.0.find_at(&text, at) {
            let range = place(name.start())..place(name.end());
            if is_whole(plain, name.as_str(), range.start, range.end) {
                found.push(Found { entity: Entity::Name, range });
                at = name.end();
            } else {
                at = name.start() + name.as_str().chars().next().map_or(1, char::len_utf8);
            }
        }
        found
    }
}

/// A text with one space for each run of white space, breaks of lines among it, and where its bytes, and its end, stand in the
/// original; `None` where it is the original. Patterns without repetition are what lists of very many names are found fast by.
pub(in super::super) fn squeezed(original: &str) -> (Cow<'_, str>, Option<Vec<usize>>) {
    let follows_space = |at: usize| original[..at].ends_with(char::is_whitespace);
    let stays = |at: usize, c: char| !c.is_whitespace() || (c == ' ' && !follows_space(at));
    if original.char_indices().all(|(at, c)| stays(at, c)) {
        return (Cow::Borrowed(original), None);
    }
    let (mut text, mut places) = (String::with_capacity(original.len()), Vec::with_capacity(original.len()));
    for (at, c) in original.char_indices() {
        if c.is_whitespace() && follows_space(at) {
            continue;
        }
        let c = if c.is_whitespace() { ' ' } else { c };
        places.resize(places.len() + c.len_utf8(), at);
        text.push(c);
    }
    places.push(original.len());
    (Cow::Owned(text), Some(places))
}

/// In scripts that put spaces between words a name is no part of a word.
fn is_whole(plain: &Plain<'_>, name: &str, start: usize, end: usize) -> bool {
    let spaced = |c: Option<char>| c.is_some_and(|c| c.is_alphabetic() && !is_unspaced(c));
    let opens = spaced(name.chars().next()) && spaced(plain.before(start));
    let closes = (spaced(name.chars().next_back()) && spaced(plain.after(end))) || plain.after(end).is_some_and(joins);
    !opens && !closes
}

/// Whether the script of a letter is written without spaces.
pub(in super::super) fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3134f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_however_its_accents_and_spaces_are_written() {
        let list = ["José García", "Ｉａｎ", "Ada  Lovelace"].map(str::to_owned);
        let names = Names::new(&list).expect("names");
        let found = |text: &str| -> Vec<String> {
            let plain = Plain::of(text);
            names.find(&plain).into_iter().map(|found| text[plain.original(found.range)].to_owned()).collect()
        };
        assert_eq!(found("von Jose\u{301} Garci\u{301}a."), ["Jose\u{301} Garci\u{301}a"]);
        assert_eq!(found("José\u{a0}García, José \n García"), ["José\u{a0}García", "José \n García"]);
        assert_eq!(found("Ada Lovelace und Ian"), ["Ada Lovelace", "Ian"]);
        assert!(found("Ian\u{301} Ian\u{316} Iansen JoséGarcía").is_empty());
    }
}
