//! Tests of encoding on real tables: an archipelago of penguins, small images, and everything that can be wrong.

use super::*;
use crate::diag::codes;
use crate::stage::testing::fields;
use crate::stage::{CheckCx, CheckInput, Finding, Kind, Outputs};
use crate::types::{ArtifactType, Column as Col, DType, Dim, Shape, TableSchema, Task, TensorType};
use polars::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;

fn spec(text: &str) -> EncodeSpec {
    serde_json::from_value(fields(text)).expect("a spec")
}

fn spec_error(text: &str) -> String {
    serde_json::from_value::<EncodeSpec>(fields(text)).expect_err("no spec").to_string()
}

fn penguins() -> DataFrame {
    df![
        "species" => ["Adelie", "Gentoo", "Adelie", "Chinstrap"],
        "island" => [Some("Dream"), Some("Biscoe"), None, Some("Dream")],
        "bill_length" => [Some(39.0), Some(47.0), None, Some(49.0)],
        "mass" => [3700_i64, 5000, 3800, 3700],
        "year" => [2007_i32, 2008, 2007, 2010],
        "heavy" => [false, true, false, false],
    ]
    .expect("a frame")
}

fn f32s(tensor: &Tensor) -> &[f32] {
    match &tensor.data {
        TensorData::F32(values) => values,
        other => panic!("{other:?}"),
    }
}

fn check(text: &str, schema: TableSchema) -> (Outputs, Vec<Finding>) {
    let inputs = ["split.train", "split.test"]
        .map(|name| (name.to_owned(), CheckInput { ty: ArtifactType::Table(schema.clone()), files: None }));
    let inputs = BTreeMap::from(inputs);
    let mut cx = CheckCx::new(&inputs, Path::new("/w"), Path::new("/w"));
    let outputs = Encode::check(&spec(text), &mut cx);
    (outputs, cx.finish())
}

fn schema() -> TableSchema {
    let mut columns = vec![Col::new("label", DType::U8), Col::new("name", DType::Str), Col::new("age", DType::F64)];
    columns.extend([3, 0, 2, 1].map(|pixel| Col::new(format!("pixel_{pixel}"), DType::U8)));
    TableSchema::new(columns).with_rows(9)
}

#[test]
fn numbers_are_imputed_then_standardised_as_scikit_learn_does() {
    let spec = spec("fit = 's.train'\nfeatures.x = { numeric = ['bill_length', 'mass'], impute = 'mean' }");
    let encoder = Encoder::fit(&spec, &penguins()).unwrap();
    let encoded = encoder.apply(&penguins(), "train", true).unwrap();
    let x = &encoded.features["x"];
    assert_eq!(x.shape, [4, 2]);
    // sklearn: make_pipeline(SimpleImputer(), StandardScaler()).fit_transform(...)
    let expected = [-1.60356745, -0.63636364, 0.53452248, 1.72727273, 0.0, -0.45454545, 1.06904497, -0.63636364];
    for (found, expected) in f32s(x).iter().zip(expected) {
        assert!((f64::from(*found) - expected).abs() < 1e-6, "{found} {expected}");
    }
    assert!(encoded.targets.is_empty());
}

#[test]
fn min_max_and_bool_and_shape() {
    let spec = spec("fit = 's.train'\nfeatures.x = { numeric = ['mass', 'heavy'], scale = 'min_max', shape = [2, 1] }");
    let encoded = Encoder::fit(&spec, &penguins()).unwrap().apply(&penguins(), "t", true).unwrap();
    assert_eq!(encoded.features["x"].shape, [4, 2, 1]);
    let expected = [0.0, 0.0, 1.0, 1.0, 100.0 / 1300.0, 0.0, 0.0, 0.0];
    for (found, expected) in f32s(&encoded.features["x"]).iter().zip(expected) {
        assert!((f64::from(*found) - expected).abs() < 1e-7);
    }
}

#[test]
fn a_null_without_impute_names_the_row() {
    let spec = spec("fit = 's.train'\nfeatures.bill_length = 'numeric'");
    let failure = Encoder::fit(&spec, &penguins()).unwrap_err();
    assert_eq!(failure.message, "column `bill_length` is null in row 3");
    assert!(failure.hints[0].contains("impute"));
}

