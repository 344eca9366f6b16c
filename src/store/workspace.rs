//! Where the workspace of a manifest is, and what its `kilter.toml` says.
//!
//! The root is the nearest folder at or above the manifest's that holds a `kilter.toml`, else the nearest that holds a
//! `.git`, else the manifest's own folder. Nothing of the settings is ever part of a key.

use super::layout::{GIT, SETTINGS, STATE};
use crate::diag::did_you_mean;
use crate::stage::io_words;
use std::path::{Path, PathBuf};

/// A workspace: the folder that paths may not leave, and its settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    /// The root, absolute.
    pub root: PathBuf,
    /// The folder that holds the store, absolute; `.kilter` unless `store` in `kilter.toml` says otherwise.
    pub store: PathBuf,
}

/// What is wrong with a `kilter.toml`.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// The file or a folder on the way cannot be read.
    #[error("cannot read `{}`: {why}", path.display())]
    Unreadable {
        /// What could not be read.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The file is not TOML, or a setting is unknown or has the wrong type.
    #[error("{}:{line}: {message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// 1-based line.
        line: usize,
        /// What is wrong, and what may stand there.
        message: String,
    },
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Settings {
    store: Option<PathBuf>,
}

const KNOWN: &[&str] = &["store"];

impl Workspace {
    /// The workspace that the manifest at `manifest` (or the folder `manifest`) lies in.
    ///
    /// # Errors
    /// When the folder or an existing `kilter.toml` cannot be read or understood.
    pub fn find(manifest: &Path) -> Result<Self, WorkspaceError> {
        let unreadable =
            |error: std::io::Error| WorkspaceError::Unreadable { path: manifest.to_owned(), why: io_words(&error) };
        let start = std::path::absolute(manifest).map_err(unreadable)?;
        let folder = if start.is_dir() { start.clone() } else { start.parent().unwrap_or(&start).to_owned() };
        let folder = folder.canonicalize().unwrap_or(folder);
        let nearest = |name: &str| folder.ancestors().find(|above| above.join(name).exists()).map(Path::to_owned);
        let root = nearest(SETTINGS).or_else(|| nearest(GIT)).unwrap_or_else(|| folder.clone());
        Self::at(&root)
    }

    /// The workspace whose root is `root`.
    ///
    /// # Errors
    /// When an existing `kilter.toml` cannot be read or understood.
    pub fn at(root: &Path) -> Result<Self, WorkspaceError> {
        let file = root.join(SETTINGS);
        let settings = match std::fs::read_to_string(&file) {
            Ok(text) => parse(&file, &text)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Settings::default(),
            Err(error) => return Err(WorkspaceError::Unreadable { path: file, why: io_words(&error) }),
        };
        let store = root.join(settings.store.unwrap_or_else(|| PathBuf::from(STATE)));
        Ok(Self { root: root.to_owned(), store })
    }
}

fn parse(file: &Path, text: &str) -> Result<Settings, WorkspaceError> {
    let invalid = |start: usize, message: String| WorkspaceError::Invalid {
        path: file.to_owned(),
        line: text[..start.min(text.len())].matches('\n').count() + 1,
        message,
    };
    let mut unknown = Vec::new();
    let reader = toml::Deserializer::parse(text)
        .map_err(|error| invalid(error.span().map_or(0, |span| span.start), error.message().to_owned()))?;
    let settings: Settings = serde_ignored::deserialize(reader, |path| unknown.push(path.to_string())).map_err(
        |error: toml::de::Error| invalid(error.span().map_or(0, |span| span.start), error.message().to_owned()),
    )?;
    if let Some(key) = unknown.first() {
        let at = text.find(key.as_str()).unwrap_or(0);
        let known = KNOWN.iter().copied();
        let hint = did_you_mean(key, known)
            .unwrap_or_else(|| format!("the settings are {}; a newer kilter may know more", KNOWN.join(", ")));
        return Err(invalid(at, format!("unknown setting `{key}`; {hint}")));
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_beat_git_and_git_beats_the_manifests_folder() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let deep = root.join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        let find = || Workspace::find(&deep.join("x.toml")).unwrap();
        if find().root == deep {
            std::fs::create_dir(root.join("a").join(GIT)).unwrap();
            assert_eq!(find().root, root.join("a"));
        }
        std::fs::write(root.join(SETTINGS), "store = \"elsewhere\"\n").unwrap();
        assert_eq!(find(), Workspace { root: root.clone(), store: root.join("elsewhere") });
    }

    #[test]
    fn a_misspelt_setting_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(SETTINGS), "# settings\nstoer = \"x\"\n").unwrap();
        let message = Workspace::at(folder.path()).unwrap_err().to_string();
        assert!(message.ends_with("kilter.toml:2: unknown setting `stoer`; did you mean `store`?"), "{message}");
        std::fs::write(folder.path().join(SETTINGS), "remotes = []\n").unwrap();
        let message = Workspace::at(folder.path()).unwrap_err().to_string();
        assert!(message.ends_with("the settings are store; a newer kilter may know more"), "{message}");
        std::fs::write(folder.path().join(SETTINGS), "store = 3\n").unwrap();
        assert!(Workspace::at(folder.path()).is_err());
    }
}
