//! Paths as texts with `/`, from the project's folder, which is the one that dvc.yaml lies in.

/// A path that is meant from a folder (empty for the project's), as one from the project's folder. What climbs out of that
/// begins with `..`; the folder itself is `.`.
pub(super) fn resolved(folder: &str, path: &str) -> String {
    let root = if path.starts_with('/') { "/" } else { "" };
    let above = if root.is_empty() { folder } else { "" };
    let mut parts: Vec<&str> = Vec::new();
    for part in above.split('/').chain(path.split('/')).filter(|part| !matches!(*part, "" | ".")) {
        let is_down = parts.last().is_some_and(|last| *last != "..");
        if part == ".." && is_down {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    if parts.is_empty() && root.is_empty() { ".".to_owned() } else { format!("{root}{}", parts.join("/")) }
}

/// The same, for what must lie in the project; `None` where it does not: elsewhere, in a home folder, on another machine.
pub(super) fn inside(folder: &str, path: &str) -> Option<String> {
    let is_far = path.contains("://") || path.starts_with(['/', '~']);
    let path = resolved(folder, path);
    (!is_far && path.split('/').next() != Some("..")).then_some(path)
}

/// A file, or a folder with what [`ALL`] or [`HIDDEN`] finds in it, as a pattern that means it whatever characters its name has.
pub(super) fn literal(path: &str) -> String {
    let (name, rest) = match (path.strip_suffix(ALL), path.strip_suffix(HIDDEN)) {
        (Some(name), _) => (name, ALL),
        (None, Some(name)) => (name, HIDDEN),
        (None, None) => (path, ""),
    };
    if !name.contains(['*', '?', '[', '{']) {
        return path.to_owned();
    }
    let quote = |c: char| if "*?[]{}\\".contains(c) { format!("[{c}]") } else { c.to_string() };
    name.chars().map(quote).collect::<String>() + rest
}

/// Behind a folder: all files in it.
pub(super) const ALL: &str = "/**/*";
/// Behind a folder: the files in it whose names begin with a dot.
pub(super) const HIDDEN: &str = "/**/.*";

/// Whether a path lies in a folder, and is not that folder itself.
pub(super) fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_like_patterns_mean_themselves() {
        assert_eq!(literal("data/a b.csv"), "data/a b.csv");
        assert_eq!(literal("data/**/*"), "data/**/*");
        assert_eq!(literal("v[1]/{x}?.csv"), "v[[]1[]]/[{]x[}][?].csv");
        assert_eq!(literal("v[1]/**/.*"), "v[[]1[]]/**/.*");
        let folder = tempfile::tempdir().unwrap();
        for name in ["a[1].csv", "a1.csv", "{b}", "c]d*", "e\\f?"] {
            std::fs::write(folder.path().join(name), name).unwrap();
            let found = crate::stage::files::expand(folder.path(), &literal(name)).unwrap();
            assert_eq!(found.iter().map(|(found, _)| found.as_str()).collect::<Vec<_>>(), [name]);
        }
    }

    #[test]
    fn paths_are_taken_from_the_projects_folder() {
        assert_eq!(resolved("", "./a//b/"), "a/b");
        assert_eq!(resolved("src", "../data/x"), "data/x");
        assert_eq!(resolved("src", ".."), ".");
        assert_eq!(resolved("src", "../../a/../.."), "../..");
        assert_eq!(resolved("src", "/a/./b"), "/a/b");
        assert_eq!(inside("src", "../data").as_deref(), Some("data"));
        assert_eq!(inside("", "..a/b").as_deref(), Some("..a/b"));
        for far in ["../../x", "..", "/x", "~/x", "s3://x/y"] {
            assert_eq!(inside(if far == ".." { "" } else { "src" }, far), None, "{far}");
        }
    }
}
