//! A view of one stored tensor: shape, number type and bytes.

use half::{bf16, f16};

/// How a checkpoint stores numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoredDType {
    F32,
    F16,
    Bf16,
}

impl StoredDType {
    /// Bytes per value.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }
}

/// One tensor of a checkpoint. Values become f32 as they are read, so there is never a second copy
/// of a weight.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TensorView<'a> {
    pub(crate) shape: &'a [usize],
    pub(crate) dtype: StoredDType,
    /// Little-endian, row-major.
    pub(crate) bytes: &'a [u8],
}

impl<'a> TensorView<'a> {
    /// A view of f32 values in memory.
    #[cfg(any(test, feature = "internals"))]
    pub(crate) fn of_f32(values: &'a [f32], shape: &'a [usize]) -> Self {
        const { assert!(cfg!(target_endian = "little")) };
        Self {
            shape,
            dtype: StoredDType::F32,
            bytes: bytemuck::cast_slice(values),
        }
    }

    /// The number of values.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() / self.dtype.size()
    }

    /// A copy of all values.
    pub(crate) fn to_vec(self) -> Vec<f32> {
        let mut values = vec![0.0; self.len()];
        self.read(0, &mut values);
        values
    }

    /// Reads consecutive values, starting at `first`.
    pub(crate) fn read(&self, first: usize, to: &mut [f32]) {
        let bytes = &self.bytes[first * self.dtype.size()..];
        match self.dtype {
            StoredDType::F32 => each(bytes, 1, to, f32::from_le_bytes),
            StoredDType::F16 => each(bytes, 1, to, |b| f16::from_le_bytes(b).to_f32()),
            StoredDType::Bf16 => each(bytes, 1, to, |b| bf16::from_le_bytes(b).to_f32()),
        }
    }

    /// Reads every `step`-th value, starting at `first`.
    pub(crate) fn read_strided(&self, first: usize, step: usize, to: &mut [f32]) {
        let bytes = &self.bytes[first * self.dtype.size()..];
        match self.dtype {
            StoredDType::F32 => each(bytes, step, to, f32::from_le_bytes),
            StoredDType::F16 => each(bytes, step, to, |b| f16::from_le_bytes(b).to_f32()),
            StoredDType::Bf16 => each(bytes, step, to, |b| bf16::from_le_bytes(b).to_f32()),
        }
    }
}

#[inline(always)]
fn each<const N: usize>(bytes: &[u8], step: usize, to: &mut [f32], value: impl Fn([u8; N]) -> f32) {
    let (numbers, _) = bytes.as_chunks::<N>();
    if step == 1 {
        for (to, number) in to.iter_mut().zip(numbers) {
            *to = value(*number);
        }
    } else {
        for (to, number) in to.iter_mut().zip(numbers.iter().step_by(step)) {
            *to = value(*number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_types_read_the_same_values() {
        let values = [1.0f32, -2.5, 0.0, 1024.0, -0.125, 3.0];
        let f16: Vec<u8> = values
            .iter()
            .flat_map(|x| f16::from_f32(*x).to_le_bytes())
            .collect();
        let bf16: Vec<u8> = values
            .iter()
            .flat_map(|x| bf16::from_f32(*x).to_le_bytes())
            .collect();
        let views = [
            TensorView::of_f32(&values, &[2, 3]),
            TensorView {
                shape: &[2, 3],
                dtype: StoredDType::F16,
                bytes: &f16,
            },
            TensorView {
                shape: &[2, 3],
                dtype: StoredDType::Bf16,
                bytes: &bf16,
            },
        ];
        for view in views {
            assert_eq!(view.to_vec(), values);
            let mut column = [0.0; 2];
            view.read_strided(1, 3, &mut column);
            assert_eq!(column, [-2.5, -0.125]);
            let mut row = [0.0; 3];
            view.read(3, &mut row);
            assert_eq!(row, [1024.0, -0.125, 3.0]);
        }
    }
}
