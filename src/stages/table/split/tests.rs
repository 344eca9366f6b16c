//! `split` on the penguins, and on tables that cannot be split.

use super::super::testing::{findings, penguins, run, table_input};
use super::*;
use crate::stage::testing::Bench;
use polars::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn bench() -> Bench {
    let mut bench = Bench::default();
    let df = penguins().with_row_index("row".into(), None).expect("indexed");
    table_input(&mut bench, "table", df);
    bench
}

fn split(bench: &Bench, fields: &str) -> BTreeMap<String, DataFrame> {
    run::<Split>(bench, &format!("from = \"table\"\n{fields}")).expect("split").into_iter().collect()
}

fn rows(df: &DataFrame) -> Vec<u32> {
    df.column("row").expect("there").u32().expect("u32").iter().flatten().collect()
}

fn texts(df: &DataFrame, name: &str) -> Vec<String> {
    df.column(name)
        .expect("there")
        .cast(&DataType::String)
        .expect("text")
        .str()
        .expect("text")
        .iter()
        .map(|value| value.unwrap_or("(missing)").to_owned())
        .collect()
}

const THREE: &str = "parts = { train = 0.8, val = 0.1, test = 0.1 }";

#[test]
fn every_row_goes_to_one_part_and_order_is_kept() {
    let parts = split(&bench(), THREE);
    assert_eq!(
        parts.iter().map(|(name, df)| (name.as_str(), df.height())).collect::<Vec<_>>(),
        [("test", 35), ("train", 275), ("val", 34)]
    );
    let mut all: Vec<u32> = parts.values().flat_map(rows).collect();
    all.sort_unstable();
    assert_eq!(all, (0..344).collect::<Vec<u32>>());
    assert!(parts.values().all(|df| rows(df).is_sorted()));
    assert_ne!(rows(&parts["val"]), (275..309).collect::<Vec<u32>>());
    assert_eq!(rows(&parts["val"]), rows(&split(&bench(), THREE)["val"]));
}

#[test]
fn strata_are_spread_alike() {
    let parts = split(&bench(), &format!("{THREE}\nstratify = \"species\""));
    let count =
        |part: &str, species: &str| texts(&parts[part], "species").iter().filter(|name| *name == species).count();
    assert_eq!(parts.values().map(DataFrame::height).sum::<usize>(), 344);
    for (species, all) in [("Adelie", 152.0), ("Gentoo", 124.0), ("Chinstrap", 68.0)] {
        for (part, share) in [("train", 0.8), ("val", 0.1), ("test", 0.1)] {
            let found = count(part, species) as f64;
            assert!((found - all * share).abs() <= 1.5, "{species} in {part}: {found}");
        }
    }
    assert!((parts["train"].height() as f64 - 275.2).abs() < 1.0);
}

#[test]
fn counts_and_the_rest() {
    let parts = split(&bench(), "parts = { test = 100, train = \"rest\" }\nstratify = \"sex\"");
    assert_eq!((parts["test"].height(), parts["train"].height()), (100, 244));
    let parts = split(&bench(), "parts = { test = 100, train = 200 }");
    assert_eq!((parts["test"].height(), parts["train"].height()), (100, 200));
}

#[test]
fn groups_are_never_divided() {
    let mut bench = Bench::default();
    let groups: Vec<i64> = (0..600).map(|row| (row * row + 3 * row) % 97).collect();
    let class: Vec<&str> = groups.iter().map(|group| if group % 3 == 0 { "a" } else { "b" }).collect();
    let df = df!["row" => (0_u32..600).collect::<Vec<_>>(), "g" => groups, "class" => class].expect("a frame");
    table_input(&mut bench, "table", df);
    for more in ["", "\nstratify = \"class\""] {
        let parts = split(&bench, &format!("{THREE}\ngroup = \"g\"{more}"));
        let of = |part: &str| texts(&parts[part], "g").into_iter().collect::<BTreeSet<_>>();
        assert!(of("train").is_disjoint(&of("test")) && of("train").is_disjoint(&of("val")));
        assert!(of("val").is_disjoint(&of("test")));
        assert_eq!(parts.values().map(DataFrame::height).sum::<usize>(), 600);
        assert!((parts["train"].height() as f64 - 480.0).abs() < 20.0, "{}", parts["train"].height());
    }
}

