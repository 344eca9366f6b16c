//! JUnit reports, which most CI systems show: a test suite for a pipeline, a test case for each stage.

use crate::event::Event;
use crate::xml::{attribute, text};
use std::fmt::Write;

/// How a test case came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Well.
    Passed,
    /// It did not do what it should: a message, and more lines.
    Failed(String, String),
    /// It could not be tried: why.
    Skipped(String),
}

/// One test case.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// What was tried: a stage.
    pub name: String,
    /// What it is: its kind.
    pub class: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// How it came out.
    pub verdict: Verdict,
    /// More about it: a summary.
    pub output: String,
}

/// The test case of a stage that is through; `None` for other events.
#[must_use]
pub fn case(event: &Event) -> Option<Case> {
    Some(match event {
        Event::StageDone { stage, kind, cached, seconds, summary, .. } => Case {
            name: stage.clone(),
            class: kind.clone(),
            // It took no time in this run.
            seconds: if *cached { 0.0 } else { *seconds },
            verdict: Verdict::Passed,
            output: if *cached { format!("{summary} (cached)") } else { summary.clone() },
        },
        Event::StageFailed { stage, kind, seconds, failure, .. } => {
            let place = failure.place.iter().map(|place| format!("at {place}"));
            let log = failure.log.iter().map(|log| format!("its log is {log}"));
            let lines = place.chain(failure.notes.iter().cloned()).chain(failure.diagnostics.iter().cloned());
            let lines: Vec<String> = lines.chain(failure.hints.iter().cloned()).chain(log).collect();
            let verdict = Verdict::Failed(failure.message.clone(), lines.join("\n"));
            let (name, class) = (stage.clone(), kind.clone());
            Case { name, class, seconds: *seconds, verdict, output: String::new() }
        }
        Event::StageSkipped { stage, reason } => {
            let verdict = Verdict::Skipped(reason.clone());
            Case { name: stage.clone(), class: "stage".to_owned(), seconds: 0.0, verdict, output: String::new() }
        }
        _ => return None,
    })
}

/// The report of one suite.
#[must_use]
pub fn report(suite: &str, cases: &[Case]) -> String {
    let count = |test: fn(&Verdict) -> bool| cases.iter().filter(|case| test(&case.verdict)).count();
    let failures = count(|verdict| matches!(verdict, Verdict::Failed(..)));
    let skipped = count(|verdict| matches!(verdict, Verdict::Skipped(_)));
    let seconds: f64 = cases.iter().map(|case| case.seconds).sum();
    let facts = format!(
        "name=\"{}\" tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\" time=\"{seconds:.3}\"",
        attribute(suite),
        cases.len()
    );
    let mut out = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {facts}>\n<testsuite {facts}>\n");
    for case in cases {
        let (name, class) = (attribute(&case.name), attribute(&format!("{suite}.{}", case.class)));
        let _ = write!(out, "<testcase name=\"{name}\" classname=\"{class}\" time=\"{:.3}\">", case.seconds);
        match &case.verdict {
            Verdict::Passed => {}
            Verdict::Failed(message, lines) => {
                let _ = write!(out, "<failure message=\"{}\">{}</failure>", attribute(message), text(lines));
            }
            Verdict::Skipped(why) => {
                let _ = write!(out, "<skipped message=\"{}\"/>", attribute(why));
            }
        }
        if !case.output.is_empty() {
            let _ = write!(out, "<system-out>{}</system-out>", text(&case.output));
        }
        out.push_str("</testcase>\n");
    }
    out.push_str("</testsuite>\n</testsuites>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Failure;

    #[test]
    fn a_report_counts_and_escapes() {
        let failure = Failure {
            message: "`sh` said \"<no>\" & ended".into(),
            notes: vec!["line\u{1b}[31m one".into()],
            place: Some("p.toml:3:1".into()),
            ..Failure::default()
        };
        let failed = Event::StageFailed {
            stage: "b".into(),
            kind: "exec".into(),
            key: None,
            seconds: 1.5,
            failure,
            gate: false,
        };
        let skipped = Event::StageSkipped { stage: "c".into(), reason: "it needs `b`, which failed".into() };
        let cases: Vec<Case> = [failed, skipped].iter().filter_map(case).collect();
        let found = report("p", &cases);
        assert!(found.contains("tests=\"2\" failures=\"1\" errors=\"0\" skipped=\"1\" time=\"1.500\""), "{found}");
        assert!(found.contains("message=\"`sh` said &quot;&lt;no&gt;&quot; &amp; ended\""), "{found}");
        assert!(found.contains(">at p.toml:3:1\nline\u{fffd}[31m one</failure>"), "{found}");
        assert!(found.contains("<skipped message=\"it needs `b`, which failed\"/>"), "{found}");
        assert!(found.contains("<testcase name=\"b\" classname=\"p.exec\" time=\"1.500\">"), "{found}");
    }
}
