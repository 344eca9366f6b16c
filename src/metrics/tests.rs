//! Against scikit-learn 1.9.1 and scipy: the numbers below are theirs.

use super::*;

/// Rows of the examples with and without weights, as `sample_weight`.
const WEIGHTS: [f64; 10] = [1.0, 2.0, 1.0, 0.0, 3.0, 1.0, 1.0, 2.0, 1.0, 1.0];

fn classes() -> Judged {
    let probabilities = vec![
        0.7, 0.2, 0.1, 0.1, 0.8, 0.1, 0.2, 0.2, 0.6, 0.3, 0.4, 0.3, 0.25, 0.5, 0.25, 0.4, 0.35, 0.25, 0.05, 0.15, 0.8,
        0.45, 0.35, 0.2, 0.6, 0.3, 0.1, 0.1, 0.3, 0.6,
    ];
    Judged::new(Outcome::Category { truth: vec![0, 1, 2, 2, 1, 0, 2, 1, 0, 2], probabilities, classes: 3 })
}

fn binary() -> Judged {
    let truth = [0, 1, 1, 0, 1, 0, 0, 1, 1, 0].map(|yes| yes == 1).to_vec();
    Judged::new(Outcome::Binary { truth, probabilities: vec![0.1, 0.4, 0.35, 0.8, 0.7, 0.4, 0.2, 0.9, 0.4, 0.5] })
}

fn numbers() -> Judged {
    Judged::new(Outcome::Number { truth: vec![3.0, -0.5, 2.0, 7.0, 4.2], predicted: vec![2.5, 0.0, 2.0, 8.0, 4.0] })
}

fn assert_metrics(judged: &Judged, weights: &[f64], expected: &[(&str, f64)]) {
    for (name, expected) in expected {
        let metric = metric(name).unwrap();
        assert!(metric.fits(judged.task()), "{name}");
        let found = (metric.compute)(judged, weights).unwrap();
        assert!((found - expected).abs() < 1e-12, "{name}: {found}, scikit-learn has {expected}");
    }
}

#[test]
fn several_classes() {
    let plain = [
        ("accuracy", 0.8),
        ("precision_macro", 0.8055555555555555),
        ("recall_macro", 0.8055555555555555),
        ("f1_macro", 0.7936507936507936),
        ("precision_micro", 0.8),
        ("recall_micro", 0.8),
        ("f1_micro", 0.8),
        ("roc_auc", 0.9603174603174603),
        ("log_loss", 0.6198671759123838),
        ("brier", 0.33499999999999996),
        ("calibration_error", 0.305),
    ];
    assert_metrics(&classes(), &[1.0; 10], &plain);
    let weighted = [
        ("accuracy", 0.8461538461538461),
        ("precision_macro", 0.8666666666666667),
        ("recall_macro", 0.9047619047619048),
        ("f1_macro", 0.8611111111111112),
        ("f1_micro", 0.8461538461538461),
        ("roc_auc", 0.9698412698412698),
        ("log_loss", 0.5887660762869754),
        ("brier", 0.3142307692307692),
    ];
    assert_metrics(&classes(), &WEIGHTS, &weighted);
}

fn labels() -> Judged {
    let probabilities = vec![
        0.7, 0.2, 0.9, 0.1, 0.8, 0.4, 0.6, 0.6, 0.6, 0.3, 0.4, 0.3, 0.25, 0.55, 0.25, 0.4, 0.35, 0.65, 0.05, 0.15, 0.8,
        0.45, 0.35, 0.2, 0.6, 0.3, 0.1, 0.1, 0.3, 0.6,
    ];
    let truth = [1, 0, 1, 0, 1, 1, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0];
    Judged::new(Outcome::MultiLabel { truth: truth.map(|yes| yes == 1).to_vec(), probabilities, labels: 3 })
}

#[test]
fn several_labels() {
    assert_metrics(&labels(), &[1.0; 10], &LABELS);
    assert_metrics(&labels(), &WEIGHTS, &LABELS_WEIGHTED);
    let chosen: Vec<&Metric> = ["f1_micro", "subset_accuracy"].into_iter().filter_map(metric).collect();
    let methods: Vec<Method> =
        intervals(&chosen, &labels(), 1).into_iter().map(|found| found.unwrap().method).collect();
    assert_eq!(methods, [Method::Bootstrap, Method::Wilson]);
}

