//! Large memory on large pages: weights are walked through from end to end on every step, and with
//! pages of 4 KB the processor would look up a page more often than it calculates.

use std::marker::PhantomData;

use bytemuck::Pod;
use memmap2::MmapMut;

/// A slice of numbers in memory of its own.
pub struct Huge<T> {
    memory: Memory<T>,
    len: usize,
}

enum Memory<T> {
    Mapped(MmapMut, PhantomData<T>),
    /// Where mapping is refused.
    Owned(Vec<T>),
}

impl<T: Pod> Huge<T> {
    pub fn zeros(len: usize) -> Self {
        let memory = match MmapMut::map_anon((len * size_of::<T>()).max(1)) {
            Ok(map) => {
                // Only a wish: without large pages everything works as well, a little slower.
                #[cfg(target_os = "linux")]
                let _ = map.advise(memmap2::Advice::HugePage);
                Memory::Mapped(map, PhantomData)
            }
            Err(_) => Memory::Owned(vec![T::zeroed(); len]),
        };
        Self { memory, len }
    }

    pub fn as_slice(&self) -> &[T] {
        match &self.memory {
            Memory::Mapped(map, _) => bytemuck::cast_slice(&map[..self.len * size_of::<T>()]),
            Memory::Owned(values) => values,
        }
    }

    pub fn as_mut_slice(&mut self) -> &mut [T] {
        match &mut self.memory {
            Memory::Mapped(map, _) => {
                bytemuck::cast_slice_mut(&mut map[..self.len * size_of::<T>()])
            }
            Memory::Owned(values) => values,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_as_long_as_it_was_asked_to_be() {
        for len in [0, 1, 5, 3_000_000] {
            let mut huge = Huge::<f32>::zeros(len);
            assert_eq!(huge.as_slice().len(), len);
            if let Some(last) = huge.as_mut_slice().last_mut() {
                *last = 1.0;
            }
            assert_eq!(huge.as_slice().iter().sum::<f32>(), (len > 0) as u8 as f32);
        }
    }
}
