//! Real databases in temporary folders.

use super::*;
use crate::digest::Digest;
use crate::event::{EVENT_VERSION, Event, Failure};
use crate::stage::{ByPort, KeyText, StageResult};
use serde_json::json;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

fn result(made: u64) -> Arc<StageResult> {
    Arc::new(StageResult {
        kind: "exec".into(),
        version: 1,
        outputs: ByPort::new(),
        summary: "done".into(),
        metrics: BTreeMap::from([("accuracy".to_owned(), 0.5)]),
        gates: Vec::new(),
        seconds: 1.5,
        made,
        environment: BTreeMap::new(),
        key: KeyText::of(&json!({"kind": "exec"})),
    })
}

fn started(run: &str) -> Event {
    let stages = ["a", "b"].map(|stage| (stage.to_owned(), "exec".to_owned())).to_vec();
    Event::RunStarted { version: EVENT_VERSION, run: run.into(), pipeline: "p".into(), stages }
}

fn done(stage: &str, cached: bool) -> Event {
    Event::StageDone {
        stage: stage.into(),
        kind: "exec".into(),
        key: Digest::of(stage.as_bytes()),
        cached,
        seconds: 1.5,
        summary: "done".into(),
        metrics: BTreeMap::new(),
    }
}

fn finished(failed: usize) -> Event {
    Event::RunFinished {
        ran: 1,
        cached: 1,
        failed,
        skipped: 0,
        seconds: 2.0,
        saved: 1.5,
        out: "out/p".into(),
        interrupted: false,
    }
}

fn recorder(path: &Path) -> Recorder {
    let facts = RunFacts { manifest: "p.toml".into(), params: [("lr".to_owned(), json!(0.1))].into(), targets: vec![] };
    Recorder::new(path, Revision::ask(path.parent().unwrap()), "boot", facts)
}

pub(super) fn record(path: &Path, id: &str) -> Option<String> {
    record_of(path, id, 7)
}

/// Records a run whose results were made at a time.
pub(super) fn record_of(path: &Path, id: &str, made: u64) -> Option<String> {
    let recorder = recorder(path);
    recorder.event(&started(id));
    recorder.event(&Event::StageStarted { stage: "a".into(), kind: "exec".into() });
    // In whatever order they end.
    recorder.event(&done("b", true));
    recorder.event(&done("a", false));
    recorder.finish(&finished(0), &|_| Some((result(made).made, result(made).seconds)), &|_| Some(result(made)))
}

pub(super) fn count(history: &History, table: &str) -> i64 {
    history.db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn a_run_is_found_again_with_its_results() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    assert!(History::open(&path).unwrap().is_none());
    assert_eq!(record(&path, "aaaa1111"), None);
    assert_eq!(record(&path, "aaaa2222"), None);
    let history = History::open(&path).unwrap().unwrap();
    let runs = history.runs(Some("p"), "boot", 10).unwrap();
    assert_eq!(runs.iter().map(|run| run.id.as_str()).collect::<Vec<_>>(), ["aaaa2222", "aaaa1111"]);
    assert_eq!((runs[0].state, runs[0].ran, runs[0].seconds), (RunState::Done, 1, Some(2.0)));
    assert_eq!(runs[0].params["lr"], json!(0.1));
    assert!(history.runs(Some("other"), "boot", 10).unwrap().is_empty());
    assert_eq!(history.runs_of("aaaa", "boot").unwrap().len(), 2);
    let members = history.results(&runs[0]).unwrap();
    assert_eq!(members.iter().map(|member| member.stage.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(members[0].result, *result(7));
    assert_eq!(history.keys(&runs[1]).unwrap(), [Digest::of(b"a"), Digest::of(b"b")]);
    let attempts = history.attempts(&runs[0]).unwrap();
    assert_eq!((attempts.len(), attempts[0].state.as_str()), (1, "ran"));
    assert_eq!(history.made_for(Digest::of(b"a")).unwrap(), [(*result(7)).clone()]);
    assert_eq!(history.made_for(Digest::of(b"c")).unwrap(), []);
    // Both runs have the same results, which are kept once.
    assert_eq!(["runs", "snapshots", "results"].map(|table| count(&history, table)), [2, 1, 2]);
}

#[test]
fn the_results_of_a_key_are_found_newest_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    for (run, made) in [("r1", 7), ("r2", 9), ("r3", 8)] {
        assert_eq!(record_of(&path, run, made), None);
    }
    let found = History::open(&path).unwrap().unwrap().made_for(Digest::of(b"a")).unwrap();
    assert_eq!(found.iter().map(|result| result.made).collect::<Vec<_>>(), [9, 8, 7]);
}

#[test]
fn a_killed_run_is_seen_and_a_failed_one_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let killed = recorder(&path);
    killed.event(&started("dead"));
    killed.event(&Event::StageStarted { stage: "a".into(), kind: "exec".into() });
    let history = History::open(&path).unwrap().unwrap();
    assert_eq!(history.runs(None, "boot", 1).unwrap()[0].state, RunState::Running);
    assert_eq!(history.runs(None, "the next boot", 1).unwrap()[0].state, RunState::Killed);
    let failing = recorder(&path);
    failing.event(&started("fail"));
    let failure = Failure { message: "it broke".into(), ..Failure::default() };
    let (stage, kind) = ("a".to_owned(), "exec".to_owned());
    failing.event(&Event::StageFailed { stage, kind, key: None, seconds: 0.1, failure, gate: false });
    assert_eq!(failing.finish(&finished(1), &|_| None, &|_| None), None);
    let run = &history.runs_of("fail", "boot").unwrap()[0];
    assert_eq!(run.state, RunState::Failed);
    assert_eq!(history.attempts(run).unwrap()[0].message, "it broke");
    let failures = history.failures(run).unwrap();
    assert_eq!(failures, [("a".to_owned(), "it broke".to_owned())]);
    assert!(!history.ran(run, "a").unwrap());
    // What a lock refuses did not fail.
    let locked = recorder(&path);
    locked.event(&started("lock"));
    let failure = Failure { message: "it is not the locked one".into(), refused: true, ..Failure::default() };
    let (stage, kind) = ("a".to_owned(), "exec".to_owned());
    locked.event(&Event::StageFailed { stage, kind, key: None, seconds: 0.1, failure, gate: false });
    assert_eq!(locked.finish(&finished(1), &|_| None, &|_| None), None);
    let run = &history.runs_of("lock", "boot").unwrap()[0];
    assert_eq!(history.attempts(run).unwrap()[0].state, "refused");
    assert!(history.failures(run).unwrap().is_empty());
}

