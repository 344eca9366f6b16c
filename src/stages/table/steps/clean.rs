//! Cleans texts: normal form, case, patterns, white space, markers of missing values.

use super::super::columns::{OneOrMany, is_pattern, not_empty, select, wrong_type};
use super::{Rule, Tables};
use crate::diag::codes;
use crate::frame::FloatSums;
use crate::stage::{CheckCx, Path, StageError};
use crate::types::{DType, TableSchema};
use polars::prelude::{Column, DataType, IntoColumn, LazyFrame, PolarsResult, SchemaRef, StringChunked, col};
use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;
use unicode_normalization::UnicodeNormalization;

/// What is done to the texts, in the order of these fields.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Clean {
    /// The columns, names or patterns. A pattern takes the columns of texts among those that it fits.
    pub columns: OneOrMany,
    /// A Unicode normal form; `nfkc` also makes full-width letters, digits and punctuation narrow.
    #[serde(default)]
    pub form: Option<Form>,
    /// All letters in lower case.
    #[serde(default)]
    pub lower: bool,
    /// What replaces what, one after the other.
    #[serde(default)]
    pub replace: Vec<Replace>,
    /// White space of any sort and length, line ends too, becomes one space; none is left at the ends.
    #[serde(default)]
    pub squeeze: bool,
    /// Texts that stand for a missing value and become one, compared whole: `["", "NA"]`.
    #[serde(default)]
    pub null_values: Vec<String>,
}

/// A pattern and what replaces it, everywhere in the text.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Replace {
    /// A regular expression, as in Rust's `regex`: `https?://\S+`.
    pub pattern: String,
    /// What stands there instead; `$1` or `${1}` is what the first group found, `$$` a dollar sign.
    #[serde(default)]
    pub with: String,
}

/// A Unicode normal form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Composed.
    Nfc,
    /// Decomposed.
    Nfd,
    /// Composed, compatible characters as one.
    Nfkc,
    /// Decomposed, compatible characters as one.
    Nfkd,
}

impl Clean {
    fn patterns(&self) -> Result<Vec<(Regex, String)>, (usize, regex::Error)> {
        let compile = |(index, rule): (usize, &Replace)| match Regex::new(&rule.pattern) {
            Ok(regex) => Ok((regex, rule.with.clone())),
            Err(error) => Err((index, error)),
        };
        self.replace.iter().enumerate().map(compile).collect()
    }

    /// Reports groups that stand in a replacement and not in its pattern: nothing would stand there.
    fn check_groups(&self, at: &Path, cx: &mut CheckCx<'_>) {
        for (index, (pattern, with)) in self.patterns().unwrap_or_default().iter().enumerate() {
            if let Some(number) = backslashed(with) {
                let place = vec!["replace".into(), index.into(), "with".into()];
                cx.error(
                    [at.clone(), place].concat(),
                    codes::OUT_OF_RANGE,
                    format!("`\\{number}` is a backslash and a digit here"),
                )
                .label("not what a group found")
                .hint(format!("what group {number} found is `${{{number}}}`"));
                continue;
            }
            if let Some(name) = groups(with).find(|name| !has_group(pattern, name)) {
                let place = vec!["replace".into(), index.into(), "with".into()];
                let digits = name.chars().take_while(char::is_ascii_digit).count();
                let hint = match name.split_at(digits) {
                    ("", _) => "`$$` is a dollar sign".to_owned(),
                    (number, behind) => format!("`${{{number}}}{behind}` is group {number}, with `{behind}` behind it"),
                };
                cx.error(
                    [at.clone(), place].concat(),
                    codes::OUT_OF_RANGE,
                    format!("the pattern has no group `{name}`"),
                )
                .label("nothing would stand there")
                .hint(hint);
            }
        }
    }

    /// A text after all of it; `None` where it stands for a missing value.
    fn text<'a>(&self, patterns: &[(Regex, String)], text: &'a str) -> Option<Cow<'a, str>> {
        let mut text = match self.form {
            None => Cow::Borrowed(text),
            Some(_) if text.is_ascii() => Cow::Borrowed(text),
            Some(Form::Nfc) => text.nfc().collect::<String>().into(),
            Some(Form::Nfd) => text.nfd().collect::<String>().into(),
            Some(Form::Nfkc) => text.nfkc().collect::<String>().into(),
            Some(Form::Nfkd) => text.nfkd().collect::<String>().into(),
        };
        if self.lower {
            text = text.to_lowercase().into();
        }
        for (pattern, with) in patterns {
            if let Cow::Owned(replaced) = pattern.replace_all(&text, with.as_str()) {
                text = replaced.into();
            }
        }
        if self.squeeze {
            text = text.split_whitespace().collect::<Vec<_>>().join(" ").into();
        }
        (!self.null_values.iter().any(|null| *null == text)).then_some(text)
    }

    fn column(&self, patterns: &[(Regex, String)], column: &Column) -> PolarsResult<Column> {
        let texts = column.str()?;
        let cleaned: StringChunked = texts.iter().map(|text| self.text(patterns, text?)).collect();
        Ok(cleaned.with_name(texts.name().clone()).into_column())
    }
}

/// The names of the groups that a replacement asks for, as `regex` reads it.
fn groups(with: &str) -> impl Iterator<Item = &str> {
    with.replace("$$", "  ").match_indices('$').map(|(at, _)| at).collect::<Vec<_>>().into_iter().filter_map(|at| {
        let rest = &with[at + 1..];
        if let Some(braced) = rest.strip_prefix('{') {
            return braced.split_once('}').map(|(name, _)| name);
        }
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        (end > 0).then(|| &rest[..end])
    })
}

