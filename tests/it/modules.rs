//! The modules of `stdlib/table` and `stdlib/text`, by the program itself, on real texts and on a table as forms leave it.

use crate::sandbox::Sandbox;

/// The beginning of a pipeline of the repository, up to a stage.
fn beginning(pipeline: &str, until: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("pipelines/{pipeline}.toml"));
    let text = std::fs::read_to_string(path).expect("a pipeline");
    let end = text.find(&format!("[stage.{until}]")).expect("the stage");
    // Params that only later stages use would be warned of.
    let (before, after) = (text.find("[params]").expect("params"), text.find("[stage.raw]").expect("a first stage"));
    format!("{}{}", &text[..before], &text[after..end])
}

#[test]
fn chinese_reviews_come_out_in_one_width_and_without_gaps() {
    let stages = r#"
[stage.clean]
use = "std/text/clean_zh"
rows = "all"
with = { min_chars = 4, max_chars = 500 }

[stage.checked]
kind = "expect"
from = "clean"
checks.texts = { not_null = "text" }
checks.narrow = { pattern = { text = '[^\x{FF01}-\x{FF5E}\x{3000}A-Z\p{Cc}\x{200B}\x{FEFF}]*' } }
checks.gaps = { holds = '''NOT regexp_like(text, '\p{Han}\s+\p{Han}') AND NOT regexp_like(text, '^\s|\s$|\s\s|!!|,,')''' }
checks.length = { holds = "char_length(text) BETWEEN 4 AND 500" }
checks.rows = { rows = { min = 34000, max = 35124 } }

[stage.once]
use = "std/text/unique"
rows = "clean"
with = { label = "opinion" }

[stage.alone]
kind = "expect"
from = "once"
checks.unique = { unique = "text" }
"#;
    let sandbox = Sandbox::with_manifest(&format!("{}{stages}", beginning("reviews_zh", "once")));
    sandbox.run(&[]).success();
    sandbox.run(&[]).all_cached();
}

#[test]
fn entities_of_chinese_texts_become_what_they_stand_for() {
    let manifest = r#"
[pipeline]
name = "entities"
edition = "2026"

[stage.raw]
kind = "fetch"
path = "rows.csv"

[stage.table]
kind = "read"
from = "raw"

[stage.clean]
use = "std/text/clean_zh"
rows = "table"

[stage.checked]
kind = "expect"
from = "clean"
checks.texts = { one_of = { text = ["\"很好\" & 便宜'了 3 < 5 > 2", "“好”——真的&hearts;"] } }
"#;
    let rows = "text\n&quot;很好&quot;&nbsp;&amp; 便宜&#39;了 3 &lt; 5 &#62; 2\n“好”——真的&hearts;\n";
    Sandbox::with_manifest(manifest).file("rows.csv", rows).run(&[]).success();
}

#[test]
fn a_text_without_a_label_takes_no_labelled_one_with_it() {
    let manifest = r#"
[pipeline]
name = "unlabelled"
edition = "2026"

[stage.raw]
kind = "fetch"
path = "rows.csv"

[stage.table]
kind = "read"
from = "raw"

[stage.once]
use = "std/text/unique"
rows = "table"

[stage.checked]
kind = "expect"
from = "once"
checks.rows = { rows = { min = 2, max = 2 } }
checks.texts = { one_of = { text = ["good", "bad"] } }
checks.labels = { not_null = "label" }
"#;
    let rows = "text,label\ngood,p\ngood,\nbad,q\nbad!,q\nmix,p\nmix,q\nalone,\n";
    Sandbox::with_manifest(manifest).file("rows.csv", rows).run(&[]).success();
}

#[test]
fn newswires_keep_their_words() {
    let stages = r#"
[stage.clean]
use = "std/text/clean_en"
rows = "test"
with = { lower = true }

[stage.checked]
kind = "expect"
from = "clean"
checks.plain = { holds = '''text = lower(text) AND NOT regexp_like(text, '^\s|\s$|\s\s|[\p{Cc}“”’]|&(amp|lt|gt);')''' }
checks.rows = { rows = { min = 2189, max = 2189 } }

[stage.words]
kind = "sql"
inputs = { before = "test", after = "clean" }
query = """
WITH b AS (SELECT count(*) AS had FROM before WHERE text LIKE '%said%'), a AS (SELECT count(*) AS has FROM after WHERE text LIKE '%said%')
SELECT had, has FROM b CROSS JOIN a
"""

[stage.same]
kind = "expect"
from = "words"
checks.same = { holds = "had = has AND had > 1000" }
"#;
    let sandbox = Sandbox::with_manifest(&format!("{}{stages}", beginning("newswire", "encode")));
    sandbox.run(&[]).success();
}

const TABLE: &str = r#"
[pipeline]
name = "modules"
edition = "2026"

[stage.raw]
kind = "fetch"
path = "rows.csv"

[stage.read]
kind = "read"
from = "raw"

[stage.tidy]
use = "std/table/tidy"
rows = "read"
"#;

const ROWS: &str = "Item Name,When,unitPrice\n\"a \u{a0} b\",2024-02-29,1\n N/A ,2024-03-03,2\n c ,2024-03-04,3\n c,2024-03-04,3\n d,2024-03-05,500\n";

#[test]
fn a_table_from_a_form_is_made_tidy_with_dates_and_without_outliers() {
    let stages = r#"
[stage.dates]
use = "std/table/dates"
rows = "tidy"
with = { column = "when" }

[stage.clip]
use = "std/table/clip_outliers"
rows = "dates"
with = { column = "unit_price", times = 1.0 }
"#;
    let sandbox = Sandbox::with_manifest(&format!("{TABLE}{stages}")).file("rows.csv", ROWS);
    sandbox.run(&[]).success().says("4 rows x 3 columns");
    let shown = sandbox.kilter(&["show", "--json", "pipeline.toml", "clip/clip"]).success();
    let text = shown.json().to_string();
    for part in ["item_name", "when_weekday", "\"a b\"", "2024-02-29"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // The quartiles are 1.75 and 127.25: 500 becomes 127.25 + 125.5.
    assert!(text.contains("252.75") && !text.contains("500") && !text.contains("N/A"), "{text}");
}

#[test]
fn a_text_that_is_no_date_is_an_error_that_leads_into_the_module() {
    let stages = "\n[stage.dates]\nuse = \"std/table/dates\"\nrows = \"tidy\"\nwith = { column = \"when\" }\n";
    let sandbox = Sandbox::with_manifest(&format!("{TABLE}{stages}")).file("rows.csv", ROWS.replace("02-29", "02-30"));
    sandbox.run(&[]).exits(1).says("dates/dates").says("2024-02-30");
    sandbox.write("pipeline.toml", format!("{TABLE}{}", stages.replace("\"when\"", "\"wen\"")));
    sandbox.run(&[]).exits(2).says("wen");
}
