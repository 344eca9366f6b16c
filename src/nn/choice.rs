//! Enums that a manifest writes as a name (`loss = "mse"`, every default) or as a table of one entry
//! (`loss.cross_entropy = { label_smoothing = 0.1 }`), with messages that name what was found and what there is.

use serde::de::{self, DeserializeSeed, Deserializer, Visitor};
use std::fmt;

/// What the reference says of one choice.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its name in the manifest.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// The formula, in plain text.
    pub formula: &'static str,
    /// Where the formula comes from.
    pub source: &'static str,
    /// A line of a manifest.
    pub example: &'static str,
    /// The schema of its fields.
    pub schema: fn(&mut schemars::SchemaGenerator) -> schemars::Schema,
}

/// A value out of the range of its field.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// The field.
    pub field: &'static str,
    /// One line: what is wrong.
    pub message: String,
}

impl Problem {
    /// A problem with a field, where `holds` is false.
    pub fn unless(holds: bool, field: &'static str, message: impl FnOnce() -> String) -> Option<Self> {
        (!holds).then(|| Self { field, message: message() })
    }
}

/// `` unknown loss `mes`; did you mean `mse`? `` or a list of what there is.
#[must_use]
pub fn unknown(what: &str, name: &str, names: &[&str]) -> String {
    match crate::diag::did_you_mean(name, names.iter().copied()) {
        Some(hint) => format!("unknown {what} `{name}`; {hint}"),
        None => format!("unknown {what} `{name}`; there is {}", crate::diag::list(names.iter().copied(), 12)),
    }
}

/// Fails at a table's entry instead of at the table, so that the message points at the wrong key.
pub(crate) struct FailHere(pub(crate) String);

impl<'de> DeserializeSeed<'de> for FailHere {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for FailHere {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(de::Error::custom(self.0))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(de::Error::custom(self.0))
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
        Err(de::Error::custom(self.0))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<(), E> {
        Err(de::Error::custom(self.0))
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<(), E> {
        Err(de::Error::custom(self.0))
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<(), E> {
        Err(de::Error::custom(self.0))
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<(), E> {
        Err(de::Error::custom(self.0))
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Err(de::Error::custom(self.0))
    }
}

/// Defines such an enum: its serde forms, its schema, its names.
///
/// Every spec needs `Default`, serde, `JsonSchema` and a `const ENTRY: Entry`.
macro_rules! choice {
    ($(#[$meta:meta])* $article:literal $what:literal $Enum:ident { $($Variant:ident($Spec:ty)),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub enum $Enum {
            $(#[doc = concat!("See [`", stringify!($Spec), "`].")] $Variant($Spec)),*
        }

        impl $Enum {
            /// The names that manifests use, in the order of the reference.
            pub const NAMES: &'static [&'static str] = &[$(<$Spec>::ENTRY.name),*];
            /// What the reference says, in its order.
            pub const ENTRIES: &'static [$crate::nn::choice::Entry] = &[$(<$Spec>::ENTRY),*];

            /// The name that manifests use.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self { $(Self::$Variant(_) => <$Spec>::ENTRY.name),* }
            }

            /// Values out of the range of their fields.
            #[must_use]
            pub fn problems(&self) -> Vec<$crate::nn::choice::Problem> {
                match self { $(Self::$Variant(spec) => spec.problems()),* }
            }
        }

        impl serde::Serialize for $Enum {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $(Self::$Variant(spec) => {
                        serializer.serialize_newtype_variant(stringify!($Enum), 0, <$Spec>::ENTRY.name, spec)
                    }),*
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $Enum {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Choice;

                impl<'de> serde::de::Visitor<'de> for Choice {
                    type Value = $Enum;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        let names = $crate::diag::list($Enum::NAMES.iter().copied(), 12);
                        write!(f, "the name of {} ({names}), or a table with one such name", $article)
                    }

                    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<$Enum, E> {
                        match name {
                            $(name if name == <$Spec>::ENTRY.name => Ok($Enum::$Variant(<$Spec>::default())),)*
                            _ => Err(E::custom($crate::nn::choice::unknown($what, name, $Enum::NAMES))),
                        }
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<$Enum, A::Error> {
                        use serde::de::Error;
                        let Some(name) = map.next_key::<String>()? else {
                            let names = $crate::diag::list($Enum::NAMES.iter().copied(), 12);
                            return Err(A::Error::custom(format!("an empty table; name {}: {names}", $article)));
                        };
                        let chosen = match name.as_str() {
                            $(name if name == <$Spec>::ENTRY.name => $Enum::$Variant(map.next_value()?),)*
                            _ => {
                                let message = $crate::nn::choice::unknown($what, &name, $Enum::NAMES);
                                map.next_value_seed($crate::nn::choice::FailHere(message.clone()))?;
                                return Err(A::Error::custom(message));
                            }
                        };
                        match map.next_key::<String>()? {
                            None => Ok(chosen),
                            Some(second) => {
                                let message = format!("one {} is wanted, found `{name}` and `{second}`", $what);
                                map.next_value_seed($crate::nn::choice::FailHere(message.clone()))?;
                                Err(A::Error::custom(message))
                            }
                        }
                    }
                }

                deserializer.deserialize_any(Choice)
            }
        }

        impl schemars::JsonSchema for $Enum {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($Enum).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let tables = vec![$({
                    let entry = <$Spec>::ENTRY;
                    let fields = (entry.schema)(generator);
                    schemars::json_schema!({
                        "type": "object",
                        "description": entry.summary,
                        "properties": { entry.name: fields },
                        "required": [entry.name],
                        "additionalProperties": false,
                    })
                }),*];
                let names = Self::NAMES;
                let mut any = vec![schemars::json_schema!({ "enum": names })];
                any.extend(tables);
                schemars::json_schema!({
                    "description": concat!("The name of ", $article, ", or a table with one such name."),
                    "anyOf": any,
                })
            }
        }
    };
}
pub(crate) use choice;

#[cfg(test)]
mod tests {
    use crate::nn::{losses::Loss, optim::Optimizer, schedule::Schedule};

