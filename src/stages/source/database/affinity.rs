//! What a column of SQLite holds that has no values to tell it: the words in its declared type that SQLite looks for, in its order.

/// What its values would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Affinity {
    Whole,
    Float,
    Text,
    Bytes,
}

impl Affinity {
    /// `None` where the declared type says nothing. What SQLite calls numeric may be anything: of `DATE` and `DATETIME` it is text, as
    /// programs write them.
    pub(super) fn of(declared: &str) -> Option<Self> {
        let declared = declared.to_ascii_uppercase();
        let words: [(&[&str], Self); 6] = [
            (&["INT"], Self::Whole),
            (&["CHAR", "CLOB", "TEXT"], Self::Text),
            (&["BLOB"], Self::Bytes),
            (&["REAL", "FLOA", "DOUB"], Self::Float),
            (&["NUM", "DEC"], Self::Float),
            (&["BOOL"], Self::Whole),
        ];
        let has = |words: &[&str]| words.iter().any(|word| declared.contains(word));
        words.into_iter().find(|(words, _)| has(words)).map(|(_, affinity)| affinity)
    }
}

#[cfg(test)]
mod tests {
    use super::Affinity;

    #[test]
    fn declared_types_are_read_as_sqlite_reads_them() {
        for (declared, affinity) in [
            ("INTEGER", Some(Affinity::Whole)),
            ("unsigned big int", Some(Affinity::Whole)),
            ("CHARINT", Some(Affinity::Whole)),
            ("VARCHAR(255)", Some(Affinity::Text)),
            ("BLOB", Some(Affinity::Bytes)),
            ("double precision", Some(Affinity::Float)),
            ("DECIMAL(10,5)", Some(Affinity::Float)),
            ("boolean", Some(Affinity::Whole)),
            ("DATETIME", None),
            ("JSON", None),
            ("", None),
        ] {
            assert_eq!(Affinity::of(declared), affinity, "{declared}");
        }
    }
}
