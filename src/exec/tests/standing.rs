//! What the last look found is believed only while nothing that it depended on has changed.

use super::*;
use std::path::PathBuf;

const TEXT: &str =
    "[stage.a]\nkind = \"emit\"\ntext = \"x\"\nread = \"data.txt\"\n[stage.b]\nkind = \"join\"\ninputs = [\"a\"]\n";

fn kept() -> Bench {
    let mut bench = Bench::new(TEXT);
    bench.options.keep = Some(Vec::new());
    bench.write("data.txt", "data");
    bench.run();
    assert!(stands(&bench, &[]), "right after a run");
    bench
}

/// Whether a run of the manifest would be told that there is nothing to do.
fn stands(bench: &Bench, set: &[&str]) -> bool {
    let set: Vec<String> = set.iter().map(|set| (*set).to_owned()).collect();
    let manifest = bench.root().canonicalize().unwrap().join("p.toml");
    let store = bench.store();
    let standing = store.standing(&manifest, &set, true);
    let told = standing.as_ref().and_then(|standing| run_nothing(standing, &store, true, &|_| {}));
    told.inspect(|summary| assert_eq!(summary.cached, 2)).is_some()
}

fn files(folder: PathBuf) -> Vec<PathBuf> {
    let walk = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().filter_map(Result::ok);
    walk.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path).collect()
}

fn overwrite(file: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::write(file, text).unwrap();
}

#[test]
fn everything_that_a_look_depends_on_is_looked_at_again() {
    type Change = fn(&Bench);
    let store = |bench: &Bench, folder: &str| files(bench.store().layout().store().join(folder));
    let changes: [(&str, Change); 11] = [
        ("the manifest", |bench| bench.manifest(&format!("{TEXT}\n# more\n"))),
        ("a file", |bench| bench.write("data.txt", "atad")),
        ("no file", |bench| std::fs::remove_file(bench.root().join("data.txt")).unwrap()),
        ("no entry", |bench| std::fs::remove_file(&files(bench.store().layout().index())[0]).unwrap()),
        ("a damaged entry", |bench| overwrite(&files(bench.store().layout().index())[1], "{}")),
        ("no out", |bench| std::fs::remove_file(bench.root().join("out/p/b/text.txt")).unwrap()),
        ("more in out", |bench| bench.write("out/p/a/more", "")),
        ("other bytes in out", |bench| {
            std::fs::remove_file(bench.root().join("out/p/a/text.txt")).unwrap();
            bench.write("out/p/a/text.txt", "yatad");
        }),
        ("no last keys", |bench| std::fs::remove_file(bench.store().layout().last("p")).unwrap()),
        ("no standing", |bench| std::fs::remove_dir_all(bench.root().join(".kilter/standing")).unwrap()),
        ("a damaged standing", |bench| {
            let file = files(bench.root().join(".kilter/standing")).remove(0);
            let mut bytes = std::fs::read(&file).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::write(file, bytes).unwrap();
        }),
    ];
    for (what, change) in changes {
        let bench = kept();
        change(&bench);
        assert!(!stands(&bench, &[]), "{what}");
    }
    for (what, text) in [("no blob", None), ("a blob of other bytes", Some("ydata"))] {
        let bench = kept();
        let blob = store(&bench, "objects").into_iter().find(|blob| std::fs::read(blob).unwrap() == b"xdata").unwrap();
        match text {
            Some(text) => overwrite(&blob, text),
            None => std::fs::remove_file(&blob).unwrap(),
        }
        assert!(!stands(&bench, &[]), "{what}");
        assert_eq!(bench.run().summary.failed, 0);
        assert_eq!(bench.read("out/p/b/text.txt"), "(xdata)", "{what}");
    }
    assert!(!stands(&kept(), &["x=1"]), "another --set");
}

#[test]
fn a_folder_that_is_not_listed_again_is_still_watched() {
    let bench = kept();
    std::thread::sleep(std::time::Duration::from_millis(2100));
    assert!(stands(&bench, &[]) && stands(&bench, &[]), "its stamp is noted by now");
    bench.write("out/p/a/more", "");
    assert!(!stands(&bench, &[]));
    std::fs::remove_file(bench.root().join("out/p/a/more")).unwrap();
    assert!(stands(&bench, &[]));
    std::fs::create_dir(bench.root().join("out/p/b/empty")).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(2100));
    assert!(stands(&bench, &[]) && stands(&bench, &[]), "an empty folder is no file");
    bench.write("out/p/b/empty/more", "");
    assert!(!stands(&bench, &[]));
}

#[test]
fn what_a_standing_cannot_tell_is_looked_at_each_time() {
    let gate = TEXT.replace("read = ", "mischief = \"gate\"\nread = ");
    let warned = format!("[params]\nunused = 1\n{TEXT}");
    let always = TEXT.replace("kind = \"join\"", "kind = \"join\"\ncache = false");
    for text in [&gate, &warned, &always] {
        let mut bench = Bench::new(text);
        bench.options.keep = Some(Vec::new());
        bench.write("data.txt", "data");
        bench.run();
        bench.run();
        assert!(!stands(&bench, &[]), "{text}");
    }
}
