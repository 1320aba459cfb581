//! Packed weights: rearranged once, at load, for products with a few rows.
//!
//! A packed weight consists of panels of columns, each two vectors wide; within a panel, values are
//! stored input by input. A product walks through each panel once for up to twelve rows, so a
//! decoding step reads every weight once, in order, at the speed of memory. Every output is summed
//! over the inputs in the same order, whatever rows it is computed with.
//!
//! Values are kept as f32, or as bf16 for half the memory; sums are f32 either way.
#![allow(unsafe_code, reason = "tasks write their own columns of one result")]

use std::cell::Cell;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::Range;

use rayon::prelude::*;

use super::huge_pages::HugePages;
use super::microkernel::{
    K_BLOCK, MAX_LANES, Prefetch, Stored, lanes, max_rows, microkernel, pack_rows,
};
use super::reductions::activate;
use crate::kernels::Activation;

/// A weight `[in, out]`.
pub(crate) struct PackedWeight<T> {
    values: HugePages<T>, // [panel, in, per_input]
    inputs: usize,
    outputs: usize,
    lanes: usize,
}

/// What is done to the sums of a product before they are written.
#[derive(Clone, Copy, Default)]
pub(crate) struct Epilogue<'a> {
    /// First added to every row, `[out]`.
    pub(crate) bias: Option<&'a [f32]>,
    /// Then added, `[rows, out]`.
    pub(crate) residual: Option<&'a [f32]>,
    /// Then applied.
    pub(crate) activation: Option<Activation>,
}

/// Fewer multiplications than this are not worth another thread.
const PRODUCTS_PER_TASK: usize = 1 << 16;
/// More rows than this are multiplied in groups that fit into the second-level cache. Each group
/// then takes several panels at a time, to reuse the rows while they are cached.
const ROWS_PER_GROUP: usize = 128;
const PANELS_PER_GROUP: usize = 4;
/// The number of values in a panel's row is a multiple of this.
const CHUNK: usize = 8;

impl<T: Stored> PackedWeight<T> {
    /// Packs a weight; `read(input, output, to)` reads an input's values, starting at an output.
    pub(crate) fn pack(
        inputs: usize,
        outputs: usize,
        read: impl Fn(usize, usize, &mut [f32]) + Sync,
    ) -> Self {
        let lanes = lanes();
        let size = T::per_input(lanes);
        let mut values = HugePages::<T>::zeros(outputs.div_ceil(2 * lanes) * inputs * size);
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

    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    /// `x·W`, with what the epilogue adds; x `[rows, in]` -> `[rows, out]`.
    pub(crate) fn multiply(&self, x: &[f32], epilogue: Epilogue) -> Vec<f32> {
        let rows = x.len() / self.inputs.max(1);
        let size = rows * self.outputs;
        // Not zeroed first: that would be another walk through memory, on one core.
        let mut out = Vec::with_capacity(size);
        if size > 0 {
            let x = RowBlocks::new(x, self.inputs, self.lanes);
            let results = OutputCells::new(&mut out.spare_capacity_mut()[..size], self.outputs);
            let panels = if rows > ROWS_PER_GROUP {
                PANELS_PER_GROUP
            } else {
                1
            };
            let width = panels * 2 * self.lanes;
            // Small tasks: a thread that another program interrupts leaves the rest to the others.
            let least = (PRODUCTS_PER_TASK / (rows * self.inputs * width)).max(1);
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
        // SAFETY: the loops above have written every value: the panels cover all columns and the
        // groups all rows. A panic in a task propagates before this line.
        unsafe { out.set_len(size) };
        out
    }

    /// Multiplies a group of rows with some panels, the first of which starts at `column`.
    fn multiply_group(
        &self,
        group: &RowGroup,
        panels: &[T],
        column: usize,
        epilogue: Epilogue,
        results: &OutputCells,
    ) {
        let (width, panel, size) = (2 * self.lanes, self.panel(), T::per_input(self.lanes));
        let count = group.rows.len();
        let blocks = group.blocks().len();
        let mut sums = Accumulators::zeros(panels.len() / panel * count * width); // [panel, row, width]
        for input in (0..self.inputs).step_by(K_BLOCK) {
            let inputs = K_BLOCK.min(self.inputs - input);
            let parts = (input * size..panels.len()).step_by(panel);
            for (start, sums) in parts.zip(sums.0.chunks_mut(count * width)) {
                let part = &panels[start..start + inputs * size];
                // What to prefetch: the next panel's part, or the first panel's next part.
                let next = match start + panel {
                    next if next < panels.len() => next,
                    _ if input + K_BLOCK < self.inputs => (input + K_BLOCK) * size,
                    _ => panels.len(),
                };
                let next = panels.as_ptr().wrapping_add(next);
                // All rows use the part while it is in the first-level cache.
                let sums = sums.chunks_mut(group.height * width);
                for (block, (sums, x)) in sums.zip(group.blocks()).enumerate() {
                    let height = sums.len() / width;
                    let prefetch = match blocks {
                        1 => Prefetch::ahead_in(part, self.lanes),
                        _ => Prefetch::share(next, self.lanes, part.len(), (block, blocks)),
                    };
                    microkernel(height, &x[input * height..], part, sums, prefetch);
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
                // SAFETY: a task writes only the columns of its own panels, and no two tasks share
                // a panel.
                unsafe { results.write(row, column, &sums[..used]) };
            }
        }
    }

    /// Values per panel.
    fn panel(&self) -> usize {
        self.inputs * T::per_input(self.lanes)
    }
}

impl Epilogue<'_> {
    /// Applies the epilogue to a panel's sums `[row, width]`, which start at `row` and `column`.
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
        if let Some(activation) = self.activation {
            activate(activation, sums);
        }
    }
}

fn add(sums: &mut [f32], values: &[f32]) {
    // A panel's rows are too short for the compiler's own vectorised loop.
    let (parts, _) = sums.as_chunks_mut::<CHUNK>();
    let (value_parts, rest) = values.as_chunks::<CHUNK>();
    for (sums, values) in parts.iter_mut().zip(value_parts) {
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += value;
        }
    }
    for (sum, value) in sums[values.len() - rest.len()..].iter_mut().zip(rest) {
        *sum += value;
    }
}