#[test]
fn yes_and_no() {
    let plain = [
        ("accuracy", 0.6),
        ("precision", 0.6666666666666666),
        ("recall", 0.4),
        ("f1", 0.5),
        ("f1_macro", 0.5833333333333333),
        ("roc_auc", 0.64),
        ("log_loss", 0.648635383157562),
        ("brier", 0.23425),
        ("calibration_error", 0.3450000000000001),
    ];
    assert_metrics(&binary(), &[1.0; 10], &plain);
    let weighted = [
        ("accuracy", 0.6923076923076923),
        ("precision", 1.0),
        ("recall", 0.5555555555555556),
        ("f1", 0.7142857142857143),
        ("f1_macro", 0.6904761904761905),
        ("roc_auc", 0.8194444444444444),
        ("log_loss", 0.508609004196228),
        ("brier", 0.17326923076923076),
    ];
    assert_metrics(&binary(), &WEIGHTS, &weighted);
}

#[test]
fn rankings() {
    // Lists of 4, 5 and 2 rows. `ndcg` of each is that of `sklearn.metrics.ndcg_score`: 1, 0.3868… and 0.6309…
    let list_of = [0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2];
    let scores = [4.0, 3.0, 2.0, 1.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.5, 0.6];
    let truth = [1, 1, 0, 0, 0, 1, 0, 1, 0, 1, 0].map(|yes| yes == 1);
    let at = |top| Judged::new(lists(&list_of, &scores, &truth, top));
    let second = 1.0 / 3.0_f64.log2();
    let three = [("hit_rate", 1.0), ("ndcg", (1.0 + 0.38685280723454163 + second) / 3.0), ("mrr", 2.0 / 3.0)];
    assert_metrics(&at(3), &[1.0; 3], &three);
    let one = [("hit_rate", 1.0 / 3.0), ("ndcg", 1.0 / 3.0), ("mrr", 1.0 / 3.0)];
    assert_metrics(&at(1), &[1.0; 3], &one);
    let weighted =
        [("hit_rate", 1.0), ("ndcg", (0.6509209298071326 + 3.0 * second) / 4.0), ("mrr", (0.5 + 3.0 * 0.5) / 4.0)];
    assert_metrics(&at(10), &[0.0, 1.0, 3.0], &weighted);
    let nothing = Judged::new(lists(&[0, 0], &[0.1, 0.2], &[true, true], 10));
    assert!(METRICS.iter().filter(|metric| metric.ranks()).all(|metric| metric.value(&nothing).is_none()));
}

#[test]
fn regression() {
    let plain =
        [("mse", 0.308), ("rmse", 0.5549774770204643), ("mae", 0.44000000000000006), ("r2", 0.9496600418410042)];
    assert_metrics(&numbers(), &[1.0; 5], &plain);
    let weighted = [
        ("mse", 0.2671428571428572),
        ("rmse", 0.5168586432893013),
        ("mae", 0.44285714285714295),
        ("r2", 0.9582296253749442),
    ];
    assert_metrics(&numbers(), &[1.0, 2.0, 0.0, 1.0, 3.0], &weighted);
    let constant =
        |predicted: [f64; 2]| Judged::new(Outcome::Number { truth: vec![1.0, 1.0], predicted: predicted.to_vec() });
    assert_metrics(&constant([1.0, 2.0]), &[1.0; 2], &[("r2", 0.0)]);
    assert_metrics(&constant([1.0, 1.0]), &[1.0; 2], &[("r2", 1.0)]);
    // The mean of three times 0.1 is not 0.1; scikit-learn has -5.19e31 here.
    let rounded = Judged::new(Outcome::Number { truth: vec![0.1, 0.1, 0.1, 0.7], predicted: vec![0.2; 4] });
    assert_metrics(&rounded, &[1.0, 1.0, 1.0, 0.0], &[("r2", 0.0)]);
}

#[test]
fn an_interval_of_few_rows_is_not_that_of_a_row_drawn_again_and_again() {
    let judged = Judged::new(Outcome::Number { truth: vec![0.1, 0.3, 0.7], predicted: vec![0.2, 0.2, 0.6] });
    let found = intervals(&[metric("r2").unwrap()], &judged, 7)[0].unwrap();
    assert!(found.low > -100.0, "{found:?}");
}

#[test]
fn empty_denominators_are_zero_and_absent_classes_left_out() {
    let one_hot = |truth: &[usize], predicted: &[usize]| {
        let probabilities = predicted.iter().flat_map(|p| (0..3).map(move |c| f64::from(u8::from(c == *p)))).collect();
        Judged::new(Outcome::Category { truth: truth.to_vec(), probabilities, classes: 3 })
    };
    let never = [("precision_macro", 0.25), ("recall_macro", 0.5), ("f1_macro", 0.3333333333333333)];
    assert_metrics(&one_hot(&[0, 0, 1, 1], &[0, 0, 0, 0]), &[1.0; 4], &never);
    let absent = [("precision_macro", 0.8333333333333333), ("recall_macro", 0.75), ("f1_macro", 0.7333333333333334)];
    assert_metrics(&one_hot(&[0, 0, 2, 2], &[0, 2, 2, 2]), &[1.0; 4], &absent);
    let all_no = Judged::new(Outcome::Binary { truth: vec![true, false], probabilities: vec![0.1, 0.1] });
    assert_metrics(&all_no, &[1.0; 2], &[("precision", 0.0), ("recall", 0.0), ("f1", 0.0), ("roc_auc", 0.5)]);
    let sure = Judged::new(Outcome::Binary { truth: vec![false, true], probabilities: vec![0.0, 0.0] });
    assert_metrics(&sure, &[1.0; 2], &[("log_loss", 18.021826694558577)]);
}