#[test]
fn time_is_cut_and_never_within_an_instant() {
    let mut bench = Bench::default();
    let days: Vec<i32> = (0..100).map(|row| (row * 37) % 20).collect();
    let df = df!["row" => (0_u32..100).collect::<Vec<_>>(), "day" => days].expect("a frame");
    table_input(&mut bench, "table", df);
    let parts = split(&bench, "parts = { train = 0.72, val = 0.14, test = 0.14 }\ntime = \"day\"");
    let range = |part: &str| {
        let days = parts[part].column("day").expect("there").i32().expect("i32");
        (days.min().expect("a day"), days.max().expect("a day"))
    };
    assert_eq!((range("train"), range("val"), range("test")), ((0, 14), (15, 17), (18, 19)));
    assert!(rows(&parts["train"]).is_sorted());
    let fields = "from = \"table\"\nparts = { early = 0.5, late = 0.5 }\ntime = \"day\"";
    assert_eq!(findings::<Split>(&bench, fields)[0].0, "E0134");
    let parts = split(&bench, "parts = { early = 0.5, late = 0.5 }\ntime = \"day\"\norder = [\"late\", \"early\"]");
    assert!(texts(&parts["late"], "day").contains(&"0".to_owned()));
}

#[test]
fn texts_that_do_not_sort_by_time_are_refused() {
    let dated = |dates: [&str; 4]| {
        let mut bench = Bench::default();
        table_input(&mut bench, "table", df!["d" => dates].expect("a frame"));
        run::<Split>(&bench, "from = \"table\"\nparts = { train = 0.5, test = 0.5 }\ntime = \"d\"")
    };
    let parts = dated(["2024-01-02", "2023-12-31", "2024-01-01", "2023-12-30"]).expect("split");
    assert_eq!(texts(&parts[1].1, "d"), ["2023-12-31", "2023-12-30"]);
    let error = dated(["31/12/2023", "01/01/2024", "30/12/2023", "02/01/2024"]).expect_err("January would come first");
    assert_eq!(error.message, "`d` holds `31/12/2023` in row 1, which does not sort by time");
    assert!(error.hints[0].contains("strptime(d, '%d/%m/%Y')"), "{error:?}");
}

#[test]
fn a_column_can_name_the_parts() {
    let parts = split(&bench(), "parts = { train = [\"2007\", \"2008\"], test = \"2009\" }\nby = \"year\"");
    assert_eq!((parts["train"].height(), parts["test"].height()), (224, 120));
    let fields = "from = \"table\"\nparts = { train = [\"2007\", \"2008\"] }\nby = \"year\"";
    let error = run::<Split>(&bench(), fields).expect_err("it fails");
    assert_eq!(error.message, "column `year` has values that belong to no part: `2009`");
}

#[test]
fn numbers_and_truth_values_name_parts_too() {
    let sizes = |parts: &BTreeMap<String, DataFrame>| (parts["train"].height(), parts["test"].height());
    let parts = split(&bench(), "parts = { train = [2007, \"2008\"], test = 2009 }\nby = \"year\"");
    assert_eq!(sizes(&parts), (224, 120));
    let mut bench = Bench::default();
    let df = df!["late" => (0..60).map(|row| row % 3 == 0).collect::<Vec<_>>(), "x" => [0.5; 60]].expect("a frame");
    table_input(&mut bench, "table", df);
    assert_eq!(sizes(&split(&bench, "parts = { train = false, test = [true] }\nby = \"late\"")), (40, 20));
    let found = bench.check::<Split>("from = \"table\"\nparts = { train = 0.5, test = \"rest\" }\nby = \"x\"").1;
    assert_eq!(found[0].diagnostic.hints, ["if it is a value, write it as a text: train = \"0.5\""]);
    let twice = "from = \"table\"\nparts = { train = [1, 2], test = 2 }\nby = \"x\"";
    assert_eq!(findings::<Split>(&bench, twice)[0].1, "the value `2` belongs to two parts");
}

