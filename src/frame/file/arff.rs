//! ARFF, the format of Weka and of many collections of data sets: a header of typed attributes, then rows, dense or
//! sparse. Nominal values are text, and one that the header does not list is an error; `?` is a missing value.

use super::odd::{Found, Odd, text_is_rounded};
use super::text::{Text, line_at};
use super::types::no_such_column;
use super::{BadFile, FileWatch, Layout, binary, figures, time, width};
use crate::types::DType;
use polars::prelude::*;
use std::collections::BTreeMap;

/// What an attribute holds.
#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Real,
    Whole,
    Text,
    Nominal(Vec<String>),
    Moment,
}

#[derive(Clone, Debug, PartialEq)]
struct Attribute {
    name: String,
    kind: Kind,
}

/// A value of a row, as it stands there.
#[derive(Clone, Debug, PartialEq)]
struct Value {
    text: String,
    quoted: bool,
}

/// The values of one column.
enum Values {
    Real(Vec<Option<f64>>),
    Whole(Vec<Option<i64>>),
    /// Numbers that are declared to be whole ones.
    Exact(Vec<Option<i128>>),
    Text(Vec<Option<String>>),
    Moment(Vec<Option<i64>>),
}

/// It is told how far it is after so many lines.
const BLOCK: usize = 1 << 14;

pub(super) fn read(bytes: &[u8], layout: &Layout, watch: FileWatch<'_>) -> Result<DataFrame, BadFile> {
    let decoded = Text::decode(bytes, layout.encoding, true);
    if let Some(bad) = decoded.not_in(layout, bytes).or_else(|| decoded.not_text(bytes, layout.encoding)) {
        return Err(bad);
    }
    if decoded.text.trim().is_empty() {
        return Err(BadFile::new("the file is empty: it has no `@attribute`").hint("give a file with rows"));
    }
    let (attributes, body) = header(&decoded.text)?;
    let names = || attributes.iter().map(|attribute| attribute.name.as_str());
    if let Some(unfitting) = layout.types.unfitting(names()).first() {
        return Err(no_such_column(unfitting, names()));
    }
    let columns = rows(&decoded.text, body, &attributes, layout, watch)?;
    let height = columns.first().map_or(0, Values::len);
    let columns = attributes.iter().zip(columns).map(|(attribute, values)| values.column(&attribute.name)).collect();
    let columns = binary::cast_declared(columns, &layout.types)?;
    DataFrame::new(height, columns).map_err(|error| BadFile::polars("make a table of the file", &error))
}

/// The values of the rows, which begin at `body`.
fn rows(
    text: &str,
    body: usize,
    attributes: &[Attribute],
    layout: &Layout,
    watch: FileWatch<'_>,
) -> Result<Vec<Values>, BadFile> {
    let values = |attribute: &Attribute| Values::new(&attribute.kind, layout.types.get(&attribute.name));
    let mut columns: Vec<Values> = attributes.iter().map(values).collect();
    let mut oddities: BTreeMap<usize, (Odd, Found)> = BTreeMap::new();
    let lines: Vec<&str> = text[body..].split_inclusive('\n').collect();
    let blocks = lines.chunks(BLOCK);
    // A header without rows is one block that is done.
    let parts = watch.parts(blocks.len(), "blocks of lines");
    let mut at = body;
    for block in blocks {
        for line in block {
            let place = at;
            at += line.len();
            let line = line.trim();
            if line.is_empty() || line.starts_with('%') {
                continue;
            }
            let told = |wrong: String| {
                BadFile::new(format!("line {}{wrong}", line_at(text, place)))
                    .hint("mend the line or its `@attribute`; a missing value is `?`")
            };
            for (index, odd, text_there) in row(line, attributes, &mut columns).map_err(told)? {
                let first = || (odd, found(line_at(text, place), index, &attributes[index].name, text_there));
                oddities.entry(index).or_insert_with(first).1.count += 1;
            }
        }
        parts.one();
    }
    if lines.is_empty() {
        parts.one();
    }
    for (odd, found) in oddities.into_values() {
        let is_said = odd == Odd::Rounded && layout.types.get(&found.column).is_some();
        if !is_said {
            watch.odd(odd, found);
        }
    }
    Ok(columns)
}

/// The first of what is odd in a column, not counted yet.
fn found(line: usize, index: usize, column: &str, text: String) -> Found {
    Found { count: 0, at: (line, index), of: "line", column: column.to_owned(), text, as_decimal: true }
}

