//! The only file that names the operating system's randomness.
//!
//! Whoever needs randomness takes a `&dyn Entropy`: the system's in processes, a seeded one in tests.

use std::sync::atomic::{AtomicU64, Ordering};

use receipt_core::hash::tagged;

/// The operating system gave no randomness. Nothing that needs a secret may go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no randomness: {0}")]
pub struct EntropyError(String);

/// A source of bytes that nobody can predict (or, in tests, that everybody can repeat).
pub trait Entropy: std::fmt::Debug + Send + Sync + 'static {
    /// Fills `buffer` completely, or fails.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError>;
}

/// `N` bytes from `entropy`.
pub fn random_array<const N: usize>(entropy: &dyn Entropy) -> Result<[u8; N], EntropyError> {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes)?;
    Ok(bytes)
}

/// The operating system's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        getrandom::fill(buffer).map_err(|error| EntropyError(error.to_string()))
    }
}

/// A repeatable stream: the same seed gives the same bytes. For tests and generated development networks only.
#[derive(Debug)]
pub struct SeededEntropy {
    seed: u64,
    blocks: AtomicU64,
}

impl SeededEntropy {
    /// Starts the stream of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed, blocks: AtomicU64::new(0) }
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
        for chunk in buffer.chunks_mut(32) {
            let block = self.blocks.fetch_add(1, Ordering::SeqCst);
            let hash = tagged("tallystick/seeded-entropy/v1", &[&self.seed.to_be_bytes(), &block.to_be_bytes()]);
            chunk.copy_from_slice(&hash.as_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_repeats_and_another_does_not() {
        let draw = |seed| random_array::<40>(&SeededEntropy::new(seed)).unwrap();
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn a_stream_goes_on() {
        let entropy = SeededEntropy::new(1);
        assert_ne!(random_array::<16>(&entropy).unwrap(), random_array::<16>(&entropy).unwrap());
    }

    #[test]
    fn the_system_gives_different_bytes() {
        assert_ne!(random_array::<32>(&OsEntropy).unwrap(), random_array::<32>(&OsEntropy).unwrap());
    }
}
