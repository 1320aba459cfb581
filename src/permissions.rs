//! What a run may read, write and download, in one place. Input and output ask here first.
//!
//! A script may read
//!
//! - files of its own folder and of the folders in it,
//! - the model store: the cache of the hub,
//! - folders of models that a *local* script names, or that the person names with `-p`.
//!
//! Outside of that it can't tell what exists from what doesn't: both are one message. A link counts
//! as what it leads to.

use std::path::{Path, PathBuf};

use crate::error::{ErrorKind, Result};

/// A stranger's script is safe to run: it reads only its own folder and model files, and writes
/// nothing, unless the person who runs it says otherwise.
#[derive(Debug, Clone, Default)]
pub struct Permissions {
    /// No network at all: models come from the cache, from folders, or are the demo.
    pub offline: bool,
    /// Folders below which scripts may write files; none by default.
    pub write: Vec<PathBuf>,
    pub origin: Origin,
    /// The folder of the script; the current one for what is typed in.
    pub own: Option<PathBuf>,
    /// The values that the person gave with `-p`: the models among them may be loaded.
    pub named: Vec<String>,
}

/// Where a script comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Origin {
    /// From this machine, or typed in: it may name folders of models.
    #[default]
    Local,
    /// From somebody else's.
    Remote,
}

impl Permissions {
    /// Where to read the file that a script names, once links are followed. `store` is the folder of
    /// the model store.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotPermitted`] outside of the script's folder and the store, whether or not
    /// there is such a file.
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

    /// Whether a path is in the script's own folder, so that it may be told what is there and what
    /// isn't.
    pub fn is_own(&self, path: &Path) -> bool {
        self.own
            .as_deref()
            .and_then(|own| own.canonicalize().ok())
            .zip(resolve(path))
            .is_some_and(|(own, real)| real.starts_with(own))
    }

    /// Whether the person named this model with `-p`.
    pub fn is_named(&self, id: &str) -> bool {
        self.named.iter().any(|named| named == id)
    }

    /// Whether a script may name a folder of a model that is not its own.
    pub fn may_load_from(&self, id: &str, folder: &Path) -> bool {
        self.origin == Origin::Local || self.is_named(id) || self.is_own(folder)
    }

    /// May a script write to `path`? What counts is where it leads.
    pub fn check_write(&self, path: &Path) -> Result<()> {
        if let Some(real) = resolve(path)
            && self.write.iter().any(|folder| {
                folder
                    .canonicalize()
                    .is_ok_and(|folder| real.starts_with(folder))
            })
        {
            return Ok(());
        }
        Err(ErrorKind::NotPermitted {
            action: format!("write {}", path.display()),
            how: "name the folder with --allow-write FOLDER".into(),
        }
        .into())
    }
}

/// Longer paths are none on any system.
const LONGEST: usize = 4096;

/// Where a path leads, with links followed as far as it exists; none if that can't be said.
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
        // A link to nothing leads somewhere all the same.
        if existing.symlink_metadata().is_ok() {
            return None;
        }
        // None for `..`: where that leads depends on what is missing.
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
    fn outside_existing_and_missing_are_one_message() {
        let (folder, permissions) = folders();
        let told = |name: &str| {
            let path = folder.path().join(name);
            let store = folder.path().join("store");
            let error = permissions.check_read(&path, &store).unwrap_err();
            let message = error.message().replace(&path.display().to_string(), "X");
            (message, error.hints())
        };
        let outside = told("other/secret");
        assert_eq!(outside.0, "this run may not read X");
        for name in [
            "other/nothing",
            "other",
            "own/../other/secret",
            "own/missing/../../other/secret",
            "own/../other/nothing",
        ] {
            assert_eq!(told(name), outside, "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_counts_as_what_it_leads_to() {
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
    fn files_are_written_only_in_folders_that_were_named() {
        let (folder, mut permissions) = folders();
        let at = |name: &str| folder.path().join(name);
        assert!(permissions.check_write(&at("own/new.txt")).is_err());
        permissions.write.push(at("own"));
        assert!(permissions.check_write(&at("own/new.txt")).is_ok());
        assert!(permissions.check_write(&at("own/../other/x")).is_err());
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("../other", at("own/out")).unwrap();
            assert!(permissions.check_write(&at("own/out/x")).is_err());
        }
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
