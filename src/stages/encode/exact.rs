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

/// Mean and population standard deviation (`ddof = 0`, as scikit-learn's `StandardScaler`), kept to the digits that
/// [`stored`] keeps. A constant gets the deviation 1, so that scaling leaves it at 0.
pub fn mean_and_std(values: &[f64]) -> (f64, f64) {
    let mean = stored(mean(values));
    let variance = exact_sum(values.iter().map(|value| (value - mean) * (value - mean))) / values.len().max(1) as f64;
    let std = stored(variance.sqrt());
    // Deviations that are only rounding of the mean count as none, as scikit-learn does it.
    let noise = 10.0 * f64::EPSILON * mean.abs();
    (mean, if std > noise { std } else { 1.0 })
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

/// A statistic as it is kept: rounded to 15 significant digits, which JSON gives back bit for bit. So an encoder that
/// was read from its file encodes exactly as the one that was fitted.
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
        assert_eq!(std, stored(7.1875_f64.sqrt()));
        assert_eq!(mean_and_std(&[0.1, 0.1, 0.1]), (0.1, 1.0));
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn stored_statistics_survive_json() {
        for value in [0.1 + 0.2, 1.0 / 3.0, 123_456.789_012_345_67, 2e-7 / 3.0, 0.0, -7.0] {
            let kept = stored(value);
            let read: f64 = serde_json::from_str(&serde_json::to_string(&kept).unwrap()).unwrap();
            assert_eq!(kept.to_bits(), read.to_bits());
        }
    }
}
