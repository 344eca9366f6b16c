//! The workflows of `docs/guide/ci.md`, command by command, in real git repositories: a clone of a project with three branches, one
//! that changes a result as it should, one that forgets the lock, and one that cannot be repeated.

use crate::docs::path_with_kilter;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// A pipeline that needs nothing but the standard tools.
const MANIFEST: &str = r#"
[pipeline]
name = "first"
edition = "2026"

[params]
rows = 3

[stage.some]
kind = "exec"
command = ["sh", "some.sh", "${rows}", "{outputs.rows}"]
files = ["some.sh", "data.csv"]
outputs.rows = { path = "rows.csv", type = "table" }

[stage.head]
kind = "exec"
command = ["sh", "-c", "head -n ${rows} data.csv > head.csv"]
files = ["data.csv"]
outputs.head = "head.csv"

[stage.score]
kind = "exec"
command = ["sh", "-c", "printf '{\"accuracy\": 0.%s}' $(wc -l < head.csv) > scores.json"]
inputs.head = { from = "head.head", at = "head.csv" }
outputs.scores = { path = "scores.json", type = "metrics" }
"#;

const SCRIPT: &str = "head -n \"$1\" data.csv > \"$2\"\n";
/// It writes the time into its output.
const CLOCK: &str = "head -n \"$1\" data.csv > \"$2\"\necho \"$(date +%s%N),9\" >> \"$2\"\n";

/// A project, and clones of it.
struct Project {
    folder: TempDir,
}

impl Project {
    /// A project whose main branch has its lock.
    fn new() -> Self {
        let project = Self::without_lock();
        project.run_and_commit("lock");
        project
    }

    fn without_lock() -> Self {
        let project = Self { folder: tempfile::tempdir().expect("a folder") };
        fs::create_dir(project.origin()).expect("a folder");
        project.git(&project.origin(), &["init", "-q", "-b", "main"]);
        for (name, text) in [("first.toml", MANIFEST), ("some.sh", SCRIPT), ("data.csv", "a,b\n1,2\n3,4\n5,6\n7,8\n")] {
            fs::write(project.origin().join(name), text).expect("written");
        }
        fs::write(project.origin().join("kilter.toml"), "").expect("written");
        fs::write(project.origin().join(".gitignore"), "/out\n/kilter.*\n!/kilter.toml\n").expect("written");
        project.git(&project.origin(), &["add", "-A"]);
        project.git(&project.origin(), &["commit", "-qm", "first"]);
        // What would write a comment, build kilter or install packages notes what it was asked for.
        project.stand_in("gh", "echo \"$@\" > \"$log\"; cat kilter.md >> \"$log\"");
        project.stand_in("cargo", "echo \"$(basename \"$PWD\"): cargo $*\" >> \"$log\"");
        project.stand_in("apt-get", "echo \"apt-get $*\" >> \"$log\"");
        project
    }

    /// A program that does `line` in place of the one of this name, and may write into its `$log`.
    fn stand_in(&self, name: &str, line: &str) {
        let program = self.folder.path().join(name);
        fs::write(&program, format!("#!/bin/sh\nlog=\"$0.log\"\n{line}\n")).expect("written");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a mode");
    }

