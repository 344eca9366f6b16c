//! "Did you mean", lists of names, and names as TOML wants them, for messages.

/// The hint ``did you mean `x`?`` for the candidate nearest to `name`, where one is near enough.
#[must_use]
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(name, candidates).map(|best| format!("did you mean `{best}`?"))
}

/// The candidate nearest to `name` by edit distance, where at most a third of its letters differ, and one is the same.
fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    candidates
        .into_iter()
        .filter(|candidate| *candidate != name)
        .filter_map(|candidate| {
            let distance = strsim::osa_distance(&lower, &candidate.to_lowercase());
            let length = name.chars().count().max(candidate.chars().count());
            let allowed = (length / 3).max(1);
            (distance <= allowed && distance < length).then_some((distance, candidate))
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// `` `a`, `b` and `c` ``; beyond `most` names, `` `a`, `b` and 7 more ``.
#[must_use]
pub fn list<'a>(names: impl IntoIterator<Item = &'a str>, most: usize) -> String {
    let mut quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    if quoted.len() > most {
        let rest = quoted.len() - most;
        quoted.truncate(most);
        return format!("{} and {rest} more", quoted.join(", "));
    }
    match quoted.pop() {
        None => "none".to_owned(),
        Some(last) if quoted.is_empty() => last,
        Some(last) => format!("{} and {last}", quoted.join(", ")),
    }
}

/// A name as a TOML key that can be copied: bare where that is allowed, else in quotes, as `评论` has to be.
#[must_use]
pub fn toml_key(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if bare { name.to_owned() } else { format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_suggested_and_far_ones_are_not() {
        assert_eq!(did_you_mean("dep_delya", ["dep_delay", "arr_delay"]).as_deref(), Some("did you mean `dep_delay`?"));
        assert_eq!(did_you_mean("xyz", ["dep_delay"]), None);
        assert_eq!(did_you_mean("f", ["d", "n"]), None);
        assert_eq!(did_you_mean("nn", ["d", "n"]).as_deref(), Some("did you mean `n`?"));
        assert_eq!(did_you_mean("Adam", ["adam", "adamw"]).as_deref(), Some("did you mean `adam`?"));
    }

    #[test]
    fn a_key_is_in_quotes_where_toml_wants_them() {
        assert_eq!(toml_key("body_mass-g2"), "body_mass-g2");
        assert_eq!(toml_key("评论"), "\"评论\"");
        assert_eq!(toml_key("a \"b\""), "\"a \\\"b\\\"\"");
        assert_eq!(toml_key(""), "\"\"");
    }

    #[test]
    fn lists_read_as_sentences() {
        assert_eq!(list(["a"], 4), "`a`");
        assert_eq!(list(["a", "b", "c"], 4), "`a`, `b` and `c`");
        assert_eq!(list(["a", "b", "c"], 2), "`a`, `b` and 1 more");
    }
}
