//! Small projects in temporary folders; whole ones are run in `tests/it/import.rs`.

use super::command::{Command, command};
use super::template::{Params, Piece};
use super::*;

fn project(files: &[(&str, &str)]) -> (tempfile::TempDir, Result<Imported, ImportError>) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let found = import(&folder.path().join("dvc.yaml"), "p");
    (folder, found)
}

fn manifest(files: &[(&str, &str)]) -> String {
    let (_folder, found) = project(files);
    let text = found.unwrap().text;
    let table: Result<toml::Table, _> = text.parse();
    assert!(table.is_ok(), "{text}");
    text
}

fn words(line: &str) -> Vec<String> {
    command(&[vec![Piece::Text(line.to_owned())]], "", false, &Params::default()).words
}

#[test]
fn commands_need_a_shell_or_not() {
    assert_eq!(words("python src/a.py --x 'a b' data\\ x"), ["python", "src/a.py", "--x", "a b", "data x"]);
    assert_eq!(words("echo \"it's\" '$HOME'"), ["echo", "it's", "$HOME"]);
    for line in
        ["a | b", "a > b", "a $X", "a *.py", "cd x", "X=1 a", "a && b", "a ~/x", "a \"$X\"", "if a; then b; fi", "a 'b"]
    {
        assert_eq!(words(line), ["sh", "-c", line], "{line}");
    }
    let lines = [vec![Piece::Text("a".into())], vec![Piece::Text("b c".into())]];
    assert_eq!(command(&lines, "", false, &Params::default()).words, ["sh", "-ec", "a\nb c"]);
    assert_eq!(
        command(&lines[..1], "sub dir", true, &Params::default()).words,
        ["sh", "-ec", "mkdir -p 'sub dir'\ncd 'sub dir'\na"]
    );
}

#[test]
fn several_commands_fail_where_they_fail_in_dvc() {
    let run = |lines: &[&str], wdir: &str| {
        let lines: Vec<_> = lines.iter().map(|line| vec![Piece::Text((*line).to_owned())]).collect();
        let Command { words, .. } = command(&lines, wdir, true, &Params::default());
        let folder = tempfile::tempdir().unwrap();
        let ran = std::process::Command::new(&words[0]).args(&words[1..]).current_dir(&folder).output().unwrap();
        let out = String::from_utf8(ran.stdout).unwrap();
        (out.replace(&*folder.path().canonicalize().unwrap().to_string_lossy(), ""), ran.status.success())
    };
    // One command is one shell, which goes on after a failure and says how its last line ended.
    for wdir in ["", "sub"] {
        assert_eq!(run(&["false\necho on"], wdir), ("on\n".to_owned(), true), "{wdir}");
        assert_eq!(run(&["false; echo on"], wdir), ("on\n".to_owned(), true), "{wdir}");
        assert_eq!(run(&["echo on\nfalse\n"], wdir), ("on\n".to_owned(), false), "{wdir}");
    }
    // Of several each has its own, and none starts after one that failed.
    assert_eq!(run(&["false", "echo on"], ""), (String::new(), false));
    assert_eq!(run(&["false && true", "echo on"], ""), (String::new(), false));
    assert_eq!(run(&["false\ntrue", "echo on"], ""), ("on\n".to_owned(), true));
    assert_eq!(run(&["exit 0", "echo on"], ""), ("on\n".to_owned(), true));
    assert_eq!(run(&["mkdir a", "cd a", "X=1", "pwd -P", "echo \"$X\""], "sub"), ("/sub\n\n".to_owned(), true));
}

#[test]
fn stages_are_wired_by_their_paths() {
    let text = manifest(&[
        (
            "dvc.yaml",
            "stages:\n  prepare:\n    desc: Cleans\n    cmd: sh a.sh data/raw.csv data/clean\n    deps: [a.sh, data/raw.csv]\n    outs: [data/clean]\n\
             \x20 train:\n    cmd: sh b.sh data/clean/x.csv model.bin\n    deps: [b.sh, data/clean/x.csv]\n    outs: [model.bin]\n    metrics:\n    - scores.json: {cache: false}\n",
        ),
        ("a.sh", ""),
        ("b.sh", ""),
        ("data/raw.csv", ""),
    ]);
    for line in [
        "[stage.prepare]\nkind = \"exec\"\nabout = \"Cleans\"\ncommand = [\"sh\", \"a.sh\", \"data/raw.csv\", \"data/clean\"]\n",
        "files = [\"a.sh\", \"data/raw.csv\"]\noutputs.clean = { path = \"data/clean\", type = \"dir\" }\n",
        "inputs.clean = { from = \"prepare.clean\", at = \"data/clean\" }\nfiles = [\"b.sh\"]\noutputs.model = \"model.bin\"\n",
        "outputs.scores = { path = \"scores.json\", type = \"metrics\" }\n",
    ] {
        assert!(text.contains(line), "{line}\n---\n{text}");
    }
}

