//! DVC projects, written after the pattern of public ones, are imported, run, and rerun.

use crate::sandbox::Sandbox;

/// A text classifier in four steps, each with its script and its params: the pattern of DVC's own first example.
fn classifier() -> Sandbox {
    let dvc = r#"
stages:
  prepare:
    cmd: sh src/prepare.sh data/posts.txt
    deps:
    - data/posts.txt
    - src/prepare.sh
    params:
    - prepare.split
    outs:
    - data/prepared
  featurize:
    cmd: sh src/featurize.sh data/prepared data/features
    deps: [data/prepared, src/featurize.sh]
    params: [featurize.words]
    outs: [data/features]
  train:
    cmd: sh src/train.sh data/features model.txt
    deps: [data/features, src/train.sh]
    params: [train]
    outs: [model.txt]
  evaluate:
    cmd: sh src/evaluate.sh model.txt data/features
    deps: [data/features, model.txt, src/evaluate.sh]
    metrics:
    - eval/metrics.json:
        cache: false
    plots:
    - eval/curve.csv:
        x: n
        y: loss
"#;
    let value =
        |key: &str| format!("$(sed -n 's/.*\"\\{{0,1\\}}{key}\"\\{{0,1\\}}: *\\([0-9.]*\\).*/\\1/p' params.yaml)");
    Sandbox::new()
        .file("dvc.yaml", dvc)
        .file("params.yaml", "prepare:\n  split: 2\nfeaturize:\n  words: 3\ntrain:\n  rate: 0.5\n  seed: 7\nunused: 1\n")
        .file("data/posts.txt", "one\ntwo\nthree\nfour\n")
        .file("src/prepare.sh", format!("mkdir -p data/prepared\nhead -n {} $1 > data/prepared/test.txt\ncp $1 data/prepared/train.txt\n", value("split")))
        .file("src/featurize.sh", format!("mkdir -p $2\necho {} > $2/words.txt\nwc -l < $1/train.txt > $2/count.txt\n", value("words")))
        .file("src/train.sh", format!("echo \"rate {} of $(cat $1/count.txt)\" > $2\n", value("rate")))
        .file("src/evaluate.sh", "cat $1 $2/words.txt\necho '{\"train\": {\"loss\": 0.25}, \"avg\": {\"acc\": 0.5}}' > eval/metrics.json\nprintf 'n,loss\\n1,0.5\\n' > eval/curve.csv\n")
}

#[test]
fn a_pipeline_with_params_reruns_what_a_param_reaches() {
    let sandbox = classifier();
    sandbox
        .kilter(&["import", "dvc.yaml", "--name", "posts"])
        .success()
        .says("posts.toml written: 7 stages")
        .says("`data/prepared` is taken for a folder");
    sandbox.kilter(&["check", "posts.toml"]).success().says("no mistakes");
    sandbox.kilter(&["run", "posts.toml"]).success().says("7 stages ran");
    assert_eq!(sandbox.read("out/posts/train/model.txt"), "rate 0.5 of 4\n");
    let shown = sandbox.kilter(&["show", "posts.toml", "evaluate", "--json"]).success().json();
    assert_eq!(shown["metrics"]["avg.acc"], 0.5);
    sandbox.kilter(&["run", "posts.toml"]).all_cached();
    // A param that no stage reads, and a comment: the picks look, and nothing else.
    let params = sandbox.read("params.yaml").replace("unused: 1", "unused: 2 # really");
    sandbox.write("params.yaml", &params);
    sandbox.kilter(&["run", "posts.toml"]).success().says("3 stages ran, 4 cached");
    // A param of training: training and what comes after it.
    sandbox.write("params.yaml", params.replace("rate: 0.5", "rate: 0.75"));
    sandbox.kilter(&["run", "posts.toml"]).success().says("5 stages ran, 2 cached");
    assert_eq!(sandbox.read("out/posts/train/model.txt"), "rate 0.75 of 4\n");
    // A script.
    sandbox.write("src/evaluate.sh", sandbox.read("src/evaluate.sh").replace("0.25", "0.125"));
    sandbox.kilter(&["run", "posts.toml"]).success().says("1 stage ran, 6 cached");
    // The data, so that nothing comes out otherwise but one file.
    sandbox.write("data/posts.txt", "ONE\ntwo\nthree\nfour\n");
    sandbox.kilter(&["run", "posts.toml"]).success().says("2 stages ran, 5 cached");
}

