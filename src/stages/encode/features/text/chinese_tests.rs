//! Chinese texts against scikit-learn's figures for the words that jieba finds: `tests/data/sklearn/chinese.py` makes them.

use crate::stages::encode::{EncodeSpec, Encoder, TensorData};
use polars::prelude::*;
use serde_json::{Value, json};

/// The columns of a row that are not 0, with their values.
type Row = Vec<(i64, f64)>;

/// Row after row the columns and numbers that are not 0.
fn rows(encoder: &Encoder, texts: &[String]) -> Vec<Row> {
    let frame = df!["text" => texts].expect("a table");
    let encoded = encoder.apply(&frame, "t", false).expect("encoded");
    let TensorData::Csr(csr) = &encoded.features["words"].data else { panic!("a bag of words") };
    let row = |ends: &[i64]| {
        let entries = (ends[0] as usize..ends[1] as usize).map(|at| (csr.indices[at].into(), csr.values[at].into()));
        entries.filter(|(_, value)| *value != 0.0).collect()
    };
    csr.indptr.windows(2).map(row).collect()
}

#[test]
fn chinese_words_give_the_figures_of_scikit_learn() {
    let text = include_str!("../../../../../tests/data/sklearn/chinese.json");
    let told: Value = serde_json::from_str(text).expect("the figures");
    let texts = |name: &str| serde_json::from_value::<Vec<String>>(told[name].clone()).expect("texts");
    let training = df!["text" => texts("train")].expect("a table");
    let cases = told["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), 4);
    for case in cases {
        let mut fields = case["fields"].clone();
        fields["text"] = json!("text");
        fields["analyzer"] = json!("chinese");
        let spec: EncodeSpec =
            serde_json::from_value(json!({ "fit": "t", "features": { "words": fields } })).expect("a spec");
        let encoder = Encoder::fit(&spec, &training).expect("fitted");
        let fitted = serde_json::to_value(&encoder).expect("JSON");
        let terms = &fitted["features"]["words"]["text"]["terms"]["vocabulary"]["terms"];
        assert_eq!(*terms, case["terms"], "{}", case["fields"]);
        for part in ["train", "test"] {
            let expected: Vec<Row> = serde_json::from_value(case[part].clone()).expect("rows");
            let found = rows(&encoder, &texts(part));
            let near = |(a, b): (&(i64, f64), &(i64, f64))| a.0 == b.0 && (a.1 - b.1).abs() < 1e-6;
            let same = |(a, b): (&Row, &Row)| a.len() == b.len() && a.iter().zip(b).all(near);
            assert!(
                found.len() == expected.len() && found.iter().zip(&expected).all(same),
                "{} of {part}: {found:?}, not {expected:?}",
                case["fields"]
            );
        }
    }
}