#[test]
fn missing_values_cannot_decide() {
    let error = run::<Split>(&bench(), &format!("from = \"table\"\n{THREE}\ngroup = \"sex\"")).expect_err("it fails");
    assert_eq!(error.message, "column `sex` is missing in 11 rows, the first of them row 4");
    let fields = format!("from = \"table\"\n{THREE}\ntime = \"body_mass_g\"");
    assert!(run::<Split>(&bench(), &fields).expect_err("it fails").message.contains("missing in 2 rows"));
}

#[test]
fn what_cannot_be_split_says_so() {
    let bench = bench();
    let fields = "from = \"table\"\nparts = { a = 0.25, b = 0.25, c = 0.25, d = 0.25 }\ngroup = \"species\"";
    let error = run::<Split>(&bench, fields).expect_err("it fails");
    assert_eq!(error.message, "column `species` has 3 groups, which cannot be divided into 4 parts");
    let error = run::<Split>(&bench, &format!("from = \"table\"\n{THREE}\nstratify = \"row\"")).expect_err("it fails");
    assert!(error.message.starts_with("column `row` has 344 different values"), "{}", error.message);
    run::<Split>(&bench, "from = \"table\"\nparts = { train = 0.99, test = 0.01 }").expect("split");
    assert!(bench.warnings.lock().expect("free").iter().any(|warning| warning.starts_with("part `test` has 3 rows")));
    let mut tiny = Bench::default();
    table_input(&mut tiny, "table", df!["a" => [1, 2]].expect("a frame"));
    let error = run::<Split>(&tiny, &format!("from = \"table\"\n{THREE}")).expect_err("it fails");
    assert!(error.message.ends_with("would have no rows"), "{}", error.message);
}

#[test]
fn mistakes_in_the_fields_are_found() {
    let bench = bench();
    let codes = |fields: &str| {
        findings::<Split>(&bench, &format!("from = \"table\"\n{fields}"))
            .into_iter()
            .map(|(code, _)| code)
            .collect::<Vec<_>>()
    };
    assert_eq!(codes("parts = { train = 0.8, test = 0.1 }"), ["E0221"]);
    assert_eq!(codes("parts = { train = 0.8, test = 10 }"), ["E0221"]);
    assert_eq!(codes("parts = { train = 300, test = 100 }"), ["E0221"]);
    assert_eq!(codes("parts = { train = 0.8, test = \"test\" }"), ["E0221"]);
    assert_eq!(codes("parts = { train = 1.5 }"), ["E0136"]);
    assert_eq!(codes("parts = {}"), ["E0221"]);
    assert_eq!(codes(""), ["E0221"]);
    assert_eq!(codes("folds = 5"), ["E0134"]);
    assert_eq!(codes("folds = 5\nfold = 6"), ["E0136"]);
    assert_eq!(codes("folds = 1\nfold = 1"), ["E0136"]);
    assert_eq!(codes(&format!("{THREE}\nfolds = 5\nfold = 1")), ["E0135"]);
    assert_eq!(codes(&format!("{THREE}\ncompare = [\"nmae\"]")), ["E0213"]);
    assert_eq!(codes(&format!("{THREE}\nnear_duplicates = 2.0")), ["E0136"]);
    assert_eq!(codes(&format!("{THREE}\nnear_duplicates = 0.8\nleaks = \"ignore\"")), ["E0135"]);
    assert_eq!(codes("parts = { \"1st\" = 1.0 }"), ["E0105"]);
    assert_eq!(codes(&format!("{THREE}\nstratify = \"specis\"")), ["E0213"]);
    assert_eq!(codes(&format!("{THREE}\nstratify = \"bill_length_mm\"")), ["E0214"]);
    assert_eq!(codes(&format!("{THREE}\ntime = \"year\"\ngroup = \"species\"")), ["E0135"]);
    assert_eq!(codes(&format!("{THREE}\norder = [\"train\"]")), ["E0135"]);
    assert_eq!(codes("parts = { train = 0.5, test = 0.5 }\nby = \"year\""), ["E0221", "E0221"]);
}

