//! Tests of the walk, with small kinds of their own.

use super::*;
use crate::diag::{Diagnostic, codes};
use crate::manifest::{LoadOptions, load_text};
use crate::path;
use crate::stage::{
    CheckCx, CheckInput, Erased, Family, Kind, Outputs, Port, Produced, Ref, RunCx, Stage, StageError, StageInfo,
};
use crate::types::{ArtifactType, Column, DType, Lookup, TableSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

const fn info(name: &'static str, ports: &'static [Port]) -> StageInfo {
    StageInfo {
        name,
        family: Family::Table,
        version: 1,
        summary: "",
        ports,
        example: "",
        seeded: false,
        numeric: false,
    }
}

/// Gives a table of the columns it names.
struct Make;

#[derive(Serialize, Deserialize, JsonSchema)]
struct MakeSpec {
    /// The columns. They are numbers.
    columns: Vec<String>,
    #[serde(default)]
    layers: Vec<Layer>,
    #[serde(default)]
    which: Option<Which>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Which {
    /// The first.
    First,
    /// None of them.
    None,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Layer {
    Relu,
    Linear { out: u32 },
}

impl Kind for Make {
    type Spec = MakeSpec;
    const INFO: StageInfo = info("make", &[Port { name: "table", about: "" }]);

    fn check(spec: &MakeSpec, _: &mut CheckCx<'_>) -> Outputs {
        let columns = spec.columns.iter().map(|name| Column::new(name.as_str(), DType::F64)).collect();
        Outputs::one("table", ArtifactType::Table(TableSchema::new(columns)))
    }

    fn run(_: &MakeSpec, _: &RunCx<'_>) -> Result<Produced, StageError> {
        Ok(Produced::default())
    }
}

/// Takes tables, wants a column of each, and gives the first.
struct Pick;

#[derive(Serialize, Deserialize, JsonSchema)]
struct PickSpec {
    from: Vec<Ref>,
    /// Text that ends with the column's name.
    #[serde(default)]
    query: Option<String>,
}

impl Kind for Pick {
    type Spec = PickSpec;
    const INFO: StageInfo = info("pick", &[Port { name: "table", about: "" }, Port { name: "rest", about: "" }]);

    fn check(spec: &PickSpec, cx: &mut CheckCx<'_>) -> Outputs {
        for (index, from) in spec.from.iter().enumerate() {
            let Some(table) = cx.table(from, path!["from", index]) else { continue };
            let Some(query) = &spec.query else { continue };
            let start = query.rfind(' ').map_or(0, |at| at + 1);
            if table.lookup(&query[start..]) == Lookup::Missing {
                cx.error(path!["query"], codes::UNKNOWN_COLUMN, format!("column `{}` does not exist", &query[start..]))
                    .part(start..query.len())
                    .from_stage(from, "made here");
            }
        }
        let first = spec.from.first().map_or(ArtifactType::Unknown, |from| cx.input(from).clone());
        Outputs::one("table", first.clone()).and("rest", first)
    }

    fn run(_: &PickSpec, _: &RunCx<'_>) -> Result<Produced, StageError> {
        Ok(Produced::default())
    }
}

const KINDS: &[&dyn Stage] = &[&Erased::<Make>::NEW, &Erased::<Pick>::NEW];

fn checked_with(text: &str, results: &mut dyn Results) -> Checked {
    let text = format!("[pipeline]\nname = \"t\"\n{text}");
    let folder = std::env::temp_dir();
    let options = LoadOptions { path: &folder.join("t.toml"), workspace: &folder, set: &[] };
    check(load_text(&options, &text), KINDS, results, &folder)
}

fn checked(text: &str) -> Checked {
    checked_with(text, &mut NoResults)
}

fn at<'a>(checked: &'a Checked, diagnostic: &Diagnostic) -> &'a str {
    let span = diagnostic.primary.as_ref().expect("a place").span;
    &checked.sources.get(span.source).text[span.range()]
}

/// Code and place of everything that was found.
fn found(checked: &Checked) -> Vec<(&'static str, &str)> {
    checked.diagnostics.iter().map(|diagnostic| (diagnostic.code.id, at(checked, diagnostic))).collect()
}

#[test]
fn types_flow_and_a_wrong_column_is_shown_where_it_stands() {
    let checked = checked(
        "[stage.b]\nkind = \"pick\"\nfrom = [\"a\"]\nquery = \"\"\"\n  the \\\"\\u0063olumn\\\" \\\n  pricce\"\"\"\n\
         [stage.a]\nkind = \"make\"\ncolumns = [\"price\"]\n",
    );
    assert_eq!(found(&checked), [("E0213", "pricce")]);
    assert_eq!(checked.stages.iter().map(|stage| stage.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let refs = &checked.stages[1].refs;
    assert_eq!((refs[0].stage, refs[0].port.as_str(), refs[0].text.as_str()), (0, "table", "a"));
    let related = &checked.diagnostics.iter().next().expect("one").related;
    assert_eq!(related[0].text, "made here");
}

#[test]
fn a_param_is_shown_where_the_mistake_came_from_it() {
    let with = |query: &str| {
        let text = format!(
            "[params]\nword = 'x'\n[stage.a]\nkind = 'make'\ncolumns = ['y']\n[stage.b]\nkind = 'pick'\nfrom = ['a']\nquery = '{query}'\n"
        );
        let checked = checked(&text);
        let found = checked.diagnostics.iter().next().expect("one");
        found.related.iter().map(|label| label.text.clone()).collect::<Vec<_>>()
    };
    assert_eq!(with("only z of ${word}"), ["made here", "`word` is given here"]);
    assert_eq!(with("only z of ${word}${word}"), ["made here", "`word` is given here"], "once");
    assert_eq!(with("${word} and z"), ["made here"]);
}

#[test]
fn one_mistake_is_one_error() {
    let checked = checked(
        "[stage.a]\nkind = \"make\"\ncolums = [\"x\"]\n\
         [stage.b]\nkind = \"pick\"\nfrom = [\"a.anything\", \"nowhere\"]\nquery = \"y\"\n\
         [stage.c]\nkind = \"pick\"\nfrom = [\"b.table\"]\nquery = \"z\"\n",
    );
    assert_eq!(found(&checked), [("E0134", "[stage.a]"), ("E0132", "colums"), ("E0201", "\"nowhere\"")]);
}

#[test]
fn a_mistake_is_its_stage_s_own_and_that_of_what_comes_from_it() {
    let mistakes = |text: &str| {
        let checked = checked(text);
        let of = |stage: &CheckedStage| (stage.name.clone(), stage.mistake);
        (checked.stages.iter().map(of).collect::<Vec<_>>(), checked.wrong_as_a_whole)
    };
    let stage = |name: &str, mistake| (name.to_owned(), mistake);
    let make = "[stage.a]\nkind = 'make'\ncolumns = ['x']\n[stage.other]\nkind = 'make'\ncolumns = ['x']\n";
    let pick = |name: &str, from: &str, query: &str| {
        format!("[stage.{name}]\nkind = 'pick'\nfrom = ['{from}']\nquery = '{query}'\n")
    };
    for (from, query) in [("a", "only z"), ("nowhere", "x"), ("a.rows", "x"), ("a", "x'\nmore = 'y")] {
        let text = format!("{make}{}{}", pick("b", from, query), pick("c", "b.table", "x"));
        let found =
            [stage("a", None), stage("other", None), stage("b", Some(Mistake::Own)), stage("c", Some(Mistake::Before))];
        assert_eq!(mistakes(&text), (found.to_vec(), false), "{from} {query}");
    }
    let sound = mistakes(&format!("{make}{}", pick("b", "a", "x")));
    assert_eq!(sound, (vec![stage("a", None), stage("other", None), stage("b", None)], false));
    assert!(mistakes(&format!("{make}{}{}", pick("b", "c", "x"), pick("c", "b", "x"))).1, "a circle");
    assert!(mistakes(&format!("{make}[parms]\n")).1, "not of a stage");
}

#[test]
fn fields_and_layers_have_suggestions() {
    let checked = checked(
        "[stage.a]\nkind = \"make\"\ncolumns = [\"x\"]\nlayers = [\"rellu\", { lineer = { out = 1 } }]\n\
         [stage.b]\nkind = \"make\"\ncolumns = [\"x\"]\nlayers = [{ linear = { out = 1, biass = true } }]\nabuot = \"b\"\n",
    );
    assert_eq!(found(&checked), [("E0345", "\"rellu\""), ("E0345", "lineer"), ("E0132", "biass"), ("E0132", "abuot")]);
    let hints: Vec<_> = checked.diagnostics.iter().map(|d| d.hints.join(" ")).collect();
    assert_eq!(hints, ["did you mean `relu`?", "did you mean `linear`?", "", "did you mean `about`?"]);
    let unknown = checked.diagnostics.iter().nth(2).expect("the third");
    assert_eq!(unknown.message, "`layers[0].linear` has no field `biass`");
    assert_eq!(unknown.primary.as_ref().expect("a place").text, "the fields are `out`");
}

#[test]
fn a_number_in_the_place_of_a_name_is_told_the_names() {
    let checked = checked("[stage.a]\nkind = \"make\"\ncolumns = [\"x\"]\nwhich = false\nlayers = [7]\n");
    let said = |message: &str| checked.diagnostics.iter().find(|diagnostic| diagnostic.message == message);
    assert_eq!(checked.diagnostics.iter().count(), 2);
    assert!(said("`layers[0]` must be a name, or a table with one name as its key, not 7").is_some());
    let which = said("`which` cannot be `false`").expect("the other");
    assert_eq!(which.primary.as_ref().expect("a place").text, "expected one of `first` and `none`");
}

#[test]
fn ports_are_chosen_or_reported() {
    let checked = checked(
        "[stage.a]\nkind = \"make\"\ncolumns = [\"x\"]\n[stage.b]\nkind = \"pick\"\nfrom = [\"a\", \"a.tabel\"]\n\
         [stage.c]\nkind = \"pick\"\nfrom = [\"b\"]\n",
    );
    assert_eq!(found(&checked), [("E0202", "\"a.tabel\""), ("E0203", "\"b\"")]);
}

#[test]
fn a_cycle_is_shown_with_every_edge() {
    let checked = checked(
        "[stage.a]\nkind = \"pick\"\nfrom = [\"c.table\"]\n[stage.b]\nkind = \"pick\"\nfrom = [\"a.table\"]\n\
         [stage.c]\nkind = \"pick\"\nfrom = [\"b.table\"]\n[stage.d]\nkind = \"pick\"\nfrom = [\"c.table\"]\n",
    );
    let all: Vec<_> = checked.diagnostics.iter().collect();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].message, "stages use each other in a circle: a -> c -> b -> a");
    assert_eq!((at(&checked, all[0]), all[0].related.len()), ("\"c.table\"", 2));
    assert_eq!(checked.stages.len(), 4);
}

/// Knows that `a` gave a table of one other column.
struct Stored(Vec<String>);

impl Results for Stored {
    fn lookup(&mut self, stage: &StageView<'_>) -> Option<Known> {
        self.0.push(stage.name.to_owned());
        let schema = TableSchema::new(vec![Column::new("real", DType::F64)]);
        let types = BTreeMap::from([("table".to_owned(), ArtifactType::Table(schema))]);
        (stage.name == "a").then(|| Known { types, files: BTreeMap::new() })
    }
}

#[test]
fn stored_results_give_real_types_and_the_late_check_takes_them_too() {
    let text =
        "[stage.a]\nkind = \"make\"\ncolumns = [\"x\"]\n[stage.b]\nkind = \"pick\"\nfrom = [\"a\"]\nquery = \"x\"\n";
    let mut stored = Stored(Vec::new());
    let early = checked_with(text, &mut stored);
    assert_eq!(
        (found(&early), stored.0),
        (vec![("E0213", "\"x\"")].into_iter().map(|(c, _)| (c, "x")).collect(), vec!["a".to_owned(), "b".to_owned()])
    );

    let checked = checked(text);
    assert!(checked.diagnostics.is_empty());
    let schema = TableSchema::new(vec![Column::new("y", DType::F64)]);
    let input = CheckInput { ty: ArtifactType::Table(schema), files: None };
    let (outputs, late) = recheck(&checked.stages[1], &BTreeMap::from([("a".to_owned(), input)]), &checked);
    assert_eq!(outputs.ports.len(), 2);
    assert_eq!(late.iter().map(|d| d.code.id).collect::<Vec<_>>(), ["E0213"]);
}

/// Ten thousand stages, each using two others. Measured well below the limit, which only has to catch what is quadratic.
#[test]
fn ten_thousand_stages_are_checked_in_one_go() {
    use std::fmt::Write;
    let mut text = String::from("[params]\nlr = 0.5\n[stage.s0]\nkind = \"make\"\ncolumns = [\"x\"]\n");
    for n in 1..10_000 {
        let (a, b) = (n - 1, n / 2);
        let [a, b] = [a, b].map(|n| if n == 0 { "s0".to_owned() } else { format!("s{n}.table") });
        let _ = write!(text, "[stage.s{n}]\nkind = \"pick\"\nfrom = [\"{a}\", \"{b}\"]\nquery = \"${{lr}} x\"\n");
    }
    let start = std::time::Instant::now();
    let checked = checked(&text);
    let took = start.elapsed();
    assert!(checked.diagnostics.is_empty(), "{:?}", checked.diagnostics.iter().next());
    assert_eq!(checked.stages.len(), 10_000);
    println!("10,000 stages loaded and checked in {took:?}");
    // How long it takes is for the benches; quadratic work would take minutes.
    assert!(took.as_secs() < 30, "{took:?}");
}

#[test]
fn a_manifest_that_cannot_be_read_is_an_error_and_no_stage() {
    let folder = Path::new("/nowhere");
    let options = LoadOptions { path: &folder.join("t.toml"), workspace: folder, set: &[] };
    let checked = check(crate::manifest::load(&options), KINDS, &mut NoResults, folder);
    assert!(checked.diagnostics.has_errors() && checked.stages.is_empty());
    assert_eq!(checked.diagnostics.iter().next().expect("one").code, codes::NO_FILE);
}

#[test]
fn every_missing_field_is_named() {
    let checked = checked("[stage.a]\nkind = \"pick\"\n[stage.b]\nkind = \"make\"\ncolumns = 3\nlayers = \"relu\"\n");
    let codes: Vec<_> = checked.diagnostics.iter().map(|d| d.message.as_str()).collect();
    assert_eq!(
        codes,
        [
            "stage `a` of kind `pick` needs `from`",
            "`columns` must be a list, not 3",
            "`layers` must be a list, not the text \"relu\"",
        ]
    );
}

#[test]
fn a_number_from_a_param_is_taken_as_text_where_text_is_wanted() {
    let checked = checked(
        "[params]\nn = 3\nx = 0.5\n[stage.a]\nkind = \"make\"\ncolumns = [\"c\", \"${n}\", \"${x}\"]\n\
         [stage.b]\nkind = \"make\"\ncolumns = [\"c\", 3]\n",
    );
    assert_eq!(found(&checked), [("E0133", "3")]);
    let types: Vec<_> = checked.stages.iter().map(|stage| stage.outputs.get("table")).collect();
    let Some(ArtifactType::Table(schema)) = types[0] else { panic!("{types:?}") };
    assert_eq!(schema.names().collect::<Vec<_>>(), ["c", "3", "0.5"]);
}
