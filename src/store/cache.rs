//! The hub's cache on this machine, in the layout of Python's huggingface_hub, so that both use each
//! other's files:
//!
//! ```text
//! models--org--name/refs/main                  the commit of a branch
//! models--org--name/snapshots/COMMIT/FILE      a link to a blob
//! models--org--name/blobs/HASH                 the contents
//! models--org--name/blobs/HASH.incomplete      the rest of an interrupted download
//! .locks/models--org--name/HASH.lock           held by the process that downloads
//! ```
//!
//! A file appears under its name only once it is complete.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::rule::{Commit, FileName, Repository, Revision};
use crate::cancel::Cancel;
use crate::error::{Error, Result};

/// The part of the cache that belongs to one repository.
#[derive(Debug, Clone)]
pub(super) struct CachedRepository {
    folder: PathBuf,
    locks: PathBuf,
}

/// A lock held while a blob is downloaded; released at the latest when the process ends.
pub(super) struct Lock(#[expect(dead_code, reason = "closing the file unlocks it")] Option<File>);

impl CachedRepository {
    pub(super) fn new(cache: &Path, repository: &Repository) -> Self {
        let name = repository.folder();
        Self {
            folder: cache.join(&name),
            locks: cache.join(".locks").join(name),
        }
    }

    /// The commit of a revision: itself, or the last one reported by the hub.
    pub(super) fn commit(&self, revision: &Revision) -> Option<Commit> {
        Commit::parse(revision.as_str()).or_else(|| {
            let bytes = crate::files::read(&self.reference(revision)).ok()?;
            Commit::parse(std::str::from_utf8(&bytes).ok()?.trim())
        })
    }

    /// A file of a commit, if it is here. A link counts only if it stays inside this repository's
    /// part of the cache.
    pub(super) fn file(&self, commit: &Commit, name: &FileName) -> Option<PathBuf> {
        let path = self.snapshot(commit).join(name.as_str());
        let real = path.canonicalize().ok()?;
        let inside = real.starts_with(self.folder.canonicalize().ok()?);
        (inside && real.is_file()).then_some(path)
    }

    fn snapshot(&self, commit: &Commit) -> PathBuf {
        self.folder.join("snapshots").join(commit.as_str())
    }

    fn reference(&self, revision: &Revision) -> PathBuf {
        self.folder.join("refs").join(revision.as_str())
    }

    /// The path of contents with this hash, which is hex digits.
    pub(super) fn blob(&self, hash: &str) -> PathBuf {
        self.folder.join("blobs").join(hash)
    }

    /// The path of contents that are being downloaded.
    pub(super) fn part(&self, key: &str) -> PathBuf {
        self.folder.join("blobs").join(format!("{key}.incomplete"))
    }

    /// Waits until no other process is downloading this.
    pub(super) fn lock(&self, key: &str, cancel: &Cancel) -> Result<Lock> {
        create_folder(&self.locks)?;
        let path = self.locks.join(format!("{key}.lock"));
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|error| Error::io("write", &path, &error))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock(Some(file))),
                Err(TryLockError::WouldBlock) => {
                    cancel.check()?;
                    std::thread::sleep(Duration::from_millis(50));
                }
                // Some file systems have no locks. Two downloads at once then spoil each other's
                // work, which their hashes reveal, but not the contents of the cache.
                Err(TryLockError::Error(_)) => return Ok(Lock(None)),
            }
        }
    }

    /// Gives a blob its name in a snapshot.
    pub(super) fn link(&self, commit: &Commit, name: &FileName, hash: &str) -> Result<PathBuf> {
        let path = self.snapshot(commit).join(name.as_str());
        let folder = path.parent().unwrap_or(&self.folder);
        create_folder(folder)?;
        let io = |error: std::io::Error| Error::io("write", &path, &error);
        let aside = tempfile::Builder::new()
            .prefix(".new-")
            .tempdir_in(folder)
            .map_err(io)?;
        let new = aside.path().join("link");
        let depth = name.as_str().matches('/').count();
        let target = Path::new(&"../".repeat(depth + 2)).join("blobs").join(hash);
        make_link(&target, &self.blob(hash), &new).map_err(io)?;
        std::fs::rename(&new, &path).map_err(io)?;
        Ok(path)
    }

    /// Remembers the commit of a branch or tag, once all of its files are here.
    pub(super) fn remember(&self, revision: &Revision, commit: &Commit) -> Result<()> {
        if Commit::parse(revision.as_str()).is_some() {
            return Ok(());
        }
        write_aside(&self.reference(revision), commit.as_str().as_bytes())
    }
}