#[test]
fn folds_divide_the_rows_and_each_is_the_test_once() {
    for more in ["", "\nstratify = \"species\"", "\ngroup = \"body_mass_g\""] {
        let mut bench = bench();
        let known = penguins().with_row_index("row".into(), None).expect("indexed").lazy();
        table_input(&mut bench, "table", known.filter(col("body_mass_g").is_not_null()).collect().expect("rows"));
        let mut all = Vec::new();
        for fold in 1..=4 {
            let parts = split(&bench, &format!("folds = 4\nfold = {fold}{more}"));
            let (test, train) = (rows(&parts["test"]), rows(&parts["train"]));
            assert_eq!(test.len() + train.len(), 342);
            assert!(test.iter().all(|row| !train.contains(row)) && train.is_sorted());
            assert!((80..92).contains(&test.len()), "{more}: {}", test.len());
            all.extend(test);
        }
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 342, "{more}");
    }
}

#[test]
fn a_fold_that_groups_make_too_large_is_named_by_its_number() {
    let mut bench = Bench::default();
    let groups: Vec<i32> = (0..200).map(|row| if row < 150 { 0 } else { row }).collect();
    let df = df!["g" => groups, "x" => (0..200).map(|row| f64::from(row) / 3.0).collect::<Vec<_>>()];
    table_input(&mut bench, "table", df.expect("a frame"));
    split(&bench, "folds = 4\nfold = 1\ngroup = \"g\"");
    let warnings = bench.warnings.lock().expect("free").join("\n");
    assert!(warnings.contains("fold 1 has 150 rows instead of 50 rows"), "{warnings}");
}

#[test]
fn rows_that_no_part_takes_are_told() {
    let bench = bench();
    let summary = |fields: &str| bench.run::<Split>(&format!("from = \"table\"\n{fields}")).expect("split").summary;
    let warned = || bench.warnings.lock().expect("free").drain(..).collect::<Vec<_>>().join("\n");
    let told = summary("parts = { train = 200, test = 50 }");
    assert!(told.starts_with("train 200 · test 50, 94 rows in no part"), "{told}");
    assert!(!warned().contains("in no part"));
    let told = summary("parts = { train = 80, test = 20 }\nstratify = \"species\"");
    assert!(told.starts_with("train 80 · test 20, stratified by species, 244 rows in no part"), "{told}");
    let warning = warned();
    assert!(warning.contains("no shares of a hundred: 244 rows are in no part"), "{warning}");
    assert!(!summary("parts = { train = \"rest\", test = 100 }").contains("in no part"));
    assert!(!warned().contains("in no part"));
}

