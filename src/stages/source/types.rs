//! The field `types` of kinds that read tables from outside.

use crate::diag::{codes, did_you_mean, list};
use crate::path;
use crate::stage::CheckCx;
use crate::types::DType;
use std::collections::BTreeMap;

/// Reports types that do not exist.
pub(super) fn check(types: &BTreeMap<String, DType>, cx: &mut CheckCx<'_>) {
    for (rule, dtype) in types {
        if let DType::Other(text) = dtype {
            cx.error(path!["types", rule], codes::UNKNOWN_DTYPE, format!("`{text}` is not a column type"))
                .label("no such type")
                .maybe_hint(did_you_mean(text, DType::names()))
                .hint(format!(
                    "the types are {}, `decimal(p, s)`, `list(T)`, `array(T, n)` and `struct(name: T)`",
                    list(DType::names(), 20)
                ));
        }
    }
}
