//! The two random streams of sampling.

use rand::{Rng as _, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_mt::Mt;

use crate::words::words;

words! {
    /// The source of random numbers.
    pub enum Rng: "rng", default Row {
        /// Every row has its own stream from (seed, row index), so that its text depends on
        /// neither the number of rows nor threads, batches or machines.
        Row = "row",
        /// Draws what torch draws on the CPU after `manual_seed(seed)`, as the Python original
        /// does; all rows of a run share one stream.
        Torch = "torch",
    }
}

/// A row's generator: ChaCha8 keyed by the seed, with the row as its stream. ChaCha8 is fully
/// specified, so a script's text stays the same across versions and machines.
pub(super) struct RowStream(ChaCha8Rng);

impl RowStream {
    pub(super) fn new(seed: u64, row: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(row);
        Self(rng)
    }

    /// A uniform number in [0, 1).
    pub(super) fn uniform(&mut self) -> f64 {
        self.0.random()
    }
}

/// torch's CPU generator, as `torch.multinomial` uses it: one Exp(1) value for every entry of the
/// probability matrix, row by row.
pub(super) struct TorchStream(Mt);

impl TorchStream {
    pub(super) fn new(seed: u64) -> Self {
        // torch's generator uses the low 32 bits of a seed.
        Self(Mt::new(seed as u32))
    }

    /// The raw numbers for the next `n` values. Converting one takes a logarithm, so that is left
    /// to [`exponential`] for the values that matter.
    pub(super) fn next_raw(&mut self, n: usize) -> Vec<u64> {
        (0..n)
            .map(|_| {
                let high = u64::from(self.0.next_u32());
                let low = u64::from(self.0.next_u32());
                (high << 32) | low
            })
            .collect()
    }

    pub(super) fn skip(&mut self, n: usize) {
        for _ in 0..2 * n {
            self.0.next_u32();
        }
    }
}

/// The Exp(1) value of a raw number, rounded to f32 like torch's.
pub(super) fn exponential(raw: u64) -> f32 {
    const BITS: u32 = 53;
    let u = (raw & ((1 << BITS) - 1)) as f64 / (1u64 << BITS) as f64;
    -(-u).ln_1p() as f32
}

/// The first `n` Exp(1) values that torch draws on the CPU after `manual_seed(seed)`.
pub fn torch_exponentials(seed: u64, n: usize) -> Vec<f32> {
    let raw = TorchStream::new(seed).next_raw(n);
    raw.into_iter().map(exponential).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skipped_numbers_advance_the_stream() {
        let mut skipped = TorchStream::new(7);
        skipped.skip(1000);
        let mut read = TorchStream::new(7);
        read.next_raw(1000);
        assert_eq!(skipped.next_raw(3), read.next_raw(3));
    }

    /// Pinned: shared scripts must print the same text next year.
    #[test]
    fn row_streams_never_change() {
        let first = |seed, row| RowStream::new(seed, row).uniform();
        assert_eq!(first(0, 0), 0.7090754154265618);
        assert_eq!(first(0, 1), 0.755531016687046);
        assert_eq!(first(42, 7), 0.1285064537566929);
    }
}
