//! Text inside of XML: of SVG pictures, HTML pages and JUnit reports.

/// Text with what XML reserves escaped, and with a replacement for the characters that it cannot hold.
#[must_use]
pub fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\t' | '\n' => out.push(c),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Text inside of double quotes; line breaks are kept as references, or a reader would make spaces of them.
#[must_use]
pub fn attribute(value: &str) -> String {
    text(value).replace('"', "&quot;").replace('\n', "&#10;").replace('\t', "&#9;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_reserves_and_cannot_hold_is_replaced() {
        assert_eq!(text("a<b & \"c\"\u{1}\u{85}\u{ffff}\n"), "a&lt;b &amp; \"c\"\u{fffd}\u{fffd}\u{fffd}\n");
        assert_eq!(attribute("\"é\"\n\t"), "&quot;é&quot;&#10;&#9;");
    }
}
