//! Field types that the key maker and the graph maker recognise: references and workspace files.

use crate::digest::{FILE_MARK, REF_MARK};
use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// A reference to another stage's output: `"stage"` or `"stage.port"`. In a key the input's content digest stands
/// for it, so renaming a stage reruns nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub struct Ref(pub String);

impl Ref {
    /// The stage's name without values of axes: everything before the first `.` or `[`.
    #[must_use]
    pub fn stage(&self) -> &str {
        self.0.split_once(['.', '[']).map_or(self.0.as_str(), |(stage, _)| stage)
    }

    /// The port, where the reference names one.
    #[must_use]
    pub fn port(&self) -> Option<&str> {
        let behind_axes = self.0.rsplit_once(']').map_or(self.0.as_str(), |(_, behind)| behind);
        behind_axes.split_once('.').map(|(_, port)| port)
    }
}

impl fmt::Display for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Ref {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(REF_MARK, &self.0)
    }
}

impl schemars::JsonSchema for Ref {
    fn schema_name() -> Cow<'static, str> {
        "Ref".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A stage's output: `stage.port`, or `stage` where it has one output; `stage[axis=value].port` of a stage with axes.",
            "pattern": r"^[A-Za-z$][A-Za-z0-9_/${}-]*(\[[^\]]+\])?(\.[A-Za-z0-9_-]+)?$",
        })
    }
}

/// A file of the workspace, relative to the manifest's folder. In a key the file's content digest stands for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub struct FilePath(pub String);

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for FilePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(FILE_MARK, &self.0)
    }
}

impl schemars::JsonSchema for FilePath {
    fn schema_name() -> Cow<'static, str> {
        "FilePath".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A file of the workspace, relative to the manifest's folder.",
        })
    }
}
