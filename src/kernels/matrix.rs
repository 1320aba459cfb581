//! A linear map's weight between the checkpoint and a backend.

use std::ops::Range;

use rayon::prelude::*;

use crate::weights::TensorView;

/// The order of a stored weight's axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Row-major `[in, out]`, like GPT-2's Conv1D layers.
    InOut,
    /// Row-major `[out, in]`, like torch's Linear layers and embeddings.
    OutIn,
}

/// The matrix W `[in, out]` of a map: a view of the checkpoint's values, and the factors of the
/// processing, `value * scale[in] - shift[in]`. They are applied as values are read, so no copy is
/// needed.
///
/// The outputs may come from several tensors or from parts of one, in any order: queries, keys and
/// values are one map, however a family stores them.
pub(crate) struct WeightMatrix<'a> {
    runs: Vec<Run<'a>>,
    inputs: usize,
    outputs: usize,
    /// The factor for an input's values.
    pub(crate) scale: Vec<f32>, // [in]
    /// What is then subtracted.
    pub(crate) shift: Vec<f32>, // [in]
}

/// Outputs that are consecutive both in the matrix and in a stored tensor.
struct Run<'a> {
    tensor: TensorView<'a>,
    order: Order,
    /// The first of these outputs in the matrix.
    first: usize,
    /// Their range in the tensor.
    stored: Range<usize>,
}

impl<'a> WeightMatrix<'a> {
    /// A whole stored tensor.
    pub(crate) fn new(tensor: TensorView<'a>, order: Order) -> Self {
        let outputs = stored_outputs(&tensor, order);
        Self::of_parts([(tensor, order, std::iter::once(0..outputs).collect())])
    }