#[test]
fn what_is_not_defined_is_not_a_number_in_disguise() {
    let one_class = Judged::new(Outcome::Binary { truth: vec![true, true], probabilities: vec![0.1, 0.9] });
    assert_eq!(metric("roc_auc").unwrap().value(&one_class), None);
    let nothing = Judged::new(Outcome::Number { truth: Vec::new(), predicted: Vec::new() });
    assert_eq!(metric("mse").unwrap().value(&nothing), None);
    assert_eq!(metric("r2").unwrap().value(&nothing), None);
    let nothing = Judged::new(Outcome::Category { truth: Vec::new(), probabilities: Vec::new(), classes: 3 });
    assert!(METRICS.iter().filter(|m| m.fits(TaskKind::Category)).all(|m| m.value(&nothing).is_none()));
}

#[test]
fn the_curve_is_that_of_scikit_learn_without_dropped_points() {
    let curve = roc_curve(&binary(), 1).unwrap();
    assert_eq!(curve.area, 0.64);
    let points: Vec<(f64, f64)> = curve.false_positive.into_iter().zip(curve.true_positive).collect();
    for kept in [(0.0, 0.0), (0.0, 0.2), (0.2, 0.2), (0.2, 0.4), (0.4, 0.4), (0.6, 0.8), (0.6, 1.0), (1.0, 1.0)] {
        assert!(points.contains(&kept), "{kept:?} of {points:?}");
    }
}

#[test]
fn confusion_counts_right_by_predicted() {
    let confusion = Confusion::of(&classes(), &[1.0; 10]);
    assert_eq!(confusion.rows(), [[3, 0, 0], [1, 2, 0], [0, 1, 3]]);
}

#[test]
fn wilson_is_that_of_the_formula() {
    let interval = wilson(0.976, 500.0);
    assert!((interval.low - 0.9585229425360993).abs() < 1e-12);
    assert!((interval.high - 0.986218685344503).abs() < 1e-12);
    assert!((wilson(1.0, 10.0).low - 0.7224672001371107).abs() < 1e-12);
}

#[test]
fn a_bootstrap_depends_on_its_seed_alone_and_covers_the_value() {
    let rows = 400;
    let truth: Vec<bool> = (0..rows).map(|row| row % 3 == 0).collect();
    let probabilities = (0..rows).map(|row| ((row * 37) % 100) as f64 / 150.0 + if row % 3 == 0 { 0.3 } else { 0.0 });
    let judged = Judged::new(Outcome::Binary { truth, probabilities: probabilities.collect() });
    let metrics: Vec<&Metric> = ["accuracy", "roc_auc", "log_loss", "f1"].map(|name| metric(name).unwrap()).to_vec();
    let at = |threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| intervals(&metrics, &judged, seed))
    };
    let once = at(1, 7);
    assert_eq!(once, at(3, 7));
    assert_ne!(once, at(1, 8));
    for (metric, interval) in metrics.iter().zip(&once) {
        let (value, interval) = (metric.value(&judged).unwrap(), interval.unwrap());
        assert!(interval.low < value && value < interval.high, "{}: {interval:?}", metric.name);
        assert!(interval.high - interval.low < 0.2, "{}: {interval:?}", metric.name);
    }
}

#[test]
fn names_are_unique() {
    let mut names: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), METRICS.len());
}

const LABELS: [(&str, f64); 9] = [
    ("subset_accuracy", 0.4),
    ("hamming_loss", 0.2),
    ("precision_macro", 0.8222222222222223),
    ("precision_micro", 0.8181818181818182),
    ("recall_macro", 0.6833333333333332),
    ("recall_micro", 0.6923076923076923),
    ("f1_macro", 0.7428571428571429),
    ("f1_micro", 0.75),
    ("roc_auc", 0.8688888888888888),
];

const LABELS_WEIGHTED: [(&str, f64); 9] = [
    ("subset_accuracy", 0.23076923076923078),
    ("hamming_loss", 0.2564102564102564),
    ("precision_macro", 0.8222222222222223),
    ("precision_micro", 0.8571428571428571),
    ("recall_macro", 0.6031746031746031),
    ("recall_micro", 0.6),
    ("f1_macro", 0.6834498834498834),
    ("f1_micro", 0.7058823529411765),
    ("roc_auc", 0.8849206349206349),
];
