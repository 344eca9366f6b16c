//! Real programs, small ones.

use super::Exec;
use crate::digest::Tree;
use crate::stage::testing::Bench;
use crate::stage::{ErrorKind, StageError};
use crate::types::ArtifactType;
use std::time::{Duration, Instant};

fn run(bench: &Bench, fields: &str) -> Result<crate::stage::Produced, StageError> {
    let (_, findings) = bench.check::<Exec>(fields);
    assert!(findings.is_empty(), "{findings:?}");
    bench.run::<Exec>(fields)
}

fn found(fields: &str) -> Vec<String> {
    let bench = Bench::default();
    bench.file("a.py", "print()");
    let (_, findings) = bench.check::<Exec>(fields);
    findings.into_iter().map(|f| format!("{} {} ({})", f.diagnostic.code, f.diagnostic.message, f.label)).collect()
}

#[test]
fn a_program_sees_its_inputs_files_and_environment_and_nothing_else() {
    let mut bench = Bench::default();
    bench.input("raw.file", ArtifactType::File, &[("rows.txt", b"a\nb\n")]);
    bench.file("tools/run.sh", "#!/bin/sh\nwc -l < \"$1\" > \"$2\"\nenv | sort | grep -v ^PWD= > \"$3\"\necho said\n");
    let fields = r#"
        command = ["sh", "tools/run.sh", "{inputs.rows}", "{outputs.count}", "{outputs.seen}"]
        inputs.rows = "raw.file"
        files = ["tools/*.sh"]
        outputs.count = "out/count.txt"
        outputs.seen = { path = "env.txt" }
        env = { THREADS = "{threads}", NOTE = "{{threads}}" }
    "#;
    let produced = run(&bench, fields).expect("runs");
    assert!(produced.summary.starts_with("count 2 B · seen "), "{}", produced.summary);
    assert_eq!(bench.output("count"), [("count.txt".to_owned(), b"2\n".to_vec())]);
    let seen = String::from_utf8(bench.output("seen").remove(0).1).expect("text");
    let of_the_shell = ["PWD", "OLDPWD", "SHLVL", "_"];
    let names = seen.lines().filter_map(|line| line.split('=').next()).filter(|name| !of_the_shell.contains(name));
    let names = names.filter(|name| !name.ends_with("_THREADS") && *name != "GOMAXPROCS");
    assert_eq!(names.collect::<Vec<_>>(), ["HOME", "LANG", "NOTE", "PATH", "THREADS", "TMPDIR", "TZ"]);
    assert!(seen.contains("OMP_NUM_THREADS=2\n") && seen.contains("MKL_NUM_THREADS=2\n"), "its thread budget: {seen}");
    assert!(seen.contains("THREADS=2\n") && seen.contains("NOTE={threads}\n") && seen.contains("LANG=C.UTF-8\n"));
    assert!(seen.contains("TZ=UTC\n"), "no clock of this machine's place: {seen}");
    assert_eq!(std::fs::read_to_string(bench.place("stage.log")).expect("a log"), "said\n");
}

#[test]
fn an_input_is_a_copy_that_the_program_cannot_spoil() {
    let mut bench = Bench::default();
    bench.input("raw", ArtifactType::Dir, &[("a.txt", b"a"), ("sub/b.txt", b"b")]);
    let fields = r#"
        command = ["sh", "-c", "chmod -R u+w inputs; echo spoilt > {inputs.data}/a.txt; cp -r {inputs.data} {outputs.all}"]
        inputs.data = "raw"
        outputs.all = "all/"
    "#;
    let produced = run(&bench, fields).expect("runs");
    assert_eq!(produced.summary, "all 2 files, 8 B");
    assert_eq!(bench.output("all")[1], ("sub/b.txt".to_owned(), b"b".to_vec()));
    assert_eq!(std::fs::read(&bench.inputs["raw"].files[0].path).expect("there"), b"a");
}

#[test]
fn an_input_lies_where_it_is_wanted() {
    let mut bench = Bench::default();
    bench.input("raw", ArtifactType::Dir, &[("a.txt", b"a"), ("sub/b.txt", b"b")]);
    bench.input("one.file", ArtifactType::File, &[("whatever.bin", b"x")]);
    let fields = r#"
        command = ["sh", "-c", "cat data/all/a.txt data/all/sub/b.txt conf/one.txt {inputs.one} > {outputs.seen}"]
        inputs.all = { from = "raw", at = "data/all/" }
        inputs.one = { from = "one.file", at = "conf/one.txt" }
        outputs.seen = "seen"
    "#;
    run(&bench, fields).expect("runs");
    assert_eq!(bench.output("seen")[0].1, b"abxx");
    let place = |at: &str| {
        found(&format!("command = [\"x\"]\nfiles = [\"a.py\"]\ninputs.i = {{ from = \"raw\", at = \"{at}\" }}"))
    };
    for at in ["../x", "/x", ".", "inputs/x", "a.py", "a.py/x"] {
        assert!(place(at).len() == 1 && place(at)[0].starts_with("E0423"), "{at}: {:?}", place(at));
    }
    assert!(place("data").is_empty());
    let over = "command = [\"x\"]\ninputs.i = { from = \"raw\", at = \"data\" }\noutputs.o = \"data\"";
    assert!(found(over)[0].starts_with("E0421"), "{:?}", found(over));
}

