//! "Did you mean", lists of names, values cut short, and names as TOML wants them, for messages.

use std::borrow::Cow;

/// The hint ``did you mean `x`?`` for the candidate nearest to `name`, where one is near enough.
#[must_use]
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(name, candidates).map(|best| format!("did you mean `{best}`?"))
}

/// What things are called in other programs, and here. A candidate of the second name is what the first means.
const ELSEWHERE: &[(&str, &str)] = &[
    ("add_special_tokens", "special_tokens"),
    ("agg", "group"),
    ("aggregate", "group"),
    ("assign", "derive"),
    ("astype", "cast"),
    ("avg", "mean"),
    ("bfill", "backward"),
    ("bigint", "i64"),
    ("boolean", "bool"),
    ("class_weight", "weight"),
    ("class_weights", "weight"),
    ("csv", "read"),
    ("dataset", "data"),
    ("dense", "linear"),
    ("dim_feedforward", "feedforward"),
    ("do_lower_case", "lowercase"),
    ("double", "f64"),
    ("download", "fetch"),
    ("drop_duplicates", "dedupe"),
    ("dropna", "filter"),
    ("dtypes", "types"),
    ("embed_dim", "dim"),
    ("embedding_dim", "dim"),
    ("ffill", "forward"),
    ("fillna", "fill"),
    ("filters", "out"),
    ("float", "f64"),
    ("float32", "f32"),
    ("float64", "f64"),
    ("gradient_accumulation_steps", "accumulate"),
    ("gradient_clip_val", "clip"),
    ("groupby", "group"),
    ("int", "i64"),
    ("int16", "i16"),
    ("int32", "i32"),
    ("int64", "i64"),
    ("int8", "i8"),
    ("integer", "i64"),
    ("iso-8859-1", "latin1"),
    ("learning_rate", "lr"),
    ("load", "read"),
    ("max_epochs", "epochs"),
    ("max_norm", "norm"),
    ("melt", "unpivot"),
    ("merge", "join"),
    ("min_freq", "min_frequency"),
    ("mlm_probability", "probability"),
    ("mode", "most_frequent"),
    ("monitor", "metric"),
    ("mutate", "derive"),
    ("nhead", "heads"),
    ("num_embeddings", "count"),
    ("num_epochs", "epochs"),
    ("num_groups", "groups"),
    ("num_heads", "heads"),
    ("num_layers", "layers"),
    ("num_return_sequences", "samples"),
    ("num_train_epochs", "epochs"),
    ("order_by", "sort"),
    ("ordinal", "index"),
    ("outer", "full"),
    ("query", "sql"),
    ("resample", "group"),
    ("return_sequences", "output"),
    ("scheduler", "schedule"),
    ("string", "str"),
    ("subset", "by"),
    ("timestamp", "datetime"),
    ("union", "concat"),
    ("units", "hidden"),
    ("upsample", "complete"),
    ("validate", "matches"),
    ("varchar", "str"),
    ("warmup_ratio", "warmup_epochs"),
    ("warmup_steps", "warmup_epochs"),
    ("where", "filter"),
    ("with_columns", "derive"),
];

/// Shorter names are found in too many others.
const SHORTEST_PART: usize = 3;

/// The candidate that `name` most probably means: by what it is called elsewhere, by its letters, or by its words.
fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let candidates: Vec<&str> = candidates.into_iter().filter(|candidate| *candidate != name).collect();
    let elsewhere = ELSEWHERE.iter().filter(|(there, _)| *there == lower);
    let known = elsewhere.flat_map(|(_, here)| candidates.iter().copied().find(|candidate| candidate == here)).next();
    known.or_else(|| by_letters(&lower, &candidates)).or_else(|| by_words(&lower, &candidates))
}

/// By edit distance, where at most a third of the letters differ, and one is the same; of paths without the folders
/// that both lie in.
fn by_letters<'a>(lower: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let near = |candidate: &&'a str| {
        let folded = candidate.to_lowercase();
        let (name, other) = without_folders(lower, &folded);
        let distance = strsim::osa_distance(name, other);
        let length = name.chars().count().max(other.chars().count());
        let allowed = (length / 3).max(1);
        (distance <= allowed && distance < length).then_some((distance, *candidate))
    };
    candidates.iter().filter_map(near).min().map(|(_, candidate)| candidate)
}

/// By words: `tenure` means `tenure_months`, and `cosine_annealing` means `cosine`. The one that differs least.
fn by_words<'a>(lower: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let near = |candidate: &&'a str| {
        let folded = candidate.to_lowercase();
        let (name, other) = without_folders(lower, &folded);
        (begins_with(other, name) || begins_with(name, other)).then(|| (name.len().abs_diff(other.len()), *candidate))
    };
    candidates.iter().filter_map(near).min().map(|(_, candidate)| candidate)
}

