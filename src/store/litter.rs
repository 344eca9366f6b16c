//! What goes by itself: the logs of old runs, and what killed processes left half-written.

use super::remove::remove_tree;
use super::{Store, StoreError};
use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::PoisonError;
use std::time::Duration;

/// What is half-written for longer was left by a killed process.
const LITTER: Duration = Duration::from_secs(3600);
/// The logs of so many runs are kept.
const RUNS: usize = 50;
/// How many characters stand for a half-written file or folder after [`HALF`].
const RANDOM: usize = 6;
/// What the name of something half-written begins with.
const HALF: &str = ".new-";

impl Store {
    /// Makes the folder of a run's logs, which nobody removes as long as this process lives.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn begin_logs(&self, run: &str) -> Result<(), StoreError> {
        let folder = self.layout.run(run);
        let mut held = self.logs.lock().unwrap_or_else(PoisonError::into_inner);
        if held.as_ref().is_some_and(|(held, _)| held == run) && folder.is_dir() {
            return Ok(());
        }
        std::fs::create_dir_all(&folder).map_err(|error| StoreError::io("make the folder", &folder, &error))?;
        // Where a file system has no locks, being among the newest must do.
        let lock = File::open(&folder).ok().filter(|folder| folder.try_lock_shared().is_ok());
        *held = Some((run.to_owned(), lock));
        Ok(())
    }

    /// Removes the logs of all but the newest runs, and of those that go on.
    pub fn forget_old_runs(&self) {
        let entries = std::fs::read_dir(self.layout.runs()).into_iter().flatten().filter_map(Result::ok);
        let mut runs: Vec<_> =
            entries.filter_map(|run| Some((run.metadata().ok()?.modified().ok()?, run.path()))).collect();
        runs.sort();
        for (_, run) in runs.iter().rev().skip(RUNS) {
            if !goes_on(run) {
                // What cannot be removed now is tried again after the next run.
                let _ = remove_tree(run);
            }
        }
    }

    /// Removes half-written records and folders that processes which were killed an hour ago or longer left beside the
    /// whole ones: nobody writes for so long before the name is changed.
    pub fn clear_litter(&self) {
        let places = self.layout.written_beside().into_iter();
        let walk =
            places.flat_map(|(folder, depth)| walkdir::WalkDir::new(folder).min_depth(1).max_depth(depth).into_iter());
        for entry in walk.filter_map(Result::ok).filter(|entry| is_half(&entry.file_name().to_string_lossy())) {
            let modified = entry.metadata().ok().and_then(|metadata| metadata.modified().ok());
            if modified.and_then(|time| time.elapsed().ok()).is_some_and(|age| age > LITTER) {
                // What cannot be removed now is tried again after the next run.
                let _ = remove_tree(entry.path()).or_else(|_| std::fs::remove_file(entry.path()));
            }
        }
    }
}

/// Whether the process of a run still holds the folder of its logs.
fn goes_on(run: &Path) -> bool {
    File::open(run).is_ok_and(|folder| matches!(folder.try_lock(), Err(TryLockError::WouldBlock)))
}

/// Whether this is what something half-written is called, or what it replaced, and not a file of a stage that looks a little like
/// that.
fn is_half(name: &str) -> bool {
    let random = name.strip_prefix(HALF).map(|random| random.strip_suffix(".old").unwrap_or(random));
    random.is_some_and(|random| random.len() == RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::super::tests::store_in;
    use super::*;
    use crate::env;
    use std::fs;
    use std::time::UNIX_EPOCH;

    /// As if it had been written so long ago.
    fn age(path: &Path, hours: u64) {
        let time = UNIX_EPOCH + Duration::from_secs(env::unix_seconds() - 3600 * hours);
        File::open(path).and_then(|file| file.set_modified(time)).unwrap();
    }

    #[test]
    fn the_logs_of_the_newest_runs_and_of_those_that_go_on_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (store, long) = (store_in(folder.path()), store_in(folder.path()));
        long.begin_logs("50").unwrap();
        long.begin_logs("50").unwrap();
        for run in 0..53_u64 {
            let path = store.layout().run(&format!("{run:02}"));
            fs::create_dir_all(&path).unwrap();
            age(&path, run + 1);
        }
        store.forget_old_runs();
        let left = || fs::read_dir(store.layout().runs()).unwrap().count();
        assert_eq!(left(), 51);
        assert!(["00", "49", "50"].iter().all(|run| store.layout().run(run).exists()));
        drop(long);
        // A process that another test is just starting may hold a copy of the lock for a moment.
        let forgotten = (0..200).any(|_| {
            std::thread::sleep(Duration::from_millis(5));
            store.forget_old_runs();
            left() == 50
        });
        assert!(forgotten && !store.layout().run("50").exists());
    }

    #[test]
    fn what_killed_processes_left_half_written_goes_after_an_hour() {
        let folder = tempfile::tempdir().unwrap();
        let store = store_in(folder.path());
        let out = folder.path().join("out/p");
        let names = [(".new-aB3dEf", 2), (".new-aB3dEf.old", 2), (".new-fresh1", 0), ("stage", 2)];
        for (name, hours) in names {
            fs::create_dir_all(out.join(name)).unwrap();
            fs::write(out.join(name).join("file"), "").unwrap();
            age(&out.join(name), hours);
        }
        // What a stage calls its files is its own affair.
        for file in [".new-york.csv", ".new-", ".new-old"] {
            fs::write(out.join("stage").join(file), "").unwrap();
            age(&out.join("stage").join(file), 2);
        }
        let kept = store.layout().standing(&folder.path().join("p.toml"));
        let half = [store.layout().state(), kept.parent().unwrap()].map(|folder| folder.join(".new-aB3dEf"));
        for file in &half {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
            age(file, 2);
        }
        store.clear_litter();
        let names = |folder: &Path| {
            let mut left: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            left.sort();
            left
        };
        assert_eq!(names(&out), [".new-fresh1", "stage"]);
        assert_eq!(names(&out.join("stage")), [".new-", ".new-old", ".new-york.csv", "file"]);
        assert!(half.iter().all(|file| !file.exists()));
    }
}
