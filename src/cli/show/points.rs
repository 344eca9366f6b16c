//! A stage with axes: the numbers of all its points, and their mean and standard deviation along each axis.

use super::find::result;
use crate::cli::session::Session;
use crate::cli::{CommandError, Output};
use crate::diag::{did_you_mean, list};
use crate::diff::higher_is_better;
use crate::manifest::{Point, Reference};
use crate::numbers;
use crate::report::{Align, Table};
use crate::stage::StageResult;
use serde_json::{Value, json};
use std::sync::Arc;

/// The results of a stage at its points.
pub(super) struct Points {
    name: String,
    all: Vec<(String, Point, Arc<StageResult>)>,
}

/// Several numbers in two: the mean, and the standard deviation of a sample (with n - 1).
struct Spread {
    n: usize,
    mean: f64,
    sd: f64,
}

impl Points {
    /// What is stored of these stages.
    pub(super) fn find(session: &Session, name: &str, stages: &[String], output: Output) -> Result<Self, CommandError> {
        let plan = session.plan(stages, false)?;
        let mut all = Vec::with_capacity(stages.len());
        for stage in stages {
            let planned = session.checked.find(stage).and_then(|index| plan.get(index));
            let planned = planned.ok_or_else(|| CommandError::usage(format!("there is no stage `{stage}`")))?;
            all.push((stage.clone(), Reference::parse(stage).point, result(session, planned, stage, output)?));
        }
        Ok(Self { name: Reference::parse(name).name.to_owned(), all })
    }

    /// Orders the points by a metric, the best first: with it the values of each axis, which stand as their best points do.
    pub(super) fn sort(&mut self, metric: &str) -> Result<(), CommandError> {
        let names = self.metrics();
        if !names.contains(&metric) {
            let hint = did_you_mean(metric, names.iter().copied());
            let hint = hint.unwrap_or_else(|| format!("there is {}", list(names.iter().copied(), 12)));
            return Err(CommandError::usage(format!("`{}` has no metric `{metric}`", self.name)).hint(hint));
        }
        let up = higher_is_better(metric).unwrap_or(true);
        // What is no number comes last.
        let rank = |result: &StageResult| match number(result, metric) {
            Some(value) if !value.is_nan() => {
                if up {
                    -value
                } else {
                    value
                }
            }
            _ => f64::INFINITY,
        };
        self.all.sort_by(|(_, _, a), (_, _, b)| rank(a).total_cmp(&rank(b)));
        Ok(())
    }

    fn axes(&self) -> Vec<&str> {
        self.all.first().map(|(_, point, _)| point.axes().collect()).unwrap_or_default()
    }

