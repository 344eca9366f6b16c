//! Every pipeline of `pipelines/`, whole, from an empty store: its gates must hold.

use super::fresh_folder;
use super::timing::time;
use crate::command::{Failure, root, run};
use std::process::Command;

const PIPELINES: &[&str] = &["penguins", "digits", "flights_delay", "fashion"];

pub fn bench() -> Result<(), Failure> {
    let kilter = super::kilter()?;
    for name in PIPELINES {
        let folder = fresh_folder(&format!("pipeline-{name}"))?;
        let from = root().join(format!("pipelines/{name}.toml"));
        let manifest = folder.join(format!("{name}.toml"));
        std::fs::copy(&from, &manifest)
            .map_err(|error| Failure::new(format!("cannot copy {}: {error}", from.display())))?;
        let seconds = time(&|| {
            let mut command = Command::new(&kilter);
            command.arg("run").arg(&manifest).current_dir(&folder);
            command
        })?;
        println!("  {name}: {seconds:.1} s in all");
        let program = kilter.to_string_lossy().into_owned();
        run(&program, ["status", &manifest.to_string_lossy()], &[])?;
    }
    Ok(())
}
