//! The words of `why`, by the program itself: where a changed field stands, another implementation, another environment. And a run
//! that may not ask anybody.

use crate::lock::forget;
use crate::sandbox::Sandbox;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const MANIFEST: &str = r#"[pipeline]
name = "why"
edition = "2026"

[params]
least = 1

[stage.raw]
kind = "fetch"
path = "d.csv"

[stage.table]
kind = "read"
from = "raw"
null_values = ["NA"]

[stage.some]
kind = "table"
from = "table"
steps = [
  { filter = "n > ${least}" },
  { derive = { half = "n / 2" } },
]
"#;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_manifest(MANIFEST).file("d.csv", "n\n1\n2\nNA\n");
    sandbox.run(&[]).success();
    sandbox
}

#[test]
fn lists_of_files_and_of_references_are_told_by_their_names() {
    let text = r#"[pipeline]
name = "lists"
edition = "2026"

[stage.raw]
kind = "fetch"
path = "d.csv"

[stage.table]
kind = "read"
from = "raw"

[stage.both]
kind = "table"
from = "table"
steps = [{ concat = { with = ["table"] } }]

[stage.words]
kind = "exec"
command = ["sh", "-c", "cat *.txt > {outputs.all}"]
files = ["a.txt"]
outputs.all = "all"
"#;
    let sandbox = Sandbox::with_manifest(text).file("d.csv", "n\n1\n").file("a.txt", "a").file("b.txt", "b");
    sandbox.run(&[]).success();
    let why = |stage: &str| sandbox.kilter(&["why", "pipeline.toml", stage]).success();
    let change = |from: &str, to: &str| sandbox.write("pipeline.toml", text.replace(from, to));
    assert!(!why("words").prints("a.txt  ").stdout.contains("[1]"), "a file stands on one line");
    change("[\"a.txt\"]", "[\"a.txt\", \"b.txt\"]");
    why("words").prints("  files: [\"a.txt\"] -> [\"a.txt\",\"b.txt\"] (pipeline.toml:21:9)\n");
    let diff = sandbox.kilter(&["diff", "last", "workspace"]).success();
    diff.prints("files: [\"a.txt\"] -> [\"a.txt\",\"b.txt\"]\n");
    change("[\"a.txt\"]", "[\"*.txt\"]");
    why("words").prints("  files[0]: \"a.txt\" -> \"*.txt\" (pipeline.toml:21:10)\n");
    change("[\"table\"]", "[\"table\", \"table\"]");
    why("both").prints("  steps[0].concat.with: [\"table\"] -> [\"table\",\"table\"] (pipeline.toml:16:30)\n");
    sandbox.write("pipeline.toml", text);
    sandbox.write("a.txt", "other");
    why("words").prints("  a.txt changed\n");
}

#[test]
fn a_changed_field_is_told_with_its_place_in_the_file() {
    let sandbox = sandbox();
    let why = |stage: &str| sandbox.kilter(&["why", "pipeline.toml", stage]).success();
    why("some").prints("It would not run: nothing that it is made of changed");
    let change = |from: &str, to: &str| sandbox.write("pipeline.toml", MANIFEST.replace(from, to));
    change("\"n / 2\"", "\"n / 4\"");
    why("some").prints("steps[1].derive.half: \"n / 2\" -> \"n / 4\" (pipeline.toml:22:23)");
    change("[\"NA\"]", "[\"NA\", \"-\"]");
    why("table").prints("null_values: [\"NA\"] -> [\"NA\",\"-\"] (pipeline.toml:15:15)");
    change("null_values = [\"NA\"]", "null_values = [\"NA\"]\nheader = true");
    why("table").prints("header: ").prints(" -> true (pipeline.toml:16:10)");
    change("least = 1", "least = 2");
    why("some").prints("steps[0].filter: \"n > 1\" -> \"n > 2\" (param least, pipeline.toml:6:9)");
    sandbox.write("pipeline.toml", MANIFEST);
    let set = sandbox.kilter(&["why", "pipeline.toml", "some", "--set", "least=3"]).success();
    set.prints("steps[0].filter: \"n > 1\" -> \"n > 3\" (--set least)");
    // Comments and order move the place, and nothing else.
    let moved = MANIFEST.replace("[params]", "# a comment\n\n[params]").replace("\"n / 2\"", "\"n / 4\"");
    sandbox.write("pipeline.toml", moved);
    why("some").prints("(pipeline.toml:24:23)");
}

