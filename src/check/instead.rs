//! What to write in the place of a value of the wrong type.

use super::schema::Field;
use crate::diag::{list, toml_key};
use crate::manifest::{Data, Node};

/// More fields than this are not listed.
const MOST_FIELDS: usize = 8;

/// What to write in the place of a value, where `expected` is wanted of `key`, in whose table `fields` may stand.
pub(super) fn instead(node: &Node, key: &str, expected: &str, fields: &[Field]) -> Option<String> {
    match expected {
        "a table" => Some(match fields {
            [] => format!("names of your own stand before the values: `{} = {{ NAME = … }}`", toml_key(key)),
            [one] => format!("its field is named: `{} = {{ {} = … }}`", toml_key(key), one.name),
            fields => {
                let names = list(fields.iter().map(|field| field.name.as_str()), MOST_FIELDS);
                format!("its fields are named: {names}, in `{} = {{ … }}`", toml_key(key))
            }
        }),
        "a list" => match &node.data {
            Data::Str(text) => {
                // A command is a list of its words.
                let words = if key == "command" { text.split_whitespace().collect() } else { vec![text.as_str()] };
                let words: Vec<String> = words.into_iter().map(|word| format!("\"{word}\"")).collect();
                Some(format!("a list stands in brackets: `[{}]`", words.join(", ")))
            }
            Data::Int(_) | Data::Float(_) => Some(format!("a list stands in brackets: `[{}]`", node.plain())),
            _ => None,
        },
        _ => match &node.data {
            Data::Str(text) if fits(text, expected) => Some(format!("without quotes: `{text}`")),
            Data::Bool(_) | Data::Int(_) | Data::Float(_) if expected == "a string" => {
                Some(format!("in quotes: `\"{}\"`", node.plain()))
            }
            _ => None,
        },
    }
}

/// What to write where one of several is chosen and neither a name nor a table stands: the names, or a table with one of the `fields`
/// and the value that stands there.
pub(super) fn choice(node: &Node, key: &str, fields: &[Field], names: &[String]) -> Option<String> {
    if !names.is_empty() {
        return Some(format!("there is {}", list(names.iter().map(String::as_str), MOST_FIELDS)));
    }
    let first = &fields.first()?.name;
    let value = match node.data {
        Data::Bool(_) | Data::Int(_) | Data::Float(_) => node.plain(),
        _ => "…".to_owned(),
    };
    let listed = list(fields.iter().map(|field| field.name.as_str()), MOST_FIELDS);
    Some(format!("there is {listed}, as in `{} = {{ {} = {value} }}`", toml_key(key), toml_key(first)))
}

/// How a choice among `names` is written, where the chosen one stands as a value of the choice's table. `field` leads to that
/// table; an item of a list has none.
pub(super) fn keyed(table: &Node, field: Option<&str>, names: &[&str]) -> Option<String> {
    let chosen = |(key, value): &(String, Node)| match &value.data {
        Data::Str(text) if names.contains(&text.as_str()) => Some((key.clone(), text.clone())),
        _ => None,
    };
    let (key, name) = table.entries().iter().find_map(chosen)?;
    let others = table.entries().iter().filter(|(other, _)| *other != key);
    let others: Vec<String> = others.map(|(other, _)| format!("{} = …", toml_key(other))).collect();
    let others = others.join(", ");
    let form = match (field, others.as_str()) {
        (Some(field), "") => format!("{field} = \"{name}\""),
        (Some(field), others) => format!("{field}.{name} = {{ {others} }}"),
        (None, "") => format!("\"{name}\""),
        (None, others) => format!("{{ {name} = {{ {others} }} }}"),
    };
    Some(format!("`{name}` is no value of a field: `{form}`"))
}