    fn decode(text: &str) -> Result<Optimizer, String> {
        let table: toml::Table = text.parse().expect("toml");
        let value = serde_json::to_value(&table["x"]).expect("json");
        let mut track = serde_path_to_error::Track::new();
        let inner = serde_path_to_error::Deserializer::new(&value, &mut track);
        serde::Deserialize::deserialize(inner).map_err(|error| format!("{}: {error}", track.path()))
    }

    #[test]
    fn a_name_is_the_table_with_every_default() {
        assert_eq!(decode("x = 'adam'"), decode("x.adam = {}"));
        assert_eq!(decode("x = 'adam'").expect("decodes").name(), "adam");
    }

    #[test]
    fn messages_name_what_was_found_and_what_there_is() {
        assert_eq!(decode("x = 'adma'").unwrap_err(), ".: unknown optimizer `adma`; did you mean `adam`?");
        assert_eq!(decode("x.adma = {}").unwrap_err(), "adma: unknown optimizer `adma`; did you mean `adam`?");
        let both = decode("x.adam = {}\nx.sgd = {}").unwrap_err();
        assert_eq!(both, "sgd: one optimizer is wanted, found `adam` and `sgd`");
        assert!(
            decode("x = {}").unwrap_err().contains("name an optimizer: `sgd`, `adam`, `adamw`, `rmsprop` and `muon`")
        );
        assert!(decode("x = 3").unwrap_err().contains("expected the name of an optimizer (`sgd`"));
        assert!(decode("x.adam.lr = 'fast'").unwrap_err().starts_with("adam.lr: invalid type: string"));
    }

    #[test]
    fn every_example_decodes_to_what_it_stands_for() {
        fn check<T: serde::de::DeserializeOwned>(field: &str, entries: &[super::Entry], name: fn(&T) -> &'static str) {
            for entry in entries {
                let table: toml::Table = entry.example.parse().expect(entry.example);
                let value = serde_json::to_value(&table[field]).expect("json");
                let chosen: T = serde_json::from_value(value).expect(entry.example);
                assert_eq!(name(&chosen), entry.name);
            }
        }
        check("loss", Loss::ENTRIES, Loss::name);
        check("optimizer", Optimizer::ENTRIES, Optimizer::name);
        check("schedule", Schedule::ENTRIES, Schedule::name);
    }

    #[test]
    fn the_canonical_form_has_every_default() {
        let json = serde_json::to_value(decode("x = 'sgd'").expect("decodes")).expect("json");
        assert_eq!(
            json,
            serde_json::json!({
                "sgd": { "lr": 0.001, "momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": false }
            })
        );
        assert_eq!(serde_json::from_value::<Optimizer>(json).expect("reads back").name(), "sgd");
    }
}
