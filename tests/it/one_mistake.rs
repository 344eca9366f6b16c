//! A mistake of one stage, such as a bad line of a file that it reads, keeps nobody from looking at the stages that do not come from
//! it: they are shown, and the mistake is told in a line. What would run or sign something stays strict.

use crate::sandbox::Sandbox;

const MANIFEST: &str = r#"
[pipeline]
name = "two"
edition = "2026"

[params]
least = 1

[stage.good_file]
kind = "fetch"
path = "good.csv"

[stage.good]
kind = "read"
from = "good_file"

[stage.some]
kind = "table"
from = "good"
steps = [{ filter = "n > ${least}" }]

[stage.bad_file]
kind = "fetch"
path = "bad.csv"

[stage.bad]
kind = "read"
from = "bad_file"

[stage.after]
kind = "table"
from = "bad"
steps = [{ filter = "n > 1" }]
"#;

const WARNING: &str = "warning: 1 error in `bad`, left out here: `kilter check pipeline.toml` shows it\n";

/// A pipeline that ran, and then got a bad line in one of its two files.
fn sandbox() -> Sandbox {
    let rows = "n,m\n1,a\n2,b\n";
    let sandbox = Sandbox::with_manifest(MANIFEST).file("good.csv", rows).file("bad.csv", rows);
    sandbox.run(&[]).success();
    sandbox.write("bad.csv", "n,m\n1,a\n2,b,c\n");
    sandbox.kilter(&["check", "pipeline.toml"]).exits(2).says("E0224").says("line 3 has 3 fields, expected 2");
    sandbox
}

#[test]
fn a_bad_line_of_one_file_hides_no_stage_of_another() {
    let sandbox = sandbox();
    let ask = |words: &[&str]| sandbox.kilter(words).success().says(WARNING).says_not("E0224");
    ask(&["show", "pipeline.toml", "some"]).prints("1 row x 2 columns");
    ask(&["show", "pipeline.toml", "some.table"]).prints("table of 1 row x 2 columns");
    assert_eq!(ask(&["show", "pipeline.toml", "some", "--json"]).json()["stage"], "some");
    ask(&["why", "pipeline.toml", "some"]).prints("It would not run");
    ask(&["why", "pipeline.toml", "bad_file"]).prints("bad.csv changed");
    ask(&["graph", "pipeline.toml"]).prints("after");
    ask(&["graph", "pipeline.toml", "--status"]).prints("good");
    ask(&["diff", "pipeline.toml", "last", "workspace"]).prints("after").prints("comes from a stage with a mistake");
    let told = sandbox.kilter(&["show", "pipeline.toml", "nothing"]).exits(2).says(WARNING);
    told.says("there is no stage `nothing`").prints_nothing();
    let set = sandbox.kilter(&["show", "pipeline.toml", "some", "--set", "least=0"]).success();
    set.says("`kilter check pipeline.toml --set least=0` shows it")
        .says("the manifest, or what it reads, changed since");
}

#[test]
fn status_tells_the_stage_with_the_mistake_from_those_that_come_from_it() {
    let sandbox = sandbox();
    let status = sandbox.kilter(&["status", "pipeline.toml"]).success().says(WARNING);
    status.prints("has a mistake, which `kilter check` shows").prints("comes from a stage with a mistake");
    let json = sandbox.kilter(&["status", "pipeline.toml", "--json"]).success().json();
    let state = |name: &str| {
        let stages = json["stages"].as_array().expect("a list");
        stages.iter().find(|stage| stage["stage"] == name).map(|stage| stage["state"].clone()).expect("a stage")
    };
    let states = ["good_file", "good", "some", "bad_file", "bad", "after"].map(state);
    assert_eq!(states, ["cached", "cached", "cached", "changed", "mistake", "unknown"], "{json:#}");
    sandbox.write("bad.csv", "n,m\n1,a\n2,b\n");
    let mended = sandbox.kilter(&["status", "pipeline.toml"]).success().says_not("warning");
    assert!(!mended.stdout.contains("mistake"), "{}", mended.stdout);
}

#[test]
fn what_is_asked_for_is_not_shown_where_the_mistake_is_its_own_or_before_it() {
    let sandbox = sandbox();
    for stage in ["bad", "bad.table", "after"] {
        let show = sandbox.kilter(&["show", "pipeline.toml", stage]).exits(2).prints_nothing();
        show.says("line 3 has 3 fields, expected 2").says("1 error\n").says_not("left out here");
        sandbox.kilter(&["why", "pipeline.toml", stage]).exits(2).says("E0224").prints_nothing();
    }
    let strict: [&[&str]; 5] = [
        &["plan", "pipeline.toml"],
        &["plan", "pipeline.toml", "some"],
        &["run", "pipeline.toml", "some"],
        &["lock", "pipeline.toml"],
        &["verify", "pipeline.toml"],
    ];
    for words in strict {
        sandbox.kilter(words).exits(2).says("E0224").says_not("left out here").prints_nothing();
    }
}

#[test]
fn mistakes_of_every_kind_in_one_stage_are_left_out() {
    let sandbox = sandbox();
    sandbox.write("bad.csv", "n,m\n1,a\n2,b\n");
    let of_after = [
        ("from = \"bad\"", "from = \"bda\""),
        ("from = \"bad\"", "from = \"bad.rows\""),
        ("from = \"bad\"", "form = \"bad\""),
        ("\"n > 1\"", "\"q > 1\""),
        ("\"n > 1\" }]", "\"n > 1\" }]\nfield = 1"),
        ("\"n > 1\" }]", "\"n > 1\" }]\ntolerance.rows = { atol = 0.1 }"),
    ];
    for (from, to) in of_after {
        // The last stage alone.
        let at = MANIFEST.rfind(from).expect("it is there");
        sandbox.write("pipeline.toml", format!("{}{to}{}", &MANIFEST[..at], &MANIFEST[at + from.len()..]));
        let some = sandbox.kilter(&["show", "pipeline.toml", "some"]).success().prints("1 row x 2 columns");
        some.says("in `after`, left out here: `kilter check pipeline.toml` shows");
        sandbox.kilter(&["show", "pipeline.toml", "bad"]).success().prints("2 rows x 2 columns");
        sandbox.kilter(&["show", "pipeline.toml", "after"]).exits(2).says("error").prints_nothing();
        let json = sandbox.kilter(&["status", "pipeline.toml", "--json"]).success().json();
        let after = json["stages"].as_array().and_then(|stages| stages.iter().find(|stage| stage["stage"] == "after"));
        assert_eq!(after.map(|stage| &stage["state"]), Some(&"mistake".into()), "{to}: {json:#}");
    }
}

#[test]
fn a_mistake_that_is_of_no_stage_alone_ends_every_look() {
    let sandbox = sandbox();
    sandbox.write("bad.csv", "n,m\n1,a\n2,b\n");
    let wrong = [
        MANIFEST.replace("[params]", "[params"),
        MANIFEST.replace("least = 1", "least = 1\nmost = { type = \"int\" }"),
        MANIFEST.replace("[params]", "[parms]"),
        MANIFEST.replace("from = \"bad_file\"", "from = \"after\""),
    ];
    for text in wrong {
        sandbox.write("pipeline.toml", &text);
        for words in [&["show", "pipeline.toml", "some"][..], &["status", "pipeline.toml"], &["graph", "pipeline.toml"]]
        {
            sandbox.kilter(words).exits(2).says("error").says_not("left out here").prints_nothing();
        }
    }
}
