//! What stands between fields and in numbers, where that is another mark than was said: for messages.

use super::Layout;

/// Marks that stand between fields, with how each is written in a manifest.
const SEPARATORS: [(char, &str); 4] = [(';', ";"), ('\t', "\\t"), ('|', "|"), (',', ",")];

/// What may be meant to stand between the fields of a row, which the layout takes for one: the mark, and how it is written.
#[must_use]
pub fn separator_in(row: &str) -> Option<(char, &'static str)> {
    SEPARATORS.into_iter().find(|(mark, _)| row.contains(*mark))
}

/// How a separator is written that divides two rows into as many fields, where the layout's divides the first into none.
pub(super) fn separator_of(first: &str, other: &str) -> Option<&'static str> {
    let times = |row: &str, mark: char| row.matches(mark).count();
    let divides = |mark: char| times(first, mark) > 0 && times(first, mark) == times(other, mark);
    SEPARATORS.into_iter().find(|(mark, _)| divides(*mark)).map(|(_, written)| written)
}

/// What to say of a number that is written as no number of the layout is: `63,65`, `1.234,5` and `1,234.5`.
pub(super) fn number_hint(found: &str, layout: &Layout) -> Option<String> {
    if layout.decimal != b'.' || layout.thousands.is_some() {
        return None;
    }
    let (decimal, thousands) = match (found.rfind(','), found.rfind('.')) {
        (Some(comma), Some(point)) if comma < point => (None, Some(',')),
        (Some(_), Some(_)) => (Some(','), Some('.')),
        (Some(_), None) => (Some(','), None),
        (None, _) => return None,
    };
    let plain: String = found.chars().filter(|c| thousands != Some(*c)).collect();
    plain.replace(',', ".").parse::<f64>().ok().filter(|number| number.is_finite())?;
    let said = [("decimal", decimal), ("thousands", thousands)];
    let said = said.iter().filter_map(|(field, mark)| mark.map(|mark| format!("`{field} = \"{mark}\"`")));
    Some(format!("if `{found}` is a number, say how it is written: {}", said.collect::<Vec<_>>().join(" and ")))
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::*;

    #[test]
    fn numbers_with_commas_are_told_how_to_be_read() {
        let hint = |found: &str| number_hint(found, &Layout::new(Format::Csv)).unwrap_or_default();
        assert_eq!(hint("63,65"), "if `63,65` is a number, say how it is written: `decimal = \",\"`");
        let both = "if `-1.234.567,5` is a number, say how it is written: `decimal = \",\"` and `thousands = \".\"`";
        assert_eq!(hint("-1.234.567,5"), both);
        assert_eq!(hint("1,234.5"), "if `1,234.5` is a number, say how it is written: `thousands = \",\"`");
        for other in ["1,2,3", "x", "1.5", "a,b", ",", "1.2.3", "12,5 kg"] {
            assert_eq!(hint(other), "", "{other}");
        }
        let mut layout = Layout::new(Format::Csv);
        layout.decimal = b',';
        assert_eq!(number_hint("1,5.2", &layout), None);
    }

    #[test]
    fn a_separator_divides_both_rows_alike() {
        assert_eq!(separator_of("a;b;c", "1,5;2;3"), Some(";"));
        assert_eq!(separator_of("a\tb", "1\t2"), Some("\\t"));
        assert_eq!(separator_of("a;b", "1;2;3"), None);
        assert_eq!(separator_of("a", "1"), None);
    }
}
