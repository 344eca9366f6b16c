//! Whether a dataset's features are what a network takes: their shapes, and indices that its embeddings have vectors for. The
//! engine has compared both before; a file that was changed since, or that another program made, is caught here. libtorch finds
//! out too, on a GPU by an error that ends the process.

use crate::failure::Failure;
use crate::tensors::Dataset;
use kilter::types::{Dim, FeatureType, Shape};
use tch::{Kind, Tensor};

/// Looks at every feature that the network takes; `what` is what the data is called.
///
/// # Errors
/// When one is missing, has another shape, or holds an index that is out of range; names the first row.
pub fn check(data: &Dataset, what: &str, inputs: &[FeatureType]) -> Result<(), Failure> {
    for feature in inputs.iter().filter(|feature| !data.sparse.contains_key(&feature.name)) {
        let name = &feature.name;
        let found = data.features.get(name);
        let found = found.ok_or_else(|| Failure::new(format!("the {what} lacks the feature `{name}`")))?;
        shape(found, what, feature)?;
        if let Some(Dim::Fixed(count)) = feature.cardinality {
            indices(found, what, name, count.cast_signed())?;
        }
    }
    Ok(())
}

fn shape(found: &Tensor, what: &str, feature: &FeatureType) -> Result<(), Failure> {
    let sizes = found.size();
    let given = sizes.get(1..).unwrap_or_default();
    let fits = |(dim, size): (&Dim, &i64)| dim.size().is_none_or(|wanted| wanted.cast_signed() == *size);
    if given.len() == feature.shape.rank() && feature.shape.0.iter().zip(given).all(fits) {
        return Ok(());
    }
    let found = Shape(given.iter().map(|size| Dim::Fixed(size.unsigned_abs())).collect());
    let (name, wanted) = (&feature.name, &feature.shape);
    Err(Failure::new(format!("the feature `{name}` of the {what} is {found}, and the network takes {wanted}"))
        .hint("encode the data with the encoder that the model was made for"))
}

fn indices(found: &Tensor, what: &str, name: &str, count: i64) -> Result<(), Failure> {
    if found.numel() == 0 || found.is_floating_point() {
        return Ok(());
    }
    let wrong = found.f_lt(0)?.f_logical_or(&found.f_ge(count)?)?;
    if wrong.f_any()?.f_int64_value(&[])? == 0 {
        return Ok(());
    }
    let rows = found.size().first().copied().unwrap_or(1);
    let row = wrong.f_reshape([rows, -1])?.f_any_dim(1, false)?.f_to_kind(Kind::Int64)?.f_argmax(0, false)?;
    let row = row.f_int64_value(&[])?;
    let first = found.f_select(0, row)?.f_reshape([-1])?;
    let place = wrong.f_select(0, row)?.f_reshape([-1])?.f_to_kind(Kind::Int64)?.f_argmax(0, false)?;
    let index = first.f_int64_value(&[place.f_int64_value(&[])?])?;
    Err(Failure::new(format!(
        "row {} of the {what} has the index {index} in `{name}`, and the network's embedding holds {count} vectors",
        row + 1
    ))
    .hint("indices are counted from 0: encode the data with the vocabulary that the model was made for"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kilter::types::TensorType;
    use std::collections::BTreeMap;

    fn tokens(seq: u64) -> FeatureType {
        FeatureType {
            name: "tokens".into(),
            shape: Shape::fixed(&[seq]),
            dtype: TensorType::I64,
            scale: None,
            cardinality: Some(Dim::Fixed(7)),
            padding: None,
            columns: Vec::new(),
        }
    }

    fn told(rows: &Tensor, wanted: &FeatureType) -> Result<(), String> {
        let data = Dataset::of(BTreeMap::from([("tokens".to_owned(), rows.shallow_clone())]), None).expect("dataset");
        check(&data, "training data", std::slice::from_ref(wanted)).map_err(|failure| failure.message)
    }

    #[test]
    fn indices_that_no_vector_is_there_for_are_named_with_their_row() {
        assert_eq!(told(&Tensor::from_slice2(&[[0_i64, 6], [3, 1]]), &tokens(2)), Ok(()));
        let message = told(&Tensor::from_slice2(&[[0_i64, 6], [3, 7], [9, 0]]), &tokens(2)).expect_err("too large");
        let words =
            "row 2 of the training data has the index 7 in `tokens`, and the network's embedding holds 7 vectors";
        assert_eq!(message, words);
        assert!(told(&Tensor::from_slice2(&[[-1_i64, 0]]), &tokens(2)).expect_err("below 0").starts_with("row 1 of"));
    }

    #[test]
    fn a_feature_of_another_shape_is_told_with_both() {
        let message = told(&Tensor::from_slice2(&[[0_i64, 1, 2]]), &tokens(2)).expect_err("longer");
        let words = "the feature `tokens` of the training data is [batch, 3], and the network takes [batch, 2]";
        assert_eq!(message, words);
        let message = told(&Tensor::from_slice(&[0_i64]), &tokens(2)).expect_err("no sequence");
        assert!(message.ends_with("is [batch], and the network takes [batch, 2]"), "{message}");
        let other = FeatureType { name: "words".into(), ..tokens(2) };
        let message = told(&Tensor::from_slice2(&[[0_i64, 1]]), &other).expect_err("missing");
        assert_eq!(message, "the training data lacks the feature `words`");
    }
}
