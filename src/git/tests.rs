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

    let sub = Git::of(&at.join("sub")).unwrap().unwrap();
    let first = sub.commit("main").unwrap();
    assert_eq!(Some(first.clone()), state.revision);
    assert_eq!(sub.file_at(&first, "a.lock").unwrap(), b"one\n");
    assert_eq!(sub.file_at("other", "a.lock").unwrap(), b"two\n");
    assert_eq!(sub.file_at(&first, "gone.lock"), None);
    assert_eq!(sub.commit("no-such"), None);
    assert_eq!(sub.commit("--all"), None);

    let mut files = sub.files_of_all_branches(".lock").unwrap();
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
        assert!(matches!(Git::of(folder.path()), Ok(None)) && Git::state(folder.path()).is_none());
        // A repository that git does not take for one is not none.
        std::fs::create_dir(folder.path().join(".git")).unwrap();
        let error = Git::of(folder.path()).unwrap_err();
        assert!(error.why.starts_with("not a git repository"), "{error}");
    }
}

/// A repository with a lock in its one commit.
fn repository() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "-q"]);
    std::fs::write(folder.path().join("a.lock"), "one\n").unwrap();
    git(folder.path(), &["add", "."]);
    git(folder.path(), &["commit", "-qm", "first"]);
    folder
}

#[test]
fn what_git_cannot_read_is_an_error_and_never_fewer_files() {
    let folder = repository();
    let asked = || Git::of(folder.path()).unwrap().unwrap().files_of_all_branches(".lock");
    assert_eq!(asked().unwrap().len(), 1);
    let branch = folder.path().join(".git/refs/heads/other");
    std::fs::write(&branch, "no commit\n").unwrap();
    let error = asked().unwrap_err();
    assert_eq!(error.why, "it ignores a broken ref refs/heads/other");
    std::fs::write(&branch, format!("{:040}\n", 7)).unwrap();
    assert!(asked().is_err());
    std::fs::remove_file(&branch).unwrap();
    // The file itself is gone.
    let objects = walkdir::WalkDir::new(folder.path().join(".git/objects")).into_iter().filter_map(Result::ok);
    for object in objects.filter(|item| item.file_type().is_file()) {
        let (path, whole) = (object.path(), std::fs::read(object.path()).unwrap());
        std::fs::remove_file(path).unwrap();
        assert!(asked().is_err(), "without {}", path.display());
        std::fs::write(path, whole).unwrap();
    }
    assert_eq!(asked().unwrap()[0].bytes, b"one\n");
}

#[test]
fn a_tag_of_a_file_and_names_that_are_no_text_are_no_trouble() {
    use std::os::unix::ffi::OsStrExt;
    let folder = repository();
    git(folder.path(), &["tag", "file", "HEAD:a.lock"]);
    git(folder.path(), &["tag", "-am", "a file", "told", "HEAD:a.lock"]);
    std::fs::write(folder.path().join(std::ffi::OsStr::from_bytes(b"\xe4.txt")), "x").unwrap();
    git(folder.path(), &["add", "."]);
    git(folder.path(), &["commit", "-qm", "second"]);
    let files = Git::of(folder.path()).unwrap().unwrap().files_of_all_branches(".lock").unwrap();
    assert_eq!(files.len(), 1);
}
