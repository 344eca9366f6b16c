//! The column of a term that is hashed: MurmurHash3 (Austin Appleby, x86, 32 bits, seed 0) as a signed number, the way
//! scikit-learn's `HashingVectorizer` uses it.

/// MurmurHash3_x86_32.
fn murmur3(bytes: &[u8]) -> u32 {
    let scramble = |k: u32| k.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let (blocks, tail) = bytes.as_chunks::<4>();
    let mut hash = blocks.iter().fold(0_u32, |hash, block| {
        (hash ^ scramble(u32::from_le_bytes(*block))).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64)
    });
    if !tail.is_empty() {
        hash ^= scramble(tail.iter().rev().fold(0, |k, byte| (k << 8) | u32::from(*byte)));
    }
    hash ^= bytes.len() as u32;
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

/// The column of a term among `columns`, and whether its sign is minus.
pub fn column(term: &str, columns: u32) -> (u32, bool) {
    let hash = murmur3(term.as_bytes()).cast_signed();
    // The least number has no absolute value; scikit-learn takes the column next to that of the greatest.
    let place = if hash == i32::MIN {
        (i32::MAX.unsigned_abs() - (columns - 1)) % columns
    } else {
        hash.unsigned_abs() % columns
    };
    (place, hash < 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    // sklearn.utils.murmurhash3_32(text, seed=0, positive=True) of scikit-learn 1.9.1.
    #[test]
    fn hashes_are_murmurs() {
        for (text, hash) in HASHES {
            assert_eq!(murmur3(text.as_bytes()), hash, "{text}");
        }
    }

    const HASHES: [(&str, u32); 6] = [
        ("", 0),
        ("a", 1_009_084_850),
        ("ab", 2_613_040_991),
        ("abc", 3_017_643_002),
        ("hello world", 1_586_663_183),
        ("质量", 848_126_729),
    ];
}