    /// What a program's stand-in noted.
    fn log(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(format!("{name}.log"))).expect("a log")
    }

    fn origin(&self) -> PathBuf {
        self.folder.path().join("origin")
    }

    fn git(&self, at: &Path, arguments: &[&str]) {
        let output = Command::new("git")
            .args(["-c", "user.name=T", "-c", "user.email=t@example.org", "-C"])
            .arg(at)
            .args(arguments)
            .output()
            .expect("git runs");
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// What a developer does: runs, and commits with the lock.
    fn run_and_commit(&self, message: &str) {
        let ran = self.shell(&self.origin(), "kilter run first.toml");
        assert!(ran.status.success(), "{}", said(&ran));
        self.git(&self.origin(), &["add", "-A"]);
        self.git(&self.origin(), &["commit", "-qm", message]);
    }

    /// A branch off `main` with other texts in some files; `locked` says whether the lock is brought up to date.
    fn branch(&self, name: &str, changes: &[(&str, &str, &str)], locked: bool) {
        self.git(&self.origin(), &["checkout", "-q", "-b", name, "main"]);
        for (file, old, new) in changes {
            let path = self.origin().join(file);
            let text = fs::read_to_string(&path).expect("text");
            assert!(text.contains(old), "{file} lacks {old}");
            fs::write(&path, text.replace(old, new)).expect("written");
        }
        if locked {
            self.run_and_commit(name);
        } else {
            self.git(&self.origin(), &["commit", "-qam", name]);
        }
        self.git(&self.origin(), &["checkout", "-q", "main"]);
    }

    /// What CI begins with: a fresh clone of a branch, with a folder for kilter's sources.
    fn clone(&self, branch: &str) -> PathBuf {
        let place = self.folder.path().join(format!("clone-{branch}"));
        let _ = fs::remove_dir_all(&place);
        let (from, to) = (self.origin(), place.to_string_lossy().into_owned());
        self.git(self.folder.path(), &["clone", "-q", "-b", branch, &from.to_string_lossy(), &to]);
        fs::create_dir(place.join(".kilter-source")).expect("a folder");
        place
    }

    fn shell(&self, at: &Path, command: &str) -> Output {
        Command::new("sh")
            .args(["-c", command])
            .current_dir(at)
            .env("PATH", format!("{}:{}", self.folder.path().display(), path_with_kilter()))
            .envs([("NO_COLOR", "1"), ("PR", "7"), ("GITHUB_RUN_NUMBER", "3"), ("GITHUB_BASE_REF", "main")])
            .envs([("CI_PIPELINE_IID", "3"), ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main")])
            .envs(["GITHUB_PATH", "GITHUB_STEP_SUMMARY"].map(|name| (name, self.folder.path().join(name))))
            // Any repository will do where nothing is built.
            .env("KILTER_REPOSITORY", self.origin())
            .env("KILTER_REVISION", "main")
            .output()
            .expect("sh runs")
    }

    /// The exit code of each command, and all that was said. The later ones are run also where an earlier one failed.
    fn workflow(&self, at: &Path, commands: &[String]) -> (Vec<i32>, String) {
        let mut told = String::new();
        let mut codes = Vec::new();
        for command in commands {
            let output = self.shell(at, command);
            codes.push(output.status.code().unwrap_or(-1));
            told.push_str(&format!("$ {command}\n{}", said(&output)));
        }
        (codes, told)
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The commands of the page's workflows: `run:` of GitHub's, the lists under `before_script:` and `script:` of GitLab's.
fn commands() -> (Vec<String>, Vec<String>) {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/guide/ci.md")).expect("the page");
    let github = page.lines().filter_map(|line| line.trim().strip_prefix("run: ")).map(str::to_owned).collect();
    let list = |head: &str| -> Vec<String> {
        let items = page.lines().skip_while(|line| line.trim() != head).skip(1);
        items.map_while(|line| line.trim().strip_prefix("- ")).map(str::to_owned).collect()
    };
    (github, [list("before_script:"), list("script:")].concat())
}

/// Which of the commands this is the beginning of.
fn place(commands: &[String], beginning: &str) -> usize {
    let places: Vec<usize> = (0..commands.len()).filter(|at| commands[*at].starts_with(beginning)).collect();
    assert_eq!(places.len(), 1, "{beginning} in {commands:?}");
    places[0]
}

/// The exit codes of `kilter check` (that of GitHub, with annotations) and `kilter run` in GitHub's workflow.
fn check_and_run(github: &[String], codes: &[i32]) -> (i32, i32) {
    let code = |beginning: &str| codes[place(github, beginning)];
    (code("kilter check first.toml --format github"), code("kilter run"))
}

#[test]
fn the_workflows_pass_what_is_right_and_stop_what_is_not() {
    let project = Project::new();
    let (github, gitlab) = commands();
    assert_eq!((github.len(), gitlab.len()), (9, 7), "{github:?} {gitlab:?}");
    project.branch("better", &[("first.toml", "rows = 3", "rows = 4")], true);
    project.branch("unlocked", &[("first.toml", "rows = 3", "rows = 4")], false);

    let (codes, told) = project.workflow(&project.clone("better"), &github);
    assert_eq!(codes, [0; 9], "{told}");
    // As `cargo xtask` builds it.
    assert_eq!(project.log("cargo"), ".kilter-source: cargo xtask setup\n.kilter-source: cargo build --bins\n");
    assert!(include_str!("../../xtask/src/main.rs").contains("run(\"cargo\", [\"build\", \"--bins\"], &[])"));
    let path = fs::read_to_string(project.folder.path().join("GITHUB_PATH")).expect("a path");
    assert!(path.ends_with("/clone-better/.kilter-source/target/debug\n"), "{path}");
    let comment = project.log("gh");
    assert!(comment.starts_with("pr comment 7 --body-file kilter.md"), "{comment}");
    assert!(comment.contains("| score | accuracy | 0.300 | 0.400 | +0.100 (+33.3 %) | better |"), "{comment}");
    assert!(comment.contains("**some**: changed"), "{comment}");
    let summary = fs::read_to_string(project.folder.path().join("GITHUB_STEP_SUMMARY")).expect("a summary");
    assert!(comment.ends_with(&summary), "{summary}");
    let report = fs::read_to_string(project.folder.path().join("clone-better/kilter.xml")).expect("a report");
    assert!(report.contains("tests=\"3\" failures=\"0\""), "{report}");
    let (codes, told) = project.workflow(&project.clone("better"), &gitlab);
    assert_eq!(codes, [0; 7], "{told}");
    assert_eq!(project.log("apt-get"), "apt-get update\napt-get install -y python3-pip\n");
    assert_eq!(project.log("cargo").matches(".kilter-source: cargo build --bins\n").count(), 2);

    let (codes, told) = project.workflow(&project.clone("unlocked"), &github);
    assert_eq!(check_and_run(&github, &codes), (0, 4), "{told}");
}

#[test]
fn the_pull_request_that_brings_the_first_lock_passes() {
    let project = Project::without_lock();
    let (github, gitlab) = commands();
    project.branch("first", &[], true);
    let (codes, told) = project.workflow(&project.clone("first"), &github);
    assert_eq!(codes, [0; 9], "{told}");
    let comment = project.log("gh");
    assert!(comment.contains("### kilter: origin/main (") && comment.contains(", no lock) → workspace"), "{comment}");
    assert!(comment.contains("| score | accuracy | none | 0.300 |  |  |"), "{comment}");
    assert!(comment.contains("**some**: added") && comment.contains("3 stages differ, 0 the same"), "{comment}");
    let (codes, told) = project.workflow(&project.clone("first"), &gitlab);
    assert_eq!(codes, [0; 7], "{told}");
    // Until it is merged, what has no lock is stopped by name.
    let (codes, told) = project.workflow(&project.clone("main"), &github);
    assert_eq!(check_and_run(&github, &codes), (0, 4), "{told}");
    assert!(told.contains("there is no lock `first.lock`"), "{told}");
}

#[test]
fn what_cannot_be_repeated_is_found_with_and_without_a_cache() {
    let project = Project::new();
    let (github, _) = commands();
    project.branch("broken", &[("some.sh", SCRIPT, CLOCK)], true);

    // Nothing is cached: the run itself comes out otherwise.
    let clone = project.clone("broken");
    let (codes, told) = project.workflow(&clone, &github);
    assert_eq!(check_and_run(&github, &codes), (0, 4), "{told}");
    assert!(told.contains("some"), "{told}");

    // Everything is cached, as after a job on the machine that made the lock: the run passes, and verifying all does not.
    project.git(&project.origin(), &["checkout", "-q", "broken"]);
    let locked = project.shell(&project.origin(), &github[place(&github, "kilter run")]);
    assert!(locked.status.success(), "{}", said(&locked));
    let verified = project.shell(&project.origin(), "kilter verify first.toml --junit verified.xml");
    assert_eq!(verified.status.code(), Some(4), "{}", said(&verified));
    assert!(said(&verified).contains("some"), "{}", said(&verified));
    let report = fs::read_to_string(project.origin().join("verified.xml")).expect("a report");
    assert!(report.contains("tests=\"3\" failures=\"1\"") && report.contains("off kilter"), "{report}");
}
