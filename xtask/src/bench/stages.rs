//! 100, 1,000 and 10,000 trivial stages: each runs `cp` of one small file to another. Cold, and again with nothing to do.
//! Goals: with nothing to do within 2 times of ninja's time at 10,000 stages, and at least 100 times faster than DVC; cold within
//! 2 times of ninja's, and linear.

use super::timing::{Times, row, time};
use super::{fresh_folder, python_environment, write};
use crate::command::Failure;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const JOBS: &str = "2";

/// How many stages, and how often kilter and ninja are measured with so many, in turn.
const SIZES: &[(usize, usize)] = &[(100, 5), (1_000, 5), (10_000, 2)];
/// DVC runs cold once, with at most so many: more take days. Its state of more is written down for it.
const MOST_FOR_DVC: usize = 1_000;
/// How often a run with nothing to do is repeated after a cold one.
const AGAIN: usize = 3;

/// kilter and ninja, in turn.
pub fn bench() -> Result<(), Failure> {
    let python = runners()?;
    for (stages, rounds) in SIZES {
        against_ninja(*stages, *rounds, &python)?;
    }
    Ok(())
}

/// Snakemake and DVC, once each: they take from minutes to an hour.
pub fn slow_ones() -> Result<(), Failure> {
    let python = runners()?;
    for (stages, _) in SIZES {
        against_slow_ones(*stages, &python)?;
    }
    Ok(())
}

/// The folder of programs of an environment that has ninja, DVC and Snakemake.
pub fn runners() -> Result<PathBuf, Failure> {
    python_environment("runners", &["ninja==1.13.2", "dvc==3.67.1", "snakemake==9.27.1"])
}

fn kilter_runner(stages: usize) -> Result<Runner, Failure> {
    let kilter = super::kilter()?;
    let run = move |folder: &Path| on(&kilter, folder, &["run", "--jobs", JOBS, "many.toml"]);
    Ok(runner("kilter", stages, kilter_project, run))
}

fn against_ninja(stages: usize, rounds: usize, python: &Path) -> Result<(), Failure> {
    println!("  {stages} stages, {JOBS} jobs; kilter and ninja in turn, {rounds} rounds");
    println!("  {:<42} {:>34}", "", "min / median / max");
    let ninja = python.join("ninja");
    let ninja = runner("ninja", stages, ninja_project, move |folder| on(&ninja, folder, &["-j", JOBS]));
    let (ours, theirs) = in_turn(&kilter_runner(stages)?, &ninja, rounds)?;
    ours.rows("kilter");
    theirs.rows("ninja");
    println!("  kilter / ninja, round by round: cold {}", ratios(&ours.cold, &theirs.cold));
    println!("  kilter / ninja, round by round: nothing to do {}", ratios(&ours.noop, &theirs.noop));
    let (kilter, folder) = (super::kilter()?, super::target()?.join("bench/stages-kilter"));
    for command in ["check", "plan", "status"] {
        let times = super::timing::repeat(5, &|| on(&kilter, &folder, &[command, "many.toml"]))?;
        row(&format!("kilter {command}, all cached"), &times);
    }
    Ok(())
}

fn against_slow_ones(stages: usize, python: &Path) -> Result<(), Failure> {
    println!("  {stages} stages, {JOBS} jobs, once each");
    let mut ours = Measured::default();
    ours.add(&kilter_runner(stages)?)?;
    ours.rows("kilter");
    let snakemake = python.join("snakemake");
    // With integer programs, its default, it had done 1,130 of 10,000 jobs after 30 minutes.
    let scheduler = ["--cores", JOBS, "--quiet", "all", "--scheduler", "greedy"];
    once(&runner("snakemake", stages, snakemake_project, move |folder| on(&snakemake, folder, &scheduler)), &ours)?;
    if stages > MOST_FOR_DVC {
        return dvc_again(stages, python, &ours);
    }
    let dvc = python.join("dvc");
    once(&runner("dvc", stages, dvc_project, move |folder| on(&dvc, folder, &["repro"])), &ours)
}

/// A slow program, measured once.
fn once(slow: &Runner, ours: &Measured) -> Result<(), Failure> {
    let mut measured = Measured::default();
    measured.add(slow)?;
    measured.rows(slow.name);
    for (what, slow_times, our_times) in
        [("cold", &measured.cold, &ours.cold), ("nothing to do", &measured.noop, &ours.noop)]
    {
        let factor = Times::new(slow_times.clone()).median() / Times::new(our_times.clone()).median();
        println!("  {what}, kilter is {factor:.1} times as fast as {}", slow.name);
    }
    Ok(())
}

/// DVC with nothing to do, once: it takes minutes.
fn dvc_again(stages: usize, python: &Path, ours: &Measured) -> Result<(), Failure> {
    let folder = fresh_folder("stages-dvc")?;
    write(&folder.join("in.txt"), "kilter\n")?;
    dvc_done_project(&folder, stages)?;
    let dvc = python.join("dvc");
    let times = Times::new(vec![time(&|| on(&dvc, &folder, &["repro"]))?]);
    row("dvc, nothing to do", &times);
    println!(
        "  nothing to do, kilter is {:.1} times as fast as dvc",
        times.median() / Times::new(ours.noop.clone()).median()
    );
    Ok(())
}

/// What one program took, round by round, in seconds.
#[derive(Default)]
struct Measured {
    cold: Vec<f64>,
    noop: Vec<f64>,
}

