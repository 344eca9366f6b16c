//! Looks at what each layer gives, where somebody wants to know which is the first to give no finite number.

use std::cell::RefCell;
use tch::Tensor;

thread_local! {
    static WATCH: RefCell<Option<Watch>> = const { RefCell::new(None) };
}

#[derive(Default)]
struct Watch {
    found: Option<NotFinite>,
}

/// A layer that gives numbers that are not finite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotFinite {
    /// Its path: `layers.3`.
    pub path: String,
    /// It in a few words: `linear 10`.
    pub text: String,
    /// Rows of the batch in which it does.
    pub rows: i64,
}

/// Runs a forward pass and gives with its result the first layer whose output is not finite.
pub fn first_not_finite<T>(forward: impl FnOnce() -> T) -> (T, Option<NotFinite>) {
    WATCH.with_borrow_mut(|watch| *watch = Some(Watch::default()));
    let result = forward();
    (result, WATCH.take().and_then(|watch| watch.found))
}

/// Notes what a layer gave, where somebody watches and no layer before it was found.
pub(super) fn look(path: &str, text: &str, output: &Tensor) {
    WATCH.with_borrow_mut(|watch| {
        if let Some(Watch { found: found @ None }) = watch {
            let rows = rows_not_finite(output);
            *found = (rows > 0).then(|| NotFinite { path: path.to_owned(), text: text.to_owned(), rows });
        }
    });
}

/// In how many rows, the first dimension, a number is not finite.
pub fn rows_not_finite(tensor: &Tensor) -> i64 {
    let count = || -> Result<i64, tch::TchError> {
        if !tensor.is_floating_point() {
            return Ok(0);
        }
        let rows = tensor.size().first().copied().unwrap_or(1);
        let bad = tensor.f_detach()?.f_isfinite()?.f_logical_not()?.f_reshape([rows, -1])?;
        bad.f_any_dim(1, false)?.f_sum(tch::Kind::Int64)?.f_int64_value(&[])
    };
    count().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_and_nothing_is_looked_at_unasked() {
        let good = Tensor::from_slice2(&[[1.0_f32, 2.0], [3.0, 4.0]]);
        let bad = Tensor::from_slice2(&[[1.0_f32, f32::NAN], [f32::INFINITY, f32::NAN]]);
        look("layers.0", "relu", &bad);
        let ((), found) = first_not_finite(|| {
            look("layers.0", "linear 2", &good);
            look("layers.1", "tanh", &bad);
            look("layers.2", "relu", &bad);
        });
        assert_eq!(found, Some(NotFinite { path: "layers.1".into(), text: "tanh".into(), rows: 2 }));
        assert_eq!(first_not_finite(|| look("layers.0", "relu", &good)).1, None);
    }
}
