//! What references name: stages, outputs of modules, inputs that the user of a module gave.

use crate::diag::{Diagnostic, Diagnostics, codes, did_you_mean, list};
use crate::manifest::{Manifest, Point, Reference, Scope, Target, with_uses};
use crate::span::Span;

/// Names that lead to names deeper than this go round in a circle.
const DEPTH: usize = 64;
/// With so many names a suggestion is looked for only so many times.
const MANY_NAMES: usize = 1_000;
const MOST_SUGGESTIONS: usize = 100;

/// What a reference names.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Found {
    /// A stage (index in [`Manifest::stages`]) and its output, where one is said.
    Stage {
        index: usize,
        port: Option<String>,
        /// Whether an entry of `[outputs]` says so: what is wrong with the output is reported there.
        through_output: bool,
    },
    /// A stage with axes, or one of which a value on an axis is asked: the stages of this name.
    Points {
        members: Vec<usize>,
        /// The values that the reference says.
        pinned: Point,
        port: Option<String>,
        through_output: bool,
    },
    /// An input of a module that is checked by itself: the artefact's type.
    Open(String),
    /// Something whose lack was reported already.
    Broken,
}

impl Found {
    /// With values on axes that the reference says.
    fn pinned(self, point: &Point) -> Self {
        match self {
            Self::Stage { index, port, through_output } if !point.is_empty() => {
                Self::Points { members: vec![index], pinned: point.clone(), port, through_output }
            }
            Self::Points { members, pinned, port, through_output } => {
                Self::Points { members, pinned: pinned.and(point), port, through_output }
            }
            other => other,
        }
    }
}

/// The one of some points that has the wanted values.
fn one_of(
    manifest: &Manifest,
    members: &[usize],
    pinned: &Point,
    wanted: &Point,
    (text, place): (&str, Span),
) -> Result<usize, Box<Diagnostic>> {
    let stage = |index: usize| &manifest.stages[index];
    let axis = |message: String| Diagnostic::new(codes::AXIS, message).at(place);
    let family = members.first().map(|first| stage(*first).family.clone()).unwrap_or_default();
    if let Some(first) = members.first()
        && let Some(unknown) = pinned.axes().find(|name| stage(*first).point.get(name).is_none())
    {
        let label = match stage(*first).point.axes().next() {
            None => "it has no axes".to_owned(),
            Some(_) => format!("its axes are {}", list(stage(*first).point.axes(), 8)),
        };
        let hint = did_you_mean(unknown, stage(*first).point.axes());
        return Err(Box::new(axis(format!("`{family}` has no axis `{unknown}`")).label(label).maybe_hint(hint)));
    }
    let found: Vec<usize> = members.iter().copied().filter(|index| stage(*index).point.agrees(wanted)).collect();
    let names = || members.iter().map(|index| stage(*index).name.as_str());
    match found.as_slice() {
        [only] => Ok(*only),
        [] => Err(Box::new(
            axis(format!("`{text}` names no stage{}", at(wanted))).label(format!("there are {}", list(names(), 8))),
        )),
        [first, ..] => Err(Box::new(
            axis(format!("`{text}` names {} stages", found.len()))
                .label(format!("one of {}", list(names(), 8)))
                .hint(format!("say which: `{}`", stage(*first).name)),
        )),
    }
}

fn at(point: &Point) -> String {
    if point.is_empty() { String::new() } else { format!(" at {point}") }
}

/// Looks references up, and counts how often it suggested something.
#[derive(Default)]
pub(super) struct Names {
    suggested: usize,
}

impl Names {
    /// What a reference names that stands in a scope, in a stage at a point: of a stage with axes the one that stands there.
    pub(super) fn resolve(
        &mut self,
        manifest: &Manifest,
        user: (usize, &Point),
        text: &str,
        place: Span,
    ) -> Result<Found, Box<Diagnostic>> {
        match self.look_up(manifest, user.0, text, place)? {
            Found::Points { members, pinned, port, through_output } => {
                let wanted = pinned.and(user.1);
                let index = one_of(manifest, &members, &pinned, &wanted, (text, place))?;
                Ok(Found::Stage { index, port, through_output })
            }
            found => Ok(found),
        }
    }

    /// What a reference names, all points of a stage with axes.
    pub(super) fn look_up(
        &mut self,
        manifest: &Manifest,
        scope: usize,
        text: &str,
        place: Span,
    ) -> Result<Found, Box<Diagnostic>> {
        self.follow(manifest, scope, text, place, DEPTH)
    }

    fn follow(
        &mut self,
        manifest: &Manifest,
        scope: usize,
        text: &str,
        place: Span,
        depth: usize,
    ) -> Result<Found, Box<Diagnostic>> {
        if depth == 0 {
            let message = format!("`{text}` leads through modules back to itself");
            return Err(Box::new(Diagnostic::new(codes::CYCLE, message).at(place)));
        }
        let Reference { name, point, port } = Reference::parse(text);
        let names = &manifest.scopes[scope];
        match names.names.get(name) {
            None => Err(Box::new(self.unknown_stage(names, name, place).maybe_hint(file_hint(text)))),
            Some(Target::Stage(index)) => {
                let found = Found::Stage { index: *index, port: port.map(str::to_owned), through_output: false };
                Ok(found.pinned(&point))
            }
            Some(Target::Points(members)) => {
                let (members, port) = (members.clone(), port.map(str::to_owned));
                Ok(Found::Points { members, pinned: point, port, through_output: false })
            }
            Some(Target::Module(inner)) => Ok(self.output(manifest, *inner, name, port, place, depth)?.pinned(&point)),
            Some(Target::Broken) => Ok(Found::Broken),
            Some(Target::Input { .. } | Target::OpenInput(_)) if port.is_some() => {
                let message = format!("input `{name}` is one artefact, it has no outputs");
                Err(Box::new(Diagnostic::new(codes::UNKNOWN_PORT, message).at(place).hint(format!("write `{name}`"))))
            }
            Some(Target::OpenInput(artifact)) => Ok(Found::Open(artifact.clone())),
            Some(Target::Input { text, span, scope, .. }) => {
                // Where this fails it is reported at the input itself.
                Ok(self.follow(manifest, *scope, text, *span, depth - 1).unwrap_or(Found::Broken).pinned(&point))
            }
        }
    }

