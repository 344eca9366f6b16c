//! Tables that cannot be encoded, and tables that nearly cannot, by the program itself; and raw rows with text that a trained model is asked
//! about.

use crate::sandbox::{Ran, Sandbox};
use std::fmt::Write;

const TABLE: &str = r#"
[pipeline]
name = "encodings"
edition = "2026"

[stage.raw]
kind = "fetch"
path = "rows.FORMAT"

[stage.table]
kind = "read"
from = "raw"
types = { TYPES }

[stage.encode]
kind = "encode"
fit = "table"
"#;

/// A workspace that encodes rows of a file.
fn sandbox(format: &str, types: &str, rows: &str, encode: &str) -> Sandbox {
    let text = format!("{}{encode}\n", TABLE.replace("FORMAT", format).replace("TYPES", types));
    Sandbox::with_manifest(&text).file(&format!("rows.{format}"), rows)
}

/// Encodes rows of a csv file; where that fails, nothing of it is left.
fn csv(types: &str, rows: &str, encode: &str) -> Ran {
    let sandbox = sandbox("csv", types, rows, encode);
    let ran = sandbox.run(&[]);
    assert!(ran.code == 0 || !sandbox.path("out/encodings/encode").exists(), "{encode}");
    ran
}

#[test]
fn a_column_without_values_is_named_with_what_to_do() {
    let rows = "x,y\n,1\n,2\n,3\n";
    let fails = |types: &str, encode: &str| {
        csv(types, rows, encode)
            .exits(1)
            .says("column `x` has no value in the training rows")
            .says("leave the column out")
    };
    fails("x = \"f64\"", "features.x = { numeric = \"x\", impute = \"mean\" }").says("or fill it with `impute = 0`");
    fails("x = \"str\"", "features.x = { category = \"x\", unknown = \"other\" }");
    fails("x = \"datetime\"", "features.x = { time = \"x\", indicator = true }");
    csv("x = \"f64\"", rows, "features.x = { numeric = \"x\", impute = 0 }").success();
    csv("x = \"str\"", rows, "features.x = { text = \"x\" }")
        .exits(1)
        .says("column `x` is null in row 1")
        .says("fill = ");
    csv("x = \"str\"", rows, "features.y = \"numeric\"\ntarget.x = \"category\"")
        .exits(1)
        .says("target `x` is null in row 1")
        .says("x IS NOT NULL");
}

#[test]
fn a_constant_column_becomes_zeros_and_one_row_is_enough_for_features() {
    for rows in ["x,c,t\n1.5,a,2026-01-01\n", "x,c,t\n1.5,a,2026-01-01\n1.5,a,2026-01-01\n1.5,a,2026-01-01\n"] {
        for scale in ["standard", "min_max", "robust", "quantile"] {
            csv("t = \"date\"", rows, &format!("features.x = {{ numeric = \"x\", scale = \"{scale}\" }}")).success();
        }
        csv("t = \"date\"", rows, "features.c = \"category\"\nfeatures.t = { time = \"t\" }").success();
        csv("t = \"date\"", rows, "features.x = { numeric = \"x\", transform = \"yeo_johnson\" }").success();
        csv("t = \"date\"", rows, "features.x = { numeric = \"x\", transform = \"box_cox\" }").success();
        csv("t = \"date\"", rows, "features.x = \"numeric\"\ntarget.c = \"category\"")
            .exits(1)
            .says("target `c` has one class in the training rows: `a`")
            .says("at least 2 classes");
    }
    let folds = "features.c = { category = \"c\", encode = \"target\" }\ntarget.x = \"number\"";
    csv("t = \"date\"", "x,c,t\n1.5,a,2026-01-01\n", folds)
        .exits(1)
        .says("1 row cannot be split into 5 folds")
        .says("`folds`");
}

#[test]
fn a_table_without_rows_teaches_nothing() {
    // Without types declared its columns are texts, which is not what is wrong.
    for types in ["x = \"f64\"", ""] {
        csv(types, "x,y\n", "features.x = \"numeric\"")
            .exits(2)
            .says("`table` has no rows, so nothing can be learnt")
            .says("look at what makes it");
    }
    let few = "\n[stage.few]\nkind = \"table\"\nfrom = \"table\"\nsteps = [{ filter = \"x > 9\" }]\n";
    let encode = TABLE.replace("FORMAT", "csv").replace("TYPES", "").replace("fit = \"table\"", "fit = \"few\"");
    let sandbox =
        Sandbox::with_manifest(&[&encode, "features.x = \"numeric\"\n", few].concat()).file("rows.csv", "x\n1\n");
    sandbox.run(&[]).exits(1).says("`few` has no rows, so nothing can be learnt").says("look at what makes it");
}

#[test]
fn far_too_many_categories_are_told_before_the_memory_is_gone() {
    let mut rows = "id,y\n".to_owned();
    for row in 0..70_000 {
        let _ = writeln!(rows, "n{row},{}", row % 3);
    }
    csv("id = \"str\"", &rows, "features.id = \"category\"")
        .exits(1)
        .says("column `id` alone has 70,000 values")
        .says("leave it out");
    csv("id = \"str\"", &rows, "features.id = { category = \"id\", encode = \"hashed\", n_features = 64 }").success();
}

