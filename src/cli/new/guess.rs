//! What the columns are for: the likeliest target and its task, features by kind, and what is better left out.

use super::data::Data;
use super::manifest::{key, quoted};
use crate::cli::CommandError;
use crate::diag::{did_you_mean, list};
use crate::frame::ColumnProfile;
use crate::numbers::count;
use crate::types::DType;

/// What is to be predicted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// One of several classes.
    Category,
    /// Yes or no; the value that counts as yes, where it must be said.
    Binary(Option<String>),
    /// A number.
    Number,
}

/// What the columns are for.
#[derive(Clone, Debug)]
pub(super) struct Guess {
    pub(super) target: String,
    pub(super) task: Task,
    /// Rows without a target have to go.
    pub(super) target_missing: bool,
    pub(super) numeric: Vec<String>,
    /// Whether some numbers are missing.
    pub(super) impute: bool,
    pub(super) category: Vec<String>,
    /// Texts whose words are counted, where there is nothing else to learn from, and how they are taken apart.
    pub(super) words: Vec<(String, &'static str)>,
    /// Columns that are left out, and why.
    pub(super) left_out: Vec<(String, String)>,
}

impl Guess {
    /// How many columns the model sees.
    pub(super) fn features(&self) -> usize {
        self.numeric.len() + self.category.len() + self.words.len()
    }
}

/// More classes than this are rather a number, an id or a text.
const MOST_CLASSES: usize = 50;
const NAMES: &[&str] = &[
    "target",
    "label",
    "labels",
    "class",
    "y",
    "outcome",
    "response",
    "species",
    "category",
    "quality",
    "price",
    "churn",
    "survived",
    "default",
    "diagnosis",
    "sentiment",
    "rating",
];

/// Guesses what the columns are for; the target may be given.
pub(super) fn guess(data: &Data, target: Option<&str>) -> Result<Guess, CommandError> {
    let columns = &data.columns;
    let target = match target {
        Some(name) => named(columns, name)?,
        None => likeliest(columns).ok_or_else(|| {
            CommandError::usage("no column looks like something to predict")
                .note("a target has a few classes, or is a number")
                .hint("name it with `--target`")
        })?,
    };
    let mut guess = Guess {
        target: target.name.clone(),
        task: task(target).ok_or_else(|| {
            CommandError::usage(format!("`{}` cannot be predicted: {}", target.name, unfit(target)))
                .hint("take a column with a few classes, or with numbers")
        })?,
        target_missing: target.missing > 0,
        numeric: Vec::new(),
        impute: false,
        category: Vec::new(),
        words: Vec::new(),
        left_out: Vec::new(),
    };
    for column in columns.iter().filter(|column| column.name != target.name) {
        guess.place(column);
    }
    if guess.features() == 0 {
        guess.read_texts(columns);
    }
    if guess.features() == 0 {
        return Err(CommandError::usage(format!("no column is left to predict `{}` from", target.name))
            .note(guess.left_out.iter().map(|(name, why)| format!("`{name}`: {why}")).collect::<Vec<_>>().join("\n")));
    }
    Ok(guess)
}

impl Guess {
    fn place(&mut self, column: &ColumnProfile) {
        let name = column.name.clone();
        let classes = column.distinct();
        let mut leave = |why: &str| self.left_out.push((name.clone(), why.to_owned()));
        match &column.dtype {
            _ if column.missing == column.rows => leave("is empty"),
            _ if classes == Some(1) && column.missing == 0 => leave("has one value only"),
            dtype if dtype.is_integer() && column.growing && column.rows > 20 => leave("grows from row to row: an id"),
            dtype if dtype.is_numeric() => {
                self.impute |= column.missing > 0;
                self.numeric.push(name);
            }
            DType::Bool => self.category.push(name),
            DType::Str if classes.is_some_and(|classes| classes <= most_categories(column)) => self.category.push(name),
            DType::Str => leave(&text_use(column)),
            dtype if dtype.is_temporal() && !dtype.is_duration() => leave(&time_use(column, "")),
            dtype => leave(&format!("has the type {dtype}: derive numbers from it in a `table` stage")),
        }
    }

