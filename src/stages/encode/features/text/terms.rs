//! What a text is taken apart into: words, Chinese words or characters, and runs of them (n-grams). The rules are those of
//! scikit-learn's `CountVectorizer`.

use crate::stage::StageError;
use jieba_rs::Jieba;
use regex::{Captures, Regex};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{LazyLock, OnceLock};

/// What terms are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Analyzer {
    /// Words: two or more letters, digits or underscores in a row, or what `token_pattern` says.
    #[default]
    Word,
    /// Words of Chinese text, found by a dictionary and, for words that it lacks, by a hidden Markov model (jieba).
    /// Punctuation is left out.
    Chinese,
    /// Characters.
    Char,
    /// Characters within words; a word begins and ends with a space.
    CharWb,
}

/// How a text is taken apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// What terms are made of.
    pub analyzer: Analyzer,
    /// The shortest and the longest run of words or characters that is a term.
    pub ngram_range: [u32; 2],
    /// Whether the text is put into lower case before.
    pub lowercase: bool,
    /// Words that are left out.
    pub stop_words: Vec<String>,
    /// A regular expression for what a word is; what its one group finds, where it has one.
    pub token_pattern: Option<String>,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            analyzer: Analyzer::default(),
            ngram_range: [1, 1],
            lowercase: true,
            stop_words: Vec::new(),
            token_pattern: None,
        }
    }
}

/// What Python's `\w` takes, twice or more.
const WORD: &str = r"[\p{L}\p{N}_]{2,}";

/// A [`Reading`] made ready.
pub struct Reader<'a> {
    reading: &'a Reading,
    pattern: Regex,
    stop_words: BTreeSet<&'a str>,
}

/// The pattern of a word.
///
/// # Errors
/// Why it is none, in a line.
pub fn pattern(text: Option<&str>) -> Result<Regex, String> {
    let pattern = Regex::new(text.unwrap_or(WORD)).map_err(|error| {
        let text = error.to_string();
        text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
    })?;
    if pattern.captures_len() > 2 {
        return Err("it has more than one group; write `(?:…)` for those that only hold together".to_owned());
    }
    Ok(pattern)
}

/// The text with characters of the same length in the place of those that Python's `\w` takes and that of patterns here does not, such as
/// `²`, and the other way round, such as the signs of vowels in Hindi.
fn as_python(text: &str) -> Cow<'_, str> {
    static ODD: LazyLock<Option<[Regex; 2]>> = LazyLock::new(|| {
        let of = |class: &str| Regex::new(class).ok();
        Some([of(r"[\w--[\p{L}\p{N}_]]")?, of(r"[[\p{L}\p{N}_]--\w]")?])
    });
    let Some([signs, numbers]) = ODD.as_ref().filter(|_| !text.is_ascii()) else { return Cow::Borrowed(text) };
    let first = instead(text, signs, ["¦", "‖", "😀"]);
    let both = match instead(&first, numbers, ["ª", "ぁ", "𐀀"]) {
        Cow::Owned(both) => Some(both),
        Cow::Borrowed(_) => None,
    };
    both.map_or(first, Cow::Owned)
}

/// The text with others in the place of odd characters, by how many bytes they have.
fn instead<'t>(text: &'t str, odd: &Regex, [two, three, four]: [&'static str; 3]) -> Cow<'t, str> {
    odd.replace_all(text, |found: &Captures<'_>| match found[0].len() {
        2 => two,
        3 => three,
        _ => four,
    })
}

/// The dictionary; read once, on first use.
fn jieba() -> &'static Jieba {
    static JIEBA: OnceLock<Jieba> = OnceLock::new();
    JIEBA.get_or_init(Jieba::new)
}

/// White space as Python sees it.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

impl<'a> Reader<'a> {
    /// Makes a reading ready.
    ///
    /// # Errors
    /// When its pattern is none.
    pub fn new(reading: &'a Reading) -> Result<Self, StageError> {
        let pattern = pattern(reading.token_pattern.as_deref())
            .map_err(|why| StageError::data(format!("`token_pattern` is no regular expression: {why}")))?;
        Ok(Self { reading, pattern, stop_words: reading.stop_words.iter().map(String::as_str).collect() })
    }

