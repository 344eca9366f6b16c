//! The readers of everything that comes from outside, as fuzzing calls them: each takes any bytes, and must come back
//! without a panic. `fuzz/` runs them under cargo-fuzz; a test here feeds them mutated samples.

use crate::check::{NoResults, check};
use crate::digest::Digest;
use crate::env::Cancel;
use crate::job::{Job, JobFile, JobResult, WorkerEvent};
use crate::lock::{Lock, mend, sides};
use crate::manifest::{LoadOptions, load_text};
use crate::registry::STAGES;
use crate::stage::{Onward, Progress, RunCx, Seed, Services, StageError};
use crate::store::{Store, Workspace};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;

/// A reader and its name.
pub type Target = (&'static str, fn(&[u8]));

/// Every reader.
pub const TARGETS: &[Target] = &[
    ("manifest", manifest),
    ("lock", lock),
    ("index", index),
    ("standing", standing),
    ("job", job),
    ("archive", archive),
];

/// A manifest, loaded and checked, and what is wrong with it put in words.
pub fn manifest(bytes: &[u8]) {
    let folder = Path::new("/nowhere");
    let options = LoadOptions { path: &folder.join("p.toml"), workspace: folder, set: &[] };
    let checked = check(load_text(&options, &String::from_utf8_lossy(bytes)), STAGES, &mut NoResults, folder);
    let shown = crate::diag::render(&checked.diagnostics, &checked.sources, crate::diag::Format::Json);
    drop(shown);
}

/// A lock, as it is or as a merge left it: read, mended, and written again. What was written reads as the same lock.
///
/// # Panics
/// Where a lock that was read is written as something else.
pub fn lock(bytes: &[u8]) {
    let path = Path::new("p.lock");
    let read = |text: &str| Lock::parse(text, path).ok();
    let text = String::from_utf8_lossy(bytes);
    let merged = sides(&text).and_then(|(ours, theirs)| Some((read(&ours)?, read(&theirs)?)));
    let lock = merged.map_or_else(
        || read(&text),
        |(ours, theirs)| {
            let names = ours.stages.keys().map(String::as_str).collect();
            Some(mend(&ours, &theirs, &names, &|name| theirs.stages.get(name).cloned()).lock)
        },
    );
    if let Some(lock) = lock {
        assert!(
            read(&lock.text()).as_ref() == Some(&lock),
            "written and read again it is another lock: {}",
            lock.text()
        );
    }
}

fn in_store(work: impl FnOnce(&Store, &Path)) {
    let Ok(folder) = tempfile::tempdir() else { return };
    let (root, store) = (folder.path().to_owned(), folder.path().join(".kilter"));
    work(&Store::open(&Workspace { root, store }), folder.path());
}

fn put(path: &Path, bytes: &[u8]) {
    // What cannot be written is not read.
    let _ = path.parent().map(std::fs::create_dir_all);
    let _ = std::fs::write(path, bytes);
}

/// A record of the index.
pub fn index(bytes: &[u8]) {
    in_store(|store, _| {
        let key = Digest::of(b"key");
        put(&store.layout().entry(key), bytes);
        let found = (store.peek(key), store.lookup(key));
        drop(found);
    });
}

/// What the last look found, the digests of files and the last keys: all that is kept to save time.
pub fn standing(bytes: &[u8]) {
    in_store(|store, folder| {
        let layout = store.layout();
        // With the right sum, so that what stands behind it is read.
        put(&layout.standing(folder), &[Digest::of(bytes).as_bytes(), bytes].concat());
        put(&layout.stat_cache(), bytes);
        put(&layout.last("p"), bytes);
        let found = (store.standing(folder, &[], true), store.last_keys("p").is_empty());
        drop(found);
        in_workspace_of(store);
    });
}

/// The digests of files are read when a store is opened.
fn in_workspace_of(store: &Store) {
    let (root, store) = (store.layout().root().to_owned(), store.layout().store().to_owned());
    drop(Store::open(&Workspace { root, store }));
}

/// A job file, and what a worker answers.
pub fn job(bytes: &[u8]) {
    let read = (serde_json::from_slice::<JobFile>(bytes).ok(), serde_json::from_slice::<WorkerEvent>(bytes).ok());
    drop(read);
}

/// An archive. Its first byte says what it is called.
pub fn archive(bytes: &[u8]) {
    const ENDS: [&str; 8] = ["zip", "whl", "tar", "tar.gz", "tar.xz", "tar.zst", "deb", "gz"];
    let Some((first, bytes)) = bytes.split_first() else { return };
    let Ok(folder) = tempfile::tempdir() else { return };
    let name = format!("a.{}", ENDS[usize::from(*first) % ENDS.len()]);
    put(&folder.path().join(&name), bytes);
    let fetch = STAGES.iter().find(|stage| stage.info().name == "fetch");
    let decoded = fetch.and_then(|fetch| fetch.decode(&json!({ "path": name, "member": "**" })).0);
    let (staging, scratch, log) =
        (folder.path().join("staging"), folder.path().join("scratch"), folder.path().join("log"));
    let made = std::fs::create_dir(&staging).and_then(|()| std::fs::create_dir(&scratch));
    let (Some(spec), Ok(())) = (decoded, made) else { return };
    let cx = RunCx {
        stage: "raw",
        seed: Seed::derive(0, "raw"),
        base: folder.path(),
        scratch: &scratch,
        log: &log,
        threads: 1,
        memory: None,
        gpus: &[],
        cancel: &Cancel::new(),
        services: &Nobody,
        inputs: &BTreeMap::new(),
        staging: &staging,
        onward: &Onward::default(),
    };
    drop(spec.run(&cx));
}

/// Serves nothing.
struct Nobody;

impl Services for Nobody {
    fn progress(&self, _: Progress) {}

    fn warn(&self, _: String) {}

    fn note(&self, _: String) {}

    fn run_job(&self, _: &Job, _: &mut dyn FnMut(&WorkerEvent)) -> Result<JobResult, StageError> {
        Err(StageError::bug("there is no worker here"))
    }

    fn network_allowed(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Standing;
    use std::io::Write;
    use std::path::PathBuf;

    /// A small generator of mutations.
    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 % limit.max(1) as u64) as usize
        }
    }

    const WORDS: &[&str] = &[
        "[",
        "]",
        "{",
        "}",
        "\"",
        "'''",
        "=",
        ".",
        "${",
        "$",
        "\\u",
        "\0",
        "\n",
        "-1",
        "99999999999999999999",
        "1e999",
        "nan",
        "null",
        "..",
        "/",
        "*",
        "[stage.",
        "kind",
        "use",
        "é",
        "\u{202e}",
    ];

    fn mutate(random: &mut Random, samples: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = samples[random.below(samples.len())].clone();
        for _ in 0..1 + random.below(4) {
            let at = random.below(bytes.len() + 1);
            match random.below(6) {
                0 => bytes.truncate(at),
                1 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
                2 if at < bytes.len() => bytes[at] = random.below(256) as u8,
                3 => drop(bytes.splice(at..at, WORDS[random.below(WORDS.len())].bytes())),
                4 => {
                    let end = (at + random.below(40)).min(bytes.len());
                    bytes.drain(at..end);
                }
                _ => {
                    let other = &samples[random.below(samples.len())];
                    let from = random.below(other.len());
                    let piece = other[from..(from + random.below(200)).min(other.len())].to_vec();
                    drop(bytes.splice(at..at, piece));
                }
            }
        }
        bytes
    }

    fn files(folder: &str, end: &str) -> Vec<Vec<u8>> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder);
        let walk = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().filter_map(Result::ok);
        let walk = walk.filter(|entry| entry.file_name().to_string_lossy().ends_with(end));
        walk.map(|entry| std::fs::read(entry.path()).unwrap()).collect()
    }

    fn records() -> Vec<Vec<u8>> {
        let file = json!({ "name": "t.parquet", "size": 3, "digest": Digest::of(b"abc") });
        let ty = serde_json::to_value(crate::types::ArtifactType::File).unwrap();
        let output = json!({ "ty": ty, "digest": Digest::of(b"x"), "files": [file] });
        let result = json!({
            "kind": "read", "version": 1, "outputs": { "table": output }, "summary": "3 rows", "metrics": { "a": 0.5 },
            "gates": [{ "metric": "a", "value": 0.5, "min": 0.1, "max": null, "holds": true }], "seconds": 0.1,
            "made": 1, "environment": {}, "key": { "spec": { "from": { "ref": "raw", "digest": "00" } } },
        });
        vec![json!({ "format": 1, "boot": null, "mtimes": [1], "result": result }).to_string().into_bytes()]
    }

    fn locks() -> Vec<Vec<u8>> {
        let mut locks = files("pipelines", ".lock");
        let [one, ..] = &locks[..] else { panic!("no pipeline has a lock") };
        let text = String::from_utf8(one.clone()).unwrap();
        let (head, tail) = text.split_at(text.len() / 2);
        let (cut, _) = tail.split_once('\n').unwrap();
        let merged = format!("{head}<<<<<<< ours\n{tail}||||||| base\n{cut}\n=======\n{tail}>>>>>>> theirs\n");
        locks.push(merged.into_bytes());
        locks
    }

    fn jobs() -> Vec<Vec<u8>> {
        let setting = json!({ "threads": 1, "numerics": "native", "device": "cpu" });
        let predict = json!({ "setting": setting, "architecture": "a", "weights": "w", "data": "d", "batch_size": 1, "out": "o" });
        vec![
            json!({ "protocol": crate::job::PROTOCOL, "stage": "s", "job": { "predict": predict } })
                .to_string()
                .into_bytes(),
        ]
    }

    fn archives() -> Vec<Vec<u8>> {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(3);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append_data(&mut header, "d/a.csv", &b"a,b"[..]).unwrap();
        let tar = tar.into_inner().unwrap();
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        zip.start_file("d/a.csv", zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(b"a,b\n1,2\n").unwrap();
        let zip = zip.finish().unwrap().into_inner();
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gz.write_all(&tar).unwrap();
        let gz = gz.finish().unwrap();
        let zst = zstd::encode_all(&tar[..], 1).unwrap();
        let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
        xz.write_all(&tar).unwrap();
        let xz = xz.finish().unwrap();
        let mut deb = ar::Builder::new(Vec::new());
        for (name, bytes) in [("debian-binary", b"2.0\n".to_vec()), ("data.tar.gz", gz.clone())] {
            deb.append(&ar::Header::new(name.into(), bytes.len() as u64), &bytes[..]).unwrap();
        }
        let deb = deb.into_inner().unwrap();
        let of = |first: u8, bytes: &[u8]| [&[first], bytes].concat();
        vec![of(0, &zip), of(2, &tar), of(3, &gz), of(4, &xz), of(5, &zst), of(6, &deb), of(7, &gz)]
    }

    /// A standing as it is kept, without its sum; a map as in the other files.
    fn standings() -> Vec<Vec<u8>> {
        let mut kept = Vec::new();
        in_store(|store, folder| {
            std::fs::create_dir(store.layout().state()).unwrap();
            let mut standing = Standing::new(store, "p", BTreeMap::new(), &[], std::iter::empty()).unwrap();
            standing.add(store, "a", "exec", Some(Digest::of(b"key"))).unwrap();
            standing.add(store, "b", "exec", None).unwrap();
            standing.close(&store.last_keys("p"));
            store.keep_standing(folder, &standing);
            kept = std::fs::read(store.layout().standing(folder)).unwrap().split_off(32);
        });
        vec![kept, rmp_serde::to_vec(&json!({ "a": [1, "x", null] })).unwrap(), b"{\"a\": {}}".to_vec()]
    }

    fn samples(target: &str) -> Vec<Vec<u8>> {
        match target {
            "manifest" => {
                [files("pipelines", ".toml"), files("tests/check", ".toml"), files("stdlib", ".toml")].concat()
            }
            "lock" => locks(),
            "index" => records(),
            "standing" => standings(),
            "job" => jobs(),
            _ => archives(),
        }
    }

    /// What `cargo xtask fuzz` starts from.
    fn write_seeds(folder: &Path, samples: &[Vec<u8>]) {
        std::fs::create_dir_all(folder).unwrap();
        for (index, sample) in samples.iter().enumerate() {
            std::fs::write(folder.join(format!("sample-{index:03}")), sample).unwrap();
        }
    }

    #[test]
    fn no_reader_is_stopped_by_any_bytes() {
        let cases = crate::env::var("KILTER_FUZZ").and_then(|text| text.parse().ok()).unwrap_or(300_usize);
        let seed = crate::env::var("KILTER_FUZZ_SEED").and_then(|text| text.parse().ok()).unwrap_or(1_u64);
        let seeds = crate::env::var("KILTER_FUZZ_SEEDS").map(PathBuf::from);
        for (name, target) in TARGETS {
            let samples = samples(name);
            if let Some(seeds) = &seeds {
                write_seeds(&seeds.join(name), &samples);
                continue;
            }
            let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
            samples.iter().for_each(|sample| target(sample));
            for case in 0..cases {
                let bytes = mutate(&mut random, &samples);
                let ended = std::panic::catch_unwind(|| target(&bytes));
                assert!(ended.is_ok(), "{name}, case {case} of seed {seed}: {:?}", String::from_utf8_lossy(&bytes));
            }
        }
    }
}