    /// Takes the words of texts that were left out.
    fn read_texts(&mut self, columns: &[ColumnProfile]) {
        let texts = columns.iter().filter(|column| column.name != self.target && is_prose(column));
        self.words = texts.map(|column| (column.name.clone(), analyzer(column))).collect();
        self.left_out.retain(|(name, _)| !self.words.iter().any(|(taken, _)| taken == name));
    }
}

/// What a column of texts could be, which nobody but its owner knows.
fn text_use(column: &ColumnProfile) -> String {
    if let Some(dtype) = written_time(column) {
        return time_use(column, &format!("types.{} = \"{dtype}\" in `read`, and ", key(&column.name)));
    }
    let many = column.distinct().map_or_else(|| "very many".to_owned(), |classes| count(classes as u64));
    format!(
        "is text with {many} different values; to use its words: features.words = {{ text = {}{} }}",
        quoted(&column.name),
        analyzer(column)
    )
}

/// How a column's texts are taken apart, as the field that says so. A Chinese word in some of many English texts makes none of them
/// Chinese.
fn analyzer(column: &ColumnProfile) -> &'static str {
    if column.chinese * 2 > column.spaced { ", analyzer = \"chinese\"" } else { "" }
}

/// Whether a column holds sentences rather than names, numbers or times of something.
fn is_prose(column: &ColumnProfile) -> bool {
    let worded = column.spaced.max(column.chinese);
    column.dtype == DType::Str && written_time(column).is_none() && worded * 2 > column.rows - column.missing
}

fn time_use(column: &ColumnProfile, before: &str) -> String {
    format!("holds times; to use them: {before}features.when = {{ time = {} }}", quoted(&column.name))
}

/// The type of times that all values are written as: `2026-05-04`, or that with a time of day.
fn written_time(column: &ColumnProfile) -> Option<&'static str> {
    let values = column.values.as_ref().filter(|values| !values.is_empty())?;
    let digits = |text: &str, places: &[usize]| {
        places.iter().all(|place| text.as_bytes().get(*place).is_some_and(u8::is_ascii_digit))
    };
    let is_day = |text: &str| {
        digits(text, &[0, 1, 2, 3, 5, 6, 8, 9]) && text.get(4..5) == Some("-") && text.get(7..8) == Some("-")
    };
    let is_moment = |text: &str| digits(text, &[11, 12, 14, 15]) && text.get(13..14) == Some(":");
    if !values.keys().all(|text| is_day(text)) {
        return None;
    }
    if values.keys().all(|text| text.len() == 10) {
        return Some("date");
    }
    values.keys().all(|text| is_moment(text)).then_some("datetime")
}

/// A category must occur a few times to be learnt.
fn most_categories(column: &ColumnProfile) -> usize {
    (column.rows / 10).clamp(2, 200)
}

fn named<'a>(columns: &'a [ColumnProfile], name: &str) -> Result<&'a ColumnProfile, CommandError> {
    columns.iter().find(|column| column.name == name).ok_or_else(|| {
        let names = || columns.iter().map(|column| column.name.as_str());
        let hint = did_you_mean(name, names()).unwrap_or_else(|| format!("its columns are {}", list(names(), 20)));
        CommandError::usage(format!("the data has no column `{name}`")).hint(hint)
    })
}

/// The column with the best name; else the last that has a few classes; else the last number.
fn likeliest(columns: &[ColumnProfile]) -> Option<&ColumnProfile> {
    let fits = |column: &&ColumnProfile| {
        // Times of which some repeat are no classes.
        let is_time = || written_time(column).is_some();
        task(column).is_some() && !(column.growing && column.dtype.is_integer()) && !is_time()
    };
    let by_name = |column: &&ColumnProfile| {
        let name = column.name.to_lowercase();
        NAMES.iter().position(|known| name == *known)
    };
    let named = columns.iter().filter(fits).filter_map(|column| Some((by_name(&column)?, column)));
    if let Some((_, column)) = named.min_by_key(|(rank, _)| *rank) {
        return Some(column);
    }
    let few = |column: &&ColumnProfile| {
        matches!(column.dtype, DType::Str | DType::Bool) && column.distinct().is_some_and(|classes| classes >= 2)
    };
    columns.iter().filter(fits).rfind(few).or_else(|| columns.iter().rfind(fits))
}

