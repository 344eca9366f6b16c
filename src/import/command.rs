//! Command lines: taken apart where that is all a shell would do, else left to `sh -c`.

use super::template::{Params, Piece};

/// Around a param's name in the text of a command, until it is written.
pub(super) const PARAM: (char, char) = ('\u{e000}', '\u{e001}');

/// Words that only a shell understands, as a command's first.
const BUILTINS: &[&str] = &[
    ".", ":", "[", "[[", "{", "}", "!", "alias", "case", "cd", "do", "done", "eval", "exec", "exit", "export", "fi",
    "for", "function", "if", "let", "local", "popd", "pushd", "read", "return", "set", "shift", "source", "then",
    "time", "trap", "ulimit", "umask", "unset", "until", "wait", "while",
];

/// A command as `exec` takes it: the program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Command {
    /// The words; params stand in them between the characters of [`PARAM`].
    pub(super) words: Vec<String>,
    /// It is left to a shell.
    pub(super) shell: bool,
}

/// The command of some lines that are run one after the other in `wdir` (empty for where the program starts).
pub(super) fn command(lines: &[Vec<Piece>], wdir: &str, make_wdir: bool, params: &Params) -> Command {
    let texts: Vec<String> = lines.iter().map(|pieces| text(pieces)).collect();
    if let ([line], "") = (texts.as_slice(), wdir)
        && !needs_shell(line)
        && lines[0].iter().all(|piece| is_one_word(piece, params))
        && let Ok(words) = shell_words::split(line.trim())
        && words.first().is_some_and(|first| !BUILTINS.contains(&first.as_str()) && !first.contains('='))
    {
        return Command { words, shell: false };
    }
    if let ([line], "") = (texts.as_slice(), wdir) {
        return shell("-c", line.trim().to_owned());
    }
    let mut parts = Vec::new();
    if !wdir.is_empty() {
        let folder = quoted(wdir);
        parts.extend(make_wdir.then(|| format!("mkdir -p {folder}")));
        parts.push(format!("cd {folder}"));
    }
    parts.extend(texts.iter().zip(lines).map(|(text, pieces)| {
        let is_plain = pieces.iter().all(|piece| is_one_word(piece, params));
        one_of_several(text.trim(), is_plain)
    }));
    // One after the other, and none after a failure.
    shell("-ec", parts.join("\n"))
}

fn shell(flags: &str, script: String) -> Command {
    Command { words: vec!["sh".to_owned(), flags.to_owned(), script], shell: true }
}

/// A command among others. In DVC each has a shell of its own: what it does to that ends with it, and whether it has failed is
/// what its last line says, and no line before. So it is put into a subshell where that could make a difference; always where a
/// param in it is more than a word.
fn one_of_several(text: &str, is_plain: bool) -> String {
    let mut words = text.split(|c: char| c.is_whitespace() || "|()".contains(c));
    let is_simple = is_plain
        && !text.contains(['\n', ';', '&'])
        && !words.next().is_some_and(|word| word.contains('='))
        && !text.split_whitespace().any(|word| BUILTINS.contains(&word));
    if is_simple { text.to_owned() } else { format!("(set +e\n{text}\n)") }
}

fn text(pieces: &[Piece]) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => text.clone(),
        Piece::Param(name) => format!("{}{name}{}", PARAM.0, PARAM.1),
    };
    pieces.iter().map(piece).collect()
}

/// Whether a shell would leave a param's value as one word.
fn is_one_word(piece: &Piece, params: &Params) -> bool {
    let Piece::Param(name) = piece else { return true };
    let value = params.0.get(name).and_then(|(_, value)| value.plain()).unwrap_or_default();
    !value.is_empty() && !value.contains(char::is_whitespace) && !needs_shell(&value)
}

/// Whether a line holds something that only a shell does: pipes, redirections, variables, patterns.
fn needs_shell(line: &str) -> bool {
    let mut quote = None;
    let mut escaped = false;
    let mut word_begins = true;
    for c in line.trim().chars() {
        if escaped {
            escaped = false;
            // A line that goes on is none.
            word_begins = c == '\n';
            continue;
        }
        match (quote, c) {
            (Some('\''), c) => quote = if c == '\'' { None } else { quote },
            (_, '\\') => escaped = true,
            (Some(_), '$' | '`') => return true,
            (Some(open), c) => quote = if c == open { None } else { quote },
            (None, '\'' | '"') => quote = Some(c),
            (None, '|' | '&' | ';' | '<' | '>' | '(' | ')' | '$' | '`' | '*' | '?' | '[' | '\n') => return true,
            (None, '#' | '~') if word_begins => return true,
            _ => {}
        }
        word_begins = c.is_whitespace();
    }
    quote.is_some()
}

/// A word as a shell takes it for one.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// The words of a command that may name files, whoever runs it.
pub(super) fn mentioned(command: &Command) -> Vec<String> {
    let split = |text: &String| -> Vec<String> {
        let breaks = |c: char| c.is_whitespace() || "|&;<>()'\"=`".contains(c);
        text.split(breaks).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    if command.shell {
        return command.words.last().map(split).unwrap_or_default();
    }
    // `--config=params.yaml` may name a file too.
    let values = command.words.iter().filter_map(|word| word.split_once('=')).map(|(_, value)| value.to_owned());
    command.words.iter().cloned().chain(values).collect()
}
