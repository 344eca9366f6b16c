//! Names from given lists.

use super::super::spec::Entity;
use super::Found;
use super::plain::Plain;
use crate::stage::StageError;
use regex::{Regex, RegexBuilder};

/// So large may the compiled lists be, in bytes; hundreds of thousands of names.
const MOST_BYTES: usize = 1 << 29;

/// Lists of names, ready for many texts.
pub(super) struct Names(Regex);

impl Names {
    /// Of names that lie in one another the longest is found.
    pub(super) fn new(names: &[String]) -> Result<Self, StageError> {
        let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
        names.sort_unstable_by_key(|name| (std::cmp::Reverse(name.len()), *name));
        names.dedup();
        let pattern: Vec<String> = names.iter().map(|name| regex::escape(name)).collect();
        let built = RegexBuilder::new(&pattern.join("|")).size_limit(MOST_BYTES).build();
        built.map(Self).map_err(|_| {
            StageError::data(format!("{} names are more than can be looked for at once", names.len()))
                .hint("divide the lists between two stages, one after the other")
        })
    }

    pub(super) fn find(&self, plain: &Plain<'_>) -> Vec<Found> {
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(name) = self.0.find_at(&plain.text, at) {
            if is_whole(plain, name.as_str(), name.start(), name.end()) {
                found.push(Found { entity: Entity::Name, range: name.range() });
                at = name.end();
            } else {
                at = name.start() + name.as_str().chars().next().map_or(1, char::len_utf8);
            }
        }
        found
    }
}

/// In scripts that put spaces between words a name is no part of a word.
fn is_whole(plain: &Plain<'_>, name: &str, start: usize, end: usize) -> bool {
    let spaced = |c: Option<char>| c.is_some_and(|c| c.is_alphabetic() && !is_unspaced(c));
    let opens = spaced(name.chars().next()) && spaced(plain.before(start));
    let closes = spaced(name.chars().next_back()) && spaced(plain.after(end));
    !opens && !closes
}

/// Whether the script of a letter is written without spaces.
pub(in super::super) fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3134f}')
}
