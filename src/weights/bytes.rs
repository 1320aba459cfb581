//! A weights file in memory: mapped from disk, or embedded in the program.
#![allow(unsafe_code, reason = "mapping a file, and giving its pages back")]

use std::ops::Range;

use memmap2::Mmap;

use super::source::Source;
use crate::error::{Error, Result};

pub(super) enum Bytes {
    Mapped(Mmap),
    Embedded(&'static [u8]),
}

impl Bytes {
    pub(super) fn open(source: &Source) -> Result<Self> {
        match source {
            Source::Embedded { bytes, .. } => Ok(Self::Embedded(bytes)),
            Source::Path(path) => {
                let io = |error: std::io::Error| Error::io("read", path, &error);
                let file = crate::files::open(path)?;
                // SAFETY: the mapping is only read. Should another program shorten the file
                // meanwhile, reading it ends with a signal, as in every program that maps models.
                let map = unsafe { Mmap::map(&file) }.map_err(io)?;
                Ok(Self::Mapped(map))
            }
        }
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Embedded(bytes) => bytes,
        }
    }

    /// Gives the memory of a range back to the system; reading it again is possible.
    ///
    /// Mapped pages count as memory in use. Kept while their packed copy grows, they would make
    /// loading peak at twice the weights' size.
    pub(super) fn release(&self, range: Range<usize>) {
        #[cfg(unix)]
        if let Self::Mapped(map) = self {
            // SAFETY: the mapping is shared and read-only, so its pages come back from the file
            // unchanged. A failure is harmless: the pages merely stay.
            let _ = unsafe {
                map.unchecked_advise_range(
                    memmap2::UncheckedAdvice::DontNeed,
                    range.start,
                    range.len(),
                )
            };
        }
        #[cfg(not(unix))]
        let _ = range;
    }
}
