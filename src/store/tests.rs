//! The store as a whole: results come back, damage is seen, and a process that is killed at any point of a commit leaves
//! nothing that is wrong.

use super::*;
use crate::env;
use crate::stage::{ByPort, KeyText, ProducedPort};
use crate::types::ArtifactType;
use std::cell::RefCell;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

pub(super) const FAIL_AT: &str = "KILTER_TEST_FAIL_AT";
pub(super) const WORKSPACE: &str = "KILTER_TEST_WORKSPACE";

/// At which point, and what.
type Happening = (&'static str, Box<dyn FnMut()>);

thread_local! {
    /// What happens in a test's thread.
    static HAPPENS: RefCell<Option<Happening>> = const { RefCell::new(None) };
}

/// From now on this happens whenever the point is reached in this thread.
pub(super) fn at_point(point: &'static str, what: impl FnMut() + 'static) {
    HAPPENS.set(Some((point, Box::new(what))));
}

pub(super) fn happen(point: &str) {
    HAPPENS.with_borrow_mut(|happens| match happens {
        Some((at, what)) if *at == point => what(),
        _ => {}
    });
}

/// In a child process: dies as by `kill -9`.
pub(super) fn die_if_asked(point: &str) {
    if env::var(FAIL_AT).as_deref() == Some(point) {
        // SAFETY: sending a signal to the own process has no preconditions.
        unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    }
}

pub(super) fn store_in(root: &Path) -> Store {
    Store::open(&Workspace { root: root.to_owned(), store: root.join(layout::STATE) })
}

pub(super) fn result(seconds: f64) -> StageResult {
    StageResult {
        kind: "test".into(),
        version: 1,
        outputs: ByPort::new(),
        summary: String::new(),
        metrics: BTreeMap::new(),
        gates: Vec::new(),
        seconds,
        made: 0,
        environment: BTreeMap::new(),
        key: KeyText::of(&serde_json::Value::Null),
    }
}

pub(super) fn port(name: &str) -> ProducedPort {
    ProducedPort { port: name.into(), ty: ArtifactType::Dir, table: None }
}

fn begin(store: &Store, key: Digest) -> Begin<'_> {
    store.begin(key, false).unwrap()
}

/// Commits two ports with three files in all.
pub(super) fn make(store: &Store, key: Digest, seconds: f64) -> Arc<StageResult> {
    let Begin::Miss(pending) = begin(store, key) else { panic!("it is there already") };
    let out = pending.staging();
    fs::create_dir_all(out.join("model/deep")).unwrap();
    fs::create_dir_all(out.join("history")).unwrap();
    fs::write(out.join("model/weights"), vec![7; 300_000]).unwrap();
    fs::write(out.join("model/deep/config"), "{}").unwrap();
    fs::write(out.join("history/table"), "1,2,3").unwrap();
    pending.commit(result(seconds), &[port("model"), port("history")]).unwrap()
}

fn hit(store: &Store, key: Digest) -> Option<Arc<StageResult>> {
    match store.lookup(key) {
        Found::Hit(result) => Some(result),
        Found::Absent | Found::Lost(_) => None,
    }
}

#[test]
fn a_result_comes_back_and_its_folder_is_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path());
    let key = Digest::of(b"key");
    let made = make(&store, key, 0.1);
    let again = store_in(folder.path());
    assert_eq!(hit(&again, key).unwrap(), made);
    assert!(matches!(begin(&again, key), Begin::Hit(_)));
    let out = folder.path().join("out/p/train");
    assert!(again.restore(&made, &out).unwrap());
    assert!(!again.restore(&made, &out).unwrap(), "nothing is left to do");
    let weights = out.join("model/weights");
    assert_eq!(fs::read(&weights).unwrap(), vec![7; 300_000]);
    assert_eq!(weights.metadata().unwrap().permissions().mode() & 0o222, 0);
    assert!(fs::read_dir(store.layout().tmp()).unwrap().next().is_none(), "staging is cleared");
    assert!(fs::read_dir(store.layout().store().join("locks")).unwrap().next().is_none(), "locks are cleared");
}