/// The attributes, and where the rows begin.
fn header(text: &str) -> Result<(Vec<Attribute>, usize), BadFile> {
    let mut attributes: Vec<Attribute> = Vec::new();
    let mut names = std::collections::BTreeSet::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let place = at;
        at += line.len();
        let line = line.trim();
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match word.to_ascii_lowercase().as_str() {
            "" | "@relation" => {}
            "@data" if attributes.is_empty() => break,
            "@data" => return width::bounded(attributes.len(), "the header has").map(|()| (attributes, at)),
            "@attribute" => {
                let wrong = |message: String| BadFile::new(format!("line {}: {message}", line_at(text, place)));
                let found = attribute(rest.trim()).map_err(wrong)?;
                if !names.insert(found.name.clone()) {
                    return Err(wrong(format!("the attribute `{}` is declared twice", found.name)));
                }
                attributes.push(found);
            }
            _ if line.starts_with('%') => {}
            _ => {
                let shown: String = line.chars().take(60).collect();
                let line = line_at(text, place);
                return Err(BadFile::new(format!("line {line} is not ARFF: found `{shown}`"))
                    .hint("a header has lines `@relation`, `@attribute NAME TYPE` and `@data`; is the file something else? say so with `format`"));
            }
        }
    }
    let missing = if attributes.is_empty() { "no `@attribute`" } else { "no `@data`" };
    Err(BadFile::new(format!("the file is not ARFF: it has {missing}")).hint("say what the file is with `format`"))
}

fn attribute(text: &str) -> Result<Attribute, String> {
    let mut rest = text;
    let name = value(&mut rest, &[' ', '\t', '{']).map_err(|wrong| wrong.trim_start_matches(": ").to_owned())?.text;
    let rest = rest.trim();
    if name.is_empty() || rest.is_empty() {
        return Err("an attribute has a name and a type".to_owned());
    }
    let word = rest.split_whitespace().next().unwrap_or(rest).to_ascii_lowercase();
    let kind = match word.as_str() {
        _ if rest.starts_with('{') => {
            let inner =
                rest.trim_start_matches('{').strip_suffix('}').ok_or("the list of values has no closing `}`")?;
            let values = values(inner, ',').map_err(|wrong| wrong.trim_start_matches(": ").to_owned())?;
            Kind::Nominal(values.into_iter().map(|value| value.text).collect())
        }
        "numeric" | "real" => Kind::Real,
        "integer" => Kind::Whole,
        "string" => Kind::Text,
        "date" => match rest[4..].trim().trim_matches(['"', '\'']) {
            "" | "yyyy-MM-dd'T'HH:mm:ss" | "yyyy-MM-dd HH:mm:ss" | "yyyy-MM-dd" | "yyyy-MM-dd HH:mm" => Kind::Moment,
            "yyyy-MM-dd'T'HH:mm:ss.SSS" | "yyyy-MM-dd HH:mm:ss.SSS" => Kind::Moment,
            // Another way of writing dates stays as it is written.
            _ => Kind::Text,
        },
        "relational" => {
            return Err(format!("`{name}` holds tables of its own (relational), which kilter does not read"));
        }
        _ => {
            return Err(format!(
                "`{word}` is no type of an attribute, expected numeric, integer, string, date or `{{a, b}}`"
            ));
        }
    };
    Ok(Attribute { name, kind })
}

/// One value from the beginning of `rest`, in quotes or up to one of `ends`; `rest` is then what follows it.
fn value(rest: &mut &str, ends: &[char]) -> Result<Value, String> {
    let text = rest.trim_start();
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'));
    let Some(quote) = quote else {
        let end = text.find(ends).unwrap_or(text.len());
        *rest = &text[end..];
        return Ok(Value { text: text[..end].trim().to_owned(), quoted: false });
    };
    let mut out = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => out.extend(characters.next().map(|(_, escaped)| match escaped {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                other => other,
            })),
            c if c == quote => {
                *rest = &text[at + 1..];
                return Ok(Value { text: out, quoted: true });
            }
            c => out.push(c),
        }
    }
    Err(": a quote is never closed".to_owned())
}

/// All values of a text, between separators.
fn values(text: &str, separator: char) -> Result<Vec<Value>, String> {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        let next = value(&mut rest, &[separator])?;
        found.push(next);
        rest = rest.trim_start_matches([' ', '\r']);
        match rest.strip_prefix(separator) {
            Some(more) => rest = more,
            // Behind the last value an instance's weight may stand, `{2}`, which is no value.
            None if rest.trim().is_empty() || rest.trim_start().starts_with('{') => return Ok(found),
            None => return Err(format!(" has text behind a closing quote: `{}`", rest.trim())),
        }
    }
}

/// A value that is not kept as it stands: of which attribute, in which way, its text.
type Unkept = (usize, Odd, String);

