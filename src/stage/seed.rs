//! Random numbers that depend only on what is written down: the pipeline's seed, the stage and the purpose.

use crate::digest::Digest;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// The seed of one stage. Every purpose has its own stream, so adding a random choice does not shift another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(Digest);

impl Seed {
    /// The seed of stage `stage` in a pipeline with seed `pipeline`.
    #[must_use]
    pub fn derive(pipeline: u64, stage: &str) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("kilter 2026 stage seed");
        hasher.update(&pipeline.to_le_bytes()).update(stage.as_bytes());
        Self(Digest::from_bytes(*hasher.finalize().as_bytes()))
    }

    /// A generator for one purpose, such as `"shuffle"`.
    #[must_use]
    pub fn rng(&self, purpose: &str) -> ChaCha8Rng {
        ChaCha8Rng::from_seed(self.bytes(purpose))
    }

    /// One number for one purpose; what libtorch's generators are seeded with.
    #[must_use]
    pub fn number(&self, purpose: &str) -> u64 {
        let bytes = self.bytes(purpose);
        u64::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]])
    }

    /// The digest that enters a stage's key.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.0
    }

    fn bytes(&self, purpose: &str) -> [u8; 32] {
        *blake3::Hasher::new_keyed(self.0.as_bytes()).update(purpose.as_bytes()).finalize().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_the_derivation_counts() {
        let seed = Seed::derive(7, "split");
        assert_eq!(seed.number("shuffle"), Seed::derive(7, "split").number("shuffle"));
        assert_ne!(seed.number("shuffle"), seed.number("dropout"));
        assert_ne!(seed.number("shuffle"), Seed::derive(8, "split").number("shuffle"));
        assert_ne!(seed.number("shuffle"), Seed::derive(7, "train").number("shuffle"));
    }
}