#[test]
fn a_folder_that_differs_is_replaced_whole() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path());
    let made = make(&store, Digest::of(b"key"), 0.1);
    let out = folder.path().join("out/p/train");
    store.restore(&made, &out).unwrap();
    fs::write(out.join("stray"), "x").unwrap();
    assert!(store.restore(&made, &out).unwrap());
    assert!(!out.join("stray").exists());
    fs::remove_file(out.join("history/table")).unwrap();
    assert!(store.restore(&made, &out).unwrap());
    assert_eq!(fs::read_to_string(out.join("history/table")).unwrap(), "1,2,3");
    assert_eq!(fs::read_dir(out.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn one_output_lies_directly_in_its_stages_folder() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path());
    let Begin::Miss(pending) = begin(&store, Digest::of(b"key")) else { panic!() };
    fs::create_dir(pending.staging().join("file")).unwrap();
    fs::write(pending.staging().join("file/a.csv"), "a").unwrap();
    let made = pending.commit(result(2.0), &[port("file")]).unwrap();
    let out = folder.path().join("out/p/m/raw");
    store.restore(&made, &out).unwrap();
    assert_eq!(fs::read_to_string(out.join("a.csv")).unwrap(), "a");
}

#[test]
fn equal_bytes_are_stored_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path());
    let one = make(&store, Digest::of(b"one"), 0.0);
    let inode = |result: &StageResult| {
        let file = &result.outputs["model"].files[1];
        assert_eq!(file.name, "weights");
        store.object_path(file.digest).metadata().unwrap().ino()
    };
    let before = inode(&one);
    let two = make(&store, Digest::of(b"two"), 0.0);
    assert_eq!(before, inode(&two));
    assert_eq!(one.outputs["model"].digest, two.outputs["model"].digest);
}

#[test]
fn a_lost_shortened_or_changed_blob_is_a_miss_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let key = Digest::of(b"key");
    let damage = |what: &str| {
        let store = store_in(folder.path());
        let made = hit(&store, key).unwrap_or_else(|| make(&store, key, 0.0));
        let blob = store.object_path(made.outputs["history"].files[0].digest);
        fs::set_permissions(&blob, Permissions::from_mode(0o644)).unwrap();
        match what {
            "lost" => fs::remove_file(&blob).unwrap(),
            "shortened" => fs::write(&blob, "1,2").unwrap(),
            _ => fs::write(&blob, "9,2,3").unwrap(),
        }
        let store = store_in(folder.path());
        let told = || match store.lookup(key) {
            Found::Lost(why) => why,
            other => panic!("{what}: {other:?}"),
        };
        let first = told();
        assert_eq!(told(), first, "also once the blob is removed");
        first
    };
    assert_eq!(damage("lost"), "`table` of output `history` is missing from the store");
    assert_eq!(damage("shortened"), "`table` of output `history` has 3 bytes in the store instead of 5");
    assert_eq!(damage("changed"), "`table` of output `history` was changed in the store");
    let store = store_in(folder.path());
    make(&store, key, 0.0);
    assert!(hit(&store_in(folder.path()), key).is_some(), "made again, it is sound");
}

#[test]
fn a_blob_that_was_only_touched_is_hashed_and_believed() {
    let folder = tempfile::tempdir().unwrap();
    let key = Digest::of(b"key");
    let made = make(&store_in(folder.path()), key, 0.0);
    let blob = store_in(folder.path()).object_path(made.outputs["history"].files[0].digest);
    fs::File::open(&blob).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    assert!(hit(&store_in(folder.path()), key).is_some());
}

#[test]
fn after_another_boot_unsynced_blobs_are_hashed_before_they_are_believed() {
    let folder = tempfile::tempdir().unwrap();
    let key = Digest::of(b"key");
    let made = make(&store_in(folder.path()), key, 0.0);
    // A power cut can leave a blob with its size and times but without its bytes.
    let blob = store_in(folder.path()).object_path(made.outputs["history"].files[0].digest);
    let time = blob.metadata().unwrap().modified().unwrap();
    fs::set_permissions(&blob, Permissions::from_mode(0o644)).unwrap();
    fs::write(&blob, [0; 5]).unwrap();
    fs::File::open(&blob).unwrap().set_modified(time).unwrap();
    let mut later = store_in(folder.path());
    later.boot = Some("the next one".into());
    assert!(matches!(later.lookup(key), Found::Lost(_)));
}