#[test]
fn durations_order_and_lists_are_told_before_anything_runs() {
    let mut bench = Bench::default();
    let waits: Vec<i64> = (0..60).map(|row| row * 37 % 60).collect();
    let lists = Column::new("l".into(), (0..60).map(|row| Series::new("".into(), [row])).collect::<Vec<_>>());
    let df = df!["row" => (0_u32..60).collect::<Vec<_>>(), "wait" => waits].and_then(|df| {
        df.lazy().with_column(col("wait").cast(DataType::Duration(TimeUnit::Microseconds))).collect()?.hstack(&[lists])
    });
    table_input(&mut bench, "table", df.expect("a frame"));
    let parts = split(&bench, "parts = { train = 0.5, test = 0.5 }\ntime = \"wait\"");
    assert!(rows(&parts["train"]).iter().all(|row| row * 37 % 60 < 30));
    for field in ["stratify", "group", "time", "by", "hash"] {
        let parts = if field == "by" { "train = \"a\", test = \"rest\"" } else { "train = 0.5, test = 0.5" };
        let found = findings::<Split>(&bench, &format!("from = \"table\"\nparts = {{ {parts} }}\n{field} = \"l\""));
        assert_eq!(found.iter().map(|(code, _)| code.as_str()).collect::<Vec<_>>(), ["E0214"], "{field}");
    }
    let fields = "from = \"table\"\nparts = { train = [7], test = \"rest\" }\nby = \"row\"";
    assert!(run::<Split>(&bench, fields).is_ok());
    let fields = fields.replace("[7]", "[77, 78]");
    let error = run::<Split>(&bench, &fields).expect_err("there are 60");
    assert_eq!(error.hints, ["`row` has none of its values, `77` and `78`"]);
}

/// Reviews, of which some stand in twice: word for word, with other punctuation, and with a word changed.
fn reviews() -> DataFrame {
    let text = |row: usize| format!("第{row}本书的质量很好，快递也很快，下次还会再来买第{}本书！", row * 7);
    let mut texts: Vec<String> = (0..300).map(text).collect();
    let mut ids: Vec<u32> = (0..300).collect();
    for row in 0..300_usize {
        let again = match row {
            0..100 => text(row),
            100..150 => text(row).replace('，', " ").replace('！', "!!"),
            150..200 => text(row).replace("下次", "明年"),
            _ => continue,
        };
        ids.push(ids.len() as u32);
        texts.push(again);
    }
    df!["row" => ids, "text" => texts].expect("a frame")
}

fn counted(bench: &Bench, fields: &str) -> (BTreeMap<String, f64>, String) {
    let produced = bench.run::<Split>(&format!("from = \"table\"\n{fields}")).expect("split");
    let mut warnings = bench.warnings.lock().expect("free");
    let warning = warnings.pop().unwrap_or_default();
    warnings.clear();
    (produced.metrics, warning)
}

/// The rows of one part whose text, made alike by `same`, is in the other part.
fn by_hand(bench: &Bench, fields: &str, same: &dyn Fn(&str) -> String) -> (usize, usize) {
    let parts = split(bench, fields);
    let of = |part: &str| texts(&parts[part], "text").iter().map(|text| same(text)).collect::<Vec<_>>();
    let (test, train) = (of("test"), of("train"));
    let count = |these: &[String], those: &[String]| {
        let those: BTreeSet<&String> = those.iter().collect();
        these.iter().filter(|text| those.contains(text)).count()
    };
    (count(&test, &train), count(&train, &test))
}

#[test]
fn rows_in_more_than_one_part_are_counted() {
    const TWO: &str = "parts = { train = 0.7, test = 0.3 }";
    let mut bench = Bench::default();
    table_input(&mut bench, "table", reviews());
    let exact = by_hand(&bench, TWO, &str::to_owned);
    let plain = by_hand(&bench, TWO, &|text| text.chars().filter(|c| c.is_alphanumeric()).collect());
    assert!(exact.0 > 10 && plain.0 > exact.0, "{exact:?} {plain:?}");
    let near = format!("{TWO}\nnear_duplicates = 0.6");
    let (metrics, warning) = counted(&bench, &near);
    let of = |name: &str| metrics[&format!("leaks.{name}")] as usize;
    assert_eq!((of("test.exact"), of("train.exact")), exact, "the row's number is not compared");
    assert_eq!((of("test.normalised"), of("train.normalised")), plain);
    assert!(of("test.near") > plain.0);
    let start = "rows stand in more than one part: of the 150 rows of `test` ";
    assert!(warning.starts_with(start) && warning.contains("Rows were compared in `text`"), "{warning}");
    let error = bench.run::<Split>(&format!("from = \"table\"\n{TWO}\nleaks = \"error\"")).expect_err("it fails");
    assert!(error.message.starts_with(start), "{}", error.message);
    assert_eq!(counted(&bench, &format!("{TWO}\nleaks = \"ignore\"")).1, "");
    assert_eq!(counted(&bench, &format!("{TWO}\ncompare = \"row\"")).1, "", "rows differ in their numbers");
    let grouped = format!("{TWO}\ngroup = \"text\"\ncompare = \"text\"");
    assert_eq!(counted(&bench, &grouped).0["leaks.test.exact"], 0.0, "groups keep equal texts together");
}

