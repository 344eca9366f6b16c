//! Whether texts sort as the times that they are: `31/12/2023` comes after `01/01/2024`.

use crate::diag::toml_key;
use crate::stage::StageError;
use polars::prelude::Column;

/// Refuses a column of texts that do not all begin with a year and are equally long; other types have the order of time or of
/// numbers.
///
/// # Errors
/// The first such text, with its row.
pub fn sorts_by_time(column: &Column) -> Result<(), StageError> {
    let Ok(texts) = column.str() else { return Ok(()) };
    let length = texts.iter().flatten().next().map_or(0, str::len);
    let wrong = |text: &str| text.len() != length || !begins_with_a_year(text);
    let found = texts.iter().enumerate().find_map(|(row, text)| Some((row, text.filter(|text| wrong(text))?)));
    let Some((row, text)) = found else { return Ok(()) };
    let (name, key) = (column.name(), toml_key(column.name()));
    Err(StageError::data(format!("`{name}` holds `{text}` in row {}, which does not sort by time", row + 1))
        .note("texts do where all begin with the year in four digits and are equally long: `2023-12-31`")
        .hint(format!(
            "make dates of them in a `table` stage before: `{{ derive = {{ {key} = \"strptime({name}, '%d/%m/%Y')\" }} }}`"
        ))
        .hint(format!("or, as `2023-12-31 05:00`, cast them: `{{ cast = {{ {key} = \"datetime\" }} }}`")))
}

/// Four digits, and where eight digits are all that there is, a month and a day behind them: `31122023` begins with no year.
fn begins_with_a_year(text: &str) -> bool {
    let digits =
        |from: usize, to: usize| text.get(from..to).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    let is_day = |day: &str| ("01".."13").contains(&&day[..2]) && ("01".."32").contains(&&day[2..]);
    digits(0, 4).is_some() && (text.len() != 8 || digits(4, 8).is_none_or(is_day))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(texts: &[Option<&str>]) -> Option<String> {
        sorts_by_time(&Column::new("d".into(), texts)).err().map(|error| error.message)
    }

    #[test]
    fn texts_that_begin_with_the_year_sort_by_time() {
        for fine in [
            ["2023-12-31", "2024-01-01"],
            ["20231231", "20240101"],
            ["2023-12-31T05:00Z", "2024-01-01T00:00Z"],
            ["0001", "0002"],
            ["2023 W52", "2024 W01"],
        ] {
            assert_eq!(told(&[Some(fine[0]), None, Some(fine[1])]), None, "{fine:?}");
        }
        for (wrong, row) in [
            (["31/12/2023", "01/01/2024"], 1),
            (["2023-12-31", "2024-1-1"], 3),
            (["20240112", "31122023"], 3),
            (["2024", "yesterday"], 3),
            (["1.1.2024", "2.1.2024"], 1),
        ] {
            let text = wrong[usize::from(row == 3)];
            let message = format!("`d` holds `{text}` in row {row}, which does not sort by time");
            assert_eq!(told(&[Some(wrong[0]), None, Some(wrong[1])]), Some(message));
        }
        assert!(sorts_by_time(&Column::new("d".into(), [3, 1])).is_ok());
    }
}