#[test]
fn damaged_and_foreign_records_are_not_results() {
    let folder = tempfile::tempdir().unwrap();
    let key = Digest::of(b"key");
    make(&store_in(folder.path()), key, 0.0);
    let entry = store_in(folder.path()).layout().entry(key);
    fs::write(&entry, r#"{"format": 1, "resu"#).unwrap();
    assert!(matches!(store_in(folder.path()).lookup(key), Found::Lost(_)));
    fs::write(&entry, r#"{"format": 0}"#).unwrap();
    assert!(matches!(store_in(folder.path()).lookup(key), Found::Absent));
}

#[test]
fn what_shares_its_bytes_with_a_file_of_the_user_is_copied() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path());
    let own = folder.path().join("data.csv");
    fs::write(&own, "before").unwrap();
    let Begin::Miss(pending) = begin(&store, Digest::of(b"key")) else { panic!() };
    fs::create_dir(pending.staging().join("file")).unwrap();
    fs::hard_link(&own, pending.staging().join("file/data.csv")).unwrap();
    let made = pending.commit(result(0.0), &[port("file")]).unwrap();
    fs::write(&own, "after!").unwrap();
    assert_eq!(fs::read_to_string(store.object_path(made.outputs["file"].files[0].digest)).unwrap(), "before");
}

#[test]
fn links_among_the_outputs_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path());
    let Begin::Miss(pending) = begin(&store, Digest::of(b"key")) else { panic!() };
    fs::create_dir(pending.staging().join("file")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", pending.staging().join("file/x")).unwrap();
    let error = pending.commit(result(0.0), &[port("file")]).unwrap_err();
    assert_eq!(error.to_string(), "the output `x` is a symbolic link, and only plain files can be stored");
    assert!(matches!(store.lookup(Digest::of(b"key")), Found::Absent));
}

#[test]
fn only_one_of_many_computes_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let key = Digest::of(b"key");
    let misses = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let store = store_in(folder.path());
                loop {
                    match begin(&store, key) {
                        Begin::Hit(_) => break,
                        Begin::Busy(_) => std::thread::yield_now(),
                        Begin::Miss(pending) => {
                            misses.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                            fs::create_dir_all(pending.staging().join("file")).unwrap();
                            fs::write(pending.staging().join("file/a"), "a").unwrap();
                            pending.commit(result(0.0), &[port("file")]).unwrap();
                        }
                    }
                }
            });
        }
    });
    assert_eq!(misses.into_inner(), 1);
}

#[test]
fn a_key_that_is_being_made_is_busy_until_its_holder_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path());
    let key = Digest::of(b"key");
    let held = begin(&store, key);
    let Begin::Busy(owner) = begin(&store, key) else { panic!("it is held") };
    assert_eq!(owner, "another stage of this run");
    assert!(!store.is_free(key).unwrap());
    fs::write(store.layout().lock(key), "kilter (process 1)").unwrap();
    let Begin::Busy(owner) = begin(&store, key) else { panic!("it is held") };
    assert_eq!(owner, "kilter (process 1)");
    drop(held);
    assert!(store.is_free(key).unwrap());
    assert!(!store.layout().lock(key).exists());
}

#[test]
fn every_attempt_gets_a_folder_of_a_new_name() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path());
    let folders: Vec<_> = (0..2)
        .map(|_| {
            let Begin::Miss(pending) = begin(&store, Digest::of(b"key")) else { panic!("nothing was committed") };
            assert!(pending.staging().is_dir() && pending.scratch().is_dir());
            pending.scratch()
        })
        .collect();
    assert_ne!(folders[0], folders[1]);
    assert!(folders.iter().all(|folder| !folder.exists()));
}

#[test]
fn a_store_that_cannot_be_made_says_where_and_why() {
    let folder = tempfile::tempdir().unwrap();
    // A file where the folder should be: refused for root too, unlike missing permissions.
    fs::write(folder.path().join(layout::STATE), "").unwrap();
    let store = store_in(folder.path());
    let error = store.begin(Digest::of(b"key"), false).unwrap_err();
    assert!(error.to_string().starts_with("cannot make the folder `"), "{error}");
    assert!(matches!(store.lookup(Digest::of(b"key")), Found::Lost(_)));
}

