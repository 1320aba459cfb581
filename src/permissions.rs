//! What a run may read, write and download. Pure data: whoever does the input or output asks here
//! first.

use std::path::{Path, PathBuf};

use crate::error::{ErrorKind, Result};

/// A script from a stranger is safe to run: it reads only its own folder and model files, and
/// writes nothing, unless the person who runs it says otherwise.
#[derive(Debug, Clone, Default)]
pub struct Permissions {
    /// No network at all: models come from the cache, from folders, or are the demo.
    pub offline: bool,
    /// Folders below which scripts may write files; none by default.
    pub write: Vec<PathBuf>,
}

impl Permissions {
    /// May a script write to `path`? The path is compared as given, with `..` refused, so that a
    /// link or a dotted path can't lead outside.
    pub fn check_write(&self, path: &Path) -> Result<()> {
        let dotted = path
            .components()
            .any(|part| matches!(part, std::path::Component::ParentDir));
        if !dotted && self.write.iter().any(|folder| path.starts_with(folder)) {
            return Ok(());
        }
        Err(ErrorKind::NotPermitted {
            action: format!("write {}", path.display()),
            how: "name the folder with --allow-write FOLDER".into(),
        }
        .into())
    }
}