#[test]
fn a_stage_that_failed_is_not_said_never_to_have_run() {
    let text = "[pipeline]\nname = \"fails\"\nedition = \"2026\"\n[params]\ncode = 3\n[stage.a]\nkind = \"exec\"\n\
                command = [\"sh\", \"-c\", \"echo oops; echo a > a; exit ${code}\"]\noutputs.a = \"a\"\n";
    let sandbox = Sandbox::with_manifest(text);
    let why = |set: &[&str]| sandbox.kilter(&[&["why", "pipeline.toml", "a"], set].concat()).success();
    assert!(!why(&[]).prints("a has not run yet.\nIt would run.").stdout.contains("failed"));
    let status = || sandbox.kilter(&["status", "pipeline.toml"]).success();
    status().prints("has not run yet").prints("new");
    sandbox.run(&[]).exits(1);
    assert!(!status().prints("failed 20").prints("`sh` ended with exit code 3").stdout.contains("has not run yet"));
    let json = sandbox.kilter(&["status", "pipeline.toml", "--json"]).success().json();
    assert_eq!(json["stages"][0]["state"], "failed", "{json:#}");
    why(&[]).prints("a has no result yet.\nIt failed ").prints("`sh` ended with exit code 3; its log is .kilter/runs/");
    sandbox.run(&["--set", "code=0"]).success();
    assert!(!why(&["--set", "code=0"]).stdout.contains("failed"));
    assert!(!why(&[]).prints("a last ran").stdout.contains("failed"), "it ran since");
    assert!(!status().prints("changed").stdout.contains("failed"), "it ran since");
    sandbox.run(&[]).exits(1);
    why(&[]).prints("a last ran ").prints("It failed ").prints("It would run again because");
    status().prints("failed 20");
}

#[test]
fn of_several_params_in_a_text_the_one_that_differs_is_told() {
    let text = r#"[pipeline]
name = "several"
edition = "2026"

[params]
first = "a"
second = "b"

[stage.words]
kind = "exec"
command = ["sh", "-c", "echo ${first} and ${second} > words.txt"]
outputs.words = "words.txt"
"#;
    let sandbox = Sandbox::with_manifest(text);
    sandbox.run(&[]).success();
    let why = |set: &[&str]| sandbox.kilter(&[&["why", "pipeline.toml", "words"], set].concat()).success();
    why(&["--set", "second=c"]).prints("(--set second)");
    sandbox.write("pipeline.toml", text.replace("second = \"b\"", "second = \"c\""));
    why(&[]).prints("(param second, pipeline.toml:7:10)");
    why(&["--set", "first=x"]).prints("(--set first)");
    sandbox.write("pipeline.toml", text.replace(" and ", " or "));
    why(&[]).prints("(pipeline.toml:11:24)");
}

/// Makes the last result of a stage one that was made otherwise: under another key, with `old` in the place of `new` in what entered it.
fn made_otherwise(sandbox: &Sandbox, stage: &str, new: &str, old: &str) {
    let last = std::fs::read_dir(sandbox.path(".kilter/last"))
        .expect("last keys")
        .flatten()
        .next()
        .expect("one pipeline")
        .path();
    let text = std::fs::read_to_string(&last).expect("last keys");
    let keys: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let key = keys[stage]["key"].as_str().unwrap_or_else(|| panic!("no key of `{stage}`: {keys}"));
    let index = sandbox.path(".kilter/store-v1/index");
    let entry = index.join(&key[..2]).join(format!("{}.json", &key[2..]));
    let result = std::fs::read_to_string(&entry).expect("an entry of the index");
    let (facts, entered) = result.split_at(result.find("\"key\":{").expect("what entered the key"));
    assert!(entered.contains(new), "no {new} in {entered}");
    let other = format!("{}{}", if key.starts_with('0') { '1' } else { '0' }, &key[1..]);
    std::fs::create_dir_all(index.join(&other[..2])).expect("a folder");
    let place = index.join(&other[..2]).join(format!("{}.json", &other[2..]));
    std::fs::write(place, format!("{facts}{}", entered.replacen(new, old, 1))).expect("written");
    std::fs::remove_file(&entry).expect("removed");
    std::fs::write(&last, text.replace(key, &other)).expect("written");
    let _ = std::fs::remove_dir_all(sandbox.path(".kilter/standing"));
}