#[test]
fn a_list_of_inputs_lies_in_numbered_folders() {
    let mut bench = Bench::default();
    let one = |number: usize| format!("fold[k={number}]");
    for number in 1..=10 {
        bench.input(&one(number), ArtifactType::Metrics, &[("metrics.json", number.to_string().as_bytes())]);
    }
    bench.input("raw", ArtifactType::Dir, &[("a.txt", b"a"), ("b.txt", b"b")]);
    let all: Vec<String> = (1..=10).map(one).collect();
    let fields = format!(
        r#"
        command = ["sh", "-c", "echo $# $1 > seen; cat \"$@\" inputs/all/*/*.json some/2/a.txt {{inputs.some}}/b.txt >> seen", "sh", "{{inputs.all}}"]
        inputs.all = {all:?}
        inputs.some = {{ from = ["fold[k=2]", "raw"], at = "some" }}
        outputs.seen = "seen"
        "#
    );
    run(&bench, &fields).expect("runs");
    let seen = bench.output("seen").remove(0).1;
    let expected = "10 inputs/all/01/metrics.json\n1234567891012345678910a2b";
    assert_eq!(String::from_utf8(seen).expect("text"), expected);
}

#[test]
fn the_mode_of_a_file_is_no_matter_to_a_program() {
    let mut bench = Bench::default();
    bench.input("raw", ArtifactType::File, &[("tool", b"#!/bin/sh\necho made\n")]);
    let script = bench.file("run.sh", "#!/bin/sh\nls -l run.sh | cut -c1-10 > seen; inputs/tool/tool >> seen\n");
    let fields = "command = [\"./run.sh\"]\nfiles = [\"run.sh\"]\ninputs.tool = \"raw\"\noutputs.seen = \"seen\"";
    for mode in [0o644, 0o755] {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(&script, permissions).expect("a mode");
        run(&bench, fields).expect("runs");
        assert_eq!(bench.output("seen"), [("seen".to_owned(), b"-r-xr-xr-x\nmade\n".to_vec())]);
    }
}

