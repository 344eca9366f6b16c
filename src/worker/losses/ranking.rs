//! Losses over the scores of a row's own item and of others. The others are the items of the rows that follow in the batch: the
//! features of items turned by 1, 2, … rows. So nothing is drawn, and the same batch has the same negatives.

use crate::failure::Failure;
use crate::jobs::Forward;
use std::collections::BTreeMap;
use tch::{Kind, Tensor};

/// Which features describe items, and how many others there are to each.
pub struct Ranking {
    pub items: Vec<String>,
    pub negatives: u64,
}

impl Ranking {
    /// The scores of a batch: `[rows, 1 + others]`, the row's own first; minus infinity where the other item is the same. All are
    /// computed in one pass.
    ///
    /// # Errors
    /// What libtorch says.
    pub fn scores(
        &self,
        forward: Forward<'_>,
        features: &BTreeMap<String, Tensor>,
        train: bool,
    ) -> Result<Tensor, Failure> {
        let rows = features.values().next().and_then(|tensor| tensor.size().first().copied()).unwrap_or(0);
        let others = self.negatives.cast_signed().min(rows - 1).max(0);
        let is_item = |name: &String| self.items.contains(name);
        let mut all = BTreeMap::new();
        for (name, tensor) in features {
            let turned = |by: i64| {
                if is_item(name) { tensor.f_roll([-by], [0]) } else { Ok(tensor.shallow_clone()) }
            };
            let parts = (0..=others).map(turned).collect::<Result<Vec<_>, _>>()?;
            all.insert(name.clone(), Tensor::f_cat(&parts, 0)?);
        }
        // In fewer bits differences of scores, and scores by a temperature, would lose what they tell.
        let scores = forward(&all, train)?.f_to_kind(Kind::Float)?.f_reshape([1 + others, rows])?.f_transpose(0, 1)?;
        Ok(scores.f_masked_fill(&self.same(features, rows, others)?, f64::NEG_INFINITY)?)
    }

    /// Where the other item is the row's own, in everything that describes it: `[rows, 1 + others]`, false in the first column.
    fn same(&self, features: &BTreeMap<String, Tensor>, rows: i64, others: i64) -> Result<Tensor, Failure> {
        let items = || features.iter().filter(|(name, _)| self.items.contains(name)).map(|(_, tensor)| tensor);
        let device = items().next().map_or(tch::Device::Cpu, Tensor::device);
        let mut columns = vec![Tensor::f_zeros([rows], (Kind::Bool, device))?];
        for by in 1..=others {
            let mut same = Tensor::f_ones([rows], (Kind::Bool, device))?;
            for tensor in items() {
                let equal = tensor.f_eq_tensor(&tensor.f_roll([-by], [0])?)?.f_reshape([rows, -1])?;
                same = same.f_logical_and(&equal.f_all_dim(1, false)?)?;
            }
            columns.push(same);
        }
        Ok(Tensor::f_stack(&columns, 1)?)
    }
}

/// The mean of `-log σ(s - s')` over rows that are yes and their others. 0 where there is no pair.
///
/// # Errors
/// What libtorch says.
pub fn bpr(scores: &Tensor, target: &Tensor) -> Result<Tensor, Failure> {
    let (counts, differences) = pairs(scores, target)?;
    let each = differences.f_neg()?.f_softplus()?;
    let total = counts.f_sum(Kind::Float)?.f_clamp_min(1.0)?;
    Ok(each.f_mul(&counts)?.f_sum(Kind::Float)?.f_div(&total)?)
}

/// The mean of `-log softmax(s / temperature)` of the own item over rows that are yes. 0 where there is none.
///
/// # Errors
/// What libtorch says.
pub fn softmax(scores: &Tensor, target: &Tensor, temperature: f64) -> Result<Tensor, Failure> {
    let own = scores.f_div_scalar(temperature)?.f_log_softmax(1, Kind::Float)?.f_select(1, 0)?.f_neg()?;
    let total = target.f_sum(Kind::Float)?.f_clamp_min(1.0)?;
    Ok(own.f_mul(target)?.f_sum(Kind::Float)?.f_div(&total)?)
}

