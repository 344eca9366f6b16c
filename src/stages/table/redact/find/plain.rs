//! A text as rules read it: full-width letters, digits and signs, which Chinese texts mix with narrow ones, are narrow, spaces of
//! any width are one sort, and an accent that stands by itself is one with its letter.

use std::borrow::Cow;
use std::ops::Range;
use unicode_normalization::char::{compose, is_combining_mark};

/// A text with narrow letters, and where its bytes stand in the original.
pub(super) struct Plain<'a> {
    pub(super) text: Cow<'a, str>,
    /// For each byte of `text`, and its end, the place in the original; `None` where it is the original.
    places: Option<Vec<usize>>,
}

/// A text with narrow letters.
pub(in super::super) fn narrow(text: &str) -> Cow<'_, str> {
    Plain::of(text).text
}

fn narrowed(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        // What pages put between the groups of a number, among others. Breaks of lines stay.
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => ' ',
        c => c,
    }
}

/// Whether a character may be one with that before it: an accent, or a part of a Korean syllable.
pub(super) fn joins(c: char) -> bool {
    is_combining_mark(c) || matches!(c, '\u{1160}'..='\u{11ff}')
}

impl<'a> Plain<'a> {
    pub(super) fn of(original: &'a str) -> Self {
        if original.is_ascii() || original.chars().all(|c| narrowed(c) == c && !joins(c)) {
            return Self { text: Cow::Borrowed(original), places: None };
        }
        let (mut text, mut places) = (String::with_capacity(original.len()), Vec::with_capacity(original.len()));
        let mut chars = original.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let mut c = narrowed(c);
            while let Some(whole) = chars.peek().and_then(|(_, mark)| compose(c, *mark)) {
                c = whole;
                chars.next();
            }
            places.resize(places.len() + c.len_utf8(), at);
            text.push(c);
        }
        places.push(original.len());
        Self { text: Cow::Owned(text), places: Some(places) }
    }

    /// Where a part of the text stands in the original.
    pub(super) fn original(&self, range: Range<usize>) -> Range<usize> {
        match &self.places {
            None => range,
            Some(places) => places[range.start]..places[range.end],
        }
    }

    pub(super) fn before(&self, at: usize) -> Option<char> {
        self.text[..at].chars().next_back()
    }

    pub(super) fn after(&self, at: usize) -> Option<char> {
        self.text[at..].chars().next()
    }

    /// Whether nothing stands directly around a part that would make it a piece of something longer: a letter or digit
    /// of the Latin script, or a digit behind a sign that joins.
    pub(super) fn stands_alone(&self, range: &Range<usize>) -> bool {
        let word = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
        let (mut before, mut after) = (self.text[..range.start].chars().rev(), self.text[range.end..].chars());
        let (before, beyond) = (before.next(), before.next());
        let joined_before = matches!(before, Some('-' | '.')) && word(beyond);
        let (after, further) = (after.next(), after.next());
        let joined_after = matches!(after, Some('-' | '.')) && further.is_some_and(|c| c.is_ascii_digit());
        !word(before) && !word(after) && !joined_before && !joined_after
    }

    /// Whether one of these words, in small letters, stands among the `most` characters before a place.
    pub(super) fn follows(&self, at: usize, most: usize, words: &[&str]) -> bool {
        let start = self.text[..at].char_indices().rev().take(most).last().map_or(at, |(start, _)| start);
        let before = self.text[start..at].to_lowercase();
        words.iter().any(|word| match before.rfind(word) {
            None => false,
            // A word of the Latin script begins where it begins: `tel`, not `hotel`.
            Some(found) => !word.is_ascii() || !before[..found].ends_with(|c: char| c.is_ascii_alphanumeric()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_width_signs_are_narrow_and_keep_their_places() {
        let original = "邮箱：ａ＠ｂ．ｃｏｍ。";
        let plain = Plain::of(original);
        assert_eq!(plain.text, "邮箱:a@b.com。");
        let range = plain.text.find("a@b.com").map(|at| at..at + 7).expect("there");
        assert_eq!(&original[plain.original(range)], "ａ＠ｂ．ｃｏｍ");
        assert!(matches!(Plain::of("naïve 价格").text, Cow::Borrowed(_)));
        let original = "Jose\u{301}\u{a0}Garci\u{301}a, 4\u{2009}5";
        let plain = Plain::of(original);
        assert_eq!(plain.text, "José García, 4 5");
        assert_eq!(plain.original(0.."José".len()), 0.."Jose\u{301}".len(), "with its accent");
        assert_eq!(Plain::of("\u{1112}\u{1161}\u{11ab}글 x\u{316}").text, "한글 x\u{316}");
    }

    #[test]
    fn pieces_of_longer_things_do_not_stand_alone() {
        let alone = |text: &str, part: &str| {
            let at = text.find(part).expect("there");
            Plain::of(text).stands_alone(&(at..at + part.len()))
        };
        assert!(alone("tel: 123, or", "123") && alone("手机123号", "123") && alone("(123).", "123"));
        assert!(!alone("x123", "123") && !alone("1234", "123") && !alone("2024-123", "123") && !alone("123-4", "123"));
        assert!(alone("a/123", "123") && !alone("123.4", "123") && alone("=123 ", "123"));
    }

    #[test]
    fn context_is_words_not_their_ends() {
        let plain = Plain::of("the hotel 123; Tel. 456; 电话456");
        let at = |part: &str| plain.text.find(part).expect("there");
        assert!(!plain.follows(at("123"), 12, &["tel"]));
        assert!(plain.follows(at("456"), 12, &["tel"]));
        assert!(plain.follows(plain.text.len() - 3, 12, &["电话"]));
        assert!(!plain.follows(plain.text.len() - 3, 1, &["电话"]));
    }
}
