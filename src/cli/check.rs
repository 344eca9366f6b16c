//! `kilter check`

use super::args::{self, CheckFormat};
use super::session::{self, Place};
use super::{Exit, Outcome, Output, locate};
use crate::diag::{Format, render};
use crate::numbers;
use std::time::Instant;

pub(super) fn run(options: &args::Check, output: Output, started: Instant) -> Outcome {
    let manifest = locate::manifest(&options.manifest.words())?;
    let place = Place::of(&manifest, &options.params.set)?;
    if options.format == CheckFormat::Text
        && let Some(standing) = place.standing(false)
    {
        tell_counts("no mistakes", standing.stages().count(), output, started);
        return Ok(Exit::Done);
    }
    let session = place.open();
    session.keep(&options.params.set);
    let checked = &session.checked;
    let (found, sources) = (&checked.diagnostics, &checked.sources);
    match options.format {
        CheckFormat::Text => {
            session::tell(found, sources, output);
            let counted = if found.is_empty() { "no mistakes".to_owned() } else { session::counted(found) };
            tell_counts(&counted, checked.stages.len(), output, started);
        }
        CheckFormat::Json => output.data(&render(found, sources, Format::Json))?,
        CheckFormat::Sarif => output.data(&render(found, sources, Format::Sarif))?,
        CheckFormat::Github => output.data(&render(found, sources, Format::Github))?,
    }
    Ok(if found.has_errors() { Exit::Usage } else { Exit::Done })
}

fn tell_counts(found: &str, stages: usize, output: Output, started: Instant) {
    let (stages, took) = (numbers::counted(stages, "stage"), numbers::duration(started.elapsed().as_secs_f64()));
    output.say(&format!("{found}, checked {stages} in {took}"));
}
