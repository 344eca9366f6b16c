//! Which state a job goes on from: the furthest that is sound and fits, of its own checkpoints, those of equal jobs for other
//! numbers of epochs, and the state of a shorter training that ended.

use super::folder::{Files, Loaded, files_of, position, read_folder};
use super::keeper::numbered;
use crate::numerics;
use kilter::job::{TrainJob, WorkerEvent};
use kilter::numbers::count;
use std::path::Path;

/// Where a state comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The end of a shorter training.
    Earlier,
    /// A checkpoint that another job left.
    Other,
    /// A checkpoint of this very job.
    Own,
}

struct Candidate {
    step: u64,
    origin: Origin,
    files: Files,
}

/// The state to go on from, if there is one. Says what is damaged.
pub fn go_on(job: &TrainJob, events: &mut dyn FnMut(WorkerEvent)) -> Option<(Loaded, Origin)> {
    let mut candidates = candidates(job);
    // The furthest first; of equal ones the own.
    candidates.sort_by_key(|candidate| std::cmp::Reverse((candidate.step, candidate.origin)));
    let environment = numerics::environment(job.setting);
    let mut damaged = false;
    for Candidate { step, origin, files } in candidates {
        let what = match origin {
            Origin::Own | Origin::Other => format!("the checkpoint of step {}", count(step)),
            Origin::Earlier => "the state of the earlier result".to_owned(),
        };
        let mut refuse = |why: &str| events(WorkerEvent::Warning { message: format!("{what} is not used: {why}") });
        match read_folder(&files) {
            Err(why) => {
                damaged = true;
                refuse(&why);
            }
            Ok(loaded) if !fits(&loaded, job) => {}
            Ok(loaded) => match differs(&loaded, &environment) {
                Some(why) => refuse(&why),
                None => return Some((loaded, origin)),
            },
        }
    }
    if damaged {
        let message = "there is no other checkpoint to go on from; training begins anew".to_owned();
        events(WorkerEvent::Warning { message });
    }
    None
}

fn candidates(job: &TrainJob) -> Vec<Candidate> {
    let mut all = Vec::new();
    if let Some(spec) = &job.checkpoints {
        let mut add = |folder: &Path, origin: Origin| {
            for (step, path) in numbered(folder) {
                // Gone meanwhile: whoever wrote it has a later one.
                let Ok(files) = files_of(&path) else { continue };
                all.push(Candidate { step, origin, files });
            }
        };
        add(&spec.folder, Origin::Own);
        spec.readable.iter().for_each(|folder| add(folder, Origin::Other));
    }
    if let Some(files) = &job.earlier {
        let step = position(files).map_or(0, |at| at.step);
        all.push(Candidate { step, origin: Origin::Earlier, files: files.clone() });
    }
    all
}

/// Whether a state is not further than the job goes.
fn fits(loaded: &Loaded, job: &TrainJob) -> bool {
    let at = loaded.state.at;
    at.epoch <= job.epochs || (at.epoch == job.epochs + 1 && at.batch == 0)
}

/// In what the environment that a state was made in differs from this one.
fn differs(loaded: &Loaded, environment: &std::collections::BTreeMap<String, String>) -> Option<String> {
    let (then, now) = (&loaded.state.environment, environment);
    let (name, was) = then.iter().find(|(name, was)| now.get(*name) != Some(was))?;
    let is = now.get(name).map_or("nothing", String::as_str);
    Some(format!("it was made with {name} {was}, this is {is}, and the numbers would be neither's"))
}
