//! The command line as clap sees it. Nothing else uses clap.

mod history;
mod lock;

pub use history::{Cache, Diff, Gc, Runs};
pub use lock::{Lock, Verify};

use super::exit::EXITS;
use clap::builder::styling::{AnsiColor, Style, Styles};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

/// Machine-learning pipelines written down in TOML: checked before they run, cached by content, reproducible.
#[derive(Clone, Debug, Parser)]
#[command(name = "kilter", version, styles = styles(), max_term_width = 100, after_help = after_help())]
#[command(disable_help_subcommand = true, arg_required_else_help = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// What every command takes.
    #[command(flatten)]
    pub global: Global,
}

/// What every command takes.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct Global {
    /// Say only what went wrong
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Say more: cached stages too
    #[arg(long, short, global = true)]
    pub verbose: bool,

    /// When to use colour; `auto` looks at the terminal and at `NO_COLOR`
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: When,
}

/// When to use colour. The values say it themselves; a doc comment on them would double the length of every help page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "see above")]
pub enum When {
    Auto,
    Always,
    Never,
}

/// The commands, in the order of the help.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Check a manifest: names, column types, tensor shapes; runs nothing
    Check(Check),
    /// Show what would run, and why
    Plan(Plan),
    /// Run what has to run
    Run(Run),
    /// Show what is cached, stage by stage
    Status(Status),
    /// Write the lock, from cached results, or mend it after a merge
    Lock(Lock),
    /// Run stages again and compare with the lock, bit for bit
    Verify(Verify),
    /// Say why a stage would run, or what it was made of
    Why(Why),
    /// Show a stage's result: a table's head, a model's layers, metrics, files
    Show(Show),
    /// List the runs of a pipeline, or show one of them
    Runs(Runs),
    /// Compare two runs, locks or git revisions, or one of them with the workspace
    Diff(Diff),
    /// Draw the stages and what they use
    Graph(Graph),
    /// Write a commented starter manifest for a data file
    New(New),
    /// Turn a DVC project into a manifest
    Import(Import),
    /// Remove results that nothing needs any more
    Gc(Gc),
    /// Show what the store holds, check it, mend it
    Cache(Cache),
    /// Print the completions of a shell
    Completions(Completions),
}

/// Params.
#[derive(Clone, Debug, Default, Args)]
pub struct Params {
    /// Set a param of the manifest, as in `--set lr=3e-4`; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
}

/// A manifest, and nothing else.
#[derive(Clone, Debug, Default, Args)]
pub struct OneManifest {
    /// The manifest; may be left out where this folder has exactly one
    #[arg(value_name = "MANIFEST", value_hint = clap::ValueHint::FilePath)]
    pub manifest: Option<String>,

    /// What stands behind it, to say in kilter's words that it is one too many
    #[arg(hide = true)]
    pub more: Vec<String>,
}

impl OneManifest {
    /// All that was given.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        self.manifest.iter().chain(&self.more).cloned().collect()
    }
}

/// `kilter check`
#[derive(Clone, Debug, Args)]
#[command(override_usage = "kilter check [OPTIONS] [MANIFEST]")]
pub struct Check {
    /// The manifest.
    #[command(flatten)]
    pub manifest: OneManifest,

    /// Params.
    #[command(flatten)]
    pub params: Params,

    /// How to write what was found; `json`, `github` (annotations of its CI) and `sarif` go to stdout
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: CheckFormat,
}

/// How `check` writes what it found: for people, as one JSON document, as annotations of GitHub's CI, as SARIF 2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "see above")]
pub enum CheckFormat {
    Text,
    Json,
    Github,
    Sarif,
}

/// `kilter run`
#[derive(Clone, Debug, Args)]
#[command(override_usage = "kilter run [OPTIONS] [MANIFEST] [STAGE]...")]
pub struct Run {
    /// The manifest (a path that ends in `.toml`), then the stages to run with all that they use; without stages, everything
    #[arg(value_name = "MANIFEST | STAGE", value_hint = clap::ValueHint::FilePath)]
    pub words: Vec<String>,

