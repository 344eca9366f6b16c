//! `matrix`: the axes of a stage. `[stage.train.matrix]` with `lr = [0.1, 0.01]` and `seed = [1, 2]` makes four stages of
//! one, `train[lr=0.1,seed=1]` and so on; in each of them `${lr}` is its own value. How axes go on along references is
//! found in `check/axes.rs`, where it is known which fields are references.

use super::entry::Target;
use super::module::{Expander, Instance};
use super::node::{Data, Node};
use super::params::{ParamDecl, ParamType, Params, fill, is_param_name};
use super::reference::Point;
use crate::diag::{Diagnostic, Diagnostics, codes};

/// A stage of more points than this is a mistake.
const MOST_POINTS: usize = 10_000;

/// One axis with its values.
struct Axis {
    name: String,
    node: Node,
    values: Vec<Node>,
}

impl Expander<'_> {
    /// Makes a stage for every combination of values.
    pub(super) fn open_points(
        &mut self,
        name: &str,
        mut matrix: Node,
        stage: &Node,
        instance: &mut Instance,
    ) -> Target {
        let mut found = Diagnostics::default();
        fill(&mut matrix, &mut instance.params, self.sources, &mut found);
        let axes = read(&matrix, &mut found);
        axes.iter().for_each(|axis| in_place_of_many(axis, &instance.params, &mut found));
        if stage.get("use").is_some() {
            found.push(
                Diagnostic::new(codes::AXIS, format!("`{name}` uses a module, which has no `matrix`"))
                    .at(matrix.key_or_value())
                    .label("not for modules")
                    .hint(
                        "give the `matrix` to a stage before the module, whose axes go on through it, or to one in it",
                    ),
            );
        }
        let wrong = !found.is_empty();
        self.report(found, instance);
        if wrong || axes.is_empty() {
            return Target::Broken;
        }
        let mut used = vec![false; axes.len()];
        let mut points = Vec::new();
        for values in combinations(&axes) {
            let mut node = stage.clone();
            let mut found = Diagnostics::default();
            let named = || axes.iter().map(|axis| axis.name.as_str());
            let shadow = |(axis, value): (&str, &&Node)| instance.params.shadow(axis, (*value).clone(), &mut found);
            let before: Vec<_> = named().zip(&values).map(shadow).collect();
            fill(&mut node, &mut instance.params, self.sources, &mut found);
            for ((axis, before), used) in named().zip(before).zip(&mut used) {
                *used |= instance.params.unshadow(axis, before);
            }
            self.report(found, instance);
            let Target::Stage(index) = self.stage(name, node, instance) else { continue };
            let point: Point = named().zip(&values).map(|(axis, value)| (axis.to_owned(), value.plain())).collect();
            self.stages[index].stand_at(point);
            points.push(index);
        }
        for (axis, _) in axes.iter().zip(used).filter(|(axis, used)| !used && axis.name != "seed") {
            let message = format!("axis `{}` of `{name}` is not used", axis.name);
            let warning = Diagnostic::new(codes::UNUSED_PARAM, message).at(axis.node.key_or_value());
            let hint =
                format!("use it as `\"${{{}}}\"` in this stage; stages behind it get the axis without that", axis.name);
            self.push(warning.label("the stage is the same for each value").hint(hint), instance);
        }
        Target::Points(points)
    }
}

fn read(matrix: &Node, diagnostics: &mut Diagnostics) -> Vec<Axis> {
    let mut wrong = |node: &Node, message: String, label: &str| {
        diagnostics.push(Diagnostic::new(codes::AXIS, message).at(node.span).label(label));
    };
    let axes: Vec<Axis> = match &matrix.data {
        Data::Missing => return Vec::new(),
        Data::Table(entries) if !entries.is_empty() => {
            entries.iter().filter_map(|(name, node)| axis(name, node, &mut wrong)).collect()
        }
        _ => {
            wrong(matrix, "`matrix` is a table of axes".to_owned(), "expected `{ axis = [value, …] }`");
            return Vec::new();
        }
    };
    let points = axes.iter().try_fold(1_usize, |points, axis| points.checked_mul(axis.values.len()));
    if points.is_none_or(|points| points > MOST_POINTS) {
        let message = format!("`matrix` has more than {MOST_POINTS} combinations");
        wrong(matrix, message, "fewer values, or fewer axes");
        return Vec::new();
    }
    axes
}

fn axis(name: &str, node: &Node, wrong: &mut dyn FnMut(&Node, String, &str)) -> Option<Axis> {
    if !is_param_name(name) {
        wrong(
            node,
            format!("an axis cannot be named `{name}`"),
            "letters, digits, `_` and `-`, beginning with a letter",
        );
        return None;
    }
    let Data::List(values) = &node.data else {
        if node.data != Data::Missing {
            let message = format!("axis `{name}` is a list of values, not {}", node.what());
            wrong(node, message, "expected a list, such as `[1, 2, 3]`");
        }
        return None;
    };
    if values.is_empty() {
        wrong(node, format!("axis `{name}` has no values"), "the stage would not exist");
    }
    for (index, value) in values.iter().enumerate() {
        let plain = match value.data {
            Data::Bool(_) | Data::Int(_) | Data::Float(_) => true,
            // It becomes a part of the stage's name, of a folder's and of references.
            Data::Str(ref text) => nameable(text),
            _ => false,
        };
        if !plain {
            let message = format!("axis `{name}` cannot have the value {}", value.show());
            wrong(value, message, "numbers, booleans, and texts of letters, digits, `.`, `_`, `+` and `-`");
        } else if values[..index].iter().any(|other| other.plain() == value.plain()) {
            wrong(value, format!("axis `{name}` has the value {} twice", value.show()), "again");
        }
    }
    Some(Axis { name: name.to_owned(), node: node.clone(), values: values.clone() })
}

/// Reports an axis that has the name of a param that holds many values: each of the axis' values is one.
fn in_place_of_many(axis: &Axis, params: &Params, diagnostics: &mut Diagnostics) {
    let name = &axis.name;
    let many = |decl: &&ParamDecl| !decl.broken && matches!(decl.ty, ParamType::List | ParamType::Table);
    let Some(decl) = params.decl(name).filter(many) else { return };
    let ty = decl.ty.name();
    let message = format!("axis `{name}` takes the place of the param `{name}`, which is of type {ty}");
    diagnostics.push(
        Diagnostic::new(codes::PARAM_VALUE, message)
            .at(axis.node.key_or_value())
            .label(format!("in each stage one value, no {ty}"))
            .related(decl.span, "declared here")
            .hint(format!(
                "call the axis otherwise, such as `matrix.one_{name} = \"${{{name}}}\"`, and write `${{one_{name}}}` for its value"
            )),
    );
}

fn nameable(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('.')
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '+' | '-'))
}

/// Every combination of the axes' values, the last axis the fastest.
fn combinations(axes: &[Axis]) -> Vec<Vec<&Node>> {
    axes.iter().fold(vec![Vec::new()], |points, axis| {
        let mut longer = Vec::with_capacity(points.len() * axis.values.len());
        for point in &points {
            longer.extend(axis.values.iter().map(|value| [point.as_slice(), &[value]].concat()));
        }
        longer
    })
}
