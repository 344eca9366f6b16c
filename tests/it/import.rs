//! DVC projects are imported, run, and rerun. Three are public ones, written anew with their stages, sections and wiring as they
//! are there: `iterative/example-get-started`, `iterative/example-get-started-experiments` and
//! `iterative/demo-bank-customer-churn`. The others have what those lack: `foreach`, `matrix`, `wdir`, frozen stages.

use crate::sandbox::Sandbox;

/// A text classifier in four steps, each with its script and its params: the structure of `iterative/example-get-started`.
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

/// Fields in pictures from above, with sections beside the stages, whole sections as params, folders as outputs, and a bundle made
/// in a folder of the workspace: the structure of `iterative/example-get-started-experiments`.
fn fields() -> Sandbox {
    let dvc = r#"
params:
- results/train/params.yaml
metrics:
- results/train/metrics.json
- results/evaluate/metrics.json
plots:
- results/train/curve.csv:
    x: step
- results/evaluate/images
artifacts:
  fields:
    path: models/model.bin
    type: model
    labels: [maps]
stages:
  split:
    cmd: sh src/split.sh
    deps: [data/tiles, src/split.sh]
    params: [base, split]
    outs: [data/test, data/train]
  train:
    cmd: sh src/train.sh
    deps: [data/train, src/train.sh]
    params: [base, train]
    outs: [models/model.bin, models/model.txt, results/train]
  evaluate:
    cmd: sh src/evaluate.sh
    deps: [data/test, models/model.bin, src/evaluate.sh]
    params: [base, evaluate]
    outs: [results/evaluate]
  bundle:
    cmd: cp models/model.txt serve/code/model.txt && cd serve && cat code/*
      > bundle.txt && cd .. && mv serve/bundle.txt . && rm serve/code/model.txt
    deps: [models/model.txt]
    outs: [bundle.txt]
"#;
    let split = r#"mkdir -p data/test data/train
for tile in data/tiles/*; do
  name=$(basename "$tile" .txt)
  if grep -q "\"$name\"" params.yaml; then cp "$tile" data/test; else cp "$tile" data/train; fi
done
"#;
    let train = r#"mkdir -p results/train
cat data/train/* > models/model.bin
sed -n 's/.*"rate": *\([0-9.]*\).*/rate \1/p' params.yaml > models/model.txt
echo '{"loss": 0.5}' > results/train/metrics.json
printf 'step,loss\n1,0.5\n' > results/train/curve.csv
cp params.yaml results/train/params.yaml
"#;
    let evaluate = "mkdir -p results/evaluate/images\ncat models/model.bin data/test/* > results/evaluate/images/seen.txt\n\
                    echo '{\"dice\": 0.75}' > results/evaluate/metrics.json\n";
    Sandbox::new()
        .file("dvc.yaml", dvc)
        .file("params.yaml", "base:\n  seed: 42\nsplit:\n  test: [south]\ntrain:\n  rate: 0.1\n  tune: {epochs: 8}\nevaluate:\n  samples: 5\n")
        .file("data/tiles/north.txt", "n\n")
        .file("data/tiles/south.txt", "s\n")
        .file("src/split.sh", split)
        .file("src/train.sh", train)
        .file("src/evaluate.sh", evaluate)
        .file("serve/code/run.txt", "run it\n")
}

#[test]
fn a_project_with_sections_beside_its_stages() {
    let sandbox = fields();
    sandbox
        .kilter(&["import", "dvc.yaml", "--name", "fields"])
        .success()
        .says("fields.toml written: 7 stages")
        .says("train: the metrics `results/train/metrics.json` stay a file of the folder `results/train`")
        .says("evaluate: the metrics `results/evaluate/metrics.json` stay a file")
        .says("the top-level `params` are not carried over")
        .says("the top-level `plots` are not carried over")
        .says("`artifacts` are not carried over")
        .says("bundle: the folder `serve` is in its command and not among its `deps`");
    // What it says of that folder is done.
    let output = "outputs.bundle = \"bundle.txt\"\n";
    let manifest = sandbox.read("fields.toml").replace(output, &format!("files = [\"serve/**/*\"]\n{output}"));
    sandbox.write("fields.toml", manifest);
    sandbox.kilter(&["check", "fields.toml"]).success().says("no mistakes");
    sandbox.kilter(&["run", "fields.toml"]).success().says("7 stages ran");
    assert_eq!(sandbox.read("out/fields/bundle/bundle.txt"), "rate 0.1\nrun it\n");
    assert_eq!(sandbox.read("out/fields/evaluate/images/seen.txt"), "n\ns\n");
    sandbox.kilter(&["run", "fields.toml"]).all_cached();
    // A value of one section: the three picks look, and what reads that section runs.
    let params = sandbox.read("params.yaml").replace("samples: 5", "samples: 6");
    sandbox.write("params.yaml", &params);
    sandbox.kilter(&["run", "fields.toml"]).success().says("4 stages ran, 3 cached");
    // The section that all of them read; the model comes out as it was, and its bundle stays.
    sandbox.write("params.yaml", params.replace("seed: 42", "seed: 43"));
    sandbox.kilter(&["run", "fields.toml"]).success().says("6 stages ran, 1 cached");
    // A picture more.
    sandbox.write("data/tiles/west.txt", "w\n");
    sandbox.kilter(&["run", "fields.toml"]).success().says("3 stages ran, 4 cached");
    assert_eq!(sandbox.read("out/fields/evaluate/images/seen.txt"), "n\nw\ns\n");
}

