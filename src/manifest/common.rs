//! The fields that every stage may carry whatever its kind: `about`, `needs`, `retry`, `cache`, `tolerance`. None of
//! them enters a key.

use super::node::{Data, Node};
use super::tolerance::Tolerances;
use crate::diag::{Code, Diagnostic, Diagnostics, codes, did_you_mean, list};
use crate::numbers::{parse_seconds, parse_units};
use std::time::Duration;

/// The pause before a second attempt where nothing is said.
const BACKOFF: Duration = Duration::from_secs(2);

/// The names of the fields that every stage may carry.
pub const COMMON_FIELDS: &[&str] = &["about", "needs", "retry", "cache", "tolerance", "matrix"];

/// What a stage needs of a machine. `None`: nothing was said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Needs {
    /// CPU cores.
    pub cpus: Option<u32>,
    /// GPUs.
    pub gpus: Option<u32>,
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// The longest it may take, in seconds.
    pub time: Option<u64>,
}

/// The fields that every stage may carry.
#[derive(Clone, Debug, PartialEq)]
pub struct Common {
    /// What the stage is for.
    pub about: Option<String>,
    /// What it needs of a machine.
    pub needs: Needs,
    /// How many times it is tried in all; 1 is "not again".
    pub attempts: u32,
    /// How long to wait before the second attempt; doubled before each further one.
    pub backoff: Duration,
    /// Whether its result may be taken from the store.
    pub cache: bool,
    /// How far its outputs may differ when it is run again.
    pub tolerance: Tolerances,
}

impl Default for Common {
    fn default() -> Self {
        let (needs, tolerance) = (Needs::default(), Tolerances::default());
        Self { about: None, needs, attempts: 1, backoff: BACKOFF, cache: true, tolerance }
    }
}

/// Takes the common fields out of a stage's table. What is not given is as in `outer`, the stage that used the module.
pub(super) fn take(table: &mut Node, outer: &Common, diagnostics: &mut Diagnostics) -> Common {
    let mut common = Common { about: None, ..outer.clone() };
    if let Some(node) = table.take("about") {
        match &node.data {
            Data::Str(text) => common.about = Some(text.clone()),
            Data::Missing => {}
            _ => diagnostics.push(wrong(&node, "`about`", "a string")),
        }
    }
    if let Some(node) = table.take("needs") {
        common.needs = needs(&node, &outer.needs, diagnostics);
    }
    if let Some(node) = table.take("retry")
        && fields(&node, "retry", &["attempts", "backoff"], diagnostics)
    {
        let attempts = node.get("attempts").and_then(|n| count(n, "`retry.attempts`", 1, diagnostics));
        common.attempts = attempts.unwrap_or(outer.attempts);
        let backoff = node.get("backoff");
        let expected = "a duration such as \"5s\"";
        let backoff = backoff.and_then(|n| measure(n, parse_milliseconds, "`retry.backoff`", expected, diagnostics));
        common.backoff = backoff.map_or(outer.backoff, Duration::from_millis);
    }
    if let Some(node) = table.take("cache") {
        match node.data {
            Data::Bool(value) => common.cache = value,
            Data::Missing => {}
            _ => diagnostics.push(wrong(&node, "`cache`", "true or false")),
        }
    }
    if let Some(tolerance) = table.take("tolerance").and_then(|node| Tolerances::read(&node, diagnostics)) {
        common.tolerance = tolerance;
    }
    common
}

fn needs(table: &Node, outer: &Needs, diagnostics: &mut Diagnostics) -> Needs {
    let mut needs = outer.clone();
    if !fields(table, "needs", &["cpus", "gpus", "memory", "time"], diagnostics) {
        return needs;
    }
    let mut number = |name: &str, least| {
        table.get(name).and_then(|node| count(node, &format!("`needs.{name}`"), least, diagnostics))
    };
    needs.cpus = number("cpus", 1).or(needs.cpus);
    needs.gpus = number("gpus", 0).or(needs.gpus);
    if let Some(node) = table.get("memory") {
        needs.memory = measure(node, parse_bytes, "`needs.memory`", "a size such as \"8GiB\"", diagnostics);
    }
    if let Some(node) = table.get("time") {
        needs.time = measure(node, parse_seconds, "`needs.time`", "a duration such as \"2h\"", diagnostics);
    }
    needs
}

