//! One diagnostic, and a list of them.

use super::{Code, codes};
use crate::span::Span;
use std::collections::{BTreeMap, BTreeSet};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nothing runs.
    Error,
    /// It runs, but somebody should look.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// A place and what to say about it; an empty text only marks the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What, as a short fragment.
    pub text: String,
}

/// Something to tell the user about a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its code, such as `E0213`.
    pub code: Code,
    /// How bad it is; follows from the code.
    pub severity: Severity,
    /// One line: what is wrong.
    pub message: String,
    /// Where it is wrong; `None` only where no text is to blame.
    pub primary: Option<Label>,
    /// Other places that explain it.
    pub related: Vec<Label>,
    /// What to do, most helpful first.
    pub hints: Vec<String>,
}

impl Diagnostic {
    /// A diagnostic without a place yet.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: code.severity(),
            message: message.into(),
            primary: None,
            related: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// Sets the place.
    #[must_use]
    pub fn at(mut self, span: Span) -> Self {
        let text = self.primary.map(|label| label.text).unwrap_or_default();
        self.primary = Some(Label { span, text });
        self
    }

    /// Sets the words at the place; call after [`Diagnostic::at`].
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Self {
        if let Some(primary) = &mut self.primary {
            primary.text = text.into();
        }
        self
    }

    /// Adds another place that explains it.
    #[must_use]
    pub fn related(mut self, span: Span, text: impl Into<String>) -> Self {
        self.related.push(Label { span, text: text.into() });
        self
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, text: impl Into<String>) -> Self {
        self.hints.push(text.into());
        self
    }

    /// Adds a hint where there is one.
    #[must_use]
    pub fn maybe_hint(mut self, text: Option<String>) -> Self {
        self.hints.extend(text);
        self
    }
}

/// Place, code and message: what is the same of diagnostics that say the same.
type Said = (Option<Span>, &'static str, String);

/// A layer that gets one shape in one stage and another in the next is one mistake; these are about shapes.
const ABOUT_SHAPES: [Code; 6] =
    [codes::LINEAR_IN, codes::KERNEL, codes::RANK, codes::CLASS_COUNT, codes::INDIVISIBLE, codes::RESIDUAL];

/// Everything that was found, in the order of the manifest once [`Diagnostics::sort`] was called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    /// What was said, so that nothing is said twice.
    said: BTreeSet<Said>,
    /// Of shapes that are wrong, numbers aside, in how many others the same is wrong.
    shapes: BTreeMap<Said, usize>,
}

impl Diagnostics {
    /// Adds one, unless the same was said of the same place already, be it of another point of a stage with axes. Where only the
    /// numbers of a shape differ, the first is kept, and says how many others there are.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if !self.said.insert(said(&diagnostic)) {
            return;
        }
        if ABOUT_SHAPES.contains(&diagnostic.code) {
            let about = shapeless(&diagnostic);
            if let Some(others) = self.shapes.get(&about).copied() {
                return self.tell_of_others(about, others + 1);
            }
            self.shapes.insert(about, 0);
        }
        self.list.push(diagnostic);
    }

    /// Lets the first of the diagnostics that differ in a shape say that there are so many others.
    fn tell_of_others(&mut self, about: Said, others: usize) {
        let words = |others: usize| match others {
            1 => "the same is wrong with another shape".to_owned(),
            others => format!("the same is wrong with {others} other shapes"),
        };
        if let Some(first) = self.list.iter_mut().find(|first| shapeless(first) == about) {
            first.hints.retain(|hint| *hint != words(others - 1));
            first.hints.push(words(others));
        }
        self.shapes.insert(about, others);
    }

    /// Adds all of another list.
    pub fn extend(&mut self, other: Diagnostics) {
        for diagnostic in other.list {
            let about = shapeless(&diagnostic);
            self.push(diagnostic);
            // What its hint counts goes on being counted.
            if let (Some(others), Some(more)) = (self.shapes.get_mut(&about), other.shapes.get(&about)) {
                *others = (*others).max(*more);
            }
        }
    }

    /// Orders by place, those without a place first.
    pub fn sort(&mut self) {
        self.list.sort_by_key(|diagnostic| {
            (diagnostic.primary.as_ref().map(|label| label.span), diagnostic.severity, diagnostic.code)
        });
    }

    /// Whether any of them is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// How many of them are of this severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.list.iter().filter(|diagnostic| diagnostic.severity == severity).count()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

fn said(diagnostic: &Diagnostic) -> Said {
    let place = diagnostic.primary.as_ref().map(|label| label.span);
    (place, diagnostic.code.id, without_points(&diagnostic.message))
}

/// What a diagnostic says, without the numbers.
fn shapeless(diagnostic: &Diagnostic) -> Said {
    let (place, code, message) = said(diagnostic);
    let mut words = String::with_capacity(message.len());
    for c in message.chars() {
        match c {
            '0'..='9' if words.ends_with('0') => {}
            '0'..='9' => words.push('0'),
            c => words.push(c),
        }
    }
    (place, code, words)
}

/// A message without the values of axes in the names of stages: `train[lr=0.1]` reads `train`.
fn without_points(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    let mut rest = message;
    while let Some((before, after)) = rest.split_once('[') {
        out.push_str(before);
        let inner = after.split_once(']').filter(|(inner, _)| inner.split(',').all(|axis| axis.contains('=')));
        rest = match inner {
            Some((_, behind)) => behind,
            None => {
                out.push('[');
                after
            }
        };
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(code: Code, messages: &[&str]) -> Diagnostics {
        let mut found = Diagnostics::default();
        messages.iter().for_each(|message| found.push(Diagnostic::new(code, *message)));
        found
    }

    #[test]
    fn what_differs_in_a_shape_alone_is_one_mistake() {
        let texts = [8, 16, 8, 200].map(|width| format!("linear expects 4 inputs but receives {width}"));
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let mut all = found(codes::LINEAR_IN, &texts);
        let only = |all: &Diagnostics| {
            assert_eq!(all.iter().count(), 1, "{all:#?}");
            all.iter().next().map(|only| (only.message.clone(), only.hints.clone())).expect("one")
        };
        let said = |shapes: &str| (texts[0].to_owned(), vec![format!("the same is wrong with {shapes}")]);
        assert_eq!(only(&all), said("2 other shapes"));
        assert_eq!(only(&found(codes::LINEAR_IN, &texts[..2])), said("another shape"));
        assert!(only(&found(codes::LINEAR_IN, &texts[..1])).1.is_empty());
        all.extend(found(codes::LINEAR_IN, &["linear expects 4 inputs but receives 9"]));
        assert_eq!(only(&all), said("3 other shapes"));
        let mut other = Diagnostics::default();
        other.extend(all);
        other.push(Diagnostic::new(codes::LINEAR_IN, "linear expects 4 inputs but receives 10"));
        assert_eq!(only(&other), said("4 other shapes"));
    }

    #[test]
    fn other_numbers_make_another_mistake() {
        assert_eq!(
            found(codes::UNKNOWN_COLUMN, &["column `x1` does not exist", "column `x2` does not exist"]).iter().count(),
            2
        );
        assert_eq!(found(codes::LINEAR_IN, &["linear receives 8", "conv2d receives 8"]).iter().count(), 2);
    }
}
