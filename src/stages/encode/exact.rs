//! Sums that do not depend on the order of addition: every sum is exact before it is rounded once.

/// The correctly rounded sum of finite numbers, whatever their order (Shewchuk, "Adaptive Precision Floating-Point
/// Arithmetic", 1997: a list of non-overlapping partial sums). Infinite or NaN where the true sum overflows.
pub fn exact_sum(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut partials: Vec<f64> = Vec::with_capacity(8);
    for value in values {
        let mut x = value;
        let mut kept = 0;
        for index in 0..partials.len() {
            let mut y = partials[index];
            if x.abs() < y.abs() {
                std::mem::swap(&mut x, &mut y);
            }
            let high = x + y;
            let low = y - (high - x);
            if low != 0.0 {
                partials[kept] = low;
                kept += 1;
            }
            x = high;
        }
        partials.truncate(kept);
        partials.push(x);
    }
    round_partials(&partials)
}

/// The sum of the partials, smallest first, rounded once, half to even.
fn round_partials(partials: &[f64]) -> f64 {
    let Some((mut high, mut rest)) = partials.split_last().map(|(last, rest)| (*last, rest)) else { return 0.0 };
    let mut low = 0.0;
    while let Some((next, fewer)) = rest.split_last() {
        let sum = high + next;
        low = next - (sum - high);
        high = sum;
        rest = fewer;
        if low != 0.0 {
            break;
        }
    }
    // The remainder is exactly half a unit: the next partial's sign decides which way to round.
    if let Some(next) = rest.last()
        && ((low < 0.0 && *next < 0.0) || (low > 0.0 && *next > 0.0))
    {
        let twice = low * 2.0;
        let rounded = high + twice;
        if twice == rounded - high {
            return rounded;
        }
    }
    high
}

/// The mean, 0 of nothing.
pub fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { exact_sum(values.iter().copied()) / values.len() as f64 }
}

/// Mean and population standard deviation (`ddof = 0`, as scikit-learn's `StandardScaler`). A constant gets the deviation 1, so that scaling leaves it at 0.
/// Neither is finite where the sum, or that of the squares, is beyond a float: [`super::labels::scalable`] refuses them.
pub fn mean_and_std(values: &[f64]) -> (f64, f64) {
    // The mean of equal values is theirs, which their sum, once rounded, may miss.
    if let Some(first) = values.first().filter(|first| values.iter().all(|value| value == *first)) {
        return (*first, 1.0);
    }
    let mean = mean(values);
    let variance = exact_sum(values.iter().map(|value| (value - mean) * (value - mean))) / values.len().max(1) as f64;
    let std = variance.sqrt();
    // Deviations that are only rounding of the mean count as none, as scikit-learn does it.
    let noise = 10.0 * f64::EPSILON * mean.abs();
    (mean, if std <= noise { 1.0 } else { std })
}

/// The median: the middle value, or the mean of the two middle ones.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => sorted[middle],
        _ => sorted[middle - 1] / 2.0 + sorted[middle] / 2.0,
    }
}

/// A quantile of sorted values, between two of them in a straight line, as numpy has it; 0 of nothing.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let place = share.clamp(0.0, 1.0) * last as f64;
    let below = (place.floor() as usize).min(last);
    let (low, high) = (sorted[below], sorted[(below + 1).min(last)]);
    let part = place - below as f64;
    // Towards the nearer end, so that equal values give themselves.
    if part >= 0.5 { high - (high - low) * (1.0 - part) } else { low + (high - low) * part }
}

/// The value below which a share of the normal distribution lies (Wichura, "Algorithm AS 241", 1988: 16 digits).
pub fn normal_quantile(share: f64) -> f64 {
    let q = share - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * polynomial(&CENTRE[0], r) / polynomial(&CENTRE[1], r);
    }
    let r = (-(if q < 0.0 { share } else { 1.0 - share }).ln()).sqrt();
    let (tail, r) = if r <= 5.0 { (&MIDDLE, r - 1.6) } else { (&FAR, r - 5.0) };
    (polynomial(&tail[0], r) / polynomial(&tail[1], r)).copysign(q)
}

fn polynomial(coefficients: &[f64; 8], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, coefficient| sum * x + coefficient)
}