/// Makes a relative link or, where users may not make links, a hard link.
fn make_link(target: &Path, blob: &Path, new: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        let _ = blob;
        std::os::unix::fs::symlink(target, new)
    }
    #[cfg(not(unix))]
    {
        let _ = target;
        std::fs::hard_link(blob, new).or_else(|_| std::fs::copy(blob, new).map(|_| ()))
    }
}

pub(super) fn create_folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(|error| Error::io("write", path, &error))
}

/// Writes a small file elsewhere and moves it into place, so that it is there completely or not at
/// all.
fn write_aside(path: &Path, contents: &[u8]) -> Result<()> {
    use std::io::Write;
    let folder = path.parent().unwrap_or(Path::new("."));
    create_folder(folder)?;
    let io = |error: &std::io::Error| Error::io("write", path, error);
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| io(&error))?;
    file.write_all(contents).map_err(|error| io(&error))?;
    // Other users of this machine may share the cache; a temporary file is private to one.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::Permissions::from_mode(0o644);
        file.as_file()
            .set_permissions(mode)
            .map_err(|error| io(&error))?;
    }
    file.persist(path)
        .map(|_| ())
        .map_err(|error| io(&error.error))
}

#[cfg(test)]
mod tests {
    use super::super::rule::Kind;
    use super::*;

    const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

    fn cached(folder: &Path) -> CachedRepository {
        let repository = Repository::parse(Kind::Model, "org/m").unwrap();
        CachedRepository::new(folder, &repository)
    }

    #[test]
    fn references_are_trimmed_and_checked() {
        let folder = tempfile::tempdir().unwrap();
        let cached = cached(folder.path());
        let main = Revision::parse("main").unwrap();
        let refs = folder.path().join("models--org--m/refs");
        std::fs::create_dir_all(&refs).unwrap();
        for (text, found) in [
            (SHA.to_owned(), true),
            (format!("{SHA}\r\n"), true),
            ("../../../etc".into(), false),
            (String::new(), false),
        ] {
            std::fs::write(refs.join("main"), &text).unwrap();
            assert_eq!(cached.commit(&main).is_some(), found, "{text:?}");
        }
        // A commit needs no reference.
        assert!(cached.commit(&Revision::parse(SHA).unwrap()).is_some());
        let commit = Commit::parse(SHA).unwrap();
        let branch = Revision::parse("refs/pr/1").unwrap();
        cached.remember(&branch, &commit).unwrap();
        assert_eq!(cached.commit(&branch), Some(commit));
    }

    #[test]
    fn files_are_links_to_blobs() {
        let folder = tempfile::tempdir().unwrap();
        let cached = cached(folder.path());
        let commit = Commit::parse(SHA).unwrap();
        create_folder(&folder.path().join("models--org--m/blobs")).unwrap();
        std::fs::write(cached.blob("ab"), "one").unwrap();
        std::fs::write(cached.blob("cd"), "two").unwrap();
        let name = FileName::parse("a/b/c.txt").unwrap();
        assert_eq!(cached.file(&commit, &name), None);
        for (hash, text) in [("ab", "one"), ("cd", "two")] {
            let path = cached.link(&commit, &name, hash).unwrap();
            assert_eq!(cached.file(&commit, &name).unwrap(), path);
            assert_eq!(std::fs::read_to_string(path).unwrap(), text);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_out_of_the_cache_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let cached = cached(folder.path());
        let commit = Commit::parse(SHA).unwrap();
        let outside = folder.path().join("secret");
        std::fs::write(&outside, "x").unwrap();
        let snapshot = cached.snapshot(&commit);
        create_folder(&snapshot).unwrap();
        std::os::unix::fs::symlink(&outside, snapshot.join("config.json")).unwrap();
        let name = FileName::parse("config.json").unwrap();
        assert_eq!(cached.file(&commit, &name), None);
    }
}