#[test]
fn a_full_disk_and_a_read_only_one_say_what_to_do() {
    use std::io::ErrorKind as K;
    let path = Path::new("/w/.kilter/store-v1/objects/ab/cd");
    let full = StoreError::io("write", path, &K::StorageFull.into());
    assert_eq!(full.to_string(), "cannot write `/w/.kilter/store-v1/objects/ab/cd`: the disk is full");
    assert!(full.hints()[0].contains("nothing half-written was kept"));
    let locked = StoreError::io("write", path, &K::ReadOnlyFilesystem.into());
    assert_eq!(locked.to_string(), "cannot write `/w/.kilter/store-v1/objects/ab/cd`: the file system is read-only");
    assert!(matches!(locked, StoreError::NotWritable { .. }));
}

#[test]
fn another_object_of_the_same_size_and_time_is_not_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path());
    let out = folder.path().join("out/p/a");
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
    let made = ["one", "two"].map(|text| {
        let Begin::Miss(pending) = begin(&store, Digest::of(text.as_bytes())) else { panic!("it is there already") };
        fs::create_dir(pending.staging().join("file")).unwrap();
        let path = pending.staging().join("file/text");
        fs::write(&path, text).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        pending.commit(result(0.0), &[port("file")]).unwrap()
    });
    for (result, text) in made.iter().zip(["one", "two"]) {
        store.restore(result, &out).unwrap();
        // Where the file system clones, both are copies, and only their bytes would tell.
        if fs::metadata(out.join("text")).unwrap().nlink() > 1 {
            assert_eq!(fs::read_to_string(out.join("text")).unwrap(), text);
        }
    }
}

#[test]
fn a_folder_that_many_restore_at_once_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path());
    let made = make(&store, Digest::of(b"key"), 0.0);
    let out = folder.path().join("out/p/train");
    for _ in 0..20 {
        let _ = fs::remove_dir_all(&out);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| store_in(folder.path()).restore(&made, &out).unwrap());
            }
        });
        assert!(store.is_in_place(&made, &out));
    }
    assert_eq!(fs::read_dir(folder.path().join("out/p")).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn last_keys_of_two_processes_are_merged() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path());
    let (mut one, mut two) = (store.last_keys("p"), store.last_keys("p"));
    one.note("a", Digest::of(b"a"), 1, 0.5);
    two.note("b", Digest::of(b"b"), 2, 0.5);
    one.save().unwrap();
    two.save().unwrap();
    let both = store.last_keys("p");
    assert_eq!(both.get("a").map(|last| last.at), Some(1));
    assert_eq!(both.get("b").map(|last| last.key), Some(Digest::of(b"b")));
}

/// Run in a child process by the test below; does nothing by itself.
#[test]
fn child_that_is_killed_while_it_commits() {
    if let Some(root) = env::var(WORKSPACE) {
        let store = store_in(Path::new(&root));
        let made = make(&store, Digest::of(b"key"), 2.0);
        store.restore(&made, &Path::new(&root).join("out/p/train")).unwrap();
    }
}

#[test]
fn a_process_killed_at_any_point_leaves_no_wrong_or_half_result() {
    for point in ["blob-stored", "blobs-stored", "entry-written", "restored-beside"] {
        let folder = tempfile::tempdir().unwrap();
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::tests::child_that_is_killed_while_it_commits", "--quiet"])
            .env(WORKSPACE, folder.path())
            .env(FAIL_AT, point)
            .output()
            .unwrap()
            .status;
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(libc::SIGKILL), "at {point}");
        let store = store_in(folder.path());
        let key = Digest::of(b"key");
        if point == "restored-beside" {
            assert!(hit(&store, key).is_some());
        } else {
            assert!(matches!(store.lookup(key), Found::Absent), "at {point}");
            store.sweep();
            assert_eq!(fs::read_dir(store.layout().tmp()).unwrap().count(), 0, "at {point}");
            assert_eq!(fs::read_dir(store.layout().store().join("locks")).unwrap().count(), 0, "at {point}");
            make(&store, key, 0.0);
        }
        let made = hit(&store_in(folder.path()), key).unwrap();
        let out = folder.path().join("out/p/train");
        store.restore(&made, &out).unwrap();
        assert_eq!(fs::read(out.join("model/weights")).unwrap(), vec![7; 300_000], "at {point}");
    }
}
