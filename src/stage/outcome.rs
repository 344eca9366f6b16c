//! What the stages of a pipeline came to, in one digest.

use crate::digest::Digest;

/// What a stage came to: its key, and which of the results for that key, told by when and how fast it was made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome<'a> {
    /// The stage's name.
    pub stage: &'a str,
    /// Its key.
    pub key: Digest,
    /// When the result was made, in seconds since 1970.
    pub made: u64,
    /// Seconds that it took to make.
    pub seconds: f64,
}

/// The digest of these outcomes, in whatever order they come.
#[must_use]
pub fn outcomes_digest<'a>(outcomes: impl IntoIterator<Item = Outcome<'a>>) -> Digest {
    let mut sorted: Vec<Outcome<'_>> = outcomes.into_iter().collect();
    sorted.sort_by(|a, b| a.stage.cmp(b.stage));
    let mut hasher = blake3::Hasher::new_derive_key("kilter 2026 history snapshot");
    for Outcome { stage, key, made, seconds } in sorted {
        hasher.update(&(stage.len() as u64).to_le_bytes()).update(stage.as_bytes()).update(key.as_bytes());
        hasher.update(&made.to_le_bytes()).update(&seconds.to_bits().to_le_bytes());
    }
    Digest::from_bytes(*hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_does_not_count_and_every_part_does() {
        let of =
            |stage: &'static str, made: u64, seconds: f64| Outcome { stage, key: Digest::of(b"key"), made, seconds };
        let (a, b) = (of("a", 1, 0.5), of("b", 2, 0.5));
        assert_eq!(outcomes_digest([a, b]), outcomes_digest([b, a]));
        let others = [of("c", 1, 0.5), of("a", 3, 0.5), of("a", 1, 0.25), Outcome { key: Digest::of(b"other"), ..a }];
        for other in others {
            assert_ne!(outcomes_digest([a, b]), outcomes_digest([other, b]), "{other:?}");
        }
    }
}
