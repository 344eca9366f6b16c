//! Fault injection: `cargo xtask faults [NAME …] [--kills N] [--histories N] [--seed N] [--from CALL] [--synced]`. What each of them proves, and what the longest
//! run gave, stands in docs/reliability.md.

mod scene;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod tracer;

use crate::bench::{fresh_folder, kilter};
use crate::command::{Failure, run};
use scene::Scene;
use std::collections::BTreeMap;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How much is done.
struct Amounts {
    kills: u64,
    histories: u64,
    seed: u64,
    /// The first call that goes wrong.
    from: u64,
    /// Only the pipeline with a result that is synced to the disk.
    synced: bool,
}

type Chore = (&'static str, &'static str, fn(&Amounts) -> Result<(), Failure>);

const CHORES: &[Chore] = &[
    ("calls", "kill -9 before every call that changes a file, one after the other", kill_at_calls),
    ("errors", "every such call fails with an I/O error", fail_calls),
    ("full", "every such call fails for want of space", fill_up),
    ("kills", "kill -9 at random times, again and again in one workspace", kill_at_random),
    ("histories", "random histories against a model", histories),
];

/// Runs the named chores, or all.
pub fn faults(args: &[String]) -> Result<(), Failure> {
    let (amounts, names) = parse(args)?;
    if let Some(unknown) = names.iter().find(|name| !CHORES.iter().any(|(known, ..)| known == name)) {
        let known: Vec<String> = CHORES.iter().map(|(name, about, _)| format!("  {name:<10} {about}")).collect();
        return Err(Failure::new(format!("no chore `{unknown}`; there are\n{}", known.join("\n"))));
    }
    crate::setup::setup(false)?;
    run("cargo", ["build", "--bins"], &[])?;
    for (name, about, chore) in CHORES {
        if names.is_empty() || names.iter().any(|wanted| wanted == name) {
            println!("== {name}: {about}");
            let started = Instant::now();
            chore(&amounts)?;
            println!("  {:.0} s", started.elapsed().as_secs_f64());
        }
    }
    Ok(())
}

fn parse(args: &[String]) -> Result<(Amounts, Vec<String>), Failure> {
    let mut amounts = Amounts { kills: 100, histories: 300, seed: 1, from: 1, synced: false };
    let mut names = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let amount = match arg.as_str() {
            "--kills" => &mut amounts.kills,
            "--histories" => &mut amounts.histories,
            "--seed" => &mut amounts.seed,
            "--from" => &mut amounts.from,
            "--synced" => {
                amounts.synced = true;
                continue;
            }
            name => {
                names.push(name.to_owned());
                continue;
            }
        };
        let number = args.next().and_then(|number| number.parse().ok());
        *amount = number.ok_or_else(|| Failure::new(format!("{arg} takes a number")))?;
    }
    Ok((amounts, names))
}

