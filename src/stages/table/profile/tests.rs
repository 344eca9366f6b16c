//! Pictures of real rows, and of tables that leave little to draw.

use super::super::testing::{findings, penguins, run, table_input, tables};
use super::Profile;
use crate::stage::testing::Bench;
use polars::prelude::*;

fn bench(df: DataFrame) -> Bench {
    let mut bench = Bench::default();
    table_input(&mut bench, "birds", df);
    bench
}

fn output(bench: &Bench, port: &str) -> String {
    let files = bench.output(port);
    String::from_utf8(files[0].1.clone()).expect("text")
}

#[test]
fn numbers_are_numpy_s() {
    let bench = bench(penguins());
    run::<Profile>(&bench, "from = \"birds\"\ntarget = \"species\"").expect("it runs");
    let found: std::collections::BTreeMap<String, f64> =
        serde_json::from_str(&output(&bench, "metrics")).expect("plain numbers");
    // pandas.read_csv("penguins.csv").describe() and .corr()
    for (name, value) in [
        ("rows", 344.0),
        ("repeated_rows", 0.0),
        ("missing_share", 19.0 / (344.0 * 8.0)),
        ("sex.missing", 11.0),
        ("bill_length_mm.mean", 43.921_929_824_561_4),
        ("bill_length_mm.std", 5.459_583_713_926_532),
        ("bill_length_mm.q25", 39.225),
        ("body_mass_g.median", 4050.0),
        ("flipper_length_mm.distinct", 55.0),
        ("correlation.flipper_length_mm.body_mass_g", 0.871_201_767_306_011_5),
        ("share.Adelie", 152.0 / 344.0),
        ("island.length_max", 9.0),
    ] {
        assert!((found[name] - value).abs() < 1e-9 * value.abs().max(1.0), "{name}: {} not {value}", found[name]);
    }
}

#[test]
fn the_page_needs_nothing_else_and_is_the_same_again() {
    let bench = bench(penguins());
    let fields = "from = \"birds\"\ntarget = \"species\"";
    run::<Profile>(&bench, fields).expect("it runs");
    let page = output(&bench, "report");
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("<script"), "it loads nothing");
    assert_eq!(page.matches("class=\"card\"").count(), 8);
    assert!(page.contains("Balance of species") && page.contains("152 (44.2 %)") && page.contains("Correlations"));
    assert!(page.contains("11 (3.2 %) missing"));
    assert!(!page.contains("birds"), "the table's name is no part of the key");
    run::<Profile>(&bench, fields).expect("it runs");
    assert_eq!(page, output(&bench, "report"));
    if let Some(folder) = std::env::var_os("KILTER_PLOTS") {
        std::fs::write(std::path::Path::new(&folder).join("profile.html"), page).expect("writable");
    }
}

#[test]
fn what_is_odd_is_said() {
    let rows = 0..40_i64;
    let df = df![
        "id" => rows.clone().collect::<Vec<_>>(),
        "twice" => rows.clone().map(|row| row * 2 + 1).collect::<Vec<_>>(),
        "same" => vec!["x"; 40],
        "gone" => vec![None::<f64>; 40],
        "half" => rows.clone().map(|row| (row % 2 == 0).then_some(1.5 + row as f64)).collect::<Vec<_>>(),
        "odd" => rows.clone().map(|row| if row == 3 { f64::NAN } else if row == 4 { f64::INFINITY } else { row as f64 * 0.5 }).collect::<Vec<_>>(),
        "class" => rows.map(|row| if row == 0 { "rare <b>" } else { "usual" }).collect::<Vec<_>>(),
    ];
    let bench = bench(df.expect("a frame"));
    run::<Profile>(&bench, "from = \"birds\"\ntarget = \"class\"").expect("it runs");
    let page = output(&bench, "report");
    for words in [
        "id</a>: has another value in every row",
        "twice</a>: goes together with `id`: correlation 1.000",
        "same</a>: has one value only",
        "gone</a>: holds nothing",
        "half</a>: 50 % of its values are missing",
        "odd</a>: 1 value is NaN",
        "odd</a>: holds infinite numbers",
        "class `rare &lt;b&gt;` is rare: 1 row (2.5 %)",
    ] {
        assert!(page.contains(words), "{words}\n{page}");
    }
    assert!(!page.contains("<b>\"") && !page.contains("rare <b>"), "what the data says is no markup");
}