#[test]
fn far_too_many_columns_are_told_as_such() {
    let names: Vec<String> = (0..900).map(|column| format!("c{column}")).collect();
    let mut rows = names.join(",");
    for row in 0..80 {
        let _ = write!(rows, "\n{}", vec![format!("v{row}"); 900].join(","));
    }
    csv("", &rows, "features.c = { category = \"c*\" }")
        .exits(1)
        .says("feature `c` would be 72,000 wide as one-hot; it takes 900 columns")
        .says("name fewer columns");
}

#[test]
fn lists_are_sequences_and_nothing_else() {
    let json = |rows: &str, encode: &str| sandbox("jsonl", "", rows, encode).run(&[]);
    let lists = "{\"x\": [1.0, 2.0], \"y\": 1}\n{\"x\": [3.0], \"y\": 2}\n";
    json(lists, "features.x = { sequence = \"x\", length = 3 }").success();
    for feature in ["\"numeric\"", "\"category\"", "{ text = \"x\" }"] {
        json(lists, &format!("features.x = {feature}"))
            .exits(2)
            .says("column `x` is list(f64)")
            .says("encode lists of numbers as a `sequence`");
    }
    let tags = lists.replace("1.0, 2.0", "\"a\", \"b\"").replace("3.0", "\"c\"");
    json(&tags, "features.x = { text = \"x\" }").exits(2).says("column `x` is list(str)").says("ARRAY_TO_STRING");
    json(&tags, "features.x = { sequence = \"x\", length = 3, encode = \"index\" }").success();
    json(&tags, "features.x = { sequence = \"x\", length = 3 }").exits(2).says("with encode = \"index\"");
    json(lists, "features.y = \"numeric\"\ntarget.x = \"number\"").exits(2).says("cannot be a number target");
    json(&lists.replace("2.0", "null"), "features.x = { sequence = \"x\", length = 2 }")
        .exits(1)
        .says("null in the list of row 1");
    json(&lists.replace("[3.0]", "[]"), "features.x = { sequence = \"x\", length = 2 }").success();
}

/// Reviews in two languages, and new ones of which no opinion is known.
const REVIEWS: &str = r#"
[pipeline]
name = "reviews"
edition = "2026"
seed = 3

[stage.raw]
kind = "fetch"
path = "reviews.csv"

[stage.reviews]
kind = "read"
from = "raw"

[stage.encode]
kind = "encode"
fit = "reviews"
features.words = { text = "text", analyzer = "chinese" }
features.shop = { category = "shop", unknown = "other" }
target.opinion = "category"

[stage.model]
kind = "model"
data = "encode.reviews"
layers = [{ linear = "classes" }]

[stage.train]
kind = "train"
model = "model"
data = "encode.reviews"
loss = "cross_entropy"
optimizer.adamw = { lr = 0.05 }
epochs = 30
batch_size = 8

[stage.evaluate]
kind = "evaluate"
model = "train.model"
data = "encode.reviews"
metrics = ["accuracy"]

[stage.raw_new]
kind = "fetch"
path = "new.csv"

[stage.new]
kind = "read"
from = "raw_new"

[stage.predict]
kind = "predict"
model = "train.model"
data = "new"
keep = ["id", "text"]

[stage.again]
kind = "predict"
model = "train.model"
data = "reviews"
"#;

fn reviews() -> Sandbox {
    let mut rows = "text,shop,opinion\n".to_owned();
    for number in 0..12 {
        let shop = ["north", "south"][number % 2];
        let _ = writeln!(rows, "\"good book number {number}, 质量很好\",{shop},praise");
        let _ = writeln!(rows, "\"bad book number {number}, 质量太差\",{shop},complaint");
    }
    let new = "id,text,shop\n7,\"a really good one, 很好\",south\n8,太差,west\n9,\"\"\"bad\"\" in quotes\",north\n";
    Sandbox::with_manifest(REVIEWS).file("reviews.csv", rows).file("new.csv", new)
}

#[test]
fn a_model_of_texts_is_asked_about_raw_rows() {
    if !cfg!(feature = "torch") {
        return;
    }
    let sandbox = reviews();
    sandbox.run(&[]).success();
    let column = |what: &str, port: &str, name: &str| -> Vec<String> {
        let shown = sandbox.kilter(&["show", what, "--json"]).success().json();
        let rows = shown["outputs"][port]["head"].as_array().cloned().unwrap_or_default();
        rows.iter().map(|row| row[name].as_str().map_or_else(|| row[name].to_string(), str::to_owned)).collect()
    };
    assert_eq!(column("predict", "table", "id"), ["7", "8", "9"]);
    assert_eq!(column("predict", "table", "prediction"), ["praise", "complaint", "complaint"]);
    assert_eq!(column("predict", "table", "text")[2], "\"bad\" in quotes");
    let judged = column("evaluate", "predictions", "p_praise");
    assert!(judged.len() >= 10, "{judged:?}");
    assert_eq!(column("again", "table", "p_praise"), judged, "raw rows and encoded rows have the same answers");
    sandbox.write("new.csv", "id,text,shop\n7,good,south\n8,,north\n");
    sandbox.run(&["predict"]).exits(1).says("column `text` is null in row 2").says("fill = ");
    sandbox.write("new.csv", "id,words,shop\n7,good,south\n");
    sandbox.run(&["predict"]).exits(2).says("`new` has no column `text`").says("feature `words` of the model needs it");
    sandbox.write("new.csv", "id,text,shop\n");
    sandbox.run(&["predict"]).success();
}
