//! The values of CPU tensors, as slices.

use candle_core::{CpuStorage, CustomOp1, Device, Layout, Shape, Storage, Tensor};
use rayon::prelude::*;

/// The values of a contiguous f32 tensor.
pub(crate) fn contiguous<'a>(
    storage: &'a CpuStorage,
    layout: &Layout,
) -> candle_core::Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => candle_core::bail!("a contiguous tensor was expected"),
    }
}

/// Calls a function with the values of an f32 tensor, which are copied only if they have gaps or
/// are on another device.
pub(crate) fn with_values<R>(
    tensor: &Tensor,
    f: impl FnOnce(&[f32]) -> R,
) -> candle_core::Result<R> {
    let tensor = tensor.to_device(&Device::Cpu)?.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => Ok(f(contiguous(storage, layout)?)),
        _ => candle_core::bail!("a tensor on the CPU was expected"),
    }
}

/// A copy of an f32 tensor on the CPU, modified in place by a function of `part` values at a time.
pub(crate) fn map_parts(
    tensor: &Tensor,
    name: &'static str,
    part: usize,
    f: impl Fn(&mut [f32]) + Sync,
) -> candle_core::Result<Tensor> {
    tensor
        .contiguous()?
        .apply_op1_no_bwd(&MapParts { name, part, f })
}

struct MapParts<F> {
    name: &'static str,
    part: usize,
    f: F,
}

/// Fewer values than this are not worth another thread.
const VALUES_PER_TASK: usize = 1 << 13;

impl<F: Fn(&mut [f32]) + Sync> CustomOp1 for MapParts<F> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let mut out = contiguous(x, layout)?.to_vec();
        out.par_chunks_mut(self.part)
            .with_min_len(VALUES_PER_TASK.div_ceil(self.part))
            .for_each(&self.f);
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }
}
