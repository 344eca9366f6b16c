//! What entered a key, kept as text.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// Everything that entered a key, as JSON. A run asks thousands of results for their files, and hardly one for this; as text it
/// takes a tenth of the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyText(Box<str>);

impl KeyText {
    /// Of what entered.
    #[must_use]
    pub fn of(entered: &Value) -> Self {
        Self(entered.to_string().into())
    }

    /// What entered.
    #[must_use]
    pub fn json(&self) -> Value {
        // It was written by `of`, so it can be read.
        serde_json::from_str(&self.0).unwrap_or_default()
    }
}

impl Serialize for KeyText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for KeyText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(|entered| Self::of(&entered))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn it_is_written_and_read_as_json() {
        let entered = json!({"kind": "exec", "spec": {"z": [1, 2.5, "x\"y"], "a": null}});
        let text = serde_json::to_string(&KeyText::of(&entered)).unwrap();
        assert_eq!(text, entered.to_string());
        let read: KeyText = serde_json::from_str(&text).unwrap();
        assert_eq!((read.json(), read), (entered.clone(), KeyText::of(&entered)));
    }
}
