//! Patterns of texts that polars' SQL does not have: `LIKE … ESCAPE`, `SIMILAR TO`, and functions of regular expressions.

use super::super::functions::Regexp;
use super::calls::{arguments, name_of, of};
use super::forms::marked;
use super::parse_expr;
use sqlparser::ast::{Expr, Function, Value, ValueWithSpan};

/// What a comparison with a pattern means; `None` where polars has it so.
pub(super) fn meant(expr: &Expr) -> Result<Option<Expr>, String> {
    let (negated, text, pattern, escape, flags, similar) = match expr {
        Expr::Like { negated, any: false, expr, pattern, escape_char: Some(escape) } => {
            (*negated, expr, pattern, Some(escape), "s", false)
        }
        Expr::ILike { negated, any: false, expr, pattern, escape_char: Some(escape) } => {
            (*negated, expr, pattern, Some(escape), "is", false)
        }
        Expr::SimilarTo { negated, expr, pattern, escape_char } => {
            (*negated, expr, pattern, escape_char.as_ref(), "s", true)
        }
        _ => return Ok(None),
    };
    let Some(pattern) = literal(pattern) else {
        return Err(format!("a pattern is a text in single quotes, found `{pattern}`"));
    };
    let escape = match escape {
        None => Some('\\'),
        Some(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => {
            let mut letters = text.chars();
            match (letters.next(), letters.next()) {
                (first, None) => first,
                _ => return Err(format!("ESCAPE is one character, found '{text}'")),
            }
        }
        Some(other) => return Err(format!("ESCAPE is one character in single quotes, found {other}")),
    };
    let pattern = if similar { similar_to(pattern, escape) } else { like(pattern, escape) }?;
    let pattern = format!("(?{flags})^(?:{pattern})$").replace('\'', "''");
    let not = if negated { "NOT " } else { "" };
    Ok(parse_expr(&format!("({not}regexp_like({text}, '{pattern}'))")).ok())
}

fn literal(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => Some(text),
        Expr::Nested(inner) => literal(inner),
        _ => None,
    }
}

fn like(pattern: &str, escape: Option<char>) -> Result<String, String> {
    translated(pattern, escape, |letter| match letter {
        '%' => ".*".to_owned(),
        '_' => ".".to_owned(),
        letter => itself(letter),
    })
}

/// A pattern of the standard's: `%` and `_` as in `LIKE`, and `|*+?{}()[]` as in regular expressions.
fn similar_to(pattern: &str, escape: Option<char>) -> Result<String, String> {
    let mut in_brackets = false;
    translated(pattern, escape, |letter| match letter {
        '[' | ']' => {
            in_brackets = letter == '[';
            letter.to_string()
        }
        letter if in_brackets => letter.to_string(),
        '%' => ".*".to_owned(),
        '_' => ".".to_owned(),
        '|' | '*' | '+' | '?' | '{' | '}' | '(' | ')' => letter.to_string(),
        letter => itself(letter),
    })
}

fn itself(letter: char) -> String {
    regex::escape(letter.encode_utf8(&mut [0; 4]))
}

fn translated(
    pattern: &str,
    escape: Option<char>,
    mut letter_as: impl FnMut(char) -> String,
) -> Result<String, String> {
    let mut out = String::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        if Some(letter) != escape {
            out.push_str(&letter_as(letter));
            continue;
        }
        let Some(next) = letters.next() else {
            return Err(format!("nothing follows the escape character at the end of '{pattern}'"));
        };
        out.push_str(&itself(next));
    }
    Ok(out)
}

/// What a call of a function of regular expressions means.
pub(super) fn called(call: &Function) -> Result<Option<Expr>, String> {
    let name = name_of(call);
    if !matches!(&*name, "regexp_matches" | "regexp_replace" | "regexp_extract" | "regexp_substr") {
        return Ok(None);
    }
    let Some(arguments) = arguments(call) else { return Ok(None) };
    if name == "regexp_matches" {
        let arguments = arguments.into_iter().cloned().collect();
        return Ok(Some(Expr::Function(of(call, "REGEXP_LIKE", arguments))));
    }
    let &[text, pattern, ref rest @ ..] = arguments.as_slice() else {
        return Err(format!("`{name}` takes a text and a pattern"));
    };
    let pattern = literal(pattern).ok_or_else(|| format!("a pattern is a text in single quotes, found `{pattern}`"))?;
    let regexp = match (&*name, rest) {
        ("regexp_replace", &[with]) => replacing(pattern, with, "")?,
        ("regexp_replace", &[with, flags]) => {
            let flags = literal(flags).ok_or_else(|| format!("flags are a text in single quotes, found `{flags}`"))?;
            replacing(pattern, with, flags)?
        }
        ("regexp_extract", &[]) => Regexp::Extract { pattern: pattern.to_owned(), group: 0, or_empty: true },
        ("regexp_substr", &[]) => Regexp::Extract { pattern: pattern.to_owned(), group: 0, or_empty: false },
        ("regexp_extract", &[Expr::Value(group)]) => {
            let group = group.to_string();
            let wrong = |_| format!("`regexp_extract` takes the number of a group, found `{group}`");
            Regexp::Extract { pattern: pattern.to_owned(), group: group.parse().map_err(wrong)?, or_empty: true }
        }
        ("regexp_replace", _) => {
            return Err("`regexp_replace` takes a text, a pattern, what stands instead, and flags".to_owned());
        }
        _ => return Err(format!("`{name}` takes a text and a pattern")),
    };
    regexp.check()?;
    Ok(Some(marked(vec![text.clone()], regexp.mark())))
}

fn replacing(pattern: &str, with: &Expr, flags: &str) -> Result<Regexp, String> {
    let Some(with) = literal(with) else {
        return Err(format!("what stands instead is a text in single quotes, found `{with}`"));
    };
    if let Some(other) = flags.chars().find(|flag| !"gims".contains(*flag)) {
        return Err(format!("the flags of `regexp_replace` are g (all of them), i, m and s, found `{other}`"));
    }
    let inside: String = flags.chars().filter(|flag| *flag != 'g').collect();
    let pattern = if inside.is_empty() { pattern.to_owned() } else { format!("(?{inside}){pattern}") };
    Ok(Regexp::Replace { pattern, with: references(with), all: flags.contains('g') })
}

/// `\1` as `${1}`, and `\&` as the whole.
fn references(with: &str) -> String {
    let mut out = String::new();
    let mut letters = with.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '$' => out.push_str("$$"),
            '\\' => match letters.next() {
                Some('&') => out.push_str("${0}"),
                Some(digit) if digit.is_ascii_digit() => out.push_str(&format!("${{{digit}}}")),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            letter => out.push(letter),
        }
    }
    out
}
