//! Column names with ranges: `pixel_{0..783}` stands for 784 names.

/// Names, each with the entry of `names` that it comes from.
#[derive(Debug, Default)]
pub(super) struct Expanded {
    pub(super) names: Vec<String>,
    pub(super) entries: Vec<usize>,
}

/// An entry that cannot be read.
#[derive(Debug)]
pub(super) struct WrongName {
    pub(super) entry: usize,
    pub(super) message: String,
}

/// So many columns at most; a typing slip must not fill the memory.
const MOST: u64 = 1_000_000;

pub(super) fn expand(entries: &[String]) -> Result<Expanded, WrongName> {
    let mut out = Expanded::default();
    for (index, entry) in entries.iter().enumerate() {
        let wrong = |message: String| WrongName { entry: index, message };
        let names = match (entry.find('{'), entry.find('}')) {
            (None, None) => vec![entry.clone()],
            (Some(open), Some(close)) if open < close => {
                let (low, high) = range(&entry[open + 1..close])
                    .ok_or_else(|| wrong(format!("`{entry}` holds no range like `{{0..783}}`")))?;
                if high < low || high - low >= MOST {
                    return Err(wrong(format!("`{entry}` stands for no names, or for more than {MOST}")));
                }
                let (before, after) = (&entry[..open], &entry[close + 1..]);
                (low..=high).map(|number| format!("{before}{number}{after}")).collect()
            }
            _ => return Err(wrong(format!("`{entry}` has a brace without its partner"))),
        };
        out.entries.extend(std::iter::repeat_n(index, names.len()));
        out.names.extend(names);
    }
    Ok(out)
}

fn range(text: &str) -> Option<(u64, u64)> {
    let (low, high) = text.split_once("..")?;
    Some((low.trim().parse().ok()?, high.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_both_ends() {
        let names = |entries: &[&str]| {
            let entries: Vec<String> = entries.iter().map(|entry| (*entry).to_owned()).collect();
            expand(&entries).map(|expanded| expanded.names).map_err(|wrong| (wrong.entry, wrong.message))
        };
        let expanded = names(&["pixel_{0..783}", "label"]).expect("names");
        assert_eq!((expanded.len(), expanded[783].as_str(), expanded[784].as_str()), (785, "pixel_783", "label"));
        assert_eq!(names(&["a{2..3}b"]).expect("names"), ["a2b", "a3b"]);
        assert_eq!(names(&["x", "a{3..2}"]).expect_err("wrong").0, 1);
        assert!(names(&["a{3}"]).is_err() && names(&["a}"]).is_err() && names(&["a{0..99999999}"]).is_err());
    }
}
