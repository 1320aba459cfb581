//! Matrix products of a few rows with a weight that was rearranged once for them.
//!
//! A weight is stored in panels of as many columns as two vectors have lanes, one panel after the
//! other, and within a panel input by input. A product walks through each panel once for up to
//! twelve rows, so that a decoding step reads every weight once, in order, and is as fast as the
//! memory. Every output is summed over the inputs in the same order, whatever rows it is
//! computed with.
//!
//! Values are kept as f32, or as bf16 for half the memory; sums are f32 either way.

use std::cell::Cell;
use std::mem::MaybeUninit;

use half::bf16;
use rayon::prelude::*;
use rten_simd::ops::{BitOps, IntOps, NumOps};
use rten_simd::{Isa, Simd, SimdOp};

use super::huge::Huge;
use super::vector::gelu;

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

/// A weight `[in, out]`.
pub struct Panels<T> {
    values: Huge<T>, // [panel, in, per_input]
    inputs: usize,
    outputs: usize,
    lanes: usize,
}

/// What becomes of a product's sums on their way out.
#[derive(Clone, Copy, Default)]
pub struct Epilogue<'a> {
    /// Is added to every row, `[out]`.
    pub bias: Option<&'a [f32]>,
    /// Then added, `[rows, out]`.
    pub residual: Option<&'a [f32]>,
    /// Is taken of the result.
    pub gelu: bool,
}

/// The lanes of the widest vectors: AVX-512.
const MAX_LANES: usize = 16;
/// Rows that are computed together. Two vectors of sums each, they must fit into the registers: 32
/// with AVX-512 and NEON, 16 with AVX2.
const MAX_ROWS: usize = 12;
const FEW_ROWS: usize = 6;
/// Inputs that are gone through for all rows before the next: 16 or 32 KB of a panel in f32. Part
/// of how a sum is rounded, so it is the same for all machines.
const PART: usize = 256;
/// How many inputs ahead values are asked for where one block of rows holds them all.
const AHEAD: usize = 64;
/// Fewer panels than this are not worth another thread's attention.
const PANELS_A_TASK: usize = 2;
/// Sums that are in memory before they go to their places, at most: what caches hold.
const SUMS: usize = 1 << 20;

impl<T: Stored> Panels<T> {
    /// Rearranges a weight; `read(input, output, to)` gives an input's values from an output on.
    pub fn pack(
        inputs: usize,
        outputs: usize,
        read: impl Fn(usize, usize, &mut [f32]) + Sync,
    ) -> Self {
        let lanes = lanes();
        let size = T::per_input(lanes);
        let mut values = Huge::<T>::zeros(outputs.div_ceil(2 * lanes) * inputs * size);
        values
            .as_mut_slice()
            .par_chunks_mut((inputs * size).max(1))
            .enumerate()
            .for_each(|(panel, values)| {
                let first = panel * 2 * lanes;
                let mut columns = [0.0; 2 * MAX_LANES];
                let columns = &mut columns[..2 * lanes];
                let used = columns.len().min(outputs - first);
                for (input, values) in values.chunks_mut(size).enumerate() {
                    read(input, first, &mut columns[..used]);
                    let (low, high) = columns.split_at(lanes);
                    T::store(low, high, values);
                }
            });
        Self {
            values,
            inputs,
            outputs,
            lanes,
        }
    }

    pub fn inputs(&self) -> usize {
        self.inputs
    }

    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// `x·W`, with what the epilogue adds; x `[rows, in]` -> `[rows, out]`.
    pub fn multiply(&self, x: &[f32], epilogue: Epilogue) -> Vec<f32> {
        let rows = x.len() / self.inputs.max(1);
        let size = rows * self.outputs;
        // Not zeroed first: that is another walk through memory, on one core.
        let mut out = Vec::with_capacity(size);
        if size > 0 {
            let out = &mut out.spare_capacity_mut()[..size];
            if rows == 1 {
                self.multiply_row(x, epilogue, out);
            } else {
                self.multiply_rows(x, epilogue, out);
            }
        }
        // SAFETY: both have written every number of `out`: all columns of all rows.
        unsafe { out.set_len(size) };
        out
    }

    fn multiply_row(&self, x: &[f32], epilogue: Epilogue, out: &mut [MaybeUninit<f32>]) {
        let width = 2 * self.lanes;
        out.par_chunks_mut(width)
            .zip(self.values.as_slice().par_chunks(self.panel()))
            .enumerate()
            .with_min_len(PANELS_A_TASK)
            .for_each(|(i, (out, values))| {
                let mut sums = [0.0; 2 * MAX_LANES];
                for (x, part) in x.chunks(PART).zip(self.parts(values)) {
                    let ahead = Ahead::of(part, self.lanes, 0, 1);
                    product(1, x, part, &mut sums[..width], ahead);
                }
                epilogue.finish(&mut sums[..width], width, i * width, self.outputs);
                out.write_copy_of_slice(&sums[..out.len()]);
            });
    }

