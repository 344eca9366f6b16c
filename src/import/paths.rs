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

/// Whether a path lies in a folder, and is not that folder itself.
pub(super) fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

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