#[test]
fn two_files_do_not_lie_at_one_place() {
    let bench = Bench::default();
    bench.file("lib/a.py", "one");
    bench.file("other/lib/a.py", "another");
    let told = |files: &str| {
        let (_, findings) = bench.check::<Exec>(&format!("command = [\"x\"]\nfiles = [{files}]"));
        let told = findings.into_iter().map(|f| format!("{} {}", f.diagnostic.message, f.label));
        told.filter(|told| told.contains("lie at")).collect::<Vec<_>>()
    };
    assert_eq!(told(r#""lib/a.py", "lib/*.py", "./lib/a.py""#), Vec::<String>::new());
    let expected =
        "`other/lib/a.py` and `other/../lib/a.py` would lie at one place `other/lib/a.py` in the program's folder";
    assert_eq!(told(r#""other/lib/a.py", "other/../lib/a.py""#), [expected]);
}

#[test]
fn no_input_hides_what_lies_below_its_place() {
    let mut bench = Bench::default();
    bench.input("one", ArtifactType::File, &[("b", b"one")]);
    bench.input("many", ArtifactType::Dir, &[("b", b"two"), ("c", b"three")]);
    let fields = |inputs: &str| format!("command = [\"ls\", \"a\"]\n{inputs}");
    let told = |inputs: &str| bench.run::<Exec>(&fields(inputs)).map(drop).map_err(|error| error.message);
    let two = |place: &str| Err(format!("two files would lie at `{place}` in the program's folder"));
    let first = "inputs.first = { from = \"one\", at = \"a/b\" }\n";
    assert_eq!(told(&format!("{first}inputs.then = {{ from = \"many\", at = \"a\" }}")), two("a/b"));
    assert_eq!(told(&format!("{first}inputs.then = {{ from = \"one\", at = \"a\" }}")), two("a"));
    assert_eq!(
        told("inputs.first = { from = \"one\", at = \"a/d\" }\ninputs.then = { from = \"many\", at = \"a\" }"),
        Ok(())
    );
}

#[test]
fn what_is_there_and_no_file_is_not_said_to_be_missing() {
    let bench = Bench::default();
    bench.file("src/a.py", "");
    std::os::unix::fs::symlink("nowhere.py", bench.place("workspace/link.py")).expect("a link");
    let told = |name: &str| {
        let (_, findings) = bench.check::<Exec>(&format!("command = [\"x\"]\nfiles = [\"{name}\"]"));
        let [finding] = findings.as_slice() else { panic!("{findings:?}") };
        format!("{} {:?}", finding.diagnostic.message, finding.diagnostic.hints)
    };
    assert!(told("src").starts_with("`src` is a folder") && told("src").contains("`src/**` names all of them"));
    assert!(told("link.py").starts_with("`link.py` is a link that leads to no file"), "{}", told("link.py"));
    assert!(told("link.py").contains("it leads to `nowhere.py`"), "{}", told("link.py"));
    assert!(told("gone.py").starts_with("`gone.py` does not exist"), "{}", told("gone.py"));
}

#[test]
fn tables_and_metrics_are_read_back() {
    let bench = Bench::default();
    let fields = r#"
        command = ["sh", "-c", "printf 'a,b\n1,x\n2,y\n' > t.csv; echo '{\"acc\": 0.5, \"n\": 3}' > m.json"]
        outputs.rows = { path = "t.csv", type = "table" }
        outputs.scores = { path = "m.json", type = "metrics" }
    "#;
    let produced = run(&bench, fields).expect("runs");
    let ArtifactType::Table(schema) = &produced.ports[0].ty else { panic!("a table") };
    assert_eq!(schema.names().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(schema.rows, Some(2));
    assert_eq!(produced.metrics["acc"], 0.5);
    assert_eq!(bench.output("rows")[0].0, "table.parquet");
    let error =
        run(&bench, "command = [\"sh\", \"-c\", \"echo [1] > m\"]\noutputs.m = { path = \"m\", type = \"metrics\" }");
    assert_eq!(error.expect_err("no object").message, "the metrics are not a JSON object");
}

#[test]
fn a_failing_program_shows_its_code_and_its_last_lines() {
    let bench = Bench::default();
    let error = run(&bench, r#"command = ["sh", "-c", "echo one; echo two >&2; exit 3"]"#).expect_err("fails");
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Process, "`sh` ended with exit code 3"));
    assert_eq!(error.notes, ["the last lines that it printed:", "  one", "  two"]);
    assert!(error.log.is_some());
    let error = run(&bench, r#"command = ["sh", "-c", "kill -SEGV $$"]"#).expect_err("crashes");
    assert_eq!(error.message, "`sh` was killed by signal 11 (segmentation fault)");
    let error = run(&bench, r#"command = ["no-such-program-anywhere"]"#).expect_err("is not there");
    assert_eq!(error.message, "there is no program `no-such-program-anywhere` on this machine");
    let error = run(&bench, r#"command = ["./gone.sh"]"#).expect_err("is not there");
    assert!(error.hints[0].contains("among `files`"), "{error:?}");
}

#[test]
fn a_file_that_was_not_declared_is_named() {
    let bench = Bench::default();
    bench.file("count.sh", "exit 0");
    let error = bench.run::<Exec>(r#"command = ["sh", "count.sh"]"#).expect_err("is not there");
    let hint = "the program starts without `count.sh` of the workspace: name it among `files`";
    assert_eq!(error.hints, [hint]);
    let declared = "command = [\"sh\", \"count.sh\", \"gone.sh\"]\nfiles = [\"count.sh\"]";
    run(&bench, declared).expect("runs");
    let other = run(&bench, r#"command = ["sh", "-c", "exit 1"]"#).expect_err("fails");
    assert!(other.hints.is_empty(), "{other:?}");
    let told = |fields: &str| {
        let findings = bench.check::<Exec>(fields).1;
        findings.iter().map(|finding| finding.diagnostic.message.clone()).collect::<Vec<_>>()
    };
    assert_eq!(told(r#"command = ["sh", "./count.sh"]"#), ["the program starts without `./count.sh`"]);
    assert!(told(declared).is_empty(), "{:?}", told(declared));
    // What lies at an output's place is what an earlier run by hand left there.
    let made = "command = [\"touch\", \"count.sh\"]\noutputs.made = \"count.sh\"";
    assert!(told(made).is_empty(), "{:?}", told(made));
}

#[test]
fn a_missing_output_is_named_with_what_is_there() {
    let bench = Bench::default();
    let fields = "command = [\"sh\", \"-c\", \"echo > modle.bin\"]\noutputs.model = \"model.bin\"";
    let error = run(&bench, fields).expect_err("missing");
    assert!(error.message.contains("its output `model` is missing: there is no `model.bin`"), "{error:?}");
    assert_eq!(error.hints, ["did you mean `modle.bin`?"]);
    let error =
        run(&bench, "command = [\"ln\", \"-s\", \"/etc/passwd\", \"x\"]\noutputs.x = \"x\"").expect_err("a link");
    assert!(error.message.contains("is a link"), "{error:?}");
    let error = run(&bench, "command = [\"mkdir\", \"x\"]\noutputs.x = \"x\"").expect_err("a folder");
    assert!(error.message.contains("is a folder, not a file"), "{error:?}");
}

#[test]
fn timeouts_and_interruptions_end_the_whole_group() {
    let bench = Bench::default();
    let marker = bench.place("marker");
    let sleeper =
        format!("command = [\"sh\", \"-c\", \"(trap '' TERM; sleep 5; touch {}) & sleep 60\"]", marker.display());
    let begun = Instant::now();
    let error = run(&bench, &format!("{sleeper}\ntimeout = 0.2")).expect_err("too slow");
    assert_eq!(error.message, "`sh` was stopped after 0.2 s");
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    let cancel = bench.cancel.clone();
    let canceller = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(150));
        cancel.set();
    });
    let error = run(&bench, "command = [\"sleep\", \"60\"]").expect_err("interrupted");
    assert_eq!(error.kind, ErrorKind::Cancelled);
    canceller.join().expect("no panic");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(!marker.exists());
}

#[test]
#[cfg(target_os = "linux")]
fn a_timeout_ends_what_left_the_group_too() {
    let bench = Bench::default();
    let marker = bench.place("marker");
    let stray = format!("setsid sh -c 'touch here; sleep 1; touch {}' & sleep 60", marker.display());
    let begun = Instant::now();
    run(&bench, &format!("command = [\"sh\", \"-c\", \"{stray}\"]\ntimeout = 0.5")).expect_err("too slow");
    assert!(bench.place("scratch/work/here").exists(), "it had begun");
    std::thread::sleep(Duration::from_millis(1800).saturating_sub(begun.elapsed()));
    assert!(!marker.exists());
}

#[test]
fn mistakes_are_found_before_anything_runs() {
    assert!(found("command = []")[0].starts_with("E0422"));
    assert!(found("command = [\"python3 a.py\"]")[0].contains("no shell"));
    let all = found("command = [\"x\", \"{inputs.dta}\"]\ninputs.data = \"raw\"");
    assert_eq!(all, ["E0420 `{inputs.dta}` names nothing (no such input or output)"]);
    assert!(found("command = [\"x\"]\nfiles = [\"b.py\"]")[0].starts_with("E0206"));
    assert!(found("command = [\"x\"]\nfiles = [\"*.rs\"]")[0].starts_with("E0208"));
    for path in ["../x", "/x", ".", "inputs/x", "a.py", "a.py/x"] {
        let all = found(&format!("command = [\"x\"]\nfiles = [\"a.py\"]\noutputs.x = \"{path}\""));
        assert!(all.len() == 1 && all[0].starts_with("E0421"), "{path}: {all:?}");
    }
    assert!(found("command = [\"x\"]\noutputs.a = \"x\"\noutputs.b = \"x/y\"")[0].contains("`a` is there already"));
    assert!(found("command = [\"x\"]\noutputs.a = { path = \"x.bin\", type = \"table\" }")[0].contains("not a table"));
}

#[test]
fn a_limit_is_no_part_of_the_key_and_a_files_path_is() {
    let tree = |fields: &str| {
        let spec: super::Spec = toml::from_str(fields).expect("a spec");
        Tree::of(&spec).expect("a tree")
    };
    assert_eq!(tree("command = [\"x\"]"), tree("command = [\"x\"]\ntimeout = \"5m\""));
    assert_ne!(tree("command = [\"x\"]\nfiles = [\"a\"]"), tree("command = [\"x\"]\nfiles = [\"b\"]"));
    // Without a place an input is what it always was.
    let reference = Tree::Ref("a".to_owned());
    let Tree::Map(fields) = tree("command = [\"x\"]\ninputs.i = \"a\"") else { panic!("a table") };
    assert_eq!(fields.get("inputs"), Some(&Tree::Map([("i".to_owned(), reference)].into())));
    assert_ne!(
        tree("command = [\"x\"]\ninputs.i = \"a\""),
        tree("command = [\"x\"]\ninputs.i = { from = \"a\", at = \"b\" }")
    );
    let mut files = Vec::new();
    tree("command = [\"x\"]\nfiles = [\"a\"]").visit_files(&mut |_, text| files.push(text.to_owned()));
    assert_eq!(files, ["a"]);
}
