//! Values out of keys as people read them: a reference or a file by its name, and nothing of what it stands for.

use serde_json::Value;

/// A value as it is written, or much so; of one that is not there that it is not set.
#[must_use]
pub fn in_words(value: Option<&Value>) -> String {
    match value {
        None => "not set".to_owned(),
        Some(value) => name(value).map_or_else(|| bare(value).to_string(), str::to_owned),
    }
}

/// A path or a pattern, and its files: as a list of files has them.
#[must_use]
pub fn named_files(value: &Value) -> Option<(&str, &Value)> {
    let [Value::String(written), files] = value.as_array()?.as_slice() else { return None };
    (files.get("file")?.as_str()? == written).then_some((written, files))
}

/// The name of a reference or of a file.
fn name(value: &Value) -> Option<&str> {
    value.get("ref").or_else(|| value.get("file"))?.as_str()
}

fn bare(value: &Value) -> Value {
    if let Some(name) = name(value).filter(|_| value.get("digest").is_some()) {
        return name.into();
    }
    match value {
        pair if named_files(pair).is_some() => pair[0].clone(),
        Value::Array(items) => items.iter().map(bare).collect(),
        Value::Object(entries) => entries.iter().map(|(key, value)| (key.clone(), bare(value))).collect(),
        scalar => scalar.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_names_stand_for_is_left_out() {
        let reference = json!({ "ref": "a.b", "digest": "00", "rows": 3 });
        let file = json!({ "file": "x.py", "digest": "00", "files": { "x.py": "11" } });
        let told = |value: Value| in_words(Some(&value));
        assert_eq!((in_words(None), told(reference.clone())), ("not set".to_owned(), "a.b".to_owned()));
        assert_eq!(
            told(json!([["x.py", file], ["*.csv", { "file": "*.csv", "digest": "22" }]])),
            r#"["x.py","*.csv"]"#
        );
        assert_eq!(told(json!({ "concat": { "with": [reference] } })), r#"{"concat":{"with":["a.b"]}}"#);
        assert_eq!(told(json!(["x.py", "y.py"])), r#"["x.py","y.py"]"#);
        assert_eq!(told(json!(0.1)), "0.1");
    }
}
