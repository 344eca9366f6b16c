//! `kilter check`

use super::args::{self, CheckFormat};
use super::session::{self, Session};
use super::{Exit, Outcome, Output, locate};
use crate::diag::{Format, render};
use crate::numbers;
use std::time::Instant;

pub(super) fn run(options: &args::Check, output: Output, started: Instant) -> Outcome {
    let manifest = locate::manifest(&options.words)?;
    let checked = Session::open(&manifest, &options.params.set)?.checked;
    let (found, sources) = (&checked.diagnostics, &checked.sources);
    match options.format {
        CheckFormat::Text => {
            session::tell(found, sources, output);
            let stages = numbers::counted(checked.stages.len(), "stage");
            let took = numbers::duration(started.elapsed().as_secs_f64());
            let counted = if found.is_empty() { "no mistakes".to_owned() } else { session::counted(found) };
            output.say(&format!("{counted}, checked {stages} in {took}"));
        }
        CheckFormat::Json => output.data(&render(found, sources, Format::Json))?,
        CheckFormat::Sarif => output.data(&render(found, sources, Format::Sarif))?,
        CheckFormat::Github => output.data(&render(found, sources, Format::Github))?,
    }
    Ok(if found.has_errors() { Exit::Usage } else { Exit::Done })
}
