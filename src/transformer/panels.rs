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
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::Range;

use rayon::prelude::*;

use super::huge::Huge;
use super::product::{Ahead, MAX_LANES, PART, Stored, interleave, lanes, most_rows, product};
use super::vector::gelu;

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

/// Fewer products than this are not worth another thread's attention.
const PRODUCTS_A_TASK: usize = 1 << 16;
/// More rows than this are taken in groups, so that the rows stay in the second cache; then several
/// panels at a time, so that rows that were fetched are used as often.
const ROWS_A_GROUP: usize = 128;
const PANELS_A_GROUP: usize = 4;
/// A row of a panel has a multiple of so many values.
const FEW: usize = 8;

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
            let x = RowBlocks::new(x, self.inputs, self.lanes);
            let results = Results::new(&mut out.spare_capacity_mut()[..size], self.outputs);
            let panels = if rows > ROWS_A_GROUP {
                PANELS_A_GROUP
            } else {
                1
            };
            let width = panels * 2 * self.lanes;
            // Not larger than they must be: threads that are disturbed leave their tasks to others.
            let least = (PRODUCTS_A_TASK / (rows * self.inputs * width)).max(1);
            self.values
                .as_slice()
                .par_chunks(panels * self.panel())
                .enumerate()
                .with_min_len(least)
                .with_max_len(least)
                .for_each(|(i, panels)| {
                    for group in x.groups() {
                        self.multiply_group(&group, panels, i * width, epilogue, &results);
                    }
                });
        }
        // SAFETY: every number was written: all columns, by panels, of all rows, by groups.
        unsafe { out.set_len(size) };
        out
    }

    /// The results of a group of rows in some panels, the first of which begins with `column`.
    fn multiply_group(
        &self,
        group: &RowGroup,
        panels: &[T],
        column: usize,
        epilogue: Epilogue,
        results: &Results,
    ) {
        let (width, panel, size) = (2 * self.lanes, self.panel(), T::per_input(self.lanes));
        let count = group.rows.len();
        let blocks = group.blocks().len();
        let mut sums = Sums::zeros(panels.len() / panel * count * width); // [panel, row, width]
        for input in (0..self.inputs).step_by(PART) {
            let inputs = PART.min(self.inputs - input);
            let parts = (input * size..panels.len()).step_by(panel);
            for (start, sums) in parts.zip(sums.0.chunks_mut(count * width)) {
                let part = &panels[start..start + inputs * size];
                // What comes after it: the next panel's part, then the first one's next part.
                let next = match start + panel {
                    next if next < panels.len() => next,
                    _ if input + PART < self.inputs => (input + PART) * size,
                    _ => panels.len(),
                };
                let next = panels.as_ptr().wrapping_add(next);
                // The part is used for all rows while it is in the nearest cache.
                let sums = sums.chunks_mut(group.height * width);
                for (block, (sums, x)) in sums.zip(group.blocks()).enumerate() {
                    let height = sums.len() / width;
                    let ahead = match blocks {
                        1 => Ahead::within(part, self.lanes),
                        _ => Ahead::share(next, self.lanes, part.len(), (block, blocks)),
                    };
                    product(height, &x[input * height..], part, sums, ahead);
                }
            }
        }
        for (i, sums) in sums.0.chunks_mut(count * width).enumerate() {
            epilogue.finish(
                sums,
                group.rows.start,
                width,
                column + i * width,
                self.outputs,
            );
        }
        for (i, row) in group.rows.clone().enumerate() {
            let sums = sums.0[i * width..].chunks(width).step_by(count);
            for (sums, column) in sums.zip((column..self.outputs).step_by(width)) {
                let used = width.min(self.outputs - column);
                // SAFETY: these columns are this task's alone.
                unsafe { results.write(row, column, &sums[..used]) };
            }
        }
    }

    /// How many values a panel has.
    fn panel(&self) -> usize {
        self.inputs * T::per_input(self.lanes)
    }
}