/// How many pairs there are, and in how many the own item is above.
///
/// # Errors
/// What libtorch says.
pub fn right(scores: &Tensor, target: &Tensor) -> Result<[Tensor; 2], Failure> {
    let (counts, differences) = pairs(scores, target)?;
    let above = differences.f_gt(0.0)?.f_to_kind(Kind::Float)?.f_mul(&counts)?;
    Ok([above.f_sum(Kind::Double)?, counts.f_sum(Kind::Double)?])
}

/// For each row and other item: 1 where the pair counts, else 0; and by how much the own item is above it, 0 where it is the same.
fn pairs(scores: &Tensor, target: &Tensor) -> Result<(Tensor, Tensor), Failure> {
    let others = scores.f_narrow(1, 1, scores.size()[1] - 1)?;
    let is_same = others.f_eq(f64::NEG_INFINITY)?;
    let counts = target.f_unsqueeze(1)?.f_mul(&is_same.f_logical_not()?.f_to_kind(Kind::Float)?)?;
    let differences = scores.f_narrow(1, 0, 1)?.f_sub(&others)?.f_masked_fill(&is_same, 0.0)?;
    Ok((counts, differences))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(tensor: &Tensor, expected: f64) -> bool {
        (tensor.double_value(&[]) - expected).abs() < 1e-6
    }

    /// Four rows of users and items, of which the second and the fourth item are the same; a score is ten times the user plus the item.
    fn scored(negatives: u64) -> Tensor {
        let features = BTreeMap::from([
            ("item".to_owned(), Tensor::from_slice(&[1_i64, 2, 3, 2])),
            ("user".to_owned(), Tensor::from_slice(&[5_i64, 6, 7, 8])),
        ]);
        let forward = |features: &BTreeMap<String, Tensor>, _: bool| {
            let score = &features["user"] * 10 + &features["item"];
            Ok(score.to_kind(Kind::Float).unsqueeze(1))
        };
        let ranking = Ranking { items: vec!["item".into()], negatives };
        ranking.scores(&forward, &features, true).expect("scored")
    }

    #[test]
    fn others_are_the_items_of_the_next_rows_but_for_the_same() {
        let none = f32::NEG_INFINITY;
        let expected =
            [[51.0, 52.0, 53.0], [62.0, 63.0, none], [73.0, 72.0, 71.0], [82.0, 81.0, none]].map(|row: [f32; 3]| row);
        assert_eq!(scored(2), Tensor::from_slice2(&expected));
        // No more others than there are rows.
        assert_eq!(scored(9).size(), [4, 4]);
    }

    #[test]
    fn losses_are_their_formulas_over_rows_that_are_yes() {
        let (scores, target) = (scored(2), Tensor::from_slice(&[1.0_f32, 1.0, 0.0, 1.0]));
        let softplus = |x: f64| x.exp().ln_1p();
        let pairs = [1.0, 2.0, 1.0, -1.0].map(softplus);
        assert!(close(&bpr(&scores, &target).expect("computed"), pairs.iter().sum::<f64>() / 4.0));
        let own = |others: &[f64]| (1.0 + others.iter().map(|x| (x / 2.0).exp()).sum::<f64>()).ln();
        let expected = (own(&[1.0, 2.0]) + own(&[1.0]) + own(&[-1.0])) / 3.0;
        assert!(close(&softmax(&scores, &target, 2.0).expect("computed"), expected));
        let [above, all] = right(&scores, &target).expect("counted");
        assert_eq!((above.double_value(&[]), all.double_value(&[])), (1.0, 4.0));
        let nobody = target.zeros_like();
        assert!(close(&bpr(&scores, &nobody).expect("computed"), 0.0));
        assert!(close(&softmax(&scores, &nobody, 1.0).expect("computed"), 0.0));
    }

    #[test]
    fn a_batch_of_one_row_has_no_pair() {
        let scores = Tensor::from_slice2(&[[0.5_f32]]);
        let target = Tensor::from_slice(&[1.0_f32]);
        assert!(close(&bpr(&scores, &target).expect("computed"), 0.0));
        assert!(close(&softmax(&scores, &target, 1.0).expect("computed"), 0.0));
    }

    #[test]
    fn scores_that_are_no_numbers_are_not_hidden() {
        let scores = Tensor::from_slice2(&[[f32::NAN, f32::NAN]]);
        assert!(bpr(&scores, &Tensor::from_slice(&[1.0_f32])).expect("computed").double_value(&[]).is_nan());
    }
}
