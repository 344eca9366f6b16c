//! Bags of words against scikit-learn's numbers, and what may be wrong with texts.

use crate::diag::codes;
use crate::stage::testing::fields;
use crate::stage::{CheckCx, CheckInput, Finding, Kind};
use crate::stages::encode::{Csr, DATA_FILE, Encode, EncodeSpec, Encoder, Tensor, TensorData, read_tensor};
use crate::types::{ArtifactType, Column as Col, DType, Shape, TableSchema};
use polars::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

fn spec(feature: &Value) -> EncodeSpec {
    serde_json::from_value(json!({ "fit": "s.train", "features": { "words": feature } })).expect("a spec")
}

fn table(texts: &[&str]) -> DataFrame {
    df!["text" => texts].expect("a table")
}

fn bag(tensor: &Tensor) -> &Csr {
    match &tensor.data {
        TensorData::Csr(csr) => csr,
        other => panic!("{other:?}"),
    }
}

/// Row after row the columns and numbers that are not 0.
fn rows(csr: &Csr) -> Vec<Vec<(i64, f64)>> {
    let row = |ends: &[i64]| {
        let entries = (ends[0] as usize..ends[1] as usize).map(|at| (csr.indices[at].into(), csr.values[at].into()));
        entries.filter(|(_, value)| *value != 0.0).collect()
    };
    csr.indptr.windows(2).map(row).collect()
}

fn same(found: &[Vec<(i64, f64)>], expected: &Value, what: &str) {
    let expected: Vec<Vec<(i64, f64)>> = serde_json::from_value(expected.clone()).expect("rows");
    assert_eq!(found.len(), expected.len(), "{what}");
    for (row, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert_eq!(found.len(), expected.len(), "{what}, row {row}: {found:?}");
        for ((column, value), (wanted, number)) in found.iter().zip(expected) {
            assert_eq!(column, wanted, "{what}, row {row}");
            assert!((value - number).abs() < 1e-6, "{what}, row {row}, column {column}: {value} {number}");
        }
    }
}

#[test]
fn the_numbers_are_scikit_learns() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/text_features.json");
    let told: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let texts = |name: &str| serde_json::from_value::<Vec<String>>(told[name].clone()).unwrap();
    let (train, test) = (df!["text" => texts("train")].unwrap(), df!["text" => texts("test")].unwrap());
    let cases = told["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 10);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let mut fields = case["fields"].clone();
        fields["text"] = json!("text");
        let encoder = Encoder::fit(&spec(&fields), &train).unwrap();
        if let Some(terms) = case["terms"].as_array() {
            let ty = encoder.dataset_type(None, false);
            assert_eq!(ty.features[0].shape, Shape::fixed(&[terms.len() as u64]), "{name}");
            let fitted = serde_json::to_value(&encoder).unwrap();
            assert_eq!(fitted["features"]["words"]["text"]["terms"]["vocabulary"]["terms"], case["terms"], "{name}");
        }
        for (part, frame) in [("train", &train), ("test", &test)] {
            let encoded = encoder.apply(frame, part, false).unwrap();
            same(&rows(bag(&encoded.features["words"])), &case[part], &format!("{name}, {part}"));
        }
    }
}

#[test]
fn an_encoder_that_was_read_back_encodes_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let train = table(&["a red fox", "a red hen and a fox", "old hen"]);
    let encoder =
        Encoder::fit(&spec(&json!({ "text": "text", "sublinear_tf": true, "ngram_range": [1, 2] })), &train).unwrap();
    let encoded = encoder.apply(&train, "train", false).unwrap();
    encoded.write(&encoder, folder.path()).unwrap();
    let again = Encoder::read(&folder.path().join("encoder.json")).unwrap();
    assert_eq!(again, encoder);
    assert_eq!(again.apply(&train, "train", false).unwrap(), encoded);
    let stored = |name: &str| read_tensor(&folder.path().join(DATA_FILE), name).unwrap().1;
    let csr = bag(&encoded.features["words"]);
    assert_eq!(stored("csr.columns.words"), [csr.columns as f64]);
    assert_eq!(stored("csr.indptr.words"), csr.indptr.iter().map(|end| *end as f64).collect::<Vec<_>>());
    assert_eq!(stored("csr.values.words").len(), csr.values.len());
}

