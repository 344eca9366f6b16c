//! Placeholders in a command: `{inputs.NAME}`, `{outputs.NAME}`, `{threads}`.

use super::Spec;
use std::collections::BTreeMap;
use std::ops::Range;

/// A placeholder in a text.
#[derive(Debug, PartialEq)]
pub(super) struct Placeholder<'a> {
    /// What it names: `inputs.data`.
    pub(super) name: &'a str,
    /// Where it stands, braces included.
    pub(super) range: Range<usize>,
}

/// A piece of a text.
#[derive(Debug, PartialEq)]
enum Piece<'a> {
    Text(&'a str),
    /// `{{word}}`
    Braced(&'a str),
    Named(Placeholder<'a>),
}

/// Takes a text apart. Only `{word}` and `{word.word}` are placeholders, so JSON, awk and format strings pass.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = 0;
    let mut at = 0;
    while let Some(open) = text[at..].find('{').map(|found| at + found) {
        let double = text[open + 1..].starts_with('{');
        let start = open + 1 + usize::from(double);
        let length = text[start..].find(|c: char| !is_word(c)).unwrap_or(text.len() - start);
        let (name, after) = (&text[start..start + length], start + length);
        let close = if double { "}}" } else { "}" };
        if !is_name(name) || !text[after..].starts_with(close) {
            at = open + 1;
            continue;
        }
        if rest < open {
            pieces.push(Piece::Text(&text[rest..open]));
        }
        at = after + close.len();
        rest = at;
        pieces.push(if double { Piece::Braced(name) } else { Piece::Named(Placeholder { name, range: open..at }) });
    }
    if rest < text.len() {
        pieces.push(Piece::Text(&text[rest..]));
    }
    pieces
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && !name.ends_with(['.', '-'])
}

/// The placeholders of a text.
pub(super) fn placeholders(text: &str) -> Vec<Placeholder<'_>> {
    pieces(text)
        .into_iter()
        .filter_map(|piece| match piece {
            Piece::Named(placeholder) => Some(placeholder),
            _ => None,
        })
        .collect()
}

/// Every placeholder that means something in this stage.
pub(super) fn known(spec: &Spec) -> Vec<String> {
    let inputs = spec.inputs.keys().map(|name| format!("inputs.{name}"));
    let outputs = spec.outputs.keys().map(|name| format!("outputs.{name}"));
    inputs.chain(outputs).chain(["threads".to_owned()]).collect()
}

/// Which of those that mean something a name was meant for: also that of an input or output, without the word before it.
pub(super) fn meant(name: &str, known: &[String]) -> Option<String> {
    let alone = known.iter().find(|known| known.split_once('.').is_some_and(|(_, rest)| rest == name));
    match alone {
        Some(whole) => Some(format!("did you mean `{{{whole}}}`?")),
        None => crate::diag::did_you_mean(name, known.iter().map(String::as_str)),
    }
}

/// What stands for each placeholder: one text, or the paths of an input that is a list.
pub(super) struct Places(BTreeMap<String, Vec<String>>);

impl Places {
    /// Those that are known before the inputs are placed.
    pub(super) fn new(spec: &Spec, threads: usize) -> Self {
        let outputs = spec.outputs.iter();
        let mut places: BTreeMap<String, Vec<String>> = outputs
            .map(|(name, output)| (format!("outputs.{name}"), vec![output.path.trim_end_matches('/').to_owned()]))
            .collect();
        places.insert("threads".to_owned(), vec![threads.to_string()]);
        Self(places)
    }

    /// Says where an input lies: at one path, or at those of a list.
    pub(super) fn input(&mut self, name: &str, paths: Vec<String>) {
        self.0.insert(format!("inputs.{name}"), paths);
    }

    /// The words that a word of the command becomes: one, but for a list that it names and nothing else. The name of a
    /// placeholder that means nothing.
    pub(super) fn words(&self, text: &str) -> Result<Vec<String>, String> {
        match pieces(text).as_slice() {
            [Piece::Named(Placeholder { name, .. })] => self.0.get(*name).cloned().ok_or_else(|| (*name).to_owned()),
            _ => Ok(vec![self.fill(text)?]),
        }
    }

    /// A text with its placeholders filled; the name of one that means nothing.
    pub(super) fn fill(&self, text: &str) -> Result<String, String> {
        let mut out = String::with_capacity(text.len());
        for piece in pieces(text) {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Braced(word) => out.extend(["{", word, "}"]),
                Piece::Named(Placeholder { name, .. }) => {
                    out.push_str(&self.0.get(name).ok_or_else(|| name.to_owned())?.join(" "));
                }
            }
        }
        Ok(out)
    }
}

/// Where a workspace file lies in the program's folder: under its own path, without climbing.
pub(super) fn inside(name: &str) -> String {
    let parts = name.split('/').filter(|part| !matches!(*part, "" | "." | ".."));
    parts.collect::<Vec<_>>().join("/")
}

/// A file's path without what leads nowhere in it.
pub(super) fn plain(name: &str) -> String {
    let parts = name.split('/').filter(|part| !matches!(*part, "" | "."));
    parts.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_the_word_before_it_is_understood() {
        let known = ["inputs.table".to_owned(), "outputs.page".to_owned(), "threads".to_owned()];
        assert_eq!(meant("page", &known).as_deref(), Some("did you mean `{outputs.page}`?"));
        assert_eq!(meant("inputs.tabel", &known).as_deref(), Some("did you mean `inputs.table`?"));
        assert_eq!(meant("other", &known), None);
    }

    #[test]
    fn only_words_in_braces_are_placeholders() {
        let names =
            |text| -> Vec<String> { placeholders(text).into_iter().map(|found| found.name.to_owned()).collect() };
        assert_eq!(names("--data={inputs.data}:{threads}"), ["inputs.data", "threads"]);
        assert_eq!(names(r#"{"a": {"b": 1}}"#), Vec::<String>::new());
        assert_eq!(names("{print $1}"), Vec::<String>::new());
        assert_eq!(names("{{inputs.data}} {0} {} { {a"), Vec::<String>::new());
        assert_eq!(placeholders("x {threads}")[0].range, 2..11);
    }

    #[test]
    fn filling_leaves_other_braces_alone() {
        let places = Places(BTreeMap::from([("threads".to_owned(), vec!["2".to_owned()])]));
        assert_eq!(
            places.fill(r#"-j{threads} {{threads}} {"a":{"b":1}} ünï"#).unwrap(),
            r#"-j2 {threads} {"a":{"b":1}} ünï"#
        );
        assert_eq!(places.fill("{inputs.x}").unwrap_err(), "inputs.x");
    }

    #[test]
    fn a_list_becomes_words_where_it_is_a_word() {
        let paths = vec!["inputs/f/1/a b".to_owned(), "inputs/f/2/c".to_owned()];
        let places = Places(BTreeMap::from([("inputs.f".to_owned(), paths.clone())]));
        assert_eq!(places.words("{inputs.f}").unwrap(), paths);
        assert_eq!(places.words("cat {inputs.f}").unwrap(), ["cat inputs/f/1/a b inputs/f/2/c"]);
        assert_eq!(places.words("").unwrap(), [""]);
        assert_eq!(places.words("{inputs.g}").unwrap_err(), "inputs.g");
    }

    #[test]
    fn files_stay_inside() {
        assert_eq!(inside("../lib/./a.py"), "lib/a.py");
    }
}
