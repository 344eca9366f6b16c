//! Where a job computes.

use crate::env;
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// Where a job computes. A worker sees the GPUs that its stage was granted, so it takes the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Device {
    /// The processor.
    #[default]
    Cpu,
    /// The first CUDA device.
    Cuda,
}

/// Where a stage computes, as a manifest writes it. `"auto"` is decided while the manifest is read: it is `Cuda` where
/// the machine has a GPU, else `Cpu`, so that what enters a key is where the numbers came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// `"cpu"`
    #[default]
    Cpu,
    /// `"cuda"`: a GPU that is free.
    Cuda,
    /// `"cuda:1"`: this GPU, counted from 0.
    CudaAt(u32),
}

impl DeviceChoice {
    /// From its text; `None` where it is none.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        match text {
            "auto" => Some(if env::gpus().is_empty() { Self::Cpu } else { Self::Cuda }),
            "cpu" => Some(Self::Cpu),
            "cuda" => Some(Self::Cuda),
            other => {
                let place = other.strip_prefix("cuda:")?;
                let plain = place.bytes().all(|byte| byte.is_ascii_digit());
                place.parse().ok().filter(|_| plain).map(Self::CudaAt)
            }
        }
    }

    /// Where the job computes.
    #[must_use]
    pub fn device(self) -> Device {
        match self {
            Self::Cpu => Device::Cpu,
            Self::Cuda | Self::CudaAt(_) => Device::Cuda,
        }
    }

    /// Its class, which is what numbers depend on: `cpu` or `cuda`.
    #[must_use]
    pub fn class(self) -> &'static str {
        match self.device() {
            Device::Cpu => "cpu",
            Device::Cuda => "cuda",
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CudaAt(place) => write!(f, "cuda:{place}"),
            other => f.write_str(other.class()),
        }
    }
}

impl Serialize for DeviceChoice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DeviceChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = DeviceChoice;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`auto`, `cpu`, `cuda`, or one GPU as in `cuda:1`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<DeviceChoice, E> {
                DeviceChoice::read(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

impl schemars::JsonSchema for DeviceChoice {
    fn schema_name() -> Cow<'static, str> {
        "Device".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "Where a stage computes: `auto` (a GPU where there is one), `cpu`, `cuda`, or one GPU: `cuda:1`.",
            "anyOf": [{ "enum": ["cpu", "cuda"] }, { "type": "string", "pattern": "^(auto|cuda:[0-9]+)$" }],
            "examples": ["auto", "cuda:1"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_written_as_it_was_read_but_for_auto() {
        for text in ["cpu", "cuda", "cuda:1"] {
            assert_eq!(DeviceChoice::read(text).map(|choice| choice.to_string()).as_deref(), Some(text));
        }
        let auto = DeviceChoice::read("auto").expect("a choice");
        assert_eq!(auto.class(), if env::gpus().is_empty() { "cpu" } else { "cuda" });
        for wrong in ["gpu", "cuda:", "cuda:+1", "cuda:-1", "CPU"] {
            assert_eq!(DeviceChoice::read(wrong), None, "{wrong}");
        }
    }
}