    /// The given outputs of each tensor, concatenated. All tensors have the same inputs.
    pub(crate) fn of_parts(
        parts: impl IntoIterator<Item = (TensorView<'a>, Order, Vec<Range<usize>>)>,
    ) -> Self {
        let mut runs: Vec<Run> = Vec::new();
        let (mut inputs, mut outputs) = (0, 0);
        for (tensor, order, ranges) in parts {
            inputs = tensor.len() / stored_outputs(&tensor, order).max(1);
            for stored in ranges {
                let len = stored.len();
                match runs.last_mut() {
                    // The next part of the same stored weight.
                    Some(last)
                        if last.tensor.bytes.as_ptr() == tensor.bytes.as_ptr()
                            && last.stored.end == stored.start =>
                    {
                        last.stored.end = stored.end;
                    }
                    _ => runs.push(Run {
                        tensor,
                        order,
                        first: outputs,
                        stored,
                    }),
                }
                outputs += len;
            }
        }
        Self {
            runs,
            inputs,
            outputs,
            scale: vec![1.0; inputs],
            shift: vec![0.0; inputs],
        }
    }

    /// The numbers of inputs and outputs.
    pub(crate) fn sizes(&self) -> (usize, usize) {
        (self.inputs, self.outputs)
    }

    /// Reads one input's values for some outputs, starting at `first`.
    pub(crate) fn read(&self, input: usize, first: usize, to: &mut [f32]) {
        let mut left = to;
        let mut output = first;
        let start = self.runs.partition_point(|run| run.first <= first) - 1;
        for run in &self.runs[start..] {
            if left.is_empty() {
                return;
            }
            let skipped = output - run.first;
            let count = left.len().min(run.stored.len() - skipped);
            let (now, later) = left.split_at_mut(count);
            self.read_run(run, input, run.stored.start + skipped, now);
            left = later;
            output += count;
        }
    }

    fn read_run(&self, run: &Run, input: usize, stored: usize, to: &mut [f32]) {
        match run.order {
            Order::InOut => {
                let width = stored_outputs(&run.tensor, run.order);
                run.tensor.read(input * width + stored, to);
            }
            Order::OutIn => {
                let first = stored * self.inputs + input;
                run.tensor.read_strided(first, self.inputs, to);
            }
        }
        let (scale, shift) = (self.scale[input], self.shift[input]);
        for value in to {
            *value = *value * scale - shift;
        }
    }

    /// `v·W` in f64, added to `start`: v `[in]`, start `[out]` -> `[out]`
    pub(crate) fn times(&self, v: &[f32], start: &[f32]) -> Vec<f32> {
        let mut sums: Vec<f64> = start.iter().map(|x| f64::from(*x)).collect();
        for run in &self.runs {
            let sums = &mut sums[run.first..][..run.stored.len()];
            match run.order {
                Order::InOut => {
                    let mut row = vec![0.0; run.stored.len()];
                    for (input, x) in v.iter().enumerate() {
                        self.read_run(run, input, run.stored.start, &mut row);
                        for (sum, w) in sums.iter_mut().zip(&row) {
                            *sum += f64::from(*w) * f64::from(*x);
                        }
                    }
                }
                Order::OutIn => {
                    let sums = sums.par_chunks_mut(OUTPUTS_PER_TASK);
                    sums.enumerate().for_each(|(task, sums)| {
                        let first = run.stored.start + task * OUTPUTS_PER_TASK;
                        let mut row = vec![0.0; self.inputs];
                        for (i, sum) in sums.iter_mut().enumerate() {
                            self.read_output(run, first + i, &mut row);
                            let products = row.iter().zip(v);
                            *sum += products
                                .map(|(w, x)| f64::from(*w) * f64::from(*x))
                                .sum::<f64>();
                        }
                    });
                }
            }
        }
        sums.into_iter().map(|sum| sum as f32).collect()
    }

    /// Each input's mean over the outputs, `[in]`.
    pub(crate) fn means(&self) -> Vec<f32> {
        let mut sums = vec![0.0f64; self.inputs];
        for run in &self.runs {
            match run.order {
                Order::InOut => {
                    let mut row = vec![0.0; run.stored.len()];
                    for (input, sum) in sums.iter_mut().enumerate() {
                        self.read_run(run, input, run.stored.start, &mut row);
                        *sum += row.iter().map(|w| f64::from(*w)).sum::<f64>();
                    }
                }
                Order::OutIn => {
                    // Partial sums of a fixed size, added in order: sums must not depend on the
                    // threads.
                    let firsts: Vec<usize> = run.stored.clone().step_by(OUTPUTS_PER_TASK).collect();
                    let parts: Vec<Vec<f64>> = firsts
                        .into_par_iter()
                        .map(|first| {
                            let last = run.stored.end.min(first + OUTPUTS_PER_TASK);
                            let mut sums = vec![0.0f64; self.inputs];
                            let mut row = vec![0.0; self.inputs];
                            for output in first..last {
                                self.read_output(run, output, &mut row);
                                for (sum, w) in sums.iter_mut().zip(&row) {
                                    *sum += f64::from(*w);
                                }
                            }
                            sums
                        })
                        .collect();
                    for part in parts {
                        for (sum, part) in sums.iter_mut().zip(part) {
                            *sum += part;
                        }
                    }
                }
            }
        }
        let outputs = self.outputs as f64;
        sums.into_iter().map(|sum| (sum / outputs) as f32).collect()
    }

    /// Reads all inputs' values for one stored output of a run in the order [`Order::OutIn`].
    fn read_output(&self, run: &Run, stored: usize, to: &mut [f32]) {
        run.tensor.read(stored * self.inputs, to);
        for ((value, scale), shift) in to.iter_mut().zip(&self.scale).zip(&self.shift) {
            *value = *value * scale - shift;
        }
    }
}

/// Outputs per task, and the size of the partial sums.
const OUTPUTS_PER_TASK: usize = 1024;

fn stored_outputs(tensor: &TensorView, order: Order) -> usize {
    match order {
        Order::InOut => tensor.shape.last().copied().unwrap_or(0),
        Order::OutIn => tensor.shape.first().copied().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `[in, out]` = 2 x 4, stored either way, with reordered outputs.
    #[test]
    fn outputs_may_be_stored_in_any_order() {
        let in_out = [0.0, 1.0, 2.0, 3.0, 10.0, 11.0, 12.0, 13.0];
        let out_in = [0.0, 10.0, 1.0, 11.0, 2.0, 12.0, 3.0, 13.0];
        let views = [
            (TensorView::of_f32(&in_out, &[2, 4]), Order::InOut),
            (TensorView::of_f32(&out_in, &[4, 2]), Order::OutIn),
        ];
        for (view, order) in views {
            let mut matrix = WeightMatrix::of_parts([
                (view, order, vec![2..3, 3..4, 0..1]),
                (view, order, std::iter::once(1..2).collect()),
            ]);
            assert_eq!(matrix.sizes(), (2, 4));
            let mut row = [0.0; 3];
            matrix.read(1, 1, &mut row);
            assert_eq!(row, [13.0, 10.0, 11.0], "{order:?}");
            assert_eq!(
                matrix.times(&[2.0, 1.0], &[0.5; 4]),
                [16.5, 19.5, 10.5, 13.5]
            );
            matrix.scale = vec![2.0, 1.0];
            assert_eq!(matrix.means(), [3.0, 11.5]);
            matrix.shift = matrix.means();
            assert_eq!(matrix.means(), [0.0, 0.0]);
        }
    }
}
