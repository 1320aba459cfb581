//! The microkernel: a few rows times the columns of one panel, with the accumulators in registers.
//!
//! Weights ([`super::packed`]) and a prompt's keys and values are packed into such panels.

use half::bf16;
use rten_simd::ops::{BitOps, IntOps, NumOps};
use rten_simd::{Isa, Simd, SimdOp};

/// How a packed weight stores its values.
pub(crate) trait Stored: bytemuck::Pod + Send + Sync {
    /// Stored values per input of a panel, for vectors of `lanes` lanes.
    fn per_input(lanes: usize) -> usize;

    /// Stores the values of two half panels.
    fn store(low: &[f32], high: &[f32], to: &mut [Self]);

    /// Loads them as two vectors.
    fn load<I: Isa>(isa: I, from: &[Self]) -> [I::F32; 2];
}

impl Stored for f32 {
    fn per_input(lanes: usize) -> usize {
        2 * lanes
    }

    fn store(low: &[f32], high: &[f32], to: &mut [Self]) {
        to[..low.len()].copy_from_slice(low);
        to[low.len()..].copy_from_slice(high);
    }

    #[inline(always)]
    fn load<I: Isa>(isa: I, from: &[Self]) -> [I::F32; 2] {
        isa.f32().load_many(from)
    }
}

/// Two columns half a panel apart share a word. A bf16 is the upper half of an f32, so a mask reads
/// one of them and a shift the other.
pub(crate) type Bf16Pair = i32;

impl Stored for Bf16Pair {
    fn per_input(lanes: usize) -> usize {
        lanes
    }

    fn store(low: &[f32], high: &[f32], to: &mut [Self]) {
        let bits = |value: f32| u32::from(bf16::from_f32(value).to_bits());
        for ((to, low), high) in to.iter_mut().zip(low).zip(high) {
            *to = (bits(*high) << 16 | bits(*low)).cast_signed();
        }
    }

    #[inline(always)]
    fn load<I: Isa>(isa: I, from: &[Self]) -> [I::F32; 2] {
        let ints = isa.i32();
        let words = ints.load(from);
        let upper = ints.splat(0xffff_0000_u32.cast_signed());
        [
            ints.shift_left::<16>(words).reinterpret_cast(),
            ints.and(words, upper).reinterpret_cast(),
        ]
    }
}

/// Lanes of the widest vectors: AVX-512.
pub(crate) const MAX_LANES: usize = 16;
/// The most rows of a block. Each takes two accumulator vectors, and all must fit into the
/// registers: 32 with AVX-512 and NEON, 16 with AVX2.
const MAX_ROWS: usize = 12;
const FEW_ROWS: usize = 6;
/// Inputs that all rows go through before the next ones: 16 or 32 KB of a panel in f32. It decides
/// how sums are rounded, so it is the same on all machines.
pub(crate) const K_BLOCK: usize = 256;
/// How many inputs ahead to prefetch if there is only one block of rows.
const PREFETCH_DISTANCE: usize = 64;

/// The most rows of a block on this machine.
pub(crate) fn max_rows(lanes: usize) -> usize {
    if lanes == MAX_LANES {
        MAX_ROWS
    } else {
        FEW_ROWS
    }
}

/// Packs rows `[row, in]` into `[in, height]`, which is how the microkernel reads a block of rows,
/// and how rows become the columns of a panel.
pub(crate) fn pack_rows<'a>(
    rows: impl Iterator<Item = &'a [f32]> + Clone,
    height: usize,
    to: &mut [f32],
) {
    // Part of the rows at a time, so that the output stays in the first-level cache.
    for (i, to) in to.chunks_mut(K_BLOCK * height).enumerate() {
        for (row, values) in rows.clone().enumerate() {
            let values = &values[i * K_BLOCK..];
            for (to, value) in to.chunks_exact_mut(height).zip(values) {
                to[row] = *value;
            }
        }
    }
}

/// What the microkernel prefetches while it computes.
#[derive(Clone, Copy)]
pub(crate) struct Prefetch {
    from: *const f32,
    /// Bytes to prefetch per input.
    step: usize,
}

impl Prefetch {
    /// For a single block of rows: slightly ahead of the reads.
    pub(crate) fn ahead_in<T: Stored>(part: &[T], lanes: usize) -> Self {
        let size = size_of::<T>() * T::per_input(lanes);
        Self {
            from: part
                .as_ptr()
                .wrapping_byte_add(PREFETCH_DISTANCE * size)
                .cast(),
            step: size,
        }
    }