#[test]
fn params_are_picked_and_templates_become_params() {
    let (_folder, found) = project(&[
        (
            "dvc.yaml",
            "vars: [{out: m.bin, word: w}, more.json:top]\nstages:\n  train:\n    cmd: t --lr ${train.lr} --n ${top.n} ${out} ${word} \\${HOME} {x}\n    params: [train.lr, seed]\n    outs: ['${out}']\n\
             \x20 all:\n    cmd: 'u ${train}'\n    params: [{params.yaml: }, {other.toml: [a]}]\n    deps: [m.bin]\n",
        ),
        ("params.yaml", "train: {lr: 0.1, deep: true, off: false, s: [1, 2]}\nseed: 7\n"),
        ("more.json", "{\"top\": {\"n\": 3}, \"left\": 1}"),
        ("other.toml", "a = 1\n"),
    ]);
    let found = found.unwrap();
    for line in [
        "[params]\ntop_n = 3   # top.n\ntrain_lr = 0.1   # train.lr\nword = \"w\"\n",
        "[stage.train_params]\nkind = \"pick\"\nfile = \"params.yaml\"\nkeys = [\"seed\", \"train.lr\"]\n",
        "inputs.params = { from = \"train_params.file\", at = \"params.yaml\" }\n",
        "t --lr ${train_lr} --n ${top_n} m.bin ${word} $${{HOME}} {{x}}",
        "command = [\"u\", \"--lr\", \"0.1\", \"--deep\", \"--s\", \"1\", \"2\"]\n",
        "files = [\"other.toml\", \"params.yaml\"]\n",
        "inputs.m = { from = \"train.m\", at = \"m.bin\" }\n",
    ] {
        assert!(found.text.contains(line), "{line}\n---\n{}", found.text);
    }
    assert!(found.notes.iter().any(|note| note.text.contains("depends on all of `other.toml`")), "{:?}", found.notes);
    assert!(
        told(&found.notes, "a change of the file that they were in no longer reaches commands"),
        "{:?}",
        found.notes
    );
    let both =
        "`train.lr` stands in `params.yaml` too, where a program reads it: change both, it and the param `train_lr`";
    assert!(told(&found.notes, both), "{:?}", found.notes);
    assert!(!told(&found.notes, "`top.n` stands"), "{:?}", found.notes);
}

#[test]
fn nothing_and_lists_in_commands_are_words_as_in_dvc() {
    let text = manifest(&[
        (
            "dvc.yaml",
            "stages:\n  a:\n    cmd: 'a ${none} ${opts}'\n  b:\n    foreach: [~]\n    do: {cmd: 'b ${item}'}\n",
        ),
        ("params.yaml", "none: ~\nopts: {x: ~, empty: [], two: [1, ~]}\n"),
    ]);
    for line in [
        "none = \"None\"\n",
        "command = [\"a\", \"${none}\", \"--x\", \"None\", \"--two\", \"1\", \"None\"]\n",
        "command = [\"b\", \"None\"]\n",
    ] {
        assert!(text.contains(line), "{line}\n---\n{text}");
    }
}

#[test]
fn floats_in_names_are_written_as_python_does() {
    let text = manifest(&[
        (
            "dvc.yaml",
            "stages:\n  a:\n    foreach: [0.00001, 0.0001, 1.0, 1e16, -2.5e-7, ~]\n    do: {cmd: 'a ${item}', outs: ['m_${item}/x.bin']}\n\
             \x20 b:\n    matrix: {lr: '${lrs}'}\n    cmd: b ${key}\n    deps: ['m_${item.lr}/x.bin']\n",
        ),
        ("params.yaml", "lrs: [0.00001]\n"),
    ]);
    for line in [
        "[stage.a_1e-05]\nkind = \"exec\"\ncommand = [\"a\", \"1e-05\"]\noutputs.x = \"m_1e-05/x.bin\"\n",
        "command = [\"a\", \"0.0001\"]",
        "command = [\"a\", \"1.0\"]",
        "command = [\"a\", \"1e+16\"]",
        "command = [\"a\", \"-2.5e-07\"]",
        "[stage.a_None]",
        "[stage.b_1e-05]\nkind = \"exec\"\ncommand = [\"b\", \"1e-05\"]\ninputs.x = { from = \"a_1e-05.x\", at = \"m_1e-05/x.bin\" }\n",
    ] {
        assert!(text.contains(line), "{line}\n---\n{text}");
    }
}