/// What predicting a column would be; `None` where it makes no sense.
fn task(column: &ColumnProfile) -> Option<Task> {
    let classes = column.distinct();
    let few = |most: usize| classes.is_some_and(|classes| (2..=most).contains(&classes));
    match &column.dtype {
        DType::Bool if few(2) => Some(Task::Binary(None)),
        DType::Str if few(MOST_CLASSES) && few(most_categories(column)) => Some(Task::Category),
        dtype if dtype.is_integer() && is_zero_one(column) => Some(Task::Binary(None)),
        dtype if dtype.is_integer() && few(12.min(most_categories(column))) => Some(Task::Category),
        dtype if dtype.is_numeric() && classes.is_none_or(|classes| classes > 2) => Some(Task::Number),
        _ => None,
    }
}

fn is_zero_one(column: &ColumnProfile) -> bool {
    column.values.as_ref().is_some_and(|values| values.keys().eq(["0", "1"]))
}

fn unfit(column: &ColumnProfile) -> String {
    match column.distinct() {
        Some(0) => "it is empty".to_owned(),
        Some(1) => "it has one value only".to_owned(),
        Some(classes) if column.dtype == DType::Str => format!("it is text with {classes} different values"),
        _ => format!("it has the type {}", column.dtype),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::new::data;
    use std::path::Path;

    fn penguins() -> Data {
        data::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/penguins.csv")).expect("data")
    }

    #[test]
    fn penguins_are_told_apart_by_all_else() {
        let guess = guess(&penguins(), None).expect("a guess");
        assert_eq!((guess.target.as_str(), &guess.task), ("species", &Task::Category));
        assert_eq!(guess.numeric, ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g", "year"]);
        assert_eq!(guess.category, ["island", "sex"]);
        assert!(guess.impute && !guess.target_missing);
    }

    #[test]
    fn what_is_left_out_says_how_to_use_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.csv");
        let guess_of = |more: &str, size: &dyn Fn(usize) -> String| {
            let row = |row: usize| {
                let (day, size) = (row + 1, size(row));
                format!("2026-01-{day:02},2026-01-{day:02} 07:30:00,好书 {row},a story {row},{}{size}\n", row % 2)
            };
            let rows: String = (0..30).map(row).collect();
            std::fs::write(&path, format!("day,at,评论,note,label{more}\n{rows}")).expect("written");
            super::guess(&data::read(&path).expect("data"), Some("label")).expect("a guess")
        };
        // Where there is nothing else, texts are learnt from.
        let guess = guess_of("", &|_| String::new());
        let words = [("评论".to_owned(), ", analyzer = \"chinese\""), ("note".to_owned(), "")];
        assert_eq!((guess.features(), guess.words), (2, words.to_vec()));
        let guess = guess_of(",size", &|row| format!(",{}", row * 7 % 30));
        assert!(guess.words.is_empty());
        let told: Vec<String> = guess.left_out.iter().map(|(name, why)| format!("`{name}`: {why}")).collect();
        let told = told.join("\n");
        for said in [
            "`day`: holds times; to use them: types.day = \"date\" in `read`, and features.when = { time = \"day\" }",
            "types.at = \"datetime\" in `read`",
            "`评论`: is text with 30 different values; to use its words: features.words = { text = \"评论\", analyzer = \"chinese\" }",
            "features.words = { text = \"note\" }",
        ] {
            assert!(told.contains(said), "{said}\n{told}");
        }
    }

    #[test]
    fn a_few_chinese_words_make_no_texts_chinese() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.csv");
        let row =
            |row: usize| format!("a story of {row}{},{}\n", if row.is_multiple_of(6) { " 春" } else { "" }, row % 2);
        std::fs::write(&path, format!("note,label\n{}", (0..30).map(row).collect::<String>())).expect("written");
        let guess = super::guess(&data::read(&path).expect("data"), Some("label")).expect("a guess");
        assert_eq!(guess.words, [("note".to_owned(), "")]);
    }

    #[test]
    fn days_that_repeat_are_no_target() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.csv");
        let rows: String = (0..90).map(|row| format!("{},2026-01-{:02}\n", row * 7 % 5, row % 3 + 1)).collect();
        std::fs::write(&path, format!("stars,day\n{rows}")).expect("written");
        let data = data::read(&path).expect("data");
        assert_eq!(likeliest(&data.columns).map(|column| column.name.as_str()), Some("stars"));
    }

    #[test]
    fn a_given_target_decides_the_task() {
        let guess = guess(&penguins(), Some("body_mass_g")).expect("a guess");
        assert_eq!(guess.task, Task::Number);
        assert!(guess.target_missing);
        let error = super::guess(&penguins(), Some("spceies")).expect_err("no such column");
        assert_eq!(error.hints, ["did you mean `species`?"]);
    }
}