fn row(line: &str, attributes: &[Attribute], columns: &mut [Values]) -> Result<Vec<Unkept>, String> {
    if let Some(sparse) = line.strip_prefix('{') {
        return sparse_row(sparse, attributes, columns);
    }
    let separator = if line.contains(',') || !line.contains('\t') { ',' } else { '\t' };
    let mut found = values(line, separator)?;
    let weighted = found.last().is_some_and(|value| !value.quoted && value.text.starts_with('{'));
    if weighted && found.len() == attributes.len() + 1 {
        found.pop();
    }
    if found.len() != attributes.len() {
        let found = crate::numbers::counted(found.len(), "value");
        return Err(format!(" has {found}, expected {}: one for each attribute", attributes.len()));
    }
    let mut unkept = Vec::new();
    for (index, ((value, attribute), column)) in found.iter().zip(attributes).zip(columns).enumerate() {
        unkept.extend(column.push(value, attribute)?.map(|odd| (index, odd, value.text.clone())));
    }
    Ok(unkept)
}

/// `{1 x, 3 y}`: the values at these places; what is not named is 0, or the first of the listed values.
fn sparse_row(text: &str, attributes: &[Attribute], columns: &mut [Values]) -> Result<Vec<Unkept>, String> {
    let mut given: Vec<Option<Value>> = vec![None; attributes.len()];
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.starts_with('}') {
            break;
        }
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let index: usize = rest[..digits].parse().map_err(|_| ": a sparse row is written `{0 a, 3 b}`".to_owned())?;
        rest = &rest[digits..];
        let found = value(&mut rest, &[',', '}'])?;
        *given.get_mut(index).ok_or_else(|| format!(": there is no attribute {index}, counted from 0"))? = Some(found);
    }
    let mut unkept = Vec::new();
    for (index, ((value, attribute), column)) in given.into_iter().zip(attributes).zip(columns).enumerate() {
        let zero = match &attribute.kind {
            Kind::Nominal(listed) => listed.first().cloned().unwrap_or_default(),
            _ => "0".to_owned(),
        };
        let value = value.unwrap_or(Value { text: zero, quoted: true });
        unkept.extend(column.push(&value, attribute)?.map(|odd| (index, odd, value.text)));
    }
    Ok(unkept)
}

impl Values {
    /// What is declared to be of a type that holds more than the attribute's is made from its text.
    fn new(kind: &Kind, declared: Option<&DType>) -> Self {
        match (kind, declared) {
            (Kind::Real | Kind::Whole, Some(dtype)) if dtype.is_integer() => Self::Exact(Vec::new()),
            (Kind::Real | Kind::Whole | Kind::Moment, Some(DType::Str)) => Self::Text(Vec::new()),
            (Kind::Real | Kind::Whole, Some(DType::Decimal(..))) => Self::Text(Vec::new()),
            (Kind::Whole, Some(dtype)) if dtype.is_float() => Self::Real(Vec::new()),
            (Kind::Real, _) => Self::Real(Vec::new()),
            (Kind::Whole, _) => Self::Whole(Vec::new()),
            (Kind::Text | Kind::Nominal(_), _) => Self::Text(Vec::new()),
            (Kind::Moment, _) => Self::Moment(Vec::new()),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Real(values) => values.len(),
            Self::Whole(values) | Self::Moment(values) => values.len(),
            Self::Exact(values) => values.len(),
            Self::Text(values) => values.len(),
        }
    }

    /// Takes a value; says whether it is not kept as it stands.
    fn push(&mut self, value: &Value, attribute: &Attribute) -> Result<Option<Odd>, String> {
        let text = value.text.as_str();
        let missing = !value.quoted && text == "?";
        let wrong = |expected: String| {
            let found = crate::diag::brief(text);
            format!(", attribute `{}`: found `{found}`, expected {expected}", attribute.name)
        };
        let number = || figures::float(text).ok_or_else(|| wrong("a number".to_owned()));
        match self {
            Self::Real(values) => {
                values.push(if missing { None } else { Some(number()?) });
                return Ok((!missing && text_is_rounded(text)).then_some(Odd::Rounded));
            }
            Self::Whole(values) if missing => values.push(None),
            Self::Whole(values) => {
                let whole = figures::whole(text).ok_or_else(|| wrong("a whole number".to_owned()))?;
                let larger = || {
                    let name = crate::diag::toml_key(&attribute.name);
                    wrong(format!("a whole number of 64 bits: `types = {{ {name} = \"i128\" }}` holds more"))
                };
                values.push(Some(i64::try_from(whole).map_err(|_| larger())?));
            }
            Self::Exact(values) if missing => values.push(None),
            Self::Exact(values) => {
                values.push(Some(figures::whole(text).ok_or_else(|| wrong("a whole number".to_owned()))?));
            }
            Self::Moment(values) => {
                let moment = time::datetime(text).ok_or_else(|| wrong("a time like 2026-05-04 10:12:00".to_owned()));
                values.push(if missing { None } else { Some(moment?) });
                return Ok((!missing && time::is_cut(text)).then_some(Odd::Cut));
            }
            Self::Text(values) => {
                match &attribute.kind {
                    Kind::Nominal(listed) if !missing && !listed.iter().any(|known| known == text) => {
                        let listed = crate::diag::list(listed.iter().map(String::as_str), 12);
                        return Err(wrong(format!("one of {listed}")));
                    }
                    Kind::Real | Kind::Whole if !missing => {
                        number()?;
                    }
                    _ => {}
                }
                values.push((!missing).then(|| text.to_owned()));
            }
        }
        Ok(None)
    }