#[test]
fn a_damaged_database_is_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    record(&path, "first");
    std::fs::write(&path, "this is no database, and long enough to look at: ".repeat(200)).unwrap();
    for ending in ["history.db-wal", "history.db-shm"] {
        let _ = std::fs::remove_file(folder.path().join(ending));
    }
    assert!(History::open(&path).unwrap_err().is_damage());
    let told = record(&path, "second").expect("a warning");
    assert!(told.contains("damaged") && told.contains("history.damaged-1.db"), "{told}");
    assert!(folder.path().join("history.damaged-1.db").is_file());
    let history = History::open(&path).unwrap().unwrap();
    assert_eq!(history.runs(None, "boot", 9).unwrap().len(), 1);
    // Tables that are gone are damage too.
    history.db.execute_batch("DROP TABLE attempts").unwrap();
    drop(history);
    assert!(record(&path, "third").expect("a warning").contains("history.damaged-2.db"));
    assert_eq!(record(&path, "fourth"), None);
}

#[test]
fn a_history_that_cannot_be_written_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let told = record(&folder.path().join("file/history.db"), "a").expect("a warning");
    assert!(told.starts_with("this run is not in the history: "), "{told}");
}

#[test]
fn a_history_that_nobody_may_write_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("100% #1?").join("history.db");
    record(&path, "a");
    let count = |history: &History| history.runs(None, "boot", 9).unwrap().len();
    let (frozen, _) = History::frozen(&path).unwrap();
    assert_eq!(count(&frozen), 1);
    drop(frozen);
    let mode = |mode| std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(&path, mode(0o444)).unwrap();
    std::fs::set_permissions(path.parent().unwrap(), mode(0o555)).unwrap();
    let read = History::open(&path).map(|history| history.map(|history| count(&history)));
    std::fs::set_permissions(path.parent().unwrap(), mode(0o755)).unwrap();
    assert_eq!(read.unwrap(), Some(1));
}

#[test]
fn a_newer_history_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    record(&path, "a");
    History::open(&path).unwrap().unwrap().db.pragma_update(None, "user_version", 99).unwrap();
    assert!(record(&path, "b").expect("a warning").contains("newer kilter"));
    assert!(path.is_file() && !folder.path().join("history.damaged-1.db").exists());
}

#[test]
fn many_writers_wait_for_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let path = &path;
            scope.spawn(move || {
                for run in 0..5 {
                    assert_eq!(record(path, &format!("{writer}-{run}")), None);
                }
            });
        }
    });
    let history = History::open(&path).unwrap().unwrap();
    assert_eq!(history.runs(None, "boot", 99).unwrap().len(), 40);
}
