//! Places in a query: from the lines and columns of the parser, and from names in messages, to byte ranges.

use super::Problem;
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::ParserError;
use sqlparser::tokenizer::{Location, Span, Token, Tokenizer};
use std::ops::Range;

/// The byte that a line and column (both from 1, the column in characters) stand for.
fn offset(text: &str, at: Location) -> Option<usize> {
    let line = usize::try_from(at.line).ok()?.checked_sub(1)?;
    let column = usize::try_from(at.column).ok()?.checked_sub(1)?;
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = text.get(start..)?;
    Some(start + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at))
}

/// The bytes of a span; `None` for the empty span of things that are not in the text.
pub(super) fn range(text: &str, span: Span) -> Option<Range<usize>> {
    let (start, end) = (offset(text, span.start)?, offset(text, span.end)?);
    Some(start..end.max(start))
}

/// A parser's error, which ends in ` at Line: 1, Column: 8`.
pub(super) fn parse_problem(text: &str, error: &ParserError) -> Problem {
    let said = match error {
        ParserError::TokenizerError(said) | ParserError::ParserError(said) => said.clone(),
        ParserError::RecursionLimitExceeded => "it is nested too deeply".to_owned(),
    };
    let (words, place) = said.split_once(" at Line: ").unwrap_or((&said, ""));
    let words = words.replace("Expected: ", "expected ").replace(", found: ", ", found ");
    let words = words.replace("found EOF", "found the end");
    let mut numbers = place.split(", Column: ").map(str::trim).map(str::parse::<u64>);
    let range = match (numbers.next(), numbers.next()) {
        (Some(Ok(line)), Some(Ok(column))) => token_at(text, Location { line, column }),
        _ => Some(text.trim_end().len().saturating_sub(1)..text.len()),
    };
    Problem::syntax(words, range)
}

/// The token that begins at a place, or what is left where none can be told.
fn token_at(text: &str, at: Location) -> Option<Range<usize>> {
    let start = offset(text, at)?;
    let tokens = Tokenizer::new(&GenericDialect, text).tokenize_with_location().unwrap_or_default();
    let token = tokens.into_iter().find(|token| token.span.start == at);
    token.and_then(|token| range(text, token.span)).or(Some(start..text.len().max(start)))
}

/// The first word of a text that is exactly this name.
pub(super) fn word(text: &str, name: &str) -> Option<Range<usize>> {
    let tokens = Tokenizer::new(&GenericDialect, text).tokenize_with_location().ok()?;
    let found = tokens.into_iter().find(|token| matches!(&token.token, Token::Word(word) if word.value == name))?;
    range(text, found.span)
}

/// The first `CAST` or `::` of a text.
pub(super) fn cast(text: &str) -> Option<Range<usize>> {
    let tokens = Tokenizer::new(&GenericDialect, text).tokenize_with_location().ok()?;
    let found = tokens.into_iter().find(|token| match &token.token {
        Token::Word(word) => word.value.eq_ignore_ascii_case("cast"),
        token => *token == Token::DoubleColon,
    })?;
    range(text, found.span)
}

/// The first text in quotes of a message: where polars names a column.
pub(super) fn quoted(message: &str) -> Option<String> {
    let start = message.find(['"', '\'', '`'])?;
    let quote = message[start..].chars().next()?;
    let rest = &message[start + 1..];
    let end = rest.find(quote)?;
    Some(rest[..end].to_owned()).filter(|name| !name.is_empty())
}
