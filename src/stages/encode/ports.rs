//! How the datasets of an `encode` stage are called.
//!
//! A dataset has the name of its table's output: `split.train` gives `train`. A table that is the only output of its
//! stage, and is written without a port, gives the stage's name: `clean` gives `clean`, `prepare/clean` gives `clean`.
//! Where two would have one name, those are called after their stages: `a.table` and `b.table` give `a` and `b`.

use crate::stage::Ref;

/// The port of the fitted encoder; no dataset may have this name.
pub const ENCODER: &str = "encoder";

/// The port names for `fit` and `apply`, in that order; `Err` with the index of a reference whose name is taken.
pub fn dataset_ports(references: &[&Ref]) -> Result<Vec<String>, usize> {
    let short: Vec<&str> = references.iter().map(|reference| short_name(reference)).collect();
    let mut names: Vec<String> = Vec::with_capacity(references.len());
    for (index, reference) in references.iter().enumerate() {
        let clashes = short.iter().filter(|name| **name == short[index]).count() > 1 || short[index] == ENCODER;
        let name = if clashes { stage_name(reference) } else { short[index] };
        if names.iter().any(|taken| taken == name) || name == ENCODER {
            return Err(index);
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

fn short_name(reference: &Ref) -> &str {
    reference.port().unwrap_or_else(|| stage_name(reference))
}

fn stage_name(reference: &Ref) -> &str {
    let stage = reference.stage();
    stage.rsplit('/').next().unwrap_or(stage)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(references: &[&str]) -> Result<Vec<String>, usize> {
        let references: Vec<Ref> = references.iter().map(|text| Ref((*text).to_owned())).collect();
        dataset_ports(&references.iter().collect::<Vec<_>>())
    }

    #[test]
    fn names_follow_ports_then_stages() {
        assert_eq!(ports(&["split.train", "split.val"]).unwrap(), ["train", "val"]);
        assert_eq!(ports(&["clean", "m/other"]).unwrap(), ["clean", "other"]);
        assert_eq!(ports(&["a.table", "b.table", "s.test"]).unwrap(), ["a", "b", "test"]);
        assert_eq!(ports(&["a.train", "a.train"]), Err(1));
        assert_eq!(ports(&["encoder"]), Err(0));
        assert_eq!(ports(&["m.encoder"]).unwrap(), ["m"]);
    }
}