impl Measured {
    /// One round: a cold run in a fresh folder, then a run with nothing to do.
    fn add(&mut self, runner: &Runner) -> Result<(), Failure> {
        let folder = fresh_folder(&format!("stages-{}", runner.name))?;
        write(&folder.join("in.txt"), "kilter\n")?;
        (runner.project)(&folder, runner.stages)?;
        self.cold.push(time(&|| (runner.command)(&folder))?);
        // Of what was written a moment ago times tell nothing yet: the first one looks at everything again.
        time(&|| (runner.command)(&folder))?;
        std::thread::sleep(std::time::Duration::from_secs(3));
        let noop = (0..AGAIN).map(|_| time(&|| (runner.command)(&folder))).collect::<Result<Vec<_>, _>>()?;
        self.noop.push(Times::new(noop).median());
        Ok(())
    }

    fn rows(&self, name: &str) {
        row(&format!("{name}, cold"), &Times::new(self.cold.clone()));
        row(&format!("{name}, nothing to do"), &Times::new(self.noop.clone()));
    }
}

fn in_turn(one: &Runner, other: &Runner, rounds: usize) -> Result<(Measured, Measured), Failure> {
    let (mut ours, mut theirs) = (Measured::default(), Measured::default());
    for _ in 0..rounds {
        ours.add(one)?;
        theirs.add(other)?;
    }
    Ok((ours, theirs))
}

/// The ratios of two programs' times, pair by pair: `min / median / max`.
fn ratios(ours: &[f64], theirs: &[f64]) -> String {
    let mut ratios: Vec<f64> = ours.iter().zip(theirs).map(|(our, their)| our / their).collect();
    ratios.sort_by(f64::total_cmp);
    let (first, last) = (ratios.first().copied().unwrap_or(f64::NAN), ratios.last().copied().unwrap_or(f64::NAN));
    format!("{first:.2} / {:.2} / {last:.2}", Times::new(ratios).median())
}

/// One program of the comparison.
struct Runner {
    name: &'static str,
    stages: usize,
    project: fn(&Path, usize) -> Result<(), Failure>,
    command: Box<dyn Fn(&Path) -> Command>,
}

fn runner(
    name: &'static str,
    stages: usize,
    project: fn(&Path, usize) -> Result<(), Failure>,
    command: impl Fn(&Path) -> Command + 'static,
) -> Runner {
    Runner { name, stages, project, command: Box::new(command) }
}

fn on(program: &Path, folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(folder).env("DVC_NO_ANALYTICS", "1");
    command
}

fn kilter_project(folder: &Path, stages: usize) -> Result<(), Failure> {
    let mut text = String::from("[pipeline]\nname = \"many\"\nedition = \"2026\"\n");
    for index in 0..stages {
        let _ = write!(
            text,
            "\n[stage.s{index}]\nkind = \"exec\"\ncommand = [\"cp\", \"in.txt\", \"{index}.txt\"]\nfiles = [\"in.txt\"]\n\
             env = {{ N = \"{index}\" }}\noutputs.out = {{ path = \"{index}.txt\" }}\n"
        );
    }
    write(&folder.join("kilter.toml"), "")?;
    write(&folder.join("many.toml"), &text)
}

fn ninja_project(folder: &Path, stages: usize) -> Result<(), Failure> {
    let mut text = String::from("rule copy\n  command = cp $in $out\n");
    for index in 0..stages {
        let _ = writeln!(text, "build {index}.txt: copy in.txt");
    }
    write(&folder.join("build.ninja"), &text)
}

fn snakemake_project(folder: &Path, stages: usize) -> Result<(), Failure> {
    let text = format!(
        "rule all:\n    input: expand('{{i}}.txt', i=range({stages}))\n\nrule copy:\n    input: 'in.txt'\n    \
         output: '{{i}}.txt'\n    wildcard_constraints: i=r'\\d+'\n    shell: 'cp {{input}} {{output}}'\n"
    );
    write(&folder.join("Snakefile"), &text)
}

fn dvc_project(folder: &Path, stages: usize) -> Result<(), Failure> {
    dvc_init(folder)?;
    write_stages(folder, stages)
}

fn write_stages(folder: &Path, stages: usize) -> Result<(), Failure> {
    let mut text = String::from("stages:\n");
    for index in 0..stages {
        let _ =
            write!(text, "  s{index}:\n    cmd: cp in.txt {index}.txt\n    deps: [in.txt]\n    outs: [{index}.txt]\n");
    }
    write(&folder.join("dvc.yaml"), &text)
}

/// A project of which DVC has run every stage: DVC runs one, and what it wrote down of that one is written down of each.
fn dvc_done_project(folder: &Path, stages: usize) -> Result<(), Failure> {
    dvc_project(folder, 1)?;
    let repro = runners()?.join("dvc");
    time(&|| on(&repro, folder, &["repro"]))?;
    let read = |name: &str| {
        std::fs::read_to_string(folder.join(name)).map_err(|error| Failure::new(format!("cannot read {name}: {error}")))
    };
    let (lock, copied) = (read("dvc.lock")?, read("0.txt")?);
    let (head, one) =
        lock.split_once("  s0:").ok_or_else(|| Failure::new("dvc.lock does not have the stage `s0`".to_owned()))?;
    let mut text = head.to_owned();
    for index in 0..stages {
        let _ = write!(text, "  s{index}:{}", one.replace(" 0.txt", &format!(" {index}.txt")));
        write(&folder.join(format!("{index}.txt")), &copied)?;
    }
    write_stages(folder, stages)?;
    write(&folder.join("dvc.lock"), &text)
}

/// Makes a folder DVC's, and gives DVC's program.
pub fn dvc_init(folder: &Path) -> Result<PathBuf, Failure> {
    let dvc = runners()?.join("dvc");
    for args in [&["init", "--no-scm", "--quiet"][..], &["config", "core.analytics", "false"]] {
        time(&|| on(&dvc, folder, args))?;
    }
    Ok(dvc)
}