#[test]
fn what_is_written_down_as_it_is_now_is_told() {
    let (_folder, found) = project(&[
        (
            "dvc.yaml",
            "vars: [{dir: out}]\nstages:\n  a:\n    foreach: ${grid}\n    do: {cmd: 'a ${item} ${opts} ${lr}', outs: ['${dir}/${key}.csv']}\n\
             \x20 b:\n    matrix: {m: '${models}'}\n    cmd: b ${item.m}\n    deps: ['${dir}']\n",
        ),
        ("params.yaml", "grid: {x: 1}\nopts: {deep: true}\nlr: 1\nmodels: [u]\n"),
        ("out/x.csv", ""),
        ("out/own.csv", ""),
    ]);
    let found = found.unwrap();
    let all = ": written down as they are now, as files, stages or words of a command follow from them: `dir`, `grid`, `models` and `opts`";
    assert!(told(&found.notes, all), "{:#?}", found.notes);
    let listed = "b@u: the files of `out` that no stage makes are listed as they are now";
    assert!(told(&found.notes, listed), "{:#?}", found.notes);
    assert!(found.text.contains("files = [\"out/own.csv\"]"), "{}", found.text);
    let quiet = project(&[("dvc.yaml", "stages: {a: {foreach: [1], do: {cmd: 'x ${item}'}}}")]);
    assert!(!told(&quiet.1.unwrap().notes, "written down"));
}

#[test]
fn foreach_and_matrix_are_opened() {
    let text = manifest(&[
        (
            "dvc.yaml",
            "stages:\n  one:\n    foreach: [us, uk]\n    do: {cmd: 'a ${item}', outs: ['${item}.csv']}\n\
             \x20 two:\n    foreach: ${models}\n    do: {cmd: 'b ${key} ${item.lr}', deps: ['${key}.csv']}\n\
             \x20 three:\n    matrix: {m: [x, y], f: [1, 2]}\n    cmd: c ${item.m} ${item.f} ${key}\n    outs: ['${key}.bin']\n",
        ),
        ("params.yaml", "models: {us: {lr: 1}, uk: {lr: 2}}\n"),
    ]);
    for line in [
        "[stage.one_us]\nkind = \"exec\"\ncommand = [\"a\", \"us\"]\noutputs.us = \"us.csv\"\n",
        "[stage.two_uk]\nkind = \"exec\"\ncommand = [\"b\", \"uk\", \"2\"]\ninputs.uk = { from = \"one_uk.uk\", at = \"uk.csv\" }\n",
        "[stage.three_y-2]\nkind = \"exec\"\ncommand = [\"c\", \"y\", \"2\", \"y-2\"]\noutputs.y-2 = \"y-2.bin\"\n",
    ] {
        assert!(text.contains(line), "{line}\n---\n{text}");
    }
    assert_eq!(text.matches("[stage.").count(), 8);
}

#[test]
fn a_matrix_of_tables_names_its_stages_by_number() {
    let text = manifest(&[
        (
            "dvc.yaml",
            "stages:\n  train:\n    matrix:\n      cfg: [{lr: 1, deps: [x]}, {lr: 2, deps: [y]}]\n      sizes: [[8, 4]]\n      m: ${models}\n\
             \x20   cmd: t ${item.cfg.lr} ${item.sizes[1]} ${item.m} ${key}.bin\n    deps: ${item.cfg.deps}\n    outs: ['${key}.bin']\n\
             \x20 pick:\n    cmd: p\n    deps: [cfg0-sizes0-a.bin, cfg1-sizes0-a.bin]\n\
             \x20 each:\n    foreach: [one, {n: 2}]\n    do: {cmd: e}\n",
        ),
        ("params.yaml", "models: {a: 1}\n"),
        ("x", ""),
        ("y", ""),
    ]);
    for line in [
        "[stage.train_cfg0-sizes0-a]\nkind = \"exec\"\ncommand = [\"t\", \"1\", \"4\", \"a\", \"cfg0-sizes0-a.bin\"]\nfiles = [\"x\"]\n",
        "[stage.train_cfg1-sizes0-a]\nkind = \"exec\"\ncommand = [\"t\", \"2\", \"4\", \"a\", \"cfg1-sizes0-a.bin\"]\nfiles = [\"y\"]\n",
        "outputs.cfg1-sizes0-a = \"cfg1-sizes0-a.bin\"\n",
        "inputs.cfg0-sizes0-a = { from = \"train_cfg0-sizes0-a.cfg0-sizes0-a\", at = \"cfg0-sizes0-a.bin\" }\n",
        "inputs.cfg1-sizes0-a = { from = \"train_cfg1-sizes0-a.cfg1-sizes0-a\", at = \"cfg1-sizes0-a.bin\" }\n",
        "[stage.each_0]\n",
        "[stage.each_1]\n",
    ] {
        assert!(text.contains(line), "{line}\n---\n{text}");
    }
    assert_eq!(text.matches("[stage.").count(), 5);
}

