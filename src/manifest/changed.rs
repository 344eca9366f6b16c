//! Which of the params in a text differ, where the text was another before.

use super::node::{Node, Origin, ParamUse, Piece};

impl Node {
    /// The params with other values, where this text was `old` before; `None` where what stands around them differs too, or this
    /// is no text with params in it.
    #[must_use]
    pub fn params_changed_from(&self, old: &str) -> Option<Vec<&ParamUse>> {
        let origin = self.origin.as_ref().filter(|origin| !origin.pieces.is_empty())?;
        changed(&parts(origin, self.as_str()?), old)
    }
}

/// A run of a text.
enum Part<'a> {
    /// It stands there as it is.
    Plain(&'a str),
    /// A param's value.
    Param(&'a ParamUse, &'a str),
}

fn parts<'a>(origin: &'a Origin, text: &'a str) -> Vec<Part<'a>> {
    let mut params = origin.params.iter();
    let part = |piece: &Piece| {
        let text = text.get(piece.value.clone()).unwrap_or_default();
        match piece.param.then(|| params.next()).flatten() {
            Some(used) => Part::Param(used, text),
            None => Part::Plain(text),
        }
    };
    origin.pieces.iter().map(part).collect()
}

/// What stands between the params is looked for in the old text, from left to right; a value that is still there is taken for the
/// same.
fn changed<'a>(parts: &[Part<'a>], old: &str) -> Option<Vec<&'a ParamUse>> {
    let mut found = Vec::new();
    let mut rest = old;
    for (at, part) in parts.iter().enumerate() {
        match part {
            Part::Plain(text) => rest = rest.strip_prefix(text)?,
            Part::Param(used, value) => {
                let next = match parts.get(at + 1) {
                    Some(Part::Plain(text)) => Some(*text),
                    // Where one of two values that touch ends cannot be seen.
                    Some(Part::Param(..)) => Some(""),
                    None => None,
                };
                let is_same = |after: &str| next.map_or(after.is_empty(), |next| after.starts_with(next));
                if let Some(after) = rest.strip_prefix(value).filter(|after| is_same(after)) {
                    rest = after;
                    continue;
                }
                found.push(*used);
                let is_last = at + 2 == parts.len();
                rest = match next {
                    Some("") => return Some(found),
                    Some(next) if is_last => &rest[rest.strip_suffix(next)?.len()..],
                    Some(next) => &rest[rest.find(next)?..],
                    None => "",
                };
            }
        }
    }
    rest.is_empty().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::super::{LoadOptions, Manifest, load_text};

    fn manifest() -> Manifest {
        let text = r#"
            params = { x = 1, y = 2, z = 3 }
            [pipeline]
            name = "p"
            edition = "2026"
            [stage.s]
            kind = "exec"
            text = "a ${x} b ${y}${z} c"
            whole = "${x}"
            plain = "b"
        "#;
        let options = LoadOptions { path: "p.toml".as_ref(), workspace: ".".as_ref(), set: &[] };
        load_text(&options, text).manifest.expect("a manifest")
    }

    #[test]
    fn the_params_that_differ_are_found_or_that_the_text_does() {
        let manifest = manifest();
        let changed = |old: &str| {
            let found = manifest.stages[0].locate(&["text".into()]).node.params_changed_from(old)?;
            Some(found.into_iter().map(|used| used.name.as_str()).collect::<Vec<_>>())
        };
        assert_eq!(changed("a 1 b 23 c"), Some(vec![]));
        assert_eq!(changed("a 10 b 23 c"), Some(vec!["x"]));
        assert_eq!(changed("a  b 23 c"), Some(vec!["x"]));
        assert_eq!(changed("a 1 b 24 c"), Some(vec!["z"]));
        assert_eq!(changed("a 1 b 43 c"), Some(vec!["y"]));
        assert_eq!(changed("a 0 b 24 c"), Some(vec!["x", "z"]));
        for other in ["A 1 b 23 c", "a 1 B 23 c", "a 1 b 23 C", "a 1 b 23 c!", ""] {
            assert_eq!(changed(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_no_text_with_params_in_it_says_nothing() {
        let manifest = manifest();
        for field in ["plain", "whole"] {
            assert!(manifest.stages[0].locate(&[field.into()]).node.params_changed_from("c").is_none(), "{field}");
        }
    }
}