    /// The names of the metrics, as the results have them.
    fn metrics(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for name in self.all.iter().flat_map(|(_, _, result)| result.metrics.keys().map(String::as_str)) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// The values on an axis, in the order of the points.
    fn values(&self, axis: &str) -> Vec<&str> {
        let mut values: Vec<&str> = Vec::new();
        for value in self.all.iter().filter_map(|(_, point, _)| point.get(axis)) {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        values
    }

    /// A metric over the points that have a value on an axis; over all without one.
    fn spread(&self, metric: &str, at: Option<(&str, &str)>) -> Option<Spread> {
        let meant = |point: &Point| at.is_none_or(|(axis, value)| point.get(axis) == Some(value));
        let points = self.all.iter().filter(|(_, point, _)| meant(point));
        Spread::of(&points.filter_map(|(_, _, result)| number(result, metric)).collect::<Vec<_>>())
    }

    pub(super) fn text(&self, output: Output) -> String {
        let (axes, metrics) = (self.axes(), self.metrics());
        let paint = output.out;
        let count = numbers::counted(self.all.len(), "stage");
        let mut out =
            format!("{}  {}\n", paint.bold(&self.name), paint.dim(format!("{count} over {}", axes.join(", "))));
        let told = if metrics.is_empty() { vec!["result"] } else { metrics.clone() };
        let aligns: Vec<Align> = axes.iter().map(|_| Align::Left).chain(metrics.iter().map(|_| Align::Right)).collect();
        let mut table = Table::new(axes.iter().chain(&told).copied()).align(&aligns);
        for (_, point, result) in &self.all {
            let place = axes.iter().map(|axis| point.get(axis).unwrap_or_default().to_owned());
            let shown = |metric: &&str| number(result, metric).map(numbers::number).unwrap_or_default();
            let cells: Vec<String> = match metrics.is_empty() {
                true => place.chain([result.summary.clone()]).collect(),
                false => place.chain(metrics.iter().map(shown)).collect(),
            };
            table.row(cells);
        }
        out.push_str(&format!("\n{}", table.render(output.width, 2, paint)));
        if !metrics.is_empty() {
            out.push_str(&self.summary(&axes, &metrics, output));
        }
        out
    }

    /// Mean and standard deviation: for each value of each axis where there are several, and over everything.
    fn summary(&self, axes: &[&str], metrics: &[&str], output: Output) -> String {
        let mut out = String::new();
        let by = if axes.len() > 1 { axes } else { &[] };
        for axis in by.iter().filter(|axis| self.values(axis).len() > 1) {
            let mut table = summary_table(axis, metrics);
            for value in self.values(axis) {
                table.row(self.summary_row(value, Some((axis, value)), metrics));
            }
            out.push_str(&format!("\n{}", table.render(output.width, 2, output.out)));
        }
        let mut table = summary_table("", metrics);
        table.row(self.summary_row("all", None, metrics));
        out.push_str(&format!("\n{}", table.render(output.width, 2, output.out)));
        out
    }

    fn summary_row(&self, name: &str, at: Option<(&str, &str)>, metrics: &[&str]) -> Vec<String> {
        let spreads: Vec<Option<Spread>> = metrics.iter().map(|metric| self.spread(metric, at)).collect();
        let n = spreads.iter().flatten().map(|spread| spread.n).max().unwrap_or(0);
        let cells = spreads.iter().map(|spread| spread.as_ref().map(Spread::text).unwrap_or_default());
        [name.to_owned(), n.to_string()].into_iter().chain(cells).collect()
    }

    pub(super) fn json(&self) -> Value {
        let metrics = self.metrics();
        let spreads = |at: Option<(&str, &str)>| -> serde_json::Map<String, Value> {
            let spread = |metric: &&str| Some(((*metric).to_owned(), self.spread(metric, at)?.json()));
            metrics.iter().filter_map(spread).collect()
        };
        let by = |axis: &str| -> Value {
            self.values(axis)
                .into_iter()
                .map(|value| json!({ "value": value, "metrics": spreads(Some((axis, value))) }))
                .collect()
        };
        let axes: serde_json::Map<String, Value> =
            self.axes().into_iter().map(|axis| (axis.to_owned(), by(axis))).collect();
        let points: Vec<Value> = self
            .all
            .iter()
            .map(|(stage, point, result)| {
                let place: serde_json::Map<String, Value> =
                    point.axes().filter_map(|axis| Some((axis.to_owned(), point.get(axis)?.into()))).collect();
                json!({ "stage": stage, "axes": place, "summary": result.summary, "metrics": result.metrics })
            })
            .collect();
        json!({ "stage": self.name, "points": points, "by": axes, "all": spreads(None) })
    }
}

fn number(result: &StageResult, metric: &str) -> Option<f64> {
    result.metrics.iter().find(|(name, _)| name.as_str() == metric).map(|(_, value)| *value)
}

fn summary_table(head: &str, metrics: &[&str]) -> Table {
    let aligns: Vec<Align> =
        [Align::Left].into_iter().chain(std::iter::repeat_n(Align::Right, metrics.len() + 1)).collect();
    let heads = metrics.iter().map(|metric| format!("{metric}, mean ± sd"));
    Table::new([head.to_owned(), "n".to_owned()].into_iter().chain(heads)).align(&aligns)
}

impl Spread {
    fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        if n == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let sd = if n > 1 { (squares / (n - 1) as f64).sqrt() } else { f64::NAN };
        Some(Self { n, mean, sd })
    }

    fn text(&self) -> String {
        match self.n {
            1 => numbers::number(self.mean),
            _ => format!("{} ± {}", numbers::number(self.mean), numbers::number(self.sd)),
        }
    }

    fn json(&self) -> Value {
        json!({ "n": self.n, "mean": self.mean, "sd": (self.n > 1).then_some(self.sd) })
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn the_standard_deviation_is_that_of_a_sample() {
        let spread = Spread::of(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).unwrap();
        assert_eq!((spread.n, spread.mean), (8, 5.0));
        assert!((spread.sd - (32.0_f64 / 7.0).sqrt()).abs() < 1e-12);
        assert_eq!(Spread::of(&[0.5]).unwrap().text(), "0.500");
        assert!(Spread::of(&[]).is_none());
    }
}