/// Numerator and denominator near the middle, lowest power first.
const CENTRE: [[f64; 8]; 2] = [
    [
        3.387_132_872_796_366_5,
        1.331_416_678_917_843_8e2,
        1.971_590_950_306_551_3e3,
        1.373_169_376_550_946e4,
        4.592_195_393_154_987e4,
        6.726_577_092_700_87e4,
        3.343_057_558_358_813e4,
        2.509_080_928_730_122_7e3,
    ],
    [
        1.0,
        4.231_333_070_160_091e1,
        6.871_870_074_920_579e2,
        5.394_196_021_424_751e3,
        2.121_379_430_158_659_7e4,
        3.930_789_580_009_271e4,
        2.872_908_573_572_194_3e4,
        5.226_495_278_852_854e3,
    ],
];
/// In the tails.
const MIDDLE: [[f64; 8]; 2] = [
    [
        1.423_437_110_749_683_5,
        4.630_337_846_156_546,
        5.769_497_221_460_691,
        3.647_848_324_763_204_5,
        1.270_458_252_452_368_4,
        2.417_807_251_774_506e-1,
        2.272_384_498_926_918_4e-2,
        7.745_450_142_783_414e-4,
    ],
    [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        6.897_673_349_851e-1,
        1.481_039_764_274_800_8e-1,
        1.519_866_656_361_645_7e-2,
        5.475_938_084_995_345e-4,
        1.050_750_071_644_416_9e-9,
    ],
];
/// Far out.
const FAR: [[f64; 8]; 2] = [
    [
        6.657_904_643_501_103,
        5.463_784_911_164_114,
        1.784_826_539_917_291_3,
        2.965_605_718_285_048_7e-1,
        2.653_218_952_657_612_4e-2,
        1.242_660_947_388_078_4e-3,
        2.711_555_568_743_487_6e-5,
        2.010_334_399_292_288_1e-7,
    ],
    [
        1.0,
        5.998_322_065_558_88e-1,
        1.369_298_809_227_358e-1,
        1.487_536_129_085_061_5e-2,
        7.868_691_311_456_133e-4,
        1.846_318_317_510_054_7e-5,
        1.421_511_758_316_446e-7,
        2.044_263_103_389_939_8e-15,
    ],
];

/// An estimate as it is kept: rounded to 15 significant digits, because the last ones of what logarithms lead to are not
/// the same on every machine. Not for what is compared with data: a value would no longer be equal to itself.
pub fn stored(value: f64) -> f64 {
    format!("{value:.14e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_addition_does_not_count() {
        let mut values: Vec<f64> = (0..1000).map(|i| ((i * 7919) % 1000) as f64 * 0.1 - 31.7).collect();
        values.extend([1e16, 1.0, -1e16, 1e-9]);
        let forward = exact_sum(values.iter().copied());
        values.reverse();
        assert_eq!(forward.to_bits(), exact_sum(values.iter().copied()).to_bits());
        values.sort_by(f64::total_cmp);
        assert_eq!(forward.to_bits(), exact_sum(values.iter().copied()).to_bits());
    }

    #[test]
    fn sums_are_rounded_once() {
        // The values of CPython's tests of math.fsum.
        assert_eq!(exact_sum([1e100, 1.0, -1e100]), 1.0);
        assert_eq!(exact_sum([1e16, 1.0, 1e-16]), 10_000_000_000_000_002.0);
        assert_eq!(exact_sum([0.1; 10]), 1.0);
        assert_eq!(exact_sum([]), 0.0);
    }

    #[test]
    fn statistics_are_those_of_numpy() {
        let (mean, std) = mean_and_std(&[1.0, 2.0, 4.0, 8.0]);
        assert_eq!(mean, 3.75);
        assert_eq!(std, 7.1875_f64.sqrt());
        assert_eq!(mean_and_std(&[0.1, 0.1, 0.1]), (0.1, 1.0));
        // More digits than the 15 that are kept of estimates.
        assert_eq!(mean_and_std(&[1.234_567_890_123_456_7; 100]), (1.234_567_890_123_456_7, 1.0));
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(
            [0.0, 0.25, 0.5, 0.9, 1.0].map(|share| quantile(&[1.0, 2.0, 4.0, 8.0], share)),
            [1.0, 1.75, 3.0, 6.800_000_000_000_001, 8.0]
        );
    }

    #[test]
    fn quantiles_of_the_normal_distribution_are_those_of_scipy() {
        // scipy.stats.norm.ppf
        let known = [
            (0.5, 0.0),
            (0.25, -0.674_489_750_196_081_7),
            (0.975, 1.959_963_984_540_054),
            (1e-3, -3.090_232_306_167_813_5),
            (1e-7, -5.199_337_582_192_817),
            (1e-13, -7.348_796_102_800_677),
        ];
        for (share, value) in known {
            assert!((normal_quantile(share) - value).abs() < 1e-12, "{share}: {}", normal_quantile(share));
        }
    }

    #[test]
    fn statistics_survive_json() {
        for value in [0.1 + 0.2, 1.0 / 3.0, 123_456.789_012_345_67, 2e-7 / 3.0, 0.0, -7.0] {
            for kept in [value, stored(value)] {
                let read: f64 = serde_json::from_str(&serde_json::to_string(&kept).unwrap()).unwrap();
                assert_eq!(kept.to_bits(), read.to_bits());
            }
        }
    }
}
