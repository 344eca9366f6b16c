//! Ranking by score: orders, and the receiver operating characteristic.

use super::Judged;

/// Indices by falling score; equal scores in index order.
pub(super) fn descending(scores: &[f64]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..scores.len() as u32).collect();
    order.sort_by(|a, b| scores[*b as usize].total_cmp(&scores[*a as usize]).then(a.cmp(b)));
    order
}

/// The area under the ROC curve for "has `class`": the chance that a row of it scores above one without, ties counting
/// half. `None` where all rows are of one sort.
pub(super) fn area(judged: &Judged, class: usize, weights: &[f64]) -> Option<f64> {
    let order = judged.order(class);
    let (mut yes_above, mut yes, mut no, mut pairs) = (0.0, 0.0, 0.0, 0.0);
    let mut at = 0;
    while at < order.len() {
        let score = judged.score(order[at] as usize, class);
        let (mut group_yes, mut group_no) = (0.0, 0.0);
        while at < order.len() && judged.score(order[at] as usize, class) == score {
            let row = order[at] as usize;
            if judged.truth(row) == class {
                group_yes += weights[row];
            } else {
                group_no += weights[row];
            }
            at += 1;
        }
        pairs += group_no * (yes_above + group_yes / 2.0);
        yes_above += group_yes;
        yes += group_yes;
        no += group_no;
    }
    (yes > 0.0 && no > 0.0).then(|| pairs / (yes * no))
}

/// A ROC curve: one point per threshold, from `(0, 0)` to `(1, 1)`.
#[derive(Clone, Debug, PartialEq)]
pub struct RocCurve {
    /// Share of the rows without the class that are above the threshold.
    pub false_positive: Vec<f64>,
    /// Share of the rows with the class that are above the threshold.
    pub true_positive: Vec<f64>,
    /// The area under it.
    pub area: f64,
}

/// The ROC curve for "has `class`"; `None` where all rows are of one sort.
#[must_use]
pub fn roc_curve(judged: &Judged, class: usize) -> Option<RocCurve> {
    let order = judged.order(class);
    let total_yes = (0..judged.rows()).filter(|row| judged.truth(*row) == class).count() as f64;
    let total_no = judged.rows() as f64 - total_yes;
    let area = area(judged, class, &vec![1.0; judged.rows()])?;
    let (mut false_positive, mut true_positive) = (vec![0.0], vec![0.0]);
    let (mut yes, mut no) = (0.0, 0.0);
    for (place, row) in order.iter().enumerate() {
        if judged.truth(*row as usize) == class {
            yes += 1.0;
        } else {
            no += 1.0;
        }
        let next = order.get(place + 1).map(|next| judged.score(*next as usize, class));
        if next != Some(judged.score(*row as usize, class)) {
            false_positive.push(no / total_no);
            true_positive.push(yes / total_yes);
        }
    }
    Some(RocCurve { false_positive, true_positive, area })
}