/// The first group that a replacement asks for as other languages write it.
fn backslashed(with: &str) -> Option<char> {
    with.match_indices('\\').find_map(|(at, _)| with[at + 1..].chars().next().filter(char::is_ascii_digit))
}

fn has_group(pattern: &Regex, name: &str) -> bool {
    match name.parse::<usize>() {
        Ok(number) => number < pattern.captures_len(),
        Err(_) => pattern.capture_names().flatten().any(|known| known == name),
    }
}

impl Rule for Clean {
    fn check(&self, input: TableSchema, _: FloatSums, at: &Path, cx: &mut CheckCx<'_>) -> TableSchema {
        let columns: Path = [at.clone(), vec!["columns".into()]].concat();
        not_empty(&self.columns, columns.clone(), "`clean`", cx);
        for (pattern, place) in self.columns.with_paths(&columns) {
            for name in select(&input, pattern, place.clone(), cx) {
                let dtype = input.columns.iter().find(|column| column.name == name).map(|column| &column.dtype);
                let other = dtype.filter(|dtype| !matches!(dtype, DType::Str | DType::Unknown));
                if let Some(dtype) = other.filter(|_| !is_pattern(pattern)) {
                    wrong_type(cx, place.clone(), &name, dtype, "a column of texts")
                        .hint("leave it out, or cast it to `str` in a step before");
                }
            }
        }
        if let Err((index, error)) = self.patterns() {
            let place = vec!["replace".into(), index.into(), "pattern".into()];
            let said = error.to_string();
            let reason = said.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            cx.error(
                [at.clone(), place].concat(),
                codes::OUT_OF_RANGE,
                format!("this is no regular expression: {reason}"),
            )
            .label("cannot be read")
            .hint("in a TOML string between \" a backslash is written twice; between ' once");
        }
        self.check_groups(at, cx);
        input
    }

    fn apply(&self, lf: LazyFrame, schema: &SchemaRef, _: FloatSums, _: Tables<'_>) -> Result<LazyFrame, StageError> {
        let patterns =
            self.patterns().map_err(|(_, error)| StageError::data(format!("no regular expression: {error}")))?;
        let work = Arc::new((self.clone(), patterns));
        let is_text = |name: &String| schema.get(name).is_some_and(DataType::is_string);
        let mut names: Vec<String> =
            self.columns.0.iter().flat_map(|pattern| super::matching(schema, pattern)).collect();
        names.retain(is_text);
        names.sort();
        names.dedup();
        let clean = |name: String| {
            let work = Arc::clone(&work);
            col(name).map(move |column| work.0.column(&work.1, &column), |_, field| Ok(field.clone()))
        };
        let exprs: Vec<_> = names.into_iter().map(clean).collect();
        Ok(if exprs.is_empty() { lf } else { lf.with_columns(exprs) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(fields: &str, text: &str) -> Option<String> {
        let step: Clean = toml::from_str(&format!("columns = \"t\"\n{fields}")).expect("a step");
        let patterns = step.patterns().expect("patterns");
        step.text(&patterns, text).map(Cow::into_owned)
    }

    #[test]
    fn each_field_does_one_thing() {
        assert_eq!(cleaned("", " Ｋ\t1 ").as_deref(), Some(" Ｋ\t1 "));
        assert_eq!(cleaned("form = \"nfkc\"", "Ｋ１，好").as_deref(), Some("K1,好"));
        assert_eq!(cleaned("form = \"nfd\"", "é").map(|text| text.chars().count()), Some(2));
        assert_eq!(cleaned("lower = true", "ÄB").as_deref(), Some("äb"));
        assert_eq!(cleaned("squeeze = true", "\u{3000} a \r\n b\u{a0}").as_deref(), Some("a b"));
        assert_eq!(cleaned("null_values = [\"\", \"NA\"]", "NA"), None);
        assert_eq!(cleaned("null_values = [\"\", \"NA\"]", "NAN").as_deref(), Some("NAN"));
        let swapped = "replace = [{ pattern = '(\\d+)-(\\d+)', with = '$2-$1' }, { pattern = '-' }]";
        assert_eq!(cleaned(swapped, "10-20 x").as_deref(), Some("2010 x"));
    }

    #[test]
    fn replacements_name_groups_that_there_are() {
        assert_eq!(groups("a $$1 $1_ ${2}x $name, $").collect::<Vec<_>>(), ["1_", "2", "name"]);
        assert_eq!(["a\\1", "$1\\", "\\n2", "x\\\\20"].map(backslashed), [Some('1'), None, None, Some('2')]);
        let pattern = Regex::new("(a)(?<name>b)").expect("a pattern");
        assert!(["0", "2", "name"].iter().all(|name| has_group(&pattern, name)));
        assert!(["3", "1_", "other"].iter().all(|name| !has_group(&pattern, name)));
    }

    #[test]
    fn what_is_cleaned_away_is_missing_only_in_the_end() {
        let fields = "replace = [{ pattern = '<[^>]*>', with = ' ' }]\nsqueeze = true\nnull_values = [\"\"]";
        assert_eq!(cleaned(fields, " <br/> <p>"), None);
        assert_eq!(cleaned(fields, "<b>a</b>").as_deref(), Some("a"));
    }
}