#[test]
fn frozen_always_changed_wdir_and_what_lies_outside() {
    let (_folder, found) = project(&[
        (
            "dvc.yaml",
            "artifacts: {m: {path: x}}\nstages:\n  get:\n    cmd: wget x\n    frozen: true\n    outs: [data/x.csv]\n\
             \x20 log:\n    cmd: date\n    always_changed: true\n    deps: [data/x.csv, s3://bucket/y, ../up]\n\
             \x20 sub:\n    cmd: ./run.sh ../data/x.csv out\n    wdir: src\n    deps: [../data/x.csv]\n    outs: [out/, keep: {persist: true}]\n",
        ),
        ("data/x.csv", "1"),
        ("src/run.sh", ""),
    ]);
    let found = found.unwrap();
    assert!(!found.text.contains("wget"), "{}", found.text);
    for line in [
        "[stage.log]\nkind = \"exec\"\ncommand = [\"date\"]\nfiles = [\"data/x.csv\"]\ncache = false",
        "cd src\n./run.sh ../data/x.csv out",
        "files = [\"data/x.csv\", \"src/run.sh\"]\n",
        "outputs.out = { path = \"src/out\", type = \"dir\" }\n",
    ] {
        let toml = found.text.replace("\\n", "\n");
        assert!(toml.contains(line), "{line}\n---\n{toml}");
    }
    let notes: Vec<&str> = found.notes.iter().map(|note| note.text.as_str()).collect();
    for word in [
        "`s3://bucket/y` lies outside",
        "`../up` lies outside",
        "persist",
        "is frozen",
        "always runs",
        "`artifacts`",
        "is declared now",
    ] {
        assert!(notes.iter().any(|note| note.contains(word)), "{word}: {notes:#?}");
    }
}

fn told(notes: &[Note], word: &str) -> bool {
    notes.iter().any(|note| format!("{}: {}", note.stage.as_deref().unwrap_or_default(), note.text).contains(word))
}

#[test]
fn what_stands_beside_the_stages_is_carried_over_or_told() {
    let (_folder, found) = project(&[
        (
            "dvc.yaml",
            "metrics: ['${name}.json', run/m.json, gone.json]\nparams: [run/p.yaml]\nplots: [curve.csv: {x: n}]\nmeta: 1\nartifacts: {}\n\
             vars: [{name: scores}]\nstages:\n  a:\n    desc: About ${name}\n    cmd: x\n    meta: {by: me}\n    outs: [scores.json, run, m.bin: {push: false, desc: D}]\n\
             \x20   plots: [curve.csv: [{x: n, cache: false}, {y: loss, template: t}]]\n\
             \x20 b:\n    foreach: [1]\n    do: {cmd: y, dep: [z]}\n    frozen: true\n",
        ),
        (".dvcignore", "# none\n\n*.tmp\n"),
    ]);
    let found = found.unwrap();
    for line in ["outputs.scores = { path = \"scores.json\", type = \"metrics\" }\n", "about = \"About scores\"\n"] {
        assert!(found.text.contains(line), "{line}\n---\n{}", found.text);
    }
    for word in [
        "a: the metrics `run/m.json` stay a file of the folder `run`",
        ": the metrics `gone.json` are not carried over",
        ": the top-level `params` are not carried over",
        ": the top-level `plots` are not carried over",
        ": `meta` is not carried over",
        "a: `meta` is not carried over",
        "a: not carried over of the output `m.bin`: `desc` and `push`",
        "a: not carried over of the output `curve.csv`: `template`, `x` and `y`",
        ": outputs with `cache: false` are kept in the store",
        ": `.dvcignore` is not carried over",
        "b: `dep` is not known",
        "b: `frozen` beside `foreach` is not carried over",
    ] {
        assert!(told(&found.notes, word), "{word}: {:#?}", found.notes);
    }
    assert!(!told(&found.notes, "artifacts"), "{:#?}", found.notes);
    let quiet = project(&[("dvc.yaml", "stages: {a: {cmd: x, outs: [y.txt]}}"), (".dvcignore", "# as it comes\n")]);
    assert!(!told(&quiet.1.unwrap().notes, ".dvcignore"));
}