#[test]
fn nan_and_infinity_are_reported_with_their_row() {
    let frame = df!["x" => [1.0, f64::NAN]].unwrap();
    let spec = spec("fit = 's.train'\nfeatures.x = 'numeric'");
    assert_eq!(Encoder::fit(&spec, &frame).unwrap_err().message, "column `x` is NaN in row 2");
    let encoder = Encoder::fit(&spec, &df!["x" => [1.0, 2.0]].unwrap()).unwrap();
    let infinite = df!["x" => [f64::INFINITY, 1.0]].unwrap();
    assert_eq!(encoder.apply(&infinite, "t", true).unwrap_err().message, "column `x` is infinite in row 1");
}

#[test]
fn categories_become_one_hot_with_a_place_for_the_unknown() {
    let spec =
        spec("fit = 's.train'\nfeatures.place = { category = ['island', 'year'], unknown = 'other', min_count = 2 }");
    let encoder = Encoder::fit(&spec, &penguins()).unwrap();
    let ty = encoder.dataset_type(None, true);
    assert_eq!(ty.features[0].shape, Shape::fixed(&[4]), "Dream, other; 2007, other");
    assert_eq!(ty.features[0].columns, ["island", "year"]);
    let encoded = encoder.apply(&penguins(), "t", true).unwrap();
    assert_eq!(
        f32s(&encoded.features["place"]),
        [1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0]
    );
}

#[test]
fn category_indices_follow_the_order_of_numbers() {
    let frame = df!["n" => [10_i64, 9, 100, 9]].unwrap();
    let spec = spec("fit = 's.train'\nfeatures.n = { category = 'n', encode = 'index' }");
    let encoder = Encoder::fit(&spec, &frame).unwrap();
    let encoded = encoder.apply(&frame, "t", true).unwrap();
    assert_eq!(encoded.features["n"], Tensor { shape: vec![4], data: TensorData::I64(vec![1, 0, 2, 0]) });
    let ty = &encoder.dataset_type(None, true).features[0];
    assert_eq!((ty.dtype, ty.cardinality.clone()), (TensorType::I64, Some(Dim::Fixed(3))));
    let unseen = encoder.apply(&df!["n" => [9_i64, 7]].unwrap(), "test", true).unwrap_err();
    assert_eq!(unseen.message, "column `n` is `7` in row 2, which training did not see");
}

#[test]
fn images_are_bytes_in_pixel_order() {
    let frame = df!["p_10" => [4_i64, 40], "p_2" => [3_i64, 30], "p_1" => [2_i64, 20], "p_0" => [1_i64, 255]].unwrap();
    let spec = spec("fit = 's.train'\nfeatures.image = { image = [1, 2, 2], columns = 'p_*', scale = 255 }");
    let encoder = Encoder::fit(&spec, &frame).unwrap();
    let encoded = encoder.apply(&frame, "t", true).unwrap();
    let bytes = TensorData::U8(vec![1, 2, 3, 4, 255, 20, 30, 40]);
    assert_eq!(encoded.features["image"], Tensor { shape: vec![2, 1, 2, 2], data: bytes });
    assert_eq!(encoder.dataset_type(None, true).features[0].scale, Some(255.0));
    let dark = df!["p_10" => [4_i64], "p_2" => [256_i64], "p_1" => [2_i64], "p_0" => [1_i64]].unwrap();
    let failure = encoder.apply(&dark, "t", true).unwrap_err();
    assert_eq!(failure.message, "pixel `p_2` is 256 in row 1; pixels are 0 to 255");
}

/// As scikit-learn names the pixels of its digits.
#[test]
fn pixels_by_row_and_column_keep_the_order_of_the_table() {
    let frame = df!["p_0_0" => [1_i64], "p_0_1" => [2_i64], "p_1_0" => [3_i64], "p_1_1" => [4_i64]].unwrap();
    let spec = spec("fit = 's.train'\nfeatures.image = { image = [1, 2, 2], columns = 'p_*' }");
    let encoded = Encoder::fit(&spec, &frame).unwrap().apply(&frame, "t", true).unwrap();
    assert_eq!(encoded.features["image"], Tensor { shape: vec![1, 1, 2, 2], data: TensorData::U8(vec![1, 2, 3, 4]) });
}

