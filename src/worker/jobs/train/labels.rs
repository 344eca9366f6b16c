//! Whether labels are ones that the network has an output for. libtorch finds out too, on a GPU by an error that ends the
//! process.

use super::super::tokens::NO_TARGET;
use crate::failure::Failure;
use crate::tensors::Dataset;
use kilter::types::Task;
use tch::{Kind, Tensor};

/// Looks at the targets of the training data, and of validation data, which must have rows.
///
/// # Errors
/// When one is out of range, or there are no rows to validate on.
pub fn check_all(data: &Dataset, validation: Option<&Dataset>, task: &Task, outputs: i64) -> Result<(), Failure> {
    check(data, "training data", task, outputs)?;
    let Some(validation) = validation else { return Ok(()) };
    if validation.rows == 0 {
        return Err(Failure::new("the validation data has no rows")
            .hint("look at the stages before it with `kilter show`, or leave `validate` out"));
    }
    check(validation, "validation data", task, outputs)
}

/// Looks at the targets of a dataset; `outputs` is how many the network gives for a row.
///
/// # Errors
/// When one is out of range; names the first row.
fn check(data: &Dataset, what: &str, task: &Task, outputs: i64) -> Result<(), Failure> {
    let (classes, target) = match (task, &data.target) {
        (Task::Category { classes }, Some(target)) => (classes, target),
        (
            Task::NextToken { vocabulary: Some(known) } | Task::MaskedToken { vocabulary: Some(known), .. },
            Some(target),
        ) => {
            return check_tokens(target, what, known.cast_signed());
        }
        _ => return Ok(()),
    };
    if target.kind() != Kind::Int64 || target.numel() == 0 {
        return Ok(());
    }
    let wrong = target.f_lt(0)?.f_logical_or(&target.f_ge(outputs)?)?;
    if wrong.f_any()?.f_int64_value(&[])? == 0 {
        return Ok(());
    }
    let row = wrong.f_to_kind(Kind::Int64)?.f_argmax(0, false)?.f_int64_value(&[])?;
    let label = target.f_int64_value(&[row])?;
    let known = classes.as_ref().map_or(outputs, |classes| classes.len() as i64);
    Err(Failure::new(format!(
        "row {} of the {what} has the label {label}, and the network has {outputs} outputs",
        row + 1
    ))
    .hint(format!("labels are counted from 0, and there are {known} classes: look at the stage that encoded the data")))
}

/// Looks at targets that are tokens, one at each place, or none ([`NO_TARGET`]).
fn check_tokens(target: &Tensor, what: &str, vocabulary: i64) -> Result<(), Failure> {
    let outside = target.f_lt(0)?.f_logical_or(&target.f_ge(vocabulary)?)?;
    let wrong = outside.f_logical_and(&target.f_ne(NO_TARGET)?)?;
    if target.numel() == 0 || wrong.f_any()?.f_int64_value(&[])? == 0 {
        return Ok(());
    }
    let place = wrong.f_view([-1])?.f_to_kind(Kind::Int64)?.f_argmax(0, false)?.f_int64_value(&[])?;
    let places = target.size().get(1).copied().unwrap_or(1).max(1);
    let (row, column) = (place / places, place % places);
    let token = target.f_int64_value(&[row, column])?;
    Err(Failure::new(format!(
        "row {} of the {what} has the token {token} at place {}, and the vocabulary has {vocabulary} tokens",
        row + 1,
        column + 1
    ))
    .hint("tokens are counted from 0: look at the stage that encoded the data, and at its tokenizer"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use tch::Device;

    #[test]
    fn the_first_row_with_a_label_out_of_range_is_named() {
        let check = |labels: &[i64]| {
            let rows = Tensor::zeros([labels.len() as i64, 1], (Kind::Float, Device::Cpu));
            let data = Dataset::of(BTreeMap::from([("x".to_owned(), rows)]), Some(Tensor::from_slice(labels)));
            check(&data.expect("dataset"), "training data", &Task::Category { classes: None }, 3)
        };
        assert!(check(&[0, 2, 1]).is_ok());
        let failure = check(&[0, 3, -1]).expect_err("out of range");
        assert_eq!(failure.message, "row 2 of the training data has the label 3, and the network has 3 outputs");
        assert!(check(&[0, -1]).expect_err("out of range").message.starts_with("row 2 of"));
    }

    #[test]
    fn a_token_out_of_range_is_named_with_its_place() {
        let check = |tokens: &[i32]| {
            let tokens = Tensor::from_slice(tokens).view([-1, 3]);
            let data = Dataset::of(BTreeMap::from([("text".to_owned(), tokens.shallow_clone())]), Some(tokens));
            check(&data.expect("dataset"), "training data", &Task::NextToken { vocabulary: Some(5) }, 15)
        };
        assert!(check(&[0, 4, -100, -100, 1, 2]).is_ok());
        let failure = check(&[0, 4, 1, -100, 5, 2]).expect_err("out of range");
        assert_eq!(
            failure.message,
            "row 2 of the training data has the token 5 at place 2, and the vocabulary has 5 tokens"
        );
        assert!(check(&[0, -1, 1]).expect_err("out of range").message.contains("the token -1 at place 2"));
    }
}