#[test]
fn what_an_output_is_is_found_or_told() {
    let (_folder, found) = project(&[
        (
            "dvc.yaml",
            "stages:\n  a:\n    wdir: sub\n    cmd: x\n    outs: [model, tree, guess]\n    metrics: [here.json, words.json, bad.json, gone.json, read.json, dir]\n\
             \x20 b: {cmd: y, deps: [sub/read.json]}\n",
        ),
        (
            "dvc.lock",
            "stages:\n  a:\n    outs:\n    - {path: model, md5: 0a}\n    - {path: tree, md5: 0b.dir}\n  gone:\n    outs: [{path: guess, md5: 0c}]\n",
        ),
        ("sub/here.json", "{\"a\": {\"b\": 1}}"),
        ("sub/words.json", "{\"a\": \"b\"}"),
        ("sub/bad.json", "{\"a\":"),
        ("sub/dir/m.json", "{}"),
    ]);
    let found = found.unwrap();
    for line in [
        "outputs.model = \"sub/model\"\n",
        "outputs.tree = { path = \"sub/tree\", type = \"dir\" }\n",
        "outputs.here = { path = \"sub/here.json\", type = \"metrics\" }\n",
        "outputs.words = \"sub/words.json\"\n",
        "outputs.bad = \"sub/bad.json\"\n",
        "outputs.gone = { path = \"sub/gone.json\", type = \"metrics\" }\n",
        "outputs.read = \"sub/read.json\"\n",
        "outputs.dir = { path = \"sub/dir\", type = \"dir\" }\n",
    ] {
        assert!(found.text.contains(line), "{line}\n---\n{}", found.text);
    }
    for word in [
        "a: `sub/guess` is taken for a folder; if it is a file, write `outputs.guess = \"sub/guess\"`",
        "a: `sub/gone.json` is not here, and is taken for metrics: numbers only; else write `outputs.gone = \"sub/gone.json\"`",
        "`sub/words.json` are kept as a file: not all of its values are numbers",
        "`sub/bad.json` are kept as a file: it cannot be read",
        "`sub/read.json` are kept as a file, because another stage reads it",
        "`sub/dir` are kept as the folder",
    ] {
        assert!(told(&found.notes, word), "{word}: {:#?}", found.notes);
    }
    for known in ["model", "tree", "here"] {
        assert!(!told(&found.notes, &format!("`sub/{known}")), "{known}: {:#?}", found.notes);
    }
}

#[test]
fn what_a_command_names_and_does_not_declare_is_told() {
    let (_folder, found) = project(&[
        (
            "dvc.yaml",
            "stages:\n  make: {cmd: m, outs: [made/x.bin, made/y.bin]}\n\
             \x20 a:\n    cmd: sh run.sh lib/ data made/x.bin --config=conf.yaml ./own . other\n    deps: [data/a.csv]\n    outs: [own/z]\n\
             \x20 b: {wdir: lib, cmd: 'cp ../data/a.csv . > ../data/b.csv', outs: [../data/b.csv]}\n",
        ),
        ("run.sh", ""),
        ("conf.yaml", ""),
        ("lib/l.sh", ""),
        ("data/a.csv", ""),
        ("own/old", ""),
    ]);
    let found = found.unwrap();
    for line in ["files = [\"conf.yaml\", \"data/a.csv\", \"run.sh\"]\n", "files = [\"data/a.csv\"]\n"] {
        assert!(found.text.contains(line), "{line}\n---\n{}", found.text);
    }
    for word in [
        "a: the folder `lib` is in its command and not among its `deps`; if it reads it, write `files = [\"lib/**/*\"]`",
        "a: `made/x.bin` is in its command and not among its `deps`; if it reads it, write `inputs.… = { from = \"make.x\", at = \"made/x.bin\" }`",
        "a: `conf.yaml` is in its command and not among its `deps`; it is declared now",
        "b: `data/a.csv` is in its command and not among its `deps`; it is declared now",
    ] {
        assert!(told(&found.notes, word), "{word}: {:#?}", found.notes);
    }
    for quiet in ["`data`", "`own`", "`other`", "b: the folder"] {
        assert!(!told(&found.notes, quiet), "{quiet}: {:#?}", found.notes);
    }
}

