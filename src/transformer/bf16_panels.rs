//! Matrix products over weights that are kept in bf16: half the memory to walk through, which is
//! what one row's time goes into. Sums are f32.
//!
//! The weight is stored in panels of as many columns as two vectors have lanes, one panel after
//! the other, and within a panel input by input. A 32-bit word holds the values of two columns
//! that are half a panel apart: a bf16 is the upper half of an f32, so one is a mask away and the
//! other a shift. Every output is summed over the inputs in order, whatever rows it is computed
//! with.

use half::bf16;
use rayon::prelude::*;
use rten_simd::ops::{BitOps, IntOps, NumOps};
use rten_simd::{Isa, Simd, SimdOp};

/// A weight `[in, out]` in bf16.
pub struct Bf16Panels {
    words: Vec<i32>, // [panel, in, lane]
    inputs: usize,
    outputs: usize,
    lanes: usize,
}

/// Rows that are computed together: as many accumulators as fit into AVX2's registers.
const ROWS: usize = 6;

impl Bf16Panels {
    /// Rounds and rearranges a weight; `at(input, output)` gives its values.
    pub fn pack(inputs: usize, outputs: usize, at: impl Fn(usize, usize) -> f32 + Sync) -> Self {
        let lanes = Lanes.dispatch();
        let panels = outputs.div_ceil(2 * lanes);
        let mut words = vec![0; panels * inputs * lanes];
        let bits = |input: usize, output: usize| -> u32 {
            if output < outputs {
                bf16::from_f32(at(input, output)).to_bits().into()
            } else {
                0
            }
        };
        words
            .par_chunks_mut(inputs * lanes)
            .enumerate()
            .for_each(|(panel, words)| {
                let first = panel * 2 * lanes;
                for (i, word) in words.iter_mut().enumerate() {
                    let (input, lane) = (i / lanes, i % lanes);
                    let low = bits(input, first + lane);
                    let high = bits(input, first + lanes + lane);
                    *word = (high << 16 | low).cast_signed();
                }
            });
        Self {
            words,
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

    /// `out += x·W`; x `[rows, in]`, out `[rows, out]`
    pub fn multiply_add(&self, x: &[f32], out: &mut [f32]) {
        let (inputs, outputs, width) = (self.inputs, self.outputs, 2 * self.lanes);
        if inputs == 0 || outputs == 0 {
            return;
        }
        let rows = x.len() / inputs;
        // Blocks of about equal height, each with its rows side by side: [block][in, row].
        let blocks = rows.div_ceil(ROWS);
        let height = |block: usize| rows / blocks + usize::from(block < rows % blocks);
        let mut first = 0;
        let blocks: Vec<(usize, usize, Vec<f32>)> = (0..blocks)
            .map(|block| {
                let height = height(block);
                let mut side_by_side = vec![0.0; height * inputs];
                for row in 0..height {
                    let values = &x[(first + row) * inputs..][..inputs];
                    for (input, value) in values.iter().enumerate() {
                        side_by_side[input * height + row] = *value;
                    }
                }
                first += height;
                (first - height, height, side_by_side)
            })
            .collect();
        let panel_size = inputs * self.lanes;
        if rows == 1 {
            let x = &blocks[0].2;
            out.par_chunks_mut(width)
                .zip(self.words.par_chunks(panel_size))
                .with_min_len(PANELS_A_TASK)
                .for_each(|(out, words)| {
                    let mut sums = [0.0; MAX_WIDTH];
                    product(1, x, words, &mut sums[..width]);
                    out.iter_mut().zip(sums).for_each(|(out, sum)| *out += sum);
                });
            return;
        }
        let mut products = vec![0.0f32; self.words.len() / panel_size * rows * width];
        products
            .par_chunks_mut(rows * width)
            .zip(self.words.par_chunks(panel_size))
            .for_each(|(products, words)| {
                for (first, height, x) in &blocks {
                    let products = &mut products[first * width..][..height * width];
                    product(*height, x, words, products);
                }
            });
        // products [panel, row, column] to out [row, panel and column]
        out.par_chunks_mut(outputs)
            .enumerate()
            .for_each(|(row, out)| {
                for (panel, out) in out.chunks_mut(width).enumerate() {
                    let sums = &products[(panel * rows + row) * width..][..width];
                    out.iter_mut().zip(sums).for_each(|(out, sum)| *out += sum);
                }
            });
    }
}

/// The widest panel: two vectors of AVX-512.
const MAX_WIDTH: usize = 32;
/// Fewer panels than this are not worth another thread's attention.
const PANELS_A_TASK: usize = 4;

/// out `[height, 2 * lanes]` = x `[in, height]` times one panel `[in, lanes]`
fn product(height: usize, x: &[f32], words: &[i32], out: &mut [f32]) {
    match height {
        1 => Product::<1> { x, words, out }.dispatch(),
        2 => Product::<2> { x, words, out }.dispatch(),
        3 => Product::<3> { x, words, out }.dispatch(),
        4 => Product::<4> { x, words, out }.dispatch(),
        5 => Product::<5> { x, words, out }.dispatch(),
        _ => Product::<ROWS> { x, words, out }.dispatch(),
    }
}

struct Product<'a, const HEIGHT: usize> {
    x: &'a [f32],
    words: &'a [i32],
    out: &'a mut [f32],
}

impl<const HEIGHT: usize> SimdOp for Product<'_, HEIGHT> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let (floats, ints) = (isa.f32(), isa.i32());
        let lanes = floats.len();
        let upper = ints.splat(0xffff_0000_u32.cast_signed());
        let mut sums = [[floats.zero(); 2]; HEIGHT];
        let (columns, _) = self.x.as_chunks::<HEIGHT>();
        for (x, words) in columns.iter().zip(self.words.chunks_exact(lanes)) {
            let words = ints.load(words);
            let low = ints.shift_left::<16>(words).reinterpret_cast::<I::F32>();
            let high = ints.and(words, upper).reinterpret_cast::<I::F32>();
            for (sums, x) in sums.iter_mut().zip(x) {
                let x = floats.splat(*x);
                sums[0] = floats.mul_add(x, low, sums[0]);
                sums[1] = floats.mul_add(x, high, sums[1]);
            }
        }
        for (out, sums) in self.out.chunks_exact_mut(2 * lanes).zip(sums) {
            let (low, high) = out.split_at_mut(lanes);
            floats.store(sums[0], low);
            floats.store(sums[1], high);
        }
    }
}

/// How many lanes this machine's vectors of f32 have.
struct Lanes;

impl SimdOp for Lanes {
    type Output = usize;

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) -> usize {
        isa.f32().len()
    }
}
