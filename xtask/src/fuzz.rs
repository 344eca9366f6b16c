//! `cargo xtask fuzz [TARGET …] [--seconds N]`: the targets of `fuzz/`, one after the other, each for so long, from the samples that
//! the test of `src/dev/fuzz.rs` uses too. Needs cargo-fuzz; counts stand in docs/reliability.md.
//! libFuzzer counts its runs itself; what it finds lies in `fuzz/artifacts/TARGET/`.

mod rustc;

pub use rustc::in_place_of_rustc;

use crate::command::{Failure, root, run};
use std::process::Command;

/// How long each target runs if nothing else is said.
const SECONDS: &str = "3600";
const SEEDS_TEST: &str = "dev::fuzz::tests::no_reader_is_stopped_by_any_bytes";

/// Runs the named targets, or all.
pub fn fuzz(args: &[String]) -> Result<(), Failure> {
    let (names, seconds) = parse(args)?;
    let targets = targets()?;
    if let Some(unknown) = names.iter().find(|name| !targets.contains(name)) {
        return Err(Failure::new(format!("no target `{unknown}`; there are {}", targets.join(", "))));
    }
    if !Command::new("cargo").args(["fuzz", "--version"]).output().is_ok_and(|ran| ran.status.success()) {
        return Err(Failure::new("fuzzing needs cargo-fuzz: `cargo install cargo-fuzz`"));
    }
    let corpus = root().join("fuzz/corpus").display().to_string();
    let seeds: &[(&str, &str)] = &[("KILTER_FUZZ_SEEDS", &corpus)];
    run("cargo", ["test", "--quiet", "--package", "kilter", "--lib", "--", "--exact", SEEDS_TEST], seeds)?;
    for target in targets.iter().filter(|target| names.is_empty() || names.contains(target)) {
        println!("== {target}, {seconds} s");
        let time = format!("-max_total_time={seconds}");
        // Without a sanitizer: there is hardly any unsafe code here, it is several times faster, and it needs no nightly compiler.
        let smaller = ["--strip-dead-code", "--codegen-units", "16"];
        let of_cargo = ["fuzz", "run", "--sanitizer", "none"].into_iter().chain(smaller).chain([&**target, "--"]);
        let of_fuzzer = [&time, "-timeout=60", "-rss_limit_mb=4096", "-print_final_stats=1", "-verbosity=0"];
        run("cargo", of_cargo.chain(of_fuzzer), &[("RUSTC_WRAPPER", &rustc::wrapper()?), (rustc::MARK, "1")])?;
    }
    Ok(())
}

fn parse(args: &[String]) -> Result<(Vec<String>, String), Failure> {
    let (mut names, mut seconds) = (Vec::new(), SECONDS.to_owned());
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == "--seconds" {
            let number = args.next().filter(|number| number.parse::<u32>().is_ok());
            seconds.clone_from(number.ok_or_else(|| Failure::new("--seconds takes a number"))?);
        } else {
            names.push(arg.clone());
        }
    }
    Ok((names, seconds))
}

/// The targets: a file each.
fn targets() -> Result<Vec<String>, Failure> {
    let folder = root().join("fuzz/fuzz_targets");
    let unread = |error| Failure::new(format!("cannot read {}: {error}", folder.display()));
    let files = std::fs::read_dir(&folder).map_err(unread)?.filter_map(Result::ok);
    let mut names: Vec<String> =
        files.filter_map(|file| Some(file.path().file_stem()?.to_string_lossy().into_owned())).collect();
    names.sort();
    Ok(names)
}
