//! Axes: round ticks, a grid, and where numbers lie on the page.

use super::svg::{Anchor, Svg};

/// One axis: the numbers it covers, and round ticks within.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    low: f64,
    high: f64,
    ticks: Vec<f64>,
    decimals: usize,
}

impl Scale {
    /// Exactly from `low` to `high`, with ticks every `step`.
    pub fn exact(low: f64, high: f64, step: f64) -> Self {
        let mut scale = Self { low, high, ticks: Vec::new(), decimals: decimals(step) };
        scale.ticks = ticks(low, high, step);
        scale
    }

    /// Around these numbers, widened to a fifth of the distance between ticks, of which there are about five. Numbers that
    /// are not finite are left out.
    pub fn around(values: impl IntoIterator<Item = f64>) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.into_iter().filter(|value| value.is_finite()) {
            low = low.min(value);
            high = high.max(value);
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        if low == high {
            let room = if low == 0.0 { 1.0 } else { low.abs() * 0.1 };
            (low, high) = (low - room, high + room);
        }
        let step = round_step((high - low) / 5.0);
        let fine = step / 5.0;
        Self::exact((low / fine).floor() * fine, (high / fine).ceil() * fine, step)
    }

    /// Where a value lies between the ends, 0 to 1.
    fn share(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    fn label(&self, value: f64) -> String {
        let size = self.low.abs().max(self.high.abs());
        if size >= 1e6 || (size < 1e-3 && size > 0.0) {
            format!("{value:.1e}")
        } else {
            format!("{value:.*}", self.decimals)
        }
    }
}

/// 1, 2 or 5 times a power of ten, the least that is not smaller.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powi(step.log10().floor() as i32);
    let lead = step / power;
    let round = [1.0, 2.0, 5.0].into_iter().find(|round| lead <= round + 1e-9).unwrap_or(10.0);
    round * power
}

fn decimals(step: f64) -> usize {
    (-step.log10().floor()).max(0.0) as usize
}

fn ticks(low: f64, high: f64, step: f64) -> Vec<f64> {
    let first = (low / step - 1e-9).ceil();
    let count = ((high / step + 1e-9).floor() - first).max(0.0) as usize + 1;
    (0..count).map(|index| (first + index as f64) * step).collect()
}

/// A plotting area with both axes.
pub struct Axes {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
    x: Scale,
    y: Scale,
}

impl Axes {
    /// An area at a place of the page.
    pub fn new(at: (f64, f64), size: (f64, f64), x: Scale, y: Scale) -> Self {
        Self { left: at.0, top: at.1, width: size.0, height: size.1, x, y }
    }

    /// Where a point lies on the page.
    pub fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (self.left + self.x.share(x) * self.width, self.top + (1.0 - self.y.share(y)) * self.height)
    }

    /// The part of the line `y = slope * x` that lies in the area, as its two ends on the page; `None` where none does.
    pub fn clipped(&self, slope: f64) -> Option<[(f64, f64); 2]> {
        let (mut from, mut to) = (self.x.low, self.x.high);
        if slope == 0.0 {
            (self.y.low <= 0.0 && 0.0 <= self.y.high).then_some(())?;
        } else {
            let (one, other) = (self.y.low / slope, self.y.high / slope);
            from = from.max(one.min(other));
            to = to.min(one.max(other));
        }
        (from < to).then(|| [self.at(from, slope * from), self.at(to, slope * to)])
    }

    /// Draws grid, ticks and names.
    pub fn draw(&self, svg: &mut Svg, x_name: &str, y_name: &str) {
        let bottom = self.top + self.height;
        for tick in &self.y.ticks {
            let (_, y) = self.at(self.x.low, *tick);
            svg.line((self.left, y), (self.left + self.width, y), "grid");
            svg.text(self.left - 8.0, y + 4.5, Anchor::End, "soft", &self.y.label(*tick));
        }
        for tick in &self.x.ticks {
            let (x, _) = self.at(*tick, self.y.low);
            svg.line((x, self.top), (x, bottom), "grid");
            svg.text(x, bottom + 19.0, Anchor::Middle, "soft", &self.x.label(*tick));
        }
        svg.line((self.left, bottom), (self.left + self.width, bottom), "axis");
        svg.line((self.left, self.top), (self.left, bottom), "axis");
        svg.text(self.left + self.width / 2.0, bottom + 42.0, Anchor::Middle, "", x_name);
        svg.upright(self.left - 52.0, self.top + self.height / 2.0, "", y_name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let scale = Scale::around([0.013, 0.487]);
        assert_eq!(
            scale.ticks.iter().map(|tick| scale.label(*tick)).collect::<Vec<_>>(),
            ["0.0", "0.1", "0.2", "0.3", "0.4", "0.5"]
        );
        let scale = Scale::around([-38.0, 112.0]);
        assert_eq!((scale.low, scale.high), (-40.0, 120.0));
        assert_eq!(scale.ticks, [0.0, 50.0, 100.0]);
        assert_eq!(Scale::around([]), Scale::around([0.0, 1.0]));
        assert_eq!(Scale::around([3.0, f64::NAN]).ticks.len(), Scale::around([3.0]).ticks.len());
        assert_eq!(Scale::exact(1.0, 10.0, 3.0).ticks, [3.0, 6.0, 9.0]);
    }

    #[test]
    fn a_guide_stays_inside() {
        let scale = |low: f64, high: f64| Scale::exact(low, high, 10.0);
        let axes = Axes::new((0.0, 0.0), (100.0, 100.0), scale(-50.0, 50.0), scale(0.0, 10.0));
        // y = x between 0 and 10 of -50 to 50.
        assert_eq!(axes.clipped(1.0), Some([(50.0, 100.0), (60.0, 0.0)]));
        assert_eq!(axes.clipped(-1.0), Some([(40.0, 0.0), (50.0, 100.0)]));
        assert_eq!(axes.clipped(0.0), Some([(0.0, 100.0), (100.0, 100.0)]));
        let above = Axes::new((0.0, 0.0), (100.0, 100.0), scale(0.0, 50.0), scale(60.0, 70.0));
        assert_eq!((above.clipped(0.0), above.clipped(1.0)), (None, None));
    }
}