/// Whether a text would be what is expected, if it did not stand in quotes.
fn fits(text: &str, expected: &str) -> bool {
    let bare = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || "+-._e".contains(c));
    match expected {
        "a number" => bare && text.parse::<f64>().is_ok_and(f64::is_finite),
        "an integer" => text.parse::<i64>().is_ok(),
        _ if expected.starts_with("an integer, ") => text.parse::<u64>().is_ok(),
        "true or false" => matches!(text, "true" | "false"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::{Source, SourceMap, Span};

    fn node(data: Data) -> Node {
        let mut sources = SourceMap::default();
        let id = sources.add(Source { name: "a.toml".into(), path: None, text: String::new() });
        Node::new(Span::new(id, 0..0), data)
    }

    fn for_text(text: &str, expected: &str) -> Option<String> {
        instead(&node(Data::Str(text.to_owned())), "x", expected, &[])
    }

    #[test]
    fn quotes_are_too_many_where_the_text_is_the_value() {
        assert_eq!(for_text("32", "an integer, 0 or more").as_deref(), Some("without quotes: `32`"));
        assert_eq!(for_text("1e-3", "a number").as_deref(), Some("without quotes: `1e-3`"));
        assert_eq!(for_text("true", "true or false").as_deref(), Some("without quotes: `true`"));
        for (text, expected) in [("ten", "a number"), ("-1", "an integer, 0 or more"), ("inf", "a number"), ("1", "x")]
        {
            assert_eq!(for_text(text, expected), None, "{text}");
        }
    }

    #[test]
    fn quotes_are_too_few_where_a_text_is_wanted() {
        let hint = |data: Data| instead(&node(data), "tolerance", "a string", &[]);
        assert_eq!(hint(Data::Int(4)).as_deref(), Some("in quotes: `\"4\"`"));
        assert_eq!(hint(Data::Bool(true)).as_deref(), Some("in quotes: `\"true\"`"));
        assert_eq!(hint(Data::Table(Vec::new())), None);
    }

    #[test]
    fn a_name_that_stands_as_a_value_becomes_the_key() {
        let entry = |key: &str, data: Data| (key.to_owned(), node(data));
        let name = || entry("name", Data::Str("adam".to_owned()));
        let with_rate = node(Data::Table(vec![entry("lr", Data::Float(0.1)), name()]));
        let alone = node(Data::Table(vec![name()]));
        let form = |table: &Node, field| keyed(table, field, &["sgd", "adam"]);
        let says = |form: &str| Some(format!("`adam` is no value of a field: `{form}`"));
        assert_eq!(form(&with_rate, Some("optimizer")), says("optimizer.adam = { lr = … }"));
        assert_eq!(form(&with_rate, None), says("{ adam = { lr = … } }"));
        assert_eq!(form(&alone, Some("optimizer")), says("optimizer = \"adam\""));
        assert_eq!(form(&alone, None), says("\"adam\""));
        assert_eq!(keyed(&alone, Some("optimizer"), &["sgd"]), None);
    }

    #[test]
    fn the_form_of_a_table_and_of_a_list_is_shown() {
        let field = |name: &str| Field { name: name.to_owned(), about: None };
        let table = |fields: &[Field]| instead(&node(Data::Int(5)), "early_stop", "a table", fields);
        let names = [field("metric"), field("patience")];
        assert_eq!(
            table(&names).as_deref(),
            Some("its fields are named: `metric` and `patience`, in `early_stop = { … }`")
        );
        assert_eq!(table(&names[..1]).as_deref(), Some("its field is named: `early_stop = { metric = … }`"));
        assert!(table(&[]).expect("a hint").ends_with("`early_stop = { NAME = … }`"));
        let command = instead(&node(Data::Str("wc -l {inputs.raw}".to_owned())), "command", "a list", &[]);
        assert_eq!(command.as_deref(), Some("a list stands in brackets: `[\"wc\", \"-l\", \"{inputs.raw}\"]`"));
        assert_eq!(for_text("relu", "a list").as_deref(), Some("a list stands in brackets: `[\"relu\"]`"));
    }

    #[test]
    fn of_a_choice_the_names_are_told_or_the_table() {
        let field = |name: &str| Field { name: name.to_owned(), about: None };
        let fields = [field("norm"), field("value")];
        let number = choice(&node(Data::Float(1.0)), "clip", &fields, &[]);
        assert_eq!(number.as_deref(), Some("there is `norm` and `value`, as in `clip = { norm = 1.0 }`"));
        let list = choice(&node(Data::List(Vec::new())), "clip", &fields, &[]);
        assert_eq!(list.as_deref(), Some("there is `norm` and `value`, as in `clip = { norm = … }`"));
        let names = ["f32".to_owned(), "f16".to_owned()];
        assert_eq!(choice(&node(Data::Int(16)), "precision", &[], &names).as_deref(), Some("there is `f32` and `f16`"));
        assert_eq!(choice(&node(Data::Int(16)), "precision", &[], &[]), None);
    }
}
