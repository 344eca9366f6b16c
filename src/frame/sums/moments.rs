//! Sums under way of the values of one group, and the aggregates that come of them.
//!
//! Every state is exact, so it is the same in whatever order and pieces the values came. Sums and means are correctly
//! rounded. Variances and covariances are taken from the exact sums of products, around the rounded means and with the usual
//! correction: `(sum(dx*dy) - sum(dx)*sum(dy) / n) / (n - ddof)` with `dx = x - mean(x)`, each of these sums exact before it
//! is rounded, so that nothing cancels.

use super::super::exact::ExactSum;

/// An aggregate in its exact form.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Moment {
    Sum,
    Mean,
    Var { ddof: u8, root: bool },
    Cov { ddof: u8 },
    Corr,
}

/// What is kept of a group's values; nulls are not among them.
pub(super) trait State: Clone + Default + Send + Sync + 'static {
    /// Takes in a value; where the moment is of pairs, a pair.
    fn add(&mut self, x: f64, y: f64);

    /// Takes in as many values or pairs as there are.
    fn add_all(&mut self, x: &[f64], y: &[f64]) {
        x.iter().zip(y).for_each(|(x, y)| self.add(*x, *y));
    }

    fn merge(&mut self, other: &Self);

    /// `None` for a missing value.
    fn finish(&self, moment: Moment) -> Option<f64>;
}

/// For [`Moment::Sum`].
impl State for ExactSum {
    #[inline(always)]
    fn add(&mut self, x: f64, _: f64) {
        ExactSum::add(self, x);
    }

    fn add_all(&mut self, x: &[f64], _: &[f64]) {
        ExactSum::add_all(self, x);
    }

    fn merge(&mut self, other: &Self) {
        ExactSum::merge(self, other);
    }

    fn finish(&self, _: Moment) -> Option<f64> {
        Some(self.value())
    }
}

/// For [`Moment::Mean`].
#[derive(Clone, Default)]
pub(super) struct Mean {
    sum: ExactSum,
    count: u64,
}

impl State for Mean {
    #[inline(always)]
    fn add(&mut self, x: f64, _: f64) {
        self.sum.add(x);
        self.count += 1;
    }

    fn add_all(&mut self, x: &[f64], _: &[f64]) {
        self.sum.add_all(x);
        self.count += x.len() as u64;
    }

    fn merge(&mut self, other: &Self) {
        self.sum.merge(&other.sum);
        self.count += other.count;
    }

    fn finish(&self, _: Moment) -> Option<f64> {
        (self.count > 0).then(|| self.sum.value() / self.count as f64)
    }
}

/// A sum of products: of each the rounded product and what rounding left out.
#[derive(Clone, Default)]
struct Products {
    rounded: ExactSum,
    rests: ExactSum,
}

impl Products {
    #[inline(always)]
    fn add(&mut self, x: f64, y: f64) {
        let (product, rest) = product(x, y);
        self.rounded.add(product);
        if rest != 0.0 {
            self.rests.add(rest);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.rounded.merge(&other.rounded);
        self.rests.merge(&other.rests);
    }
}

/// A product rounded, and what that left out.
#[inline(always)]
fn product(x: f64, y: f64) -> (f64, f64) {
    let product = x * y;
    let rest = if product.is_finite() { x.mul_add(y, -product) } else { 0.0 };
    (product, rest)
}

/// Adds `factor * sum`.
fn add_times(to: &mut ExactSum, factor: f64, sum: &ExactSum) {
    for part in sum.parts() {
        let (product, rest) = product(factor, part);
        to.extend([product, rest]);
    }
}

/// One of two columns: its sum, and its mean when all is there.
struct Column<'a> {
    sum: &'a ExactSum,
    mean: f64,
}

impl<'a> Column<'a> {
    fn new(sum: &'a ExactSum, count: f64) -> Self {
        Self { sum, mean: sum.value() / count }
    }

    /// The sum of the deviations: what rounding the mean left.
    fn rest(&self, count: f64) -> f64 {
        let mut rest = self.sum.clone();
        let (product, left) = product(-count, self.mean);
        rest.extend([product, left]);
        rest.value()
    }
}

/// The sum of the products of the deviations of two columns.
fn deviations(products: &Products, x: &Column<'_>, y: &Column<'_>, count: f64) -> f64 {
    let mut sum = products.rounded.clone();
    sum.merge(&products.rests);
    add_times(&mut sum, -x.mean, y.sum);
    add_times(&mut sum, -y.mean, x.sum);
    let (means, left) = product(x.mean, y.mean);
    for part in [means, left] {
        let (product, rest) = product(count, part);
        sum.extend([product, rest]);
    }
    sum.value() - x.rest(count) * y.rest(count) / count
}

/// For [`Moment::Var`].
#[derive(Clone, Default)]
pub(super) struct Var {
    sum: ExactSum,
    squares: Products,
    count: u64,
}

impl State for Var {
    #[inline(always)]
    fn add(&mut self, x: f64, _: f64) {
        self.sum.add(x);
        self.squares.add(x, x);
        self.count += 1;
    }

    fn merge(&mut self, other: &Self) {
        self.sum.merge(&other.sum);
        self.squares.merge(&other.squares);
        self.count += other.count;
    }

    fn finish(&self, moment: Moment) -> Option<f64> {
        let Moment::Var { ddof, root } = moment else { return None };
        if self.count <= u64::from(ddof) {
            return None;
        }
        let count = self.count as f64;
        let column = Column::new(&self.sum, count);
        let var = not_negative(deviations(&self.squares, &column, &column, count)) / (count - f64::from(ddof));
        Some(if root { var.sqrt() } else { var })
    }
}

