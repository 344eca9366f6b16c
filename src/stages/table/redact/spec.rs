//! The fields of `redact`.

use super::super::columns::OneOrMany;
use crate::stage::{FilePath, Ref};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A table, what is looked for in its texts, and what is done about it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Spec {
    /// The table.
    pub from: Ref,
    /// The columns to look into, by name or pattern: texts, and lists and structs with texts in them; all of them without it. Binary
    /// columns are not looked into, which `check` says.
    pub columns: Option<OneOrMany>,
    /// What is looked for, and what becomes of it: `find = { email = "hash", card = "mask" }`. Without it everything is
    /// looked for (names where there are lists of them) and masked.
    pub find: Option<Find>,
    /// Files of names, one a line, in the case that they are to be found in; how their accents are composed, how wide their
    /// letters are and what white space is between their words is all the same. Lines that begin with `#` do not count.
    #[serde(default)]
    pub names: Vec<FilePath>,
    /// The environment variable that holds the key of `hash` and `pseudonym`, at least 16 bytes. Its value enters neither
    /// keys nor locks nor results.
    #[serde(default = "usual_key")]
    pub key_env: String,
    /// A name for the key's present value, such as `2026-05`. kilter does not see that a key was replaced: change this
    /// then, and the stage runs again.
    pub key_id: Option<String>,
}

fn usual_key() -> String {
    "KILTER_REDACT_KEY".to_owned()
}

/// What becomes of each sort of personal data; a sort that is not named is not looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Find {
    /// E-mail addresses.
    pub email: Option<Action>,
    /// Telephone numbers: in international form, in the usual American and Chinese ones, or any after a word like `tel`.
    pub phone: Option<Action>,
    /// Chinese mobile numbers.
    pub cn_mobile: Option<Action>,
    /// Chinese resident identity numbers of 18 characters: region, date of birth and check digit are right.
    pub cn_id: Option<Action>,
    /// Payment cards: the length and beginning of a known brand, or a word like `card` before it, and Luhn's check digit.
    pub card: Option<Action>,
    /// International bank account numbers: the country's length, and the check digits.
    pub iban: Option<Action>,
    /// IP addresses, both versions; not those of the machine itself, and no version numbers.
    pub ip: Option<Action>,
    /// Names from the lists in `names`.
    pub name: Option<Action>,
}

/// What becomes of what is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A mark stands in its place: `[email]`.
    Mask,
    /// A mark with 64 bits of an HMAC-SHA-256 stands in its place, `[email:9f86d081884c7d65]`: the same for the same
    /// address everywhere, and nothing to anybody without the key.
    Hash,
    /// It is taken out of the text.
    Drop,
    /// Something made up of the same sort stands in its place, the same for the same original everywhere, chosen by the
    /// HMAC. Made-up numbers belong to nobody: their check digits are wrong, or their range is not given out. Two originals
    /// share a pseudonym only by rare chance, which is counted and said.
    Pseudonym,
    /// The whole row is left out.
    DropRow,
}

impl Action {
    /// Whether it needs the key.
    pub(super) fn is_keyed(self) -> bool {
        matches!(self, Self::Hash | Self::Pseudonym)
    }

    /// As the manifest writes it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Mask => "mask",
            Self::Hash => "hash",
            Self::Drop => "drop",
            Self::Pseudonym => "pseudonym",
            Self::DropRow => "drop_row",
        }
    }
}

/// A sort of personal data. In the order in which they are believed where two overlap: what has a check digit first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Entity {
    CnId,
    Iban,
    Card,
    Email,
    CnMobile,
    Ip,
    Phone,
    Name,
}

impl Entity {
    pub(super) const ALL: [Self; 8] =
        [Self::CnId, Self::Iban, Self::Card, Self::Email, Self::CnMobile, Self::Ip, Self::Phone, Self::Name];

    /// As the manifest and the marks write it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::CnId => "cn_id",
            Self::Iban => "iban",
            Self::Card => "card",
            Self::Email => "email",
            Self::CnMobile => "cn_mobile",
            Self::Ip => "ip",
            Self::Phone => "phone",
            Self::Name => "name",
        }
    }
}

impl Spec {
    /// What becomes of a sort of data; `None` where it is not looked for.
    pub(super) fn action(&self, entity: Entity) -> Option<Action> {
        let Some(find) = &self.find else {
            return (entity != Entity::Name || !self.names.is_empty()).then_some(Action::Mask);
        };
        match entity {
            Entity::CnId => find.cn_id,
            Entity::Iban => find.iban,
            Entity::Card => find.card,
            Entity::Email => find.email,
            Entity::CnMobile => find.cn_mobile,
            Entity::Ip => find.ip,
            Entity::Phone => find.phone,
            Entity::Name => find.name,
        }
    }

    /// What is looked for, with what becomes of it.
    pub(super) fn actions(&self) -> impl Iterator<Item = (Entity, Action)> {
        Entity::ALL.into_iter().filter_map(|entity| Some((entity, self.action(entity)?)))
    }
}
