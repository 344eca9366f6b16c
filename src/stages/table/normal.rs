//! Texts without what people do not mean to differ by: width, case, spaces and punctuation.

use unicode_normalization::UnicodeNormalization;

/// The letters and digits of a text in compatibility form (Unicode NFKC), in lower case; a text without any is only trimmed.
pub(super) fn normalised(text: &str) -> String {
    let kept: String = text.nfkc().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    if kept.is_empty() { text.trim().to_owned() } else { kept }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_with_other_width_case_and_punctuation_are_one() {
        assert_eq!(normalised("质量 很好！！ＯＫ"), normalised("质量很好，ok"));
        assert_eq!(normalised("Don't  STOP."), normalised("dont stop"));
        assert_ne!(normalised("质量好"), normalised("质量不好"));
        assert_eq!((normalised("!!"), normalised(" ?")), ("!!".to_owned(), "?".to_owned()));
    }
}