/// What is zero but for rounding is not less; NaN stays what it is.
fn not_negative(value: f64) -> f64 {
    if value < 0.0 { 0.0 } else { value }
}

/// For [`Moment::Cov`].
#[derive(Clone, Default)]
pub(super) struct Cov {
    x: ExactSum,
    y: ExactSum,
    products: Products,
    count: u64,
}

impl State for Cov {
    #[inline(always)]
    fn add(&mut self, x: f64, y: f64) {
        self.x.add(x);
        self.y.add(y);
        self.products.add(x, y);
        self.count += 1;
    }

    fn merge(&mut self, other: &Self) {
        self.x.merge(&other.x);
        self.y.merge(&other.y);
        self.products.merge(&other.products);
        self.count += other.count;
    }

    fn finish(&self, moment: Moment) -> Option<f64> {
        let Moment::Cov { ddof } = moment else { return None };
        let count = self.count as f64;
        let (x, y) = (Column::new(&self.x, count), Column::new(&self.y, count));
        (self.count > u64::from(ddof)).then(|| deviations(&self.products, &x, &y, count) / (count - f64::from(ddof)))
    }
}

/// For [`Moment::Corr`].
#[derive(Clone, Default)]
pub(super) struct Corr {
    both: Cov,
    x: Products,
    y: Products,
}

impl State for Corr {
    #[inline(always)]
    fn add(&mut self, x: f64, y: f64) {
        self.both.add(x, y);
        self.x.add(x, x);
        self.y.add(y, y);
    }

    fn merge(&mut self, other: &Self) {
        self.both.merge(&other.both);
        self.x.merge(&other.x);
        self.y.merge(&other.y);
    }

    fn finish(&self, _: Moment) -> Option<f64> {
        let count = self.both.count as f64;
        let (x, y) = (Column::new(&self.both.x, count), Column::new(&self.both.y, count));
        let squares = |products, column: &Column<'_>| not_negative(deviations(products, column, column, count));
        let (xx, yy) = (squares(&self.x, &x), squares(&self.y, &y));
        let xy = deviations(&self.both.products, &x, &y, count);
        Some((xy / (xx.sqrt() * yy.sqrt())).clamp(-1.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of<S: State>(values: impl IntoIterator<Item = f64>, moment: Moment) -> Option<f64> {
        of_pairs::<S>(values.into_iter().map(|x| (x, x)), moment)
    }

    fn of_pairs<S: State>(values: impl IntoIterator<Item = (f64, f64)>, moment: Moment) -> Option<f64> {
        let mut state = S::default();
        values.into_iter().for_each(|(x, y)| state.add(x, y));
        state.finish(moment)
    }

    #[test]
    fn nothing_cancels() {
        let far: Vec<f64> = [4.0, 7.0, 13.0, 16.0].map(|x| 1e15 + x).to_vec();
        assert_eq!(of::<Var>(far.clone(), Moment::Var { ddof: 1, root: false }), Some(30.0));
        assert_eq!(of::<Var>(vec![0.1; 1000], Moment::Var { ddof: 0, root: true }), Some(0.0));
        let pairs = far.iter().map(|x| (*x, -2.0 * (*x - 1e15)));
        assert_eq!(of_pairs::<Cov>(pairs.clone(), Moment::Cov { ddof: 1 }), Some(-60.0));
        assert_eq!(of_pairs::<Corr>(pairs, Moment::Corr), Some(-1.0));
    }

    #[test]
    fn too_few_are_missing_and_what_is_not_finite_stays() {
        let var = Moment::Var { ddof: 1, root: false };
        assert_eq!(of::<Var>([1.0], var), None);
        assert_eq!(of::<Mean>([], Moment::Mean), None);
        assert_eq!(of::<ExactSum>([], Moment::Sum), Some(0.0));
        assert_eq!(of_pairs::<Cov>([(1.0, 2.0)], Moment::Cov { ddof: 1 }), None);
        assert!(of::<Var>([f64::INFINITY, 1.0], var).is_some_and(f64::is_nan));
        assert!(of_pairs::<Corr>([(1.0, 2.0), (1.0, 3.0)], Moment::Corr).is_some_and(f64::is_nan));
        assert_eq!(of::<Mean>([f64::INFINITY, 1.0], Moment::Mean), Some(f64::INFINITY));
    }

    proptest! {
        #[test]
        fn pieces_and_order_do_not_count(values in prop::collection::vec((-1e9_f64..1e9, -1e-3_f64..1e3), 2..300), cut in 0_usize..300) {
            let cut = cut.min(values.len());
            let mut one = Corr::default();
            values.iter().for_each(|(x, y)| one.add(*x, *y));
            let mut other = Corr::default();
            values[cut..].iter().rev().for_each(|(x, y)| other.add(*x, *y));
            let mut first = Corr::default();
            values[..cut].iter().for_each(|(x, y)| first.add(*x, *y));
            other.merge(&first);
            let bits = |value: Option<f64>| value.map(f64::to_bits);
            prop_assert_eq!(bits(one.finish(Moment::Corr)), bits(other.finish(Moment::Corr)));
            let cov = Moment::Cov { ddof: 1 };
            prop_assert_eq!(bits(one.both.finish(cov)), bits(other.both.finish(cov)));
        }

        /// As the two passes of the textbook give it.
        #[test]
        fn variances_are_right(values in prop::collection::vec(-1e3_f64..1e3, 2..200)) {
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            let expected = values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n - 1.0);
            let found = of::<Var>(values, Moment::Var { ddof: 1, root: false }).expect("two values");
            prop_assert!((found - expected).abs() <= 1e-12 * expected, "{found} {expected}");
        }
    }
}
