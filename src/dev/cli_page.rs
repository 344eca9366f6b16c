//! The page of the command line, from the arguments as they are parsed.

use super::pages::NOTE;
use crate::cli::EXITS;
use crate::cli::args::{ClapCommand, command};

/// Every command with its help.
pub(super) fn cli() -> String {
    let mut program = command().term_width(100).max_term_width(100);
    program.build();
    let mut out = format!("{NOTE}# Command line\n\nData goes to standard output, everything else to standard error.\n");
    out += &format!("\n## kilter\n\n```text\n{}\n```\n", help(&mut program));
    let names: Vec<String> = program.get_subcommands().map(|inner| inner.get_name().to_owned()).collect();
    for name in names {
        if let Some(inner) = program.find_subcommand_mut(&name) {
            out += &format!("\n## kilter {name}\n\n```text\n{}\n```\n", help(inner));
        }
    }
    out += "\n## Exit codes\n\n| code | |\n|---|---|\n";
    for (exit, about) in EXITS {
        out += &format!("| {} | {about} |\n", exit.code());
    }
    out
}

fn help(program: &mut ClapCommand) -> String {
    let text = program.render_long_help().to_string();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim().to_owned()
}
