//! What to take out of an archive: one file, a folder, or what a pattern names.

use super::package::Wrong;
use globset::{GlobBuilder, GlobMatcher};

/// A selection inside an archive.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// As written.
    pub(super) text: String,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    File,
    /// Everything below the folder; the text ends with `/`.
    Folder,
    /// What a pattern names; `prefix` are the folders before its first wildcard, with their `/`.
    Glob {
        prefix: String,
        matcher: GlobMatcher,
    },
}

impl Member {
    /// Reads a selection.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        let wrong =
            |label: &str, hint: String| Wrong::new(format!("`{text}` is not a path inside an archive"), label, hint);
        let relative = text.trim_start_matches("./");
        if relative.is_empty() {
            return Err(wrong("no path", "leave `member` out to take the file as it is".to_owned()));
        }
        if let Some(rest) = relative.strip_prefix('/') {
            return Err(wrong("begins with `/`", format!("paths inside an archive are relative: `{rest}`")));
        }
        if relative.contains('\\') {
            return Err(wrong("a backslash", format!("write `{}`", relative.replace('\\', "/"))));
        }
        if relative.split('/').any(|part| part == "..") {
            return Err(wrong("climbs with `..`", "name the path from the archive's top".to_owned()));
        }
        let what = if relative.contains(['*', '?', '[', '{']) {
            let matcher = GlobBuilder::new(relative).literal_separator(true).build();
            let matcher = matcher.map_err(|error| wrong(&error.kind().to_string(), "mend the pattern".to_owned()))?;
            let wildcard = relative.find(['*', '?', '[', '{']).unwrap_or(0);
            let prefix = relative[..wildcard].rfind('/').map_or("", |slash| &relative[..=slash]);
            What::Glob { prefix: prefix.to_owned(), matcher: matcher.compile_matcher() }
        } else if relative.ends_with('/') {
            What::Folder
        } else {
            What::File
        };
        Ok(Self { text: relative.to_owned(), what })
    }

    /// Whether it may give several files.
    pub(super) fn is_dir(&self) -> bool {
        !matches!(self.what, What::File)
    }

    /// The name in the output of an archived file that is selected.
    pub(super) fn takes<'a>(&self, name: &'a str) -> Option<&'a str> {
        match &self.what {
            What::File => (name == self.text).then(|| name.rsplit('/').next().unwrap_or(name)),
            What::Folder => name.strip_prefix(self.text.as_str()).filter(|rest| !rest.is_empty()),
            What::Glob { prefix, matcher } => matcher.is_match(name).then(|| &name[prefix.len()..]),
        }
    }

    /// What is left to select inside of `name`, where the path goes on below it.
    pub(super) fn below(&self, name: &str) -> Option<&str> {
        self.text.strip_prefix(name)?.strip_prefix('/').filter(|rest| !rest.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(text: &str, name: &'static str) -> Option<&'static str> {
        Member::parse(text).expect("a member").takes(name)
    }

    #[test]
    fn a_file_a_folder_and_a_pattern() {
        assert_eq!(taken("a/b.csv", "a/b.csv"), Some("b.csv"));
        assert_eq!(taken("a/b.csv", "a/b.csv.gz"), None);
        assert_eq!(taken("a/", "a/b/c.csv"), Some("b/c.csv"));
        assert_eq!(taken("a/", "ab/c.csv"), None);
        assert_eq!(taken("img/*.png", "img/1.png"), Some("1.png"));
        assert_eq!(taken("img/*.png", "img/x/1.png"), None);
        assert_eq!(taken("img/**/*.png", "img/x/1.png"), Some("x/1.png"));
        assert_eq!(taken("img/x*/1.png", "img/x2/1.png"), Some("x2/1.png"));
        assert_eq!(taken("*.txt", "a.txt"), Some("a.txt"));
    }

    #[test]
    fn a_path_may_go_on_inside_a_file() {
        let member = Member::parse("x/inner.zip/a.csv").expect("a member");
        assert_eq!(member.below("x/inner.zip"), Some("a.csv"));
        assert_eq!(member.below("x/inner"), None);
        assert_eq!(member.below("x"), Some("inner.zip/a.csv"));
    }

    #[test]
    fn paths_that_leave_the_archive_are_refused() {
        for text in ["/etc/passwd", "../x", "a/../../x", "", "a\\b", "a[.csv"] {
            assert!(Member::parse(text).is_err(), "{text}");
        }
    }
}