    fn multiply_rows(&self, x: &[f32], epilogue: Epilogue, out: &mut [MaybeUninit<f32>]) {
        let (width, panel, outputs) = (2 * self.lanes, self.panel(), self.outputs);
        let rows = x.len() / self.inputs;
        let blocks = RowBlocks::new(x, self.inputs, self.lanes);
        // As many panels at a time as their sums fit into the caches.
        let together = (SUMS / (rows * width)).max(8);
        let all = self.values.as_slice();
        let mut sums = Sums::of((all.len() / panel).min(together) * rows * width);
        for (first, values) in all.chunks(together * panel).enumerate() {
            let column = first * together * width;
            sums.0
                .par_chunks_mut(rows * width)
                .zip(values.par_chunks(panel))
                .enumerate()
                .with_min_len(PANELS_A_TASK)
                .for_each(|(i, (sums, values))| {
                    sums.fill(0.0);
                    // A part of the panel is used for all rows while it is in the nearest cache.
                    for (first, part) in (0..).step_by(PART).zip(self.parts(values)) {
                        let sums = sums.chunks_mut(blocks.height * width);
                        for (block, (sums, x)) in sums.zip(blocks.iter()).enumerate() {
                            let height = sums.len() / width;
                            let x = &x[first * height..];
                            let ahead = Ahead::of(part, self.lanes, block, blocks.count());
                            product(height, x, part, sums, ahead);
                        }
                    }
                    epilogue.finish(sums, width, column + i * width, outputs);
                });
            // sums [panel, row, lane] to out [row, column]
            let columns = (values.len() / panel * width).min(outputs - column);
            out.par_chunks_mut(outputs)
                .enumerate()
                .with_min_len((1 << 14) / columns)
                .for_each(|(row, out)| {
                    let out = &mut out[column..][..columns];
                    for (panel, out) in out.chunks_mut(width).enumerate() {
                        let sums = &sums.0[(panel * rows + row) * width..];
                        out.write_copy_of_slice(&sums[..out.len()]);
                    }
                });
        }
    }

    /// How many values a panel has.
    fn panel(&self) -> usize {
        self.inputs * T::per_input(self.lanes)
    }

    /// A panel's parts, for so many inputs each.
    fn parts<'a>(&self, panel: &'a [T]) -> impl Iterator<Item = &'a [T]> {
        panel.chunks(PART * T::per_input(self.lanes))
    }
}

impl Epilogue<'_> {
    /// Does its part for a panel's sums `[row, width]`, the first of which belongs to `column`.
    fn finish(&self, sums: &mut [f32], width: usize, column: usize, outputs: usize) {
        let end = outputs.min(column + width);
        if let Some(bias) = self.bias {
            for sums in sums.chunks_mut(width) {
                add(sums, &bias[column..end]);
            }
        }
        if let Some(residual) = self.residual {
            for (sums, residual) in sums.chunks_mut(width).zip(residual.chunks(outputs)) {
                add(sums, &residual[column..end]);
            }
        }
        if self.gelu {
            gelu(sums);
        }
    }
}

fn add(sums: &mut [f32], values: &[f32]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += value;
    }
}

/// Where sums are before they go to their places. The memory serves again for the next product.
struct Sums(Vec<f32>);

thread_local! {
    static LAST_SUMS: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

impl Sums {
    /// So many numbers, whatever they are.
    fn of(len: usize) -> Self {
        let mut sums = LAST_SUMS.take();
        sums.resize(len, 0.0);
        Self(sums)
    }
}

impl Drop for Sums {
    fn drop(&mut self) {
        LAST_SUMS.set(std::mem::take(&mut self.0));
    }
}

/// The rows of a product in blocks of one height, only the last may be lower: `[block, in, row]`.
struct RowBlocks {
    values: Vec<f32>,
    height: usize,
    inputs: usize,
}

impl RowBlocks {
    fn new(x: &[f32], inputs: usize, lanes: usize) -> Self {
        let rows = x.len() / inputs;
        let height = rows.div_ceil(rows.div_ceil(most_rows(lanes)));
        let mut values = vec![0.0; x.len()];
        values
            .par_chunks_mut(height * inputs)
            .zip(x.par_chunks(height * inputs))
            .with_min_len(4)
            .for_each(|(values, x)| interleave(x.chunks(inputs), x.len() / inputs, values));
        Self {
            values,
            height,
            inputs,
        }
    }

    fn iter(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks(self.height * self.inputs)
    }

    fn count(&self) -> usize {
        self.values.len().div_ceil(self.height * self.inputs)
    }
}

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
    /// While several blocks of rows use a part of a panel one after the other, each asks for its
    /// share of the part after it: memory then works all the time and not only for the first of
    /// them. A block that is alone asks a little ahead of where it reads.
    fn of<T: Stored>(part: &[T], lanes: usize, block: usize, blocks: usize) -> Self {
        let size = size_of::<T>() * T::per_input(lanes);
        let from = if blocks == 1 {
            part.as_ptr().wrapping_byte_add(AHEAD * size)
        } else {
            let share = size_of_val(part) / blocks;
            part.as_ptr_range().end.wrapping_byte_add(block * share)
        };
        Self {
            from: from.cast(),
            step: size / blocks,
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
        let mut sums = [[floats.zero(); 2]; HEIGHT];
        let mut next = self.ahead.from;
        let (columns, _) = self.x.as_chunks::<HEIGHT>();
        let values = self.values.chunks_exact(T::per_input(lanes));
        for (x, values) in columns.iter().zip(values) {
            // Only a hint, and allowed to point behind the end.
            floats.prefetch(next);
            if self.ahead.step > LINE {
                floats.prefetch(next.wrapping_byte_add(LINE));
            }
            next = next.wrapping_byte_add(self.ahead.step);
            let [low, high] = T::load(isa, values);
            for (sums, x) in sums.iter_mut().zip(x) {
                let x = floats.splat(*x);
                sums[0] = floats.mul_add(x, low, sums[0]);
                sums[1] = floats.mul_add(x, high, sums[1]);
            }
        }
        for (out, sums) in self.out.chunks_exact_mut(2 * lanes).zip(sums) {
            let (low, high) = out.split_at_mut(lanes);
            floats.store(floats.add(floats.load(low), sums[0]), low);
            floats.store(floats.add(floats.load(high), sums[1]), high);
        }
    }
}

/// What a processor loads at once, in bytes.
const LINE: usize = 64;

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