/// The memory of a product's result, `[rows, out]`: every task writes some columns of every row.
struct OutputCells<'a> {
    start: *mut MaybeUninit<f32>,
    len: usize,
    outputs: usize,
    of: PhantomData<&'a mut [MaybeUninit<f32>]>,
}

// SAFETY: the memory stays borrowed while this lives, and callers of `write` guarantee that no two
// threads write the same values.
unsafe impl Sync for OutputCells<'_> {}

impl<'a> OutputCells<'a> {
    fn new(out: &'a mut [MaybeUninit<f32>], outputs: usize) -> Self {
        Self {
            start: out.as_mut_ptr(),
            len: out.len(),
            outputs,
            of: PhantomData,
        }
    }

    /// Writes some columns of a row.
    ///
    /// # Safety
    /// No other thread writes these columns of the row.
    unsafe fn write(&self, row: usize, column: usize, values: &[f32]) {
        let at = row * self.outputs + column;
        assert!(at + values.len() <= self.len);
        // SAFETY: the range lies inside the borrowed memory, as asserted above, and the caller
        // guarantees that no other thread touches it.
        let to = unsafe { std::slice::from_raw_parts_mut(self.start.add(at), values.len()) };
        // A copy of unknown length is a function call, which costs more than the few values of a
        // panel's row.
        let (parts, rest) = to.as_chunks_mut::<CHUNK>();
        let (value_parts, value_rest) = values.as_chunks::<CHUNK>();
        for (to, values) in parts.iter_mut().zip(value_parts) {
            *to = values.map(MaybeUninit::new);
        }
        rest.write_copy_of_slice(value_rest);
    }
}

/// A task's accumulators. The thread's next task reuses their memory.
struct Accumulators(Vec<f32>);

thread_local! {
    static LAST_ACCUMULATORS: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

impl Accumulators {
    fn zeros(len: usize) -> Self {
        let mut sums = LAST_ACCUMULATORS.take();
        sums.clear();
        sums.resize(len, 0.0);
        Self(sums)
    }
}

impl Drop for Accumulators {
    fn drop(&mut self) {
        LAST_ACCUMULATORS.set(std::mem::take(&mut self.0));
    }
}

/// The rows of a product in blocks of one height; only the last may be shorter: `[block, in, row]`.
struct RowBlocks {
    values: Vec<f32>,
    rows: usize,
    height: usize,
    inputs: usize,
}

impl RowBlocks {
    fn new(x: &[f32], inputs: usize, lanes: usize) -> Self {
        let rows = x.len() / inputs;
        let height = rows.div_ceil(rows.div_ceil(max_rows(lanes)));
        let mut values = vec![0.0; x.len()];
        values
            .par_chunks_mut(height * inputs)
            .zip(x.par_chunks(height * inputs))
            .with_min_len(PRODUCTS_PER_TASK.div_ceil(height * inputs))
            .for_each(|(values, x)| pack_rows(x.chunks(inputs), x.len() / inputs, values));
        Self {
            values,
            rows,
            height,
            inputs,
        }
    }

    /// The rows in groups of roughly equal size.
    fn groups(&self) -> impl Iterator<Item = RowGroup<'_>> {
        let most = ROWS_PER_GROUP / self.height;
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

/// Consecutive blocks of rows.
struct RowGroup<'a> {
    rows: Range<usize>,
    height: usize,
    values: &'a [f32], // [block, in, row]
    /// Values per block.
    block: usize,
}

impl<'a> RowGroup<'a> {
    fn blocks(&self) -> std::slice::Chunks<'a, f32> {
        self.values.chunks(self.block)
    }
}
