//! Rows by a hash of their key. A key's part is computed from the key alone, so it is the same in every table that has the
//! key: rows that come, go or change places move no other row.
//!
//! The parts lie from 0 to 1 in the order of their names, each as long as its fraction, and a key lies where [`place`] says.
//! So `train` is between `test` and `val`, and a fraction that is changed moves as few keys as can be.

use super::assign::{classes, no_nulls, told};
use super::part::Part;
use super::spec::Spec;
use crate::diag::codes;
use crate::frame::{failed, from_polars};
use crate::numbers;
use crate::path;
use crate::stage::{CheckCx, RunCx, StageError};
use crate::types::DType;
use polars::prelude::DataFrame;
use sha2::{Digest as _, Sha256};

/// What a column of keys holds.
pub(super) const KEY: &str = "a column of keys (texts, whole numbers, truth values or dates)";

/// Whether values have one form as texts, whatever wrote them. The digits of floats, decimals and times depend on their type.
pub(super) fn is_key(dtype: &DType) -> bool {
    dtype.is_integer() || matches!(dtype, DType::Str | DType::Bool | DType::Date | DType::Unknown)
}

/// What makes a column one of keys.
pub(super) fn remedy(name: &str) -> String {
    format!(
        "make it a text in a `table` stage before, in the form that it is to have for ever: `{{ cast = {{ {name} = \"str\" }} }}`"
    )
}

/// Why another way to divide rows does not go with `hash`.
pub(super) fn why_not_with(other: &str) -> &'static str {
    match other {
        "group" => "rows of one key are together already: hash the column of the groups",
        "stratify" => "a key's part does not depend on the other rows, so nothing can be evened out",
        _ => "the key decides already",
    }
}

/// A part that says how many rows it has, where a hash deals.
pub(super) fn counted_part(spec: &Spec) -> Option<&str> {
    spec.hash.as_ref()?;
    spec.parts.iter().find(|(_, part)| !matches!(part, Part::Fraction(_))).map(|(name, _)| name.as_str())
}

/// Reports a part that says how many rows it has.
pub(super) fn refuse_count(name: &str, cx: &mut CheckCx<'_>) {
    cx.error(path!["parts", name], codes::FRACTIONS, "with `hash`, a part is a fraction of the keys")
        .label("not a fraction")
        .related(path!["hash"], "a key's part does not depend on how many there are")
        .hint("how many rows a part has comes out near its fraction: `{ train = 0.8, val = 0.1, test = 0.1 }`");
}

/// The rows of each part, by the hash of their key.
pub(super) fn by_hash(spec: &Spec, df: &DataFrame, key: &str, cx: &RunCx<'_>) -> Result<Vec<Vec<u32>>, StageError> {
    no_nulls(df, "hash", key)?;
    let column = df.column(key).map_err(|error| failed("read the column", &error))?;
    let dtype = from_polars(column.dtype());
    if !is_key(&dtype) {
        return Err(StageError::data(format!("column `{key}` is {dtype}, but {KEY} is needed here"))
            .hint(remedy(key))
            .at(path!["hash"]));
    }
    let (key_of, keys) = classes(df, key)?;
    let salt = spec.salt.as_deref().unwrap_or_default();
    let ends = ends(spec);
    let homes: Vec<usize> = keys.iter().map(|key| home(place(salt, key), &ends)).collect();
    let mut parts = vec![Vec::new(); ends.len()];
    for (row, key) in (0..).zip(&key_of) {
        parts[homes[*key as usize]].push(row);
    }
    warn_of_shares(spec, key, &homes, &parts, cx);
    Ok(parts)
}

/// Where a key lies from 0 to 1: the first 16 hexadecimal digits of the SHA-256 of the salt and the key, as a fraction. Every
/// program can compute it, and it must stay as it is: what a test set is depends on it.
fn place(salt: &str, key: &str) -> f64 {
    let hash = Sha256::new().chain_update(salt).chain_update(key).finalize();
    let number = hash.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    // A float holds 53 bits.
    (number >> 11) as f64 / (1_u64 << 53) as f64
}

/// Where each part ends.
fn ends(spec: &Spec) -> Vec<f64> {
    let mut end = 0.0;
    let fraction = |part: &Part| if let Part::Fraction(fraction) = part { *fraction } else { 0.0 };
    spec.parts
        .values()
        .map(|part| {
            end += fraction(part);
            end
        })
        .collect()
}

/// The part in which a place lies; the last one also has what fractions that are not quite 1 leave.
fn home(place: f64, ends: &[f64]) -> usize {
    ends.iter().position(|end| place < *end).unwrap_or(ends.len().saturating_sub(1))
}

