//! What came of a verification as a JUnit report: a test case for each stage.

use super::text::{details, said};
use crate::cli::CommandError;
use crate::report::Paint;
use crate::report::junit::{Case, Verdict as Came, report};
use crate::verify::{StageVerdict, Verdict, Verification};
use std::path::Path;

/// Writes the report of a pipeline's verification.
pub(super) fn write(path: &Path, pipeline: &str, found: &Verification) -> Result<(), CommandError> {
    let cases: Vec<Case> = found.stages.iter().map(|stage| case(stage, &found.sides)).collect();
    std::fs::write(path, report(pipeline, &cases)).map_err(|error| CommandError::io("write", path, &error))
}

fn case(stage: &StageVerdict, sides: &(String, String)) -> Case {
    let plain = Paint::new(false);
    let words = said(stage, 1, sides, plain);
    let lines = details(&stage.verdict, sides, plain).join("\n");
    let (verdict, output) = match &stage.verdict {
        Verdict::InKilter { .. } => (Came::Passed, format!("{words}\n{lines}").trim_end().to_owned()),
        Verdict::NotCompared { .. } => (Came::Skipped(words), String::new()),
        Verdict::OffKilter(_) | Verdict::Changed { .. } | Verdict::NotLocked | Verdict::Failed(_) => {
            (Came::Failed(words, lines), String::new())
        }
    };
    Case { name: stage.stage.clone(), class: stage.kind.clone(), seconds: stage.seconds, verdict, output }
}
