//! Where the sandbox's randomness comes from: SHA-256 of what was asked (R4), never a clock, a run
//! id or a send id, so two runs of one workflow get the same answers.

use placet_model::{Digest, canonical};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};
use serde_json::Value;

/// Version of the generator. It is recorded with each answer; another version may answer differently, and
/// answers no run that this one has begun to answer.
pub const GENERATOR: &str = "mock/1";

/// What an answer depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) sandbox_seed: u64,
    pub(crate) integration: &'a str,
    pub(crate) operation: &'a str,
    pub(crate) input: &'a Value,
}

impl Question<'_> {
    /// Names the combination; how often it was seen is counted under this.
    pub(crate) fn digest(&self) -> Digest {
        let input =
            canonical::to_bytes(self.input).unwrap_or_else(|_| self.input.to_string().into_bytes());
        let lengths = [self.integration.len(), self.operation.len()].map(|len| len.to_string());
        Digest::of_parts(&[
            GENERATOR.as_bytes(),
            &self.sandbox_seed.to_be_bytes(),
            lengths[0].as_bytes(),
            b":",
            self.integration.as_bytes(),
            lengths[1].as_bytes(),
            b":",
            self.operation.as_bytes(),
            &input,
        ])
    }

    /// The seed of the `seen`-th answer to this very combination, from 0.
    pub(crate) fn seed(&self, seen: u64) -> Digest {
        Digest::of_parts(&[self.digest().as_bytes(), &seen.to_be_bytes()])
    }
}

/// A seeded stream of choices.
#[derive(Debug, Clone)]
pub(crate) struct Choices(ChaCha8Rng);

impl Choices {
    /// Each attempt of one seed has a stream of its own.
    pub(crate) fn new(seed: &Digest, attempt: u64) -> Self {
        let mut rng = ChaCha8Rng::from_seed(*seed.as_bytes());
        rng.set_stream(attempt);
        Self(rng)
    }

    /// A number below `bound`; 0 for a bound of 0. The bias of the modulus is of no concern here.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.0.next_u64() % bound).unwrap_or(0)
    }

    /// One of a list that is not empty.
    pub(crate) fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }

    pub(crate) fn letters(&mut self, alphabet: &[u8], len: usize) -> String {
        (0..len).map(|_| char::from(*self.pick(alphabet))).collect()
    }
}
