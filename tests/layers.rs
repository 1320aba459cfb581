//! The order of the modules: each imports only from the ones before it.

mod support;

use std::path::Path;

/// From the bottom up; modules on one line may not import each other either.
const LAYERS: &[&str] = &[
    "suggest",
    "error",
    "cancel",
    "permissions",
    "files",
    "profile",
    "progress",
    "run",
    "report",
    "weights",
    "kernels",
    "model",
    "sampling",
    "store",
    "steering",
    "analysis",
    "script",
    "repl",
    "cli",
];

#[test]
fn modules_import_only_from_below() {
    let source = support::repository().join("src");
    let mut files = Vec::new();
    collect(&source, &mut files);
    assert!(files.len() > 40, "too few files were found");
    for file in files {
        let relative = file.strip_prefix(&source).unwrap();
        let module = relative
            .iter()
            .next()
            .unwrap()
            .to_string_lossy()
            .trim_end_matches(".rs")
            .to_owned();
        if matches!(module.as_str(), "lib" | "main") {
            continue;
        }
        let level = |name: &str| {
            LAYERS
                .iter()
                .position(|layer| *layer == name)
                .unwrap_or_else(|| panic!("{name} is in no layer"))
        };
        let text = std::fs::read_to_string(&file).unwrap();
        for rest in text.split("crate::").skip(1) {
            let used: String = rest
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            assert!(
                level(&used) <= level(&module),
                "{} imports crate::{used}, which is above it",
                relative.display()
            );
        }
    }
}

/// Every file opens with a doc comment.
#[test]
fn every_file_opens_with_a_doc_comment() {
    let mut files = Vec::new();
    for folder in ["src", "tests", "examples", "benches"] {
        collect(&support::repository().join(folder), &mut files);
    }
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("//! "), "{}", file.display());
    }
}

fn collect(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}
