//! Files and folders.

use super::View;
use crate::cli::CommandError;
use crate::frame::file::head;
use crate::numbers;
use crate::report::{Align, Table};
use crate::stage::{ArtifactRecord, InputFile, StageError};

/// So much of a file is looked at.
const HEAD: u64 = 64 << 10;

/// One file: its first lines, where it is text, compressed or not. Several: their names and sizes.
pub(super) fn text(artifact: &ArtifactRecord, view: View<'_>) -> Result<String, CommandError> {
    let input = view.store.input(artifact);
    if let [file] = input.files.as_slice() {
        return one(file, view);
    }
    let mut table = Table::new(["file", "size"]).align(&[Align::Left, Align::Right]);
    for file in &input.files {
        table.row([file.name.clone(), numbers::bytes(file.size)]);
    }
    Ok(format!("\n{}", table.render(view.output.width, 2, view.output.out)))
}

fn one(file: &InputFile, view: View<'_>) -> Result<String, CommandError> {
    let bytes = head(&file.path, HEAD).map_err(StageError::from)?;
    let mut out = format!("  {}\n", file.name);
    let Some(text) = as_text(&file.name, &bytes) else { return Ok(out) };
    out.push('\n');
    for line in text.lines().take(view.rows) {
        let line = console::truncate_str(line, view.output.width.saturating_sub(4), "…");
        out.push_str(&format!("    {line}\n"));
    }
    let all = (bytes.len() as u64) < HEAD && text.lines().count() <= view.rows;
    if !all {
        out.push_str(&format!("    {}\n", view.output.out.dim("…")));
    }
    Ok(out)
}

/// The text of a file's beginning; `None` where it is not text for a terminal, or the source of a picture.
fn as_text<'a>(name: &str, bytes: &'a [u8]) -> Option<&'a str> {
    if name.ends_with(".svg") {
        return None;
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // The cut may lie inside of a character.
        Err(error) if error.error_len().is_none() => std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    let strange = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    (!text.contains(strange)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_is_shown() {
        assert_eq!(as_text("a.txt", "é\n".as_bytes()), Some("é\n"));
        assert_eq!(as_text("a.txt", &"é".as_bytes()[..1]), Some(""));
        assert_eq!(as_text("a.gz", &[0x1f, 0x8b, 0x08]), None);
        assert_eq!(as_text("a.txt", b"\x1b[2J"), None);
        assert_eq!(as_text("curves.svg", b"<svg></svg>"), None);
    }
}
