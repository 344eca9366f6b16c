//! 95 % confidence intervals.
//!
//! Shares of right rows get Wilson's score interval. Everything else is bootstrapped: rows are drawn with replacement, as
//! many as there are, the metric is computed on each draw, and the interval reaches from the 2.5th to the 97.5th
//! percentile (linear between neighbours, as numpy). Every draw has its own stream of random numbers, so the result
//! depends on the seed and on nothing else.

use super::{Judged, Metric};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// The 97.5th percentile of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;
/// The share of draws on which a metric must be defined to get an interval.
const DEFINED: f64 = 0.9;

/// How an interval is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Wilson's score interval of a share.
    Wilson,
    /// Percentiles over resampled rows.
    Bootstrap,
}

/// A 95 % confidence interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// How it was made.
    pub method: Method,
}

/// Wilson's score interval for a share among so many rows (Wilson, 1927).
#[must_use]
pub fn wilson(share: f64, rows: f64) -> Interval {
    let scale = 1.0 + Z * Z / rows;
    let centre = (share + Z * Z / (2.0 * rows)) / scale;
    let half = Z * (share * (1.0 - share) / rows + Z * Z / (4.0 * rows * rows)).sqrt() / scale;
    Interval { low: (centre - half).max(0.0), high: (centre + half).min(1.0), method: Method::Wilson }
}

/// How often rows are drawn: 1,000 times, fewer (200 at least) for many rows, where intervals are narrow anyway.
#[must_use]
fn draws(rows: usize) -> u64 {
    (20_000_000 / rows.max(1) as u64).clamp(200, 1000)
}

/// An interval for each metric; `None` where it cannot be had (fewer than 2 rows, or too often undefined).
#[must_use]
pub fn intervals(metrics: &[&Metric], judged: &Judged, seed: u64) -> Vec<Option<Interval>> {
    let rows = judged.rows();
    let method = |metric: &&Metric| metric.method_for(judged.task());
    let drawn: Vec<&Metric> = metrics.iter().copied().filter(|metric| method(metric) == Method::Bootstrap).collect();
    let samples: Vec<Vec<Option<f64>>> = if drawn.is_empty() || rows < 2 {
        Vec::new()
    } else {
        (0..draws(rows)).into_par_iter().map(|draw| sample(&drawn, judged, seed, draw)).collect()
    };
    let mut columns = (0..drawn.len()).map(|column| samples.iter().filter_map(|s| s[column]).collect::<Vec<f64>>());
    let one = |metric: &&Metric| match method(metric) {
        Method::Wilson => metric.value(judged).map(|share| wilson(share, rows as f64)),
        Method::Bootstrap => columns.next().and_then(|values| percentiles(values, samples.len())),
    };
    metrics.iter().map(one).collect()
}

/// The metrics on one draw.
fn sample(metrics: &[&Metric], judged: &Judged, seed: u64, draw: u64) -> Vec<Option<f64>> {
    let rows = judged.rows();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(draw);
    let mut weights = vec![0.0_f64; rows];
    for _ in 0..rows {
        // The product's upper half is uniform below `rows`, up to 2^-32.
        let row = (u64::from(rng.next_u32()) * rows as u64) >> 32;
        weights[row as usize] += 1.0;
    }
    metrics.iter().map(|metric| (metric.compute)(judged, &weights).filter(|value| value.is_finite())).collect()
}

fn percentiles(mut values: Vec<f64>, draws: usize) -> Option<Interval> {
    if draws == 0 || (values.len() as f64) < DEFINED * draws as f64 {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let place = share * (values.len() - 1) as f64;
        let below = values[place.floor() as usize];
        let above = values[place.ceil() as usize];
        below + (above - below) * place.fract()
    };
    Some(Interval { low: at(0.025), high: at(0.975), method: Method::Bootstrap })
}