    /// Params.
    #[command(flatten)]
    pub params: Params,

    /// Run the named stages although their results are cached; without stages, all of them
    #[arg(long, short)]
    pub force: bool,

    /// Cores to use in all [default: all of this machine]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,

    /// After a failure, go on with the stages that do not depend on it
    #[arg(long, short)]
    pub keep_going: bool,

    /// Do not use the network; a stage that needs it fails
    #[arg(long)]
    pub offline: bool,

    /// Fail, with exit code 4, where a result would not be the one in the lock; do not write the lock
    #[arg(long)]
    pub locked: bool,

    /// As `--locked` and `--offline` together
    #[arg(long)]
    pub frozen: bool,

    /// Print events to stdout, one JSON object a line
    #[arg(long)]
    pub json: bool,

    /// Write a JUnit report, a test case for each stage, to this file
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub junit: Option<PathBuf>,

    /// Write what trainings tell into TensorBoard's event files below this folder, while they run
    #[arg(long, value_name = "FOLDER", value_hint = clap::ValueHint::DirPath)]
    pub tensorboard: Option<PathBuf>,
}

/// `kilter plan`
#[derive(Clone, Debug, Args)]
#[command(override_usage = "kilter plan [OPTIONS] [MANIFEST] [STAGE]...")]
pub struct Plan {
    /// The manifest (a path that ends in `.toml`), then the stages to plan with all that they use; without stages, everything
    #[arg(value_name = "MANIFEST | STAGE", value_hint = clap::ValueHint::FilePath)]
    pub words: Vec<String>,

    /// Params.
    #[command(flatten)]
    pub params: Params,

    /// Plan as `kilter run --force` would run
    #[arg(long, short)]
    pub force: bool,

    /// Show which columns every stage reads of its inputs
    #[arg(long, short)]
    pub explain: bool,

    /// Print the plan as JSON
    #[arg(long)]
    pub json: bool,
}

/// `kilter status`
#[derive(Clone, Debug, Args)]
#[command(override_usage = "kilter status [OPTIONS] [MANIFEST]")]
pub struct Status {
    /// The manifest.
    #[command(flatten)]
    pub manifest: OneManifest,

    /// Params.
    #[command(flatten)]
    pub params: Params,

    /// Print the status as JSON
    #[arg(long)]
    pub json: bool,
}

/// `kilter why`
#[derive(Clone, Debug, Args)]
#[command(override_usage = "kilter why [OPTIONS] [MANIFEST] <STAGE>")]
pub struct Why {
    /// The manifest (a path that ends in `.toml`), and the stage
    #[arg(value_name = "MANIFEST | STAGE", required = true)]
    pub words: Vec<String>,

    /// Params.
    #[command(flatten)]
    pub params: Params,

    /// Print the reasons and the key as JSON
    #[arg(long)]
    pub json: bool,
}

/// `kilter show`
#[derive(Clone, Debug, Args)]
#[command(override_usage = "kilter show [OPTIONS] [MANIFEST] <STAGE | STAGE.PORT>")]
pub struct Show {
    /// The manifest (a path that ends in `.toml`), and a stage (`split`) or one of its outputs (`split.train`)
    #[arg(value_name = "MANIFEST | STAGE", required = true)]
    pub words: Vec<String>,

    /// Params.
    #[command(flatten)]
    pub params: Params,

    /// Rows of a table, or lines of a file, to show
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10)]
    pub rows: usize,

    /// Rows of a batch, for a model's memory
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    pub batch_size: u64,

    /// Order the points of a stage with axes by a metric, the best first
    #[arg(long, value_name = "METRIC")]
    pub sort: Option<String>,

    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// `kilter import`
#[derive(Clone, Debug, Args)]
pub struct Import {
    /// The project's `dvc.yaml`
    #[arg(value_name = "DVC_YAML", value_hint = clap::ValueHint::FilePath)]
    pub file: PathBuf,