#[test]
fn a_class_beside_the_text_that_decides_is_no_leak() {
    let mut bench = Bench::default();
    let classes = Column::new("label".into(), (0..500).map(|row| row % 2).collect::<Vec<i32>>());
    let df = reviews().drop("row").and_then(|df| df.hstack(&[classes])).expect("a frame");
    table_input(&mut bench, "table", df);
    for way in ["group", "hash"] {
        let fields = format!("parts = {{ train = 0.7, test = 0.3 }}\n{way} = \"text\"");
        let (metrics, warning) = counted(&bench, &fields);
        assert_eq!(metrics["leaks.test.exact"], 0.0, "{way}: all have a class of two");
        assert!(metrics["leaks.test.normalised"] > 0.0, "{way}: some texts differ in their punctuation alone");
        assert!(warning.contains("(0 word for word, "), "{way}: {warning}");
        assert!(findings::<Split>(&bench, &format!("from = \"table\"\n{fields}\nnear_duplicates = 0.8")).is_empty());
    }
}

#[test]
fn a_name_of_each_row_does_not_hide_repeated_ones() {
    const TWO: &str = "parts = { train = 0.7, test = 0.3 }";
    let named = |df: DataFrame, name: &dyn Fn(usize) -> String| {
        let names = Column::new("name".into(), (0..df.height()).map(name).collect::<Vec<_>>());
        let mut bench = Bench::default();
        table_input(&mut bench, "table", df.hstack(&[names]).expect("a frame"));
        bench
    };
    let look = |bench: &Bench, fields: &str| {
        let produced = bench.run::<Split>(&format!("from = \"table\"\n{fields}")).expect("split");
        (produced.metrics["leaks.test.exact"], produced.summary)
    };
    let mut plain = Bench::default();
    table_input(&mut plain, "table", reviews());
    let wanted = look(&plain, TWO).0;
    let names: [&dyn Fn(usize) -> String; 4] = [
        &|row: usize| format!("N{row:06}"),
        &|row: usize| format!("{:08x}-77aa-4f00-8a00-{row:012x}", row * 7919),
        &|row: usize| format!("{:064x}", row * 7919),
        &|row: usize| format!("https://books.example.org/reviews/of-the-year/page-{}", row + 1),
    ];
    for name in names {
        let bench = named(reviews(), name);
        let (found, summary) = look(&bench, TWO);
        assert_eq!((found, wanted > 10.0), (wanted, true));
        assert_eq!(summary, "train 350 · test 150 · compared in `text`");
        assert_eq!(look(&bench, &format!("{TWO}\ncompare = [\"text\", \"name\"]")).0, 0.0);
        let error = bench.run::<Split>(&format!("from = \"table\"\n{TWO}\nleaks = \"error\"")).expect_err("it fails");
        assert!(error.message.starts_with("rows stand in more than one part"), "{}", error.message);
    }
    // Beside a class a name is all that there is.
    let classes = df!["label" => (0..200).map(|row| row % 3).collect::<Vec<i32>>()].expect("a frame");
    let (found, summary) = look(&named(classes, &|row| format!("img/{row:03}.png")), TWO);
    assert_eq!((found, summary.as_str()), (0.0, "train 140 · test 60 · compared in all columns"));
    let texts = look(&named(reviews(), &|row| format!("no name of row {row}")), TWO);
    assert_eq!(texts.0, 0.0, "a text is no name");
    // An index that a program wrote as floats, and what only looks like a number of the rows: the one feature.
    let mut bench = Bench::default();
    let index = Column::new("index".into(), (0..500).map(f64::from).collect::<Vec<_>>());
    table_input(&mut bench, "table", reviews().hstack(&[index]).expect("a frame"));
    assert_eq!(look(&bench, TWO), (wanted, "train 350 · test 150 · compared in `text`".to_owned()));
    let seconds =
        df!["at" => (0..200).collect::<Vec<i32>>(), "on" => (0..200).map(|row| row % 2).collect::<Vec<i32>>()];
    table_input(&mut bench, "table", seconds.expect("a frame"));
    assert_eq!(look(&bench, TWO), (0.0, "train 140 · test 60 · compared in all columns".to_owned()));
}

