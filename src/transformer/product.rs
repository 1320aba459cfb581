//! The product that everything is made of: a few rows with the columns of one panel, their sums in
//! the processor's registers all the while.
//!
//! Weights are such panels ([`super::panels`]), and so are keys and values in a prompt's attention.

use half::bf16;
use rten_simd::ops::{BitOps, IntOps, NumOps};
use rten_simd::{Isa, Simd, SimdOp};

/// How values are kept.
pub trait Stored: bytemuck::Pod + Send + Sync {
    /// How many make up the columns of one input in a panel, for vectors of so many lanes.
    fn per_input(lanes: usize) -> usize;

    /// Writes the values of two half panels.
    fn store(low: &[f32], high: &[f32], to: &mut [Self]);

    /// Reads them as two vectors.
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

/// Two columns that are half a panel apart share a word. A bf16 is the upper half of an f32, so
/// one is a mask away and the other a shift.
pub type Bf16Pair = i32;

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

/// The lanes of the widest vectors: AVX-512.
pub const MAX_LANES: usize = 16;
/// Rows that are computed together. Two vectors of sums each, they must fit into the registers: 32
/// with AVX-512 and NEON, 16 with AVX2.
const MAX_ROWS: usize = 12;
const FEW_ROWS: usize = 6;
/// Inputs that are gone through for all rows before the next: 16 or 32 KB of a panel in f32. Part
/// of how a sum is rounded, so it is the same for all machines.
pub const PART: usize = 256;
/// How many inputs ahead values are asked for where one block of rows holds them all.
const AHEAD: usize = 64;

/// How many rows a block may have.
pub fn most_rows(lanes: usize) -> usize {
    if lanes == MAX_LANES {
        MAX_ROWS
    } else {
        FEW_ROWS
    }
}

/// Lays rows `[row, in]` out as `[in, height]`, which is how products read a block of rows, and how
/// rows become the columns of a panel.
pub fn interleave<'a>(
    rows: impl Iterator<Item = &'a [f32]> + Clone,
    height: usize,
    to: &mut [f32],
) {
    // So much of the rows at a time that what is written stays in the nearest cache.
    for (i, to) in to.chunks_mut(PART * height).enumerate() {
        for (row, values) in rows.clone().enumerate() {
            let values = &values[i * PART..];
            for (to, value) in to.chunks_exact_mut(height).zip(values) {
                to[row] = *value;
            }
        }
    }
}

/// The memory that a product asks for while it calculates, so that it is there when its turn comes.
#[derive(Clone, Copy)]
pub struct Ahead {
    from: *const f32,
    /// Bytes for each input of the product.
    step: usize,
}

impl Ahead {
    /// For a block of rows that is alone: a little ahead of where it reads.
    pub fn within<T: Stored>(part: &[T], lanes: usize) -> Self {
        let size = size_of::<T>() * T::per_input(lanes);
        Self {
            from: part.as_ptr().wrapping_byte_add(AHEAD * size).cast(),
            step: size,
        }
    }

    /// While several blocks of rows use a part of a panel one after the other, each asks for its
    /// share of the part that comes `next`, of `len` values: memory then works all the time and not
    /// only for the first of them.
    pub fn share<T: Stored>(
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

    /// For values that are in the nearest cache already.
    pub fn nothing(near: &[f32]) -> Self {
        Self {
            from: near.as_ptr(),
            step: 0,
        }
    }
}

/// out `[height, 2 * lanes]` += x `[in, height]` times a part of a panel `[in, per_input]`, or as
/// much of x as the part has inputs.
pub fn product<T: Stored>(height: usize, x: &[f32], values: &[T], out: &mut [f32], ahead: Ahead) {
    macro_rules! heights {
        ($($height:literal)*) => {
            match height {
                $($height => Product::<T, $height> { x, values, out, ahead }.dispatch(),)*
                _ => unreachable!("blocks have 1 to 12 rows"),
            }
        };
    }
    heights!(1 2 3 4 5 6 7 8 9 10 11 12);
}

struct Product<'a, T, const HEIGHT: usize> {
    x: &'a [f32],
    values: &'a [T],
    out: &'a mut [f32],
    ahead: Ahead,
}

impl<T: Stored, const HEIGHT: usize> SimdOp for Product<'_, T, HEIGHT> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let floats = isa.f32();
        let lanes = floats.len();
        let size = T::per_input(lanes);
        let mut sums = [[floats.zero(); 2]; HEIGHT];
        let (columns, _) = self.x.as_chunks::<HEIGHT>();
        let columns = &columns[..columns.len().min(self.values.len() / size)];
        let (columns, columns_left) = columns.as_chunks::<TOGETHER>();
        let mut values = self.values.chunks_exact(TOGETHER * size);
        let mut next = self.ahead.from;
        for (columns, values) in columns.iter().zip(&mut values) {
            // Only hints, and allowed to point behind the end.
            let step = TOGETHER * self.ahead.step;
            for line in (0..TOGETHER * size_of::<T>() * size).step_by(LINE) {
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

/// sums `[row, half panel]` += the rows' values of one input times that input's values in a panel.
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

/// What a processor loads at once, in bytes.
const LINE: usize = 64;
/// Inputs that are multiplied in one round of the loop. In a short loop it matters by some percent
/// where in memory the compiler happened to put it.
const TOGETHER: usize = 2;

/// How many lanes this machine's vectors of f32 have.
pub fn lanes() -> usize {
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