#[test]
fn a_pipeline_for_each_of_several_things() {
    // The pattern of the examples of `foreach`, `matrix` and `vars`: one model per region, a comparison of all.
    let dvc = r#"
vars:
- regions.json
- out: models
stages:
  fit:
    foreach: ${regions}
    do:
      desc: One model
      cmd: mkdir -p ${out} && echo "${key} ${item.rate}" > ${out}/${key}.txt
      deps:
      - data/${key}.csv
      outs:
      - ${out}/${key}.txt
  score:
    matrix:
      region: [north, south]
      metric: [mae, rmse]
    cmd: sh score.sh ${out}/${item.region}.txt ${item.metric} scores/${key}.json
    deps:
    - score.sh
    - ${out}/${item.region}.txt
    metrics:
    - scores/${key}.json
  report:
    cmd:
    - ls models > report.txt
    - wc -l < report.txt >> report.txt
    deps: [models]
    outs: [report.txt]
"#;
    let sandbox = Sandbox::new()
        .file("dvc.yaml", dvc)
        .file("regions.json", r#"{"regions": {"north": {"rate": 0.1}, "south": {"rate": 0.2}}}"#)
        .file("data/north.csv", "1\n")
        .file("data/south.csv", "2\n")
        .file("score.sh", "test -s $1\nprintf '{\"%s\": 1.5}' $2 > $3\n");
    sandbox.kilter(&["import", "dvc.yaml", "--name", "regions"]).success().says("7 stages");
    sandbox.kilter(&["run", "regions.toml"]).success().says("7 stages ran");
    assert_eq!(sandbox.read("out/regions/report/report.txt").replace(' ', ""), "north.txt\nsouth.txt\n2\n");
    assert_eq!(sandbox.read("out/regions/fit_south/south.txt"), "south 0.2\n");
    sandbox.kilter(&["run", "regions.toml"]).all_cached();
    // A value of one region: its model, its two scores, the report.
    sandbox.write("regions.toml", sandbox.read("regions.toml").replace("south 0.2", "south 0.3"));
    sandbox.kilter(&["run", "regions.toml"]).success().says("4 stages ran, 3 cached");
    sandbox.kilter(&["import", "dvc.yaml", "--name", "regions"]).exits(2).says("exists already");
}

#[test]
fn a_pipeline_in_folders_with_frozen_and_ever_new_stages() {
    // The pattern of projects with a folder per step, data that was fetched once, and a note of when it ran.
    let dvc = r#"
stages:
  download:
    cmd: wget https://example.org/raw.csv -O data/raw.csv
    frozen: true
    outs: [data/raw.csv]
  clean:
    wdir: steps
    cmd: mkdir -p clean && ./clean.sh ../data/raw.csv > clean/rows.csv
    deps: [../data/raw.csv, clean.sh]
    outs: [clean/]
  stamp:
    cmd: date +%s%N > stamp.txt
    always_changed: true
    outs: [stamp.txt]
  count:
    cmd: wc -l steps/clean/rows.csv
    deps: [steps/clean/rows.csv]
"#;
    let sandbox = Sandbox::new()
        .file("dvc.yaml", dvc)
        .file("data/raw.csv", "a\n\nb\n")
        .file("steps/clean.sh", "#!/bin/sh\ngrep . \"$1\"\n");
    let script = sandbox.path("steps/clean.sh");
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a mode");
    sandbox.kilter(&["import", "dvc.yaml", "--name", "steps"]).success().says("download: is frozen").says("3 stages");
    sandbox.kilter(&["run", "steps.toml"]).success().says("3 stages ran");
    assert_eq!(sandbox.read("out/steps/clean/rows.csv"), "a\nb\n");
    sandbox.kilter(&["run", "steps.toml"]).success().says("1 stage ran, 2 cached");
    sandbox.write("data/raw.csv", "a\n\n\nb\n");
    sandbox.kilter(&["run", "steps.toml"]).success().says("2 stages ran, 1 cached");
}

#[test]
fn what_is_no_project_is_refused() {
    let sandbox =
        Sandbox::new().file("dvc.yaml", "stages:\n  a:\n    cmd: echo ${lr}\n").file("params.yaml", "rl: 1\n");
    sandbox
        .kilter(&["import", "dvc.yaml", "--name", "p"])
        .exits(2)
        .says("stage `a`, cmd: `${lr}` names nothing")
        .says("did you mean `rl`?");
    sandbox.kilter(&["import", "params.yaml"]).exits(2).says("is not a `dvc.yaml`");
    sandbox.kilter(&["import", "dvc.yaml", "--name", "a b"]).exits(2).says("cannot be a pipeline's name");
}
