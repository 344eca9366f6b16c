//! Two values that differ, each on a part of a line.

/// The longest text that is shown whole, in characters.
const SHOWN: usize = 60;

/// How many characters before the first difference are shown, where the beginning is left out.
const BEFORE: usize = 20;

/// Two texts, shortened where they are long, and both at the same place: so that what differs is seen.
#[must_use]
pub fn excerpts(one: &str, other: &str) -> (String, String) {
    let same = one.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    let is_long = |text: &str| text.chars().count() > SHOWN;
    // What differs early is seen from the beginning.
    let left_out = if (is_long(one) || is_long(other)) && same + BEFORE > SHOWN { same - BEFORE } else { 0 };
    (excerpt(one, left_out), excerpt(other, left_out))
}

/// A text without its first characters, with an ellipsis for what is not there.
fn excerpt(text: &str, left_out: usize) -> String {
    let head = if left_out > 0 { "…" } else { "" };
    let room = SHOWN - head.chars().count();
    let rest: Vec<char> = text.chars().skip(left_out).collect();
    match rest.len() > room {
        true => format!("{head}{}…", rest[..room - 1].iter().collect::<String>()),
        false => format!("{head}{}", rest.iter().collect::<String>()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_texts_are_whole() {
        let whole = "x".repeat(60);
        assert_eq!(excerpts("0.1", "0.2"), ("0.1".to_owned(), "0.2".to_owned()));
        assert_eq!(excerpts(&whole, "0.2"), (whole.clone(), "0.2".to_owned()));
        let cut = format!("{}…", "y".repeat(59));
        assert_eq!(excerpts("0.1", &"y".repeat(61)), ("0.1".to_owned(), cut));
    }

    #[test]
    fn a_difference_late_in_long_texts_is_seen() {
        let query = |limit: &str| format!("SELECT {} FROM t WHERE b < {limit} GROUP BY c", "a, ".repeat(30));
        assert_eq!(
            excerpts(&query("100"), &query("20")),
            ("…,  FROM t WHERE b < 100 GROUP BY c".to_owned(), "…,  FROM t WHERE b < 20 GROUP BY c".to_owned())
        );
        // One is the beginning of the other.
        let (one, other) = (format!("{}é", "ü".repeat(100)), "ü".repeat(100));
        let shown = "ü".repeat(20);
        assert_eq!(excerpts(&one, &other), (format!("…{shown}é"), format!("…{shown}")));
        let (long, longer) = (format!("{}{}", "a".repeat(50), "b".repeat(90)), "a".repeat(140));
        for text in [excerpts(&long, &longer).0, excerpts(&long, &longer).1] {
            assert_eq!(text.chars().count(), SHOWN, "{text}");
        }
    }
}
