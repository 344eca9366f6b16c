//! Which runs may be forgotten, and forgetting them.

use super::db::{History, HistoryError};
use super::read::{Run, RunState, unpack};
use rusqlite::{TransactionBehavior, params};
use std::collections::{BTreeMap, BTreeSet};

/// The runs of a history, each newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parted {
    /// Those that are kept, whatever their age.
    pub last: Vec<Run>,
    /// All others.
    pub others: Vec<Run>,
}

impl History {
    /// Parts the runs: of each pipeline the last `keep` that came to different results, with what ran in between, from all
    /// others. A run that goes on is among the last.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn parted(&self, boot: &str, keep: usize) -> Result<Parted, HistoryError> {
        let mut parted = Parted::default();
        let mut seen: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
        for run in self.runs(None, boot, usize::MAX)? {
            let seen = seen.entry(run.pipeline.clone()).or_default();
            if seen.len() >= keep && run.state != RunState::Running {
                parted.others.push(run);
                continue;
            }
            // What came to nothing takes nobody's place.
            if let Some(snapshot) = run.snapshot.filter(|snapshot| !seen.contains(snapshot))
                && !self.keys(&run)?.is_empty()
            {
                seen.insert(snapshot);
            }
            parted.last.push(run);
        }
        Ok(parted)
    }

    /// Forgets runs, and the results that no other run has; in one transaction.
    ///
    /// # Errors
    /// When the database cannot be written; then nothing is forgotten.
    pub fn forget(&mut self, runs: &[Run]) -> Result<(), HistoryError> {
        if runs.is_empty() {
            return Ok(());
        }
        let change = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for run in runs {
            change.execute("DELETE FROM runs WHERE id = ?1", params![run.id])?;
            change.execute("DELETE FROM attempts WHERE run = ?1", params![run.id])?;
        }
        change.execute(
            "DELETE FROM snapshots WHERE id NOT IN (SELECT snapshot FROM runs WHERE snapshot IS NOT NULL)",
            [],
        )?;
        let mut named: BTreeSet<i64> = BTreeSet::new();
        for packed in change.prepare("SELECT stages FROM snapshots")?.query_map([], |row| row.get::<_, Vec<u8>>(0))? {
            named.extend(unpack::<Vec<(String, i64)>>(&packed?)?.into_iter().map(|(_, id)| id));
        }
        let all: Vec<i64> =
            change.prepare("SELECT id FROM results")?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        for id in all.into_iter().filter(|id| !named.contains(id)) {
            change.execute("DELETE FROM results WHERE id = ?1", params![id])?;
        }
        change.commit()?;
        // The file only becomes smaller now; where somebody is reading, it does the next time.
        let _ = self.db.execute_batch("VACUUM");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{count, record, record_of};
    use super::*;

    fn ids(runs: &[Run]) -> Vec<&str> {
        runs.iter().map(|run| run.id.as_str()).collect()
    }

    #[test]
    fn the_last_runs_are_those_with_different_results() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.db");
        for (run, made) in [("r1", 1), ("r2", 2), ("r3", 2), ("r4", 3), ("r5", 3)] {
            assert_eq!(record_of(&path, run, made), None);
        }
        let history = History::open(&path).unwrap().unwrap();
        let parted = |keep| history.parted("boot", keep).unwrap();
        assert_eq!((ids(&parted(0).last), parted(0).others.len()), (vec![], 5));
        // The run that found the results there already does not push others out.
        assert_eq!((ids(&parted(1).last), ids(&parted(1).others)), (vec!["r5"], vec!["r4", "r3", "r2", "r1"]));
        assert_eq!((ids(&parted(2).last), ids(&parted(2).others)), (vec!["r5", "r4", "r3"], vec!["r2", "r1"]));
        assert_eq!(parted(9).others, []);
    }

    #[test]
    fn a_run_is_forgotten_with_what_no_other_has() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.db");
        for (run, made) in [("r1", 1), ("r2", 2), ("r3", 2)] {
            assert_eq!(record_of(&path, run, made), None);
        }
        let mut history = History::open(&path).unwrap().unwrap();
        let others = history.parted("boot", 1).unwrap().others;
        assert_eq!(ids(&others), ["r2", "r1"]);
        let all = |history: &History| ["runs", "attempts", "snapshots", "results"].map(|table| count(history, table));
        assert_eq!(all(&history), [3, 3, 2, 4]);
        history.forget(&others).unwrap();
        assert_eq!(all(&history), [1, 1, 1, 2]);
        let left = history.runs(None, "boot", 9).unwrap();
        assert_eq!((ids(&left), history.results(&left[0]).unwrap().len()), (vec!["r3"], 2));
        drop(history);
        // And it goes on.
        assert_eq!(record(&path, "r4"), None);
    }
}
