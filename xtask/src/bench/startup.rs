//! How long kilter takes to do nothing. Goals: `--version` under 10 ms, a rerun of digits with nothing to do under 30 ms.

use super::timing::{repeat, row};
use crate::command::{Failure, command, run};
use std::process::Command;

const RUNS: usize = 21;

pub fn bench() -> Result<(), Failure> {
    let kilter = super::kilter()?;
    let program = kilter.to_string_lossy().into_owned();
    run(&program, ["run", "pipelines/digits.toml", "--quiet"], &[])?;
    let with = |args: &'static [&'static str]| {
        let program = program.clone();
        move || -> Command {
            let mut made = command(&program);
            made.args(args);
            made
        }
    };
    println!("  {:<42} {:>34}", "", "min / median / max");
    row("true(1), for scale", &repeat(RUNS, &|| command("true"))?);
    row("kilter --version", &repeat(RUNS, &with(&["--version"]))?);
    row("kilter check digits", &repeat(RUNS, &with(&["check", "pipelines/digits.toml"]))?);
    row("kilter run digits, nothing to do", &repeat(RUNS, &with(&["run", "pipelines/digits.toml"]))?);
    Ok(())
}
