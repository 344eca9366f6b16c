//! Large files, which a child of the program hashes as they lie in memory: the digest is the one of BLAKE3, and a change
//! of their last byte is seen.

use crate::sandbox::Sandbox;
use std::fs::File;
use std::io::Write;
use std::process::{Command, Output};

/// Above the size from which files are mapped.
const SIZE: usize = 300 << 20;

fn kilter(sandbox: &Sandbox, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kilter"));
    command.args(arguments).current_dir(sandbox.path("")).output().expect("kilter starts")
}

#[test]
fn a_large_file_is_hashed_rightly_and_its_change_is_seen() {
    let sandbox = Sandbox::new();
    let mut bytes = vec![7_u8; SIZE];
    let large = sandbox.path("large");
    std::fs::write(&large, &bytes).expect("a large file");
    let hashed = Command::new(env!("CARGO_BIN_EXE_kilter"))
        .arg("__hash-mapped")
        .stdin(File::open(&large).expect("it is there"))
        .output()
        .expect("kilter starts");
    assert_eq!(String::from_utf8_lossy(&hashed.stdout), format!("{} {SIZE}\n", blake3::hash(&bytes)));

    sandbox.write(
        "p.toml",
        "[pipeline]\nname = \"p\"\nedition = \"2026\"\n\n[stage.last]\nkind = \"exec\"\n\
         command = [\"sh\", \"-c\", \"tail -c 1 large > last\"]\nfiles = [\"large\"]\noutputs.last = \"last\"\n",
    );
    let last = || {
        let run = kilter(&sandbox, &["run", "p.toml"]);
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        std::fs::read(sandbox.path("out/p/last/last")).expect("output")
    };
    assert_eq!(last(), [7]);
    bytes[SIZE - 1] = 8;
    let mut file = File::create(&large).expect("it can be written again");
    file.write_all(&bytes).expect("room");
    drop(file);
    assert_eq!(last(), [8]);
}
