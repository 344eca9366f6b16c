//! Files that are generated from the code, and never edited: the JSON schema of manifests and the reference.
//!
//! A test compares them with what lies in the repository, and rewrites them when `UPDATE=1` is set. Beside them [`fuzz`]: the
//! readers that fuzzing calls.

mod cli_page;
mod fields;
pub mod fuzz;
mod pages;
mod schema;

pub use schema::manifest_schema;

/// A generated file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    /// Its path in the repository, with `/`.
    pub path: &'static str,
    /// Its content.
    pub text: String,
}

/// Every generated file.
#[must_use]
pub fn generated() -> Vec<Generated> {
    let file = |path, text| Generated { path, text };
    vec![
        file("docs/schema/kilter.schema.json", format!("{:#}\n", manifest_schema())),
        file("docs/reference/kinds.md", pages::kinds()),
        file("docs/reference/layers.md", pages::layers()),
        file("docs/reference/losses.md", pages::losses()),
        file("docs/reference/metrics.md", pages::metrics()),
        file("docs/reference/diagnostics.md", pages::diagnostics()),
        file("docs/reference/keys.md", pages::keys()),
        file("docs/reference/cli.md", cli_page::cli()),
    ]
}
