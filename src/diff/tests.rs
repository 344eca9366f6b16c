//! Sides made by hand.

use super::*;
use crate::digest::Digest;
use crate::store::{Store, Workspace};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn stage(name: &str, content: &str, lr: f64, metrics: &[(&str, f64)]) -> SideStage {
    let output = SideOutput { digest: Digest::of(content.as_bytes()), bytes: content.len() as u64, record: None };
    SideStage {
        name: name.into(),
        kind: "train".into(),
        key: Some(Digest::of(format!("{lr}").as_bytes())),
        fields: Some(json!({"kind": "train", "spec": {"lr": lr, "data": {"ref": "split.train", "digest": "00"}}})),
        open: None,
        outputs: BTreeMap::from([("model".to_owned(), output)]),
        metrics: metrics.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect(),
        seconds: Some(1.0),
    }
}

fn side(label: &str, lr: f64, stages: Vec<SideStage>) -> Side {
    Side { label: label.into(), params: Some(BTreeMap::from([("lr".to_owned(), json!(lr))])), stages, partial: None }
}

fn compared(before: &Side, after: &Side) -> Comparison {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&Workspace { root: folder.path().to_owned(), store: folder.path().to_owned() });
    compare(before, after, &store)
}

#[test]
fn params_metrics_and_stages() {
    let before = side("a", 0.1, vec![stage("train", "one", 0.1, &[("accuracy", 0.9), ("log_loss", 0.3), ("n", 1.0)])]);
    let after = side("b", 0.2, vec![stage("train", "two!", 0.2, &[("accuracy", 0.8), ("log_loss", 0.2), ("n", 1.0)])]);
    let found = compared(&before, &after);
    assert_eq!(found.params, [ParamChange { name: "lr".into(), before: Some(json!(0.1)), after: Some(json!(0.2)) }]);
    let better: Vec<(&str, Option<bool>)> = found.metrics.iter().map(|m| (m.metric.as_str(), m.better)).collect();
    assert_eq!(better, [("accuracy", Some(false)), ("log_loss", Some(true))]);
    assert_eq!(found.same_metrics, 1);
    let stage = &found.stages[0];
    assert_eq!(stage.status, Status::Changed);
    assert_eq!(stage.fields, [FieldChange { path: "lr".into(), values: Some(("0.1".into(), "0.2".into())) }]);
    assert_eq!((stage.outputs[0].before, stage.outputs[0].after), (Some(3), Some(4)));
    assert!(!found.is_same());
    assert!(compared(&before, &before).is_same());
}

#[test]
fn last_digits_are_neither_better_nor_worse() {
    let of = |accuracy: f64| side("a", 0.1, vec![stage("judge", "x", 0.1, &[("accuracy", accuracy)])]);
    let verdict = |before: f64, after: f64| compared(&of(before), &of(after)).metrics[0].better;
    assert_eq!(verdict(0.980_582_524_271_844_7, 0.980_582_524_271_844_8), None);
    assert_eq!(verdict(0.980_582, 0.980_583), Some(true));
    assert_eq!(verdict(0.0, 1e-13), Some(true));
}

#[test]
fn stages_that_come_go_wait_or_come_out_the_same() {
    let before =
        side("a", 0.1, vec![stage("old", "x", 0.1, &[]), stage("same", "x", 0.1, &[]), stage("wait", "x", 0.1, &[])]);
    let mut open = SideStage::open("wait", "train", "would run");
    open.metrics.clear();
    let after = side("b", 0.1, vec![stage("same", "x", 0.2, &[]), stage("new", "x", 0.3, &[]), open]);
    let found = compared(&before, &after);
    let told: Vec<(&str, &Status)> = found.stages.iter().map(|stage| (stage.stage.as_str(), &stage.status)).collect();
    let waits = Status::Open("would run".into());
    assert_eq!(told, [("same", &Status::Remade), ("new", &Status::Added), ("wait", &waits), ("old", &Status::Removed)]);
}

#[test]
fn a_stage_with_the_key_and_result_of_one_that_went_was_renamed() {
    let one = |name: &str| stage(name, "x", 0.1, &[("accuracy", 0.9)]);
    let told = |before: Vec<SideStage>, after: Vec<SideStage>| -> Vec<(String, Status)> {
        let found = compared(&side("a", 0.1, before), &side("b", 0.1, after));
        assert!(!found.is_same());
        found.stages.into_iter().map(|stage| (stage.stage, stage.status)).collect()
    };
    let renamed = ("new".to_owned(), Status::Renamed("old".to_owned()));
    assert_eq!(told(vec![one("old")], vec![one("new")]), [renamed]);
    let (come, gone) = (|name: &str| (name.to_owned(), Status::Added), ("old".to_owned(), Status::Removed));
    // Another result of the same key, and two that it may be.
    assert_eq!(told(vec![one("old")], vec![stage("new", "y", 0.1, &[])]), [come("new"), gone.clone()]);
    assert_eq!(told(vec![one("old")], vec![one("new"), one("two")]), [come("new"), come("two"), gone]);
}

#[test]
fn what_a_side_can_say_nothing_of_is_neither_new_nor_gone() {
    let both = || vec![stage("one", "x", 0.1, &[]), stage("two", "x", 0.1, &[("accuracy", 0.9)])];
    let whole = side("a", 0.1, both());
    let mut part = side("b", 0.1, vec![stage("one", "x", 0.1, &[])]);
    part.partial = Some("not part of run 8f3a12bc".into());
    for found in [compared(&whole, &part), compared(&part, &whole)] {
        let told: Vec<(&str, &Status)> =
            found.stages.iter().map(|stage| (stage.stage.as_str(), &stage.status)).collect();
        let open = Status::Open("not part of run 8f3a12bc".into());
        assert_eq!(told, [("one", &Status::Same), ("two", &open)]);
        assert!(found.metrics.is_empty(), "{found:?}");
    }
}

#[test]
fn a_metric_that_is_no_number_on_both_sides_is_no_change() {
    let of = |loss: f64| side("a", 0.1, vec![stage("train", "x", 0.1, &[("loss", loss)])]);
    let found = compared(&of(f64::NAN), &of(-f64::NAN));
    assert!(found.is_same() && found.same_metrics == 1, "{found:?}");
    assert!(!compared(&of(f64::NAN), &of(0.5)).is_same());
}

#[test]
fn an_input_with_other_content_is_named_by_its_reference() {
    let (mut one, mut two) = (stage("s", "x", 0.1, &[]), stage("s", "y", 0.1, &[]));
    two.key = Some(Digest::of(b"another"));
    let reference = |digest: &str| -> Value { json!({"spec": {"data": {"ref": "split.train", "digest": digest}}}) };
    (one.fields, two.fields) = (Some(reference("00")), Some(reference("11")));
    let found = compared(&side("a", 0.1, vec![one]), &side("b", 0.1, vec![two]));
    assert_eq!(found.stages[0].fields, [FieldChange { path: "split.train".into(), values: None }]);
}

#[test]
fn directions_follow_names() {
    assert_eq!(
        ["accuracy", "val_loss", "test.mae", "val_accuracy", "rows", "best_r2"].map(higher_is_better),
        [Some(true), Some(false), Some(false), Some(true), None, Some(true)]
    );
}