#[test]
fn a_class_beside_lists_is_no_leak() {
    let mut bench = Bench::default();
    let lists = (0..60).map(|row| Series::new("".into(), [row, row])).collect::<Vec<_>>();
    let classes = Column::new("label".into(), (0..60).map(|row| ["a", "b"][row % 2]).collect::<Vec<_>>());
    let df = DataFrame::new(60, vec![Column::new("pixels".into(), lists), classes]).expect("a frame");
    table_input(&mut bench, "table", df);
    let fields = "from = \"table\"\nparts = { train = 0.7, test = 0.3 }\nleaks = \"error\"";
    let produced = bench.run::<Split>(fields).expect("nothing is known to be in both");
    assert_eq!(produced.summary, "train 42 · test 18");
    assert!(!produced.metrics.keys().any(|name| name.starts_with("leaks.")), "{:?}", produced.metrics);
    let error = bench.run::<Split>(&format!("{fields}\ncompare = \"label\"")).expect_err("it was asked for");
    assert!(error.message.starts_with("rows stand in more than one part"), "{}", error.message);
}

#[test]
fn rows_without_text_are_no_near_duplicates() {
    let mut bench = Bench::default();
    let text = |row: usize| if row.is_multiple_of(4) { None } else { Some([" ", "", "  "][row % 3]) };
    let texts: Vec<Option<&str>> = (0..60).map(text).collect();
    let values: Vec<f64> = (0..60).map(f64::from).collect();
    table_input(&mut bench, "table", df!["text" => texts, "value" => values.clone()].expect("a frame"));
    let fields = "parts = { train = 0.5, test = 0.5 }\nnear_duplicates = 0.8";
    let (metrics, warning) = counted(&bench, fields);
    assert_eq!((metrics["leaks.test.near"], metrics["leaks.test.normalised"], warning.as_str()), (0.0, 0.0, ""));
    table_input(&mut bench, "table", df!["id" => (0..60).collect::<Vec<i32>>(), "value" => values].expect("a frame"));
    let [(code, message)] = findings::<Split>(&bench, &format!("from = \"table\"\n{fields}")).try_into().expect("one");
    assert_eq!(code, "E0219");
    assert_eq!(message, "near-duplicates are looked for in texts, and none of `id` and `value` holds any");
}

#[test]
fn boilerplate_that_was_not_all_compared_is_told() {
    let mut bench = Bench::default();
    let clauses: String = (100..200).map(|n| format!("clause {n}, ")).collect();
    let texts: Vec<String> = (0..400).map(|row| format!("{clauses}{row}")).collect();
    table_input(&mut bench, "table", df!["text" => texts].expect("a frame"));
    let (_, warning) = counted(&bench, "parts = { train = 0.5, test = 0.5 }\nnear_duplicates = 0.9");
    assert!(
        warning.contains(" texts may be like more than 256 others and were compared with 256 of them only"),
        "{warning}"
    );
}

#[test]
fn parts_without_repeated_rows_are_not_warned_of() {
    let (metrics, warning) = counted(&bench(), THREE);
    assert_eq!((metrics["leaks.test.exact"], warning.as_str()), (0.0, ""));
}
