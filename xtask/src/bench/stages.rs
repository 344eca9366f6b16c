//! 1,000 trivial stages: each runs `cp` of one small file to another. Cold, and again with nothing to do.
//! Goals: nothing-to-do at least 100 times faster than DVC, cold overhead within 2 times of ninja's.

use super::timing::{Times, row, time};
use super::{fresh_folder, python_environment, write};
use crate::command::Failure;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const STAGES: usize = 1000;
const JOBS: &str = "2";

pub fn bench() -> Result<(), Failure> {
    let kilter = super::kilter()?;
    let python = python_environment("runners", &["ninja==1.13.2", "dvc==3.67.1", "snakemake==9.27.1"], false)?;
    println!("  {STAGES} stages, {JOBS} jobs; a cold run once, nothing to do five times (Snakemake and DVC once)");
    println!("  {:<42} {:>34}", "", "min / median / max");
    let quick = [
        runner("kilter", 5, kilter_project, move |folder| on(&kilter, folder, &["run", "--jobs", JOBS, "many.toml"])),
        runner("ninja", 5, ninja_project, {
            let program = python.join("ninja");
            move |folder| on(&program, folder, &["-j", JOBS])
        }),
        runner("snakemake", 1, snakemake_project, {
            let program = python.join("snakemake");
            move |folder| on(&program, folder, &["--cores", JOBS, "--quiet"])
        }),
        runner("dvc", 1, dvc_project, {
            let program = python.join("dvc");
            move |folder| on(&program, folder, &["repro"])
        }),
    ];
    let mut noop = Vec::new();
    let mut cold = Vec::new();
    for runner in &quick {
        let (first, again) = measure(runner)?;
        cold.push((runner.name, first));
        noop.push((runner.name, again));
    }
    compare("cold, kilter against", &cold);
    compare("nothing to do, kilter against", &noop);
    Ok(())
}

/// One program of the comparison.
struct Runner {
    name: &'static str,
    noop_runs: usize,
    project: fn(&Path) -> Result<(), Failure>,
    command: Box<dyn Fn(&Path) -> Command>,
}

fn runner(
    name: &'static str,
    noop_runs: usize,
    project: fn(&Path) -> Result<(), Failure>,
    command: impl Fn(&Path) -> Command + 'static,
) -> Runner {
    Runner { name, noop_runs, project, command: Box::new(command) }
}

fn on(program: &Path, folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(folder).env("DVC_NO_ANALYTICS", "1");
    command
}

fn measure(runner: &Runner) -> Result<(f64, f64), Failure> {
    let folder = fresh_folder(&format!("stages-{}", runner.name))?;
    write(&folder.join("in.txt"), "kilter\n")?;
    (runner.project)(&folder)?;
    let cold = time(&|| (runner.command)(&folder))?;
    row(&format!("{}, cold", runner.name), &Times::new(vec![cold]));
    let again = (0..runner.noop_runs).map(|_| time(&|| (runner.command)(&folder))).collect::<Result<Vec<_>, _>>()?;
    let again = Times::new(again);
    row(&format!("{}, nothing to do", runner.name), &again);
    Ok((cold, again.median()))
}

fn compare(title: &str, seconds: &[(&str, f64)]) {
    let Some((_, ours)) = seconds.first() else { return };
    for (name, theirs) in &seconds[1..] {
        println!("  {title} {name}: {:.2} times its time ({:.1} times as fast)", ours / theirs, theirs / ours);
    }
}

fn kilter_project(folder: &Path) -> Result<(), Failure> {
    let mut text = String::from("[pipeline]\nname = \"many\"\nedition = \"2026\"\n");
    for index in 0..STAGES {
        let _ = write!(
            text,
            "\n[stage.s{index}]\nkind = \"exec\"\ncommand = [\"cp\", \"in.txt\", \"{index}.txt\"]\nfiles = [\"in.txt\"]\n\
             env = {{ N = \"{index}\" }}\noutputs.out = {{ path = \"{index}.txt\" }}\n"
        );
    }
    write(&folder.join("kilter.toml"), "")?;
    write(&folder.join("many.toml"), &text)
}

fn ninja_project(folder: &Path) -> Result<(), Failure> {
    let mut text = String::from("rule copy\n  command = cp $in $out\n");
    for index in 0..STAGES {
        let _ = writeln!(text, "build {index}.txt: copy in.txt");
    }
    write(&folder.join("build.ninja"), &text)
}

fn snakemake_project(folder: &Path) -> Result<(), Failure> {
    let text = format!(
        "rule all:\n    input: expand('{{i}}.txt', i=range({STAGES}))\n\nrule copy:\n    input: 'in.txt'\n    \
         output: '{{i}}.txt'\n    wildcard_constraints: i=r'\\d+'\n    shell: 'cp {{input}} {{output}}'\n"
    );
    write(&folder.join("Snakefile"), &text)
}

fn dvc_project(folder: &Path) -> Result<(), Failure> {
    let dvc = dvc_program()?;
    for args in [&["init", "--no-scm", "--quiet"][..], &["config", "core.analytics", "false"]] {
        time(&|| on(&dvc, folder, args))?;
    }
    let mut text = String::from("stages:\n");
    for index in 0..STAGES {
        let _ =
            write!(text, "  s{index}:\n    cmd: cp in.txt {index}.txt\n    deps: [in.txt]\n    outs: [{index}.txt]\n");
    }
    write(&folder.join("dvc.yaml"), &text)
}

fn dvc_program() -> Result<PathBuf, Failure> {
    Ok(super::target()?.join("bench/python-runners/bin/dvc"))
}