/// The results of a clean run.
fn expected(folder: &Path, kilter: &Path, synced: bool) -> Result<BTreeMap<PathBuf, Vec<u8>>, Failure> {
    let scene = Scene::new(&folder.join("clean"), kilter, synced)?;
    let ran = scene.run()?;
    match ran.code {
        Some(0) => scene.results(),
        code => Err(Failure::new(format!("the clean run ends with {code:?}\n{}", ran.said))),
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod calls {
    use super::*;
    use tracer::Fault;

    /// One run with a fault at call `at`; `None` when it never came to that call.
    fn one(folder: &Path, kilter: &Path, synced: bool, fault: Fault, at: u64, expected: &Expected) -> Outcome {
        let scene = Scene::new(&folder.join("work"), kilter, synced)?;
        let traced = tracer::run(scene.command()?, &scene.folder, fault, at)?;
        let Some(call) = traced.hit else { return Ok(None) };
        let told = scene.told(traced.status.code());
        let what = format!("{fault:?} at call {at} ({call})");
        let bug = told.code == Some(70) || (traced.status.signal().is_some() && fault != Fault::Kill);
        if bug {
            return Err(Failure::new(format!("{what}: ended with {}\n{}", traced.status, told.said)));
        }
        if told.code == Some(0) && scene.results()? != *expected {
            return Err(Failure::new(format!("{what}: it says that all is well, and the results differ")));
        }
        scene
            .mends(&scene_had(&told), expected)
            .map_err(|why| Failure::new(format!("{what}: {why}\nthe run with the fault said\n{}", told.said)))?;
        Ok(Some((call, told.code)))
    }

    type Expected = BTreeMap<PathBuf, Vec<u8>>;
    type Outcome = Result<Option<(&'static str, Option<i32>)>, Failure>;

    fn scene_had(told: &scene::Ran) -> std::collections::BTreeSet<String> {
        told.done.keys().cloned().collect()
    }

    /// The fault at every call, in the pipeline without and with a result that is synced.
    pub(super) fn everywhere(fault: Fault, name: &str, amounts: &Amounts) -> Result<(), Failure> {
        let kilter = kilter()?;
        let both: &[bool] = if amounts.synced { &[true] } else { &[false, true] };
        for &synced in both {
            let folder = fresh_folder(&format!("faults-{name}"))?;
            let expected = expected(&folder, &kilter, synced)?;
            let mut calls: BTreeMap<&str, u64> = BTreeMap::new();
            let mut codes: BTreeMap<Option<i32>, u64> = BTreeMap::new();
            let mut at = amounts.from;
            while let Some((call, code)) = one(&folder, &kilter, synced, fault, at, &expected)? {
                *calls.entry(call).or_default() += 1;
                *codes.entry(code).or_default() += 1;
                if at.is_multiple_of(20) {
                    eprintln!("  … up to call {at} ({call}): right every time");
                }
                at += 1;
            }
            let calls: Vec<String> = calls.iter().map(|(call, times)| format!("{times} {call}")).collect();
            let with = if synced { "with" } else { "without" };
            println!(
                "  {fault:?} at calls {} to {}, {with} a synced result: {}",
                amounts.from,
                at - 1,
                calls.join(", ")
            );
            println!(
                "    ended with {codes:?}; each time the next run gave the right results, and the one after it had nothing to do"
            );
        }
        Ok(())
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn kill_at_calls(amounts: &Amounts) -> Result<(), Failure> {
    calls::everywhere(tracer::Fault::Kill, "calls", amounts)
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn fail_calls(amounts: &Amounts) -> Result<(), Failure> {
    calls::everywhere(tracer::Fault::Fail(libc::EIO), "errors", amounts)
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn fill_up(amounts: &Amounts) -> Result<(), Failure> {
    calls::everywhere(tracer::Fault::Fail(libc::ENOSPC), "full", amounts)
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn kill_at_calls(_: &Amounts) -> Result<(), Failure> {
    Err(Failure::new("calls can be made to fail on x86-64 Linux only"))
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
use kill_at_calls as fail_calls;
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
use kill_at_calls as fill_up;

/// Kills runs at random times. The workspace is checked after one to four kills in a row, and then begun anew.
fn kill_at_random(amounts: &Amounts) -> Result<(), Failure> {
    let kilter = kilter()?;
    let folder = fresh_folder("faults-kills")?;
    let expected = expected(&folder, &kilter, false)?;
    let mut random = Random(amounts.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let (mut kills, mut checks, mut ended) = (0, 0, 0);
    let mut longest = Duration::from_millis(400);
    while kills < amounts.kills {
        let scene = Scene::new(&folder.join("work"), &kilter, false)?;
        let mut had = std::collections::BTreeSet::new();
        for _ in 0..1 + random.below(4) {
            let mut command = scene.command()?;
            command.process_group(0);
            let started = Instant::now();
            let mut child = command.spawn().map_err(|error| Failure::new(format!("cannot start kilter: {error}")))?;
            std::thread::sleep(Duration::from_micros(random.below(longest.as_micros() as u64)));
            let ended_by_itself = matches!(child.try_wait(), Ok(Some(_)));
            let _ = child.kill();
            let status = child.wait().map_err(|error| Failure::new(format!("wait: {error}")))?;
            if ended_by_itself {
                ended += 1;
                longest = longest.min(started.elapsed().max(Duration::from_millis(20)));
            }
            kills += u64::from(status.signal() == Some(9));
            had.extend(scene.had());
        }
        scene.mends(&had, &expected).map_err(|why| Failure::new(format!("after {kills} kills: {why}")))?;
        checks += 1;
    }
    println!(
        "  {kills} kills, {checks} workspaces checked, {ended} runs ended before they were killed; nothing lost, nothing wrong"
    );
    Ok(())
}

fn histories(amounts: &Amounts) -> Result<(), Failure> {
    let count = amounts.histories.to_string();
    let test = "exec::tests::histories::any_history_gives_what_a_clean_run_gives_and_nothing_runs_in_vain";
    run(
        "cargo",
        ["test", "--quiet", "--package", "kilter", "--lib", "--", "--exact", test],
        &[("KILTER_HISTORIES", &count)],
    )?;
    println!("  {count} histories; every output right, nothing ran in vain");
    Ok(())
}

/// A small generator; only the choice of moments depends on it.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit.max(1)
    }
}
