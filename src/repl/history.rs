//! The file of what was typed, which outlives a session: private, a file and nothing else, and
//! without anything that acts on a terminal.

use std::path::{Path, PathBuf};

use crate::report::printable;

/// More than this is no history of a person's.
const LARGEST: u64 = 16 << 20;

/// `avec/history` in the user's folder for such things.
pub(super) fn history_file() -> Option<PathBuf> {
    let folder = dirs::state_dir().or_else(dirs::data_local_dir)?;
    Some(folder.join("avec").join("history"))
}

/// Whether a path is a history or can become one. A link is not followed, and what is no file, such
/// as a device or a pipe, is left alone.
pub(super) fn is_usable(path: &Path) -> bool {
    match std::fs::symlink_metadata(path) {
        Ok(found) => found.is_file() && found.len() <= LARGEST,
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

/// Makes the file, or what is there, readable by its owner alone: what was typed may be private.
pub(super) fn make_private(path: &Path) {
    if let Some(folder) = path.parent() {
        let _ = std::fs::create_dir_all(folder);
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        let mut options = std::fs::OpenOptions::new();
        options.create(true).append(true).mode(0o600);
        options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        if let Ok(file) = options.open(path) {
            let _ = file.set_permissions(std::fs::Permissions::from_mode(0o600));
        }
    }
}

/// Rewrites a history in which something would act on the terminal when it is shown again.
pub(super) fn make_printable(path: &Path) {
    let Ok(text) = std::fs::read_to_string(path) else {
        return;
    };
    let shown = printable(&text);
    if shown != text {
        let _ = std::fs::write(path, shown.as_bytes());
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_is_a_history() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        assert!(is_usable(&path("none")));
        std::fs::write(path("file"), "x").unwrap();
        assert!(is_usable(&path("file")));
        std::os::unix::fs::symlink(path("file"), path("link")).unwrap();
        std::os::unix::fs::symlink(path("none"), path("dangling")).unwrap();
        std::fs::create_dir(path("folder")).unwrap();
        for name in ["link", "dangling", "folder"] {
            assert!(!is_usable(&path(name)), "{name}");
        }
        assert!(!is_usable(Path::new("/dev/null")));
        // Between the question and the opening it may have become a link.
        make_private(&path("dangling"));
        assert!(!path("none").exists());
    }

    #[test]
    fn escape_codes_of_a_history_are_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history");
        std::fs::write(&path, "#V2\nprint(1)\n\x1b]0;title\x07x\n").unwrap();
        make_printable(&path);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "#V2\nprint(1)\n␛]0;title␇x\n");
    }
}