    /// The pipeline's name [default: the folder's]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// Overwrite a manifest that is there
    #[arg(long)]
    pub force: bool,
}

/// `kilter graph`
#[derive(Clone, Debug, Args)]
#[command(override_usage = "kilter graph [OPTIONS] [MANIFEST]")]
pub struct Graph {
    /// The manifest.
    #[command(flatten)]
    pub manifest: OneManifest,

    /// Params.
    #[command(flatten)]
    pub params: Params,

    /// How to draw it [default: by the ending of `-o`, else tree]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<GraphFormat>,

    /// Show which results are there, and which stages would run
    #[arg(long)]
    pub status: bool,

    /// Write it to this file instead of stdout
    #[arg(long, short, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub output: Option<PathBuf>,
}

/// How `graph` draws: lines for a terminal, a Mermaid flowchart for Markdown pages, Graphviz, a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "see above")]
pub enum GraphFormat {
    Tree,
    Mermaid,
    Dot,
    Svg,
}

/// `kilter new`
#[derive(Clone, Debug, Args)]
pub struct New {
    /// The data file: csv, tsv, parquet, json lines or arrow
    #[arg(value_hint = clap::ValueHint::FilePath)]
    pub data: PathBuf,

    /// The column to predict [default: the likeliest]
    #[arg(long, value_name = "COLUMN")]
    pub target: Option<String>,

    /// The pipeline's name, and so the manifest's [default: the data file's]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// Overwrite a manifest that is there
    #[arg(long)]
    pub force: bool,
}

/// `kilter completions`
#[derive(Clone, Copy, Debug, Args)]
pub struct Completions {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// What [`command`] gives, for those who may not name clap.
pub type ClapCommand = clap::Command;

/// The whole command line as data: for help, completions and the reference.
#[must_use]
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Parses the command line of this process; prints help, version and mistakes itself and ends the process then.
#[must_use]
pub fn parse() -> Arguments {
    Arguments::parse_from(asked_for_help(std::env::args_os().collect()))
}

/// `kilter help run` as clap knows it, `kilter run --help`.
fn asked_for_help(mut words: Vec<OsString>) -> Vec<OsString> {
    if words.get(1).is_some_and(|word| word == "help") {
        words.remove(1);
        words.truncate(2);
        words.push("--help".into());
    }
    words
}

/// Completions of a shell.
#[must_use]
pub fn completions(shell: clap_complete::Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "kilter", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

fn after_help() -> String {
    let exits: Vec<String> = EXITS.iter().map(|(exit, meaning)| format!("  {:<5} {meaning}", exit.code())).collect();
    format!(
        "Where a manifest is wanted and none is given, the one of this folder is taken.\n\nExit codes:\n{}",
        exits.join("\n")
    )
}

fn styles() -> Styles {
    let bold = Style::new().bold();
    let cyan = AnsiColor::Cyan.on_default();
    Styles::styled().header(bold).usage(bold).literal(cyan.bold()).placeholder(cyan)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clap_finds_nothing_wrong_with_it() {
        command().debug_assert();
    }

    #[test]
    fn help_is_asked_for_as_elsewhere() {
        let asked = |words: &[&str]| -> Vec<String> {
            let words = std::iter::once("kilter").chain(words.iter().copied()).map(OsString::from).collect();
            asked_for_help(words).into_iter().map(|word| word.to_string_lossy().into_owned()).collect()
        };
        assert_eq!(asked(&["help"]), ["kilter", "--help"]);
        assert_eq!(asked(&["help", "run"]), ["kilter", "run", "--help"]);
        assert_eq!(asked(&["run", "help"]), ["kilter", "run", "help"]);
    }

    #[test]
    fn every_argument_says_what_it_is() {
        for sub in command().get_subcommands() {
            assert!(sub.get_about().is_some(), "{} has no help", sub.get_name());
            for argument in sub.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {} has no help", sub.get_name(), argument.get_id());
            }
        }
    }
}