/// The card of a column, by its place.
fn card(page: &str, index: usize) -> &str {
    let from = page.find(&format!("id=\"c{index}\"")).expect("a card");
    let (card, _) = page[from..].split_once("</section>").expect("its end");
    card
}

#[test]
fn free_text_is_told_from_names() {
    let rows = 0..40_i64;
    let df = df![
        "name" => rows.clone().map(|row| format!("Number {row}")).collect::<Vec<_>>(),
        "review" => rows.clone().map(|row| format!("we stayed for {} nights and liked the food", row % 36)).collect::<Vec<_>>(),
        "評論" => rows.map(|row| format!("很好，下次再来！谢谢店家，发货很快，包装也很好。{row}")).collect::<Vec<_>>(),
    ];
    let bench = bench(df.expect("a frame"));
    run::<Profile>(&bench, "from = \"birds\"").expect("it runs");
    let page = output(&bench, "report");
    for words in [
        "name</a>: has another value in every row: a name or number of the row",
        "review</a>: is free text, about 9 words each: `encode` takes it as `text` or `tokens`",
        "評論</a>: is free text",
    ] {
        assert!(page.contains(words), "{words}\n{page}");
    }
    assert!(
        !card(&page, 0).contains("1 (2.5 %)") && !page.contains("<td>Number 0</td>"),
        "none of its values is frequent"
    );
    assert!(card(&page, 1).contains("2 (5.0 %)"));
}

#[test]
fn the_numbers_of_a_card_are_written_in_one_way() {
    let rows = 0..40_i64;
    let df = df![
        "mass" => rows.clone().map(|row| 1015 + row % 4 * 61).collect::<Vec<_>>(),
        "year" => rows.clone().map(|row| 2007 + row % 3).collect::<Vec<_>>(),
        "price" => rows.map(|row| 1234.5 + (row % 2) as f64).collect::<Vec<_>>(),
    ];
    let bench = bench(df.expect("a frame"));
    run::<Profile>(&bench, "from = \"birds\"").expect("it runs");
    let page = output(&bench, "report");
    let (mass, year, price) = (card(&page, 0), card(&page, 1), card(&page, 2));
    assert!(mass.contains("1,015") && mass.contains("mean 1,10") && !mass.contains("1015"), "{mass}");
    assert!(year.contains("2008") && year.contains("mean 2008") && !year.contains("2,00"), "{year}");
    assert!(price.contains("1,234.5") && !price.contains("1234"), "{price}");
}

#[test]
fn whole_numbers_have_whole_steps_and_counts_an_axis() {
    let bench = bench(df!["stars" => (0..40_i64).map(|row| 1 + row % 5).collect::<Vec<_>>()].expect("a frame"));
    run::<Profile>(&bench, "from = \"birds\"").expect("it runs");
    let page = output(&bench, "report");
    let card = card(&page, 0);
    assert!(card.contains("<title>1: 8 rows</title>") && card.contains("<title>5: 8 rows</title>"), "{card}");
    assert!(!card.contains(" – ") && card.contains(">8</text>"), "{card}");
}