#[test]
fn an_unseen_label_is_an_error_that_says_what_to_do() {
    let spec = spec("fit = 's.train'\nfeatures.mass = 'numeric'\ntarget.species = 'category'");
    let encoder = Encoder::fit(&spec, &penguins()).unwrap();
    let encoded = encoder.apply(&penguins(), "train", true).unwrap();
    assert_eq!(encoded.targets.into_values().next().unwrap().data, TensorData::I64(vec![0, 2, 0, 1]));
    let other = df!["mass" => [1_i64, 2], "species" => ["Adelie", "Emperor"]].unwrap();
    let failure = encoder.apply(&other, "split.test", true).unwrap_err();
    assert_eq!(failure.message, "label `Emperor` of `species` in row 2 of `split.test` is not in the training data");
    assert!(failure.hints.iter().any(|hint| hint.contains("stratify")), "{:?}", failure.hints);
    assert!(encoder.apply(&other, "split.test", false).unwrap().targets.is_empty());
}

#[test]
fn binary_targets_of_bools_numbers_and_text() {
    let target = |text: &str, column: &str| {
        let spec = spec(&format!("fit = 's.train'\nfeatures.mass = 'numeric'\ntarget.{column} = {text}"));
        let mut frame = penguins();
        frame.with_column(Column::new("sex".into(), ["f", "m", "f", "m"])).unwrap();
        frame.with_column(Column::new("late".into(), [0.0, 1.0, 1.0, 0.0])).unwrap();
        Encoder::fit(&spec, &frame)?
            .apply(&frame, "t", true)
            .map(|encoded| f32s(&encoded.targets.into_values().next().unwrap()).to_vec())
    };
    assert_eq!(target("'binary'", "heavy").unwrap(), [0.0, 1.0, 0.0, 0.0]);
    assert_eq!(target("'binary'", "late").unwrap(), [0.0, 1.0, 1.0, 0.0]);
    assert_eq!(target("{ binary = { positive = 'f' } }", "sex").unwrap(), [1.0, 0.0, 1.0, 0.0]);
    assert!(target("'binary'", "sex").unwrap_err().message.contains("which value of target `sex` is yes"));
    assert!(target("'binary'", "year").unwrap_err().message.contains("two values"));
    let misspelt = target("{ binary = { positive = 'female' } }", "sex").unwrap_err();
    assert_eq!(misspelt.hints, ["`positive` is one of them: target.sex = { binary = { positive = \"m\" } }"]);
    assert_eq!(target("{ binary = { positive = 'F' } }", "sex").unwrap_err().hints, ["did you mean `f`?"]);
}

#[test]
fn number_targets_are_standardised_and_say_how() {
    let spec = spec("fit = 's.train'\nfeatures.year = 'numeric'\ntarget.mass = 'number'");
    let encoder = Encoder::fit(&spec, &penguins()).unwrap();
    let Task::Number { mean: Some(mean), std: Some(std) } = encoder.targets[0].task.clone() else { panic!() };
    assert_eq!(mean, 4050.0);
    assert!((std - 550.0).abs() < 1e-9);
    let target = encoder.apply(&penguins(), "t", true).unwrap().targets.into_values().next().unwrap();
    assert!((f64::from(f32s(&target)[1]) * std + mean - 5000.0).abs() < 1e-3);
}

#[test]
fn an_encoder_read_from_its_file_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let spec = spec(
        "fit = 's.train'\nfeatures.x = { numeric = ['bill_length', 'mass'], impute = 'median' }\nfeatures.i = { category = 'island', unknown = 'other' }\ntarget.species = 'category'",
    );
    let encoder = Encoder::fit(&spec, &penguins()).unwrap();
    let encoded = encoder.apply(&penguins(), "t", true).unwrap();
    encoded.write(&encoder, folder.path()).unwrap();
    let read = Encoder::read(&folder.path().join("encoder.json")).unwrap();
    assert_eq!(read, encoder);
    let again = folder.path().join("again.safetensors");
    read.apply(&penguins(), "t", true).unwrap().write_data(&again).unwrap();
    assert_eq!(std::fs::read(folder.path().join(DATA_FILE)).unwrap(), std::fs::read(&again).unwrap());
    let text = std::fs::read_to_string(folder.path().join("dataset.json")).unwrap();
    let ty: crate::types::DatasetType = serde_json::from_str(&text).unwrap();
    assert_eq!(ty, encoder.dataset_type(Some(4), true));
}