#[test]
fn many_rows_come_out_in_their_order() {
    let texts: Vec<String> = (0..1500).map(|row| format!("all w{}", row % 11)).collect();
    let frame = df!["text" => texts].unwrap();
    let encoder = Encoder::fit(&spec(&json!({ "text": "text", "weight": "count" })), &frame).unwrap();
    let encoded = encoder.apply(&frame, "t", false).unwrap();
    let terms = ["all", "w0", "w1", "w10", "w2", "w3", "w4", "w5", "w6", "w7", "w8", "w9"];
    for (row, found) in rows(bag(&encoded.features["words"])).into_iter().enumerate() {
        let column = terms.iter().position(|term| *term == format!("w{}", row % 11)).unwrap() as i64;
        assert_eq!(found, [(0, 1.0), (column, 1.0)], "row {row}");
    }
}

#[test]
fn columns_are_one_text_but_runs_stay_within_each() {
    let frame = df!["title" => ["red fox"], "body" => ["old red hen"]].unwrap();
    let fields = json!({ "text": ["title", "body"], "weight": "count", "ngram_range": [1, 2] });
    let encoder = Encoder::fit(&spec(&fields), &frame).unwrap();
    let fitted = serde_json::to_value(&encoder).unwrap();
    let terms = &fitted["features"]["words"]["text"]["terms"]["vocabulary"]["terms"];
    assert_eq!(*terms, json!(["fox", "hen", "old", "old red", "red", "red fox", "red hen"]));
    let encoded = encoder.apply(&frame, "t", false).unwrap();
    assert_eq!(rows(bag(&encoded.features["words"]))[0][4], (4, 2.0));
}

#[test]
fn a_null_or_a_number_is_no_text() {
    let short = spec(&json!("text"));
    let failure = Encoder::fit(&short, &df!["words" => [Some("a red fox"), None]].unwrap()).unwrap_err();
    assert_eq!(failure.message, "column `words` is null in row 2");
    assert!(failure.hints[0].contains("fill = { words = \"\" }"), "{:?}", failure.hints);
    let failure = Encoder::fit(&short, &df!["words" => [1, 2]].unwrap()).unwrap_err();
    assert_eq!(failure.message, "column `words` is i32, not text");
    let all_null = Series::new_null("words".into(), 2).cast(&DataType::String).unwrap();
    let failure = Encoder::fit(&short, &DataFrame::new(2, vec![all_null.into()]).unwrap()).unwrap_err();
    assert_eq!(failure.message, "column `words` is null in row 1");
}

fn findings(feature: &str) -> Vec<Finding> {
    let schema = TableSchema::new(vec![Col::new("text", DType::Str), Col::new("age", DType::I64)]);
    let input = CheckInput { ty: ArtifactType::Table(schema), files: None };
    let inputs = BTreeMap::from([("s.train".to_owned(), input)]);
    let mut cx = CheckCx::new(&inputs, Path::new("/w"), Path::new("/w"));
    let text = format!("fit = 's.train'\nfeatures.words = {feature}");
    let outputs = Encode::check(&serde_json::from_value(fields(&text)).expect("a spec"), &mut cx);
    assert!(outputs.get("train").is_some());
    cx.finish()
}

#[test]
fn settings_that_make_no_sense_are_reported() {
    assert!(findings("{ text = 'text', min_df = 2, max_df = 0.5, ngram_range = [1, 3] }").is_empty());
    for (feature, code) in [
        ("{ text = 'text', ngram_range = [2, 1] }", codes::OUT_OF_RANGE),
        ("{ text = 'text', ngram_range = [0, 1] }", codes::OUT_OF_RANGE),
        ("{ text = 'text', max_df = 2.0 }", codes::OUT_OF_RANGE),
        ("{ text = 'text', min_df = 5, max_df = 2 }", codes::OUT_OF_RANGE),
        ("{ text = 'text', min_df = 0.5, max_df = 0.2 }", codes::OUT_OF_RANGE),
        ("{ text = 'text', max_features = 0 }", codes::OUT_OF_RANGE),
        ("{ text = 'text', token_pattern = '(' }", codes::OUT_OF_RANGE),
        ("{ text = 'text', n_features = 8, min_df = 2 }", codes::CONFLICT),
        ("{ text = 'text', alternate_sign = true, weight = 'count' }", codes::CONFLICT),
        ("{ text = 'text', n_features = 8, alternate_sign = true }", codes::CONFLICT),
        ("{ text = 'text', analyzer = 'char', stop_words = ['a'] }", codes::CONFLICT),
        ("{ text = 'text', analyzer = 'chinese', token_pattern = 'a' }", codes::CONFLICT),
        ("{ text = 'age' }", codes::COLUMN_TYPE),
        ("{ text = 'txt' }", codes::UNKNOWN_COLUMN),
    ] {
        let found = findings(feature);
        assert_eq!(found.iter().map(|finding| finding.diagnostic.code).collect::<Vec<_>>(), [code], "{feature}");
    }
}