#[test]
fn a_kind_that_is_implemented_anew_is_told() {
    let sandbox = sandbox();
    let shown = sandbox.kilter(&["why", "pipeline.toml", "table", "--json"]).success().json();
    let version = shown["key"]["version"].as_u64().expect("a version");
    made_otherwise(&sandbox, "table", &format!("\"version\":{version}"), "\"version\":0");
    let why = sandbox.kilter(&["why", "pipeline.toml", "table"]).success();
    why.prints(&format!("It would run again because\n  `read` is implemented anew: version 0 -> {version}\n"));
    sandbox.kilter(&["plan", "pipeline.toml"]).success().prints("`read` is implemented anew");
    sandbox.run(&[]).success();
    sandbox.run(&[]).all_cached();
}

#[test]
fn another_environment_is_told() {
    if !cfg!(feature = "torch") {
        return;
    }
    let text = r#"[pipeline]
name = "why"
edition = "2026"
seed = 1

[stage.raw]
kind = "fetch"
path = "d.csv"

[stage.table]
kind = "read"
from = "raw"

[stage.encode]
kind = "encode"
fit = "table"
features.n = "numeric"
target.m = "number"

[stage.model]
kind = "model"
data = "encode.table"
layers = [{ linear = 1 }]

[stage.train]
kind = "train"
model = "model"
data = "encode.table"
loss = "mse"
optimizer.adamw = { lr = 0.05 }
epochs = 1
batch_size = 4
"#;
    let sandbox = Sandbox::with_manifest(text).file("d.csv", "n,m\n1,2\n2,5\n3,6\n4,8\n5,9\n");
    sandbox.run(&[]).success();
    let libtorch = kilter::job::LIBTORCH;
    made_otherwise(&sandbox, "train", &format!("\"libtorch\":\"{libtorch}\""), "\"libtorch\":\"1.0.0\"");
    let why = sandbox.kilter(&["why", "pipeline.toml", "train"]).success();
    why.prints(&format!("It would run again because\n  libtorch: 1.0.0 -> {libtorch}\n"));
}

/// A server that gives a file to everybody who asks, and counts them.
fn server(body: &'static str) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            count.fetch_add(1, Ordering::SeqCst);
            let mut head = [0; 4096];
            let _ = stream.read(&mut head);
            let length = body.len();
            let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
        }
    });
    (port, asked)
}

#[test]
fn a_frozen_run_asks_nobody() {
    use sha2::Digest;
    let body = "n\n1\n2\n";
    let (port, asked) = server(body);
    let sha256: String = sha2::Sha256::digest(body.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let text = format!(
        "[pipeline]\nname = \"f\"\nedition = \"2026\"\n\n[stage.raw]\nkind = \"fetch\"\nurl = \"http://127.0.0.1:{port}/d.csv\"\n\
         sha256 = \"{sha256}\"\n\n[stage.table]\nkind = \"read\"\nfrom = \"raw\"\n"
    );
    let sandbox = Sandbox::with_manifest(&text);
    sandbox.run(&["--frozen"]).exits(4).says("there is no lock");
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    sandbox.run(&[]).success();
    let first = asked.load(Ordering::SeqCst);
    assert!(first > 0);
    let lock = sandbox.read("pipeline.lock");
    sandbox.run(&["--frozen"]).all_cached();
    forget(&sandbox);
    let refused = sandbox.run(&["--frozen"]);
    assert!(refused.code != 0);
    refused.says("this run may not use the network, and what it would fetch is not in the store").says("`raw`");
    assert_eq!(asked.load(Ordering::SeqCst), first, "nobody was asked");
    assert!(!sandbox.path("out/f/raw").exists());
    assert_eq!(sandbox.read("pipeline.lock"), lock);
    sandbox.run(&["--locked"]).success();
    assert!(asked.load(Ordering::SeqCst) > first);
    sandbox.run(&["--frozen"]).all_cached();
}
