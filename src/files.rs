//! Reading files that a stranger may have made: only regular files are opened, and none is read
//! further than its role needs. `permissions` says which files may be read.

use std::fs::{File, Metadata};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use crate::error::{Error, ErrorKind, Result, bytes};

/// How every git-lfs pointer begins.
const LFS: &[u8] = b"version https://git-lfs.github.com/spec/";

/// The most that is read of a file of this name.
///
/// A parsed JSON value takes up to 32 times the memory of its text, so the limits are not far above
/// the largest files in use: 34 MB for a `tokenizer.json` of 256,000 tokens.
pub fn limit(path: &Path) -> u64 {
    match path.file_name().and_then(|name| name.to_str()) {
        Some("config.json" | "generation_config.json") => 4 << 20,
        Some("tokenizer.json" | "vocab.json" | "merges.txt") => 64 << 20,
        _ => 16 << 20,
    }
}

/// The whole of a regular file, up to the limit of its name.
///
/// # Errors
///
/// If it is not a regular file, a git-lfs pointer, larger than its limit, or can't be read.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let most = limit(path);
    let io = |error: std::io::Error| Error::io("read", path, &error);
    let file = open(path)?;
    let too_large = |length: u64| {
        Error::other(format!(
            "{} is too large: it has {}, and at most {} are read of such a file",
            path.display(),
            bytes(length),
            bytes(most)
        ))
        .hint("check that it is the file that its name says")
    };
    let length = file.metadata().map_err(io)?.len();
    if length > most {
        return Err(too_large(length));
    }
    let mut contents = Vec::new();
    // It may grow while it is read, and some file systems announce no length at all.
    file.take(most + 1).read_to_end(&mut contents).map_err(io)?;
    if contents.len() as u64 > most {
        return Err(too_large(contents.len() as u64));
    }
    Ok(contents)
}

/// Opens a regular file at its beginning, without ever waiting for the other end of a pipe.
///
/// # Errors
///
/// If it is not a regular file, is a git-lfs pointer, or can't be opened.
pub fn open(path: &Path) -> Result<File> {
    let io = |error: std::io::Error| Error::io("read", path, &error);
    // Opening a device can do something already, so look first; the file that was opened is looked
    // at again, since it may have been replaced in between.
    regular(path, &std::fs::metadata(path).map_err(io)?)?;
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    }
    let mut file = options.open(path).map_err(io)?;
    regular(path, &file.metadata().map_err(io)?)?;
    let mut start = Vec::new();
    (&mut file)
        .take(512)
        .read_to_end(&mut start)
        .and_then(|_| file.seek(SeekFrom::Start(0)))
        .map_err(io)?;
    match pointer(path, &start) {
        Some(error) => Err(error),
        None => Ok(file),
    }
}

/// Fails unless this is a regular file.
pub fn regular(path: &Path, metadata: &Metadata) -> Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    if metadata.is_dir() {
        return Err(Error::other(format!(
            "{} is a folder, and it must be a file",
            path.display()
        ))
        .hint("a model folder has config.json, tokenizer.json and model.safetensors as files"));
    }
    Err(Error::new(ErrorKind::Io {
        action: "read",
        path: path.to_owned(),
        reason: "it is a pipe, a socket or a device".into(),
    })
    .hint("only regular files are read"))
}

/// The error for a file that git-lfs has not fetched yet, if this is the start of one.
fn pointer(path: &Path, start: &[u8]) -> Option<Error> {
    if !start.starts_with(LFS) {
        return None;
    }
    let size = std::str::from_utf8(start).ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("size "))?;
        line.trim().parse().ok()
    });
    let missing = match size {
        Some(size) => format!("its {} have not been fetched", bytes(size)),
        None => "its contents have not been fetched".into(),
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.display().to_string(),
        _ => ".".into(),
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Some(
        Error::other(format!(
            "{} is a git-lfs pointer: {missing}",
            path.display()
        ))
        .hint(format!(
            "fetch it: git -C {} lfs pull --include {}",
            shell_word(&folder),
            shell_word(&name)
        )),
    )
}

/// A word that a shell takes for itself.
fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '+' | '@');
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_names_the_command_that_fetches_it() {
        let text = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 548105171\n";
        let error = pointer(Path::new("my models/m/model.safetensors"), text).unwrap();
        assert_eq!(
            error.message(),
            "my models/m/model.safetensors is a git-lfs pointer: its 548.1 MB have not been fetched"
        );
        assert_eq!(
            error.hints(),
            ["fetch it: git -C 'my models/m' lfs pull --include model.safetensors"]
        );
        let cut = pointer(Path::new("config.json"), LFS).unwrap();
        assert_eq!(
            cut.hints(),
            ["fetch it: git -C . lfs pull --include config.json"]
        );
        assert!(pointer(Path::new("x"), b"{}").is_none());
    }

    #[test]
    fn large_files_are_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        // A file with a hole takes no room on the disk.
        File::create(&path).unwrap().set_len(5 << 30).unwrap();
        let error = read(&path).unwrap_err();
        assert!(
            error.message().ends_with(
                "is too large: it has 5.4 GB, and at most 4.2 MB are read of such a file"
            ),
            "{error}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn pipes_and_devices_are_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap();
        assert!(made.success());
        for path in [pipe.as_path(), Path::new("/dev/zero")] {
            let error = read(path).unwrap_err();
            assert!(
                error
                    .message()
                    .ends_with("it is a pipe, a socket or a device"),
                "{error}"
            );
        }
        assert!(
            read(folder.path())
                .unwrap_err()
                .message()
                .ends_with("is a folder, and it must be a file")
        );
    }
}
