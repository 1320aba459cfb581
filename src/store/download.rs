//! Downloads one file from the hub into the cache.
//!
//! A download grows in a separate file, which an interrupted one leaves for the next. It gets its
//! name in the cache once its length and hash match those announced by the hub.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use super::answer::{Metadata, content_range};
use super::cache::{CachedRepository, create_folder};
use super::digest::{Hasher, sha256};
use super::plausible;
use super::rule::{Commit, Digest, FileName};
use super::transport::{Answer, Client, Trouble};
use crate::cancel::Cancel;
use crate::error::{Error, Result, bytes};
use crate::progress::Task;

/// A file to download.
pub(super) struct Download<'a> {
    pub client: &'a Client,
    pub cached: &'a CachedRepository,
    pub cancel: &'a Cancel,
    pub commit: &'a Commit,
    pub name: &'a FileName,
    /// Its path on the hub.
    pub path: String,
    pub metadata: &'a Metadata,
    pub digest: Option<&'a Digest>,
    pub task: &'a dyn Task,
}

/// Why a download failed.
#[derive(Debug)]
pub(super) enum Failed {
    Trouble(Trouble),
    /// The hub answered with an error status.
    Status(u16),
    /// The contents are not those announced, and have been removed.
    Wrong(String),
    Other(Error),
}

impl From<Trouble> for Failed {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// A partial download.
struct Part {
    file: File,
    path: PathBuf,
    length: u64,
    hasher: Hasher,
}

impl Download<'_> {
    /// Downloads the file, unless its contents are already here, and links it into the cache.
    pub(super) fn run(&self) -> Result<PathBuf, Failed> {
        let key = match self.digest {
            Some(digest) => digest.as_str().to_owned(),
            None => sha256(&format!("{}\n{}", self.name, self.metadata.etag)),
        };
        let _lock = self.cached.lock(&key, self.cancel)?;
        if let Some(path) = self.cached.file(self.commit, self.name) {
            return Ok(path);
        }
        if let Some(digest) = self.digest
            && self.is_here(digest)?
        {
            return Ok(self.cached.link(self.commit, self.name, digest.as_str())?);
        }
        let path = self.cached.part(&key);
        if self.digest.is_none() && self.metadata.etag.is_empty() {
            // Nothing shows that the rest of an earlier download is the beginning of the same
            // contents.
            remove(&path);
        }
        let mut left = is_part(&path);
        loop {
            match self.fetch(&path) {
                // The rest of an earlier download was not the beginning of this file.
                Err(Failed::Wrong(_) | Failed::Status(416)) if left => {
                    left = false;
                    remove(&path);
                }
                Err(error @ (Failed::Wrong(_) | Failed::Status(416))) => {
                    remove(&path);
                    return Err(error);
                }
                Err(error) => return Err(error),
                Ok(hash) => {
                    std::fs::rename(&path, self.cached.blob(&hash))
                        .map_err(|error| self.broken(&path, &error))?;
                    return Ok(self.cached.link(self.commit, self.name, &hash)?);
                }
            }
        }
    }

    /// Whether the cache has contents with this hash, from another file or revision. Contents that
    /// only claim it are removed.
    fn is_here(&self, digest: &Digest) -> Result<bool, Failed> {
        let blob = self.cached.blob(digest.as_str());
        if std::fs::symlink_metadata(&blob).is_err() {
            return Ok(false);
        }
        let is_right = is_intact(&blob, digest, self.cancel)?;
        if !is_right {
            remove(&blob);
        }
        Ok(is_right)
    }

    /// Completes the part, checks it, and returns the hash to store it under.
    fn fetch(&self, path: &Path) -> Result<String, Failed> {
        let size = self.metadata.size;
        let mut part = self.open(path)?;
        self.task.advance(part.length);
        if part.length < size {
            self.transfer(&mut part)?;
        }
        if part.length < size {
            return Err(Failed::Wrong(format!(
                "{} bytes arrived, and the hub had announced {size}",
                part.length
            )));
        }
        let Part { file, hasher, .. } = part;
        let hash = hasher.finish(self.digest).ok_or_else(|| {
            Failed::Wrong("its hash is not the one that the hub announced".into())
        })?;
        if self.digest.is_none() {
            plausible::check(self.name.as_str(), path)
                .map_err(|reason| Failed::Wrong(reason.to_owned()))?;
        }
        // Gigabytes take a while to reach the disk.
        uninterrupted(self.cancel, move || file.sync_all())?
            .map_err(|error| self.broken(path, &error))?;
        Ok(hash)
    }

    /// Opens the rest of an earlier download, or starts anew.
    fn open(&self, path: &Path) -> Result<Part, Failed> {
        let size = self.metadata.size;
        if let Some(folder) = path.parent() {
            create_folder(folder)?;
        }
        let left = std::fs::symlink_metadata(path);
        if left.is_ok_and(|left| !left.is_file() || left.len() > size) {
            remove(path);
        }
        let io = |error: std::io::Error| Failed::Other(self.broken(path, &error));
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(io)?;
        let mut hasher = Hasher::new(size, self.digest);
        let length = hash(&mut file, &mut hasher, self.cancel)?.map_err(io)?;
        let part = Part {
            file,
            path: path.to_owned(),
            length,
            hasher,
        };
        let missing = size - part.length.min(size);
        if let Some(free) = free_space(path)
            && missing > free
        {
            return Err(Failed::Other(disk_full(path, missing, free)));
        }
        Ok(part)
    }

