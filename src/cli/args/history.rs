//! The commands that look at what was done and kept: `runs`, `diff`, `gc`, `cache`.

use super::Params;
use clap::Args;
use std::path::PathBuf;

/// `kilter runs`
#[derive(Clone, Debug, Args)]
#[command(override_usage = "kilter runs [OPTIONS] [MANIFEST] [RUN]")]
pub struct Runs {
    /// The manifest whose runs to list (without one, those of the whole workspace), or the beginning of a run's id
    #[arg(value_name = "MANIFEST | RUN", value_hint = clap::ValueHint::FilePath)]
    pub words: Vec<String>,

    /// How many runs to list
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
    pub number: usize,

    /// List runs too that had nothing to do
    #[arg(long, short)]
    pub all: bool,

    /// Print them as JSON
    #[arg(long)]
    pub json: bool,
}

/// `kilter diff`
#[derive(Clone, Debug, Args)]
#[command(override_usage = "kilter diff [OPTIONS] [MANIFEST] [A] [B]")]
pub struct Diff {
    /// The manifest, then what to compare: the beginning of a run's id (or `last`), a `.lock` file, a git revision, or
    /// `workspace`; without B, A with the workspace; without A, the last run with the workspace
    #[arg(value_name = "MANIFEST | A | B", value_hint = clap::ValueHint::FilePath)]
    pub words: Vec<String>,

    /// Params of the workspace's side.
    #[command(flatten)]
    pub params: Params,

    /// Print it as JSON
    #[arg(long, conflicts_with = "markdown")]
    pub json: bool,

    /// Print it as Markdown, fit for a comment on a pull request
    #[arg(long)]
    pub markdown: bool,
}

/// `kilter gc`
#[derive(Clone, Debug, Args)]
pub struct Gc {
    /// A folder of the workspace [default: the current one]
    #[arg(value_hint = clap::ValueHint::DirPath)]
    pub folder: Option<PathBuf>,

    /// Only show what would go
    #[arg(long)]
    pub dry_run: bool,

    /// Keep the last N runs of every pipeline that came to different results, and what they need
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub keep_runs: usize,

    /// Remove only what was not used for so long, as in `30d` or `12h`; for runs [default: 90d]
    #[arg(long, value_name = "AGE")]
    pub older_than: Option<String>,

    /// Remove only so much that the store is no larger than this, as in `20GB`; the longest unused goes first
    #[arg(long, value_name = "SIZE")]
    pub max_size: Option<String>,

    /// Print the plan as JSON
    #[arg(long)]
    pub json: bool,
}

/// `kilter cache`
#[derive(Clone, Debug, Args)]
pub struct Cache {
    /// A folder of the workspace [default: the current one]
    #[arg(value_hint = clap::ValueHint::DirPath)]
    pub folder: Option<PathBuf>,

    /// Read every blob and see whether its bytes are what they should be
    #[arg(long)]
    pub check: bool,

    /// Check, move damaged blobs into quarantine, and drop the results that lack them; the next run makes them again
    #[arg(long)]
    pub repair: bool,

    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}
