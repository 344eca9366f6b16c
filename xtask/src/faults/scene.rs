//! A workspace in which kilter is made to fail, and what must hold in it afterwards.

use crate::command::Failure;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Every family of writes: a fetched file, tables, programs with one and several outputs, a folder, and a result that took
/// long enough to be synced to the disk.
const MANIFEST: &str = r#"[pipeline]
name = "faults"
edition = "2026"
seed = 3

[stage.raw]
kind = "fetch"
path = "data.csv"

[stage.table]
kind = "read"
from = "raw"

[stage.split]
kind = "split"
from = "table"
parts = { train = 0.75, test = 0.25 }

[stage.upper]
kind = "exec"
command = ["sh", "-c", "mkdir -p d; tr a-z A-Z < note.txt > d/a; cp d/a d/b; wc -c < note.txt > n"]
files = ["note.txt"]
outputs.both = { path = "d", type = "dir" }
outputs.count = "n"

[stage.join]
kind = "exec"
command = ["sh", "-c", "cat {inputs.both}/a {inputs.count} > joined"]
inputs = { both = "upper.both", count = "upper.count" }
outputs.joined = "joined"
"#;

const SLOW: &str = r#"
[stage.slow]
kind = "exec"
command = ["sh", "-c", "sleep 1.05; cp {inputs.joined} slow"]
inputs.joined = "join"
outputs.slow = "slow"
"#;

/// A workspace.
pub struct Scene {
    pub folder: PathBuf,
    kilter: PathBuf,
}

/// What a run told.
pub struct Ran {
    pub code: Option<i32>,
    /// Stages with a result, and whether it was there already.
    pub done: BTreeMap<String, bool>,
    pub said: String,
}

impl Scene {
    /// A workspace in which nothing has run yet.
    pub fn new(folder: &Path, kilter: &Path, synced: bool) -> Result<Self, Failure> {
        let _ = fs::remove_dir_all(folder);
        let rows: String = (0..40).map(|row| format!("{row},{}\n", row * 7919 % 104)).collect();
        let manifest = if synced { format!("{MANIFEST}{SLOW}") } else { MANIFEST.to_owned() };
        let files = [
            ("kilter.toml", ""),
            ("p.toml", manifest.as_str()),
            ("note.txt", "a note\n"),
            ("data.csv", &format!("a,b\n{rows}")),
        ];
        for (name, text) in files {
            let path = folder.join(name);
            fs::create_dir_all(folder).and_then(|()| fs::write(&path, text)).map_err(|error| wrong(&path, &error))?;
        }
        let folder = folder.canonicalize().map_err(|error| wrong(folder, &error))?;
        Ok(Self { folder, kilter: kilter.to_owned() })
    }

    /// `kilter run --json p.toml`, not started yet; what it says goes to files beside the workspace.
    pub fn command(&self) -> Result<Command, Failure> {
        let file = |end: &str| {
            let path = self.folder.with_extension(end);
            fs::File::create(&path).map_err(|error| wrong(&path, &error))
        };
        let mut command = Command::new(&self.kilter);
        command.args(["run", "--json", "--jobs", "2", "p.toml"]).current_dir(&self.folder);
        command.stdin(Stdio::null()).stdout(file("out")?).stderr(file("err")?);
        Ok(command)
    }

    /// What the last started run told.
    pub fn told(&self, code: Option<i32>) -> Ran {
        let read = |end: &str| fs::read_to_string(self.folder.with_extension(end)).unwrap_or_default();
        let out = read("out");
        let done = out.lines().filter(|line| line.contains("\"event\":\"stage_done\"")).filter_map(|line| {
            let field = |name: &str| line.split_once(&format!("\"{name}\":"))?.1.split([',', '}']).next();
            Some((field("stage")?.trim_matches('"').to_owned(), field("cached")? == "true"))
        });
        Ran { code, done: done.collect(), said: read("err") + &out }
    }

    /// A run to its end.
    pub fn run(&self) -> Result<Ran, Failure> {
        let status = self.command()?.status().map_err(|error| Failure::new(format!("cannot start kilter: {error}")))?;
        Ok(self.told(status.code()))
    }

    /// Every result in `out/`, by its path.
    pub fn results(&self) -> Result<BTreeMap<PathBuf, Vec<u8>>, Failure> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.folder.join("out")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).map_err(|error| wrong(&folder, &error))?.flatten() {
                let path = entry.path();
                let hidden = entry.file_name().to_string_lossy().starts_with('.');
                if path.is_dir() && !hidden {
                    folders.push(path);
                } else if !hidden {
                    let bytes = fs::read(&path).map_err(|error| wrong(&path, &error))?;
                    found.insert(path.strip_prefix(&self.folder).unwrap_or(&path).to_owned(), bytes);
                }
            }
        }
        Ok(found)
    }

    /// What must hold after a run that went wrong: the next one goes on from what had a result, ends well and gives
    /// `expected`; the one after it has nothing to do, and nothing lies about.
    pub fn mends(&self, had: &BTreeSet<String>, expected: &BTreeMap<PathBuf, Vec<u8>>) -> Result<(), String> {
        let ran = self.run().map_err(|_| "kilter does not start".to_owned())?;
        if ran.code != Some(0) {
            return Err(format!("the next run ends with {:?}\n{}", ran.code, ran.said));
        }
        if let Some(lost) = had.iter().find(|stage| ran.done.get(*stage) != Some(&true)) {
            return Err(format!("the result of `{lost}` is lost\nthe next run said\n{}", ran.said));
        }
        if self.results().map_err(|_| "out/ cannot be read".to_owned())? != *expected {
            return Err("the results differ from those of a clean run".to_owned());
        }
        let again = self.run().map_err(|_| "kilter does not start".to_owned())?;
        if again.code != Some(0) || again.done.is_empty() || again.done.values().any(|cached| !cached) {
            return Err(format!("the run after that has something to do\n{}", again.said));
        }
        for left in ["tmp", "locks"] {
            let folder = self.folder.join(".kilter/store-v1").join(left);
            if fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) {
                return Err(format!("something is left in {left}/"));
            }
        }
        Ok(())
    }

    /// The results that a run told of before it ended.
    pub fn had(&self) -> BTreeSet<String> {
        self.told(None).done.into_keys().collect()
    }
}

fn wrong(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}