#[test]
fn a_stage_that_runs_outside_of_the_project_is_refused() {
    for wdir in ["..", "../other", "src/../../x", "/tmp", "~/x", "s3://x", "'${up}'"] {
        let text = format!("vars: [{{up: ../..}}]\nstages: {{a: {{cmd: x, wdir: {wdir}, outs: [y]}}}}");
        let error = project(&[("dvc.yaml", &text)]).1.unwrap_err();
        let found = if wdir == "'${up}'" { "../.." } else { wdir };
        let place = format!("stage `a`, wdir: `{found}` leads out of the folder of `dvc.yaml`");
        assert!(error.message.contains(&place), "{}", error.message);
        assert!(error.hint.is_some_and(|hint| hint.contains("move `dvc.yaml`")));
    }
    let list = project(&[("dvc.yaml", "stages: {a: {cmd: x, wdir: [b]}}")]).1.unwrap_err();
    assert!(list.message.contains("stage `a`, wdir: expected a path, found a list"), "{}", list.message);
    let text = manifest(&[("dvc.yaml", "stages: {a: {cmd: x, wdir: src/.., outs: [../p/y]}}")]);
    assert!(!text.contains("outputs"), "{text}");
}

#[test]
fn vars_are_looked_for_where_the_stage_runs() {
    let files = [("params.yaml", "lr: 1\n"), ("sub/params.yaml", "n: 3\nlast: 4\n"), ("sub/more.yaml", "k: 5\nl: 6\n")];
    let dvc = |vars: &str| format!("stages:\n  a: {{cmd: 't ${{lr}} ${{n}} ${{k}}', wdir: sub, vars: {vars}}}");
    let read = |text: &str| project(&[&[("dvc.yaml", text)], files.as_slice()].concat()).1;
    let found = read(&dvc("[params.yaml, '../params.yaml', 'more.yaml:k', './more.yaml:k']")).unwrap();
    for line in ["[params]\nk = 5\nlr = 1\nn = 3\n", "t ${lr} ${n} ${k}"] {
        assert!(found.text.contains(line), "{line}\n---\n{}", found.text);
    }
    let error = read(&dvc("[gone.yaml]")).unwrap_err();
    assert!(error.message.contains("stage `a`, vars: cannot read `sub/gone.yaml`"), "{}", error.message);
    // What one stage loads is no other's.
    let error = read(&format!("{}\n  b: {{cmd: 'u ${{n}}'}}", dvc("[params.yaml, more.yaml]"))).unwrap_err();
    assert!(error.message.contains("stage `b`, cmd: `${n}` names nothing"), "{}", error.message);
}

#[test]
fn mistakes_are_told() {
    let error = |text: &str| project(&[("dvc.yaml", text)]).1.unwrap_err();
    assert!(error("stages: {a: {cmd: 'x ${nothing}'}}").message.contains("stage `a`, cmd: `${nothing}` names nothing"));
    assert!(error("stages: {a: {deps: [x]}}").message.contains("there is no command"));
    assert!(error("stages: {a: {foreach: 3, do: {cmd: x}}}").message.contains("expected a list or a table, found 3"));
    assert!(error("stages: {a: {matrix: {m: 3}, cmd: x}}").message.contains("stage `a`, matrix, m: expected a list"));
    assert!(
        error("stages: {a: {matrix: [1], cmd: x}}").message.contains("matrix: expected a table of lists, found a list")
    );
    let wrong = |fields: &str| error(&format!("stages: {{a: {{cmd: x, {fields}}}}}")).message;
    assert!(wrong("outs: y").contains("stage `a`, outs: expected a list, found \"y\""), "{}", wrong("outs: y"));
    assert!(wrong("deps: {y: z}").contains("stage `a`, deps: expected a list, found a table"));
    assert!(error("stages: {a: {cmd: [x, 1]}}").message.contains("stage `a`, cmd: expected a command, found 1"));
    assert!(error("a: [").message.contains("dvc.yaml"));
    assert!(error("vars: []").message.contains("has no stages"));
    let (_folder, found) =
        project(&[("dvc.yaml", "stages: {a: {cmd: 'x ${lernrate}'}}"), ("params.yaml", "learnrate: 1")]);
    assert_eq!(found.unwrap_err().hint.as_deref(), Some("did you mean `learnrate`?"));
}
