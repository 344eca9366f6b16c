//! A real repository with two branches.

use super::Git;
use std::path::Path;
use std::process::Command;

fn git(folder: &Path, arguments: &[&str]) {
    let status = Command::new("git")
        .args(["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main", "-C"])
        .arg(folder)
        .args(arguments)
        .output()
        .expect("git runs");
    assert!(status.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&status.stderr));
}

#[test]
fn states_revisions_and_files_of_all_branches() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    git(at, &["init", "-q"]);
    assert_eq!(Git::state(at).unwrap().revision, None);
    std::fs::create_dir(at.join("sub")).unwrap();
    std::fs::write(at.join("sub/a.lock"), "one\n").unwrap();
    std::fs::write(at.join("b.txt"), "b").unwrap();
    git(at, &["add", "."]);
    git(at, &["commit", "-qm", "first"]);
    let state = Git::state(at).unwrap();
    assert_eq!((state.branch.as_deref(), state.dirty), (Some("main"), false));
    git(at, &["checkout", "-qb", "other"]);
    std::fs::write(at.join("sub/a.lock"), "two\n").unwrap();
    assert!(Git::state(at).unwrap().dirty);
    git(at, &["commit", "-qam", "second"]);
    std::fs::write(at.join("untracked"), "x").unwrap();
    assert!(!Git::state(at).unwrap().dirty);

    let sub = Git::of(&at.join("sub")).unwrap();
    let first = sub.commit("main").unwrap();
    assert_eq!(Some(first.clone()), state.revision);
    assert_eq!(sub.file_at(&first, "a.lock").unwrap(), b"one\n");
    assert_eq!(sub.file_at("other", "a.lock").unwrap(), b"two\n");
    assert_eq!(sub.file_at(&first, "gone.lock"), None);
    assert_eq!(sub.commit("no-such"), None);
    assert_eq!(sub.commit("--all"), None);

    let mut files = sub.files_of_all_branches(".lock");
    files.sort_by(|a, b| a.bytes.cmp(&b.bytes));
    let told: Vec<_> =
        files.iter().map(|file| (file.path.as_str(), file.refs.iter().next().unwrap().as_str())).collect();
    assert_eq!(told, [("sub/a.lock", "main"), ("sub/a.lock", "other")]);
    assert_eq!(files[1].bytes, b"two\n");
}

#[test]
fn a_folder_in_no_repository_has_none() {
    let folder = tempfile::tempdir().unwrap();
    // The temporary folder might itself lie in a repository; then there is nothing to test.
    if folder.path().ancestors().all(|above| !above.join(".git").exists()) {
        assert!(Git::of(folder.path()).is_none() && Git::state(folder.path()).is_none());
    }
}