    fn output(
        &mut self,
        manifest: &Manifest,
        inner: usize,
        name: &str,
        port: Option<&str>,
        place: Span,
        depth: usize,
    ) -> Result<Found, Box<Diagnostic>> {
        let outputs = &manifest.scopes[inner].outputs;
        let known = || outputs.iter().map(|output| output.name.as_str());
        let output = match (port, outputs.as_slice()) {
            (None, [only]) => only,
            (None, _) => return Err(Box::new(which_output(name, name, known(), place))),
            (Some(port), _) => match outputs.iter().find(|output| output.name == port) {
                Some(output) => output,
                None => return Err(Box::new(unknown_output(name, port, known(), place))),
            },
        };
        let found = self.follow(manifest, inner, &output.text, output.span, depth - 1).unwrap_or(Found::Broken);
        Ok(match found {
            Found::Stage { index, port, .. } => Found::Stage { index, port, through_output: true },
            Found::Points { members, pinned, port, .. } => {
                Found::Points { members, pinned, port, through_output: true }
            }
            other => other,
        })
    }

    fn unknown_stage(&mut self, scope: &Scope, name: &str, place: Span) -> Diagnostic {
        let names = || scope.names.keys().map(String::as_str);
        let mut hint = None;
        if scope.names.len() <= MANY_NAMES || self.suggested < MOST_SUGGESTIONS {
            self.suggested += 1;
            hint = did_you_mean(name, names());
        }
        let label = match hint {
            Some(_) => "no stage of this name".to_owned(),
            None => format!("the stages are {}", list(names(), 8)),
        };
        Diagnostic::new(codes::UNKNOWN_STAGE, format!("stage `{name}` does not exist"))
            .at(place)
            .label(label)
            .maybe_hint(hint)
    }
}

/// A file's name in the place of the stage that fetches it.
fn file_hint(text: &str) -> Option<String> {
    let (_, ending) = text.rsplit_once('.')?;
    let known = ["arff", "arrow", "csv", "db", "gz", "json", "jsonl", "parquet", "tsv", "txt", "xlsx", "zip"];
    let file = known.contains(&ending.to_lowercase().as_str());
    file.then(|| format!("a file comes from a stage of kind `fetch` with `path = \"{text}\"`: name that stage here"))
}

/// "Which of its outputs is not said": the stage, and the field that wants one of them.
pub(super) fn which_output<'a>(
    stage: &str,
    field: &str,
    ports: impl Iterator<Item = &'a str> + Clone,
    place: Span,
) -> Diagnostic {
    if ports.clone().next().is_none() {
        let message = format!("`{stage}` has no outputs");
        return Diagnostic::new(codes::UNKNOWN_PORT, message).at(place).label("gives nothing to others");
    }
    // What a field is called is mostly what it takes: `model = "train"` means `train.model`, and so does `base = "train"`.
    let there = |wanted: &&str| ports.clone().any(|port| port == *wanted);
    let likeliest = [field, "table", "train", "model"].into_iter().find(there).or_else(|| ports.clone().next());
    let hint = likeliest.map(|port| format!("write `{stage}.{port}` or another of them"));
    Diagnostic::new(codes::AMBIGUOUS_PORT, format!("`{stage}` has several outputs"))
        .at(place)
        .label(format!("one of {}", list(ports, 8)))
        .maybe_hint(hint)
}

/// "It has no such output."
pub(super) fn unknown_output<'a>(
    stage: &str,
    port: &str,
    ports: impl Iterator<Item = &'a str> + Clone,
    place: Span,
) -> Diagnostic {
    let label = match ports.clone().next() {
        None => "it has no outputs".to_owned(),
        Some(only) if ports.clone().count() == 1 => format!("its output is `{only}`"),
        Some(_) => format!("its outputs are {}", list(ports.clone(), 8)),
    };
    Diagnostic::new(codes::UNKNOWN_PORT, format!("stage `{stage}` has no output `{port}`"))
        .at(place)
        .label(label)
        .maybe_hint(did_you_mean(port, ports))
}

/// Reports inputs of modules and entries of `[outputs]` that name nothing.
pub(super) fn check_scopes(names: &mut Names, manifest: &Manifest, diagnostics: &mut Diagnostics) {
    for (index, scope) in manifest.scopes.iter().enumerate() {
        for target in scope.names.values() {
            let Target::Input { text, span, scope: outer, .. } = target else { continue };
            if let Err(diagnostic) = names.look_up(manifest, *outer, text, *span) {
                diagnostics.push(with_uses(*diagnostic, &manifest.scopes[*outer].uses));
            }
        }
        for output in &scope.outputs {
            if let Err(found) = names.look_up(manifest, index, &output.text, output.span) {
                let message = format!("output `{}` names nothing: {}", output.name, found.message);
                let mut diagnostic = Diagnostic::new(codes::MODULE_OUTPUT, message).at(output.span);
                diagnostic.hints = found.hints;
                diagnostics.push(with_uses(diagnostic, &scope.uses));
            }
        }
    }
}
