//! The imports of an input, as they are found from the folder that the script is saved in.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::entry::Entry;
use crate::error::{Error, Result};
use crate::script::literal::string_literal;
use crate::script::modules::{Visited, visit_imported};
use crate::script::syntax::{TokenKind, edited, lex, significant};

/// An input whose imports are found from `folder`.
pub(super) fn with_imports_from(entry: &Entry, folder: &Path) -> Result<String> {
    let text = &entry.text;
    let from = absolute(&entry.folder);
    let to = absolute(folder);
    if from == to {
        return Ok(text.clone());
    }
    let mut edits = Vec::new();
    for import in imports(text) {
        let there = |what: &str, reason: &str| {
            Error::other(format!(
                "the session imports {what} from {}, and {reason}",
                from.display()
            ))
            .hint(format!(
                "save it there: :save {}",
                from.join("NAME").display()
            ))
        };
        let Some((span, module)) = import else {
            return Err(there("a computed name", "what it is is known there only"));
        };
        let literal = &text[span.clone()];
        let file = from.join(&module);
        let inside = file
            .strip_prefix(&to)
            .map_err(|_| there(literal, "a script imports only from its own folder"))?;
        if needs_script_folder(&from, module) {
            return Err(there(literal, "it imports others from there"));
        }
        let parts = inside.iter().map(|part| part.to_str());
        let parts: Option<Vec<&str>> = parts.collect();
        let parts =
            parts.ok_or_else(|| there(literal, "a folder on the way has no name in UTF-8"))?;
        edits.push((span, string_literal(&parts.join("/"))));
    }
    Ok(edited(text, edits))
}

/// The imports of a text: where each path stands and what it is; none for one that is computed.
fn imports(text: &str) -> Vec<Option<(Range<usize>, String)>> {
    let tokens = lex(text);
    let tokens = significant(&tokens);
    let imports = tokens.iter().enumerate();
    let imports = imports.filter(|(_, token)| token.of(text) == "import");
    imports
        .map(|(i, _)| {
            let path = tokens.get(i + 1)?;
            let alone = tokens
                .get(i + 2)
                .is_none_or(|next| matches!(next.of(text), "as" | ";"));
            if path.kind != TokenKind::String || !alone {
                return None;
            }
            let module = path.of(text).trim_matches(['"', '`']);
            Some((path.span.clone(), module.to_owned()))
        })
        .collect()
}

/// Whether a module of a folder imports what does not lie beside it, so that it needs the folder.
fn needs_script_folder(folder: &Path, module: String) -> bool {
    let mut is_found = false;
    let mut needs = false;
    let mut visit = |module: Visited| {
        is_found = true;
        needs |= !module.is_neighbour;
        let imports = imports(module.text).into_iter();
        imports.map(|import| Some(import?.1)).collect()
    };
    let all_known = visit_imported(folder, vec![module], &mut visit);
    is_found && (needs || !all_known)
}

/// A folder's one name; "" is the working folder.
fn absolute(folder: &Path) -> PathBuf {
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    folder
        .canonicalize()
        .or_else(|_| std::path::absolute(folder))
        .unwrap_or_else(|_| folder.to_owned())
}