    /// Requests the missing bytes of the part and appends them.
    fn transfer(&self, part: &mut Part) -> Result<(), Failed> {
        let size = self.metadata.size;
        let range = format!("bytes={}-", part.length);
        let mut answer = self
            .client
            .get(&self.path, Some(&range), size - part.length)?;
        let status = answer.head.status;
        let begins = match status {
            200 => 0,
            206 => match answer.head.get("content-range").map(content_range) {
                Some(Some((start, total))) if total == size => start,
                // Without a range, it can only be the whole file.
                None => 0,
                Some(_) => return Err(Failed::Wrong("its length changes".into())),
            },
            status => return Err(Failed::Status(status)),
        };
        if begins != part.length {
            if begins != 0 {
                return Err(Failed::Wrong("another part of it arrived".into()));
            }
            // The server doesn't support resuming.
            part.start_over(self.digest, size)
                .map_err(|error| self.broken(&part.path, &error))?;
        }
        let announced = answer.head.number("content-length");
        let before = part.length;
        self.write(&mut answer, part)?;
        let arrived = part.length - before;
        // A connection that closes early leaves something to resume; a complete answer that is too
        // short doesn't.
        if part.length < size && announced != Some(arrived) {
            return Err(Trouble::BrokeOff("the connection closed early".into()).into());
        }
        Ok(())
    }

    fn write(&self, answer: &mut Answer, part: &mut Part) -> Result<(), Failed> {
        while let Some(chunk) = answer.next()? {
            if chunk.len() as u64 > self.metadata.size - part.length {
                return Err(Failed::Wrong(format!(
                    "more than the {} bytes arrived that the hub had announced",
                    self.metadata.size
                )));
            }
            part.file
                .write_all(&chunk)
                .map_err(|error| self.broken(&part.path, &error))?;
            part.hasher.update(&chunk);
            part.length += chunk.len() as u64;
            self.task.advance(chunk.len() as u64);
        }
        Ok(())
    }

    /// An error of the disk.
    fn broken(&self, path: &Path, error: &std::io::Error) -> Error {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        match error.kind() {
            StorageFull | QuotaExceeded => disk_full(
                path,
                self.metadata.size,
                free_space(path).unwrap_or_default(),
            ),
            _ => Error::io("write", path, error),
        }
    }
}

impl Part {
    fn start_over(&mut self, digest: Option<&Digest>, size: u64) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.length = 0;
        self.hasher = Hasher::new(size, digest);
        Ok(())
    }
}

/// Whether a file is regular and has this hash. A file that can't be read is not.
pub(super) fn is_intact(path: &Path, digest: &Digest, cancel: &Cancel) -> Result<bool> {
    let found = std::fs::symlink_metadata(path).ok();
    let Some(metadata) = found.filter(std::fs::Metadata::is_file) else {
        return Ok(false);
    };
    let Ok(mut file) = File::open(path) else {
        return Ok(false);
    };
    let mut hasher = Hasher::new(metadata.len(), Some(digest));
    let length = hash(&mut file, &mut hasher, cancel)?;
    Ok(length.is_ok() && hasher.finish(Some(digest)).is_some())
}

/// Hashes a file from its current position to its end, and returns that length.
fn hash(file: &mut File, hasher: &mut Hasher, cancel: &Cancel) -> Result<std::io::Result<u64>> {
    let mut buffer = vec![0; 1 << 20];
    let mut length = 0;
    loop {
        cancel.check()?;
        match file.read(&mut buffer) {
            Ok(0) => return Ok(Ok(length)),
            Ok(n) => {
                hasher.update(&buffer[..n]);
                length += n as u64;
            }
            Err(error) => return Ok(Err(error)),
        }
    }
}

fn is_part(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|left| left.len() > 0)
}

fn remove(path: &Path) {
    // If it can't be removed, the next access reports why.
    let _ = std::fs::remove_file(path);
}

fn disk_full(path: &Path, needed: u64, free: u64) -> Error {
    let folder = path.parent().unwrap_or(path);
    Error::other(format!(
        "the disk of {} is full: {} are needed, and {} are free",
        folder.display(),
        bytes(needed),
        bytes(free)
    ))
    .hint("free some space, or set HF_HUB_CACHE to a folder on another disk")
}

/// The free space on a file's disk in bytes, if the system reports it.
fn free_space(path: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let found = rustix::fs::statvfs(path.parent()?).ok()?;
        Some(found.f_bavail.saturating_mul(found.f_frsize))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

/// Waits for work that can't be interrupted. Once it is cancelled, the work ends by itself.
fn uninterrupted<T: Send + 'static>(
    cancel: &Cancel,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        // After a cancel, nobody receives this.
        let _ = sender.send(work());
    });
    loop {
        cancel.check()?;
        match receiver.recv_timeout(Duration::from_millis(20)) {
            Ok(done) => return Ok(done),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Error::other("a thread of the download ended early"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_named() {
        let error = disk_full(Path::new("hub/blobs/x.incomplete"), 6_000_000_000, 1_200);
        assert_eq!(
            error.message(),
            "the disk of hub/blobs is full: 6.0 GB are needed, and 1.2 kB are free"
        );
        assert_eq!(
            error.hints(),
            ["free some space, or set HF_HUB_CACHE to a folder on another disk"]
        );
    }

    #[test]
    fn cancelling_does_not_wait_for_the_disk() {
        let cancel = Cancel::new();
        cancel.raise();
        let started = std::time::Instant::now();
        let result = uninterrupted(&cancel, || std::thread::sleep(Duration::from_secs(2)));
        assert!(result.unwrap_err().is_cancelled());
        assert!(started.elapsed() < Duration::from_secs(1));
    }
}