#[test]
fn checking_predicts_types_and_orders_pixels() {
    let text = "fit = 'split.train'\napply = ['split.test']\nfeatures.image = { image = [1, 2, 2], columns = 'pixel_*' }\nfeatures.name = 'category'\ntarget.label = 'category'";
    let (outputs, findings) = check(text, schema());
    assert!(findings.is_empty(), "{findings:?}");
    let names: Vec<&str> = outputs.ports.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["train", "test", "encoder"]);
    let Some(ArtifactType::Dataset(dataset)) = outputs.get("test") else { panic!() };
    assert_eq!(dataset.rows, Some(9));
    assert_eq!(dataset.features[0].columns, ["pixel_0", "pixel_1", "pixel_2", "pixel_3"]);
    assert_eq!(dataset.features[1].shape, Shape(vec![Dim::Unknown]));
    assert_eq!(dataset.only_target().unwrap().task, Task::Category { classes: None });
    let (outputs, findings) = check(text, TableSchema::unknown());
    assert!(findings.is_empty(), "an open schema denies nothing: {findings:?}");
    assert!(matches!(outputs.get("train"), Some(ArtifactType::Dataset(_))));
}

#[test]
fn checking_finds_every_mistake_of_columns() {
    let code = |text: &str| {
        let (_, findings) = check(&format!("fit = 'split.train'\n{text}"), schema());
        findings.iter().map(|finding| finding.diagnostic.code.id).collect::<Vec<_>>()
    };
    assert_eq!(code("features.agee = 'numeric'"), [codes::UNKNOWN_COLUMN.id]);
    assert_eq!(code("features.x = { numeric = 'size_*' }"), [codes::EMPTY_SELECTION.id]);
    assert_eq!(code("features.name = 'numeric'"), [codes::COLUMN_TYPE.id]);
    assert_eq!(code("features.age = 'category'"), [codes::COLUMN_TYPE.id]);
    assert_eq!(code("features.i = { image = [1, 3, 3], columns = 'pixel_*' }"), [codes::COLUMN_COUNT.id]);
    assert_eq!(code("features.x = { numeric = 'pixel_*', shape = [3, 2] }"), [codes::COLUMN_COUNT.id]);
    assert_eq!(
        code("features.x = { numeric = ['label', 'age'] }\ntarget.label = 'category'"),
        [codes::TARGET_AS_FEATURE.id]
    );
    assert_eq!(code("features.x = { numeric = ['*', '!name', '!label'] }\ntarget.label = 'category'"), [""; 0]);
    assert_eq!(code("features.age = 'numeric'\ntarget.lable = 'category'"), [codes::UNKNOWN_COLUMN.id]);
    assert_eq!(code("features.age = 'numeric'\ntarget.name = 'number'"), [codes::COLUMN_TYPE.id]);
    let named = "features.age = 'numeric'\ntarget.pixel_0.category = { classes = [0, 'one'] }";
    assert_eq!(code(named), [codes::COLUMN_TYPE.id]);
    assert_eq!(code(&named.replace("'one'", "1")), [""; 0]);
    assert_eq!(code("features.age = 'numeric'\ntarget.name = 'binary'"), [codes::MISSING_FIELD.id]);
    assert_eq!(code("features = {}"), [codes::MISSING_FIELD.id]);
    assert_eq!(code("features.name = { category = 'name', min_count = 2 }"), [codes::CONFLICT.id]);
    assert_eq!(code("features.age = 'numeric'\ntarget.label = 'category'\ntarget.name = 'category'"), [""; 0]);
}