#[test]
fn every_class_counts_and_top_says_what_is_drawn() {
    // Forty classes of 25 rows, and two of one row.
    let class = |row: usize| if row < 2 { format!("odd{row}") } else { format!("class{}", row % 40) };
    let df = df!["class" => (0..1002).map(class).collect::<Vec<_>>(), "x" => (0..1002_i64).collect::<Vec<_>>()];
    let bench = bench(df.expect("a frame"));
    for top in [0, 10] {
        run::<Profile>(&bench, &format!("from = \"birds\"\ntarget = \"class\"\ntop = {top}")).expect("it runs");
        let found: std::collections::BTreeMap<String, f64> =
            serde_json::from_str(&output(&bench, "metrics")).expect("plain numbers");
        assert_eq!(found.keys().filter(|name| name.starts_with("share.")).count(), 42);
        assert_eq!(found["share.odd0"], 1.0 / 1002.0);
        let page = output(&bench, "report");
        assert!(page.contains("2 classes are rare: `odd1` and `odd0`; the rarest has 1 row (0.1 %)"), "{page}");
        assert!(page.contains("Balance of class") && page.contains("32 others") && !page.contains("class39"), "{page}");
    }
    let numbers = "from = \"birds\"\ntarget = \"x\"";
    run::<Profile>(&bench, numbers).expect("it runs");
    assert_eq!(output(&bench, "metrics").matches("\"share.").count(), 10, "so many numbers are no classes");
}

#[test]
fn rows_repeat_in_every_column_or_not() {
    let bench = bench(df!["a" => [1, 1, 1], "b" => [1, 2, 2]].expect("a frame"));
    let repeated = |more: &str| {
        run::<Profile>(&bench, &format!("from = \"birds\"{more}")).expect("it runs");
        (
            output(&bench, "metrics").contains("\"repeated_rows\": 1.0"),
            output(&bench, "report").contains("repeat an earlier"),
        )
    };
    assert_eq!(repeated(""), (true, true));
    assert_eq!(repeated("\ncolumns = [\"a\"]"), (false, false));
}

#[test]
fn dates_read_as_dates_and_columns_can_be_chosen() {
    let days = Column::new("day".into(), [0_i32, 31, 59]).cast(&DataType::Date).expect("dates");
    let text = Column::new("text".into(), ["好", "很好，下次再来！谢谢店家，发货很快，包装也很好。", ""]);
    let bench = bench(DataFrame::new(3, vec![days, text]).expect("a frame"));
    let ports = run::<Profile>(&bench, "from = \"birds\"\ncolumns = [\"d*\"]\ntop = 0").expect("it runs");
    let table = &ports[0].1;
    let cell = |name: &str| table.column(name).expect("there").get(0).expect("a row").str_value().into_owned();
    assert_eq!(
        (cell("min"), cell("median"), cell("max")),
        ("1970-01-01".into(), "1970-02-01".into(), "1970-03-01".into())
    );
    assert_eq!(table.height(), 1);
    run::<Profile>(&bench, "from = \"birds\"").expect("it runs");
    assert!(output(&bench, "report").contains("Lengths in characters"));
}

#[test]
fn little_data_makes_a_small_picture() {
    let list = |values: Vec<Series>| Column::new("list".into(), values);
    let lists = list(vec![Series::new("".into(), [1_i64, 2]), Series::new("".into(), [3_i64])]);
    for df in [
        penguins().head(Some(0)),
        penguins().head(Some(1)),
        df!["x" => vec![None::<i64>; 3]].expect("a frame"),
        df!["x" => [f64::NAN, f64::NAN], "y" => [f64::MAX, f64::MIN], "z" => [true, false]].expect("a frame"),
        DataFrame::new(2, vec![lists]).expect("a frame"),
    ] {
        let bench = bench(df);
        let (outputs, _) = bench.check::<Profile>("from = \"birds\"");
        let produced = bench.run::<Profile>("from = \"birds\"").expect("it runs");
        assert_eq!(tables(&bench, &outputs, &produced).len(), 1);
    }
}

#[test]
fn mistakes_are_found_before_anything_runs() {
    let found = |text: &str| findings::<Profile>(&bench(penguins()), &format!("from = \"birds\"\n{text}"));
    for (text, code) in [
        ("target = \"specis\"", "E0213"),
        ("columns = [\"wing_*\"]", "E0219"),
        ("bins = 1", "E0136"),
        ("correlations = 100000", "E0136"),
    ] {
        assert_eq!(found(text).first().map(|(code, _)| code.clone()).as_deref(), Some(code), "{text}");
    }
}