    /// For several blocks of rows that use a part of a panel in turn: each prefetches its share of
    /// the `next` part of `len` values, so that memory is always busy.
    pub(crate) fn share<T: Stored>(
        next: *const T,
        lanes: usize,
        len: usize,
        (block, blocks): (usize, usize),
    ) -> Self {
        let share = len * size_of::<T>() / blocks;
        Self {
            from: next.wrapping_byte_add(block * share).cast(),
            step: size_of::<T>() * T::per_input(lanes) / blocks,
        }
    }

    /// For values that are already in the first-level cache.
    pub(crate) fn none(near: &[f32]) -> Self {
        Self {
            from: near.as_ptr(),
            step: 0,
        }
    }
}

/// out `[height, 2 * lanes]` += x `[in, height]` times a part of a panel `[in, per_input]`, using
/// as many inputs of x as the part has.
pub(crate) fn microkernel<T: Stored>(
    height: usize,
    x: &[f32],
    values: &[T],
    out: &mut [f32],
    prefetch: Prefetch,
) {
    macro_rules! heights {
        ($($height:literal)*) => {
            match height {
                $($height => Microkernel::<T, $height> { x, values, out, prefetch }.dispatch(),)*
                _ => unreachable!("blocks have 1 to 12 rows"),
            }
        };
    }
    heights!(1 2 3 4 5 6 7 8 9 10 11 12);
}

struct Microkernel<'a, T, const HEIGHT: usize> {
    x: &'a [f32],
    values: &'a [T],
    out: &'a mut [f32],
    prefetch: Prefetch,
}

impl<T: Stored, const HEIGHT: usize> SimdOp for Microkernel<'_, T, HEIGHT> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let floats = isa.f32();
        let lanes = floats.len();
        let size = T::per_input(lanes);
        let mut sums = [[floats.zero(); 2]; HEIGHT];
        let (columns, _) = self.x.as_chunks::<HEIGHT>();
        let columns = &columns[..columns.len().min(self.values.len() / size)];
        let (columns, columns_left) = columns.as_chunks::<UNROLL>();
        let mut values = self.values.chunks_exact(UNROLL * size);
        let mut next = self.prefetch.from;
        for (columns, values) in columns.iter().zip(&mut values) {
            // Only hints, so they may point past the end.
            let step = UNROLL * self.prefetch.step;
            for line in (0..UNROLL * size_of::<T>() * size).step_by(CACHE_LINE) {
                if line == 0 || line < step {
                    floats.prefetch(next.wrapping_byte_add(line));
                }
            }
            next = next.wrapping_byte_add(step);
            for (x, values) in columns.iter().zip(values.chunks_exact(size)) {
                add_input(isa, x, values, &mut sums);
            }
        }
        let values_left = values.remainder().chunks_exact(size);
        for (x, values) in columns_left.iter().zip(values_left) {
            add_input(isa, x, values, &mut sums);
        }
        for (out, sums) in self.out.chunks_exact_mut(2 * lanes).zip(sums) {
            let (low, high) = out.split_at_mut(lanes);
            floats.store(floats.add(floats.load(low), sums[0]), low);
            floats.store(floats.add(floats.load(high), sums[1]), high);
        }
    }
}

/// sums `[row, half panel]` += the rows' values of one input times the panel's values of that
/// input.
#[inline(always)]
fn add_input<I: Isa, T: Stored, const HEIGHT: usize>(
    isa: I,
    x: &[f32; HEIGHT],
    values: &[T],
    sums: &mut [[I::F32; 2]; HEIGHT],
) {
    let floats = isa.f32();
    let [low, high] = T::load(isa, values);
    for (sums, x) in sums.iter_mut().zip(x) {
        let x = floats.splat(*x);
        sums[0] = floats.mul_add(x, low, sums[0]);
        sums[1] = floats.mul_add(x, high, sums[1]);
    }
}

/// Bytes of a cache line.
const CACHE_LINE: usize = 64;
/// Inputs per iteration of the inner loop. The speed of a shorter loop varies by several percent
/// with its alignment, which is up to the compiler.
const UNROLL: usize = 2;

/// The number of f32 lanes in this machine's vectors.
pub(crate) fn lanes() -> usize {
    Lanes.dispatch()
}

struct Lanes;

impl SimdOp for Lanes {
    type Output = usize;

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) -> usize {
        isa.f32().len()
    }
}