/// Says where parts are far from their fractions: few keys do that by chance, many only where they were chosen by the same hash.
fn warn_of_shares(spec: &Spec, key: &str, homes: &[usize], parts: &[Vec<u32>], cx: &RunCx<'_>) {
    let (rows, keys) = (parts.iter().map(Vec::len).sum::<usize>() as f64, homes.len() as f64);
    for (part, (name, size)) in spec.parts.iter().enumerate() {
        let Part::Fraction(fraction) = size else { continue };
        let (wanted, found) = (fraction * rows, parts[part].len());
        let off = (found as f64 - wanted).abs();
        let keys_off = (homes.iter().filter(|home| **home == part).count() as f64 - fraction * keys).abs();
        let why = if keys_off > 6.0 * (keys * fraction * (1.0 - fraction)).sqrt() {
            "that is no chance: a table that was divided by this hash before is divided again with another `salt`"
                .to_owned()
        } else if off > 1.0 && off > wanted * 0.25 {
            format!("whole keys are dealt, and `{key}` has {} of them", numbers::count(homes.len() as u64))
        } else {
            continue;
        };
        cx.services.warn(format!(
            "{} has {} instead of about {}: {why}",
            told(name),
            numbers::counted(found, "row"),
            numbers::counted(wanted.round() as usize, "row")
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{findings, run, table_input};
    use super::super::Split;
    use super::*;
    use crate::stage::testing::Bench;
    use polars::prelude::*;
    use std::collections::BTreeMap;

    const THREE: &str = "parts = { train = 0.8, val = 0.1, test = 0.1 }\nhash = \"id\"";

    /// Each key's part.
    fn homes(df: DataFrame, fields: &str) -> BTreeMap<String, String> {
        let mut bench = Bench::default();
        table_input(&mut bench, "table", df);
        let parts = run::<Split>(&bench, &format!("from = \"table\"\n{fields}")).expect("split");
        let ids = |df: &DataFrame| df.column("id").expect("there").cast(&DataType::String).expect("texts");
        let mut homes = BTreeMap::new();
        for (name, df) in &parts {
            for id in ids(df).str().expect("texts").iter().flatten() {
                assert!(
                    homes.insert(id.to_owned(), name.clone()).is_none_or(|other| other == *name),
                    "`{id}` is divided"
                );
            }
        }
        homes
    }

    fn keyed(ids: impl Iterator<Item = i64>) -> DataFrame {
        let ids: Vec<i64> = ids.collect();
        let noise: Vec<i64> = ids.iter().map(|id| id * 7919 % 1009).collect();
        df!["id" => ids, "x" => noise].expect("a frame")
    }

    #[test]
    fn a_key_lies_where_every_program_says() {
        // int(hashlib.sha256(text).hexdigest()[:16], 16) / 16**16
        let known = [
            ("", "", 0.889_415_994_891_337_4),
            ("", "a", 0.791_374_270_522_381_6),
            ("", "42", 0.450_307_649_569_675_2),
            ("", "中国", 0.941_060_190_570_834_6),
            ("v2", "42", 0.664_581_243_467_577_1),
        ];
        for (salt, key, wanted) in known {
            assert!((place(salt, key) - wanted).abs() < 1e-15, "{salt} {key}: {}", place(salt, key));
        }
        assert_eq!([0.0, 0.099, 0.1, 0.9, 1.0].map(|place| home(place, &[0.1, 0.9, 0.999])), [0, 0, 1, 2, 2]);
    }

    #[test]
    fn a_key_keeps_its_part_whatever_else_is_in_the_table() {
        let all = homes(keyed(0..3000), THREE);
        let counts = ["test", "train", "val"].map(|part| all.values().filter(|home| *home == part).count());
        for (count, wanted) in counts.into_iter().zip([300_usize, 2400, 300]) {
            assert!(count.abs_diff(wanted) < 70, "{counts:?}");
        }
        let fewer = homes(keyed((0..3000).rev().filter(|id| id % 3 > 0)), THREE);
        let more = homes(keyed((-500..3500).chain(0..200)), THREE);
        assert_eq!((fewer.len(), more.len()), (2000, 4000), "and rows of a key stay together");
        assert!(fewer.iter().all(|(id, home)| all[id] == *home));
        assert!(all.iter().all(|(id, home)| more[id] == *home));
        // However the keys are stored.
        for dtype in [DataType::Int32, DataType::UInt16, DataType::String] {
            let stored = keyed(0..3000).lazy().with_column(col("id").cast(dtype)).collect().expect("a frame");
            assert_eq!(homes(stored, THREE), all);
        }
    }

    #[test]
    fn a_fraction_that_changes_moves_keys_between_it_and_train_alone() {
        let before = homes(keyed(0..3000), THREE);
        let after = homes(keyed(0..3000), "parts = { train = 0.6, val = 0.1, test = 0.3 }\nhash = \"id\"");
        for (id, home) in &before {
            assert!(after[id] == *home || (home == "train" && after[id] == "test"), "{id}: {home}, {}", after[id]);
        }
        let anew = homes(keyed(0..3000), &format!("{THREE}\nsalt = \"another\""));
        let both = before.iter().filter(|(id, home)| *home == "test" && anew[*id] == "test").count();
        assert!((10..60).contains(&both), "{both}");
    }

    #[test]
    fn each_key_is_in_one_fold_for_ever() {
        let test = |ids: std::ops::Range<i64>, fold: u32| -> Vec<String> {
            let fields = format!("folds = 4\nfold = {fold}\nhash = \"id\"");
            homes(keyed(ids), &fields).into_iter().filter(|(_, home)| home == "test").map(|(id, _)| id).collect()
        };
        let folds: Vec<Vec<String>> = (1..=4).map(|fold| test(0..1000, fold)).collect();
        assert!(folds.iter().all(|fold| (200..300).contains(&fold.len())));
        let mut all = folds.concat();
        all.sort_unstable();
        all.dedup();
        assert_eq!((all.len(), folds.iter().map(Vec::len).sum::<usize>()), (1000, 1000));
        let later = test(0..1500, 2);
        assert!(folds[1].iter().all(|id| later.contains(id)));
    }

    #[test]
    fn a_part_is_divided_again_with_another_salt() {
        let (mut bench, mut salted) = (Bench::default(), Bench::default());
        let train: Vec<String> =
            homes(keyed(0..3000), THREE).into_iter().filter(|(_, home)| home == "train").map(|(id, _)| id).collect();
        let df = df!["id" => &train, "x" => (0..train.len() as i64).collect::<Vec<_>>()].expect("a frame");
        table_input(&mut bench, "table", df.clone());
        table_input(&mut salted, "table", df);
        let two = "from = \"table\"\nparts = { train = 0.8, val = 0.2 }\nhash = \"id\"";
        bench.run::<Split>(two).expect("split");
        let warnings = bench.warnings.lock().expect("free").join("\n");
        assert!(warnings.contains("that is no chance"), "{warnings}");
        salted.run::<Split>(&format!("{two}\nsalt = \"val\"")).expect("split");
        let warnings = salted.warnings.lock().expect("free").join("\n");
        assert!(warnings.is_empty(), "{warnings}");
    }

    #[test]
    fn few_keys_are_told_and_a_part_without_any_is_an_error() {
        let mut bench = Bench::default();
        let df = df!["id" => (0..600).map(|row| row % 3).collect::<Vec<i32>>(), "x" => (0..600).collect::<Vec<i32>>()];
        table_input(&mut bench, "table", df.expect("a frame"));
        // The places of 0, 1 and 2 are 0.37, 0.42 and 0.83.
        bench.run::<Split>("from = \"table\"\nparts = { test = 0.8, train = 0.2 }\nhash = \"id\"").expect("split");
        let wanted =
            "part `train` has 200 rows instead of about 120 rows: whole keys are dealt, and `id` has 3 of them";
        let warnings = bench.warnings.lock().expect("free").join("\n");
        assert!(warnings.contains(wanted), "{warnings}");
        let fields = "from = \"table\"\nparts = { test = 0.1, train = 0.9 }\nhash = \"id\"";
        let error = bench.run::<Split>(fields).expect_err("no key lies below 0.1");
        assert_eq!(error.message, "part `test` would have no rows");
        assert!(error.hints[0].contains("`salt`"), "{error:?}");
    }

    #[test]
    fn what_is_no_key_and_what_does_not_go_with_a_hash_is_told() {
        let mut bench = Bench::default();
        let df = df!["id" => ["a", "b", "c"], "x" => [0.5, 1.5, 2.5], "n" => [Some(1), None, Some(2)]];
        table_input(&mut bench, "table", df.expect("a frame"));
        let two = "from = \"table\"\nparts = { train = 0.5, test = 0.5 }";
        let found = |fields: &str| findings::<Split>(&bench, fields);
        let codes = |fields: &str| found(fields).into_iter().map(|(code, _)| code).collect::<Vec<_>>();
        assert_eq!(codes(&format!("{two}\nhash = \"x\"")), ["E0214"]);
        assert_eq!(codes(&format!("{two}\nhash = \"idd\"")), ["E0213"]);
        for other in ["stratify = \"id\"", "group = \"id\"", "time = \"n\""] {
            assert_eq!(codes(&format!("{two}\nhash = \"id\"\n{other}")), ["E0135"], "{other}");
        }
        assert_eq!(codes(&format!("{two}\nsalt = \"a\"")), ["E0135"]);
        assert_eq!(codes("from = \"table\"\nparts = { train = \"rest\", test = 1 }\nhash = \"id\""), ["E0221"]);
        assert_eq!(codes("from = \"table\"\nparts = { train = 0.5, test = 0.4 }\nhash = \"id\""), ["E0221"]);
        let error = bench.run::<Split>(&format!("{two}\nhash = \"n\"")).expect_err("a key is missing");
        assert_eq!(error.message, "column `n` is missing in 1 row, the first of them row 2");
    }
}
