//! Places in a query: from the lines and columns of the parser, and from names in messages, to byte ranges.

use super::{Problem, reserved};
use sqlparser::ast::{CastKind, Expr, Spanned, visit_expressions};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::ParserError;
use sqlparser::tokenizer::{Location, Span, Token, Tokenizer};
use std::ops::{ControlFlow, Range};

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
    if let Some(range) = symmetric(text) {
        let message = "BETWEEN SYMMETRIC is not known: write `BETWEEN least(a, b) AND greatest(a, b)`";
        return Problem::syntax(message, Some(range));
    }
    let (words, place) = said.split_once(" at Line: ").unwrap_or((&said, ""));
    let words = words.replace("Expected: ", "expected ").replace(", found: ", ", found ");
    let words = words.replace("found EOF", "found the end");
    let mut numbers = place.split(", Column: ").map(str::trim).map(str::parse::<u64>);
    let range = match (numbers.next(), numbers.next()) {
        (Some(Ok(line)), Some(Ok(column))) => token_at(text, Location { line, column }),
        _ => Some(text.trim_end().len().saturating_sub(1)..text.len()),
    };
    let found = range.clone().and_then(|range| text.get(range));
    if let Some(message) = found.and_then(|found| operator(found, &words, &text[..range.as_ref()?.start])) {
        return Problem::syntax(message, range);
    }
    match found.and_then(reserved::in_quotes) {
        Some(remedy) => Problem::syntax(format!("{words}: {remedy}"), range),
        None => Problem::syntax(words, range),
    }
}

/// What to say of something that is no operator here; `words` are the parser's, and `before` stands in front of it.
fn operator(found: &str, words: &str, before: &str) -> Option<String> {
    if found.starts_with('*') && before.ends_with('*') {
        return Some("`a ** b` is written `power(a, b)`".to_owned());
    }
    if !words.starts_with("No infix parser") {
        return None;
    }
    Some(match found.to_ascii_lowercase().as_str() {
        "div" => "`a DIV b` is written `a // b`".to_owned(),
        _ => format!("`{found}` is no operator here"),
    })
}

/// The `SYMMETRIC` of a `BETWEEN`, which is no name.
fn symmetric(text: &str) -> Option<Range<usize>> {
    let is = |token: &Token, word: &str| matches!(token, Token::Word(found) if found.value.eq_ignore_ascii_case(word));
    let tokens = Tokenizer::new(&GenericDialect, text).tokenize_with_location().ok()?;
    let words: Vec<_> = tokens.into_iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).collect();
    let pair = words.windows(2).find(|pair| is(&pair[0].token, "between") && is(&pair[1].token, "symmetric"))?;
    range(text, pair[1].span)
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
    first_word(text, |word| word == name)
}

/// The first word of a text that is this one, in capitals or not.
pub(super) fn word_like(text: &str, name: &str) -> Option<Range<usize>> {
    first_word(text, |word| word.eq_ignore_ascii_case(name))
}

fn first_word(text: &str, is_it: impl Fn(&str) -> bool) -> Option<Range<usize>> {
    let tokens = Tokenizer::new(&GenericDialect, text).tokenize_with_location().ok()?;
    let found = tokens.into_iter().find(|token| matches!(&token.token, Token::Word(word) if is_it(&word.value)))?;
    range(text, found.span)
}

/// The bytes of an expression; of a cast those of its `CAST` or `::`.
pub(super) fn of_expr(text: &str, expr: &Expr) -> Option<Range<usize>> {
    match expr {
        Expr::Cast { kind, expr: inner, .. } => cast(text, kind, inner),
        other => range(text, other.span()).map(|range| closed(text, range)),
    }
}

/// The `CAST` or `::` of the cast of `inner`: casts that are right inside of it, in `CAST(CAST(a AS …) AS …)`, have the nearer ones.
fn cast(text: &str, kind: &CastKind, inner: &Expr) -> Option<Range<usize>> {
    let place = range(text, inner.span())?;
    let behind = *kind == CastKind::DoubleColon;
    let end = |place: &Range<usize>| if behind { place.end } else { place.start };
    let mut nearer = 0;
    let _ = visit_expressions(inner, |within| {
        if let Expr::Cast { kind, expr, .. } = within
            && (*kind == CastKind::DoubleColon) == behind
            && range(text, expr.span()).is_some_and(|within| end(&within) == end(&place))
        {
            nearer += 1;
        }
        ControlFlow::<()>::Continue(())
    });
    let tokens = Tokenizer::new(&GenericDialect, text).tokenize_with_location().ok()?;
    let is_cast = |token: &Token| match token {
        Token::DoubleColon => behind,
        Token::Word(word) => {
            !behind && ["cast", "try_cast", "safe_cast"].iter().any(|name| word.value.eq_ignore_ascii_case(name))
        }
        _ => false,
    };
    let found = tokens.into_iter().filter(|token| is_cast(&token.token)).filter_map(|token| range(text, token.span));
    let mut found: Vec<Range<usize>> = match behind {
        true => found.filter(|found| found.start >= place.end).collect(),
        false => found.filter(|found| found.end <= place.start).collect(),
    };
    if !behind {
        found.reverse();
    }
    found.into_iter().nth(nearer)
}

/// A range with the brackets that the parser leaves out at its ends.
fn closed(text: &str, mut range: Range<usize>) -> Range<usize> {
    let Ok(tokens) = Tokenizer::new(&GenericDialect, text).tokenize_with_location() else { return range };
    let brackets: Vec<(bool, Range<usize>)> = tokens
        .into_iter()
        .filter(|token| matches!(token.token, Token::LParen | Token::RParen))
        .filter_map(|token| Some((token.token == Token::LParen, self::range(text, token.span)?)))
        .collect();
    let inside = brackets.iter().filter(|(_, at)| range.contains(&at.start));
    let (mut open, mut unopened) = (0_usize, 0_usize);
    for (opens, _) in inside {
        match (opens, open) {
            (true, _) => open += 1,
            (false, 0) => unopened += 1,
            (false, _) => open -= 1,
        }
    }
    let next = |at: usize| text[at..].find(|c: char| !c.is_whitespace()).map(|skip| at + skip);
    while open > 0 && next(range.end).is_some_and(|at| text[at..].starts_with(')')) {
        range.end = next(range.end).map_or(range.end, |at| at + 1);
        open -= 1;
    }
    while unopened > 0 && text[..range.start].trim_end().ends_with('(') {
        range.start = text[..range.start].trim_end().len() - 1;
        unopened -= 1;
    }
    range
}

/// The first text in quotes of a message: where polars names a column.
pub(super) fn quoted(message: &str) -> Option<String> {
    let start = message.find(['"', '\'', '`'])?;
    let quote = message[start..].chars().next()?;
    let rest = &message[start + 1..];
    let end = rest.find(quote)?;
    Some(rest[..end].to_owned()).filter(|name| !name.is_empty())
}