    fn column(self, name: &str) -> Column {
        let name = PlSmallStr::from(name);
        match self {
            Self::Real(values) => Series::new(name, values).into_column(),
            Self::Whole(values) => Series::new(name, values).into_column(),
            Self::Exact(values) => Int128Chunked::from_iter_options(name, values.into_iter()).into_column(),
            Self::Text(values) => Series::new(name, values).into_column(),
            Self::Moment(values) => Int64Chunked::from_iter_options(name, values.into_iter())
                .into_datetime(TimeUnit::Microseconds, None)
                .into_column(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::*;

    fn read_text(text: &str) -> Result<DataFrame, BadFile> {
        read(text.as_bytes(), &Layout::new(Format::Arff), super::super::Watch::nobody().file("", 0))
    }

    const HEADER: &str = "% a comment\n@RELATION 'two words'\n\n@attribute 'sepal length' REAL\n@attribute n integer\n\
                          @attribute class {Iris-setosa, \"a, b\", 'it\\'s'}\n@attribute note string\n\
                          @attribute day date \"yyyy-MM-dd HH:mm:ss\"\n@data\n";

    #[test]
    fn rows_have_the_types_of_the_header() {
        let text = format!(
            "{HEADER}5.1,3,Iris-setosa,'x, y','2001-04-03 12:12:12'\n% between\n?,?,?,?,?\r\n1e3,-2,'a, b',plain,\"2001-04-03 00:00:00\", {{5}}\n"
        );
        let df = read_text(&text).expect("read");
        assert_eq!(df.shape(), (3, 5));
        let dtypes: Vec<String> = crate::frame::schema_of(&df).columns.iter().map(|c| c.dtype.to_string()).collect();
        assert_eq!(dtypes, ["f64", "i64", "str", "str", "datetime"]);
        let class: Vec<Option<&str>> = df.column("class").expect("class").str().expect("text").iter().collect();
        assert_eq!(class, [Some("Iris-setosa"), None, Some("a, b")]);
        assert_eq!(df.column("note").expect("note").str().expect("text").get(0), Some("x, y"));
        assert!(df.columns().iter().all(|column| column.null_count() == 1));
    }

    #[test]
    fn sparse_rows_are_zero_elsewhere() {
        let text = "@relation r\n@attribute a numeric\n@attribute b {no,yes}\n@attribute c numeric\n@data\n{2 4}\n{0 1.5, 1 yes}\n{}\n{0 ?}\n";
        let df = read_text(text).expect("read");
        let a: Vec<Option<f64>> = df.column("a").expect("a").f64().expect("f64").iter().collect();
        assert_eq!(a, [Some(0.0), Some(1.5), Some(0.0), None]);
        let b: Vec<Option<&str>> = df.column("b").expect("b").str().expect("str").iter().collect();
        assert_eq!(b, [Some("no"), Some("yes"), Some("no"), Some("no")]);
    }

    #[test]
    fn what_is_wrong_is_placed() {
        let message = |text: &str| read_text(text).expect_err("it fails").message;
        assert_eq!(message(&format!("{HEADER}1,2\n")), "line 10 has 2 values, expected 5: one for each attribute");
        assert_eq!(
            message(&format!("{HEADER}1,2,rose,x,?\n")),
            "line 10, attribute `class`: found `rose`, expected one of `Iris-setosa`, `a, b` and `it's`"
        );
        assert_eq!(
            message(&format!("{HEADER}\n1,2.5,?,x,?\n")),
            "line 11, attribute `n`: found `2.5`, expected a whole number"
        );
        assert_eq!(message(&format!("{HEADER}1,2,'x\n")), "line 10: a quote is never closed");
        assert_eq!(message("a,b\n1,2\n"), "line 1 is not ARFF: found `a,b`");
        assert_eq!(message("@relation r\n"), "the file is not ARFF: it has no `@attribute`");
        assert!(message("@attribute a foo\n").starts_with("line 1: `foo` is no type"));
        assert!(message("@attribute a real\n@attribute a real\n@data\n").contains("declared twice"));
    }
}
