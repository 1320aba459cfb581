//! Where a file's bytes come from.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use crate::error::Result;

/// A file, or bytes compiled into the program.
#[derive(Clone)]
pub enum Source {
    /// A file on disk.
    Path(PathBuf),
    /// Bytes compiled into the program.
    Embedded {
        /// What the bytes are, for messages: "config.json of the demo model".
        name: &'static str,
        /// The whole file.
        bytes: &'static [u8],
    },
}

impl Source {
    /// The contents of the file.
    ///
    /// # Errors
    /// If the file can't be read.
    pub fn read(&self) -> Result<Cow<'static, [u8]>> {
        match self {
            Self::Embedded { bytes, .. } => Ok(Cow::Borrowed(bytes)),
            Self::Path(path) => crate::files::read(path).map(Cow::Owned),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Embedded { name, .. } => write!(f, "the embedded {name}"),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