    /// Visits every term of a text, in no order that counts.
    pub fn visit(&self, text: &str, visit: &mut dyn FnMut(&str)) {
        let lower;
        let text = if self.reading.lowercase {
            lower = text.to_lowercase();
            &lower
        } else {
            text
        };
        match self.reading.analyzer {
            Analyzer::Word => self.runs(&self.words(text), visit),
            Analyzer::Chinese => {
                let words = jieba().cut(text, true).into_iter().map(|token| token.word);
                let words = words.filter(|word| word.chars().any(char::is_alphanumeric));
                self.runs(&words.filter(|word| !self.stop_words.contains(word)).collect::<Vec<_>>(), visit);
            }
            Analyzer::Char => self.characters(&one_space(text), visit),
            Analyzer::CharWb => {
                let mut word = String::new();
                for part in text.split(is_space).filter(|part| !part.is_empty()) {
                    word.clear();
                    word.extend([" ", part, " "]);
                    self.characters_of_word(&word, visit);
                }
            }
        }
    }

    fn words<'t>(&self, text: &'t str) -> Vec<&'t str> {
        let seen = match self.reading.token_pattern {
            Some(_) => as_python(text),
            None => Cow::Borrowed(text),
        };
        let mut words = Vec::new();
        let mut push = |span: Range<usize>| {
            let word = &text[span];
            if !self.stop_words.contains(word) {
                words.push(word);
            }
        };
        if self.pattern.captures_len() > 1 {
            self.pattern.captures_iter(&seen).for_each(|found| push(found.get(1).map_or(0..0, |group| group.range())));
        } else {
            self.pattern.find_iter(&seen).for_each(|found| push(found.range()));
        }
        words
    }

    fn range(&self) -> (usize, usize) {
        let [shortest, longest] = self.reading.ngram_range;
        (shortest as usize, longest as usize)
    }

    /// Runs of words, with a space between them.
    fn runs(&self, words: &[&str], visit: &mut dyn FnMut(&str)) {
        let (shortest, longest) = self.range();
        let mut run = String::new();
        for first in 0..words.len() {
            run.clear();
            for (more, word) in words[first..].iter().take(longest).enumerate() {
                if more > 0 {
                    run.push(' ');
                }
                run.push_str(word);
                if more + 1 >= shortest {
                    visit(&run);
                }
            }
        }
    }

    fn characters(&self, text: &str, visit: &mut dyn FnMut(&str)) {
        let (shortest, longest) = self.range();
        let ends = ends(text);
        for length in shortest..=longest.min(ends.len() - 1) {
            ends.windows(length + 1).for_each(|run| visit(&text[run[0]..run[length]]));
        }
    }

    /// Of a word that is shorter than a run, the word itself, once.
    fn characters_of_word(&self, word: &str, visit: &mut dyn FnMut(&str)) {
        let (shortest, longest) = self.range();
        let ends = ends(word);
        for length in shortest..=longest {
            if length + 1 >= ends.len() {
                visit(word);
                return;
            }
            ends.windows(length + 1).for_each(|run| visit(&word[run[0]..run[length]]));
        }
    }
}

/// Where characters begin, and where the last one ends.
fn ends(text: &str) -> Vec<usize> {
    text.char_indices().map(|(at, _)| at).chain([text.len()]).collect()
}

