//! Content digests, and the canonical form from which every key is made.
//!
//! # The canonical form
//!
//! A value is serialised by serde into a [`Tree`] and the tree is encoded into bytes, which BLAKE3 hashes:
//!
//! | node | encoding |
//! |---|---|
//! | null | `0x00` |
//! | bool | `0x01`, then `0` or `1` |
//! | integer | `0x02`, then 16 bytes, two's complement, little endian (every width encodes alike) |
//! | float | `0x03`, then the 8 bytes of the `f64`, little endian; every NaN as one NaN. `-0.0` is not `0.0`: dividing by it gives another infinity |
//! | string | `0x04`, length as `u64`, UTF-8 bytes |
//! | sequence | `0x05`, length as `u64`, items |
//! | map | `0x06`, length as `u64`, then key (as string) and value, sorted by key |
//! | input reference | `0x07`, then the 32 bytes of the input's **content** digest |
//! | workspace file | `0x08`, then the 32 bytes of the file's content digest |
//!
//! So key order, white space and the names of upstream stages never enter, and an integer given where a float is
//! meant enters as whatever type the field has. Struct fields enter under their names, enum variants as a map of one
//! entry (or a string, for unit variants). A map entry whose value is null (a field that is `None`) does not enter, so a
//! kind can gain an optional field without losing its cached results.
//!
//! [`Ref`](crate::stage::Ref) and [`FilePath`](crate::stage::FilePath) mark themselves by the newtype names
//! [`REF_MARK`] and [`FILE_MARK`]; no other type may use those names.

mod fields;
mod hash;
mod segment;
mod serializer;
mod table;
mod tree;

pub use fields::Fields;
pub use hash::{Digest, ParseDigestError};
pub use segment::{Segment, dotted};
pub use serializer::TreeError;
pub use table::TableDigest;
pub use tree::Tree;

/// Newtype name under which a reference to another stage's output serialises.
pub const REF_MARK: &str = "kilter::Ref";
/// Newtype name under which a workspace file serialises.
pub const FILE_MARK: &str = "kilter::File";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_order_does_not_count_and_values_do() {
        let digest = |text: &str| Tree::of(&text.parse::<toml::Table>().expect("toml")).expect("tree").digest();
        assert_eq!(digest("a = 1\nb = 2.5"), digest("b = 2.5\n\n# note\na = 1"));
        assert_ne!(digest("a = 1"), digest("a = 2"));
        assert_ne!(digest("a = 1"), digest("a = 1.0"));
        assert_ne!(digest("a = ['b', 'c']"), digest("a = ['bc']"));
    }

    #[test]
    fn a_digest_reads_back_what_it_writes() {
        let digest = Digest::of(b"kilter");
        assert_eq!(digest.to_string().parse::<Digest>().expect("parses"), digest);
        assert!("xyz".parse::<Digest>().is_err());
    }

    #[test]
    fn all_nans_encode_alike_and_the_two_zeros_do_not() {
        assert_ne!(Tree::Float(0.0).digest(), Tree::Float(-0.0).digest());
        assert_eq!(Tree::Float(f64::NAN).digest(), Tree::Float(-f64::NAN).digest());
    }

    #[test]
    fn paths_read_as_people_write_them() {
        assert_eq!(dotted(&["layers".into(), 3.into(), "linear".into()]), "layers[3].linear");
    }
}
