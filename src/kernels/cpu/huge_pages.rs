//! Huge pages for large allocations. A decoding step reads all weights from end to end; with pages
//! of 4 KB the processor would spend more time on page lookups than on arithmetic.

use std::marker::PhantomData;

use bytemuck::Pod;
use memmap2::MmapMut;

use crate::run::count_weights;

/// A slice in a mapping of its own.
pub(crate) struct HugePages<T> {
    memory: Memory<T>,
    len: usize,
}

enum Memory<T> {
    Mapped(MmapMut, PhantomData<T>),
    /// If the system refuses a mapping.
    Owned(Vec<T>),
}

impl<T: Pod> HugePages<T> {
    pub(crate) fn zeros(len: usize) -> Self {
        let memory = match MmapMut::map_anon((len * size_of::<T>()).max(1)) {
            Ok(map) => {
                // Only a request: without huge pages everything works, a little slower.
                #[cfg(target_os = "linux")]
                let _ = map.advise(memmap2::Advice::HugePage);
                count_weights(map.len() as i64);
                Memory::Mapped(map, PhantomData)
            }
            Err(_) => Memory::Owned(vec![T::zeroed(); len]),
        };
        Self { memory, len }
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        match &self.memory {
            Memory::Mapped(map, _) => bytemuck::cast_slice(&map[..self.len * size_of::<T>()]),
            Memory::Owned(values) => values,
        }
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [T] {
        match &mut self.memory {
            Memory::Mapped(map, _) => {
                bytemuck::cast_slice_mut(&mut map[..self.len * size_of::<T>()])
            }
            Memory::Owned(values) => values,
        }
    }
}

impl<T> Drop for HugePages<T> {
    fn drop(&mut self) {
        if let Memory::Mapped(map, _) = &self.memory {
            count_weights(-(map.len() as i64));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_the_requested_length() {
        for len in [0, 1, 5, 3_000_000] {
            let mut pages = HugePages::<f32>::zeros(len);
            assert_eq!(pages.as_slice().len(), len);
            if let Some(last) = pages.as_mut_slice().last_mut() {
                *last = 1.0;
            }
            assert_eq!(pages.as_slice().iter().sum::<f32>(), (len > 0) as u8 as f32);
        }
    }
}
