//! What a run may read, write and download. Code checks here before input and output.
//!
//! A script may read
//!
//! - files in its own folder and below,
//! - the model store: the cache of the hub,
//! - folders of models named by a *local* script, or by the user with `-p`.
//!
//! Outside of these it can't tell what exists from what doesn't: both give the same message. A link
//! counts as its target.

use std::path::{Path, PathBuf};

use crate::error::{ErrorKind, Result};

/// A run's permissions. A stranger's script is safe to run: unless the user says otherwise, it
/// reads only its own folder and model files, and writes nothing.
#[derive(Debug, Clone, Default)]
pub struct Permissions {
    /// No network: models come from the cache or a folder, or are the demo.
    pub offline: bool,
    /// Where the script comes from.
    pub origin: Origin,
    /// The script's folder; the current folder for typed input.
    pub own: Option<PathBuf>,
    /// The values that the user gave with `-p`. Models among them may be loaded.
    pub named: Vec<String>,
}

/// Where a script comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Origin {
    /// This machine, or typed input: it may name folders of models.
    #[default]
    Local,
    /// Another machine.
    Remote,
}

impl Permissions {
    /// The path to read for a file that a script names, with links followed. `store` is the folder
    /// of the model store.
    ///
    /// # Errors
    /// [`ErrorKind::NotPermitted`] outside the script's folder and the store, whether or not the
    /// file exists.
    pub fn check_read(&self, path: &Path, store: &Path) -> Result<PathBuf> {
        let inside = |folder: &Path, real: &Path| {
            folder
                .canonicalize()
                .is_ok_and(|folder| real.starts_with(folder))
        };
        match resolve(path) {
            Some(real)
                if self.own.as_deref().is_some_and(|own| inside(own, &real))
                    || inside(store, &real) =>
            {
                Ok(real)
            }
            _ => Err(ErrorKind::NotPermitted {
                action: format!("read {}", path.display()),
                how: "a script reads files of its own folder and of the model store".into(),
            }
            .into()),
        }
    }

    /// Whether a path is in the script's own folder, where it may learn what exists.
    pub fn is_own(&self, path: &Path) -> bool {
        self.own
            .as_deref()
            .and_then(|own| own.canonicalize().ok())
            .zip(resolve(path))
            .is_some_and(|(own, real)| real.starts_with(own))
    }

    /// Whether the user named this model with `-p`.
    pub fn is_named(&self, id: &str) -> bool {
        self.named.iter().any(|named| named == id)
    }

    /// Whether a script may load a model from a folder.
    pub fn may_load_from(&self, id: &str, folder: &Path) -> bool {
        self.origin == Origin::Local || self.is_named(id) || self.is_own(folder)
    }
}

/// Longer paths are none on any system.
const LONGEST: usize = 4096;

/// The target of a path, with links followed as far as it exists; `None` if it can't be determined.
fn resolve(path: &Path) -> Option<PathBuf> {
    // A script can make a path of any length, and each of its parts is looked at.
    if path.as_os_str().len() > LONGEST {
        return None;
    }
    let mut existing = std::path::absolute(path).ok()?;
    let mut missing = Vec::new();
    loop {
        if let Ok(real) = existing.canonicalize() {
            return Some(
                missing
                    .into_iter()
                    .rev()
                    .fold(real, |path: PathBuf, name| path.join(name)),
            );
        }
        // A dangling link still leads somewhere.
        if existing.symlink_metadata().is_ok() {
            return None;
        }
        // `None` for `..`: its target depends on what is missing.
        missing.push(existing.file_name()?.to_owned());
        existing.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with `own/notes.txt`, `store/blob` and `other/secret`.
    fn folders() -> (tempfile::TempDir, Permissions) {
        let folder = tempfile::tempdir().unwrap();
        for file in ["own/notes.txt", "store/blob", "other/secret"] {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        let permissions = Permissions {
            own: Some(folder.path().join("own")),
            ..Permissions::default()
        };
        (folder, permissions)
    }

    #[test]
    fn own_folder_and_store_are_read() {
        let (folder, permissions) = folders();
        let at = |name: &str| folder.path().join(name);
        for name in ["own/notes.txt", "own/new.txt", "own/a/b", "store/blob"] {
            let real = permissions.check_read(&at(name), &at("store")).unwrap();
            assert!(real.ends_with(name), "{}", real.display());
        }
    }

    #[test]
    fn existing_and_missing_files_outside_give_one_message() {
        let (folder, permissions) = folders();
        let refusal = |name: &str| {
            let path = folder.path().join(name);
            let store = folder.path().join("store");
            let error = permissions.check_read(&path, &store).unwrap_err();
            let message = error.message().replace(&path.display().to_string(), "X");
            (message, error.hints())
        };
        let outside = refusal("other/secret");
        assert_eq!(outside.0, "this run may not read X");
        for name in [
            "other/nothing",
            "other",
            "own/../other/secret",
            "own/missing/../../other/secret",
            "own/../other/nothing",
        ] {
            assert_eq!(refusal(name), outside, "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_counts_as_its_target() {
        let (folder, permissions) = folders();
        let at = |name: &str| folder.path().join(name);
        for (link, target) in [
            ("own/out", "../other"),
            ("own/secret", "../other/secret"),
            ("own/nothing", "../other/nothing"),
            ("own/inside", "notes.txt"),
        ] {
            std::os::unix::fs::symlink(target, at(link)).unwrap();
        }
        for name in [
            "own/out/secret",
            "own/out/nothing",
            "own/secret",
            "own/nothing",
        ] {
            assert!(
                permissions.check_read(&at(name), &at("store")).is_err(),
                "{name}"
            );
            assert!(!permissions.is_own(&at(name)), "{name}");
        }
        assert!(
            permissions
                .check_read(&at("own/inside"), &at("store"))
                .is_ok()
        );
    }

    #[test]
    fn endless_paths_are_not_walked() {
        let (folder, permissions) = folders();
        let path = folder.path().join("own").join("a/".repeat(10_000_000));
        let started = std::time::Instant::now();
        assert!(!permissions.is_own(&path));
        assert!(started.elapsed().as_secs() < 5);
    }

    #[test]
    fn only_local_scripts_and_people_name_folders_of_models() {
        let (folder, mut permissions) = folders();
        let other = folder.path().join("other");
        let id = other.to_str().unwrap();
        assert!(permissions.may_load_from(id, &other));
        permissions.origin = Origin::Remote;
        assert!(!permissions.may_load_from(id, &other));
        assert!(permissions.may_load_from("x", &folder.path().join("own/m")));
        permissions.named.push(id.to_owned());
        assert!(permissions.may_load_from(id, &other));
    }
}
