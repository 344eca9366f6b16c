//! Where words go: data to stdout, everything else to stderr; colour; how much to say; closed pipes.

use super::args::{Global, When};
use super::exit::{CommandError, Exit};
use crate::env;
use crate::report::Paint;
use std::io::{IsTerminal, Write};

/// How much to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What went wrong.
    Quiet,
    /// That, progress and results.
    Normal,
    /// Cached stages too.
    Verbose,
}

/// The two streams and how to write to them.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// How much to say.
    pub level: Level,
    /// Colours of stdout.
    pub out: Paint,
    /// Colours of stderr.
    pub err: Paint,
    /// Whether stderr can show a live display.
    pub live: bool,
    /// Columns of the terminal; 100 where there is none.
    pub width: usize,
    /// Whether stdout goes to a person's terminal.
    pub terminal: bool,
}

/// What colour depends on, for one stream.
#[derive(Clone, Copy, Debug)]
struct Surroundings {
    when: When,
    terminal: bool,
    no_color: bool,
    forced: bool,
    dumb: bool,
}

impl Surroundings {
    /// `--color` decides, then `NO_COLOR`, then `CLICOLOR_FORCE`, then whether it is a terminal that knows colours.
    fn colour(self) -> bool {
        match self.when {
            When::Always => true,
            When::Never => false,
            When::Auto => !self.no_color && (self.forced || (self.terminal && !self.dumb)),
        }
    }
}

impl Output {
    /// Decides once for the whole process.
    #[must_use]
    pub fn new(global: &Global) -> Self {
        let given = |name: &str| env::var(name).is_some_and(|value| !value.is_empty());
        let dumb = env::var("TERM").is_some_and(|term| term == "dumb");
        let (stdout, stderr) = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
        let colour = |terminal: bool| Surroundings {
            when: global.color,
            terminal,
            no_color: given("NO_COLOR"),
            forced: env::var("CLICOLOR_FORCE").is_some_and(|value| !value.is_empty() && value != "0"),
            dumb,
        };
        let level = match (global.quiet, global.verbose) {
            (true, _) => Level::Quiet,
            (_, true) => Level::Verbose,
            _ => Level::Normal,
        };
        Self {
            level,
            out: Paint::new(colour(stdout).colour()),
            err: Paint::new(colour(stderr).colour()),
            live: stderr && !dumb && level != Level::Quiet,
            width: width(),
            terminal: stdout,
        }
    }

    /// Writes data to stdout.
    ///
    /// # Errors
    /// A closed pipe ends the command, with exit code 0; anything else is reported.
    pub fn data(&self, text: &str) -> Result<(), CommandError> {
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(|error| match error.kind() {
            std::io::ErrorKind::BrokenPipe => CommandError::said(Exit::Done),
            _ => CommandError::environment(format!("cannot write to stdout: {}", crate::stage::io_words(&error))),
        })
    }

    /// Writes a value to stdout as one JSON document.
    ///
    /// # Errors
    /// See [`Output::data`].
    pub fn json(&self, value: &serde_json::Value) -> Result<(), CommandError> {
        self.data(&format!("{value:#}\n"))
    }

    /// Says something on stderr, unless quiet. A stderr that cannot be written to is nobody's business.
    pub fn say(&self, text: &str) {
        if self.level != Level::Quiet {
            self.warn(text);
        }
    }

    /// Says something on stderr, quiet or not.
    pub fn warn(&self, text: &str) {
        let end = if text.ends_with('\n') { "" } else { "\n" };
        let _ = std::io::stderr().lock().write_all(format!("{text}{end}").as_bytes());
    }

    /// Says why the command ended.
    pub fn error(&self, error: &CommandError) {
        if error.message.is_empty() {
            return;
        }
        let paint = self.err;
        let mut text = format!("{}: {}\n", paint.red("error"), paint.bold(&error.message));
        for note in &error.notes {
            text.push_str(&format!("  {}\n", note.replace('\n', "\n  ")));
        }
        for hint in &error.hints {
            text.push_str(&format!("  {} {}\n", paint.cyan("="), hint.replace('\n', "\n    ")));
        }
        self.warn(&text);
    }
}

/// Columns of the terminal that stderr or stdout is, else what `COLUMNS` says, else 100; at least 40.
fn width() -> usize {
    let terminal = |term: console::Term| term.size_checked().map(|(_, columns)| usize::from(columns));
    terminal(console::Term::stderr())
        .or_else(|| terminal(console::Term::stdout()))
        .or_else(|| env::var("COLUMNS")?.parse().ok())
        .unwrap_or(100)
        .max(40)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_follows_the_conventions() {
        let base = Surroundings { when: When::Auto, terminal: true, no_color: false, forced: false, dumb: false };
        assert!(base.colour());
        assert!(!Surroundings { no_color: true, ..base }.colour());
        assert!(!Surroundings { dumb: true, ..base }.colour());
        assert!(!Surroundings { terminal: false, ..base }.colour());
        assert!(Surroundings { terminal: false, forced: true, ..base }.colour());
        assert!(!Surroundings { no_color: true, forced: true, ..base }.colour());
        assert!(Surroundings { when: When::Always, no_color: true, ..base }.colour());
        assert!(!Surroundings { when: When::Never, forced: true, ..base }.colour());
    }
}
