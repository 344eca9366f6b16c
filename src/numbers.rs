//! Numbers in words: counts, sizes, durations, rates. The one place that formats numbers for people. And when two are the same.

/// Whether two numbers are the same; not being a number is the same as not being one, whatever its bits.
#[must_use]
pub fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

/// `1,940`
#[must_use]
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 stage`, `1,940 stages`: nouns that take an `s`.
#[must_use]
pub fn counted(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(number as u64))
}

/// `812 B`, `3.1 MB`, `228 kB`: powers of 1000, three digits at most.
#[must_use]
pub fn bytes(value: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if value < 1000 {
        return format!("{value} B");
    }
    let mut scaled = value as f64 / 1000.0;
    let mut unit = 0;
    while scaled >= 999.5 && unit + 1 < UNITS.len() {
        scaled /= 1000.0;
        unit += 1;
    }
    let digits = usize::from(scaled < 99.95);
    format!("{scaled:.digits$} {}", UNITS[unit])
}

/// `14 ms`, `0.9 s`, `31.2 s`, `2 min 5 s`, `1 h 12 min`, `3 d 4 h`.
#[must_use]
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "?".to_owned();
    }
    if seconds < 0.0995 {
        return format!("{:.0} ms", seconds * 1000.0);
    }
    if seconds < 59.95 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    match whole {
        0..3_600 => pair(whole / 60, "min", whole % 60, "s"),
        3_600..86_400 => pair(whole / 3_600, "h", whole % 3_600 / 60, "min"),
        _ => pair(whole / 86_400, "d", whole % 86_400 / 3_600, "h"),
    }
}

fn pair(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 { format!("{large} {large_unit}") } else { format!("{large} {large_unit} {small} {small_unit}") }
}

/// An estimate: `9 s`, `2 min`, `1 h 10 min`; no digits that nobody can know.
#[must_use]
pub fn about(seconds: f64) -> String {
    match seconds {
        s if !s.is_finite() || s < 0.0 => "?".to_owned(),
        s if s < 0.5 => "less than 1 s".to_owned(),
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 3_570.0 => format!("{:.0} min", s / 60.0),
        s => {
            let minutes = (s / 60.0).round() as u64;
            pair(minutes / 60, "h", minutes % 60, "min")
        }
    }
}

/// A number such as a loss or a metric, with about four digits: `0.978`, `0.041`, `12.35`, `1,234`, `4.1e-5`. Whole
/// numbers from 2 on are counts: `12`.
#[must_use]
pub fn number(value: f64) -> String {
    let size = value.abs();
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "infinite".to_owned() } else { "-infinite".to_owned() }
    } else if size == 0.0 {
        "0".to_owned()
    } else if (2.0..1000.0).contains(&size) && value.fract() == 0.0 {
        format!("{value:.0}")
    } else if size < 0.001 {
        format!("{value:.1e}")
    } else if size < 10.0 {
        format!("{value:.3}")
    } else if size < 100.0 {
        format!("{value:.2}")
    } else if size < 1000.0 {
        format!("{value:.1}")
    } else if size < 1e15 {
        let sign = if value < 0.0 { "-" } else { "" };
        format!("{sign}{}", count(size.round() as u64))
    } else {
        format!("{value:.3e}")
    }
}

/// How many decimals tell different numbers apart where [`number`] writes two of them alike: 4 for 0.9648 and 0.965. `None`
/// where it does not.
#[must_use]
pub fn digits_apart(values: &[f64]) -> Option<usize> {
    let alike = |text: &dyn Fn(f64) -> String| {
        let pairs =
            values.iter().enumerate().flat_map(|(at, one)| values[..at].iter().map(move |other| (*one, *other)));
        pairs.filter(|(one, other)| one != other).any(|(one, other)| text(one) == text(other))
    };
    if !alike(&number) {
        return None;
    }
    (1..=17).find(|digits| !alike(&|value| format!("{value:.digits$}")))
}

/// How many floats two floats lie apart; `None` where one is not a number. Both zeros are one place.
#[must_use]
pub fn ulps(a: f64, b: f64) -> Option<u64> {
    let place = |value: f64| {
        let bits = i128::from((value.to_bits() & !(1 << 63)).cast_signed());
        if value.is_sign_negative() { -bits } else { bits }
    };
    (!a.is_nan() && !b.is_nan()).then(|| u64::try_from((place(a) - place(b)).unsigned_abs()).unwrap_or(u64::MAX))
}

/// The same for `f32`.
#[must_use]
pub fn ulps_f32(a: f32, b: f32) -> Option<u64> {
    let place = |value: f32| {
        let bits = i64::from(value.to_bits() & !(1 << 31));
        if value.is_sign_negative() { -bits } else { bits }
    };
    (!a.is_nan() && !b.is_nan()).then(|| place(a).abs_diff(place(b)))
}

/// A rate: `1,940 rows/s`, `12.4 rows/s`; for the unit `bytes`: `3.1 MB/s`.
#[must_use]
pub fn rate(per_second: f64, unit: &str) -> String {
    if !per_second.is_finite() || per_second < 0.0 {
        return format!("? {unit}/s");
    }
    match unit {
        "bytes" => format!("{}/s", bytes(per_second.round() as u64)),
        _ if per_second < 99.95 => format!("{per_second:.1} {unit}/s"),
        _ => format!("{} {unit}/s", count(per_second.round() as u64)),
    }
}

/// Values as at most `width` bars, each the mean of its share of them, between the least and greatest: `▇▅▃▂▂▁▁`.
#[must_use]
pub fn sparkline(values: &[f64], width: usize) -> String {
    bars(values, width, None)
}

/// Counts as at most `width` bars, each the mean of its share of them, from nothing to the greatest: `▃▇▆▁`. One that is half as large
/// is half as high, as in any histogram.
#[must_use]
pub fn histogram(counts: &[f64], width: usize) -> String {
    bars(counts, width, Some(0.0))
}

/// The bars, from `floor` or else from the least of them on.
fn bars(values: &[f64], width: usize, floor: Option<f64>) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let bars = values.len().min(width);
    let share = |bar: usize| &values[bar * values.len() / bars..(bar + 1) * values.len() / bars];
    let shown: Vec<f64> = (0..bars).map(share).map(|part| part.iter().sum::<f64>() / part.len() as f64).collect();
    let finite = || shown.iter().copied().filter(|value| value.is_finite());
    let least = floor.unwrap_or_else(|| finite().fold(f64::INFINITY, f64::min));
    let most = finite().fold(f64::NEG_INFINITY, f64::max);
    let bar = |value: &f64| match value {
        value if !value.is_finite() => '!',
        _ if most <= least => BARS[0],
        value => BARS[(((value - least) / (most - least) * 6.0).round() as usize).min(7)],
    };
    shown.iter().map(bar).collect()
}

/// A number and its unit, in the smallest unit; `None` where it is neither, or nothing.
#[must_use]
pub fn parse_units(text: &str, units: &[(&str, f64)]) -> Option<u64> {
    let text = text.trim();
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let number: f64 = text[..at].parse().ok()?;
    let (_, factor) = units.iter().find(|(unit, _)| *unit == text[at..].trim())?;
    Some((number * factor) as u64).filter(|value| *value > 0)
}

/// Seconds: `90s`, `30 min`, `2h`, `1d`.
#[must_use]
pub fn parse_seconds(text: &str) -> Option<u64> {
    parse_units(text, &[("s", 1.0), ("m", 60.0), ("min", 60.0), ("h", 3600.0), ("d", 86_400.0)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_being_a_number_is_the_same_whatever_its_bits() {
        assert!(same(0.5, 0.5) && !same(0.1 + 0.2, 0.3));
        assert!(same(f64::NAN, -f64::NAN) && !same(f64::NAN, 1.0) && !same(0.0, -0.0));
    }

    #[test]
    fn counts_have_commas() {
        assert_eq!(
            [0, 999, 1_000, 56_714, 1_234_567].map(count),
            ["0", "999", "1,000", "56,714", "1,234,567"].map(str::to_owned)
        );
    }

    #[test]
    fn sizes_have_three_digits_at_most() {
        assert_eq!(
            [812, 1_000, 15_241, 228_000, 999_600, 3_100_000, u64::MAX].map(bytes),
            ["812 B", "1.0 kB", "15.2 kB", "228 kB", "1.0 MB", "3.1 MB", "18.4 EB"].map(str::to_owned)
        );
    }

    #[test]
    fn durations_take_the_unit_that_fits() {
        assert_eq!(
            [0.0, 0.014, 0.0997, 0.94, 59.96, 125.0, 4_320.0, 273_600.0, f64::NAN].map(duration),
            ["0 ms", "14 ms", "0.1 s", "0.9 s", "1 min", "2 min 5 s", "1 h 12 min", "3 d 4 h", "?"].map(str::to_owned)
        );
        assert_eq!(
            [0.2, 9.2, 89.0, 130.0, 4_230.0].map(about),
            ["less than 1 s", "9 s", "89 s", "2 min", "1 h 11 min"].map(str::to_owned)
        );
    }

    #[test]
    fn numbers_keep_the_digits_that_count() {
        assert_eq!(
            [0.978, 1.0, 12.0, 12.349, 123.46, 1234.4, -2000.0, 0.000_041, 0.0, f64::NAN].map(number),
            ["0.978", "1.000", "12", "12.35", "123.5", "1,234", "-2,000", "4.1e-5", "0", "NaN"].map(str::to_owned)
        );
        assert_eq!(rate(1940.2, "rows"), "1,940 rows/s");
        assert_eq!(rate(12.44, "steps"), "12.4 steps/s");
        assert_eq!(rate(3_100_000.0, "bytes"), "3.1 MB/s");
    }

    #[test]
    fn numbers_that_differ_get_the_digits_that_show_it() {
        assert_eq!(digits_apart(&[0.91, 0.928]), None);
        assert_eq!(digits_apart(&[0.9648, 0.965]), Some(4));
        assert_eq!(digits_apart(&[0.964_999_7, 0.965, 0.99]), Some(7));
        assert_eq!(digits_apart(&[123_456.4, 123_456.0]), Some(1));
        assert_eq!(digits_apart(&[0.965, 0.965, f64::NAN]), None);
    }

    #[test]
    fn ulps_count_the_floats_between() {
        assert_eq!(ulps(1.0, 1.0_f64.next_up()), Some(1));
        assert_eq!(ulps(-0.0, 0.0), Some(0));
        assert_eq!(ulps((-0.0_f64).next_down(), 0.0_f64.next_up()), Some(2));
        assert_eq!(ulps(f64::NAN, 1.0), None);
        assert_eq!(ulps_f32(1.0, 1.0_f32.next_down()), Some(1));
        assert_eq!(ulps_f32(-f32::MAX, f32::MAX), Some(2 * u64::from(f32::MAX.to_bits())));
    }

    #[test]
    fn a_sparkline_falls_with_its_values() {
        assert_eq!(sparkline(&[7.0, 5.0, 1.0], 8), "▇▅▁");
        assert_eq!(sparkline(&[1.0, 2.0, 3.0], 2), "▁▇");
        assert_eq!(sparkline(&(0..800).map(|step| -f64::from(step)).collect::<Vec<_>>(), 7), "▇▆▅▄▃▂▁");
        assert_eq!(sparkline(&[1.0, f64::NAN], 4), "▁!");
        assert_eq!(sparkline(&[], 4), "");
    }

    #[test]
    fn a_histogram_begins_at_nothing() {
        assert_eq!(histogram(&[440.0, 437.0, 434.0, 433.0], 16), "▇▇▇▇");
        assert_eq!(histogram(&[6.0, 3.0, 0.0], 16), "▇▄▁");
        assert_eq!(histogram(&[1.0, 1.0, 6.0, 6.0], 2), "▂▇");
        assert_eq!(histogram(&[0.0, 0.0], 4), "▁▁");
        assert_eq!(histogram(&[], 4), "");
    }
}