/// Which customers leave, with paths out of the params, the params file as an option, and a list of packages that is made anew each
/// time: the structure of `iterative/demo-bank-customer-churn`.
fn customers() -> Sandbox {
    let dvc = r#"
stages:
  packages:
    cmd: sh stages/packages.sh --config=params.yaml
    always_changed: true
    outs:
    - ${base.packages}
  split:
    cmd: sh stages/split.sh --config=params.yaml
    deps:
    - stages/split.sh
    - ${base.packages}
    - ${base.folder}/${base.rows}
    params: [base, split]
    outs: [data/train.csv, data/test.csv]
  train:
    cmd: sh stages/train.sh --config=params.yaml
    deps:
    - stages/train.sh
    - ${base.packages}
    - data/train.csv
    params: [base, train]
    outs:
    - ${train.folder}/${train.name}
  eval:
    cmd: sh stages/eval.sh --config=params.yaml
    deps:
    - stages/eval.sh
    - ${base.packages}
    - data/test.csv
    - ${train.folder}/${train.name}
    params: [base, split, train]
    metrics:
    - scores.json:
        cache: false
    plots:
    - plots/roc.csv:
        cache: false
        x: fpr
        y: tpr
"#;
    let params = "base:\n  folder: data\n  rows: customers.csv\n  packages: packages.txt\n  columns: [age, tenure]\nsplit:\n  test: 1\n\
                  train:\n  folder: models\n  name: pipe.txt\n  rate: 0.1\n";
    let number = |key: &str| format!("$(sed -n 's/.*\"{key}\": *\\([0-9.]*\\).*/\\1/p' \"${{1#--config=}}\")");
    Sandbox::new()
        .file("dvc.yaml", dvc)
        .file("params.yaml", params)
        .file("data/customers.csv", "31,2\n45,1\n")
        .file("stages/packages.sh", "echo 'sh 1' > \"$(sed -n 's/^ *packages: *//p' \"${1#--config=}\")\"\n")
        .file("stages/split.sh", format!("head -n {} data/customers.csv > data/test.csv\ncat data/customers.csv > data/train.csv\n", number("test")))
        .file("stages/train.sh", format!("echo \"rate {}, $(wc -l < data/train.csv) rows\" > models/pipe.txt\n", number("rate")))
        .file("stages/eval.sh", "cat models/pipe.txt data/test.csv\necho '{\"f1\": 0.5, \"roc\": {\"auc\": 0.75}}' > scores.json\nprintf 'fpr,tpr\\n0,0\\n' > plots/roc.csv\n")
}

#[test]
fn a_project_with_paths_out_of_its_params() {
    let sandbox = customers();
    sandbox
        .kilter(&["import", "dvc.yaml", "--name", "churn"])
        .success()
        .says("churn.toml written: 7 stages")
        .says("packages: `params.yaml` is in its command and not among its `deps`; it is declared now")
        .says("packages: `stages/packages.sh` is in its command and not among its `deps`; it is declared now")
        .says("packages: always runs again")
        .says("eval: `scores.json` is not here, and is taken for metrics: numbers only")
        .says("eval: not carried over of the output `plots/roc.csv`: `x` and `y`")
        .says("outputs with `cache: false` are kept in the store");
    sandbox.kilter(&["run", "churn.toml"]).success().says("7 stages ran");
    assert_eq!(sandbox.read("out/churn/train/pipe.txt"), "rate 0.1, 2 rows\n");
    let shown = sandbox.kilter(&["show", "churn.toml", "eval", "--json"]).success().json();
    assert_eq!(shown["metrics"]["roc.auc"], 0.75);
    // The list of packages is made each time, and is the same.
    sandbox.kilter(&["run", "churn.toml"]).success().says("1 stage ran, 6 cached");
    sandbox.write("params.yaml", sandbox.read("params.yaml").replace("rate: 0.1", "rate: 0.2"));
    sandbox.kilter(&["run", "churn.toml"]).success().says("6 stages ran, 1 cached");
    // Another package: everything that depends on the list.
    sandbox.write("stages/packages.sh", sandbox.read("stages/packages.sh").replace("sh 1", "sh 2"));
    sandbox.kilter(&["run", "churn.toml"]).success().says("4 stages ran, 3 cached");
}

#[test]
fn a_pipeline_for_each_of_several_things() {
    // `foreach`, `matrix` and `vars`: one model per region, a comparison of all.
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
    // A folder per step, data that was fetched once, and a note of when it ran.
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
