//! From a file or standard input to a script's text: what is no text, what other programs put in
//! front of it, and comments that would swallow it.

use std::path::{Path, PathBuf};

use super::syntax::{TokenKind, lex, line_and_column};
use crate::error::Error;

/// A script's text, or why it can't be read.
pub(super) fn read_script(path: &Path) -> Result<String, Error> {
    if path.is_dir() {
        return Err(
            Error::other(format!("{} is a folder, not a script", path.display()))
                .hint("name a .rhai file"),
        );
    }
    let bytes = std::fs::read(path).map_err(|error| {
        if error.kind() == std::io::ErrorKind::NotFound {
            let error = not_found(path);
            match error.hints().as_slice() {
                [] => error.hint("check the path; `avec --help` tells how avec is called"),
                _ => error,
            }
        } else {
            Error::io("read", path, &error)
        }
    })?;
    script_text(bytes, &path.display().to_string())
}

/// The text of a script that was read from somewhere; `name` is for messages.
///
/// # Errors
/// If it is not UTF-8, or a comment in it is never closed.
pub fn script_text(bytes: Vec<u8>, name: &str) -> Result<String, Error> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes()[..at]
            .iter()
            .filter(|b| **b == b'\n')
            .count();
        Error::other(format!("{name} is not text: line {line} is not UTF-8"))
            .hint("save it as UTF-8")
    })?;
    // Some editors begin a file with a mark of its encoding.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    // `#!/usr/bin/env avec` is for the shell. An empty line is left, so that lines keep their numbers.
    let text = match text.strip_prefix("#!") {
        Some(rest) => rest.find('\n').map_or("", |end| &rest[end..]),
        None => text,
    };
    check_comments(text, name)?;
    Ok(text.to_owned())
}

/// Fails for a comment that is never closed, which would swallow the rest of the text without a word
/// from rhai.
pub(super) fn check_comments(text: &str, name: &str) -> Result<(), Error> {
    let tokens = lex(text);
    let unclosed = tokens
        .last()
        .filter(|token| token.kind == TokenKind::Comment && token.is_open());
    let Some(comment) = unclosed else {
        return Ok(());
    };
    let (line, column) = line_and_column(text, comment.span.start);
    let (what, hint) = match comment.of(text).starts_with("/**/") {
        true => ("`/**/` opens a doc comment for rhai", "write `/* */`"),
        false => ("this comment is never closed", "close it with */"),
    };
    Err(Error::other(format!("{name}:{line}:{column}: {what}")).hint(hint))
}

fn not_found(path: &Path) -> Error {
    let error = Error::other(format!("there is no script {}", path.display()));
    let folder = folder_of(path);
    let names: Vec<String> = std::fs::read_dir(&folder)
        .map(|entries| {
            entries
                .flatten()
                .filter_map(|entry| entry.file_name().into_string().ok())
                .filter(|name| name.ends_with(".rhai"))
                .collect()
        })
        .unwrap_or_default();
    let wanted = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let wanted = if wanted.ends_with(".rhai") {
        wanted
    } else {
        wanted + ".rhai"
    };
    match crate::suggest::nearest(&wanted, &names) {
        Some(close) => {
            let close = path.with_file_name(close);
            error.hint(format!("did you mean {}?", close.display()))
        }
        None => error,
    }
}

/// The folder of a script, which its imports start from.
pub fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}