impl Epilogue<'_> {
    /// Does its part for a panel's sums `[row, width]`, the first of which belongs to `row` and
    /// `column`.
    fn finish(&self, sums: &mut [f32], row: usize, width: usize, column: usize, outputs: usize) {
        let end = outputs.min(column + width);
        if let Some(bias) = self.bias {
            for sums in sums.chunks_mut(width) {
                add(sums, &bias[column..end]);
            }
        }
        if let Some(residual) = self.residual {
            let residual = residual.chunks(outputs).skip(row);
            for (sums, residual) in sums.chunks_mut(width).zip(residual) {
                add(sums, &residual[column..end]);
            }
        }
        if self.gelu {
            gelu(sums);
        }
    }
}

fn add(sums: &mut [f32], values: &[f32]) {
    // Rows of a panel are too short for the compiler's own vectors to begin.
    let (parts, _) = sums.as_chunks_mut::<FEW>();
    let (value_parts, rest) = values.as_chunks::<FEW>();
    for (sums, values) in parts.iter_mut().zip(value_parts) {
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += value;
        }
    }
    for (sum, value) in sums[values.len() - rest.len()..].iter_mut().zip(rest) {
        *sum += value;
    }
}

/// Where the results of a product go, `[rows, out]`: every task writes some columns of every row.
struct Results<'a> {
    start: *mut MaybeUninit<f32>,
    len: usize,
    outputs: usize,
    of: PhantomData<&'a mut [MaybeUninit<f32>]>,
}

// SAFETY: the memory is borrowed for as long as this lives, and who writes says what to.
unsafe impl Sync for Results<'_> {}

impl<'a> Results<'a> {
    fn new(out: &'a mut [MaybeUninit<f32>], outputs: usize) -> Self {
        Self {
            start: out.as_mut_ptr(),
            len: out.len(),
            outputs,
            of: PhantomData,
        }
    }

    /// Some columns of a row.
    ///
    /// # Safety
    /// No other thread writes these columns of the row.
    unsafe fn write(&self, row: usize, column: usize, values: &[f32]) {
        let at = row * self.outputs + column;
        assert!(at + values.len() <= self.len);
        // SAFETY: inside the memory, as just asserted, and nobody else's, as the caller says.
        let to = unsafe { std::slice::from_raw_parts_mut(self.start.add(at), values.len()) };
        // A call that copies any number takes longer than to copy the few of a panel's row.
        let (parts, rest) = to.as_chunks_mut::<FEW>();
        let (value_parts, value_rest) = values.as_chunks::<FEW>();
        for (to, values) in parts.iter_mut().zip(value_parts) {
            *to = values.map(MaybeUninit::new);
        }
        rest.write_copy_of_slice(value_rest);
    }
}

/// Where a task's sums are until they are complete. The memory serves again for the next task.
struct Sums(Vec<f32>);

thread_local! {
    static LAST_SUMS: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

impl Sums {
    fn zeros(len: usize) -> Self {
        let mut sums = LAST_SUMS.take();
        sums.clear();
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
    rows: usize,
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
            .with_min_len(PRODUCTS_A_TASK.div_ceil(height * inputs))
            .for_each(|(values, x)| interleave(x.chunks(inputs), x.len() / inputs, values));
        Self {
            values,
            rows,
            height,
            inputs,
        }
    }

    /// The rows in groups of about one size.
    fn groups(&self) -> impl Iterator<Item = RowGroup<'_>> {
        let most = ROWS_A_GROUP / self.height;
        let blocks = self.rows.div_ceil(self.height);
        let rows = blocks.div_ceil(blocks.div_ceil(most)) * self.height;
        (0..self.rows).step_by(rows).map(move |first| {
            let rows = first..self.rows.min(first + rows);
            RowGroup {
                values: &self.values[rows.start * self.inputs..rows.end * self.inputs],
                block: self.height * self.inputs,
                height: self.height,
                rows,
            }
        })
    }
}

/// Some blocks of rows.
struct RowGroup<'a> {
    rows: Range<usize>,
    height: usize,
    values: &'a [f32], // [block, in, row]
    /// How many values a block has.
    block: usize,
}

impl<'a> RowGroup<'a> {
    fn blocks(&self) -> std::slice::Chunks<'a, f32> {
        self.values.chunks(self.block)
    }
}
