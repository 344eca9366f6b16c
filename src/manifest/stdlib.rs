//! The modules of `stdlib/`, compiled into the program.

/// A module of the standard library.
#[derive(Clone, Copy, Debug)]
pub struct StdModule {
    /// What `use` names: `std/vision/lenet`.
    pub name: &'static str,
    /// Its manifest.
    pub text: &'static str,
}

macro_rules! modules {
    ($($path:literal),* $(,)?) => {
        &[$(StdModule {
            name: concat!("std/", $path),
            text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/stdlib/", $path, ".toml")),
        }),*]
    };
}

/// Every module, sorted by name.
pub const MODULES: &[StdModule] = modules![
    "rec/two_tower",
    "sequence/lstm",
    "table/clip_outliers",
    "table/dates",
    "table/tidy",
    "tabular/linear_regression",
    "tabular/logistic_regression",
    "tabular/mlp",
    "text/bert_tiny",
    "text/bert_tiny_classifier",
    "text/clean_en",
    "text/clean_zh",
    "text/gpt_tiny",
    "text/lstm",
    "text/textcnn",
    "text/unique",
    "vision/lenet",
    "vision/resnet18",
    "vision/small_resnet",
    "vision/small_vgg",
    "vision/wide_resnet",
];

/// The module that `use` names so.
#[must_use]
pub fn find(name: &str) -> Option<&'static StdModule> {
    MODULES.iter().find(|module| module.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn files(folder: &Path, prefix: &str, out: &mut Vec<String>) {
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        for entry in entries {
            let entry = entry.expect("an entry");
            let name = entry.file_name().to_string_lossy().into_owned();
            match entry.path().is_dir() {
                true => files(&entry.path(), &format!("{prefix}{name}/"), out),
                false => out.extend(name.strip_suffix(".toml").map(|stem| format!("{prefix}{stem}"))),
            }
        }
    }

    #[test]
    fn the_list_is_the_folder() {
        let mut found = Vec::new();
        files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("stdlib"), "std/", &mut found);
        found.sort();
        let listed: Vec<_> = MODULES.iter().map(|module| module.name.to_owned()).collect();
        assert_eq!(listed, found, "list every file of stdlib/ in MODULES, sorted");
    }
}