pub(super) fn wrong(node: &Node, what: &str, expected: &str) -> Diagnostic {
    report(codes::FIELD_TYPE, node, format!("{what} must be {expected}, not {}", node.show()), expected)
}

pub(super) fn report(code: Code, node: &Node, message: String, expected: &str) -> Diagnostic {
    Diagnostic::new(code, message).at(node.span).label(format!("expected {expected}"))
}

/// Whether it is a table; reports it where not, and fields that it does not have.
pub(super) fn fields(node: &Node, what: &str, known: &[&str], diagnostics: &mut Diagnostics) -> bool {
    if node.data == Data::Missing {
        return false;
    }
    if !matches!(node.data, Data::Table(_)) {
        let expected = format!("a table with {}", list(known.iter().copied(), 8));
        diagnostics.push(wrong(node, &format!("`{what}`"), &expected));
        return false;
    }
    for (name, entry) in node.entries().iter().filter(|(name, _)| !known.contains(&name.as_str())) {
        diagnostics.push(
            Diagnostic::new(codes::UNKNOWN_FIELD, format!("`{what}` has no field `{name}`"))
                .at(entry.key_or_value())
                .label(format!("the fields are {}", list(known.iter().copied(), 8)))
                .maybe_hint(did_you_mean(name, known.iter().copied())),
        );
    }
    true
}

fn count(node: &Node, what: &str, least: u32, diagnostics: &mut Diagnostics) -> Option<u32> {
    match node.data {
        Data::Missing => None,
        Data::Int(value) => match u32::try_from(value) {
            Ok(value) if value >= least => Some(value),
            _ => {
                let expected = format!("{least} or more");
                let message = format!("{what} must be {expected}, not {value}");
                diagnostics.push(report(codes::OUT_OF_RANGE, node, message, &expected));
                None
            }
        },
        _ => {
            diagnostics.push(wrong(node, what, "an integer"));
            None
        }
    }
}

fn measure(
    node: &Node,
    parse: fn(&str) -> Option<u64>,
    what: &str,
    expected: &str,
    diagnostics: &mut Diagnostics,
) -> Option<u64> {
    if node.data == Data::Missing {
        return None;
    }
    let value = node.as_str().and_then(parse);
    if value.is_none() {
        let units = if expected.starts_with("a size") { SIZES } else { DURATIONS };
        diagnostics.push(wrong(node, what, expected).hint(units));
    }
    value
}

const SIZES: &str = "a number and its unit: `MB` and `GB` count by 1000, `MiB` and `GiB` by 1024";
const DURATIONS: &str = "a number and its unit: `s`, `min`, `h` or `d`";

/// Bytes: `8GiB`, `500 MB`, `1.5TiB`.
#[must_use]
pub fn parse_bytes(text: &str) -> Option<u64> {
    let units = [
        ("B", 1.0),
        ("kB", 1e3),
        ("KB", 1e3),
        ("MB", 1e6),
        ("GB", 1e9),
        ("TB", 1e12),
        ("KiB", 1024.0),
        ("MiB", 1_048_576.0),
        ("GiB", 1_073_741_824.0),
        ("TiB", 1_099_511_627_776.0),
    ];
    parse_units(text, &units)
}

/// `500ms`, `5s`, `2 min`.
fn parse_milliseconds(text: &str) -> Option<u64> {
    parse_units(text, &[("ms", 1.0), ("s", 1e3), ("m", 6e4), ("min", 6e4), ("h", 3.6e6), ("d", 8.64e7)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_read() {
        assert_eq!(parse_bytes("8GiB"), Some(8 << 30));
        assert_eq!(parse_bytes("500 MB"), Some(500_000_000));
        assert_eq!(parse_bytes("8"), None);
        assert_eq!(parse_bytes("GiB"), None);
        assert_eq!(parse_seconds("2h"), Some(7200));
        assert_eq!(parse_seconds("1.5 min"), Some(90));
        assert_eq!(parse_seconds("two hours"), None);
        assert_eq!(parse_milliseconds("500ms"), Some(500));
        assert_eq!(parse_milliseconds("1.5s"), Some(1500));
    }
}