/// The text with one space in the place of several.
fn one_space(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if is_space(c) && chars.peek().is_some_and(|next| is_space(*next)) {
            while chars.next_if(|next| is_space(*next)).is_some() {}
            out.push(' ');
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(reading: Reading, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        Reader::new(&reading).unwrap().visit(text, &mut |term| found.push(term.to_owned()));
        found.sort();
        found
    }

    fn of(analyzer: Analyzer, ngram_range: [u32; 2]) -> Reading {
        Reading { analyzer, ngram_range, ..Reading::default() }
    }

    // The answers are those of CountVectorizer(...).build_analyzer() of scikit-learn 1.9.1, sorted.
    #[test]
    fn words_are_scikit_learns() {
        let text = "Don't STOP: x2 a straße_1 naïve I";
        assert_eq!(terms(of(Analyzer::Word, [1, 1]), text), ["don", "naïve", "stop", "straße_1", "x2"]);
        let pairs = terms(of(Analyzer::Word, [2, 3]), text);
        assert_eq!(
            pairs,
            [
                "don stop",
                "don stop x2",
                "stop x2",
                "stop x2 straße_1",
                "straße_1 naïve",
                "x2 straße_1",
                "x2 straße_1 naïve"
            ]
        );
    }

    /// Numbers that are no digits are of a word to Python, and signs above and behind letters are not.
    #[test]
    fn words_of_a_pattern_are_scikit_learns() {
        let by = |pattern: &str| {
            let reading = Reading { token_pattern: Some(pattern.into()), ..Reading::default() };
            let texts = ["Don't STOP: x2 a² straße_1 naïve I ½ ① Ⅷ", "हिन्दी की किताब", "e\u{301}te\u{301} ก็ได้ "];
            let found: BTreeSet<String> = texts.iter().flat_map(|text| terms(reading.clone(), text)).collect();
            found.into_iter().collect::<Vec<String>>()
        };
        assert_eq!(by(r"(?u)\b\w\w+\b"), ["a²", "don", "naïve", "stop", "straße_1", "te", "x2", "ได"]);
        let letters = ["a²", "don", "e", "i", "naïve", "stop", "straße", "t", "te", "x", "½"];
        assert_eq!(by(r"[^\W\d_]+")[..11], letters);
        assert_eq!(by(r"\b\w+\b")[11..], ["क", "त", "द", "न", "ब", "ह", "ก", "ได", "ⅷ", "①"]);
        assert_eq!(by(r"\S+")[9..], ["किताब", "की", "हिन्दी", "ก็ได้", "ⅷ", "①"]);
        assert_eq!(by(r"\d+"), ["1", "2"]);
    }

    #[test]
    fn characters_are_scikit_learns() {
        assert_eq!(terms(of(Analyzer::Char, [2, 3]), "a  \n b\tc"), ["\tc", " b", " b\t", "a ", "a b", "b\t", "b\tc"]);
        assert_eq!(terms(of(Analyzer::CharWb, [3, 5]), "I am"), [" am", " am ", " i ", "am "]);
        assert_eq!(terms(of(Analyzer::Char, [2, 2]), "好"), Vec::<String>::new());
        assert!(terms(of(Analyzer::Char, [1, 3]), "").is_empty());
    }

    #[test]
    fn chinese_words_come_without_punctuation() {
        let found = terms(of(Analyzer::Chinese, [1, 1]), "这本书，质量很好！OK");
        assert_eq!(
            found,
            ["ok", "很", "本书", "质量", "好", "这"]
                .into_iter()
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect::<Vec<_>>()
        );
    }

    #[test]
    fn stop_words_go_before_runs_and_a_pattern_may_have_a_group() {
        let reading = Reading { stop_words: vec!["the".into()], ..of(Analyzer::Word, [2, 2]) };
        assert_eq!(terms(reading, "on the road"), ["on road"]);
        let reading = Reading { token_pattern: Some("#(\\w+)".into()), ..Reading::default() };
        assert_eq!(terms(reading, "say #Yes to #b"), ["b", "yes"]);
        // What the group did not take part in is an empty word, as there.
        let reading = Reading { token_pattern: Some("#(\\w+)|x".into()), ..Reading::default() };
        assert_eq!(terms(reading, "#b x"), ["", "b"]);
        assert!(pattern(Some("(a)(b)")).is_err());
        assert!(pattern(Some("(")).is_err());
    }
}