/// Whether the first words of a name are another name.
fn begins_with(name: &str, part: &str) -> bool {
    let rest = name.strip_prefix(part).filter(|_| part.chars().count() >= SHORTEST_PART);
    rest.is_some_and(|rest| rest.starts_with(['_', '-', '.']))
}

/// Two paths without the folders that they have in common.
fn without_folders<'a, 'b>(one: &'a str, two: &'b str) -> (&'a str, &'b str) {
    let same = one.bytes().zip(two.bytes()).take_while(|(a, b)| a == b).count();
    // A slash is one byte, and so the cut lies between characters.
    let cut = one.as_bytes()[..same].iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
    (&one[cut..], &two[cut..])
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

/// So many characters of a value are shown.
const MOST_SHOWN: usize = 100;

/// A value of the data in a message: of a long text the beginning.
#[must_use]
pub fn brief(value: &str) -> Cow<'_, str> {
    match value.char_indices().nth(MOST_SHOWN) {
        None => Cow::Borrowed(value),
        Some((end, _)) => Cow::Owned(format!("{}…", &value[..end])),
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
    fn of_a_long_value_the_beginning_is_shown() {
        assert_eq!(brief("a value"), "a value");
        assert_eq!(brief(&"字".repeat(100)), "字".repeat(100));
        assert_eq!(brief(&"字".repeat(100_000)), format!("{}…", "字".repeat(100)));
    }

    #[test]
    fn near_names_are_suggested_and_far_ones_are_not() {
        assert_eq!(did_you_mean("dep_delya", ["dep_delay", "arr_delay"]).as_deref(), Some("did you mean `dep_delay`?"));
        assert_eq!(did_you_mean("xyz", ["dep_delay"]), None);
        assert_eq!(did_you_mean("f", ["d", "n"]), None);
        assert_eq!(did_you_mean("nn", ["d", "n"]).as_deref(), Some("did you mean `n`?"));
        assert_eq!(did_you_mean("Adam", ["adam", "adamw"]).as_deref(), Some("did you mean `adam`?"));
    }

    #[test]
    fn words_of_other_programs_mean_ours() {
        assert_eq!(nearest("ffill", ["backward", "forward"]), Some("forward"));
        assert_eq!(nearest("merge", ["derive", "join"]), Some("join"));
        assert_eq!(nearest("melt", ["pivot", "unpivot"]), Some("unpivot"));
        assert_eq!(nearest("outer", ["inner", "left", "full"]), Some("full"));
        assert_eq!(nearest("float64", ["f32", "f64", "date"]), Some("f64"));
        assert_eq!(nearest("ISO-8859-1", ["utf8", "latin1"]), Some("latin1"));
        assert_eq!(nearest("resample", ["sample", "group"]), Some("group"));
        assert_eq!(nearest("resample", ["sample"]), Some("sample"));
        assert_eq!(nearest("num_layers", ["hidden", "layers", "output"]), Some("layers"));
        assert_eq!(nearest("monitor", ["metric", "patience"]), Some("metric"));
        assert_eq!(nearest("min_freq", ["format", "min_frequency"]), Some("min_frequency"));
    }

    #[test]
    fn the_first_words_of_a_name_mean_it_and_so_do_more_words() {
        let columns = ["customer_id", "tenure_months", "tenure_months_before"];
        assert_eq!(nearest("tenure", columns), Some("tenure_months"));
        assert_eq!(nearest("cosine_annealing", ["constant", "cosine", "linear"]), Some("cosine"));
        // Two letters begin too many names, and a part of a word is none.
        assert_eq!(nearest("id", ["id_of_customer"]), None);
        assert_eq!(nearest("ten", ["tenure_months"]), None);
    }

    #[test]
    fn of_a_path_the_folders_that_are_right_say_nothing() {
        let modules = ["std/text/bert_tiny", "std/text/bert_tiny_classifier", "std/text/lstm", "std/text/textcnn"];
        assert_eq!(nearest("std/text/bert", modules), Some("std/text/bert_tiny"));
        assert_eq!(nearest("std/text/text_cnn", modules), Some("std/text/textcnn"));
        assert_eq!(nearest("std/txt/lstm", modules), Some("std/text/lstm"));
        assert_eq!(nearest("std/text/resnet", modules), None);
        assert_eq!(nearest("标/甲", ["标/乙", "标/甲乙"]), Some("标/甲乙"));
    }

    #[test]
    fn names_of_other_programs_mean_those_of_this_one() {
        assert_eq!(nearest("int", ["i8", "i64", "str"]), Some("i64"));
        assert_eq!(nearest("learning_rate", ["betas", "lr"]), Some("lr"));
        assert_eq!(nearest("Dense", ["linear", "lstm"]), Some("linear"));
        // Where there is no such thing, it is not meant.
        assert_eq!(nearest("int", ["a", "b"]), None);
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
