//! What references name: stages, outputs of modules, inputs that the user of a module gave.

use crate::diag::{Diagnostic, Diagnostics, codes, did_you_mean, list};
use crate::manifest::{Manifest, Scope, Target, with_uses};
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
    /// An input of a module that is checked by itself: the artefact's type.
    Open(String),
    /// Something whose lack was reported already.
    Broken,
}

/// Looks references up, and counts how often it suggested something.
#[derive(Default)]
pub(super) struct Names {
    suggested: usize,
}

impl Names {
    /// What a reference names.
    pub(super) fn resolve(
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
        let (name, port) = text.split_once('.').map_or((text, None), |(name, port)| (name, Some(port)));
        let names = &manifest.scopes[scope];
        match names.names.get(name) {
            None => Err(Box::new(self.unknown_stage(names, name, place))),
            Some(Target::Stage(index)) => {
                let port = port.map(str::to_owned);
                Ok(Found::Stage { index: *index, port, through_output: false })
            }
            Some(Target::Module(inner)) => self.output(manifest, *inner, name, port, place, depth),
            Some(Target::Broken) => Ok(Found::Broken),
            Some(Target::Input { .. } | Target::OpenInput(_)) if port.is_some() => {
                let message = format!("input `{name}` is one artefact, it has no outputs");
                Err(Box::new(Diagnostic::new(codes::UNKNOWN_PORT, message).at(place).hint(format!("write `{name}`"))))
            }
            Some(Target::OpenInput(artifact)) => Ok(Found::Open(artifact.clone())),
            Some(Target::Input { text, span, scope, .. }) => {
                // Where this fails it is reported at the input itself.
                Ok(self.follow(manifest, *scope, text, *span, depth - 1).unwrap_or(Found::Broken))
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
            (None, _) => return Err(Box::new(which_output(name, known(), place))),
            (Some(port), _) => match outputs.iter().find(|output| output.name == port) {
                Some(output) => output,
                None => return Err(Box::new(unknown_output(name, port, known(), place))),
            },
        };
        let found = self.follow(manifest, inner, &output.text, output.span, depth - 1).unwrap_or(Found::Broken);
        Ok(match found {
            Found::Stage { index, port, .. } => Found::Stage { index, port, through_output: true },
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

/// "Which of its outputs is not said."
pub(super) fn which_output<'a>(stage: &str, ports: impl Iterator<Item = &'a str> + Clone, place: Span) -> Diagnostic {
    let first = ports.clone().next();
    if first.is_none() {
        let message = format!("`{stage}` has no outputs");
        return Diagnostic::new(codes::UNKNOWN_PORT, message).at(place).label("gives nothing to others");
    }
    let hint = first.map(|port| format!("write `{stage}.{port}` or another of them"));
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
            if let Err(diagnostic) = names.resolve(manifest, *outer, text, *span) {
                diagnostics.push(with_uses(*diagnostic, &manifest.scopes[*outer].uses));
            }
        }
        for output in &scope.outputs {
            if let Err(found) = names.resolve(manifest, index, &output.text, output.span) {
                let message = format!("output `{}` names nothing: {}", output.name, found.message);
                let mut diagnostic = Diagnostic::new(codes::MODULE_OUTPUT, message).at(output.span);
                diagnostic.hints = found.hints;
                diagnostics.push(with_uses(diagnostic, &scope.uses));
            }
        }
    }
}
