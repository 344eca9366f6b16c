//! How far a result can be repeated: what a record of the lock promises, and `verify` holds it to.

use super::FactChange;
use crate::check::CheckedStage;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// What a result claims of another run with the same key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Claim {
    /// The same bits anywhere, with any number of threads.
    Bitwise,
    /// The same bits on one class of device, which is named: its numbers come from libtorch.
    OnDevice(String),
    /// The same within the tolerance that the manifest declares.
    WithinTolerance,
    /// Its last bits may differ from run to run, and the manifest says so: `float_sums = "fast"`.
    NotBitwise,
}

const BITWISE: &str = "bitwise";
const ON_DEVICE: &str = "bitwise on ";
const WITHIN_TOLERANCE: &str = "within tolerance";
const NOT_BITWISE: &str = "not bitwise";

impl Claim {
    /// What the result of a stage claims that was made in this environment.
    #[must_use]
    pub fn of(stage: &CheckedStage, environment: &BTreeMap<String, String>) -> Self {
        let fact = |name: &str| environment.get(name).map(String::as_str);
        if !stage.common.tolerance.is_empty() {
            Self::WithinTolerance
        } else if stage.spec.as_ref().is_some_and(|spec| !spec.bitwise()) {
            Self::NotBitwise
        } else if stage.info.is_some_and(|info| info.numeric) {
            let device = [fact("device").unwrap_or("cpu"), fact("cpu_capability").unwrap_or_default()].join(" ");
            Self::OnDevice(device.trim_end().to_owned())
        } else {
            Self::Bitwise
        }
    }

    /// Where a result is claimed on one class of device and one of another gave something else: says both.
    #[must_use]
    pub fn elsewhere(&self, changes: &[FactChange]) -> Option<String> {
        let Self::OnDevice(device) = self else { return None };
        let changed = |name: &str| changes.iter().find(|fact| fact.name == name);
        let now = changed("cpu_capability").or_else(|| changed("device"))?.now.as_ref()?;
        Some(format!("its bits are claimed on {device} alone, and this is {now}"))
    }

    /// Whether two claims promise the same sort of thing, whatever the device.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bitwise => f.write_str(BITWISE),
            Self::OnDevice(device) => write!(f, "{ON_DEVICE}{device}"),
            Self::WithinTolerance => f.write_str(WITHIN_TOLERANCE),
            Self::NotBitwise => f.write_str(NOT_BITWISE),
        }
    }
}

impl FromStr for Claim {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            BITWISE => Ok(Self::Bitwise),
            WITHIN_TOLERANCE => Ok(Self::WithinTolerance),
            NOT_BITWISE => Ok(Self::NotBitwise),
            _ => match text.strip_prefix(ON_DEVICE) {
                Some(device) if !device.is_empty() => Ok(Self::OnDevice(device.to_owned())),
                _ => Err(format!(
                    "`{text}` is no claim: \"{BITWISE}\", \"{ON_DEVICE}DEVICE\", \"{WITHIN_TOLERANCE}\" or \"{NOT_BITWISE}\""
                )),
            },
        }
    }
}

impl TryFrom<String> for Claim {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Claim> for String {
    fn from(claim: Claim) -> Self {
        claim.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_read_back() {
        for claim in [Claim::Bitwise, Claim::OnDevice("cpu avx512".into()), Claim::WithinTolerance, Claim::NotBitwise] {
            assert_eq!(claim.to_string().parse(), Ok(claim));
        }
        assert!("bitwise on ".parse::<Claim>().is_err());
        assert!(Claim::OnDevice("a".into()).is_like(&Claim::OnDevice("b".into())));
    }

    #[test]
    fn a_claim_of_one_class_names_the_other() {
        let change =
            |name: &str| FactChange { name: name.into(), before: Some("avx512".into()), now: Some("avx2".into()) };
        let claim = Claim::OnDevice("cpu avx512".into());
        let expected = "its bits are claimed on cpu avx512 alone, and this is avx2";
        assert_eq!(claim.elsewhere(&[change("cores"), change("cpu_capability")]).as_deref(), Some(expected));
        assert_eq!(claim.elsewhere(&[change("cores")]), None);
        assert_eq!(Claim::Bitwise.elsewhere(&[change("cpu_capability")]), None);
    }
}