/// One mistake, with what to do about it, and not the number of columns as well.
#[test]
fn a_column_of_whole_images_is_told_as_that() {
    let bytes = DType::Other("binary".into());
    for (dtype, remedy) in [(DType::List(Box::new(DType::I64)), "sequence"), (bytes, "exec")] {
        let schema = TableSchema::new(vec![Col::new("px", dtype), Col::new("label", DType::U8)]);
        let text = "fit = 'split.train'\nfeatures.i = { image = [1, 2, 2], columns = 'px' }\ntarget.label = 'category'";
        let (_, findings) = check(text, schema);
        assert_eq!(findings.len(), 1, "{findings:#?}");
        let told = &findings[0].diagnostic;
        assert_eq!(told.code, codes::COLUMN_TYPE);
        assert!(told.hints[0].contains(remedy), "{told:?}");
    }
    let floats = TableSchema::new(["p0", "p1", "p2", "p3"].map(|name| Col::new(name, DType::F32)).to_vec());
    let (_, findings) = check("fit = 'split.train'\nfeatures.i = { image = [1, 2, 2], columns = 'p*' }", floats);
    let hints: Vec<&String> = findings.iter().flat_map(|finding| &finding.diagnostic.hints).collect();
    assert!(hints.iter().any(|hint| hint.contains("numeric")), "shares of 255 are no bytes: {hints:?}");
}

#[test]
fn a_table_without_rows_is_told_as_that_and_not_by_the_types_of_its_columns() {
    // A file of column names alone has texts.
    let empty = TableSchema::new(vec![Col::new("age", DType::Str)]).with_rows(0);
    let (_, findings) = check("fit = 'split.train'\nfeatures.age = 'numeric'", empty);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    let told = &findings[0].diagnostic;
    assert_eq!(told.code, codes::BAD_DATA);
    assert_eq!(told.message, "`split.train` has no rows, so nothing can be learnt from it");
    assert!(told.hints[0].starts_with("look at what makes it"), "{told:?}");
}

#[test]
fn the_language_of_features_is_strict_and_says_so() {
    let error = |feature: &str| spec_error(&format!("fit = 'a'\nfeatures.x = {feature}"));
    assert!(error("'numerical'").contains("did you mean `numeric`?"));
    assert!(
        error("{ numeric = 'a', encode = 'index' }").contains("`encode` belongs to `category` and `sequence` features")
    );
    assert!(error("{ numeric = 'a', category = 'b' }").contains("exactly one"));
    assert!(error("{ image = [1, 2, 2] }").contains("columns"));
    assert!(error("{ numeric = 'a', scale = 'std' }").contains("standard"));
    assert!(error("3").contains("numeric"));
    assert_eq!(spec("fit = 'a'\nfeatures.x = 'numeric'"), spec("fit = 'a'\nfeatures.x = { numeric = ['x'] }"));
}

#[test]
fn what_orders_and_groups_rows_is_one_value_in_each() {
    let list = |name: &str| Col::new(name, DType::List(Box::new(DType::I64)));
    let columns = vec![Col::new("y", DType::U8), Col::new("x", DType::F64), list("tags"), list("days")];
    let text =
        "fit = 'split.train'\nfeatures.x = { numeric = 'x', lags = [1], impute = 0, order = 'days', by = 'tags' }
        target.y = 'category'";
    let found = check(text, TableSchema::new(columns)).1;
    let messages: Vec<&str> = found.iter().map(|finding| finding.diagnostic.message.as_str()).collect();
    assert_eq!(messages, ["column `days` is list(i64)", "column `tags` is list(i64)"]);
}

#[test]
fn numbers_that_no_float_holds_are_told_and_never_infinite() {
    let frame = df!["x" => [1e300, -1e300, 1.0], "y" => [1.0, 2.0, 1e39]].unwrap();
    let fails = |text: &str| {
        let encoded = Encoder::fit(&spec(text), &frame).and_then(|encoder| encoder.apply(&frame, "train", true));
        encoded.map(drop).expect_err("no float holds it").message
    };
    let too_large = "the values of column `x` are too large to scale";
    assert_eq!(fails("fit = 's.train'\nfeatures.x = { numeric = 'x' }"), too_large);
    assert_eq!(fails("fit = 's.train'\nfeatures.y = { numeric = 'y' }\ntarget.x = 'number'"), too_large);
    let told = "target `y` is 1e39 in row 3, too large for a 32-bit float";
    let plain = "fit = 's.train'\nfeatures.x = { numeric = 'x', clip = { min = 0, max = 1 } }\ntarget.y = { number = { scale = 'none' } }";
    assert_eq!(fails(plain), told);
}
