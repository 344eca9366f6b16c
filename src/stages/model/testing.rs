//! A standard module's only stage as it stands for its params, for tests here and of the worker, which includes this file.

use serde_json::{Map, Value};

/// The fields of the module's `model` stage, its params set to their defaults or to `set`.
pub(crate) fn fields(text: &str, set: &[(&str, Value)]) -> Map<String, Value> {
    let module: toml::Table = text.parse().expect("TOML");
    let module = serde_json::to_value(module).expect("JSON");
    assert_eq!(module["inputs"]["data"], "dataset");
    assert_eq!(module["outputs"]["model"], "model");
    let mut stage = module["stage"]["model"].clone();
    fill(&mut stage, &|name| match set.iter().find(|(key, _)| *key == name) {
        Some((_, value)) => value.clone(),
        None => module["params"][name]["default"].clone(),
    });
    let Value::Object(mut table) = stage else { panic!("a stage is a table") };
    assert_eq!(table.remove("kind"), Some("model".into()));
    assert_eq!(table.remove("data"), Some("data".into()));
    table
}

fn fill(value: &mut Value, param: &dyn Fn(&str) -> Value) {
    match value {
        Value::String(text) => {
            let name = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).map(str::to_owned);
            if let Some(name) = name {
                *value = param(&name);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, param)),
        Value::Object(table) => table.values_mut().for_each(|item| fill(item, param)),
        _ => {}
    }
}
