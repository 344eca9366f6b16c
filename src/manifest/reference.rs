//! References as they are written: `stage`, `stage.port`, and of a stage with axes `stage[fold=1].port`.

use std::collections::BTreeMap;
use std::fmt;

/// Where on its axes a stage stands: the value of each, as text, by the axis' name. A stage without axes stands at the
/// empty point.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point(BTreeMap<String, String>);

impl Point {
    /// Whether there is no axis.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value on an axis.
    #[must_use]
    pub fn get(&self, axis: &str) -> Option<&str> {
        self.0.get(axis).map(String::as_str)
    }

    /// The names of the axes, in order.
    pub fn axes(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.keys().map(String::as_str)
    }

    /// Whether both have the same value on every axis that both have.
    #[must_use]
    pub fn agrees(&self, other: &Self) -> bool {
        self.0.iter().all(|(axis, value)| other.get(axis).is_none_or(|found| found == value))
    }

    /// The axes of both; on an axis of both, this one's value.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut all = other.0.clone();
        all.extend(self.0.iter().map(|(axis, value)| (axis.clone(), value.clone())));
        Self(all)
    }

    /// Without the axes of another.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        self.0.iter().filter(|(axis, _)| other.get(axis).is_none()).map(|(a, v)| (a.clone(), v.clone())).collect()
    }
}

impl FromIterator<(String, String)> for Point {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(axes: I) -> Self {
        Self(axes.into_iter().collect())
    }
}

/// `[fold=1,lr=0.1]`; nothing at the empty point.
impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return Ok(());
        }
        let axes: Vec<String> = self.0.iter().map(|(axis, value)| format!("{axis}={value}")).collect();
        write!(f, "[{}]", axes.join(","))
    }
}

/// A reference, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference<'a> {
    /// The stage, or the use of a module, or an input of the module that it stands in.
    pub name: &'a str,
    /// The values of axes that it says.
    pub point: Point,
    /// The output that it says.
    pub port: Option<&'a str>,
}

impl<'a> Reference<'a> {
    /// Takes a reference apart. A text with brackets that hold no axes is a name, which then is unknown.
    #[must_use]
    pub fn parse(text: &'a str) -> Self {
        if let Some((name, rest)) = text.split_once('[')
            && let Some((axes, tail)) = rest.split_once(']')
            && let Some(point) = axes.split(',').map(axis).collect()
            && !name.contains('.')
            && (tail.is_empty() || tail.starts_with('.'))
        {
            return Self { name, point, port: tail.strip_prefix('.') };
        }
        let (name, port) = text.split_once('.').map_or((text, None), |(name, port)| (name, Some(port)));
        Self { name, point: Point::default(), port }
    }

    /// Whether it means the stage of this name: all points of a stage with axes, but for the values that it says.
    #[must_use]
    pub fn means(&self, stage: &str) -> bool {
        let stage = Reference::parse(stage);
        let has = |axis: &str| stage.point.get(axis).is_some();
        stage.name == self.name && self.point.axes().all(has) && stage.point.agrees(&self.point)
    }
}

fn axis(text: &str) -> Option<(String, String)> {
    let (axis, value) = text.split_once('=')?;
    let (axis, value) = (axis.trim(), value.trim());
    (!axis.is_empty() && !value.is_empty()).then(|| (axis.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_says_a_stage_a_point_and_an_output() {
        let parts = |text| {
            let found = Reference::parse(text);
            (found.name.to_owned(), found.point.to_string(), found.port.map(str::to_owned))
        };
        let own =
            |name: &str, point: &str, port: Option<&str>| (name.to_owned(), point.to_owned(), port.map(str::to_owned));
        assert_eq!(parts("split"), own("split", "", None));
        assert_eq!(parts("split.train"), own("split", "", Some("train")));
        assert_eq!(parts("fit[seed=2, lr=0.1].model"), own("fit", "[lr=0.1,seed=2]", Some("model")));
        assert_eq!(parts("fit[lr=0.1]"), own("fit", "[lr=0.1]", None));
        assert_eq!(parts("fit[0]"), own("fit[0]", "", None));
        assert_eq!(parts("a.b[x=1]"), own("a", "", Some("b[x=1]")));
    }

    #[test]
    fn points_are_compared_on_the_axes_that_both_have() {
        let point = |text| Reference::parse(text).point;
        assert!(point("a[x=1,y=2]").agrees(&point("a[y=2,z=3]")));
        assert!(!point("a[x=1]").agrees(&point("a[x=2]")));
        assert_eq!(point("a[x=1,y=2]").and(&point("a[y=9,z=3]")).to_string(), "[x=1,y=2,z=3]");
        assert_eq!(point("a[x=1,y=2]").without(&point("a[y=9]")).to_string(), "[x=1]");
    }
}
