//! What a run may read, write and download. Pure data: code checks here before input and output.

use std::path::{Path, PathBuf};

use crate::error::{ErrorKind, Result};

/// A run's permissions. A stranger's script is safe to run: unless the user says otherwise, it
/// reads only its own folder and model files, and writes nothing.
#[derive(Debug, Clone, Default)]
pub struct Permissions {
    /// No network: models come from the cache or a folder, or are the demo.
    pub offline: bool,
    /// Folders below which scripts may write files; none by default.
    pub write: Vec<PathBuf>,
}

impl Permissions {
    /// Checks that a script may write to `path`. The path is compared as given and `..` is refused,
    /// so that a dotted path can't lead outside.
    ///
    /// # Errors
    /// [`ErrorKind::NotPermitted`] outside the folders in `write`.
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
