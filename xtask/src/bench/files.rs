//! Hashing 100,000 small files and one of 4 GB against `b3sum` and `dvc add`, and restoring 10,000 files.
//! Goal: within 1.1 times of b3sum's time.

use super::timing::{Times, row, time};
use super::{fresh_folder, write};
use crate::command::{Failure, run};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

const ROUNDS: usize = 5;
const SMALL: usize = 100_000;
const LARGE: u64 = 4 << 30;
const RESTORED: usize = 10_000;

pub fn bench() -> Result<(), Failure> {
    let tools = super::target()?.join("bench/b3sum");
    let b3sum = tools.join("bin/b3sum");
    if !b3sum.exists() {
        run("cargo", ["install", "--quiet", "b3sum", "--root", &tools.to_string_lossy()], &[])?;
    }
    let kilter = super::kilter()?;
    println!("  {:<42} {:>34}", "", "min / median / max");
    for (name, pattern, make) in [
        ("100,000 small files", "d/**", small_files as fn(&Path) -> Result<(), Failure>),
        ("one file of 4 GB", "d/large", large_file as fn(&Path) -> Result<(), Failure>),
    ] {
        let folder = fresh_folder("files")?;
        make(&folder)?;
        write(&folder.join("kilter.toml"), "")?;
        write(&folder.join("p.toml"), &manifest(pattern))?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            // Nothing is kept from the round before: every byte is hashed.
            let _ = fs::remove_dir_all(folder.join(".kilter"));
            ours.push(time(&|| on(&kilter, &folder, &["plan", "p.toml"]))?);
            let list = "find d -type f | xargs -n 100000 -s 2000000 \"$0\" --no-names > sums";
            theirs.push(time(&|| {
                let mut command = Command::new("sh");
                command.args(["-c", list]).arg(&b3sum).current_dir(&folder);
                command
            })?);
        }
        let (dvc, again) = dvc_add(&folder)?;
        let ratios = ours.iter().zip(&theirs).map(|(our, their)| our / their).collect();
        row(&format!("kilter plan, {name}"), &Times::new(ours));
        row(&format!("b3sum, {name}"), &Times::new(theirs));
        println!("  kilter / b3sum: {:.2}", Times::new(ratios).median());
        row(&format!("dvc add, {name}, once"), &Times::new(vec![dvc]));
        row(&format!("dvc add, {name}, again"), &Times::new(vec![again]));
        let _ = fs::remove_dir_all(&folder);
    }
    restore(&kilter)
}

/// What DVC takes to put the same files under its care (it hashes them with MD5 and copies them to its cache where links cannot be
/// made), and to see that nothing has changed since.
fn dvc_add(folder: &Path) -> Result<(f64, f64), Failure> {
    let dvc = super::stages::dvc_init(folder)?;
    let add = || time(&|| on(&dvc, folder, &["add", "--quiet", "d"]));
    Ok((add()?, add()?))
}

fn on(program: &Path, folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(folder);
    command
}

fn manifest(pattern: &str) -> String {
    format!(
        "[pipeline]\nname = \"files\"\nedition = \"2026\"\n\n[stage.all]\nkind = \"exec\"\ncommand = [\"true\"]\nfiles = [\"{pattern}\"]\n"
    )
}

fn wrong(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}

fn small_files(folder: &Path) -> Result<(), Failure> {
    for index in 0..SMALL {
        let path = folder.join(format!("d/{:03}/{index}.txt", index % 1000));
        let made = path.parent().map_or(Ok(()), fs::create_dir_all);
        made.and_then(|()| fs::write(&path, format!("file {index}\n").repeat(60)))
            .map_err(|error| wrong(&path, &error))?;
    }
    Ok(())
}

fn large_file(folder: &Path) -> Result<(), Failure> {
    let path = folder.join("d/large");
    let failed = |error: std::io::Error| wrong(&path, &error);
    fs::create_dir_all(folder.join("d")).map_err(failed)?;
    let mut file = fs::File::create(&path).map_err(failed)?;
    let mut piece = vec![0_u8; 4 << 20];
    for number in 0..LARGE / piece.len() as u64 {
        piece[..8].copy_from_slice(&number.to_le_bytes());
        file.write_all(&piece).map_err(failed)?;
    }
    Ok(())
}

/// A folder of 10,000 files that is put in its place again.
fn restore(kilter: &Path) -> Result<(), Failure> {
    let folder = fresh_folder("files")?;
    let line = format!("mkdir d; i=0; while [ $i -lt {RESTORED} ]; do echo $i > d/$i; i=$((i+1)); done");
    let text = format!(
        "[pipeline]\nname = \"files\"\nedition = \"2026\"\n\n[stage.all]\nkind = \"exec\"\ncommand = [\"sh\", \"-c\", \"{line}\"]\n\
         outputs.d = \"d/\"\n"
    );
    write(&folder.join("kilter.toml"), "")?;
    write(&folder.join("p.toml"), &text)?;
    time(&|| on(kilter, &folder, &["run", "p.toml"]))?;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let out = folder.join("out");
        fs::remove_dir_all(&out).map_err(|error| wrong(&out, &error))?;
        times.push(time(&|| on(kilter, &folder, &["run", "p.toml"]))?);
    }
    row("kilter run, restoring 10,000 files", &Times::new(times));
    Ok(())
}
