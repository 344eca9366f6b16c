//! Samples of what the readers read, and the test that feeds them mutated ones.

use super::*;
use crate::types::{Column, DType, TableSchema};
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
    let ty = serde_json::to_value(ArtifactType::File).unwrap();
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
    let predict =
        json!({ "setting": setting, "architecture": "a", "weights": "w", "data": "d", "batch_size": 1, "out": "o" });
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

/// A standing as it is kept, without its sum, and its parts alone; a map as in the other files.
fn standings() -> Vec<Vec<u8>> {
    let mut samples = vec![rmp_serde::to_vec(&json!({ "a": [1, "x", null] })).unwrap(), b"{\"a\": {}}".to_vec()];
    in_store(|store, folder| {
        put_result(store);
        let stages = [("a", Some(Digest::of(b"key"))), ("b", Some(Digest::of(b"no key"))), ("c", None)];
        for stages in [&stages[..], &stages[..1], &stages[1..]] {
            let whole = standing_with(store, folder, stages);
            let found = store.standing(folder, &[], false).expect("it holds");
            assert_eq!(found.stages().count(), stages.len());
            let (length, _) = whole.split_first_chunk::<4>().unwrap();
            samples.push(whole[4 + u32::from_le_bytes(*length) as usize..].to_vec());
            samples.push(whole);
        }
    });
    samples
}

fn found_types() -> Vec<Vec<u8>> {
    let mut samples = Vec::new();
    in_store(|store, folder| {
        let manifest = folder.join("p.toml");
        let types = [DType::I64, DType::Str, DType::Decimal(10, 2), DType::List(Box::new(DType::F32))];
        let columns = types.into_iter().enumerate().map(|(at, ty)| Column::new(format!("c{at}"), ty));
        let table = ("table".to_owned(), TableSchema::new(columns.collect()));
        let head = types_with(store, &manifest, None).unwrap();
        for tables in [vec![], vec![table.clone()], vec![table, ("t".to_owned(), TableSchema::unknown())]] {
            let whole = types_with(store, &manifest, Some(tables.clone())).unwrap();
            assert_eq!(store.types_found(&manifest).get(Digest::of(b"check")), Some(&tables));
            samples.push(whole.strip_prefix(head.as_slice()).unwrap().to_vec());
            samples.push(whole);
        }
    });
    samples
}

fn samples(target: &str) -> Vec<Vec<u8>> {
    match target {
        "manifest" => [files("pipelines", ".toml"), files("tests/check", ".toml"), files("stdlib", ".toml")].concat(),
        "lock" => locks(),
        "index" => records(),
        "standing" => standings(),
        "types" => found_types(),
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
